"""CT volumes of a reader's own, as NIfTI and as DICOM: what is read of them, and what is refused in words."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from core import preprocess, upload_child, upload_dicom
from core.datasets import lits
from core.errors import DataRefused
from tests.core import uploads
from tests.core import volumes as files

PICTURES, LABELS = uploads.abdomen()


def admit(*contents: bytes):
    """What an upload of these files gives, and the steps that passed."""
    steps: list[tuple[str, str]] = []
    return upload_child.admit(list(contents), lambda *step: steps.append(step)), steps


def refused(*contents: bytes) -> DataRefused:
    with pytest.raises(DataRefused) as caught:
        admit(*contents)
    return caught.value


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PLI", "SAR"])
@pytest.mark.parametrize("packed", [True, False])
def test_a_volume_is_shown_the_same_however_it_is_stored(codes, packed):
    found, steps = admit(uploads.volume(codes, packed=packed))
    np.testing.assert_array_equal(found.pictures, PICTURES)
    np.testing.assert_array_equal(found.images, preprocess.network_stack(PICTURES, lits.WINDOW_HU))
    np.testing.assert_allclose(found.spacing_mm, files.SPACING, rtol=1e-6)
    assert found.layout == "lits"
    assert [step for step, _ in steps] == ["Read", "Orientation", "Range", "De-identify"]


def test_text_fields_of_the_header_are_not_kept():
    found, steps = admit(uploads.volume(descrip=uploads.PATIENT.encode()))
    assert uploads.PATIENT not in f"{vars(found)} {steps}"


def test_a_file_that_does_not_say_how_the_patient_lies_is_warned_about():
    found, _ = admit(uploads.volume(sform_code=0))
    assert any("left and right may be exchanged" in words for words in found.warned)


def _stored(shown: np.ndarray, **lies) -> bytes:
    return files.content(*files.stored_as(shown, "RAS"), **lies)


RAW = uploads.volume(packed=False)
PACKED = uploads.volume()
BAD = {
    "4-D": (
        files.content(np.zeros((20, 20, 5), np.int16), np.eye(4), dim=(4, 20, 20, 5, 3, 1, 1, 1)),
        "shape",
    ),
    "lying size": (uploads.volume(dim=(3, 512, 512, 500, 1, 1, 1, 1)), "less_than_declared"),
    "too many voxels": (uploads.volume(dim=(3, 512, 512, 699, 1, 1, 1, 1)), "too_large"),
    "too many slices": (uploads.volume(dim=(3, 60, 70, 701, 1, 1, 1, 1)), "too_large"),
    "more than memory": (uploads.volume(dim=(3, 9000, 9000, 900, 1, 1, 1, 1)), "too_large"),
    "cut short": (PACKED[: len(PACKED) // 2], "damaged"),
    "header alone": (RAW[:352], "less_than_declared"),
    "half a header": (RAW[:348] + b"\0", "truncated"),
    "pair file": (uploads.volume(packed=False, magic=b"ni1\0"), "magic"),
    "nifti 2": ((540).to_bytes(4, "little") + bytes(600), "magic"),
    "trailing": (RAW + bytes(5000), "more_than_declared"),
    "extension bomb": (uploads.volume(vox_offset=1e8), "offset"),
    "no geometry": (uploads.volume(srow=(0.0,) * 12), "geometry"),
    "labels": (_stored(LABELS), "swapped"),
    "a picture": (_stored(np.clip(PICTURES, 0, 200).astype(np.uint8)), "picture"),
    "one value": (_stored(np.full_like(PICTURES, -1000)), "constant"),
    "no CT numbers": (_stored((PICTURES.astype(np.int32) + 9000).astype(np.int16)), "not_ct"),
    "nan": (_stored(np.full(PICTURES.shape, np.nan, np.float32)), "values"),
    "gzip of text": (gzip.compress(b"dear doctor" * 100), "magic"),
}


@pytest.mark.parametrize(("content", "code"), BAD.values(), ids=BAD)
def test_a_bad_volume_is_refused_in_words(content, code):
    error = refused(content)
    assert error.code == code
    assert len(str(error)) > 20


def test_a_fourth_dimension_is_named():
    assert "time or phases" in str(refused(BAD["4-D"][0]))


def test_a_flipped_bit_in_a_packed_volume_never_passes_with_other_voxels():
    for at in np.random.default_rng(0).integers(20, len(PACKED), 40):
        damaged = bytearray(PACKED)
        damaged[at] ^= 1
        assert refused(bytes(damaged)).code


@pytest.mark.parametrize("codes", ["RAS", "LPS", "ASR"])
def test_an_outline_may_be_stored_in_another_order_than_its_volume(codes):
    found, _ = admit(uploads.volume("LAS"))
    labels = upload_child.read_reference(uploads.outline(codes), (60, 70), found.grid)
    np.testing.assert_array_equal(labels, LABELS)


def _outline_elsewhere() -> bytes:
    stored, affine = files.stored_as(LABELS, "RAS")
    affine[0, 3] += 5
    return files.content(stored, affine)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (uploads.volume(), "swapped"),
        (_outline_elsewhere(), "affine_mismatch"),
        (_stored(LABELS[:-1]), "shape_mismatch"),
        (_stored(LABELS + 1), "labels"),
        (uploads.mask(), "kind"),
        (uploads.outline()[:-30], "damaged"),
    ],
)
def test_a_bad_outline_is_refused_in_words(content, code):
    found, _ = admit(uploads.volume())
    with pytest.raises(DataRefused) as caught:
        upload_child.read_reference(content, (60, 70), found.grid)
    assert caught.value.code == code


# ---- DICOM


def test_a_series_in_any_order_gives_the_volume_in_hu():
    contents = uploads.ct_slices()
    found, steps = admit(*[contents[at] for at in np.random.default_rng(1).permutation(len(contents))])
    np.testing.assert_array_equal(found.pictures, PICTURES)
    np.testing.assert_allclose(found.spacing_mm, (3.0, 0.7, 0.9))
    assert found.grid.axcodes == "LPS"
    assert "sorted by position" in steps[0][1]


def test_a_series_agrees_with_the_same_volume_as_nifti():
    series, _ = admit(*uploads.ct_slices())
    volume, _ = admit(uploads.volume("RAI"))
    np.testing.assert_array_equal(series.images, volume.images)


def test_slices_taken_along_another_axis_are_turned_for_display():
    cosines, normal = (
        [0, 1, 0, 0, 0, -1],
        np.array([-1.0, 0, 0]),
    )  # sagittal: along to the back, down to the feet
    turned = PICTURES[::-1].transpose(2, 0, 1)  # by column from the patient's right: (column, slice, row)
    contents = [
        uploads.dicom(
            (one + 1024).astype(np.uint16), "CT", RescaleSlope=1, RescaleIntercept=-1024,
            PixelSpacing=[3.0, 0.7], SliceThickness=1, ImageOrientationPatient=cosines,
            ImagePositionPatient=list(-0.9 * at * normal + [0, -20, 50]),
        )
        for at, one in enumerate(np.pad(turned, ((0, 0), (0, 30), (0, 0)), constant_values=-1000))
    ]  # fmt: skip
    found, _ = admit(*contents)
    np.testing.assert_array_equal(found.pictures[30:], PICTURES)
    np.testing.assert_allclose(found.spacing_mm, (3.0, 0.7, 0.9))


def test_the_distance_of_slices_is_that_of_their_positions_not_the_thickness():
    found, _ = admit(*uploads.ct_slices(spacing=2.0, SliceThickness=5))
    assert found.spacing_mm[0] == pytest.approx(2.0)


def test_a_single_ct_slice_is_a_volume_of_one():
    found, _ = admit(uploads.ct_slices()[5])
    np.testing.assert_array_equal(found.pictures, PICTURES[5:6])
    assert found.spacing_mm[0] == pytest.approx(5.0)


def test_signed_values_and_implicit_headers_are_read():
    contents = [
        uploads.dicom(
            shown, "CT", uploads.IMPLICIT, RescaleSlope=1, RescaleIntercept=0, PixelSpacing=[1, 1],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=[0, 0, k],
        )
        for k, shown in enumerate(PICTURES)
    ]  # fmt: skip
    np.testing.assert_array_equal(admit(*contents)[0].pictures, PICTURES)


def test_bits_above_those_that_are_stored_are_ignored():
    values = np.array([[0x0FFF, 0xF001, 0x8000]], np.uint16)
    np.testing.assert_array_equal(upload_dicom._signed(values, 16, 12), [[-1, 1, 0]])


def test_an_ultrasound_frame_is_a_picture():
    grey = uploads.ultrasound()
    for pixels in (grey, np.stack([grey] * 3, axis=-1)):
        found, steps = admit(uploads.dicom(pixels, "US"))
        np.testing.assert_array_equal(found.pictures[0], grey)
        assert found.layout == "busi"
        assert "ultrasound" in steps[0][1]


def test_inverted_grey_is_turned_the_right_way_round():
    found, _ = admit(uploads.dicom(255 - uploads.ultrasound(), "US", PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(found.pictures[0], uploads.ultrasound())


def test_no_name_number_or_date_of_the_patient_leaves_the_parser():
    for contents in ([uploads.dicom(uploads.ultrasound(), "US")], uploads.ct_slices()):
        found, steps = admit(*contents)
        text = f"{vars(found)} {steps}"
        assert not any(secret in text for secret in (uploads.PATIENT, "Doe", "4711", "19700101"))
        assert any(step == "De-identify" for step, _ in steps)


def test_text_that_the_header_says_is_burned_in_is_warned_about():
    found, _ = admit(uploads.dicom(uploads.ultrasound(), "US", BurnedInAnnotation="YES"))
    assert any("burned into the picture" in words for words in found.warned)


def test_uneven_distances_are_told():
    places = [0, 3.0, 6.4, 9.4]
    contents = [uploads.ct_slices(ImagePositionPatient=[0, 0, z])[5] for z in places]
    assert any("unevenly spaced" in words for words in admit(*contents)[0].warned)


CT = uploads.ct_slices()
US = uploads.dicom(uploads.ultrasound(), "US")
BAD_DICOM = {
    "magnetic resonance": ([uploads.dicom(uploads.ultrasound(), "MR")], "modality"),
    "two ultrasound frames": ([US, US], "modality"),
    "ultrasound among ct": ([*CT[:3], US], "modality"),
    "run-length compressed": ([uploads.dicom(uploads.ultrasound(), "US", uploads.RUN_LENGTH)], "compressed"),
    "big endian": ([uploads.dicom(uploads.ultrasound(), "US", uploads.BIG_ENDIAN)], "compressed"),
    "film": ([uploads.dicom(uploads.ultrasound(), "US", NumberOfFrames=30)], "frames"),
    "colour": (
        [uploads.dicom(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8), "US")],
        "colour",
    ),
    "palette": (
        [uploads.dicom(uploads.ultrasound(), "US", PhotometricInterpretation="PALETTE COLOR")],
        "mode",
    ),
    "fewer pixels than declared": ([uploads.dicom(uploads.ultrasound(), "US", Rows=4000)], "damaged"),
    "too large": ([uploads.dicom(uploads.ultrasound(), "US", Rows=60000, Columns=60000)], "size"),
    "cut short": ([US[: len(US) // 2]], "damaged"),
    "header alone": ([US[:132]], "compressed"),
    "no pixels": ([uploads.dicom(uploads.ultrasound(), "US", PixelData=None)], "damaged"),
    "index of a disc": ([uploads.dicom(uploads.ultrasound(), "US", storage=upload_dicom._INDEX)], "dicomdir"),
    "a slice missing": ([*CT[:5], *CT[6:]], "gap"),
    "a slice twice": ([*CT, CT[4]], "positions"),
    "two series": ([*CT[:6], *uploads.ct_slices(SeriesInstanceUID="1.2.3.5")[6:]], "series"),
    "two sizes": (
        [CT[0], uploads.dicom(np.zeros((64, 64), np.uint16), "CT", ImagePositionPatient=[0, 0, 9])],
        "shape_mismatch",
    ),
    "no position": (uploads.ct_slices(ImagePositionPatient=None), "geometry"),
    "impossible directions": (uploads.ct_slices(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "geometry"),
    "a scout among them": ([*CT, *uploads.ct_slices(ImageOrientationPatient=[1, 0, 0, 0, 0, -1])[:1]], "geometry"),
    "no CT numbers": (uploads.ct_slices(RescaleSlope=None), "scale"),
    "slope zero": (uploads.ct_slices(RescaleSlope=0), "scale"),
    "one value": ([uploads.ct_slices(RescaleSlope=1e-9)[0]], "constant"),
}  # fmt: skip


@pytest.mark.parametrize(("contents", "code"), BAD_DICOM.values(), ids=BAD_DICOM)
def test_bad_dicom_is_refused_in_words(contents, code):
    error = refused(*contents)
    assert error.code == code
    assert len(str(error)) > 20
    assert uploads.PATIENT not in str(error)


def test_changed_bytes_in_a_header_end_in_words_or_in_the_same_pixels():
    rng, start = np.random.default_rng(7), CT[5].index(b"\xe0\x7f\x10\x00")
    for at in rng.integers(132, start, 150):
        damaged = bytearray(CT[5])
        damaged[at] ^= 1 << int(rng.integers(8))
        try:
            found, _ = admit(bytes(damaged))
        except DataRefused:
            continue
        assert found.pictures.shape[0] == 1
