"""The path of a first visit, walked in a real browser: ``python -m tests.browser.first_visit`` draws its pictures.

Phantoms alone: the artifacts are made anew in a temporary folder from the shipped runs and results.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from tests.browser.conftest import FLAGS, ROOT, start_server

PICTURES = ".viewer canvas[role=img]"
AT_REST = "() => !document.querySelector('[data-stale=true], [data-test-script-state=running]')"
# When the last of the panels was first drawn, in ms since the address was opened.
DRAWN = """() => {
  const found = (root) => root.querySelector(".viewer")
    ?? [...root.querySelectorAll("*")].map((one) => one.shadowRoot && found(one.shadowRoot)).find(Boolean);
  return found(document)?.dataset.paintMs && performance.now();
}"""
LARGEST = 250_000  # bytes of a picture
TO = ROOT / "docs" / "first_visit"


def walk(page, address: str, keep: Callable[[str], None] = lambda name: None) -> dict[str, float]:
    """Go the path from the address to a verdict; ``keep(name)`` is called on what is to be seen.

    Returns seconds from opening: until the pictures were drawn, and until each question had its answer on screen.
    """
    times, began = {}, time.monotonic()

    def answered(name: str) -> None:
        page.wait_for_function(AT_REST)
        page.wait_for_timeout(600)
        times[name] = time.monotonic() - began
        keep(name)

    page.goto(address, wait_until="commit")
    times["pictures"] = page.wait_for_function(DRAWN, polling=20).json_value() / 1000
    page.get_by_text("· Dice ").nth(2).wait_for()
    answered("which")
    page.locator(PICTURES).nth(1).focus()
    page.keyboard.press("e")
    page.locator(".viewer .legend").get_by_text("Missed").wait_for()
    answered("where")
    page.keyboard.press("o")
    page.get_by_text("Heatmap row").click()
    page.locator(PICTURES).nth(7).wait_for()
    answered("why")
    page.locator("[data-testid=stSidebar]").get_by_role("link", name="Scoreboard").click()
    page.get_by_text("95 % interval").first.wait_for()
    page.locator(".js-plotly-plot").first.wait_for()
    page.get_by_text("How sure are these means?").evaluate("heading => heading.scrollIntoView()")
    answered("always")
    page.locator("[data-testid=stSidebar]").get_by_role("link", name="Review").click()
    page.wait_for_selector(PICTURES)
    page.get_by_role("button", name="Verdict").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("textbox", name="Reader").fill("AB")
    for at, answer in enumerate(("Minor edit", "Reject", "Reject")):
        drawer.get_by_text(answer, exact=True).nth(at).click()
    answered("verdict")
    drawer.get_by_role("button", name="Save").click()
    drawer.wait_for(state="hidden")
    page.get_by_text("1 × minor edit").wait_for()
    answered("saved")
    return times


def palette(picture: Image.Image) -> Image.Image:
    """48 greys and 80 of a picture's colours, each counted once: thin coloured lines are to stay."""
    pixels = np.asarray(picture).reshape(-1, 3)
    coloured = np.unique(pixels[np.ptp(pixels, axis=1) > 24] // 8 * 8, axis=0)
    found = Image.fromarray(coloured[None]).quantize(80, Image.Quantize.MEDIANCUT).getpalette()[: 3 * 80]
    made = Image.new("P", (1, 1))
    made.putpalette([*np.repeat(np.linspace(0, 255, 48).astype(int), 3).tolist(), *found])
    return made


def save(shot: bytes, path: Path) -> None:
    """A screenshot, smaller and in few colours. ValueError if it is still larger than LARGEST."""
    picture = Image.open(BytesIO(shot)).convert("RGB")
    picture = picture.resize((1152, round(1152 * picture.height / picture.width)), Image.Resampling.LANCZOS)
    picture.quantize(palette=palette(picture), dither=Image.Dither.NONE).save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes, more than {LARGEST}")


def main() -> None:
    """Draw the pictures of docs/first_visit.md and print the times."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        artifacts = Path(folder) / "artifacts"
        for part in ("runs", "results"):
            shutil.copytree(ROOT / "artifacts" / part, artifacts / part)
        told = {"TRIPTYCH_ARTIFACTS": str(artifacts)}
        subprocess.run([sys.executable, "-m", "core", "demo"], cwd=ROOT, env=os.environ | told, check=True)
        server, address = start_server(ROOT / "app.py", told)
        try:
            with sync_playwright() as playwright:
                program = shutil.which("chromium") or shutil.which("google-chrome")
                browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.set_default_timeout(120_000)
                TO.mkdir(exist_ok=True)
                times = walk(page, address, lambda name: save(page.screenshot(), TO / f"{name}.png"))
                browser.close()
        finally:
            server.kill()
    for name, seconds in times.items():
        print(f"{name:10} {seconds:6.1f} s")


if __name__ == "__main__":
    main()
