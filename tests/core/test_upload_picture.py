"""Pictures of a reader's own: what is read of them, and what is refused in words."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core import preprocess, upload_child
from core.datasets import busi
from core.errors import DataRefused
from tests.core import uploads


def admit(*contents: bytes):
    """What an upload of these files gives, and the steps that passed."""
    steps: list[tuple[str, str]] = []
    return upload_child.admit(list(contents), lambda *step: steps.append(step)), steps


def refused(*contents: bytes) -> DataRefused:
    with pytest.raises(DataRefused) as caught:
        admit(*contents)
    return caught.value


GREY = uploads.ultrasound()
COLOUR = np.stack([GREY, GREY // 2, 255 - GREY], axis=-1)


def test_a_grey_png_comes_through_unchanged_and_passes_four_steps():
    found, steps = admit(uploads.picture(GREY))
    np.testing.assert_array_equal(found.pictures[0], GREY)
    np.testing.assert_array_equal(found.images[0], preprocess.network_image(GREY))
    assert [step for step, _ in steps] == ["Read", "Orientation", "Range", "De-identify"]
    assert found.layout == "busi"
    assert found.spacing_mm is None
    assert found.warned == ()


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_by_its_full_range(form):
    found, _ = admit(uploads.picture(GREY.astype(np.uint16) * 257, form))
    np.testing.assert_array_equal(found.pictures[0], GREY)


@pytest.mark.parametrize(("form", "most"), [("TIFF", 0), ("JPEG", 30)])
def test_jpeg_and_tiff_are_read_as_well(form, most):
    found, _ = admit(uploads.picture(GREY, form, **({"quality": 95} if form == "JPEG" else {})))
    assert np.abs(found.pictures[0].astype(int) - GREY).max() <= most


def test_palette_and_alpha_become_grey():
    for mode in ("P", "RGBA", "RGB"):
        out = io.BytesIO()
        Image.fromarray(GREY).convert(mode).save(out, "PNG")
        found, _ = admit(out.getvalue())
        np.testing.assert_array_equal(found.pictures[0], GREY)


def test_text_in_the_file_is_not_kept_anywhere():
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    told.add_text("Patient", uploads.PATIENT)
    found, steps = admit(uploads.picture(GREY, pnginfo=told))
    assert uploads.PATIENT not in f"{vars(found)} {steps}"
    assert any(step == "De-identify" for step, _ in steps)


def test_drawn_marks_are_warned_about():
    marked = GREY.copy()
    for column in (40, 60, 150):
        marked[100:116, column : column + 2] = 255
    assert busi.upright_strokes(marked) >= busi.MIN_STROKES
    found, _ = admit(uploads.picture(marked))
    assert "burned-in-marks" in found.flags
    assert any("Text or calliper marks" in words for words in found.warned)


def test_a_small_coloured_frame_is_warned_about_and_read():
    framed = np.stack([GREY] * 3, axis=-1)
    framed[:4, :, 0] = 255
    found, _ = admit(uploads.picture(framed))
    assert any("coloured" in words for words in found.warned)


def _cmyk() -> bytes:
    out = io.BytesIO()
    Image.new("CMYK", (100, 100)).save(out, "JPEG")
    return out.getvalue()


def _pages() -> bytes:
    out = io.BytesIO()
    one = Image.fromarray(GREY)
    one.save(out, "TIFF", save_all=True, append_images=[one])
    return out.getvalue()


BAD = {
    "colour photograph": (uploads.picture(COLOUR), "colour"),
    "colour jpeg": (uploads.picture(COLOUR, "JPEG"), "colour"),
    "one grey level": (uploads.picture(np.full((90, 90), 77, np.uint8)), "constant"),
    "bomb": (uploads.bomb(), "size"),
    "tiny": (uploads.picture(GREY[:20, :20]), "size"),
    "tiny jpeg": (uploads.picture(GREY[:20, :20], "JPEG"), "size"),
    "huge tiff": (uploads.picture(np.zeros((9000, 40), np.uint8), "TIFF", compression="tiff_lzw"), "size"),
    "png cut short": (uploads.picture(GREY)[:-300], "truncated"),
    "jpeg cut short": (uploads.picture(GREY, "JPEG")[:-900], "damaged"),
    "tiff cut short": (uploads.picture(GREY, "TIFF")[:-900], "damaged"),
    "tiff of two pages": (_pages(), "frames"),
    "cmyk jpeg": (_cmyk(), "mode"),
    "decimals": (uploads.picture(GREY.astype(np.float32), "TIFF"), "mode"),
    "gif": (uploads.picture(GREY, "GIF"), "kind"),
    "text": (b"dear doctor, please find attached", "kind"),
    "pdf": (b"%PDF-1.7\n" + bytes(1000), "kind"),
    "archive": (b"PK\x03\x04" + bytes(1000), "kind"),
    "nothing": (b"", "empty"),
}


@pytest.mark.parametrize(("content", "code"), BAD.values(), ids=BAD)
def test_a_bad_picture_is_refused_in_words(content, code):
    error = refused(content)
    assert error.code == code
    assert len(str(error)) > 20


def test_a_flipped_bit_in_a_png_never_passes():
    content = uploads.picture(GREY[:64, :64])
    for at in np.random.default_rng(0).integers(8, len(content), 60):
        damaged = bytearray(content)
        damaged[at] ^= 1
        assert refused(bytes(damaged)).code


def test_two_pictures_at_once_are_refused():
    assert refused(uploads.picture(GREY), uploads.picture(GREY)).code == "several"


def test_a_mask_becomes_labels_0_and_1():
    labels = upload_child.read_reference(uploads.mask(), GREY.shape, None)
    np.testing.assert_array_equal(labels[0], uploads.lesion())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (uploads.picture(uploads.lesion((80, 90)).astype(np.uint8) * 255), "mask_size"),
        (uploads.picture(GREY), "mask_values"),
        (uploads.picture(GREY, "JPEG"), "not_png"),
        (uploads.outline(), "kind"),
        (uploads.mask()[:-40], "truncated"),
        (b"", "empty"),
    ],
)
def test_a_bad_mask_is_refused_in_words(content, code):
    with pytest.raises(DataRefused) as caught:
        upload_child.read_reference(content, GREY.shape, None)
    assert caught.value.code == code
