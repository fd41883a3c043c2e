"""The page for an image of the reader's own: empty, normal and failed; nothing kept, nothing loaded too early."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import upload_child
from tests.core import uploads
from tests.core import volumes as nifti
from tests.pages import small, small_volumes
from tests.pages.small import MODELS, ROOT, open_page, panels, said

FORGET, RUN = "Forget now", "Check and run"
NOTICE = "Research and teaching use only. Not a medical device. Not for diagnosis or treatment."


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No child process: it takes a second to start, and has tests of its own."""
    monkeypatch.setattr(upload_child, "admitted", upload_child.admit)
    monkeypatch.setattr(upload_child, "reference", upload_child.read_reference)


@pytest.fixture
def pictures(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Networks for ultrasound, answered by stand-ins."""
    small.answer_for_the_networks(monkeypatch)
    return shutil.copytree(small.phantoms_and_real(), artifacts)


@pytest.fixture
def volumes(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Networks for CT, answered by stand-ins."""
    monkeypatch.setattr(small, "stand_in", small_volumes.stand_in)
    small.answer_for_the_networks(monkeypatch)
    return shutil.copytree(small_volumes.prepared(), artifacts)


def press(page, label: str):
    """Press the button whose label begins so."""
    next(button for button in page.button if button.label.startswith(label)).click().run()
    return page


def has(page, label: str) -> bool:
    return any(button.label.startswith(label) for button in page.button)


def hand_over(*contents: bytes, reference: bytes = b""):
    """The page after these files were sent and checked, and the networks have worked."""
    page = open_page("try_image")
    page.default_timeout = 120  # a volume is some work, and the machine may be busy
    page.file_uploader[0].set_value([(f"Doe^Jane-{k}", c, "") for k, c in enumerate(contents)])
    if reference:
        page.file_uploader[1].set_value(("Doe^Jane-mask", reference, ""))
    page.run()
    return press(page, RUN)


def titles(page) -> list[str]:
    return [panel["title"] for panel in panels(page)]


# ---- empty


def test_before_a_file_is_given_the_page_says_what_it_reads_and_offers_nothing_to_press(pictures):
    page = open_page("try_image")
    text = said(page)
    assert NOTICE in text
    assert "stays in the memory of this session" in text
    assert "trained on BUSI" in text
    assert next(button for button in page.button if button.label.startswith(RUN)).disabled
    assert not has(page, FORGET)


def test_without_networks_the_page_names_the_command(artifacts):
    text = said(open_page("try_image"))
    assert "No trained network for liver CT" in text
    assert "python -m core train lits unet" in text


def test_networks_that_saw_phantoms_alone_are_announced_loudly(artifacts, monkeypatch):
    small.answer_for_the_networks(monkeypatch)
    shutil.copytree(small.phantoms_only(), artifacts)
    page = hand_over(uploads.picture(uploads.ultrasound()))
    assert any("computer-drawn phantoms" in error.value for error in page.error)
    assert panels(page)[1]["run"].startswith("phantom_busi-unet-0")


# ---- normal


def test_a_picture_passes_every_step_and_is_outlined_by_three_networks(pictures):
    page = hand_over(uploads.picture(uploads.ultrasound()))
    assert not page.exception
    text = said(page)
    assert titles(page) == ["Image", "U-Net", "MultiResUNet", "DC-UNet"]
    assert all(panel["labels"] >= 0 for panel in panels(page)[1:])
    for step in ("Read", "Orientation", "Range", "De-identify"):
        assert f"**{step}**" in text
    assert text.count(NOTICE) >= 2
    assert "Votes:" in text
    assert "Disagreement" in text
    assert "Dice" not in text
    assert has(page, FORGET)


def test_a_reference_gives_scores_and_is_drawn(pictures):
    page = hand_over(uploads.picture(uploads.ultrasound()), reference=uploads.mask())
    assert titles(page)[0] == "Image + reference"
    assert panels(page)[0]["labels"] >= 0
    assert "2 TP / (2 TP + FP + FN)" in said(page)


def test_a_volume_is_outlined_in_every_slice_with_volumes_in_ml(volumes):
    page = hand_over(uploads.volume("LAS"), reference=uploads.outline())
    assert not page.exception
    assert titles(page) == ["Image + reference", "U-Net", "MultiResUNet", "DC-UNet"]
    assert all(panel["labels"] >= 0 for panel in panels(page))
    text = said(page)
    assert "Liver in the whole volume" in text
    assert " ml" in text


def test_a_volume_opens_where_most_tumour_is(volumes):
    areas = (uploads.abdomen()[1] == 2).sum(axis=(1, 2))
    page = hand_over(uploads.volume(), reference=uploads.outline())
    start = small.block(page)["slices"]["start"]
    assert areas[start] == areas.max() > 0
    assert start != len(areas) // 2


def test_a_dicom_series_is_read_like_a_volume(volumes):
    page = hand_over(*uploads.ct_slices())
    assert not page.exception
    assert "DICOM series of 12 CT slices" in said(page)
    assert all(panel["labels"] >= 0 for panel in panels(page)[1:])


def test_an_explanation_is_computed_on_request_and_drawn_as_on_the_heatmaps_page(pictures):
    page = press(hand_over(uploads.picture(uploads.ultrasound())), "Explain this picture")
    assert not page.exception
    heats = [panel["heat"] for panel in panels(page)[1:]]
    assert all(heats)
    assert len({heat["limit"] for heat in heats}) == 1
    assert not has(page, "Explain")


def test_a_slice_of_a_volume_is_explained_alone(volumes):
    page = press(hand_over(uploads.volume()), "Explain slice ")
    assert not page.exception
    told = small.block(page)["slices"]
    assert told["heat"] == told["start"]
    assert all(panel["heat"] for panel in panels(page)[1:])


def test_of_a_very_long_volume_the_middle_is_drawn_and_all_is_counted(volumes):
    shown = np.repeat(uploads.abdomen()[0], 35, axis=0)
    page = hand_over(nifti.content(*nifti.stored_as(shown, "RAS")))
    assert not page.exception
    assert "Slices 110 to 309 of 420 are drawn" in said(page)
    assert all(panel["labels"] >= 0 for panel in panels(page)[1:])


def test_an_image_unlike_the_training_images_is_named_with_statistic_and_value(pictures):
    stripes = np.where(np.indices((120, 120))[1] // 9 % 2, 255, 0).astype(np.uint8)
    page = hand_over(uploads.picture(stripes))
    (warning,) = [w.value for w in page.warning if "Far from the training data" in w.value]
    assert "contrast (standard deviation) 0." in warning.replace("\\", "")
    assert "492 images" in warning


# ---- failed


BAD = {
    "colour photograph": (
        uploads.picture(np.dstack([uploads.ultrasound()] * 3) // np.array([1, 2, 4], np.uint8)),
        "colour",
    ),
    "constant": (uploads.picture(np.full((90, 90), 7, np.uint8)), "one grey level"),
    "bomb": (uploads.bomb(), "14000"),
    "cut short": (uploads.picture(uploads.ultrasound())[:-200], "ends in the middle"),
    "4-D": (uploads.volume(dim=(4, 70, 60, 12, 2, 1, 1, 1)), "time or phases"),
    "lying volume": (uploads.volume(dim=(3, 512, 512, 500, 1, 1, 1, 1)), "expected"),
    "magnetic resonance": (uploads.dicom(uploads.ultrasound(), "MR"), "MR"),
    "compressed dicom": (uploads.dicom(uploads.ultrasound(), "US", uploads.RUN_LENGTH), "RLE"),
    "text": (b"dear doctor", "of a kind that is not read here"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_in_words_and_another_can_be_given(content, words, pictures):
    page = hand_over(content)
    assert not page.exception
    (error,) = page.error
    assert error.proto.title == "This file was not read"
    assert words in error.value.replace("\\", "")
    assert "Traceback" not in said(page)
    assert len(page.file_uploader) == 2


def test_a_reference_that_does_not_fit_is_refused_in_words(pictures):
    page = hand_over(
        uploads.picture(uploads.ultrasound()), reference=uploads.picture(np.zeros((50, 50), np.uint8))
    )
    assert "like its picture" in page.error[0].value


def test_a_network_that_is_refused_says_so_and_the_others_answer(pictures, monkeypatch):
    from core import RunRefused

    engine = sys.modules["core.explain.engine"]
    answer = engine.predict

    def predict(run, layers, images):
        if run.model == "unet":
            raise RunRefused("weights of busi-unet-0: golden output differs")
        return answer(run, layers, images)

    monkeypatch.setattr(engine, "predict", predict)
    page = hand_over(uploads.picture(uploads.ultrasound()))
    assert panels(page)[1]["message"] == "weights of busi-unet-0: golden output differs"
    assert panels(page)[2]["labels"] >= 0
    monkeypatch.setattr(engine, "predict", answer)
    assert panels(press(page, "Go on"))[1]["labels"] >= 0


def test_a_computation_that_is_stopped_keeps_what_is_done_and_goes_on_there(volumes, monkeypatch):
    from pages.parts import upload_state

    engine = sys.modules["core.explain.engine"]
    answer, sizes = engine.predict, []

    def predict(run, layers, images):
        sizes.append(len(images))
        if (
            len(sizes) == 2
        ):  # as if Stop had been pressed meanwhile: Streamlit ends the run at the next report
            from streamlit.runtime.scriptrunner import get_script_run_ctx

            upload_state.stop()
            get_script_run_ctx().script_requests.request_stop()
        return answer(run, layers, images)

    monkeypatch.setattr(engine, "predict", predict)
    page = hand_over(uploads.volume())
    page.run()
    assert sizes == [8, 4]
    assert "12 of 36 slices done" in said(page)
    press(page, "Go on")
    assert sizes == [8, 4] * 3
    assert all(panel["labels"] >= 0 for panel in panels(page)[1:])


# ---- nothing is kept


def on_disk(*folders: Path) -> dict[Path, int]:
    """Every file under some folders with the time of its last change."""
    return {p: p.stat().st_mtime_ns for folder in folders for p in folder.rglob("*") if p.is_file()}


def test_nothing_of_an_image_reaches_the_disk_but_its_kind_and_size(pictures, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    content = uploads.dicom(uploads.ultrasound(), "US")
    before = on_disk(pictures, temporary)
    page = press(hand_over(content, reference=uploads.mask()), "Explain this picture")
    hand_over(uploads.bomb())
    press(page, FORGET)
    after = on_disk(pictures, temporary)
    assert {path: time for path, time in after.items() if path.parent != pictures / "audit"} == before
    (log,) = (pictures / "audit").glob("*.jsonl")
    (line,) = log.read_text().splitlines()
    told = json.loads(line)
    assert {name: told[name] for name in told if name not in ("time", "format")} == {
        "action": "upload",
        "page": "try_image",
        "kind": "breast ultrasound",
        "bytes": len(content),
    }


def test_nothing_that_names_the_patient_is_on_the_page(pictures):
    page = hand_over(uploads.dicom(uploads.ultrasound(), "US"))
    everything = said(page) + repr(page.get("bidi_component")[0].proto.bytes)
    assert "Doe" not in everything
    assert "4711" not in everything


def test_forget_now_leaves_the_empty_form(pictures):
    page = press(hand_over(uploads.picture(uploads.ultrasound())), FORGET)
    assert not page.exception
    assert len(page.file_uploader) == 2
    assert page.file_uploader[0].value in (None, [])
    assert "own" not in page.session_state
    assert not page.get("bidi_component")


def test_the_image_is_no_part_of_the_address(pictures):
    assert not hand_over(uploads.picture(uploads.ultrasound())).query_params.get("case")


def test_pixels_are_compressed_in_the_session_not_for_everybody(pictures, monkeypatch):
    from pages.parts import cached

    packed = []
    monkeypatch.setattr(cached, "compressed", lambda name, content: packed.append(name))
    hand_over(uploads.picture(uploads.ultrasound()))
    assert packed == []


def test_tensorflow_is_loaded_by_no_step_before_the_networks(pictures):
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.core import uploads\n"
        "from tests.pages.small import open_page\n"
        "page = open_page('try_image')\n"
        "page.file_uploader[0].set_value([('a', uploads.picture(uploads.ultrasound()), '')]).run()\n"
        "assert not page.exception\n"
        "print([m for m in ('tensorflow', 'keras', 'pydicom', 'nibabel', 'scipy') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["P", "RGBA", "1"])
def test_odd_but_good_pictures_are_read(mode, pictures):
    out = io.BytesIO()
    Image.fromarray(uploads.ultrasound()).convert(mode).save(out, "PNG")
    page = hand_over(out.getvalue())
    assert not page.error
    assert len(panels(page)) == 1 + len(MODELS)
