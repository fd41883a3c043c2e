"""The viewer on a volume of 200 slices in a real browser: scrubbing, windows, jumps, strip, letters, values."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.browser.test_viewer_browser import CONTRAST, PICTURES, focus, pixels, tool

APP = Path(__file__).with_name("viewer_app.py")
OUTPUT = Path(__file__).parents[1] / "output"
FIRST, LAST, START = 30, 229, 95

SCRUB = """async (steps) => {
  const root = [...document.querySelectorAll("*")].map((e) => e.shadowRoot)
    .find((shadow) => shadow?.querySelector(".viewer")).querySelector(".viewer");
  const canvas = root.querySelectorAll("canvas[role=img]")[1];
  const press = (key) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true }));
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const spent = [];
  let longest = 0;
  for (let step = 0; step < steps; step += 1) {
    const pressed = performance.now();
    press("ArrowDown");
    await frame();
    spent.push(Number(root.dataset.paintMs));
    longest = Math.max(longest, performance.now() - pressed);
  }
  return { spent, longest };
}"""
SETTLED = 250  # ms at rest until the viewer reports, as in main.js


PAINTED = """() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() =>
  setTimeout(resolve))))"""


@pytest.fixture
def view(serve, open_page):
    """A function that opens the viewer on the volume and waits for its first picture."""

    def opened(query: str = "kind=ct", **options):
        page = open_page(f"{serve(APP)}/?{query}", **options)
        page.wait_for_selector(PICTURES)
        quiet(page)
        return page

    return opened


def strip(page):
    return page.locator(".viewer .strip")


def painted(page) -> None:
    """Wait for two frames: what was asked before is on screen afterwards, however busy the machine is."""
    page.evaluate(PAINTED)


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
        painted(page)


def slice_number(page) -> int:
    painted(page)
    return int(strip(page).get_attribute("aria-valuenow"))


def turn_wheel(page, delta: int, expected: int) -> None:
    page.mouse.wheel(0, delta)
    page.locator(f'.viewer .strip[aria-valuenow="{expected}"]').wait_for()


def quiet(page) -> None:
    """Wait until nothing was sent for a second; what was sent before is forgotten."""
    while page.seen.sent:
        page.seen.sent.clear()
        page.wait_for_timeout(1000)


def settle(page, part: str = "") -> None:
    """Wait until the view is reported; ``part`` is then in the address."""
    page.wait_for_timeout(900)
    if part:
        page.wait_for_url(f"**{part}**")


def reading(page) -> str:
    return page.locator(".viewer .common").inner_text()


def window(page) -> str:
    return page.locator(".viewer select").evaluate("one => one.selectedOptions[0].textContent")


def test_a_volume_opens_with_four_panels_on_its_start_and_calls_no_other_host(view):
    page = view()
    assert page.locator(PICTURES).count() == 4
    for index in range(4):
        assert pixels(page, index)[..., 0].std() > 10
    assert slice_number(page) == START
    assert "slice 95 of 0 to 399" in strip(page).get_attribute("aria-valuetext")
    assert "−137.5 mm" in strip(page).get_attribute("aria-valuetext")
    assert page.seen.errors == []
    assert page.seen.foreign == []


def test_wheel_and_keys_change_the_slice_and_stop_at_the_ends(view):
    page = view()
    page.locator(PICTURES).nth(1).hover()
    turn_wheel(page, 100, START + 1)
    turn_wheel(page, 100, START + 2)
    turn_wheel(page, -100, START + 1)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0
    focus(page)
    seen = []
    for key in ("ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "ArrowUp", "End", "PageDown"):
        press(page, key)
        seen.append(slice_number(page))
    at = START + 1
    assert seen == [at + 1, at, at + 10, at, FIRST, FIRST, LAST, LAST]


def test_all_panels_show_the_new_slice(view):
    page = view()
    before = [pixels(page, index) for index in range(4)]
    focus(page)
    press(page, "PageDown")
    for index in range(4):
        assert (pixels(page, index) != before[index]).any()


def test_scrubbing_sends_nothing_settling_sends_one_message_and_the_page_does_not_run_again(view):
    page = view()
    focus(page)
    for _ in range(5):
        press(page, "Home")
        settle(page, f"k={FIRST}")
        quiet(page)
        page.seen.received.clear()
        # from within the page: what comes between two keys is a redraw, not this test
        longest = page.evaluate(SCRUB, 40)["longest"]
        if longest < SETTLED:
            break  # else the machine stood still between two keys for so long that the view was at rest
    assert longest < SETTLED
    assert page.seen.sent == []
    settle(page, f"k={FIRST + 40}")
    assert len(page.seen.sent) == 1
    page.wait_for_timeout(1000)
    assert sum(page.seen.received) < 4000
    assert page.get_by_text("runs of the page: 1").count() == 1
    assert slice_number(page) == FIRST + 40
    told = page.locator("[data-testid=stJson]").first.inner_text()
    assert told  # the fragment ran


def test_redraws_of_200_slices_are_measured(view):
    page = view()
    figures = {}
    focus(page)
    for key, mode in (("o", "outline"), ("f", "fill"), ("e", "error"), ("b", "probability")):
        press(page, key)
        for turn in ("first", "again"):
            press(page, "Home")
            spent = np.array(page.evaluate(SCRUB, 199)["spent"])
            assert slice_number(page) == LAST
            assert np.isfinite(spent).all()
            figures[f"{mode}, {turn} pass"] = {
                "redraw_p50_ms": round(float(np.percentile(spent, 50)), 2),
                "redraw_p95_ms": round(float(np.percentile(spent, 95)), 2),
            }
    assert page.seen.errors == []
    sizes = [int(n) for n in re.findall(r"\d+", page.get_by_text("bytes: [").inner_text())]
    assert sum(sizes) <= 3_000_000 * 2  # for 200 slices
    OUTPUT.mkdir(exist_ok=True)
    told = {"slices": 200, "panels": 4, "blocks_bytes": sizes, "redraw": figures}
    (OUTPUT / "viewer_stack.json").write_text(json.dumps(told, indent=1) + "\n")


def test_presets_change_the_greys_and_only_the_greys(view):
    page = view()
    focus(page)
    seen = {}
    for key, name in [("2", "2 Liver 150/30"), ("4", "4 Bone 2500/480"), ("1", "1 Soft tissue 400/40")]:
        press(page, key)
        assert window(page) == name
        seen[key] = pixels(page, 0).astype(int)
    assert slice_number(page) == START
    liver = (slice(80, 110), slice(60, 80))
    assert seen["2"][liver].mean() > seen["1"][liver].mean() > seen["4"][liver].mean()


def test_shift_and_drag_or_the_right_button_set_width_and_level(view):
    page = view()
    box = page.locator(PICTURES).nth(1).bounding_box()
    x, y = box["x"] + 100, box["y"] + 120
    before = pixels(page, 2)
    page.keyboard.down("Shift")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    painted(page)
    assert window(page) == "Own"
    assert (pixels(page, 2) != before).any()
    settle(page, "_40")
    width, level = re.search(r"win=(\d+)_(-?\d+)", page.url).groups()
    assert int(width) > 440
    assert int(level) == 40
    page.mouse.move(x, y)
    page.mouse.down(button="right")
    page.mouse.move(x, y + 30, steps=3)
    page.mouse.up(button="right")
    settle(page)
    assert int(re.search(r"win=\d+_(-?\d+)", page.url).group(1)) > 60
    focus(page)
    press(page, "0")
    assert window(page) == "1 Soft tissue 400/40"


def test_t_and_d_jump_forth_and_back(view):
    page = view()
    focus(page)
    press(page, "Home", "t")
    lowest = slice_number(page)
    assert "reference tumour 0 mm" not in strip(page).get_attribute("aria-valuetext")
    press(page, "t")
    assert slice_number(page) == lowest + 1
    press(page, "Shift+T")
    assert slice_number(page) == lowest
    press(page, "End", "Shift+T")
    assert 150 < slice_number(page) < 180  # the upper tumour
    press(page, "t")
    assert page.locator(".viewer .live").inner_text() == "No further slice with tumour."
    press(page, "Home", "d")
    first = slice_number(page)
    press(page, "d")
    assert slice_number(page) > first > lowest
    press(page, "Shift+D")
    assert slice_number(page) == first


def test_a_click_on_the_strip_goes_there_and_a_drag_follows(view):
    page = view()
    box = strip(page).bounding_box()
    strip(page).click(position={"x": 20, "y": box["height"] / 2})
    assert abs(slice_number(page) - 130) <= 2
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.seen.sent.clear()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] - 2, steps=10)
    assert slice_number(page) == LAST
    assert page.seen.sent == []
    page.mouse.up()
    settle(page)
    assert len(page.seen.sent) == 1
    strip(page).focus()
    press(page, "ArrowUp", "ArrowLeft")
    assert slice_number(page) == LAST - 2


def test_the_strip_is_a_slider_with_a_name_and_a_value_in_words(view):
    page = view()
    assert strip(page).get_attribute("role") == "slider"
    assert strip(page).get_attribute("aria-label") == "Slice"
    assert strip(page).get_attribute("aria-valuemin") == str(FIRST)
    assert strip(page).get_attribute("aria-valuemax") == str(LAST)
    assert "U-Net tumour" in strip(page).get_attribute("aria-valuetext")


def test_the_letters_stand_at_the_four_sides(view):
    page = view()
    focus(page)
    press(page, "x")  # no overlays
    picture = pixels(page, 0).mean(axis=-1)
    height, width = picture.shape
    for rows, columns in [
        (slice(height // 2 - 8, height // 2 + 8), slice(3, 18)),
        (slice(height // 2 - 8, height // 2 + 8), slice(width - 18, width - 3)),
        (slice(4, 20), slice(width // 2 - 8, width // 2 + 8)),
        (slice(height - 20, height - 4), slice(width // 2 - 8, width // 2 + 8)),
    ]:
        assert picture[rows, columns].max() > 240


WRITTEN = """() => {
  globalThis.written = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    globalThis.written.push([text, x, y]);
    return write.call(this, text, x, y);
  };
}"""


def test_r_is_on_the_left_a_above_and_slice_position_and_window_in_the_corner(view):
    page = view()
    page.evaluate(WRITTEN)
    focus(page)
    press(page, "ArrowDown")
    box = page.locator(PICTURES).first.bounding_box()
    middle = (box["width"] / 2, box["height"] / 2)
    spots = {text: (x, y) for text, x, y in page.evaluate("written")}
    assert spots["R"] == pytest.approx((10, middle[1]), abs=1)
    assert spots["L"] == pytest.approx((box["width"] - 10, middle[1]), abs=1)
    assert spots["A"] == pytest.approx((middle[0], 12), abs=1)
    assert spots["P"] == pytest.approx((middle[0], box["height"] - 12), abs=1)
    corner = [text for text, (x, y) in spots.items() if x < 10 and y < 60]
    assert corner == ["slice 96 / 399", "−135.0 mm", "W 400 L 40"]


def test_words_on_a_picture_leave_its_lower_letter_free(view):
    page = view("kind=ctheat&k=97")
    reason = page.locator(".viewer .reason", has_text="Not computed").first
    reason.wait_for()
    box, picture = reason.bounding_box(), page.locator(PICTURES).nth(1).bounding_box()
    assert box["y"] + box["height"] <= picture["y"] + picture["height"] - 20


def test_the_corner_follows_every_slice_and_the_window(view):
    page = view()
    page.evaluate(WRITTEN)
    focus(page)
    press(page, "PageDown", "2")
    written = [text for text, _, _ in page.evaluate("written")]
    assert {"slice 105 / 399", "−112.5 mm", "W 150 L 30"} <= set(written)


def test_lengths_of_a_placeholder_geometry_are_called_not_measured(view):
    page = view("kind=ctdoubt")
    page.evaluate(WRITTEN)
    focus(page)
    press(page, "ArrowDown")
    assert "−135.0 mm (not measured)" in [text for text, _, _ in page.evaluate("written")]
    assert "−135.0 mm (not measured)" in strip(page).get_attribute("aria-valuetext")
    assert "mm² (not measured)" in page.locator(".viewer .subtitle").nth(1).inner_text()
    assert "pixels of 3.50 × 2.80 mm · mm not measured: made up" in reading(page)
    press(page, "Shift+ArrowLeft")
    assert "mm from the top · mm not measured: made up" in reading(page)


def test_pixels_keep_their_true_shape(view):
    page = view()
    box = page.locator(PICTURES).nth(0).bounding_box()
    assert box["height"] / box["width"] == pytest.approx(2.8 / 3.5, abs=0.01)
    focus(page)
    press(page, "x", "4")  # bone window, no outlines: the round spine of the made-up body
    picture = pixels(page, 1).mean(axis=-1)[25:-25, 25:-25]  # without the letters
    bright = np.argwhere(picture > 110)
    tall, wide = np.ptp(bright[bright[:, 0] > len(picture) / 2], axis=0) + 1
    assert tall / wide == pytest.approx(2.8 / 3.5, abs=0.08)


def test_the_crosshair_reads_hu_and_millimetres(view):
    page = view()
    canvas = page.locator(PICTURES).nth(1)
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * (64.5 / 128), "y": box["height"] * (92.5 / 128)})
    painted(page)
    assert reading(page).startswith("x 64, y 92 · 225.8 mm from the left, 259.0 mm from the top · ")
    found = int(re.search(r"(−?\d+) HU", reading(page)).group(1).replace("−", "-"))
    assert 540 < found < 660  # the spine of the made-up body
    canvas.click(position={"x": box["width"] * 0.02, "y": box["height"] * 0.3})
    painted(page)
    assert "−1000 HU" in reading(page)


def test_m_goes_through_the_classes_and_everything_follows(view):
    page = view()
    focus(page)
    every = pixels(page, 1)
    press(page, "m")
    assert tool(page, "Only liver").is_visible()
    assert "liver" in page.locator(".viewer .subtitle").nth(1).inner_text()
    liver = pixels(page, 1)
    press(page, "m")
    assert "tumour" in page.locator(".viewer .subtitle").nth(1).inner_text()
    tumour = pixels(page, 1)
    press(page, "m")
    assert tool(page, "All classes").is_visible()
    assert (liver != every).any()
    assert (tumour != every).any()
    assert (tumour != liver).any()


def test_the_address_keeps_the_place_without_a_step_back_and_opens_it_again(view):
    page = view()
    before = page.evaluate("history.length")
    focus(page)
    press(page, "PageDown", "2", "m", "f")
    settle(page)
    assert page.url.endswith("k=105&win=2&view=fill&cls=liver")
    assert page.evaluate("history.length") == before
    again = view(page.url.partition("?")[2])
    assert slice_number(again) == 105
    assert window(again) == "2 Liver 150/30"
    assert tool(again, "Fill").get_attribute("aria-pressed") == "true"
    assert tool(again, "Only liver").is_visible()


@pytest.mark.parametrize("query", ["k=abc&win=9&cls=spleen&view=x", "k=99999&win=0_0", "k=-4&win=1_2_3"])
def test_nonsense_in_the_address_opens_the_volume_all_the_same(view, query):
    page = view(f"kind=ct&{query}")
    assert FIRST <= slice_number(page) <= LAST
    assert pixels(page, 0)[..., 0].std() > 10
    assert page.seen.errors == []


def test_a_rerun_keeps_the_slice_and_sends_little(view):
    page = view()
    focus(page)
    press(page, "PageDown")
    settle(page)
    page.wait_for_timeout(600)
    page.seen.received.clear()
    page.get_by_label("Note").fill("a note")
    page.get_by_label("Note").press("Enter")
    page.get_by_text("runs of the page: 2").wait_for()
    assert slice_number(page) == START + 10
    assert max(page.seen.received) < 12_000  # no picture, no mask
    page.get_by_label("Note").fill("typing ttdd PageDown m 2")
    assert slice_number(page) == START + 10


def test_heatmaps_come_for_the_slice_on_which_one_rests(view):
    page = view("kind=ctheat&k=96")
    page.locator(".viewer .reason", has_text="Rest here").first.wait_for(state="hidden")
    focus(page)
    page.seen.received.clear()
    press(page, "ArrowDown")
    page.locator(".viewer .reason", has_text="Not computed for this slice.").first.wait_for()
    assert max(page.seen.received) < 200_000  # the heatmaps alone, not the stack
    press(page, "ArrowDown")
    page.locator(".viewer .reason", has_text="Rest here").first.wait_for(state="hidden")
    page.locator(".viewer .reason", has_text="Not computed").first.wait_for(state="hidden")
    assert tool(page, "Heatmap").get_attribute("aria-pressed") == "true"


STEP = """async () => {
  const root = [...document.querySelectorAll("*")].map((e) => e.shadowRoot)
    .find((shadow) => shadow?.querySelector(".viewer")).querySelector(".viewer");
  const canvases = [...root.querySelectorAll("canvas[role=img]")];
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  const maps = new Map(canvases.map((canvas) => [canvas, 0]));
  CanvasRenderingContext2D.prototype.drawImage = function (image, ...where) {
    if (maps.has(this.canvas) && this.globalAlpha < 1) maps.set(this.canvas, maps.get(this.canvas) + 1);
    return draw.call(this, image, ...where);
  };
  const seen = [];
  for (const key of ["ArrowDown", "ArrowUp"]) {
    canvases[1].dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true }));
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    seen.push({
      words: [...root.querySelectorAll(".reason")].map((one) => one.textContent),
      maps: [...maps.values()],
      top: canvases[0].getBoundingClientRect().top,
    });
    for (const canvas of canvases) maps.set(canvas, 0);
  }
  return seen;
}"""


def test_while_scrubbing_the_heatmap_of_another_slice_is_not_shown_and_words_say_why(view):
    page = view("kind=ctheat&k=96")
    page.locator(".viewer .reason", has_text="Rest here").first.wait_for(state="hidden")
    page.locator(".viewer .colourbar").first.wait_for()
    away, back = page.evaluate(STEP)
    assert away["words"] == ["", *["Rest here to see the heatmaps of this slice."] * 3]
    assert away["maps"] == [0, 0, 0, 0]
    assert back["words"] == ["", "", "", ""]
    assert back["maps"] == [0, 1, 1, 1]
    assert away["top"] == pytest.approx(
        back["top"], abs=0.5
    )  # the colour bar comes and goes, the pictures stay


def test_a_finger_goes_through_the_slices(view):
    page = view()
    fingers = page.context.new_cdp_session(page)
    box = page.locator(PICTURES).nth(1).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 40
    send = lambda kind, *points: fingers.send(  # noqa: E731
        "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]}
    )
    send("touchStart", (x, y))
    for step in range(10, 71, 10):
        send("touchMove", (x, y + step))
    send("touchEnd")
    assert slice_number(page) == START + 5


@pytest.mark.parametrize(("width", "columns"), [(1400, 4), (1000, 2), (600, 2), (480, 1)])
def test_strip_and_panels_fit_the_window(view, width, columns):
    page = view(width=width)
    tops = [round(page.locator(PICTURES).nth(index).bounding_box()["y"]) for index in range(4)]
    assert tops.count(tops[0]) == columns
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box, picture = strip(page).bounding_box(), page.locator(PICTURES).first.bounding_box()
    if columns == 1:
        assert box["width"] > box["height"]
        assert box["y"] + box["height"] <= picture["y"]
    else:
        assert box["width"] == 64
        assert abs(box["y"] - picture["y"]) <= 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_of_a_volume_has_contrast_and_every_tool_a_name(view, theme):
    page = view(theme=theme)
    focus(page)
    press(page, "Shift+ArrowLeft", "?")
    for ratio, text in page.evaluate(CONTRAST):
        assert ratio >= 4.5, text
    for part in page.locator(".viewer button, .viewer select, .viewer [role=slider]").all():
        assert part.get_attribute("aria-label")
    assert "slice 95" in page.locator(PICTURES).nth(1).get_attribute("aria-label")


def test_a_saved_picture_names_slice_and_window(view):
    page = view()
    focus(page)
    with page.expect_download() as waiting:
        page.keyboard.press("s")
    assert waiting.value.suggested_filename == "triptych-lits-volume-1-95-outline.png"
