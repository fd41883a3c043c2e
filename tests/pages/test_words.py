"""Numbers and states in words."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from core import nifti, nifti_header, prepared_files
from core.datasets import busi, lits
from core.metrics import overlap
from pages.parts import words


def grid(*rows: str) -> np.ndarray:
    """A label map from rows of '.' and '#'."""
    return np.array([[sign == "#" for sign in row] for row in rows], np.uint8)


def found(reference: np.ndarray, labels: np.ndarray) -> list[str]:
    scores = overlap.scores(reference, labels, ("background", "tumour"))["tumour"]
    return [
        text.replace("\u00a0", " ")
        for text in words.findings(scores, reference.astype(bool), labels.astype(bool))
    ]


REFERENCE = grid("##..", "##..", "....", "....")
EMPTY = np.zeros((4, 4), np.uint8)


def test_both_empty_is_no_lesion_none_predicted():
    assert found(EMPTY, EMPTY) == ["no lesion in reference, none predicted"]


def test_something_drawn_on_an_empty_reference_is_a_false_alarm_with_its_area():
    assert found(EMPTY, REFERENCE) == ["no lesion in reference; false alarm of 4 px in 1 region"]


def test_nothing_drawn_on_a_lesion_is_missed_completely():
    assert found(REFERENCE, EMPTY) == ["missed the tumour completely (4 px)"]


def test_a_drawing_elsewhere_is_a_miss_and_an_extra_region():
    assert found(REFERENCE, grid("....", "....", "...#", "..##")) == [
        "missed the tumour completely (4 px)",
        "drew 1 extra region, 3 px",
    ]


def test_a_quarter_left_out_is_missed_25_percent():
    assert found(REFERENCE, grid("##..", "#...", "....", "....")) == ["missed 25 % of the tumour (1 px)"]


def test_a_drawing_beyond_the_outline_overruns_it():
    assert found(REFERENCE, grid("###.", "###.", "....", "....")) == [
        "covered the whole tumour",
        "overran the outline by 2 px",
    ]


def test_one_of_two_lesions_found_is_one_overlooked():
    reference = grid("#..#", "#..#", "....", "....")
    assert "overlooked 1 of 2 regions of the reference" in found(
        reference, grid("#...", "#...", "....", "....")
    )


@pytest.mark.parametrize(
    ("mask", "other", "sizes", "there"),
    [
        (("....",), ("####",), [], 0),
        (("##.#",), ("....",), [2, 1], 2),
        (("##.#",), ("...#",), [2], 2),
        (("#...", ".#..", "..#."), ("#...", "....", "...."), [], 1),  # a corner joins
        (("###", "#.#", "###", "...", "#.."), ("...", ".#.", "...", "...", "..."), [8, 1], 2),
    ],
)
def test_regions_without_a_pixel_in_common_are_counted_apart(mask, other, sizes, there):
    assert words.untouched(grid(*mask) > 0, grid(*other) > 0) == (sizes, there)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.001, "under 1 %"),
        (0.999, "over 99 %"),
        (0.234, "23 %"),
        (float("nan"), "n/a"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(share, text):
    assert words.percent(share) == text


def test_thousands_are_apart_and_never_break_from_their_unit():
    assert words.pixels(12345) == "12\u202f345\u00a0px"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (9.96, "10.0"), (256.5, "257"), (257.5, "258"), (256.49, "256"), (4756.5, "4\u202f757")],
)
def test_an_area_of_a_half_is_rounded_up_as_in_the_viewer(value, text):
    assert words.thousands(value) == text


def test_without_a_lesion_there_is_no_dice_but_words():
    both = overlap.scores(EMPTY, EMPTY, ("background", "tumour"))["tumour"]
    alarm = overlap.scores(EMPTY, REFERENCE, ("background", "tumour"))["tumour"]
    for scores in (both, alarm):
        assert words.value_or_why(scores, "dice") == "n/a: no lesion in reference"
    assert [words.headline(scores) for scores in (both, alarm)] == ["rightly empty", "false alarm"]


def test_undefined_is_words_and_never_nan():
    scores = overlap.scores(REFERENCE, EMPTY, ("background", "tumour"))["tumour"]
    assert words.value_or_why(scores, "precision") == "n/a: nothing is predicted"
    assert words.headline(scores) == "Dice 0.00"
    assert words.number(float("nan")) == "n/a"


@pytest.mark.parametrize(
    "text", ["[a](http://x)", "**bold**", "<img src=x>", ":red[x]", "# title", "$x$", "a_b_c"]
)
def test_markdown_signs_are_escaped_one_by_one(text):
    escaped = words.plain(text)
    assert escaped != text
    assert escaped.replace("\\", "") == text


def test_an_unknown_flag_is_its_own_name_in_words():
    assert words.flag("odd-thing") == "odd thing"


@pytest.mark.parametrize(("group", "unit"), [("patient", "patients"), ("near-duplicate cluster", "groups")])
def test_few_groups_are_called_what_they_are(group, unit):
    assert words.few({"n_groups": 8, "group": group}).startswith(f"Few {unit}: 8. ")
    assert words.few({"n_groups": 20, "group": group}) == ""


def test_every_flag_that_preparing_sets_is_explained():
    own = (nifti_header.UNVERIFIED, nifti_header.DISAGREES, nifti_header.PLACEHOLDER, nifti_header.BORROWED)
    said = " ".join([inspect.getsource(busi), inspect.getsource(lits), inspect.getsource(prepared_files)])
    named = {
        "no-mask",
        "several-masks",
        "mask-values",
        "colour-overlay",
        "burned-in-marks",
        "empty-lesion-mask",
    }
    named |= {"normal-with-tumour", "near-duplicate", "cross-class-group", "label-conflict"}
    named |= {"outline-off-tissue", "liver-not-on-right"}
    assert all(name in said for name in named)  # none of them is out of date
    assert set(words.FLAGS) == named | {*own, nifti.OUTLYING}


def test_a_flag_without_words_of_its_own_keeps_its_name():
    assert words.flag("something-new") == "something new"
