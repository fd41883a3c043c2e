"""Redraw times of the picture viewer in Chromium: 200 slices scrubbed with four panels, in every display mode.

The viewer runs on a page of its own, without a server, on made-up CT slices with ragged outlines.

redraw  what the viewer reports of itself: from the start of a frame's work to its last drawing command
cpu     the same in CPU time of the page's main thread: what is left of it on a machine that is busy otherwise
frame   the redraw, and on until the canvases hold the picture (Chromium without a graphics card)
cold    slices not seen before, one per frame, as fast as frames come; warm: the same ones again

Then, from a server: the bytes that 100 slices with four panels, masks and probabilities take on their way to the
browser, and those that travel when the reader has settled on another slice (the viewer and all its feeds again).
"""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pages.parts import viewer
from pages.parts.panels import STYLES, WINDOWS, HeatLayer, Panel, Stack
from pages.parts.payload import Packed, pack
from tests.browser.conftest import FLAGS, start_server

SLICES = 200
FEW = 24  # slices of 512 x 512: more of them do not fit into one case
HEATED = 13  # slices whose heatmaps are drawn
FRAME = {"width": 1440, "height": 900}
PAYLOAD = 100  # slices whose bytes are counted
SURE = 4.0  # then 100 slices of probabilities take 0.4 MB per network
MODES = dict(outline="o", fill="f", error="e", probability="b", shading="ba", votes="v", heatmap="g")
SETTLED = 5000  # ms after which a step has been reported and answered, on a busy machine too
ADDRESS = "http://bench.invalid/"
PAGE = """<!doctype html><meta charset="utf-8"><style>%s</style><main><div class="viewer"></div></main>"""
STEPS = """
const root = document.querySelector(".viewer");
const main = document.querySelector("main");
const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
const canvases = () => [...root.querySelectorAll("canvas[role=img]")];
const press = (key) => canvases()[1].dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
async function mount(blocks) {
  const get = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
  const [view, ...feeds] = await Promise.all(blocks.map(get));
  globalThis.triptychFeeds = new Map(feeds.map((feed, at) => [at, feed]));
  delete root.dataset.paintMs;
  globalThis.draw({ data: view, parentElement: main, setStateValue: () => {} });
  while (!root.dataset.paintMs) await frame();
  return Number(root.dataset.paintMs);
}
async function scrub(steps) {
  press("Home");
  await frame();
  await frame();
  const spent = [];
  for (let step = 0; step < steps; step += 1) {
    press("ArrowDown");
    const whole = await new Promise((resolve) => requestAnimationFrame(() => {
      const from = performance.now();
      for (const canvas of canvases()) canvas.getContext("2d").getImageData(0, 0, 1, 1);
      resolve(performance.now() - from);
    }));
    await frame();
    const script = Number(root.dataset.paintMs);
    spent.push([script, script + whole]);
  }
  return spent;
}
"""


