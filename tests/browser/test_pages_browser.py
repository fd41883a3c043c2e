"""The pages in a real browser: what a visitor sees first, on a deep link, and where a link leads."""

from __future__ import annotations

import io
import re
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from pages.parts.words import FLAGS, FLAGS_LINK
from tests.pages import small

NOTICE = "Research and teaching use only. Not a medical device. Not for diagnosis or treatment."
PICTURES = ".viewer canvas[role=img]"
MENU = ("Review", "Heatmaps", "Scoreboard", "About")


@pytest.fixture
def visit(serve, open_page):
    """A function that opens a page of the app; another ``server`` is one that nobody has visited yet."""

    def opened(path: str = "", server: str = "shared", **options):
        address = serve(
            small.ROOT / "app.py", TRIPTYCH_ARTIFACTS=str(small.phantoms_and_real()), TRIPTYCH_TEST=server
        )
        page = open_page(f"{address}/{path}", **options)
        page.wait_for_selector("h1")
        return page

    return opened


def wait_for_pictures(page) -> None:
    page.wait_for_selector(PICTURES)
    page.wait_for_timeout(800)  # one drawing after the last size change


def pixels(page, index: int) -> np.ndarray:
    address = page.locator(PICTURES).nth(index).evaluate("canvas => canvas.toDataURL()")
    return np.array(Image.open(io.BytesIO(b64decode(address.partition(",")[2]))).convert("L"))


def test_the_first_screen_is_a_comparison_without_scrolling_errors_or_other_hosts(visit):
    page = visit(width=1440, height=900)
    wait_for_pictures(page)
    assert page.locator(PICTURES).count() == 4
    for index in range(4):
        assert pixels(page, index).std() > 10
        box = page.locator(PICTURES).nth(index).bounding_box()
        assert box["y"] + box["height"] <= 900
    assert page.seen.errors == []
    assert page.seen.foreign == []


@pytest.mark.parametrize("name", ["review", "heatmaps", "scoreboard", "about"])
def test_a_deep_link_to_a_server_just_started_shows_notice_and_menu(visit, name):
    page = visit(f"{name}?ds=busi", server=f"only {name}")
    page.get_by_text(NOTICE).first.wait_for(state="visible")
    for label in MENU:
        page.locator("[data-testid=stSidebar]").get_by_role("link", name=label).wait_for(state="visible")
    assert page.get_by_text("Traceback").count() == 0
    assert page.seen.foreign == []


def test_the_state_of_a_heatmap_appears_as_words(visit):
    page = visit("heatmaps?ds=busi&layer=decoder_1")
    wait_for_pictures(page)
    assert page.locator(".viewer").get_by_text("repeats the prediction").count() >= 3
    page = visit("heatmaps?ds=busi&region=whole_image")
    wait_for_pictures(page)
    page.get_by_role("button", name="Compute").wait_for(state="visible")
    assert page.locator(".viewer").get_by_text("Not computed for this case.").count() == 3


def test_a_worst_case_on_the_scoreboard_opens_in_review(visit):
    page = visit("scoreboard?ds=busi")
    page.get_by_role("tab", name="Worst cases").click()
    picture = page.locator("[data-testid=stImage] a").first
    picture.wait_for(state="visible")
    link = page.get_by_role("tabpanel", name="Worst cases").locator("[data-testid=stPageLink] a").first
    case = link.inner_text().split()[-1]
    with page.context.expect_page() as opened:  # the picture leads to the same case, in a tab of its own
        picture.click()
    assert f"case={case}" in opened.value.url
    opened.value.wait_for_selector(PICTURES, timeout=60_000)
    opened.value.close()
    link.click()
    wait_for_pictures(page)
    page.get_by_role("heading", name="Review").wait_for(state="visible")
    assert f"case={case}" in page.url


def test_a_click_on_a_point_of_the_scatter_opens_its_case_and_back_stays_on_the_scoreboard(visit):
    page = visit("scoreboard?ds=busi")
    page.get_by_role("tab", name="Case against case").click()
    panel = page.get_by_role("tabpanel", name="Case against case")
    point = panel.locator(".scatterlayer .trace .points path").first
    point.wait_for(state="visible")
    page.wait_for_timeout(1000)  # the chart has settled
    box = point.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    said = panel.locator(".hoverlayer .hovertext").first
    said.wait_for(state="visible")
    case = said.text_content().split(" against ")[0]
    page.mouse.click(*middle)
    wait_for_pictures(page)
    page.get_by_role("heading", name="Review").wait_for(state="visible")
    asked = re.search(r"case=([a-z]+-\d+)", page.url)
    assert asked is not None
    assert case.startswith(asked[1])
    for back in (page.go_back, page.get_by_role("link", name="Scoreboard").click):
        back()
        page.get_by_role("heading", name="Scoreboard").wait_for(state="visible")
        page.wait_for_timeout(2000)  # an old click that still counted would lead away again
        assert page.get_by_role("heading", name="Scoreboard").is_visible()
    # On a deep link Streamlit looks for its server below the page's own address first: a 404 each time.
    assert [error for error in page.seen.errors if "404" not in error] == []


def test_next_and_the_browsers_back_change_the_case(visit):
    page = visit("?ds=busi")
    wait_for_pictures(page)
    chosen = page.locator("[data-testid=stSidebar] [data-testid=stSelectbox]").filter(has_text="Case 1 of")
    assert chosen.count() == 1
    page.get_by_role("button", name="Next").click()
    page.wait_for_url("**case=**")
    page.get_by_text("Case 2 of").wait_for()
    page.go_back()
    page.wait_for_timeout(1500)
    assert "case=" not in page.url


def test_no_page_is_wider_than_a_small_window(visit):
    for name in ("", "heatmaps", "scoreboard", "about"):
        page = visit(name, width=1024, height=768)
        page.wait_for_timeout(1500)
        main = page.locator("[data-testid=stMain]")
        assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 1


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_the_link_of_a_flag_ends_at_its_explanation(visit, width, height):
    page = visit(FLAGS_LINK, width=width, height=height)
    page.get_by_text("Licences", exact=True).wait_for()  # the last tables are there
    explained = page.get_by_role("cell", name=next(iter(FLAGS.values()))[1])
    explained.wait_for(state="visible")
    page.wait_for_timeout(1500)
    box = explained.bounding_box()
    assert 0 <= box["y"] < height - box["height"]
