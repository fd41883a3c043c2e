"""The viewer in a real browser: votes, greys, scale bar, texts, touch, large text, and what a link opens."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.browser.test_viewer_browser import PICTURES, focus, pixels, press, tool, zoom

APP = Path(__file__).with_name("viewer_app.py")
WRITTEN = """() => {
  globalThis.written = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    globalThis.written.push(text);
    return write.call(this, text, x, y);
  };
}"""


@pytest.fixture
def view(serve, open_page):
    """A function that opens the viewer and waits for its first picture."""

    def opened(query: str = "", **options):
        page = open_page(f"{serve(APP)}/?{query}", **options)
        page.wait_for_selector(PICTURES)
        page.wait_for_timeout(800)
        return page

    return opened


def green(picture: np.ndarray) -> np.ndarray:
    """Where a picture (H, W, 3) is greener than it is red: grey speckle never is."""
    return picture[..., 1].astype(int) - picture[..., 0] > 25


def test_votes_colour_where_one_two_and_all_networks_agree_and_leave_the_reference_panel_alone(view):
    page = view()
    focus(page)
    before = pixels(page, 0)
    press(page, "v")
    assert tool(page, "Votes").get_attribute("aria-pressed") == "true"
    legend = page.locator(".viewer .legend").inner_text()
    assert [one for one in ("1 of 3", "2 of 3", "3 of 3") if one not in legend] == []
    np.testing.assert_array_equal(pixels(page, 0), before)
    found = [green(pixels(page, index)) for index in (1, 2, 3)]
    assert min(one.mean() for one in found) > 0.02
    apart = (found[0] != found[2]).mean()  # only where the panels' own outlines lie
    assert apart < 0.3 * found[0].mean()


def test_votes_are_not_offered_for_a_single_outline(view):
    page = view("kind=words")
    focus(page)
    press(page, "v")
    assert tool(page, "Outline").get_attribute("aria-pressed") == "true"
    assert not tool(page, "Votes").is_visible()


def test_votes_of_a_volume_are_about_the_class_asked_for(view):
    page = view("kind=ct")
    focus(page)
    press(page, "v")
    assert "3 of 3 (tumour)" in page.locator(".viewer .legend").inner_text()
    tumour = green(pixels(page, 1)).sum()
    press(page, "m")
    assert "3 of 3 (liver)" in page.locator(".viewer .legend").inner_text()
    assert green(pixels(page, 1)).sum() > 3 * max(1, tumour)


def test_keys_one_to_three_bend_the_greys_of_a_picture_and_zero_resets(view):
    page = view()
    focus(page)
    light = {key: press(page, key) or pixels(page, 0).mean() for key in ("2", "3", "1")}
    assert light["2"] > light["1"] + 5 > light["3"] + 10
    press(page, "3", "0")
    assert pixels(page, 0).mean() == pytest.approx(light["1"])


def test_a_link_to_a_picture_opens_mode_and_greys_and_names_only_what_was_changed(view):
    page = view()
    focus(page)
    press(page, "f", "2")
    page.wait_for_url("**view=fill**")
    assert "win=2" in page.url
    press(page, "o", "1")
    page.wait_for_url(lambda url: "view=" not in url and "win=" not in url)
    page = view("view=votes&win=3")
    assert tool(page, "Votes").get_attribute("aria-pressed") == "true"
    assert page.locator(".viewer select").input_value() == "2"


def test_a_link_opens_place_zoom_opacity_crosshair_and_what_is_switched_on_or_off(view):
    page = view()
    at_first = page.url
    focus(page)
    press(page, "f", "[", "[", "y", "i", "u", "+", "+", "+", "Shift+ArrowLeft")
    page.locator(PICTURES).nth(1).hover()
    page.mouse.down()
    page.mouse.move(500, 420, steps=4)
    page.mouse.up()
    page.wait_for_timeout(900)
    other = view(page.url.partition("?")[2])
    assert zoom(other) == zoom(page) != "1.0×"
    for name in ("Fill", "Reference", "Pixels"):
        assert tool(other, name).get_attribute("aria-pressed") == tool(page, name).get_attribute(
            "aria-pressed"
        )
    for index in range(4):
        apart = np.abs(pixels(other, index).astype(int) - pixels(page, index)).max(axis=-1)
        assert (apart > 20).mean() < 0.005  # the address rounds: an edge may fall on the next screen pixel
    focus(other)
    press(other, "]", "]", "y", "i", "u", "0", "o")
    other.wait_for_url(lambda url: url.rstrip("?") == at_first.rstrip("?"))


def test_a_link_opens_one_panel_large(serve, open_page):
    page = open_page(f"{serve(APP)}/?large=2")
    page.locator(PICTURES).nth(2).wait_for()
    page.wait_for_timeout(800)
    assert page.locator(PICTURES).nth(2).is_visible()
    assert not page.locator(PICTURES).nth(1).is_visible()


@pytest.mark.parametrize(
    "query",
    ["z=99_7_7&op=900&x=9999_9999&large=77&keys=qq", "z=a_b_c&op=-1&x=1&large=&keys=%00", "z=NaN_0_0"],
)
def test_nonsense_about_the_place_opens_the_picture_all_the_same(view, query):
    page = view(query)
    assert page.locator(PICTURES).count() == 4
    assert pixels(page, 1).std() > 10
    assert page.seen.errors == []


def test_a_row_held_to_heatmaps_stays_while_the_row_above_is_drawn_as_chosen(view):
    page = view("kind=row", width=1440)
    tops = [page.locator(PICTURES).nth(index).bounding_box()["y"] for index in range(8)]
    assert len(set(tops[:4])) == len(set(tops[4:])) == 1
    assert tops[4] > tops[0]
    outlined, heated = pixels(page, 1), pixels(page, 5)
    assert (np.abs(outlined.astype(int) - heated).max(axis=-1) > 20).mean() > 0.05
    legend = page.locator(".viewer .legend")
    assert "full colour" in legend.inner_text()
    assert "one scale for all networks" in legend.inner_text()
    focus(page)
    press(page, "e")
    assert "Missed" in legend.inner_text()
    assert not np.array_equal(pixels(page, 1), outlined)
    assert np.array_equal(pixels(page, 5), heated)
    press(page, "g")
    assert np.array_equal(pixels(page, 1)[40:-40, 40:-40], pixels(page, 5)[40:-40, 40:-40])


def test_the_scale_bar_is_as_long_as_it_says_and_follows_the_zoom(view):
    page = view("kind=ct")
    page.evaluate(WRITTEN)
    focus(page)
    press(page, "x", "ArrowDown")
    (text,) = {one for one in page.evaluate("written") if one.endswith(" mm") and "." not in one}
    box = page.locator(PICTURES).nth(1).bounding_box()
    line = pixels(page, 1)[-8, :, 0].astype(int)
    length = (line[len(line) // 2 + 20 :] > 150).sum()  # right of the letter P
    scale = box["width"] / 128  # screen pixels per pixel, which is 3.5 mm wide
    assert length == pytest.approx(int(text.split()[0]) / 3.5 * scale, abs=3)
    page.evaluate("written.length = 0")
    press(page, "+", "+", "+", "+")
    closer = [one for one in page.evaluate("written") if one.endswith(" mm") and "." not in one]
    assert int(closer[-1].split()[0]) < int(text.split()[0])


def test_a_picture_without_a_scale_has_a_bar_in_pixels(view):
    page = view()
    page.evaluate(WRITTEN)
    focus(page)
    press(page, "+")
    assert {one for one in page.evaluate("written") if one.endswith(" px")}


def test_a_placeholder_geometry_marks_the_scale_bar_as_not_measured(view):
    page = view("kind=ctdoubt")
    page.evaluate(WRITTEN)
    focus(page)
    press(page, "ArrowDown")
    assert [one for one in page.evaluate("written") if re.fullmatch(r"\d+ mm \(not measured\)", one)]


def test_i_takes_letters_and_texts_off_the_picture_and_brings_them_back(view):
    page = view("kind=ct")
    focus(page)
    before = pixels(page, 0)
    press(page, "i")
    bare = pixels(page, 0)
    assert (bare != before).any()
    assert bare[6:19, 5:70].max() < 60 < before[6:19, 5:70].max()  # the slice's number stood there, on air
    press(page, "i")
    np.testing.assert_array_equal(pixels(page, 0), before)


def test_zoom_is_kept_where_the_next_picture_has_the_same_size_and_reset_where_not(view):
    page = view()
    focus(page)
    press(page, "e", "+", "+", "Shift+ArrowRight")
    kept = zoom(page)
    before = pixels(page, 0)
    page.get_by_role("button", name="Next case").click()
    page.locator('.viewer[data-token="benign-2"]').wait_for()
    page.wait_for_timeout(300)
    assert zoom(page) == kept != "1.0×"
    assert (
        "click the picture" in page.locator(".viewer .common").inner_text()
    )  # no crosshair on another patient
    assert tool(page, "Error").get_attribute("aria-pressed") == "true"
    assert (pixels(page, 0) != before).any()
    page.get_by_role("button", name="Next case").click()
    page.locator('.viewer[data-token="benign-3"]').wait_for()
    page.wait_for_timeout(300)
    assert zoom(page) == "1.0×"


def test_a_viewer_that_is_mounted_anew_goes_on_as_it_was(view):
    page = view()
    focus(page)
    press(page, "e", "+", "+", "[", "Shift+ArrowRight")
    page.locator(".viewer").evaluate("root => { root.isFirst = true; }")
    kept = zoom(page)
    page.get_by_text("Elsewhere").click()
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('*')];"
        " const root = all.map((e) => e.shadowRoot?.querySelector('.viewer')).find(Boolean);"
        " return root && !root.isFirst && root.dataset.token; }"
    )
    page.wait_for_timeout(300)
    assert zoom(page) == kept != "1.0×"
    assert tool(page, "Error").get_attribute("aria-pressed") == "true"
    assert page.locator(".viewer .opacity output").inner_text() == "55 %"
    assert page.locator(".viewer .common").inner_text().startswith("x 161, y 120 ")


def test_the_list_of_keys_opens_closes_and_fits_the_case(view):
    page = view()
    focus(page)
    press(page, "?")
    listed = page.locator(".viewer .keys")
    assert "votes" in listed.inner_text()
    assert "gamma" in listed.inner_text()
    assert "slice before" not in listed.inner_text()
    assert not listed.locator("dt", has_text=re.compile("^G$")).is_visible()  # there is none to show
    press(page, "Escape")
    assert not listed.is_visible()
    page = view("kind=ct")
    focus(page)
    press(page, "?")
    assert "slice before" in page.locator(".viewer .keys").inner_text()
    assert "gamma" not in page.locator(".viewer .keys").inner_text()


@pytest.mark.parametrize("kind", ["review", "ct"])
def test_text_of_twice_the_size_is_not_cut(view, kind):
    page = view(f"kind={kind}")
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.wait_for_timeout(500)
    assert page.locator(".viewer").evaluate("root => root.scrollWidth - root.clientWidth") <= 1
    cut = page.locator(".viewer :is(button, .title, .subtitle, .legend span, .common)").evaluate_all(
        "all => all.filter((e) => e.offsetWidth && e.scrollWidth > e.offsetWidth + 1).map((e) => e.textContent)"
    )
    assert cut == []


def test_nothing_moves_by_itself_for_those_who_asked_for_less_motion(view):
    page = view()
    lasting = (
        "[...document.querySelectorAll('*')].map((e) => e.shadowRoot?.querySelector('.tool')).find(Boolean)"
    )
    lasting = f"parseFloat(getComputedStyle({lasting}).transitionDuration)"
    assert page.evaluate(lasting) > 0
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(lasting) == 0


def test_fingers_get_large_targets_and_a_place_to_scroll_the_page(serve, chromium):
    context = chromium.new_context(has_touch=True, is_mobile=True, viewport={"width": 800, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{serve(APP)}/?kind=ct")
    page.wait_for_selector(PICTURES)
    page.wait_for_timeout(800)
    for part in page.locator(".viewer :is(button, select, .strip)").locator("visible=true").all():
        box = part.bounding_box()
        assert min(box["width"], box["height"]) >= 44, part.inner_text()
    grip = page.locator(".viewer .grip")
    grip.scroll_into_view_if_needed()
    assert grip.bounding_box()["height"] >= 44
    assert grip.evaluate("one => getComputedStyle(one).touchAction") == "pan-y"
    context.close()