@cache
def volume(n: int, side: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Pictures (n, side, side) int16 HU, the expert's labels, and labels and probabilities of three networks.

    Outlines are ragged, as networks draw them, and all three networks are unsure in places.
    """
    from scipy.ndimage import gaussian_filter, zoom

    draw = np.random.default_rng(5)
    k = np.linspace(0, 1, n)[:, None, None]
    y, x = np.mgrid[:128, :128] / 128

    def ragged(seed: int) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(size=(n, 128, 128)).astype(np.float32)
        smooth = gaussian_filter(noise, (2, 1.6, 1.6), mode="wrap")
        return smooth / smooth.std()

    girth = np.sqrt(np.clip(1 - (2 * k - 1) ** 2, 0.05, 1))
    liver = 22 * (0.30 * girth - np.hypot(x - 0.36, y - 0.46))
    spots = [(0.3, 0.4, 0.06), (0.42, 0.55, 0.045), (0.25, 0.56, 0.035)]
    tumour = np.max([60 * (r * girth - np.hypot(x - a, y - b)) for a, b, r in spots], axis=0)

    def classes(seed: int, strength: float) -> np.ndarray:
        fields = [liver + strength * ragged(seed), tumour + strength * ragged(seed + 1)]
        return np.stack([1 / (1 + np.exp(-field)) for field in fields])

    answers = [classes(seed, 0.9) for seed in (10, 20, 30)]
    grow = side / 128

    def labelled(soft: np.ndarray) -> np.ndarray:
        large = soft if side == 128 else zoom(soft, (1, 1, grow, grow), order=1)
        return ((large[0] > 0.5).astype(np.uint8) + ((large[1] > 0.5) & (large[0] > 0.5))).astype(np.uint8)

    body = np.hypot((x - 0.5) / 0.46, (y - 0.5) / 0.36) < 1
    pictures = np.where(body, 40 + 60 * (liver > 0), -1000) + draw.normal(0, 14, (n, 128, 128))
    pictures = pictures if side == 128 else zoom(pictures, (1, grow, grow), order=1)
    soft = [np.rint(255 * one).astype(np.uint8) for one in answers]
    return pictures.astype(np.int16), labelled(classes(40, 0.3)), [labelled(one) for one in answers], soft


@cache
def packed(n: int, side: int, heat_slice: int | None = None, sure: float = 1.0) -> Packed:
    """The volume as the pages send it, with heatmaps of one slice if asked.

    ``sure`` multiplies the log-odds: trained networks are sure almost everywhere, and that makes fewer bytes.
    """
    pictures, reference, labels, soft = volume(n, side)
    share = np.linspace(0, 1, 256)
    surer = np.rint(255 * share**sure / (share**sure + (1 - share) ** sure)).astype(np.uint8)
    heat = None
    if heat_slice is not None:
        values = np.random.default_rng(heat_slice).normal(0.2, 1, (16, 16)).astype(np.float32)
        heat = HeatLayer(values, float(values.max()), "log-odds per cell")
    panels = [Panel(title="Image + reference", colour="#FFFFFF", labels=reference, is_reference=True)]
    for model, drawn, unsure in zip(("unet", "multiresunet", "dcunet"), labels, soft, strict=True):
        style = STYLES[model]
        panels.append(
            Panel(
                title=model,
                colour=style.colour,
                dash=style.dash,
                labels=drawn,
                probability=surer[unsure],
                heat=heat,
            )
        )
    stack = Stack(
        indices=tuple(range(n)),
        source=(512, 512),
        positions_mm=tuple(2.5 * at for at in range(n)),
        spacing_mm=(2.8, 2.8),
        windows=WINDOWS,
        heat_slice=heat_slice,
    )
    return pack(
        pictures,
        panels,
        token="bench/volume-1",
        stack=stack,
        columns=4,
        orientation=True,
        classes=("liver", "tumour"),
    )


def measure(slices: int = SLICES, script: str = "") -> dict[str, float]:
    """p50, p95 and largest redraw in ms by mode and pass, at 128 x 128 and 512 x 512; and the worst of the p95.

    ``128_first_heatmap``: the redraw at rest, once three heatmaps of the slice have come. It is not scrubbing.

    ``script`` is another text of the viewer to be measured instead of the present one.
    """
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        found: dict[str, float] = {}
        for name, n, side in (("128", slices, 128), ("512", min(FEW, slices), 512)):
            for mode, keys in MODES.items():
                case = packed(n, side, n // 2 if mode == "heatmap" else None)
                found |= _scrubbed(browser, script or viewer.SCRIPT, name, mode, keys, case)
        scrubbed = list(found)
        heated = [packed(slices, 128, at) for at in np.linspace(0, slices - 1, HEATED).astype(int).tolist()]
        found |= _heated(browser, script or viewer.SCRIPT, heated)
        found |= _travelling(browser)
        browser.close()
    for name in ("128", "512"):
        for what in ("redraw", "cpu"):
            own = [key for key in scrubbed if key.startswith(name) and key.endswith(f"{what}_p95_ms")]
            found[f"{what}_{name}_p95_ms"] = max(found[key] for key in own)
    return found


def _opened(browser: Any, script: str, cases: list[Packed]) -> Any:
    """A page with the viewer, which can fetch the blocks of the cases by their numbers."""
    page = browser.new_page(viewport=FRAME)
    style = (viewer.WEB / "viewer.css").read_text("utf-8")
    module = script.replace("export default function viewer", "globalThis.draw = function viewer") + STEPS
    module += "Object.assign(globalThis, { mount, scrub, press, frame });"
    files = {"": (PAGE % style, "text/html"), "viewer.js": (module, "text/javascript")}
    for at, case in enumerate(cases):
        for place, block in enumerate((case.view, *case.feeds)):
            files[f"{at}-{place}"] = (block, "application/octet-stream")

    def answer(route: Any) -> None:
        body, kind = files.get(route.request.url.removeprefix(ADDRESS), ("", "text/plain"))
        route.fulfill(body=body, content_type=kind)

    page.route(f"{ADDRESS}**", answer)
    page.goto(ADDRESS)
    page.add_script_tag(url=f"{ADDRESS}viewer.js", type="module")
    page.wait_for_function("globalThis.mount !== undefined")
    return page


def _blocks(at: int, case: Packed) -> str:
    return json.dumps([f"{at}-{place}" for place in range(1 + len(case.feeds))])


def _scrubbed(browser: Any, script: str, name: str, mode: str, keys: str, case: Packed) -> dict[str, float]:
    page = _opened(browser, script, [case])
    page.evaluate(f"mount({_blocks(0, case)})")
    n = json.loads(case.view[4 : 4 + int.from_bytes(case.view[:4], "little")])["slices"]["total"]
    found: dict[str, float] = {}
    for key in keys:
        page.evaluate(f"press('{key}')")
    for turn in ("cold", "warm"):
        browser.start_tracing(page=page, categories=["devtools.timeline"])
        spent = np.array(page.evaluate(f"scrub({n - 1})"))
        cpu = _cpu(json.loads(browser.stop_tracing())["traceEvents"], n - 1)
        found |= _figures(f"{name}_{mode}_{turn}", spent)
        found[f"{name}_{mode}_{turn}_cpu_p50_ms"] = float(np.percentile(cpu, 50))
        found[f"{name}_{mode}_{turn}_cpu_p95_ms"] = float(np.percentile(cpu, 95))
    page.close()
    return found


def _cpu(events: list[dict[str, Any]], steps: int) -> np.ndarray:
    """CPU ms of each redraw: ``scrub`` asks for three callbacks per step, of which the viewer's is the first."""
    called = [event for event in events if event["name"] == "FireAnimationFrame" and "tdur" in event]
    called.sort(key=lambda event: event["ts"])
    if len(called) < 3 * steps:
        return np.full(steps, np.nan)
    return np.array([event["tdur"] / 1000 for event in called[-3 * steps :: 3]])


def _heated(browser: Any, script: str, cases: list[Packed]) -> dict[str, float]:
    page = _opened(browser, script, cases)
    page.evaluate(f"mount({_blocks(0, cases[0])})")
    page.evaluate("press('g')")
    spent = []
    for at, case in enumerate(cases[1:], 1):  # the same bytes again would not be drawn again
        header = json.loads(case.view[4 : 4 + int.from_bytes(case.view[:4], "little")])
        page.evaluate("press('Home')")
        for _ in range(header["slices"]["heat"] // 10):
            page.evaluate("press('PageDown')")
        for _ in range(header["slices"]["heat"] % 10):
            page.evaluate("press('ArrowDown')")
        page.evaluate("frame()")
        script_ms = page.evaluate(f"mount({_blocks(at, case)})")
        spent.append([script_ms, script_ms])
    page.close()
    return _figures("128_first_heatmap", np.array(spent))


def _travelling(browser: Any) -> dict[str, float]:
    """Bytes from the server: the blocks of a case, all of its first load, and a rerun after one settled step."""
    case = packed(PAYLOAD, 128, sure=SURE)
    found = {"payload_100_slices_bytes": float(sum(map(len, (case.view, *case.feeds))))}
    server, address = start_server(Path(__file__).parents[1] / "browser" / "rerun_app.py", {})
    try:
        page = browser.new_page(viewport=FRAME)
        page.set_default_timeout(120_000)
        frames: list[int] = []
        page.on(
            "websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(len(frame)))
        )
        page.goto(address)
        canvas = page.locator(".viewer canvas[role=img]").nth(1)
        canvas.focus()
        page.wait_for_timeout(SETTLED)
        found["first_load_bytes"] = float(sum(frames))
        for name in (
            "first_rerun_bytes",
            "rerun_bytes",
        ):  # the first one may still bring what was not yet cached
            frames.clear()
            canvas.press("ArrowDown")
            page.wait_for_timeout(SETTLED)
            found[name] = float(sum(frames))
        page.close()
    finally:
        server.terminate()
        server.wait(20)
    return found


def _figures(name: str, spent: np.ndarray) -> dict[str, float]:
    redraw, frame = spent.T
    return {
        f"{name}_redraw_p50_ms": float(np.percentile(redraw, 50)),
        f"{name}_redraw_p95_ms": float(np.percentile(redraw, 95)),
        f"{name}_redraw_max_ms": float(redraw.max()),
        f"{name}_frame_p95_ms": float(np.percentile(frame, 95)),
    }
