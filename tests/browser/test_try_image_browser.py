"""An image of the reader's own in a real browser: sent, refused or outlined, forgotten; nothing left on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.browser.conftest import AT_REST
from tests.core import uploads
from tests.pages import small

APP = Path(__file__).with_name("upload_app.py")
PICTURES = ".viewer canvas[role=img]"


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """Artifacts of this file's own, and the folder for temporary files of its server."""
    top = tmp_path_factory.mktemp("upload")
    (top / "temporary").mkdir()
    return shutil.copytree(small.phantoms_and_real(), top / "artifacts"), top / "temporary"


@pytest.fixture
def visit(serve, open_page, folders):
    """A function that opens the page."""

    def opened():
        artifacts, temporary = map(str, folders)
        page = open_page(serve(APP, TRIPTYCH_ARTIFACTS=artifacts, TMPDIR=temporary))
        page.wait_for_selector("h1")
        return page

    return opened


def hand_over(page, content: bytes, at: int = 0) -> None:
    """Send a file with the uploader ``at``: 0 the image, 1 the reference."""
    page.wait_for_function(AT_REST)  # an uploader that is replaced meanwhile would lose the file
    file = {"name": "Doe^Jane.bin", "mimeType": "application/octet-stream", "buffer": content}
    page.locator("input[type=file]").nth(at).set_input_files(file)
    page.get_by_text("Doe^Jane.bin").nth(at).wait_for()


def run(page) -> None:
    button = page.get_by_role("button", name="Check and run")
    page.wait_for_function("button => !button.disabled", arg=button.element_handle())
    button.click()


def on_disk(*folders: Path) -> set[Path]:
    return {path for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_a_good_picture_is_checked_outlined_explained_and_forgotten(visit, folders, violations):
    before = on_disk(*folders)
    page = visit()
    hand_over(page, uploads.picture(uploads.ultrasound()))
    hand_over(page, uploads.mask(), at=1)
    run(page)
    page.get_by_text("Tumour in this picture").wait_for()
    page.wait_for_selector(PICTURES)
    page.wait_for_timeout(800)
    assert page.locator(PICTURES).count() == 4
    assert "Doe" not in page.content()
    page.get_by_role("button", name="Explain this picture").click()
    page.get_by_text("log-odds per cell, one scale for all networks").first.wait_for()
    assert violations(page) == []
    page.locator(PICTURES).nth(1).focus()
    for key in ("f", "+", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    page.wait_for_timeout(900)
    assert "?" not in page.url
    page.get_by_role("button", name="Forget now").click()
    page.locator("input[type=file]").nth(1).wait_for(state="attached")
    page.wait_for_selector(PICTURES, state="detached")
    assert page.get_by_role("button", name="Check and run").is_disabled()
    assert {path.parent.name for path in on_disk(*folders) - before} <= {"audit"}
    assert page.seen.foreign == []


BAD = {
    "colour photograph": (
        uploads.picture(np.dstack([uploads.ultrasound()] * 3) // np.array([1, 2, 4], np.uint8)),
        "expected grey ultrasound",
    ),
    "bomb": (uploads.bomb(), "got 14000 x 14000"),
    "cut short": (uploads.picture(uploads.ultrasound())[:-200], "ends in the middle"),
    "4-D": (uploads.volume(dim=(4, 70, 60, 12, 2, 1, 1, 1)), "time or phases"),
    "magnetic resonance": (uploads.dicom(uploads.ultrasound(), "MR"), "got 1 of MR"),
    "text": (b"dear doctor", "of a kind that is not read here"),
}


def test_bad_files_are_refused_in_words_one_after_the_other(visit, folders):
    before, page = on_disk(*folders), visit()
    for content, words in BAD.values():
        hand_over(page, content)
        run(page)
        page.get_by_text(words).wait_for()
        assert page.get_by_text("This file was not read").is_visible()
        page.get_by_role("button", name="Forget now").click()
        page.get_by_text(words).wait_for(state="detached")
    assert "Traceback" not in page.content()
    assert on_disk(*folders) == before
