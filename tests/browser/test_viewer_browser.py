"""The viewer in a real browser: what it draws, what it answers to, and what it leaves alone."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

APP = Path(__file__).with_name("viewer_app.py")
PICTURES = ".viewer canvas[role=img]"


@pytest.fixture
def view(serve, open_page):
    """A function that opens the viewer and waits for its first picture."""

    def opened(query: str = "", **options):
        page = open_page(f"{serve(APP)}/?{query}", **options)
        page.wait_for_selector(PICTURES)
        page.wait_for_timeout(600)
        return page

    return opened


def pixels(page, index: int) -> np.ndarray:
    """(height, width, 3) of one panel as it is on screen."""
    address = page.locator(PICTURES).nth(index).evaluate("canvas => canvas.toDataURL()")
    return np.array(Image.open(io.BytesIO(b64decode(address.partition(",")[2]))).convert("RGB"))


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_timeout(80)


def focus(page, index: int = 1) -> None:
    page.locator(PICTURES).nth(index).focus()


def zoom(page) -> str:
    return page.locator(".viewer output", has_text="×").inner_text()


def tool(page, name: str):
    return page.locator(".viewer .tool", has_text=name).first


def settle(page) -> None:
    page.wait_for_timeout(900)


def test_the_first_screen_has_four_painted_panels_and_calls_no_other_host(view):
    page = view()
    assert page.locator(PICTURES).count() == 4
    for index in range(4):
        assert pixels(page, index)[..., 0].std() > 10
    assert page.seen.errors == []
    assert page.seen.foreign == []


def test_each_network_is_outlined_in_its_own_colour(view):
    page = view()
    for index, colour in enumerate([(0, 114, 178), (230, 159, 0), (204, 121, 167)], start=1):
        near = np.abs(pixels(page, index).astype(int) - colour).max(axis=-1) < 40
        assert near.sum() > 20
        assert not (np.abs(pixels(page, 0).astype(int) - colour).max(axis=-1) < 40).any()


def test_every_mode_key_switches_and_redraws(view):
    page = view()
    focus(page)
    seen = {pixels(page, 1).tobytes()}
    for key, name in [("f", "Fill"), ("e", "Error"), ("b", "Probability"), ("o", "Outline")]:
        press(page, key)
        assert tool(page, name).get_attribute("aria-pressed") == "true"
        seen.add(pixels(page, 1).tobytes())
    assert len(seen) == 4  # outline twice
    press(page, "g")
    assert tool(page, "Outline").get_attribute("aria-pressed") == "true"  # no heatmap in this case


def test_the_legend_explains_each_mode(view):
    page = view()
    focus(page)
    legend = page.locator(".viewer .legend")
    for key, words in [
        ("o", ["U-Net", "MultiResUNet", "DC-UNet", "Reference"]),
        ("f", ["Marked as tumour"]),
        ("e", ["Agreed", "Missed", "Extra"]),
        ("b", ["p = 0.3", "p = 0.5", "p = 0.7"]),
    ]:
        press(page, key)
        assert [word for word in words if word not in legend.inner_text()] == []


def test_h_hides_while_it_is_held(view):
    page = view()
    focus(page)
    drawn = pixels(page, 1)
    page.keyboard.down("h")
    page.wait_for_timeout(100)
    hidden = pixels(page, 1)
    page.keyboard.up("h")
    page.wait_for_timeout(100)
    assert (hidden != drawn).any()
    np.testing.assert_array_equal(pixels(page, 1), drawn)
    grey = hidden.astype(int)
    assert np.ptp(grey, axis=-1).max() <= 2  # nothing coloured is left


def test_the_button_hides_while_it_is_held_and_x_keeps_hiding(view):
    page = view()
    drawn = pixels(page, 2)
    tool(page, "Hold to hide").hover()
    page.mouse.down()
    page.wait_for_timeout(100)
    assert (pixels(page, 2) != drawn).any()
    page.mouse.up()
    page.wait_for_timeout(100)
    np.testing.assert_array_equal(pixels(page, 2), drawn)
    focus(page)
    press(page, "x")
    assert (pixels(page, 2) != drawn).any()
    press(page, "x")
    np.testing.assert_array_equal(pixels(page, 2), drawn)


def test_y_takes_the_reference_off_the_networks_and_leaves_it_on_its_own_panel(view):
    page = view()
    focus(page)
    before = [pixels(page, index) for index in (0, 1)]
    press(page, "y")
    np.testing.assert_array_equal(pixels(page, 0), before[0])
    assert (pixels(page, 1) != before[1]).any()


def test_brackets_change_the_opacity(view):
    page = view()
    focus(page)
    press(page, "f", "[", "[")
    assert page.locator(".viewer .opacity output").inner_text() == "20 %"
    press(page, "]")
    assert page.locator(".viewer .opacity output").inner_text() == "30 %"


def test_the_wheel_scrolls_the_page_and_with_ctrl_it_zooms(view):
    page = view()
    page.locator(PICTURES).nth(1).hover()
    page.mouse.wheel(0, 200)
    page.wait_for_timeout(400)
    scrolled = page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")
    assert scrolled > 0
    assert zoom(page) == "1.0×"
    page.locator(PICTURES).nth(1).hover()
    before = page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    page.wait_for_timeout(200)
    assert float(zoom(page)[:-1]) > 1.2
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == before


def test_panning_sends_nothing_and_settling_sends_one_message(view):
    page = view()
    focus(page)
    press(page, "+", "+", "+", "+")
    settle(page)
    box = page.locator(PICTURES).nth(1).bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.seen.sent.clear()
    page.seen.received.clear()
    for step in range(40):
        page.mouse.move(middle[0] + step, middle[1] + step / 2)
    assert page.seen.sent == []
    page.mouse.up()
    settle(page)
    assert len(page.seen.sent) == 1
    assert sum(page.seen.received) < 2000
    assert page.get_by_text("runs of the page: 1").count() == 1  # the fragment ran, the page did not


def test_linked_panels_move_together_and_unlinked_ones_alone(view):
    page = view()
    before = [pixels(page, index) for index in (1, 2)]
    focus(page, 1)
    press(page, "+", "+")
    assert (pixels(page, 2) != before[1]).any()
    press(page, "0")
    np.testing.assert_array_equal(pixels(page, 2), before[1])
    press(page, "l", "+", "+")
    assert (pixels(page, 1) != before[0]).any()
    np.testing.assert_array_equal(pixels(page, 2), before[1])


def test_a_click_marks_the_pixel_under_the_pointer_in_all_panels(view):
    page = view()
    canvas = page.locator(PICTURES).nth(1)
    box = canvas.bounding_box()
    before = pixels(page, 3)
    canvas.click(position={"x": box["width"] / 2 + 1, "y": box["height"] / 2 + 1})
    page.wait_for_timeout(100)
    scale = min(box["width"] / 320, box["height"] / 240)
    x, y = int(160 + 1 / scale), int(120 + 1 / scale)
    reading = page.locator(".viewer .common").inner_text()
    assert reading.startswith(f"x {x}, y {y} · grey value ")
    assert "reference: tumour" in reading
    assert "marked by 3 of 3 networks" in reading
    assert "U-Net p 0.9" in reading or "U-Net p 1.0" in reading
    assert (pixels(page, 3) != before).any()


def test_shift_and_arrows_move_the_crosshair_by_one_pixel(view):
    page = view()
    focus(page)
    press(page, "Shift+ArrowRight")
    assert page.locator(".viewer .common").inner_text().startswith("x 161, y 120 ")
    press(page, "Shift+ArrowDown", "Shift+ArrowDown")
    assert page.locator(".viewer .common").inner_text().startswith("x 161, y 122 ")


def touch(page, kind: str, *points: tuple[float, float]) -> None:
    given = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(points)]
    page.fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": given})
    page.wait_for_timeout(50)


def test_a_tap_marks_a_long_press_hides_and_two_fingers_zoom(view):
    page = view()
    page.fingers = page.context.new_cdp_session(page)
    box = page.locator(PICTURES).nth(1).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    drawn = pixels(page, 1)
    touch(page, "touchStart", (x, y))
    page.wait_for_timeout(700)
    assert (pixels(page, 1) != drawn).any()
    touch(page, "touchEnd")
    page.wait_for_timeout(100)
    np.testing.assert_array_equal(pixels(page, 1), drawn)
    touch(page, "touchStart", (x, y))
    touch(page, "touchEnd")
    assert page.locator(".viewer .common").inner_text().startswith("x 160, y 120 ")
    touch(page, "touchStart", (x - 20, y), (x + 20, y))
    for step in range(30, 61, 10):
        touch(page, "touchMove", (x - step, y), (x + step, y))
    touch(page, "touchEnd")
    page.wait_for_timeout(100)
    assert 2.5 < float(zoom(page)[:-1]) < 3.5


def test_a_double_click_enlarges_one_panel_and_back(view):
    page = view()
    page.locator(PICTURES).nth(2).dblclick()
    page.wait_for_timeout(200)
    assert page.locator(PICTURES).locator("visible=true").count() == 1
    assert page.locator(PICTURES).nth(2).bounding_box()["width"] > 900
    page.locator(PICTURES).nth(2).dblclick()
    page.wait_for_timeout(200)
    assert page.locator(PICTURES).locator("visible=true").count() == 4


def test_only_keys_that_are_used_are_stopped_and_c_and_r_never_are(view):
    page = view()
    page.evaluate(
        "window.passed = []; document.addEventListener('keydown', (e) => window.passed.push(e.key))"
    )
    focus(page)
    press(page, "c", "r", "n", "p", "o", "f", "ArrowUp", "Control+s")
    passed = page.evaluate("window.passed")
    assert [key for key in ("c", "r", "n", "p", "ArrowUp") if key not in passed] == []
    assert [key for key in ("o", "f") if key in passed] == []


def test_typing_outside_changes_nothing(view):
    page = view()
    before = pixels(page, 1)
    page.get_by_label("Note").fill("")
    page.get_by_label("Note").press_sequentially("feb0+[xhl")
    page.wait_for_timeout(200)
    np.testing.assert_array_equal(pixels(page, 1), before)
    assert tool(page, "Outline").get_attribute("aria-pressed") == "true"


def test_tab_leaves_the_viewer_and_escape_goes_to_the_toolbar(view):
    page = view()
    focus(page, 3)
    press(page, "Escape")
    inside = "() => document.activeElement.shadowRoot?.activeElement?.textContent ?? ''"
    assert page.evaluate(inside).startswith("Outline")
    focus(page, 3)
    press(page, "Tab", "Tab", "Tab")
    assert page.evaluate(inside) == ""


def test_arrows_go_to_the_neighbouring_panel(view):
    page = view()
    focus(page, 1)
    press(page, "ArrowRight", "+")
    label = page.evaluate("() => document.activeElement.shadowRoot.activeElement.getAttribute('aria-label')")
    assert label.startswith("MultiResUNet")


def test_a_rerun_keeps_zoom_mode_and_element_and_sends_little(view):
    page = view()
    focus(page)
    press(page, "e", "+", "+", "+")
    settle(page)
    page.locator(PICTURES).nth(1).evaluate("canvas => { canvas.dataset.mine = 'yes' }")
    kept = zoom(page)
    page.seen.received.clear()
    page.get_by_label("Note").fill("a note")
    page.get_by_label("Note").press("Enter")
    page.get_by_text("runs of the page: 2").wait_for()
    assert zoom(page) == kept != "1.0×"
    assert tool(page, "Error").get_attribute("aria-pressed") == "true"
    assert page.locator(PICTURES).nth(1).get_attribute("data-mine") == "yes"
    assert max(page.seen.received) < 2000


@pytest.mark.parametrize(("width", "columns"), [(1400, 4), (1000, 2), (480, 1)])
def test_the_panels_stand_in_rows_that_fit(view, width, columns):
    page = view(width=width)
    tops = [round(page.locator(PICTURES).nth(index).bounding_box()["y"]) for index in range(4)]
    assert tops.count(tops[0]) == columns
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_saving_gives_a_picture_with_a_strip_of_text(view):
    page = view()
    focus(page)
    with page.expect_download() as waiting:
        page.keyboard.press("s")
    download = waiting.value
    assert download.suggested_filename == "triptych-benign-1-outline.png"
    sheet = Image.open(io.BytesIO(Path(download.path()).read_bytes())).convert("L")
    high = page.locator(PICTURES).first.bounding_box()["height"]
    strip = np.array(sheet)[round(2 * high) + 200 :]
    lines = (strip < 100).any(axis=1)
    assert (np.diff(lines.astype(int)) == 1).sum() >= 4  # case; runs; date; notice
    assert strip[:, :30].min() > 200  # nothing touches the edge


def test_text_stays_text(view):
    page = view("kind=words")
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    assert page.locator(".viewer img").count() == 0
    assert "<img src=x" in page.locator(".viewer .title").nth(2).inner_text()


def test_a_panel_without_anything_to_draw_says_why(view):
    page = view("kind=words")
    assert page.locator(".viewer .reason").nth(1).inner_text() == "Predicts no tumour here."
    assert page.locator(".viewer .reason").nth(2).inner_text().startswith("Weights rejected")
    assert pixels(page, 2)[..., 0].std() > 10  # the picture is still there
    focus(page)
    press(page, "e")
    assert "all of the reference is missed" in page.locator(".viewer .reason").nth(1).inner_text()
    press(page, "b")
    assert "stays below 0.3" in page.locator(".viewer .reason").nth(1).inner_text()


def test_without_a_reference_error_mode_says_so(view):
    page = view("kind=bare")
    focus(page, 0)
    press(page, "e")
    assert page.locator(".viewer .reason").first.inner_text() == "No reference to compare with."


def test_heatmaps_come_with_scale_badge_and_state(view):
    page = view("kind=heat")
    assert tool(page, "Heatmap").get_attribute("aria-pressed") == "true"
    legend = page.locator(".viewer .legend").inner_text()
    assert "one scale for all networks" in legend
    assert [text for text in ("0", "0.025", "0.05") if text not in legend.split()] == []
    assert page.locator(".viewer .badge").nth(2).inner_text() == "repeats the prediction"
    assert not page.locator(".viewer .badge").nth(1).is_visible()
    assert page.locator(".viewer .reason").nth(3).inner_text().startswith("Nothing to explain")
    yellow = pixels(page, 1).astype(int)
    assert ((yellow[..., 0] - yellow[..., 2]) > 80).sum() > 50  # the hot place, in cividis
    focus(page)
    press(page, "a")
    assert tool(page, "Cells").get_attribute("aria-pressed") == "true"


def test_a_damaged_payload_ends_in_words(serve, open_page):
    page = open_page(f"{serve(APP)}/?kind=damaged")
    status = page.locator(".viewer .status")
    status.filter(has_text="could not be drawn (truncated)").wait_for()
    assert page.locator(PICTURES).count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_has_contrast_and_every_button_a_name(view, theme):
    page = view("kind=heat", theme=theme)
    focus(page)
    press(page, "Shift+ArrowLeft", "?")
    for ratio, text in page.evaluate(CONTRAST):
        assert ratio >= 4.5, text
    for button in page.locator(".viewer button").all():
        assert button.get_attribute("aria-label")
    for canvas in page.locator(PICTURES).all():
        assert len(canvas.get_attribute("aria-label")) > 20


CONTRAST = """() => {
  const root = [...document.querySelectorAll("*")].map((e) => e.shadowRoot)
    .find((shadow) => shadow?.querySelector(".viewer"));
  const parse = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith("color(") ? [...numbers.slice(0, 3).map((v) => 255 * v), numbers[3] ?? 1] : numbers;
  };
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    if (node.closest(".chips p, .badge")) return [0, 0, 0];
    for (let e = node; e; e = e.parentElement ?? e.getRootNode().host) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if ((colour[3] ?? 1) > 0.9) return colour;
    }
    return [255, 255, 255];
  };
  const hasText = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  return [...root.querySelectorAll(".viewer *")]
    .filter((e) => hasText(e) && e.checkVisibility() && e.tagName !== "KBD")
    .map((e) => {
      const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent];
    });
}"""
