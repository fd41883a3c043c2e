"""Every page, and the viewer in each of its states, under axe-core (WCAG 2.2 A and AA and good practice)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pages.parts.lessons_all import LESSONS
from tests.browser.test_viewer_browser import PICTURES, focus, press
from tests.pages import small

APP = Path(__file__).with_name("viewer_app.py")
PAGES = re.findall(r'st\.Page\(\s*"pages/(\w+)\.py"', (small.ROOT / "app.py").read_text("utf-8"))
THEMED = "theme => getComputedStyle(document.querySelector('.stApp')).colorScheme === theme"


@pytest.fixture
def faults(violations):
    """A function from a page to what is serious or critical on it in light or in dark."""

    def found(page) -> list[str]:
        all_of_them = []
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function(THEMED, arg=theme)
            all_of_them += [f"{theme}: {one}" for one in violations(page)]
        return all_of_them

    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_serious_violation(serve, open_page, faults, name):
    address = serve(small.ROOT / "app.py", TRIPTYCH_ARTIFACTS=str(small.phantoms_and_real()))
    page = open_page(f"{address}/{name}?ds=busi")
    page.wait_for_selector("h1")
    page.wait_for_timeout(3000)
    assert faults(page) == []


OPENED = {
    "verdict": lambda page: page.get_by_role("button", name="Verdict").click(),
    "export": lambda page: page.get_by_role("button", name="Export").click(),
    "filter": lambda page: page.get_by_role("button", name="Filter").click(),
    "heatmap row": lambda page: page.get_by_text("Heatmap row").click(),
}


@pytest.mark.parametrize("name", OPENED)
def test_what_opens_on_review_has_no_serious_violation(serve, open_page, faults, name):
    address = serve(small.ROOT / "app.py", TRIPTYCH_ARTIFACTS=str(small.phantoms_and_real()))
    page = open_page(f"{address}/?ds=busi")
    page.wait_for_selector(PICTURES)
    page.wait_for_timeout(1500)
    OPENED[name](page)
    page.wait_for_timeout(1500)
    assert faults(page) == []


@pytest.mark.parametrize("lesson", [lesson.name for lesson in LESSONS])
def test_a_lesson_has_no_serious_violation(serve, open_page, faults, lesson):
    address = serve(small.ROOT / "app.py", TRIPTYCH_ARTIFACTS=str(small.phantoms_and_real()))
    page = open_page(f"{address}/teach?ds=busi&lesson={lesson}")
    page.get_by_text("step 1 of").wait_for()
    page.wait_for_timeout(2000)
    assert faults(page) == []


@pytest.mark.parametrize("kind", ["row", "ct", "heat", "words", "damaged"])
def test_the_viewer_has_no_serious_violation_in_any_state(serve, open_page, faults, kind):
    page = open_page(f"{serve(APP)}/?kind={kind}")
    page.wait_for_selector(".viewer .status" if kind == "damaged" else PICTURES)
    page.wait_for_timeout(1000)
    if kind != "damaged":
        focus(page)
        press(page, "?", "Shift+ArrowLeft")  # the list of keys is open, and values are read
    assert faults(page) == []


def test_a_fault_inside_the_viewer_would_be_found(serve, open_page, violations):
    page = open_page(f"{serve(APP)}/?kind=review")
    page.wait_for_selector(PICTURES)
    page.locator(".viewer .enlarge").first.evaluate(
        "button => { button.removeAttribute('aria-label'); button.removeAttribute('title'); }"
    )
    assert [one for one in violations(page) if one.startswith("button-name")]
