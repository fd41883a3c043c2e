"""Every page, and the viewer in each of its states, under axe-core (WCAG 2.2 A and AA and good practice)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.test_viewer_browser import PICTURES, focus, press
from tests.pages import small

APP = Path(__file__).with_name("viewer_app.py")
PAGES = re.findall(r'st\.Page\(\s*"pages/(\w+)\.py"', (small.ROOT / "app.py").read_text("utf-8"))
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = "tags => axe.run(document, { runOnly: tags, resultTypes: ['violations'] })"
# What waits for the server is dimmed, and then without contrast.
AT_REST = "() => !document.querySelector('[data-stale=true], [data-test-script-state=running]')"

both_themes = pytest.mark.parametrize("theme", ["light", "dark"])


@pytest.fixture(scope="session")
def violations():
    """A function from a page to what is serious or critical on it, as "rule (impact): where: element".

    The whole document is looked at, Streamlit's own parts and the viewer's shadow root included.
    """
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe-playwright-python is not installed")

    def found(page) -> list[str]:
        page.wait_for_timeout(1000)
        page.wait_for_function(AT_REST)
        page.evaluate(axe.AXE_SCRIPT)
        return [
            f"{rule['id']} ({rule['impact']}): {node['target']}: {node['html'][:160]}"
            for rule in page.evaluate(RUN, RULES)["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    return found


@both_themes
@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_serious_violation(serve, open_page, violations, name, theme):
    address = serve(small.ROOT / "app.py", TRIPTYCH_ARTIFACTS=str(small.phantoms_and_real()))
    page = open_page(f"{address}/{name}?ds=busi", theme=theme)
    page.wait_for_selector("h1")
    page.wait_for_timeout(3000)
    assert violations(page) == []


@both_themes
@pytest.mark.parametrize("kind", ["ct", "heat", "words", "damaged"])
def test_the_viewer_has_no_serious_violation_in_any_state(serve, open_page, violations, kind, theme):
    page = open_page(f"{serve(APP)}/?kind={kind}", theme=theme)
    page.wait_for_selector(".viewer .status" if kind == "damaged" else PICTURES)
    page.wait_for_timeout(1000)
    if kind != "damaged":
        focus(page)
        press(page, "?", "Shift+ArrowLeft")  # the list of keys is open, and values are read
    assert violations(page) == []


def test_a_fault_inside_the_viewer_would_be_found(serve, open_page, violations):
    page = open_page(f"{serve(APP)}/?kind=review")
    page.wait_for_selector(PICTURES)
    page.locator(".viewer .enlarge").first.evaluate(
        "button => { button.removeAttribute('aria-label'); button.removeAttribute('title'); }"
    )
    assert [one for one in violations(page) if one.startswith("button-name")]
