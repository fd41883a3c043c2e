"""The Runs page: nothing trained, runs trained, each named failure, and the form; a stand-in does the training."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core import jobs, places, runs, scores_only
from core.training.progress import born
from tests.core.stand_in import COMMAND
from tests.pages import small
from tests.pages.small import open_page, said

RUN = "phantom_busi-unet-7"


@pytest.fixture
def phantoms(artifacts: Path) -> Path:
    """Artifacts with the phantoms and three runs; a copy that the test may damage."""
    return shutil.copytree(small.phantoms_only(), artifacts)


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings may be started from the page; they are the stand-in's, and none outlives the test."""
    monkeypatch.setenv("TRIPTYCH_ALLOW_TRAINING", "1")
    monkeypatch.setattr(jobs, "COMMAND", COMMAND)
    yield
    for job in jobs.list_jobs():
        if job.is_under_way and job.facts["pid"] != os.getpid():
            os.kill(job.facts["pid"], signal.SIGKILL)


def begin(**facts) -> Path:
    """The folder of a training that is not finished, with one finished epoch."""
    folder = places.run(RUN)
    folder.mkdir(parents=True)
    config = {"dataset": "phantom_busi", "model": "unet", "seed": 7, "width": 2, "epochs": 40, "split": ""}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "status.json").write_text(json.dumps({"pid": os.getpid(), "epochs": 40, **facts}))
    (folder / "history.csv").write_text(
        "epoch,loss,learning_rate,val_loss,val_dice,val_false_alarm,seconds\n1,1,0.1,1,0.4,nan,60\n"
    )
    (folder / "log.txt").write_text("the last words\n")
    return folder


def labels(page) -> list[str]:
    return [button.label for button in page.button]


def test_with_nothing_trained_the_page_names_the_commands(artifacts):
    text = said(open_page("runs"))
    assert "Nothing to show yet" in [element.proto.title for element in open_page("runs").info]
    assert "python -m core train phantom_busi unet" in text


def test_the_registry_has_a_line_per_run_with_its_hashes_and_scores(phantoms):
    page = open_page("runs")
    table = page.dataframe[0].value.set_index("Run")
    assert list(table.index) == [
        "phantom_busi-unet-0",
        "phantom_busi-multiresunet-0",
        "phantom_busi-dcunet-0",
    ]
    run = runs.read_run("phantom_busi-dcunet-0")
    line = table.loc[run.name]
    assert (line["State"], line["Network"], line["Width"], line["Best epoch"]) == (
        "finished",
        "DC-UNet",
        8,
        3,
    )
    assert (line["Split"], line["Split hash"]) == ("busi-group", run.split_sha256[:8])
    assert (line["Weights hash"], line["Validation Dice"]) == (run.weights_sha256[:8], 0.7)


def test_a_finished_run_has_its_card_settings_checksums_and_a_curve_per_metric(phantoms):
    page = open_page("runs")
    titles = [json.loads(chart.proto.spec)["layout"]["title"]["text"] for chart in page.get("plotly_chart")]
    assert titles == ["Loss", "Validation Dice", "Validation false alarms", "Learning rate"]
    loss = json.loads(page.get("plotly_chart")[0].proto.spec)["data"]
    assert [line["name"] for line in loss] == ["training", "validation"]
    assert [tab.label for tab in page.tabs] == ["Model card", "Settings", "Checksums"]
    text = said(page)
    assert runs.read_run("phantom_busi-unet-0").split_sha256 in text
    assert "Intended use" in text
    assert "not reported" in text


def test_another_run_is_shown_when_it_is_chosen(phantoms):
    page = open_page("runs")
    page.selectbox(key="w_run").select("phantom_busi-dcunet-0").run()
    assert not page.exception
    assert runs.read_run("phantom_busi-dcunet-0").weights_sha256 in said(page)


def test_weights_that_do_not_fit_are_said_and_nothing_else_breaks(phantoms):
    (phantoms / "runs" / "phantom_busi-unet-0" / places.WEIGHTS).write_bytes(b"cut")
    page = open_page("runs")
    assert "finished: weights rejected" in said(page)
    assert "Weights rejected: " in said(page)


def test_a_run_of_which_only_scores_are_kept_says_so_and_keeps_its_card(phantoms):
    scores_only.drop_weights("phantom_busi-unet-0")
    page = open_page("runs")
    (jobs,) = [table.value for table in page.dataframe if "State" in table.value]
    assert list(jobs["State"]) == ["finished", "finished", "finished: scores only"]
    page.selectbox(key="w_run").set_value("phantom_busi-unet-0").run()
    text = said(page)
    assert "finished: scores only" in text
    assert "rejected" not in text
    assert "are not kept, its scores are" in text
    assert not page.error
    assert page.tabs[0].label == "Model card"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("disk_full", "The disk is full."),
        ("out_of_memory", "not enough memory for batches"),
        ("diverged", "infinite or not a number"),
        ("refused", "The training was refused."),
        ("error", "An error that has no name"),
    ],
)
def test_each_failure_is_told_in_words_with_the_last_lines_of_the_log(phantoms, reason, words):
    begin(state="failed", reason=reason, message="<b>What</b> happened.")
    page = open_page("runs")
    text = said(page)
    assert page.selectbox(key="w_run").value == RUN
    assert words in text
    assert "<b>What</b> happened." in text
    assert "the last words" in text


