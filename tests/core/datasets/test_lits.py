"""The LiTS reader: pairs are found wherever they lie, and a wrong pair is refused by name."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.datasets import lits
from core.errors import DataRefused
from core.records import SliceEntry
from tests.core.volumes import CODES, SPACING, anatomy, content, stored_as, write, write_case

PICTURES, LABELS = anatomy()
KEPT = slice(2, 27)  # liver in 12 to 16, and ten on either side


def only(folder: Path) -> lits.RawVolume:
    (case,) = lits.find(folder)
    return lits.read_volume(case)


def test_cases_come_by_number_and_a_volume_without_segmentation_is_one_too(tmp_path: Path) -> None:
    for number in (10, 2, 0):
        write_case(tmp_path, number, ending=".nii" if number == 2 else ".nii.gz")
    (tmp_path / "segmentation-10.nii.gz").unlink()
    cases = lits.find(tmp_path)
    assert [case.id for case in cases] == ["volume-0", "volume-2", "volume-10"]
    assert [len(case.masks) for case in cases] == [1, 1, 0]
    assert cases[1].files == (tmp_path / "volume-2.nii", tmp_path / "segmentation-2.nii")
    assert lits.strays(tmp_path) == ()


def test_the_batches_are_found_as_they_come_out_of_the_archive(tmp_path: Path) -> None:
    nested = tmp_path / "media" / "nas" / "01_Datasets" / "CT" / "LITS"
    write_case(nested / "Training Batch 1", 3)
    volume, _ = write_case(nested / "Training Batch 2", 28)
    shutil.move(volume, tmp_path / volume.name)
    write_case(tmp_path / ".Trash", 5)
    assert [case.id for case in lits.find(tmp_path)] == ["volume-3", "volume-28"]
    assert lits.find(nested / "Training Batch 1")[0].masks[0].name == "segmentation-3.nii.gz"


def test_a_number_that_occurs_twice_is_left_out_by_name_and_the_others_go_on(tmp_path: Path) -> None:
    write_case(tmp_path / "one", 3)
    write_case(tmp_path / "two", 3, ending=".nii")
    write_case(tmp_path, 4)
    assert [case.id for case in lits.find(tmp_path)] == ["volume-4"]
    rows = lits.strays(tmp_path)
    assert [name for name, _ in rows] == [
        "one/segmentation-3.nii.gz",
        "one/volume-3.nii.gz",
        "two/segmentation-3.nii",
        "two/volume-3.nii",
    ]
    assert all("number 3 twice" in why and "one/volume-3.nii.gz" in why for _, why in rows)


def test_a_folder_copied_whole_into_itself_is_refused_with_the_reason(tmp_path: Path) -> None:
    for place in ("one", "two"):
        write_case(tmp_path / place, 3)
    with pytest.raises(DataRefused, match="every number occurs twice, such as 3"):
        lits.find(tmp_path)


def test_files_that_belong_to_no_case_are_listed_with_the_reason(tmp_path: Path) -> None:
    write_case(tmp_path, 1)
    for name in ("segmentation-7.nii", "volume-01.nii", "Volume-2.nii", "scan.dcm", "readme.txt"):
        (tmp_path / name).write_bytes(b"")
    place = tmp_path.name
    pattern = "name is not of the pattern volume-12.nii, segmentation-12.nii (or .nii.gz)"
    assert lits.strays(tmp_path) == (
        (f"{place}/Volume-2.nii", pattern),
        (f"{place}/scan.dcm", pattern),
        (f"{place}/segmentation-7.nii", "segmentation without a volume"),
        (f"{place}/volume-01.nii", pattern),
    )


@pytest.mark.parametrize("name", ["gone", "empty"])
def test_a_folder_without_volumes_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataRefused) as refusal:
        lits.find(tmp_path / name)
    assert refusal.value.code == "layout"


def test_the_liver_and_ten_slices_on_either_side_are_kept(tmp_path: Path) -> None:
    write_case(tmp_path, 1)
    volume = only(tmp_path)
    assert volume.n_slices == 30
    assert volume.indices == tuple(range(2, 27))
    np.testing.assert_array_equal(volume.pictures, PICTURES[KEPT])
    np.testing.assert_array_equal(volume.references, LABELS[KEPT])
    assert (volume.pictures.dtype, volume.references.dtype) == (np.int16, np.uint8)
    assert volume.class_pixels.shape == (30, 2)
    assert volume.class_pixels[12].tolist() == [72, 0]
    assert volume.class_pixels[13].tolist() == [66, 6]
    assert volume.class_pixels.sum() == (LABELS > 0).sum()
    assert volume.flags == ()


def test_the_margin_ends_where_the_volume_ends(tmp_path: Path) -> None:
    labels = np.zeros_like(LABELS)
    labels[[4, 25], 4:8, 3:6] = 1
    write_case(tmp_path, 1)
    write(tmp_path / "segmentation-1.nii.gz", *stored_as(labels, "RAS"))
    assert only(tmp_path).indices == tuple(range(30))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("codes", CODES)
def test_each_of_48_orientations_gives_the_same_volume(tmp_path: Path, codes: str, ending: str) -> None:
    write_case(tmp_path, 1, codes, ending)
    volume = only(tmp_path)
    np.testing.assert_array_equal(volume.pictures, PICTURES[KEPT])
    np.testing.assert_array_equal(volume.references, LABELS[KEPT])
    assert volume.pictures.flags.c_contiguous
    assert volume.indices == tuple(range(2, 27))
    assert volume.class_pixels[:, 1].nonzero()[0].tolist() == [13, 14]
    assert volume.grid.spacing_mm == pytest.approx(SPACING)
    assert (volume.grid.axcodes, volume.flags) == (codes, ())


def test_slices_come_one_by_one_with_their_spacing(tmp_path: Path) -> None:
    write_case(tmp_path, 1)
    (case,) = lits.find(tmp_path)
    rows = list(lits.read(case))
    assert len(rows) == 25
    np.testing.assert_array_equal(rows[10].picture, PICTURES[12])
    np.testing.assert_array_equal(rows[10].reference, LABELS[12])
    assert rows[10].spacing_mm == pytest.approx(SPACING[1:])


def test_without_a_segmentation_every_slice_is_kept_and_the_volume_flagged(tmp_path: Path) -> None:
    write_case(tmp_path, 1)[1].unlink()
    volume = only(tmp_path)
    assert volume.indices == tuple(range(30))
    assert volume.references is None
    assert volume.class_pixels is None
    assert volume.flags == ("no-mask",)
    np.testing.assert_array_equal(volume.pictures, PICTURES)


def test_decimals_are_rounded_and_what_int16_cannot_hold_is_set_to_its_end(tmp_path: Path) -> None:
    write_case(tmp_path, 1)
    decimals = PICTURES + np.float32(0.4)
    decimals[12, 0, 0] = 60000
    write(tmp_path / "volume-1.nii.gz", *stored_as(decimals, "RAS"))
    volume = only(tmp_path)
    expected = PICTURES[KEPT].copy()
    expected[10, 0, 0] = 32767
    np.testing.assert_array_equal(volume.pictures, expected)
    assert volume.flags == ("values-outside-ct-range",)


def test_a_liver_on_the_right_of_the_screen_is_flagged(tmp_path: Path) -> None:
    write_case(tmp_path, 1)
    for kind, shown in (("volume", PICTURES), ("segmentation", LABELS)):
        write(tmp_path / f"{kind}-1.nii.gz", *stored_as(shown[:, :, ::-1], "RAS"))
    assert only(tmp_path).flags == ("liver-not-on-right",)


def without_geometry(folder: Path, labels: np.ndarray, codes: str) -> None:
    """The segmentation as a program writes it that knows voxels only: axes of 1 mm from (1, 1, 1)."""
    stored, _ = stored_as(labels, codes)
    affine = np.eye(4)
    affine[:3, 3] = 1
    write(folder / "segmentation-1.nii.gz", stored, affine)


@pytest.mark.parametrize("codes", ["LPS", "LAS", "RAS", "PLI"])
def test_a_segmentation_without_geometry_gets_that_of_its_volume_and_is_flagged(
    tmp_path: Path, codes: str
) -> None:
    write_case(tmp_path, 1, codes)
    expected = only(tmp_path)
    without_geometry(tmp_path, LABELS, codes)
    volume = only(tmp_path)
    assert volume.flags == ("geometry-of-the-volume",)
    assert volume.grid == expected.grid
    np.testing.assert_array_equal(volume.references, expected.references)
    np.testing.assert_array_equal(volume.pictures, expected.pictures)


@pytest.mark.parametrize("axes", [0, 1, 2, (1, 2)])
def test_a_segmentation_without_geometry_that_misses_the_liver_is_refused(
    tmp_path: Path, axes: int | tuple[int, ...]
) -> None:
    write_case(tmp_path, 1, "RAS")
    without_geometry(tmp_path, np.flip(LABELS, axes), "RAS")
    with pytest.raises(DataRefused, match=r"segmentation-1\.nii\.gz: has no geometry of its own") as refusal:
        only(tmp_path)
    assert refusal.value.code == "affine_mismatch"


def test_an_outline_beside_the_liver_is_flagged(tmp_path: Path) -> None:
    write_case(tmp_path, 1, "RAS")
    write(tmp_path / "segmentation-1.nii.gz", *stored_as(np.roll(LABELS, 4, axis=1), "RAS"))
    assert only(tmp_path).flags == ("outline-off-tissue",)


def swap(folder: Path) -> None:
    (folder / "volume-1.nii.gz").rename(folder / "kept")
    (folder / "segmentation-1.nii.gz").rename(folder / "volume-1.nii.gz")
    (folder / "kept").rename(folder / "segmentation-1.nii.gz")


def labels_twice(folder: Path) -> None:
    shutil.copy(folder / "segmentation-1.nii.gz", folder / "volume-1.nii.gz")


def moved(folder: Path) -> None:
    stored, affine = stored_as(LABELS, "RAS")
    affine[1, 3] += 1
    write(folder / "segmentation-1.nii.gz", stored, affine)


def another_orientation(folder: Path) -> None:
    write(folder / "segmentation-1.nii.gz", *stored_as(LABELS, "LPS"))


def shorter(folder: Path) -> None:
    stored, affine = stored_as(LABELS, "RAS")
    write(folder / "segmentation-1.nii.gz", stored[:, :, :20], affine)


def longer(folder: Path) -> None:
    labels = np.concatenate([np.zeros_like(LABELS), LABELS])
    write(folder / "segmentation-1.nii.gz", *stored_as(labels, "RAS"))


def label_3(folder: Path) -> None:
    write(folder / "segmentation-1.nii.gz", *stored_as(LABELS * 3, "RAS"))


def no_liver(folder: Path) -> None:
    write(folder / "segmentation-1.nii.gz", *stored_as(LABELS * 0, "RAS"))


def grey_levels(folder: Path) -> None:
    write(folder / "volume-1.nii.gz", *stored_as(PICTURES.clip(0, 255), "RAS"))


def cut_short(folder: Path) -> None:
    path = folder / "volume-1.nii.gz"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("spoil", "file", "code"),
    [
        (swap, "segmentation-1", "swapped"),
        (labels_twice, "volume-1", "swapped"),
        (moved, "segmentation-1", "affine_mismatch"),
        (another_orientation, "segmentation-1", "affine_mismatch"),
        (shorter, "segmentation-1", "shape_mismatch"),
        (longer, "segmentation-1", "shape_mismatch"),
        (label_3, "segmentation-1", "labels"),
        (no_liver, "segmentation-1", "no_liver"),
        (grey_levels, "volume-1", "picture"),
        (cut_short, "volume-1", "damaged"),
    ],
)
def test_a_wrong_pair_is_refused_with_the_file_named(
    tmp_path: Path, spoil: Callable[[Path], None], file: str, code: str
) -> None:
    write_case(tmp_path, 1)
    spoil(tmp_path)
    with pytest.raises(DataRefused) as refusal:
        only(tmp_path)
    assert refusal.value.code == code
    assert str(refusal.value).startswith(f"{file}.nii.gz: ")


def test_an_upload_is_slices_without_reference_and_its_refusal_names_no_file() -> None:
    raw = content(*stored_as(PICTURES, "RAS"))
    rows = list(lits.admit(io.BytesIO(raw)))
    np.testing.assert_array_equal([row.picture for row in rows], PICTURES)
    assert rows[0].reference is None
    assert rows[0].spacing_mm == pytest.approx(SPACING[1:])
    with pytest.raises(DataRefused, match="the volume"):
        list(lits.admit(io.BytesIO(raw[:1000])))


def test_every_case_id_is_a_name_that_a_path_may_hold() -> None:
    assert SliceEntry("lits", "volume-130", 42, "g", "ct", (), 1, 1, 0).key == "lits/volume-130/42"


@pytest.mark.real
def test_the_nine_supplied_volumes_are_read_with_the_liver_on_screen_left(real_data: Path) -> None:
    cases = lits.find(real_data / "lits")
    assert [case.id for case in cases] == [f"volume-{n}" for n in (0, 1, 3, 4, 6, 7, 8, 9, 10)]
    assert lits.strays(real_data / "lits") == ()
    volumes = [lits.read_volume(case) for case in cases]
    assert all(volume.flags == () for volume in volumes)
    assert sum(len(volume.indices) for volume in volumes) == 1300
    assert all((volume.class_pixels.sum(axis=1) > 0).all() for volume in volumes)
