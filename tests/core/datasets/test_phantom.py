"""Phantoms: BUSI's layout through BUSI's reader, the same for a seed, different from case to case."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import label

from core.datasets import _breast, busi, phantom
from core.datasets._raw import RawSlice
from core.duplicates import fingerprint, links
from core.errors import DataRefused


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    assert phantom.write(folder, "busi", cases=20, seed=5) == 20
    return folder


@pytest.fixture(scope="module")
def slices(written: Path) -> list[RawSlice]:
    return [raw for case in busi.find(written) for raw in busi.read(case)]


def test_half_are_benign_and_a_fifth_normal(written: Path) -> None:
    assert Counter(case.tag for case in busi.find(written)) == {"benign": 10, "malignant": 6, "normal": 4}
    assert busi.strays(written) == ()


def test_lesions_have_a_reference_and_normal_cases_an_empty_one(slices: list[RawSlice]) -> None:
    for raw in slices:
        assert raw.reference is not None
        share = raw.reference.mean()
        assert share == 0 if raw.tag == "normal" else 0.003 < share < 0.4
        assert "no-mask" not in raw.flags


def test_pictures_vary_in_size_and_mode_as_in_the_real_set(written: Path, slices: list[RawSlice]) -> None:
    widths = {raw.picture.shape[1] for raw in slices}
    assert len(widths) > 12
    assert min(widths) >= 280
    assert max(widths) <= 420
    masks = [path for case in busi.find(written) for path in case.masks]
    modes = {Image.open(path).mode for path in masks}
    assert modes >= {"1", "RGB", "RGBA"}


def test_a_case_with_two_lesions_has_two_mask_files(written: Path, slices: list[RawSlice]) -> None:
    two = [(case, raw) for case, raw in zip(busi.find(written), slices, strict=True) if len(case.masks) == 2]
    assert [case.id for case, _ in two] == ["benign-9"]
    assert label(two[0][1].reference)[1] == 2


def test_no_two_phantoms_are_near_duplicates(slices: list[RawSlice]) -> None:
    assert links([fingerprint(raw.picture) for raw in slices]) == ()


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others() -> None:
    one, two, other = (_breast.draw(np.random.default_rng(seed), "benign").picture for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert one.shape != other.shape or (one != other).any()


def test_a_case_does_not_depend_on_how_many_are_drawn(written: Path, tmp_path: Path) -> None:
    phantom.write(tmp_path, "busi", cases=3, seed=5)
    for path in tmp_path.rglob("*.png"):
        assert path.read_bytes() == (written / path.relative_to(tmp_path)).read_bytes()


def test_lesions_are_darker_than_what_surrounds_them_but_not_all_by_much(slices: list[RawSlice]) -> None:
    from scipy.ndimage import binary_dilation

    differences = []
    for raw in slices:
        if raw.tag == "normal":
            continue
        inside = raw.reference == 1
        around = binary_dilation(inside, iterations=12) & ~binary_dilation(inside, iterations=4)
        differences.append(float(raw.picture[around].mean() - raw.picture[inside].mean()))
    assert min(differences) > 5
    assert np.ptp(differences) > 25


def test_the_speckle_of_tissue_is_as_rough_as_two_averaged_rayleigh_looks() -> None:
    from core.datasets._speckle import Scene, _speckle

    rng, empty = np.random.default_rng(0), np.zeros((200, 200))
    scene = Scene(rng, empty, empty, empty, empty, empty, [])
    envelope = np.abs(_speckle(scene, np.ones((200, 200)), 0.8, 1.2))
    assert envelope.mean() / envelope.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.05)


def test_phantoms_in_another_layout_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="expected one of busi, lits"):
        phantom.write(tmp_path, "dicom")
