"""Teach as a visitor gets it: every step asks first, answers with real numbers, and says what is missing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import list_slices, nearest_training_slices, read_results
from pages.parts.lessons_all import LESSONS
from tests.pages import small, small_volumes
from tests.pages.small import answer_for_the_networks, open_page, panels, said

NAMED = {lesson.name: lesson for lesson in LESSONS}
STEPS = [(lesson.name, at + 1) for lesson in LESSONS for at in range(len(lesson.steps))]
WITH_DATA = [step for step in STEPS if step not in (("gradcam", 1), ("gradcam", 2))]


@pytest.fixture
def phantoms(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The phantoms alone, with a stand-in for the networks."""
    answer_for_the_networks(monkeypatch)
    return shutil.copytree(small.phantoms_only(), artifacts)


@pytest.fixture
def volumes(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four small CT volumes, nothing computed, with a stand-in for the networks."""

    import core.explain

    engine = small_volumes.stand_in()
    monkeypatch.setitem(sys.modules, "core.explain.engine", engine)
    monkeypatch.setattr(core.explain, "engine", engine, raising=False)
    return shutil.copytree(small_volumes.prepared(), artifacts)


def opened(lesson: str, step: int, **query: str):
    page = open_page("teach", lesson=lesson, step=str(step), **query)
    assert not page.exception
    return page


def button(page, key: str):
    return next((found for found in page.button if found.key == key), None)


def answered(page, option: int = 0):
    """The page after a question was answered; as it is where there is none."""
    if found := button(page, f"b_answer_{option}"):
        page = found.click().run()
    assert not page.exception
    return page


def computed(page):
    """The page after everything it offers to compute."""
    for _ in range(3):
        if found := button(page, "b_compute"):
            page = found.click().run()
            assert not page.exception
    return page


def one_with_a_lesion(dataset: str) -> str:
    return next(
        e.case for e in list_slices(dataset) if e.parts["busi-group"] == "test" and e.reference_pixels
    )


def test_without_a_lesson_all_are_listed_and_each_can_be_started(phantoms):
    page = open_page("teach")
    for lesson in LESSONS:
        assert lesson.teaches in said(page)
        assert button(page, f"b_start_{lesson.name}")
    page = button(page, "b_start_layers").click().run()
    assert page.query_params["lesson"] in ("layers", ["layers"])
    assert "step 1 of 3" in said(page)


def test_with_nothing_prepared_the_toy_runs_and_the_rest_names_the_command(artifacts):
    assert not open_page("teach").exception
    for lesson, step in (("gradcam", 1), ("gradcam", 2)):
        assert "Compute" not in said(answered(opened(lesson, step)))
    for lesson, step in WITH_DATA:
        page = opened(lesson, step)
        assert "python -m core demo" in said(page), (lesson, step)
        assert button(page, "b_step_next")


@pytest.mark.parametrize(("lesson", "step"), STEPS)
def test_every_step_runs_on_the_phantoms_alone(lesson, step, phantoms):
    page = computed(answered(computed(opened(lesson, step, ds="phantom_busi"))))
    assert not page.error
    assert "nan" not in re.findall(r"\w+", said(page).lower())


@pytest.mark.parametrize(("lesson", "step"), [step for step in WITH_DATA if step[0] not in ("scale", "dice")])
def test_every_step_runs_on_volumes_too(lesson, step, volumes):
    page = computed(answered(computed(opened(lesson, step, ds="lits"))))
    text = said(page)
    # of the four volumes none is for validation and has a tumour
    assert not page.error or "No validation slice of lits" in page.error[0].value
    assert "nan" not in re.findall(r"\w+", text.lower())


@pytest.mark.parametrize(
    ("lesson", "step", "told"),
    [
        ("gradcam", 3, "weight = mean of gradient"),
        ("gradcam", 4, "Score explained"),
        ("layers", 2, "Correlation with the prediction"),
        ("scale", 1, "Raw maximum"),
        ("scale", 2, "Heat inside the outline"),
        ("scale", 3, "Rank correlation with the probability"),
        ("leakage", 2, "Mean correlation with it"),
        ("threshold", 2, "Best on validation"),
        ("dice", 1, "Only cases with a lesion"),
        ("dice", 2, "The largest"),
        ("dice", 3, "Mean with background"),
    ],
)
def test_the_answer_appears_after_the_reader_has_decided(lesson, step, told, phantoms):
    page = computed(opened(lesson, step, ds="phantom_busi"))
    assert "Decide first" in said(page)
    assert told not in said(page)
    page = computed(answered(page))
    assert "Decide first" not in said(page)
    assert told in said(page)


def test_the_threshold_is_locked_until_the_reader_has_guessed(phantoms):
    page = computed(opened("threshold", 1, ds="phantom_busi"))
    (drawing,) = page.get("bidi_component")
    told = json.loads(drawing.proto.json)
    assert told["locked"]
    assert not told["marks"]
    (drawing,) = answered(page).get("bidi_component")
    told = json.loads(drawing.proto.json)
    assert not told["locked"]
    assert told["marks"][0]["words"].startswith("best on this slice")


def test_a_right_answer_is_counted_and_a_wrong_one_names_the_right_one(phantoms):
    wrong = answered(opened("gradcam", 1), 0)
    assert "It is: **Not at all**" in said(wrong)
    page = opened("gradcam", 1)
    page = answered(page, 1)
    assert "Yes: Not at all" in said(page)
    page = button(page, "b_lessons").click().run()
    assert "1 of 1 right so far" in said(page)


def test_back_and_next_walk_through_the_address_and_answers_stay(phantoms):
    page = answered(opened("gradcam", 1, ds="phantom_busi"), 1)
    assert button(page, "b_step_back").disabled
    page = button(page, "b_step_next").click().run()
    assert page.query_params["step"] in ("2", ["2"])
    assert "Add up, and keep what is positive" in said(page)
    page = button(page, "b_step_back").click().run()
    assert "Yes: Not at all" in said(page)


def test_another_case_keeps_the_lesson_and_asks_anew(phantoms):
    page = answered(opened("threshold", 1, ds="phantom_busi"), 1)
    assert "Decide first" not in said(page)
    page = button(page, "b_next").click().run()
    assert page.query_params["lesson"] in ("threshold", ["threshold"])
    assert "Decide first" in said(page)


@pytest.mark.parametrize(
    ("step", "expected"), [("0", 1), ("99", 3), ("-1", 1), ("x", 1), ("", 1), ("٢", 1), ("9" * 50, 1)]
)
def test_a_step_that_is_not_there_leads_to_the_nearest(step, expected, phantoms):
    page = open_page("teach", lesson="layers", step=step)
    assert f"step {expected} of 3" in said(page)


def test_a_lesson_that_is_not_there_leads_to_the_list(phantoms):
    page = open_page("teach", lesson="<img src=x>", step="1")
    assert not page.exception
    assert "There is no lesson called <img src=x>" in said(page)
    assert button(page, "b_start_gradcam")


def test_the_last_step_has_the_closing_sentence_the_score_and_the_way_on(phantoms):
    page = answered(opened("layers", 3, ds="phantom_busi"), 1)
    assert NAMED["layers"].closing in said(page)
    assert "You had **1 of 1** right." in said(page)
    assert button(page, "b_step_next").disabled
    page = button(page, "b_again").click().run()
    assert "step 1 of 3" in said(page)
    page = opened("layers", 3, ds="phantom_busi")
    assert "Decide first" in said(page)


def test_every_lesson_has_notes_for_the_instructor(phantoms):
    for lesson in LESSONS:
        assert "**Aim.**" in lesson.notes
        assert lesson.notes.strip() in "\n".join(str(m.value) for m in opened(lesson.name, 1).markdown)


def test_the_numbers_of_grad_cam_come_from_the_network(phantoms):
    from core import map_steps, predict, read_slice

    page = computed(opened("gradcam", 3, ds="phantom_busi", case=(case := one_with_a_lesion("phantom_busi"))))
    page = answered(page)
    one = read_slice("phantom_busi", case)
    steps = map_steps("phantom_busi-unet-0", one, predict("phantom_busi-unet-0", one), "bottleneck", "tumour")
    assert f"**{steps.weights[0]:.3g}**" in said(page)
    assert f"Feature {steps.channels[0]}" in said(page)


def test_the_layer_walk_shows_all_layers_and_ends_as_the_prediction(phantoms):
    page = computed(answered(opened("layers", 2, ds="phantom_busi"), 1))
    titles = [panel["title"] for panel in panels(page)]
    assert titles == [
        "Image + reference",
        "Bottleneck",
        "Decoder 4",
        "Decoder 3",
        "Decoder 2",
        "Decoder 1 · control",
    ]
    table = page.table[0].value
    assert list(table["Cells"]) == ["8 × 8", "16 × 16", "32 × 32", "64 × 64", "128 × 128"]
    assert float(table["Correlation with the prediction"].iloc[-1]) >= 0.99


def test_own_scale_comes_first_and_one_scale_after_the_answer(phantoms):
    page = computed(opened("scale", 1, ds="phantom_busi"))
    assert len({panel["heat"]["limit"] for panel in panels(page)[1:]}) == 3
    page = answered(page)
    assert "one scale for all networks" in str(page.get("bidi_component")[-1].proto.bytes[:200000])
    assert "Raw maximum" in said(page)


def test_where_a_network_draws_nothing_the_way_to_a_fuller_case_is_offered(phantoms):
    from core import cache, read_run, read_slice, reading

    case = one_with_a_lesion("phantom_busi")
    name = reading._prediction_key(read_run("phantom_busi-dcunet-0"), read_slice("phantom_busi", case))
    cache.write("predictions", name, {"probability": np.zeros((128, 128, 1), np.float32)}, {})
    page = computed(opened("scale", 1, ds="phantom_busi", case=case))
    assert "DC-UNet draws nothing here" in said(page)
    page = computed(button(page, "b_suggest").click().run())
    assert page.query_params["lesson"] in ("scale", ["scale"])
    assert page.session_state["sel"].case != case
    assert "draws nothing here" not in said(page)


def test_leakage_counts_the_neighbours_of_the_prepared_data(volumes):
    page = answered(opened("leakage", 2, ds="lits"))
    found = nearest_training_slices("lits", "lits-slice", "tumour")
    same = sum(one.is_same_group for one in found)
    assert f"{same} of {len(found)}" in said(page)
    assert f"0 of {len(nearest_training_slices('lits', 'lits-patient', 'tumour'))}" in said(page)


def test_scores_of_a_split_nobody_trained_under_are_named_missing(phantoms):
    text = said(answered(opened("leakage", 3, ds="phantom_busi")))
    assert "not stored here yet" in text
    assert "python -m core train phantom_busi unet --split busi-image" in text


def test_dice_by_rule_comes_from_the_stored_scores(phantoms):
    stored = read_results("phantom_busi")
    unet = [row for row in stored.scores if row["run"] == "phantom_busi-unet-0" and row["tp"] + row["fn"]]
    text = said(answered(opened("dice", 1, ds="phantom_busi")))
    assert f"{sum(row['dice'] for row in unet) / len(unet):.3f} (n = {len(unet)})" in text


def test_without_stored_scores_the_dice_lesson_names_the_command(phantoms):
    shutil.rmtree(phantoms / "results")
    assert "python -m core evaluate phantom_busi" in said(opened("dice", 1, ds="phantom_busi"))
    damaged = phantoms / "results" / "phantom_busi"
    damaged.mkdir(parents=True)
    (damaged / "summary.json").write_text("{")
    assert "python -m core evaluate phantom_busi" in said(opened("dice", 1, ds="phantom_busi"))


def test_a_network_that_is_refused_is_left_out_and_the_lesson_goes_on(phantoms):
    next((phantoms / "runs" / "phantom_busi-unet-0").glob("*.h5")).write_bytes(b"cut")
    page = computed(opened("scale", 1, ds="phantom_busi"))
    assert "U-Net is left out: Weights rejected" in said(page)
    assert [panel["title"] for panel in panels(page)] == ["Image + reference", "MultiResUNet", "DC-UNet"]


def test_without_any_network_a_lesson_names_the_command(phantoms):
    shutil.rmtree(phantoms / "runs")
    assert "python -m core train phantom_busi unet" in said(opened("layers", 1, ds="phantom_busi"))


def test_a_case_without_a_lesion_gives_way_to_one_that_has_one(phantoms):
    normal = next(e.case for e in list_slices("phantom_busi") if e.tag == "normal")
    assert f"{normal} has no lesion, so this lesson takes" in said(
        opened("layers", 1, ds="phantom_busi", case=normal)
    )


def test_no_outline_reaches_the_page_before_the_reader_has_decided(phantoms):
    page = opened("find", 1, ds="phantom_busi")
    (mark,) = page.get("bidi_component")
    assert "reference" not in mark.proto.json
    assert not page.table
    assert "Dice 0." not in said(page)
    assert not page.success


def test_saying_that_there_is_none_is_judged_and_counted(phantoms):
    page = opened("find", 1, ds="phantom_busi")
    said_none = next(b for b in page.button if b.label == "There is no tumour here")
    page = said_none.click().run()
    text = said(page)
    assert ("**Missed.**" in text) != ("**Right.**" in text)
    assert panels(page)[1]["title"] == "U-Net"
    for _ in range(5):
        page = button(page, "b_step_next").click().run()
    assert re.search(r"[1-4] of [2-5] cases are still open", said(page))
    assert list(page.table[0].value.index) == ["You", "U-Net", "MultiResUNet", "DC-UNet"]


def test_no_lesson_loads_tensorflow_while_what_it_needs_is_stored(phantoms):
    steps = [
        ("find", 1),
        ("gradcam", 1),
        ("layers", 1),
        ("scale", 1),
        ("leakage", 2),
        ("threshold", 1),
        ("dice", 1),
    ]
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.pages.small import open_page, said\n"
        f"for lesson, step in {steps}:\n"
        "    page = open_page('teach', ds='phantom_busi', lesson=lesson, step=str(step))\n"
        "    assert not page.exception and not page.error and 'Compute' not in said(page), lesson\n"
        "print([m for m in ('tensorflow', 'keras', 'scipy.stats', 'sklearn') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=small.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr
