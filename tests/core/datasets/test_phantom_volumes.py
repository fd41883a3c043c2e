"""CT phantoms on disk: LiTS names, many orientations, one picture; the same bytes for a seed."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import nibabel
import numpy as np
import pytest

from core import nifti
from core.datasets import lits, phantom

COUNT = 3
EVERY_ORIENTATION = [
    "".join(letters)
    for order in itertools.permutations(("LR", "PA", "SI"))
    for letters in itertools.product(*order)
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("volumes")
    assert phantom.write(folder, "lits", cases=COUNT, seed=5) == COUNT
    return folder


def test_files_are_named_as_in_lits_but_numbered_beyond_it(written: Path) -> None:
    cases = lits.find(written)
    assert [case.id for case in cases] == ["volume-201", "volume-202", "volume-203"]
    assert all(len(case.masks) == 1 for case in cases)
    assert lits.strays(written) == ()


def test_orientations_on_disk_differ_and_read_back_as_drawn(written: Path) -> None:
    seen = set()
    for case in lits.find(written):
        raw, drawn = lits.read_volume(case), phantom.volume(int(case.id[7:]), seed=5)
        seen.add(raw.grid.axcodes)
        kept = list(raw.indices)
        np.testing.assert_array_equal(raw.pictures, drawn.picture[kept])
        np.testing.assert_array_equal(raw.references, drawn.labels[kept])
        assert raw.n_slices == len(drawn.labels)
        assert raw.grid.spacing_mm == pytest.approx(drawn.spacing_mm, abs=1e-3)
        assert raw.flags == ()
    assert len(seen) == COUNT


@pytest.mark.parametrize("axes", EVERY_ORIENTATION)
def test_a_volume_reads_back_the_same_from_every_orientation(axes: str, tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(-900, 900, (4, 5, 6)).astype(np.int16)
    path = tmp_path / "volume-1.nii"
    path.write_bytes(phantom.nifti(voxels, (5.0, 2.0, 1.5), axes, np.array((10.0, -20.0, 30.0))))
    scan = nifti.read(path)
    assert scan.grid.axcodes == axes
    assert scan.grid.spacing_mm == (5, 2, 1.5)
    np.testing.assert_array_equal(scan.voxels, voxels)


def test_a_voxel_keeps_its_place_in_the_room_in_every_orientation() -> None:
    voxels = np.zeros((4, 5, 6), np.uint8)
    voxels[3, 1, 4] = 1
    for axes in phantom.ORIENTATIONS:
        content = phantom.nifti(voxels, (5.0, 2.0, 1.5), axes, np.array((10.0, -20.0, 30.0)))
        image = nibabel.Nifti1Image.from_bytes(content)
        place = image.affine @ [*np.argwhere(np.asarray(image.dataobj) == 1)[0], 1]
        assert place.tolist() == pytest.approx([10 - 4 * 1.5, -20 - 1 * 2, 30 + 3 * 5, 1])


def test_picture_and_labels_share_grid_and_carry_no_text(written: Path) -> None:
    for case in lits.find(written):
        picture, labels = (nibabel.load(path) for path in case.files)
        np.testing.assert_array_equal(picture.affine, labels.affine)
        assert (picture.get_data_dtype(), labels.get_data_dtype()) == (np.int16, np.uint8)
        assert not any(
            bytes(picture.header[field]).strip(b"\0") for field in ("descrip", "aux_file", "db_name")
        )


def test_the_same_seed_gives_the_same_bytes_and_a_case_does_not_depend_on_the_others(
    written: Path, tmp_path: Path
) -> None:
    phantom.write(tmp_path, "lits", cases=1, seed=5)
    for name in ("volume-201.nii.gz", "segmentation-201.nii.gz"):
        content = (tmp_path / name).read_bytes()
        assert content == (written / name).read_bytes()
        assert content[4:8] == bytes(4)  # no time of writing
        assert gzip.decompress(content)[344:348] == b"n+1\0"


def test_another_seed_gives_another_volume() -> None:
    assert phantom.volume(202, seed=0).labels.sum() != phantom.volume(202, seed=1).labels.sum()


def test_one_of_six_volumes_is_free_of_tumour() -> None:
    numbers = range(phantom.FIRST, phantom.FIRST + phantom.CASES["lits"])
    lesions = [phantom.LESIONS[number % len(phantom.LESIONS)] for number in numbers]
    assert sorted(lesions)[:2] == [0, 1]
    assert max(lesions) <= 4
    assert phantom.volume(numbers[lesions.index(0)]).labels.max() == 1


def test_no_phantom_is_taken_for_a_volume_or_a_patient_of_lits() -> None:
    assert phantom.FIRST > 130
    assert max(number for same in lits.SAME_PATIENT for number in same) < phantom.FIRST
