"""A study: every network, fold and seed once; the same outcome on one machine, on Dask, and after kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core import __main__ as cli
from core import executors, jobs, places, runs, trainings
from core.errors import DataMissing, TrainingFailed
from tests.core.stand_in import COMMAND
from tests.core.training.conftest import ROOT
from tests.core.training.conftest import phantom_artifacts as phantom_artifacts
from tests.core.training.conftest import phantoms as phantoms

SMALL = {"width": 2, "epochs": 4, "batch": 4}


@pytest.fixture
def stand_in(phantoms: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Artifacts with 20 phantoms, on which trainings are those of the stand-in."""
    monkeypatch.setattr(jobs, "COMMAND", COMMAND)
    return phantoms


def small_plan(models=("unet", "dcunet"), seeds=2, folds=1, **changes):
    return trainings.plan("phantom_busi", models, seeds, folds, **{**SMALL, **changes})


def locally(plan, report=lambda *_: None):
    return trainings.train_all(plan, executors.local(1), report)


def test_a_study_is_every_network_on_every_fold_with_every_seed(phantoms):
    plan = small_plan(folds=5)
    assert len(plan) == len({one.name for one in plan}) == 2 * 5 * 2
    assert {one.config.split for one in plan} == {f"busi-5fold-{number}" for number in range(1, 6)}
    assert [one.config.seed for one in plan] == [0] * 10 + [1] * 10
    assert small_plan(folds=None) == plan
    assert [one.name for one in small_plan(folds=1, seeds=1)] == [
        "phantom_busi-unet-0",
        "phantom_busi-dcunet-0",
    ]


def test_folds_that_are_not_prepared_and_settings_out_of_range_are_refused_beforehand(phantoms):
    with pytest.raises(TrainingFailed, match=r"expected 1 \(the default split\) or 5, got 3"):
        small_plan(folds=3)
    with pytest.raises(TrainingFailed, match="epochs: 0"):
        small_plan(epochs=0)
    with pytest.raises(TrainingFailed, match="Nothing to train"):
        small_plan(seeds=0)
    with pytest.raises(DataMissing):
        trainings.plan("busi", ["unet"], 1, 1)


def test_what_is_finished_is_not_trained_again_and_the_checksum_stays(stand_in):
    plan = small_plan(seeds=1)
    first = locally(plan)
    assert [one.state for one in first] == ["finished", "finished"]
    times = [(places.run(one.name) / "run.json").stat().st_mtime_ns for one in plan]
    again = locally(plan)
    assert [(places.run(one.name) / "run.json").stat().st_mtime_ns for one in plan] == times
    assert trainings.checksum(again) == trainings.checksum(first)
    assert len({one.sha256 for one in first}) == 2


def test_the_progress_counts_epochs_over_the_whole_study_and_ends_full(stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN_EPOCH_S", "0.3")
    seen = []
    locally(small_plan(models=["unet"]), lambda *now: seen.append(now))
    assert seen[-1] == (8, 8, "2 of 2 trainings over")
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert any(0 < done < 4 for done, _, _ in seen)


def test_a_training_killed_by_the_system_goes_on_and_ends_as_an_unbroken_one(stand_in):
    plan = small_plan(models=["unet"], seeds=1, width=3)
    (killed,) = locally(plan)
    folder = places.run(plan[0].name)
    assert (folder / "died").exists()
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "died").touch()
    assert locally(plan) == [killed]


def test_a_failure_is_named_and_stops_no_other_training(stand_in):
    plan = [*small_plan(models=["unet"], seeds=1, width=5), *small_plan(models=["dcunet"], seeds=1)]
    failed, finished = locally(plan)
    assert (failed.state, finished.state) == ("failed", "finished")
    assert failed.message.startswith("disk_full: The disk is full")


def test_a_run_finished_with_other_settings_fails_by_name_and_is_left_alone(stand_in):
    locally(small_plan(models=["unet"], seeds=1))
    (other,) = locally(small_plan(models=["unet"], seeds=1, epochs=5))
    assert other.state == "failed"
    assert "other settings (epochs)" in other.message


def test_a_training_of_which_only_the_scores_are_kept_is_finished_all_the_same(stand_in):
    plan = small_plan(models=["unet"], seeds=1)
    whole = locally(plan)
    path = places.run(plan[0].name) / "run.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"weights": {**told["weights"], "kept": False}}))
    (places.run(plan[0].name) / places.WEIGHTS).unlink()
    assert locally(plan) == whole
    (other,) = locally(small_plan(models=["unet"], seeds=1, epochs=5))
    assert "other settings (epochs)" in other.message


