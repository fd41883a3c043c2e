"""A case in an open blinded study: no other page shows it."""

from __future__ import annotations

import shutil

import pytest

import core
from pages.parts import thumbnails  # imported before the function that it took from core is replaced
from tests.pages import small
from tests.pages.small import open_page, said


@pytest.fixture
def case(artifacts, monkeypatch):
    """A scored case that counts as being in an open study."""
    shutil.copytree(small.phantoms_only(), artifacts)
    rows = [row for row in core.read_results("phantom_busi").scores if row["case"].startswith("malignant")]
    case = str(rows[0]["case"])
    for module in (core, thumbnails):
        monkeypatch.setattr(module, "studied_cases", lambda dataset: {case: "Readers of spring"})
    return case


@pytest.mark.parametrize("name", ["review", "heatmaps"])
def test_a_page_about_one_case_says_so_and_shows_nothing_else(name, case):
    page = open_page(name, ds="phantom_busi", case=case)
    assert not page.exception
    assert "This case is in an open study." in said(page)
    assert not page.get("bidi_component")
    assert "Dice" not in said(page)


def test_the_scoreboard_names_it_in_no_list(case):
    text = said(open_page("scoreboard", ds="phantom_busi"))
    assert "Cases in an open study are in the means" in text
    assert case not in text
