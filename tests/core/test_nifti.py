"""The NIfTI gate: what it refuses, what it accepts, and that every orientation is shown alike."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from core import nifti
from core.errors import DataRefused
from tests.core.volumes import CODES, SPACING, anatomy, content, stored_as, write

PICTURES, LABELS = anatomy()
STORED, AFFINE = stored_as(PICTURES, "LPS")
RAW = content(STORED, AFFINE)
PACKED = gzip.compress(RAW)
NAN, INF = float("nan"), float("inf")


def with_affine(column: int, values: tuple[float, float, float]) -> dict[str, Any]:
    affine = AFFINE.copy()
    affine[:3, column] = values
    return {"srow": tuple(affine[:3].ravel())}


def floats(value: float) -> np.ndarray:
    stored = STORED.astype("f4")
    stored[3, 4, 5] = value
    return stored


def extension_bomb() -> bytes:
    """The voxels begin behind an extension of 100 MB that the header declares and the file does not hold."""
    raw = bytearray(content(STORED, AFFINE, vox_offset=100e6))
    raw[348:352] = b"\1\0\0\0"
    return bytes(raw[:352]) + struct.pack("<ii", 100_000_000, 6) + bytes(1000)


HOSTILE: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.nii", b"", "truncated"),
    "empty gzip": ("a.nii.gz", gzip.compress(b""), "truncated"),
    "short header": ("a.nii", RAW[:351], "truncated"),
    "short header, packed": ("a.nii.gz", gzip.compress(RAW[:200]), "truncated"),
    "a picture": ("a.nii", b"\x89PNG\r\n\x1a\n" + bytes(400), "magic"),
    "dicom": ("a.nii", bytes(128) + b"DICM" + bytes(400), "dicom"),
    "nifti-2": ("a.nii", content(STORED, AFFINE, magic=b"n+2\0"), "magic"),
    "header of a pair": ("a.nii", content(STORED, AFFINE, magic=b"ni1\0"), "magic"),
    "header length": ("a.nii", content(STORED, AFFINE, sizeof_hdr=540), "shape"),
    "dim 0": ("a.nii", content(STORED, AFFINE, dim=(3, 24, 0, 30, 1, 1, 1, 1)), "shape"),
    "dim negative": ("a.nii", content(STORED, AFFINE, dim=(3, 24, -20, 30, 1, 1, 1, 1)), "shape"),
    "2-D": ("a.nii", content(STORED, AFFINE, dim=(2, 24, 20, 1, 1, 1, 1, 1)), "shape"),
    "4-D": ("a.nii", content(STORED, AFFINE, dim=(4, 24, 20, 15, 2, 1, 1, 1)), "shape"),
    "7-D, trailing ones": ("a.nii", content(STORED, AFFINE, dim=(7, 24, 20, 30, 1, 1, 1, 1)), "shape"),
    "sizes too large": ("a.nii", content(STORED, AFFINE, dim=(3, 32767, 32767, 32767, 1, 1, 1, 1)), "too_large"),
    "lying sizes": ("a.nii", content(STORED, AFFINE, dim=(3, 1000, 1000, 1000, 1, 1, 1, 1)), "less_than_declared"),
    "lying sizes, packed": (
        "a.nii.gz",
        gzip.compress(content(STORED, AFFINE, dim=(3, 1000, 1000, 1000, 1, 1, 1, 1))[:352]),
        "less_than_declared",
    ),
    "small sizes": ("a.nii", content(STORED, AFFINE, dim=(3, 8, 8, 8, 1, 1, 1, 1)), "more_than_declared"),
    "gzip bomb": ("a.nii.gz", gzip.compress(RAW + bytes(60_000_000), 9), "more_than_declared"),
    "trailing data": ("a.nii", RAW + bytes(4097), "more_than_declared"),
    "one byte short": ("a.nii", RAW[:-1], "less_than_declared"),
    "one byte short, packed": ("a.nii.gz", gzip.compress(RAW[:-1]), "less_than_declared"),
    "gzip cut short": ("a.nii.gz", PACKED[: len(PACKED) // 2], "damaged"),
    "gzip without its checksum": ("a.nii.gz", PACKED[:-8], "damaged"),
    "rubbish behind gzip": ("a.nii.gz", PACKED + b"rubbish", "damaged"),
    "packed, named .nii": ("a.nii", PACKED, "name"),
    "plain, named .nii.gz": ("a.nii.gz", RAW, "name"),
    "another name": ("a.img", RAW, "name"),
    "offset NaN": ("a.nii", content(STORED, AFFINE, vox_offset=NAN), "offset"),
    "offset negative": ("a.nii", content(STORED, AFFINE, vox_offset=-352), "offset"),
    "offset infinite": ("a.nii", content(STORED, AFFINE, vox_offset=INF), "offset"),
    "offset in the header": ("a.nii", content(STORED, AFFINE, vox_offset=0), "offset"),
    "offset not whole": ("a.nii", content(STORED, AFFINE, vox_offset=352.5), "offset"),
    "extension bomb": ("a.nii", extension_bomb(), "offset"),
    "complex": ("a.nii", content(STORED, AFFINE, datatype=32, bitpix=64), "type"),
    "RGB": ("a.nii", content(STORED, AFFINE, datatype=128, bitpix=24), "type"),
    "bits that do not fit": ("a.nii", content(STORED, AFFINE, bitpix=8), "type"),
    "slope infinite": ("a.nii", content(STORED, AFFINE, scl_slope=INF), "slope"),
    "intercept NaN": ("a.nii", content(STORED, AFFINE, scl_slope=1, scl_inter=NAN), "slope"),
    "affine NaN": ("a.nii", content(STORED, AFFINE, **with_affine(1, (NAN, 0, 0))), "geometry"),
    "affine infinite": ("a.nii", content(STORED, AFFINE, **with_affine(3, (INF, 0, 0))), "geometry"),
    "affine huge": ("a.nii", content(STORED, AFFINE, **with_affine(0, (3e38, 3e38, 0))), "geometry"),
    "affine zero": ("a.nii", content(STORED, AFFINE, **with_affine(1, (0, 0, 0))), "geometry"),
    "affine in one plane": ("a.nii", content(STORED, AFFINE, **with_affine(1, (1, 0, 0))), "geometry"),
    "spacing NaN": ("a.nii", content(STORED, AFFINE, pixdim=(1, 1, NAN, 1, 0, 0, 0, 0)), "geometry"),
    "spacing zero": ("a.nii", content(STORED, AFFINE, pixdim=(1, 1, 1, 0, 0, 0, 0, 0)), "geometry"),
    "spacing of 51 mm": ("a.nii", content(STORED, AFFINE, **with_affine(2, (0, 0, 51))), "geometry"),
    "quaternion too long": (
        "a.nii",
        content(STORED, AFFINE, sform_code=0, qform_code=1, quatern=(1, 1, 1)),
        "geometry",
    ),
    "NaN voxel": ("a.nii", content(floats(NAN), AFFINE), "values"),
    "infinite voxel": ("a.nii.gz", gzip.compress(content(floats(INF), AFFINE)), "values"),
    "beyond float32": ("a.nii", content(floats(1).astype("f8") * 1e300, AFFINE), "values"),
    "slope too steep": ("a.nii", content(floats(1e30), AFFINE, scl_slope=1e30), "values"),
    "a picture's grey levels": ("a.nii", content(STORED.clip(0, 255), AFFINE), "picture"),
    "labels for CT": ("a.nii", content(STORED.clip(0, 2), AFFINE), "swapped"),
    "far from CT": ("a.nii", content(STORED.astype("f4") * 100, AFFINE), "not_ct"),
}  # fmt: skip


def refusal_of(tmp_path: Path, name: str, raw: bytes, **options: Any) -> DataRefused:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataRefused) as refusal:
        nifti.read(tmp_path / name, **options)
    assert str(refusal.value).startswith(name)
    assert str(tmp_path) not in str(refusal.value)
    return refusal.value


@pytest.mark.parametrize(("name", "raw", "code"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_refused_by_name_and_takes_no_memory(
    tmp_path: Path, name: str, raw: bytes, code: str
) -> None:
    tracemalloc.start()
    refusal = refusal_of(tmp_path, name, raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refusal.code == code
    assert peak < 10_000_000  # bytes; the file itself has 29 kB


@pytest.mark.parametrize(
    ("values", "code"),
    [((0, 1, 3), "labels"), ((-1, 0, 1), "labels"), ((0, 0.5, 1), "labels"), ((0, NAN, 1), "labels"),
     ((-900, 40, 300), "swapped"), ((0, 1, 1000), "swapped")],
)  # fmt: skip
def test_a_segmentation_holds_labels_0_to_2_and_nothing_else(
    tmp_path: Path, values: tuple[float, ...], code: str
) -> None:
    stored = np.resize(np.array(values, "f4"), STORED.shape)
    assert refusal_of(tmp_path, "a.nii", content(stored, AFFINE), labels=True).code == code


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_labels_of_any_type_and_byte_order_are_read_alike(
    tmp_path: Path, kind: str, order: str, name: str
) -> None:
    stored, affine = stored_as(LABELS, "RAS")
    scan = nifti.read(write(tmp_path / name, stored.astype(kind), affine, order), labels=True)
    assert scan.voxels.dtype == np.uint8
    np.testing.assert_array_equal(scan.voxels, LABELS)


@pytest.mark.parametrize("kind", ["i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_ct_of_any_type_and_byte_order_is_read_alike(
    tmp_path: Path, kind: str, order: str, name: str
) -> None:
    scan = nifti.read(write(tmp_path / name, STORED.astype(kind), AFFINE, order))
    assert scan.voxels.dtype == (np.int16 if kind.startswith("i") else np.float32)
    np.testing.assert_array_equal(scan.voxels, PICTURES)


@pytest.mark.parametrize(
    ("stored", "slope", "intercept"),
    [((STORED + 1024).astype("u2"), 1, -1024), (STORED // 2, 2, 0), (STORED, 0, 99), (STORED, NAN, NAN)],
)
def test_slope_and_intercept_are_applied_and_none_is_none(
    tmp_path: Path, stored: np.ndarray, slope: float, intercept: float
) -> None:
    path = write(tmp_path / "a.nii.gz", stored, AFFINE, scl_slope=slope, scl_inter=intercept)
    scan = nifti.read(path)
    assert scan.voxels.dtype == np.int16
    np.testing.assert_array_equal(scan.voxels, PICTURES // 2 * 2 if slope == 2 else PICTURES)


def test_a_broken_slope_gives_decimals(tmp_path: Path) -> None:
    scan = nifti.read(write(tmp_path / "a.nii", STORED, AFFINE, scl_slope=0.5))
    assert scan.voxels.dtype == np.float32
    np.testing.assert_array_equal(scan.voxels, PICTURES / 2)


def test_up_to_4096_bytes_and_a_short_extension_may_stand_round_the_voxels(tmp_path: Path) -> None:
    raw = content(STORED, AFFINE, vox_offset=352 + 64)
    raw = raw[:348] + b"\1\0\0\0" + struct.pack("<ii", 64, 6) + b"patient name".ljust(56) + raw[352:]
    (tmp_path / "a.nii").write_bytes(raw + bytes(4096))
    np.testing.assert_array_equal(nifti.read(tmp_path / "a.nii").voxels, PICTURES)


@pytest.mark.parametrize("codes", CODES)
def test_each_of_48_orientations_is_shown_alike(tmp_path: Path, codes: str) -> None:
    for name in ("a.nii", "a.nii.gz"):
        scan = nifti.read(write(tmp_path / name, *stored_as(PICTURES, codes)))
        np.testing.assert_array_equal(scan.voxels, PICTURES)
        assert scan.grid.axcodes == codes
        assert scan.grid.spacing_mm == pytest.approx(SPACING)
        assert scan.grid.display_shape == PICTURES.shape
        assert scan.flags == ()
        part = nifti.read(tmp_path / name, slices=range(4, 9))
        np.testing.assert_array_equal(part.voxels, PICTURES[4:9])


@pytest.mark.parametrize("codes", CODES)
def test_labels_written_in_each_of_48_orientations_stand_on_the_original_grid(
    tmp_path: Path, codes: str
) -> None:
    stored, affine = stored_as(LABELS, codes)
    source = write(tmp_path / "source.nii", stored, affine, descrip=b"Jane Doe")
    scan = nifti.read(source, labels=True)
    nifti.write_labels(tmp_path / "mask.nii.gz", scan.voxels, scan.grid)
    image, original = nibabel.load(tmp_path / "mask.nii.gz"), nibabel.load(source)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), stored)
    np.testing.assert_array_equal(image.affine, original.affine)
    assert image.header.get_zooms() == original.header.get_zooms()
    assert image.get_data_dtype() == np.uint8
    assert bytes(image.header["descrip"]).strip(b"\0") == b""
    again = nifti.read(tmp_path / "mask.nii.gz", labels=True)
    np.testing.assert_array_equal(again.voxels, LABELS)
    assert again.grid == scan.grid


def test_a_tilted_scan_is_shown_in_the_nearest_orientation_and_written_back_tilted(tmp_path: Path) -> None:
    angle = np.radians(15)
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    stored, affine = stored_as(LABELS, "RAS")
    scan = nifti.read(write(tmp_path / "a.nii", stored, tilt @ affine), labels=True)
    np.testing.assert_array_equal(scan.voxels, LABELS)
    assert scan.grid.spacing_mm == pytest.approx(SPACING)
    nifti.write_labels(tmp_path / "b.nii", scan.voxels, scan.grid)
    assert nifti.read(tmp_path / "b.nii", labels=True).grid == scan.grid


def test_the_quaternion_counts_where_there_is_no_matrix(tmp_path: Path) -> None:
    stored, affine = stored_as(LABELS, "LPS")
    turn = {"quatern": (0, 0, 1), "qoffset": tuple(affine[:3, 3])}  # half a turn about the long axis
    scan = nifti.read(
        write(tmp_path / "a.nii", stored, affine, sform_code=0, qform_code=1, **turn), labels=True
    )
    assert (scan.grid.axcodes, scan.grid.flags) == ("LPS", ())
    np.testing.assert_array_equal(scan.voxels, LABELS)
    np.testing.assert_allclose(scan.grid.affine, affine, atol=1e-5)


def test_a_file_that_does_not_say_how_it_lies_is_flagged_and_its_mask_too(tmp_path: Path) -> None:
    stored, affine = stored_as(LABELS, "LPS")
    scan = nifti.read(write(tmp_path / "a.nii", stored, affine, sform_code=0), labels=True)
    assert scan.flags == ("orientation-unverified",)
    nifti.write_labels(tmp_path / "b.nii.gz", scan.voxels, scan.grid)
    again = nifti.read(tmp_path / "b.nii.gz", labels=True)
    assert again.grid == scan.grid
    np.testing.assert_array_equal(again.voxels, scan.voxels)


def test_a_file_that_says_two_things_about_how_it_lies_is_flagged(tmp_path: Path) -> None:
    stored, affine = stored_as(PICTURES, "RAS")
    path = write(tmp_path / "a.nii", stored, affine, qform_code=1, quatern=(0, 0, 1))
    scan = nifti.read(path)
    assert scan.flags == ("orientation-codes-disagree",)
    np.testing.assert_array_equal(scan.voxels, PICTURES)


def test_a_pair_on_different_grids_is_refused(tmp_path: Path) -> None:
    like = nifti.read(write(tmp_path / "a.nii", STORED, AFFINE)).grid
    moved = AFFINE.copy()
    moved[0, 3] += 0.01
    assert refusal_of(tmp_path, "b.nii", content(STORED, moved), like=like).code == "affine_mismatch"
    assert (
        refusal_of(tmp_path, "b.nii", content(STORED[:, :, 1:], AFFINE), like=like).code == "shape_mismatch"
    )
    moved[0, 3] -= 0.0095
    np.testing.assert_array_equal(
        nifti.read(write(tmp_path / "b.nii", STORED, moved), like=like).voxels, PICTURES
    )


def test_a_grid_of_1_mm_along_the_body_is_flagged_as_a_placeholder(tmp_path: Path) -> None:
    scan = nifti.read(write(tmp_path / "a.nii", STORED, np.eye(4)))
    assert scan.flags == ("placeholder-geometry",)
    assert (scan.grid.axcodes, scan.grid.spacing_mm) == ("RAS", (1, 1, 1))
    assert nifti.read(write(tmp_path / "b.nii", STORED, np.diag([-1, -1, 1, 1]))).flags == ()


@pytest.mark.parametrize("silent", [{"srow": tuple(np.eye(4)[:3].ravel())}, {"sform_code": 0}])
def test_a_segmentation_that_says_nothing_gets_the_grid_of_its_volume(
    tmp_path: Path, silent: dict[str, Any]
) -> None:
    stored, affine = stored_as(LABELS, "LPS")
    volume = nifti.read_grid(write(tmp_path / "a.nii.gz", stored, affine))
    path = write(tmp_path / "b.nii", stored, affine, **silent)
    assert not np.array_equal(nifti.read(path, labels=True).voxels, LABELS)
    scan = nifti.read(path, labels=True, like=volume)
    np.testing.assert_array_equal(scan.voxels, LABELS)
    assert scan.flags == ("geometry-of-the-volume",)
    assert scan.grid.affine == volume.affine


def test_a_few_outliers_and_padding_round_the_field_of_view_are_flagged_not_refused(tmp_path: Path) -> None:
    metal, padded = STORED.copy(), STORED.copy()
    metal[0, 0, :20] = 20000
    padded[:8] = -3024
    for stored in (metal, padded):
        assert nifti.read(write(tmp_path / "a.nii", stored, AFFINE)).flags == ("values-outside-ct-range",)


def test_only_the_wanted_slices_of_an_uncompressed_file_take_memory(tmp_path: Path) -> None:
    stored = np.tile(STORED, (4, 4, 10))
    path = write(tmp_path / "a.nii", stored, AFFINE)
    tracemalloc.start()
    part = nifti.read(path, slices=range(100, 110))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(part.voxels, stored.transpose(2, 1, 0)[100:110])
    assert peak < 2 * part.voxels.nbytes + 200_000
    assert part.voxels.nbytes * 30 == stored.nbytes


def test_only_the_wanted_slices_of_a_compressed_file_take_memory(tmp_path: Path) -> None:
    stored = np.tile(STORED, (4, 4, 10))
    path = write(tmp_path / "a.nii.gz", stored, AFFINE)
    tracemalloc.start()
    part = nifti.read(path, slices=range(100, 110))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(part.voxels, stored.transpose(2, 1, 0)[100:110])
    assert peak < 0.8 * stored.nbytes  # what is unpacked comes in blocks of 1 MiB


@pytest.mark.parametrize("kind", ["i2", "u2"])
def test_gzip_in_several_members_is_read_as_one(tmp_path: Path, kind: str) -> None:
    stored = np.tile(STORED.clip(0, 299) + 1, (4, 4, 10)).astype(kind)  # of 2 MB and more: memory has to grow
    raw = content(stored, AFFINE)
    for cuts in ((0, 200, 3000, len(raw)), (0, len(raw) - 1, len(raw)), (0, len(raw), len(raw))):
        members = [gzip.compress(raw[start:stop], 1) for start, stop in pairwise(cuts)]
        (tmp_path / "a.nii.gz").write_bytes(b"".join(members))
        scan = nifti.read(tmp_path / "a.nii.gz")
        np.testing.assert_array_equal(scan.voxels, stored.transpose(2, 1, 0))
        part = nifti.read(tmp_path / "a.nii.gz", slices=range(100, 300))
        np.testing.assert_array_equal(part.voxels, stored.transpose(2, 1, 0)[100:])


def test_a_size_that_gzip_and_header_agree_on_takes_no_memory_unless_it_comes(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(content(STORED, AFFINE, dim=(3, 1000, 1000, 1000, 1, 1, 1, 1))))
    packed[-4:] = (2_000_000_352).to_bytes(4, "little")
    tracemalloc.start()
    assert refusal_of(tmp_path, "a.nii.gz", bytes(packed)).code == "damaged"
    assert tracemalloc.get_traced_memory()[1] < 1032 * len(packed) + 5_000_000
    tracemalloc.stop()


def test_damage_behind_the_wanted_slices_of_a_compressed_file_is_found(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(RAW, 0, mtime=0))
    for place in (len(whole) - 3000, len(whole) - 6):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        assert refusal_of(tmp_path, "a.nii.gz", bytes(damaged), slices=range(2, 4)).code == "damaged"


def test_a_file_that_is_cut_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.nii", STORED, AFFINE)
    check = nifti._require_size

    def cut(count: int, need: int, name: str) -> None:
        check(count, need, name)
        os.truncate(path, len(RAW) - 2000)

    monkeypatch.setattr(nifti, "_require_size", cut)
    with pytest.raises(DataRefused, match=r"a\.nii: expected 29,152 bytes, got 27,152"):
        nifti.read(path)


@pytest.mark.parametrize("kind", ["i2", "u2", "f4", "f8", ">i2"])
def test_reading_a_whole_volume_takes_at_most_twice_its_size(tmp_path: Path, kind: str) -> None:
    stored = np.tile(STORED, (6, 6, 6)).clip(-100, None) + (100 if kind == "u2" else 0)
    path = write(
        tmp_path / "a.nii.gz", stored.astype(kind.lstrip(">")), AFFINE, kind[0] if kind[0] == ">" else "<"
    )
    size = stored.size * np.dtype(kind).itemsize
    tracemalloc.start()
    nifti.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * size + 3_000_000


def test_an_upload_is_read_from_memory_and_its_refusal_names_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for raw in (RAW, PACKED):
        np.testing.assert_array_equal(nifti.admit(io.BytesIO(raw)).voxels, PICTURES)
    with pytest.raises(DataRefused, match=r"^the volume: expected three axes"):
        nifti.admit(io.BytesIO(HOSTILE["4-D"][1]))
    monkeypatch.setattr(nifti, "MAX_UPLOAD", len(RAW) - 1)
    with pytest.raises(DataRefused, match="the volume: expected at most"):
        nifti.admit(io.BytesIO(RAW))


def test_a_link_to_a_volume_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "there.nii", STORED, AFFINE)
    (tmp_path / "link.nii").symlink_to(tmp_path / "there.nii")
    with pytest.raises(DataRefused, match=r"link\.nii is a link"):
        nifti.read(tmp_path / "link.nii")


def test_labels_of_another_shape_or_type_are_a_mistake_of_the_program(tmp_path: Path) -> None:
    grid = nifti.read(write(tmp_path / "a.nii", STORED, AFFINE)).grid
    for wrong in (LABELS[1:], LABELS.astype(np.int16)):
        with pytest.raises(ValueError, match="labels: expected uint8"):
            nifti.write_labels(tmp_path / "b.nii", wrong, grid)
    assert not (tmp_path / "b.nii").exists()


@pytest.mark.real
def test_every_supplied_volume_is_accepted(real_data: Path) -> None:
    paths = sorted((real_data / "lits").glob("*.nii.gz"))
    scans = [nifti.read(path, labels=path.name.startswith("segmentation")) for path in paths]
    assert len(scans) == 18
    assert {scan.grid.axcodes for scan in scans} == {"LPS", "RAS", "PLI"}
    assert all(scan.flags == () for scan in scans)