@pytest.mark.parametrize(
    ("state", "words"), [("stopped", "It was stopped."), ("running", "without saying why")]
)
def test_a_training_that_is_over_without_an_end_can_be_resumed_where_that_is_allowed(
    phantoms, state, words, monkeypatch
):
    begin(state=state)
    page = open_page("runs")
    assert words in said(page)
    assert "Resume" not in labels(page)
    monkeypatch.setenv("TRIPTYCH_ALLOW_TRAINING", "1")
    assert "Resume" in labels(open_page("runs"))


def test_a_running_training_is_opened_first_with_its_progress_and_curves(phantoms):
    now = datetime.now(UTC)
    facts = {"epoch": 2, "step": 5, "steps": 10, "loss": 0.25, "time": now.isoformat(), "device": "cpu"}
    begin(state="running", **facts)
    with runs.hold(RUN):
        page = open_page("runs")
        assert page.selectbox(key="w_run").value == RUN
        assert page.get("progress")[0].proto.text == (
            "Epoch 2 of 40, step 5 of 10, loss 0.250, about 38 min left, cpu"
        )
        assert not page.warning
        assert len(page.get("plotly_chart")) == 3  # none of the false alarms, which are undefined
        assert "Stop" not in labels(page)


def test_a_minute_without_a_sign_of_life_is_told(phantoms):
    long_ago = datetime.now(UTC) - timedelta(seconds=95)
    begin(state="running", time=long_ago.isoformat())
    with runs.hold(RUN):
        assert "No sign of life for" in said(open_page("runs"))


def test_without_leave_there_is_no_form_and_the_page_says_how_to_get_it(phantoms, monkeypatch):
    monkeypatch.delenv("TRIPTYCH_ALLOW_TRAINING", raising=False)
    page = open_page("runs")
    assert "TRIPTYCH_ALLOW_TRAINING=1" in said(page)
    assert labels(page) == []


def test_the_form_has_a_field_for_every_setting_and_starts_what_was_asked_for(phantoms, allowed):
    from core.settings import list_settings

    page = open_page("runs")
    keys = {element.key for kind in ("selectbox", "number_input", "text_input") for element in page.get(kind)}
    assert {f"f_{setting.name}" for setting in list_settings()} <= keys
    page.number_input(key="f_width").set_value(2)
    page.number_input(key="f_epochs").set_value(2)
    page.number_input(key="f_seed").set_value(7)
    page.number_input(key="f_learning_rate").set_value(0.0005)
    page.selectbox(key="f_calibrate").select("no")
    next(button for button in page.button if button.label == "Start the training").click().run(timeout=90)
    assert not page.exception
    assert [element.value for element in page.error] == []
    limit = time.monotonic() + 60
    while jobs.read_job(RUN).state != "finished" and time.monotonic() < limit:
        time.sleep(0.1)
    begun = json.loads((places.run(RUN) / "config.json").read_text())
    assert (begun["width"], begun["epochs"], begun["learning_rate"], begun["calibrate"]) == (
        2,
        2,
        0.0005,
        False,
    )
    assert begun["max_false_alarm"] == 0.2  # what was left empty is the recipe's
    page.run()
    assert page.selectbox(key="w_run").value == RUN
    assert "It ran to its end" in said(page)
    from core import audit

    assert [line["run"] for line in audit.read("training_start")] == [RUN]


def test_settings_out_of_range_and_runs_that_are_there_are_refused_in_words(phantoms, allowed):
    page = open_page("runs")
    next(button for button in page.button if button.label == "Start the training").click().run(timeout=90)
    assert "was begun before (finished)" in said(page)
    page.number_input(key="f_augment").set_value(7)
    next(button for button in page.button if button.label == "Start the training").click().run(timeout=90)
    assert "augment: 7" in said(page)
    assert not page.exception


def test_while_one_runs_no_other_is_started_here(phantoms, allowed):
    begin(state="running", host=socket.gethostname(), born=born(os.getpid()))
    with runs.hold(RUN):
        page = open_page("runs")
        button = next(one for one in page.button if one.label == f"Wait: {RUN} is under way")
        assert button.disabled
        assert "Stop" in labels(page)


def test_stop_asks_once_and_says_so(phantoms, allowed, monkeypatch):
    asked = []
    monkeypatch.setattr(jobs, "spawn", lambda name, words, *_: asked.append(words))
    begin(state="running", host=socket.gethostname(), born=born(os.getpid()))
    with runs.hold(RUN):
        page = open_page("runs")
        next(one for one in page.button if one.label == "Stop").click().run()
        assert asked == [["stop", RUN]]
        assert next(one for one in page.button if one.label.startswith("Stopping")).disabled
    page.run()
    assert "without saying why" in said(page)
