"""The heatmaps page in a real browser: a click asks about its pixel, and every state without a map is words."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from core import Target, list_slices, read_slice, stored_prediction
from core.explaining import heatmap
from tests.pages import small

PICTURES = ".viewer canvas[role=img]"
STATES = {  # region asked about -> what the gradients of the stand-in are multiplied by
    "boundary": -1.0,  # nothing positive is left
    "whole_image": 0.0,  # all-zero gradients although there is a region
}


@cache
def prepared() -> tuple[Path, str, str]:
    """Artifacts with a case whose maps are in every state, that case, and one without a lesion."""
    folder = small._folder() / "states"
    shutil.copytree(small.phantoms_only(), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
        engine = small.answer_for_the_networks(patch)
        usual = engine.evidence
        entries = {e.case: e for e in list_slices("phantom_busi") if e.parts.get("busi-group") == "test"}
        drawn, normal = (
            {name.partition("-")[0]: name for name in entries}[kind] for kind in ("benign", "normal")
        )
        one = read_slice("phantom_busi", drawn, entries[drawn].index)
        for region, factor in STATES.items():

            def evidence(*asked, factor=factor):
                found = usual(*asked)
                return [
                    [
                        {k: replace(e, gradients=factor * e.gradients) for k, e in by_layer.items()}
                        for by_layer in each
                    ]
                    for each in found
                ]

            patch.setattr(engine, "evidence", evidence)
            for model in small.MODELS:
                run = f"phantom_busi-{model}-0"
                heatmap(run, one, stored_prediction(run, one), "gradcam", "bottleneck", target(region))
    return folder, drawn, normal


def target(region: str) -> Target:
    return Target(region=region, kind="probability" if region == "whole_image" else "log_odds")


@pytest.fixture
def visit(serve, open_page):
    """A function that opens the page at an address and waits for its pictures."""

    def opened(query: str):
        address = serve(small.ROOT / "app.py", TRIPTYCH_ARTIFACTS=str(prepared()[0]))
        page = open_page(f"{address}/heatmaps?ds=phantom_busi&{query}")
        page.wait_for_selector(PICTURES)
        page.wait_for_timeout(1200)
        return page

    return opened


def shown(page) -> list[str]:
    """The words on the panels of the networks."""
    return [text for text in page.locator(".viewer .reason").all_inner_texts()[1:] if text]


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ("boundary", "No positive evidence: nothing in this layer raises the score."),
        ("whole_image", "Saturated: the probability is at its limit; ask in log-odds."),
    ],
)
def test_a_map_of_zeros_or_without_positive_evidence_is_words(visit, region, words):
    page = visit(f"case={prepared()[1]}&region={region}")
    assert shown(page) == [words] * 3
    assert page.get_by_role("button", name="Show evidence for and against").count() == (region == "boundary")
    assert page.get_by_role("button", name="Ask in log-odds").count() == (region == "whole_image")


def test_a_map_of_an_empty_region_is_words(visit):
    page = visit(f"case={prepared()[2]}")
    titles = ("U-Net", "MultiResUNet", "DC-UNet")
    assert shown(page) == [f"Nothing to explain: {name} predicts no tumour here." for name in titles]
    page.get_by_role("button", name="Explain the likeliest 1 % of the pixels").wait_for(state="visible")


def test_a_redundant_map_is_drawn_with_its_badge(visit):
    page = visit(f"case={prepared()[1]}&layer=decoder_1")
    badges = page.locator(".viewer .badge").filter(has_text="repeats the prediction")
    assert [badge.is_visible() for badge in badges.all()] == [False, True, True, True]
    assert shown(page) == []


def test_a_row_of_maps_on_one_scale_has_one_bar_under_its_reference(visit):
    page = visit(f"case={prepared()[1]}&layer=bottleneck&layer=decoder_2")
    bars = page.locator(".viewer .panel .own-bar")
    assert [bars.nth(at).locator(".colourbar").count() for at in range(8)] == [1, 0, 0, 0, 1, 0, 0, 0]
    page = visit(f"case={prepared()[1]}&scale=own")
    bars = page.locator(".viewer .panel .own-bar")
    assert [bars.nth(at).locator(".colourbar").count() for at in range(4)] == [0, 1, 1, 1]


def click(page, across: float, down: float) -> tuple[int, int]:
    """Click a place of the second panel; row and column of the networks' grid that lie there."""
    canvas = page.locator(PICTURES).nth(1)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
    found = re.search(r"x (\d+), y (\d+)", page.locator(".viewer .common").inner_text())
    height, width = read_slice("phantom_busi", prepared()[1], 0).picture.shape
    return int((int(found[2]) + 0.5) / height * 128), int((int(found[1]) + 0.5) / width * 128)


def test_a_click_asks_why_the_networks_say_this_at_that_pixel(visit, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(prepared()[0]))
    page = visit(f"case={prepared()[1]}&region=pixel")
    page.get_by_text("Click a place in the picture").first.wait_for()
    row, column = click(page, 0.4, 0.3)
    page.wait_for_url(re.compile(rf"at={row}%2C{column}(&|$)"))
    page.get_by_role("button", name="Compute (").wait_for(state="visible")
    small.answer_for_the_networks(monkeypatch)
    one = read_slice("phantom_busi", prepared()[1], 0)
    for model in small.MODELS:
        run = f"phantom_busi-{model}-0"
        prediction = stored_prediction(run, one)
        name = "tumour" if prediction.probability[row, column, 0] > 0.5 else "background"
        asked = Target(name, "pixel", row=row, column=column)
        heatmap(run, one, prediction, "gradcam", "bottleneck", asked)
    page.reload()
    page.wait_for_selector(PICTURES)
    page.get_by_text(f"just here, at row {row}, column {column}?").first.wait_for()
    assert "just here" in page.locator("[data-testid=stMain]").inner_text()


def test_from_any_question_the_marked_pixel_can_be_asked_about_with_a_key(visit, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(prepared()[0]))
    page = visit(f"case={prepared()[1]}")
    row, column = click(page, 0.6, 0.7)
    page.wait_for_timeout(800)
    assert "at=" not in page.url  # here a click only marks
    page.keyboard.press("w")
    page.wait_for_url(re.compile(rf"region=pixel&at={row}%2C{column}(&|$)"))
    page.go_back()
    page.wait_for_url(lambda url: "region=pixel" not in url)
    page.locator(".viewer .subtitle", has_text="tumour · Bottleneck").nth(3).wait_for()
