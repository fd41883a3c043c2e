"""The checks of the heatmaps on screen: sentences, pictures, and the states without a certificate."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core import read_certificate
from pages.parts import trust
from tests.pages import checks, small
from tests.pages.small import open_page, said

RUN = "phantom_busi-unet-0"


@pytest.fixture
def phantoms(artifacts: Path) -> Path:
    """Artifacts with the phantoms, their runs and their scores; a copy that the test may add to."""
    import streamlit as st

    st.cache_resource.clear()
    return shutil.copytree(small.phantoms_only(), artifacts)


def test_runs_without_a_certificate_are_named_with_one_command(phantoms):
    checks.write_certificate(RUN)
    text = said(open_page("scoreboard"))
    assert "Not checked yet: " in text
    (command,) = (line for line in text.splitlines() if line.startswith("python -m core certify"))
    assert sorted(command.split()[4:]) == ["phantom_busi-dcunet-0", "phantom_busi-multiresunet-0"]


@pytest.mark.parametrize(
    ("drawn", "words"),
    [(0.1, "it depends on what was learnt"), (0.9, "it depends too little on what was learnt")],
)
def test_the_sentences_say_what_the_checks_gave(phantoms, drawn, words):
    checks.write_certificate(RUN, drawn)
    page = open_page("scoreboard")
    text = said(page)
    assert not page.exception
    assert words in text
    assert "Stability: under small changes of the image (noise)" in text
    assert "Deletion: 0.30" in text
    assert "better than edges" in text
    assert "Few groups: 8" in text


def test_another_method_is_shown_without_what_was_not_measured_for_it(phantoms):
    checks.write_certificate(RUN)
    page = open_page("scoreboard")
    page.session_state["sel"] = type(page.session_state["sel"])(options={"trust_method": "hirescam"})
    text = said(page.run())
    assert "Measured for Grad-CAM alone" in text


def test_the_control_layer_says_why_nothing_was_removed(phantoms):
    checks.write_certificate(RUN)
    page = open_page("scoreboard")
    page.session_state["sel"] = type(page.session_state["sel"])(options={"trust_layer": "decoder_1"})
    text = said(page.run())
    assert "Not measured in the control layer" in text


def test_a_damaged_certificate_is_a_message_and_the_scores_stay(phantoms):
    checks.write_certificate(RUN).write_text("{")
    page = open_page("scoreboard")
    text = said(page)
    assert not page.exception
    assert "is damaged or outdated" in text
    assert f"python -m core certify {RUN}" in text
    assert "per case and pooled" in text


def test_every_mean_is_in_the_table_of_all_numbers(phantoms):
    checks.write_certificate(RUN)
    found = read_certificate(RUN)
    table = trust.table([("unet", "U-Net", found)])
    assert len(table) == len(found.summary)
    edges = table[
        (table["Number"] == "deletion") & (table["Minus"] == "edges") & (table["Layer"] == "bottleneck")
    ]
    assert list(edges["U-Net"]) == ["-0.20 [-0.20, -0.20], n = 8"]
