"""Lessons in a real browser: what is computed there agrees with core, and dragging asks no server."""

from __future__ import annotations

import os
import re
from unittest import mock

import numpy as np
import pytest

from core import THRESHOLDS, list_slices, read_slice, stored_prediction, threshold_curve, threshold_levels
from core.explain.methods import METHODS
from core.records import Evidence
from pages.parts import lessons_find, lessons_pictures
from tests.pages import small

RUN = "phantom_busi-unet-0"


@pytest.fixture
def visit(serve, open_page):
    """A function that opens a step of a lesson on the phantoms."""

    def opened(path: str, **options):
        folder = small.phantoms_and_real()
        address = serve(small.ROOT / "app.py", TRIPTYCH_ARTIFACTS=str(folder), TRIPTYCH_TEST="shared")
        page = open_page(f"{address}/teach?ds=phantom_busi&{path}", **options)
        page.wait_for_selector("h3")
        return page

    return opened


def choose(page, option: int) -> None:
    page.locator(f".st-key-b_answer_{option} button").click()
    page.get_by_text("Decide first").wait_for(state="detached")


def errors(page) -> list[str]:
    """What went wrong in the page; Streamlit itself asks once in vain for two files below a deep link."""
    return [text for text in page.seen.errors if "404 (Not Found)" not in text]


def shown(page, title: str) -> np.ndarray:
    """The numbers of one of the toy's tables, (4, 4)."""
    figure = page.locator(".toy figure").filter(has_text=re.compile(f"^{title}"))
    texts = figure.locator(".grid span").all_inner_texts()
    return np.array([float(text.replace("−", "-")) for text in texts]).reshape(4, 4)


def test_grad_cam_by_hand_agrees_with_the_formula_after_a_change(visit):
    page = visit("lesson=gradcam&step=2")
    choose(page, 0)
    page.locator(".toy canvas").wait_for()
    sent = len(page.seen.sent)
    page.get_by_label("Gradient 3, row 2, column 3").fill("7")
    activations, gradients = (
        np.moveaxis(np.array(lessons_pictures.TOY[name], float), 0, -1)
        for name in ("activations", "gradients")
    )
    gradients[1, 2, 2] = 7
    expected = METHODS["gradcam"].formula(Evidence(activations, gradients, 0.0))
    assert shown(page, "Sum") == pytest.approx(expected, abs=0.0051)
    positive = np.maximum(expected, 0)
    assert shown(page, "ReLU") == pytest.approx(positive, abs=0.0051)
    assert shown(page, "Scaled") == pytest.approx(positive / positive.max(), abs=0.0051)
    page.get_by_role("button", name="Back to the first numbers").click()
    assert page.get_by_label("Gradient 3, row 2, column 3").input_value() == "-0.9"
    assert len(page.seen.sent) == sent
    assert errors(page) == []
    assert page.seen.foreign == []


def a_case() -> tuple[str, list[float]]:
    """A test case with a lesion, and the first network's Dice at each threshold."""
    with mock.patch.dict(os.environ, TRIPTYCH_ARTIFACTS=str(small.phantoms_and_real())):
        entry = next(
            e for e in list_slices("phantom_busi") if e.parts["busi-group"] == "test" and e.reference_pixels
        )
        one = read_slice("phantom_busi", entry.case)
        levels = threshold_levels(one, stored_prediction(RUN, one), "tumour")
        return entry.case, threshold_curve(levels, one.reference == 1).values("dice")


def test_dragging_the_threshold_computes_here_and_sends_nothing(visit):
    case, dice = a_case()
    page = visit(f"case={case}&lesson=threshold&step=1")
    page.locator(".threshold input").wait_for()
    assert page.locator(".threshold input").is_disabled()
    assert page.locator(".threshold svg").count() == 0
    choose(page, 1)
    page.locator(".threshold svg").wait_for()
    page.wait_for_timeout(1000)
    sent = len(page.seen.sent)
    slider = page.locator(".threshold input")
    for threshold in (0.5, 0.05, 0.3, 0.77, 0.95):
        at = THRESHOLDS.index(threshold)
        slider.evaluate(
            "(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input')); }", at
        )
        told = page.locator(".threshold .said").inner_text()
        assert told == f"threshold {threshold:.2f}: Dice {dice[at]:.3f}"
    box = page.locator(".threshold svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 40, steps=8)
    page.mouse.up()
    at = int(slider.input_value())
    assert 40 < at < 70
    assert (
        page.locator(".threshold .said").inner_text()
        == f"threshold {THRESHOLDS[at]:.2f}: Dice {dice[at]:.3f}"
    )
    assert len(page.seen.sent) == sent
    assert errors(page) == []


def first_case(page) -> tuple[np.ndarray, str]:
    """The reference of the case on screen, and its name."""
    case = page.locator(".mark-it img").get_attribute("alt").rpartition(" · ")[2]
    with mock.patch.dict(os.environ, TRIPTYCH_ARTIFACTS=str(small.phantoms_and_real())):
        return read_slice("phantom_busi", case).reference > 0, case


def test_a_click_on_the_lesion_finds_it_and_a_click_beside_it_misses(visit):
    page = visit("lesson=find&step=1")
    for step in range(1, lessons_find.CASES + 1):
        page.locator(".mark-it img").wait_for()
        inside, _ = first_case(page)
        if inside.any():
            break
        page.get_by_role("button", name="Next", exact=True).last.click()
        page.wait_for_url(f"**step={step + 1}**")
    page.wait_for_timeout(500)
    rows, columns = np.nonzero(inside)
    box = page.locator(".mark-it img").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(inside.shape[1] / inside.shape[0], rel=0.02)
    assert page.get_by_role("button", name="This is it").is_disabled()
    at = (columns.mean() + 0.5) / inside.shape[1], (rows.mean() + 0.5) / inside.shape[0]
    page.mouse.click(box["x"] + at[0] * box["width"], box["y"] + at[1] * box["height"])
    page.get_by_text(f"Marked: column {int(columns.mean())}").or_(
        page.get_by_text("Marked: column")
    ).wait_for()
    page.get_by_role("button", name="This is it").click()
    page.get_by_text("Your mark is inside the expert's outline").wait_for()
    page.locator(".viewer canvas[role=img]").first.wait_for()
    assert page.locator(".viewer canvas[role=img]").count() == 4
    assert errors(page) == []


def test_the_keyboard_moves_the_mark(visit):
    page = visit("lesson=find&step=2")
    picture = page.locator(".mark-it .picture")
    picture.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.get_by_text("Marked: column").wait_for()
    inside, _ = first_case(page)
    height, width = inside.shape
    told = page.get_by_text("Marked: column").inner_text()
    column, row = map(int, re.findall(r"\d+", told))
    assert column == pytest.approx(0.6 * width, abs=2)
    assert row == pytest.approx(0.5 * height, abs=2)


def test_the_browsers_back_walks_through_the_steps(visit):
    page = visit("lesson=gradcam&step=1")
    page.get_by_role("button", name="Next", exact=True).last.click()
    page.get_by_text("Add up, and keep what is positive").wait_for()
    assert "step=2" in page.url
    page.go_back()
    page.get_by_text("One weight for each feature").wait_for()
    page.go_forward()
    page.get_by_text("Add up, and keep what is positive").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["lesson=gradcam&step=2", "lesson=find&step=1", "lesson=threshold&step=1"])
def test_no_lesson_is_wider_than_a_small_window(visit, path, theme):
    page = visit(path, width=1024, height=768, theme=theme)
    page.locator(".toy, .mark-it img, .threshold canvas").first.wait_for()
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 1