def test_ctrl_c_stops_the_trainings_which_then_go_on(stand_in, monkeypatch):
    plan = small_plan(models=["unet"], epochs=6)
    whole = locally(plan)
    for one in plan:
        shutil.rmtree(places.run(one.name))
    monkeypatch.setenv("STAND_IN_EPOCH_S", "0.3")

    def interrupt(done, total, text):
        if done and not interrupt.asked:
            interrupt.asked = True
            raise KeyboardInterrupt

    interrupt.asked = False
    assert [one.state for one in locally(plan, interrupt)] == ["stopped", "stopped"]
    assert jobs.read_job(plan[0].name).state == "stopped"
    assert locally(plan) == whole


def test_a_training_that_another_process_holds_is_waited_for(stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN_EPOCH_S", "0.2")
    plan = small_plan(models=["unet"], seeds=1)
    pid = jobs.start_training(plan[0].config).facts["pid"]
    (one,) = locally(plan)
    assert one.state == "finished"
    assert runs.read_run(plan[0].name).manifest["seconds"] == pid


def test_the_verb_prints_every_training_and_one_checksum_and_tells_failure_by_its_exit_status(
    stand_in, capsys, monkeypatch
):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    study = ["study", "phantom_busi", "--models", "unet", "--folds", "1", "--epochs", "2"]
    assert cli.main([*study, "--seeds", "2", "--width", "2"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in printed[:2]] == [
        ["phantom_busi-unet-0", "finished"],
        ["phantom_busi-unet-1", "finished"],
    ]
    assert printed[2].startswith("2 of 2 finished. Checksum of the study: ")
    assert cli.main([*study, "--seeds", "2", "--width", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == printed
    assert cli.main([*study, "--seeds", "1", "--width", "16"]) == 1
    assert "other settings (width)" in capsys.readouterr().out


@pytest.fixture
def workers(tmp_path):
    """A function that starts a Dask scheduler and two workers: the address, and the workers as session leaders."""
    pytest.importorskip("distributed", reason="Dask is not installed: requirements-dask.txt")
    begun = []

    def launch(artifacts: Path, *more: str):
        environment = os.environ | {"TRIPTYCH_ARTIFACTS": str(artifacts), "PYTHONPATH": str(ROOT)}

        def start(kind, *words):
            command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard", *words]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            child = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **quiet)
            begun.append(child)
            return child

        file = tmp_path / "scheduler.json"
        start("scheduler", "--scheduler-file", str(file), "--host", "127.0.0.1", "--port", "0")
        limit = time.monotonic() + 120
        while not file.exists() and time.monotonic() < limit:
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        return address, [start("worker", address, "--nthreads", "1", "--no-nanny", *more) for _ in range(2)]

    yield launch
    for child in begun:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("trainer", ["stand-in", pytest.param("keras", marks=pytest.mark.slow)])
def test_two_dask_workers_of_which_one_is_killed_come_to_what_one_machine_comes_to(
    trainer, phantoms, tmp_path, workers, monkeypatch
):
    models = ["unet", "dcunet"] if trainer == "stand-in" else ["unet"]
    epochs = 6 if trainer == "stand-in" else 3
    plan = small_plan(models, epochs=epochs, presence_from=0.0)  # one loss, traced once
    if trainer == "stand-in":
        monkeypatch.setattr(jobs, "COMMAND", COMMAND)
    here = locally(plan)
    assert [one.state for one in here] == ["finished"] * len(plan)

    far = tmp_path / "far"
    shutil.copytree(phantoms / "data", far / "data")
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(far))
    monkeypatch.setenv("STAND_IN_EPOCH_S", "0.5")
    address, crew = workers(far, *(["--preload", "tests.core.stand_in"] if trainer == "stand-in" else []))
    killed = []

    def kill_one(done, total, text):
        """The worker, and with it the training, that has finished an epoch first."""
        at_work = [
            job for job in jobs.list_jobs() if job.state == "running" and job.facts.get("finished_epochs")
        ]
        if at_work and not killed:
            killed.append(os.getpgid(at_work[0].facts["pid"]))
            os.killpg(killed[0], signal.SIGKILL)

    there = trainings.train_all(plan, executors.dask(address), kill_one)
    assert killed[0] in [worker.pid for worker in crew]
    assert there == here
    assert trainings.checksum(there) == trainings.checksum(here)
