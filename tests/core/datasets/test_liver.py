"""Drawn livers: on screen left, with lesions inside that are a little darker, and nothing else labelled."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from core.datasets import _liver
from core.datasets._liver import Drawn

LESIONS = (0, 1, 4)


@pytest.fixture(scope="module")
def volumes() -> list[Drawn]:
    return [_liver.draw(np.random.default_rng(40 + n), lesions=n) for n in LESIONS]


def test_a_volume_is_small_and_says_its_spacing(volumes: list[Drawn]) -> None:
    for drawn in volumes:
        n, rows, columns = drawn.picture.shape
        assert 36 <= n <= 48
        assert rows == columns
        assert 160 <= rows <= 192
        slice_mm, row_mm, column_mm = drawn.spacing_mm
        assert 3.9 < slice_mm < 7.5
        assert 1.9 < row_mm == column_mm < 2.5
        assert (drawn.picture.dtype, drawn.labels.dtype) == (np.int16, np.uint8)


def test_the_liver_is_on_screen_left_and_of_human_size(volumes: list[Drawn]) -> None:
    for drawn in volumes:
        inside = drawn.labels > 0
        middle = np.nonzero(inside)[2].mean()
        assert middle < 0.42 * drawn.labels.shape[2]
        litres = inside.sum() * np.prod(drawn.spacing_mm) / 1e6
        assert 0.9 < litres < 2.4
        assert label(inside)[1] == 1


def test_the_right_lobe_is_larger_and_the_left_ends_higher(volumes: list[Drawn]) -> None:
    for drawn in volumes:
        inside = drawn.labels > 0
        middle = drawn.labels.shape[2] // 2
        right, left = inside[:, :, :middle], inside[:, :, middle:]
        assert right.sum() > 3 * left.sum() > 0
        assert np.nonzero(right.any(axis=(1, 2)))[0][0] + 5 < np.nonzero(left.any(axis=(1, 2)))[0][0]


def test_both_ends_of_a_volume_are_without_liver(volumes: list[Drawn]) -> None:
    for drawn in volumes:
        with_liver = np.flatnonzero((drawn.labels > 0).any(axis=(1, 2)))
        assert with_liver[0] >= 3
        assert with_liver[-1] <= len(drawn.labels) - 4
        assert np.diff(with_liver).max() == 1


def test_labels_are_liver_and_as_many_lesions_as_asked_for_at_most(volumes: list[Drawn]) -> None:
    for count, drawn in zip(LESIONS, volumes, strict=True):
        assert set(np.unique(drawn.labels)) == ({0, 1, 2} if count else {0, 1})
        assert min(count, 1) <= label(drawn.labels == 2)[1] <= count


def test_lesions_lie_inside_the_liver_and_change_nothing_else() -> None:
    without, drawn = (_liver.draw(np.random.default_rng(7), lesions=count) for count in (0, 3))
    np.testing.assert_array_equal(drawn.labels > 0, without.labels > 0)
    changed = np.abs(drawn.clean - without.clean) > 0.01
    assert changed.any()
    assert (drawn.labels[changed] > 0).mean() > 0.9  # the rest is partial volume at the surface
    assert changed[drawn.labels == 2].mean() > 0.99


def test_lesions_are_25_to_60_hu_darker_than_the_liver_before_noise(volumes: list[Drawn]) -> None:
    for drawn in volumes:
        level = np.median(drawn.clean[drawn.labels == 1])
        assert 92 < level < 116
        lesions, count = label(drawn.labels == 2)
        for number in range(1, count + 1):
            assert 25 < level - np.percentile(drawn.clean[lesions == number], 20) < 60


def test_the_liver_has_brighter_vessels(volumes: list[Drawn]) -> None:
    for drawn in volumes:
        inside = drawn.clean[drawn.labels == 1]
        bright = inside > np.median(inside) + 25
        assert 0.005 < bright.mean() < 0.1


def test_noise_in_the_liver_is_12_to_20_hu_and_shifts_no_level(volumes: list[Drawn]) -> None:
    for drawn in volumes:
        noise = drawn.picture - gaussian_filter(drawn.clean, (0.3, 0.5, 0.5))
        inside = noise[drawn.labels > 0]
        assert 11.5 < inside.std() < 22
        assert abs(inside.mean()) < 0.5


def test_levels_are_those_of_a_ct(volumes: list[Drawn]) -> None:
    for drawn in volumes:
        assert drawn.picture[:, :5, :5].mean() == pytest.approx(-1000, abs=5)
        assert 450 < np.percentile(drawn.picture, 99.9) < 1200
        assert drawn.picture.min() >= -1024


def test_the_same_seed_gives_the_same_voxels_and_another_seed_another_person() -> None:
    one, two, other = (_liver.draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.picture, two.picture)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.spacing_mm != other.spacing_mm
