"""The study's claim on screen: every answer as it is, its caution, its files, and the states without one."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from core import places, read_claim
from pages.parts import claim
from tests.pages import checks, small
from tests.pages.small import open_page, said

DATASET = "phantom_busi"


@pytest.fixture
def phantoms(artifacts: Path) -> Path:
    """Artifacts with the phantoms, their runs and their scores; a copy that the test may add to."""
    import streamlit as st

    st.cache_resource.clear()
    return shutil.copytree(small.phantoms_only(), artifacts)


def test_without_an_answer_the_section_names_the_command(phantoms):
    text = said(open_page("scoreboard"))
    assert "The claim has not been tested on phantom_busi yet." in text
    assert "python -m core claim phantom_busi" in text


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (0.1, "Yes: more in 2, less in 0, undecided in 0 of 2"),
        (-0.1, "No, it focuses less: more in 0, less in 2, undecided in 0 of 2"),
        (0.0, "No difference shown: more in 0, less in 0, undecided in 2 of 2"),
    ],
)
def test_whatever_the_answer_is_it_is_said(phantoms, gap, words):
    checks.write_claim(DATASET, gap)
    page = open_page("scoreboard")
    text = said(page)
    assert not page.exception
    assert text.count(words) >= 2  # against either rival
    assert "MultiResUNet against U-Net, over all cases" in text
    assert "MultiResUNet against DC-UNet, where both outlines are equally good" in text


def test_the_answer_comes_with_its_caution(phantoms):
    checks.write_claim(DATASET, 0.1)
    text = said(open_page("scoreboard"))
    for part in (
        "Caution: single run per network.",
        "Few groups: 8",
        "one in forty",
        "control layer",
        "8 groups",
    ):
        assert part in text


def test_an_answer_about_other_weights_is_refused_with_the_command(phantoms):
    checks.write_claim(DATASET, 0.1)
    path = places.run("phantom_busi-unet-0") / "run.json"
    path.write_text(path.read_text().replace("04" * 32, "99" * 32))
    page = open_page("scoreboard")
    text = said(page)
    assert not page.exception
    assert "was tested with other weights of phantom_busi-unet-0" in text
    assert "python -m core claim phantom_busi" in text
    assert "per case and pooled" in text  # the scores stay


VERDICT = {"kinds": 9, "more": 0, "less": 0}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"kinds": 0}, "too few groups to tell"),
        ({"more": 5}, "Yes: "),
        ({"more": 4}, "In some kinds of map: "),
        ({"more": 8, "less": 1}, "It depends on the kind of map: "),
        ({"less": 1}, "No, in some kinds of map less: "),
        ({"less": 5}, "No, it focuses less: "),
        ({}, "No difference shown: "),
    ],
)
def test_yes_needs_most_kinds_of_map_and_none_against_it(change, word):
    assert claim.leaning(VERDICT | change).startswith(word)


ENERGY = {"number": "energy_in_reference", **VERDICT}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((9, 9), "it does, in most kinds of map"),
        ((9, 1), "borne out only in part"),
        ((0, 1), "not borne out"),
    ],
)
def test_the_claim_holds_only_where_every_comparison_says_so(more, words):
    assert words in claim.conclusion([ENERGY | {"more": one} for one in more])


def test_of_too_few_groups_the_point_is_said_and_that_it_has_no_interval():
    few = VERDICT | {"kinds": 0, "more": 0, "less": 0}
    said = claim.leaning(few | {"mean": -0.072})
    assert said == "too few groups to tell; Grad-CAM at the bottleneck -0.072, a point without interval"
    assert claim.leaning(few | {"mean": None}) == "too few groups to tell"


def test_without_a_single_interval_the_claim_is_neither_borne_out_nor_refuted():
    said = claim.conclusion([ENERGY | {"kinds": 0, "more": 0, "less": 0}] * 2)
    assert said.startswith("That cannot be told here")


def difference(**changes):
    row = {"class": "tumour", "number": "lift", "way": "raw", "layer": "bottleneck", "method": "gradcam"}
    return row | {"against": "unet", "mean": 0.2, "low": 0.1, "high": 0.3} | changes


def test_the_control_layer_is_drawn_grey_and_what_is_undefined_not_at_all():
    rows = [difference(), difference(layer="decoder_1"), difference(method="hirescam", mean=math.nan)]
    rows += [difference(against="dcunet"), difference(way="matched"), difference(number="sparseness")]
    columns = claim.dots(rows, "tumour", "lift", "raw")
    assert [heading for _, heading, _ in columns] == ["minus U-Net", "minus DC-UNet"]
    assert [(dot.label, dot.muted) for dot in columns[0][2]] == [
        ("Bottleneck · Grad-CAM", False),
        ("Decoder 1 · control · Grad-CAM", True),
    ]


def test_less_deviation_lies_on_the_side_called_more_focused():
    assert claim.better("energy_in_reference").endswith("(right of 0: more focused)")
    assert claim.better("deviation_mm").endswith("mm (left of 0: more focused)")


def test_a_map_without_insight_stands_beside_the_means(phantoms):
    checks.write_claim(DATASET, 0.1)
    table = claim.means(read_claim(DATASET), "tumour", "energy_in_reference")
    assert list(table.columns) == ["MultiResUNet", "U-Net", "DC-UNet"]
    assert table.loc["Bottleneck · Grad-CAM", "U-Net"] == "0.40 [0.40, 0.40], n = 8"
    assert table.loc["Bottleneck · even map", "U-Net"].startswith("0.10 ")


def test_no_downloaded_cell_is_a_formula(phantoms):
    checks.write_claim(DATASET, 0.1, class_name="=1+1")
    found = claim.files(read_claim(DATASET))
    assert [name for name, _ in found.values()] == ["focus", "focus_means", "focus_differences"]
    for _, text in found.values():
        assert "'=1+1" in text()
        assert ",=1+1" not in text()


def test_every_class_and_number_has_a_row_of_answers():
    row = {"number": "deviation_mm", "against": "unet", "way": "raw", **VERDICT}
    rows = [row | {"class": "liver"}, row | {"class": "tumour"}, row | {"class": "liver", "number": "lift"}]
    assert list(claim.answers(rows).index) == [
        "Distance from the organ, liver: against U-Net",
        "Distance from the organ, tumour: against U-Net",
    ]
