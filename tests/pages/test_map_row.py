"""The row of heatmaps on Review: off until it is asked for, then what is stored, under the outlines."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pages import small
from tests.pages.small import MODELS, answer_for_the_networks, open_page, panels, said

TITLES = ["Image + reference", "U-Net", "MultiResUNet", "DC-UNet"]


@pytest.fixture
def both(artifacts: Path) -> Path:
    return shutil.copytree(small.phantoms_and_real(), artifacts)


def test_it_is_off_until_it_is_asked_for_and_then_in_the_address(both):
    page = open_page("review")
    assert [panel["title"] for panel in panels(page)] == TITLES
    assert not any(panel["heat"] for panel in panels(page))
    page.toggle(key="w_maps").set_value(True).run()
    assert [panel["title"] for panel in panels(page)] == [*TITLES, *TITLES]
    assert page.query_params["maps"] in ("on", ["on"])
    page.toggle(key="w_maps").set_value(False).run()
    assert len(panels(page)) == len(TITLES)
    assert "maps" not in page.query_params


def test_the_lower_row_is_held_to_its_maps_and_the_upper_one_is_drawn_as_chosen(both):
    shown = panels(open_page("review", maps="on"))
    assert [panel["mode"] for panel in shown] == [""] * 5 + ["heatmap"] * 3
    for above, below in zip(shown[1:4], shown[5:], strict=True):
        assert above["heat"] == below["heat"]
        assert above["labels"] == below["labels"] >= 0
    assert len({panel["heat"]["limit"] for panel in shown[5:]}) == 1
    assert all("one scale for all networks" in panel["heat"]["label"] for panel in shown[5:])


def test_what_is_not_stored_is_said_and_computed_on_request(both, monkeypatch):
    shutil.rmtree(both / "cache" / "heatmaps")
    answer_for_the_networks(monkeypatch)
    page = open_page("review", maps="on")
    assert [panel["message"] for panel in panels(page)[5:]] == ["Not computed for this case."] * len(MODELS)
    assert [panel["labels"] >= 0 for panel in panels(page)[1:4]] == [True] * len(MODELS)
    next(button for button in page.button if button.label.startswith("Compute")).click().run()
    assert not page.exception
    assert all(panel["heat"]["drawn"] for panel in panels(page)[5:])


def test_the_row_comes_with_its_caution(both):
    caution = "A heatmap says what raised a score, not what is true"
    assert caution not in said(open_page("review"))
    assert caution in said(open_page("review", maps="on"))


def test_a_value_that_is_not_known_leaves_it_off(both):
    assert len(panels(open_page("review", maps="off"))) == len(TITLES)
