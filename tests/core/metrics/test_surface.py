"""Distances between outlines: fixed shapes with known answers, and a second method on random masks."""

import math

import numpy as np
import pytest
from scipy import ndimage

from core.metrics import surface


def blank(side=128):
    return np.zeros((side, side), bool)


def box(row, column, height=5, width=5, side=128):
    mask = blank(side)
    mask[row : row + height, column : column + width] = True
    return mask


def disk(row, column, radius, side=128):
    y, x = np.ogrid[:side, :side]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def between(reference, predicted, spacing=None):
    return surface.surface_distances(reference, predicted, spacing)


def test_two_pixels_4_px_apart_are_4_px_apart():
    found = between(box(10, 10, 1, 1), box(10, 14, 1, 1))
    assert surface.hd(found) == surface.assd(found) == surface.hd95(found) == surface.rmsd(found) == 4
    assert (surface.nsd(found, 3.9), surface.nsd(found, 4)) == (0, 1)


def test_a_pixel_and_a_second_one_4_px_away_have_hd95_3_8():
    found = between(box(10, 10, 1, 1), box(10, 10, 1, 1) | box(10, 14, 1, 1))
    assert surface.hd95(found) == pytest.approx(3.8)
    assert surface.assd(found) == pytest.approx(4 / 3)
    assert surface.nsd(found, 1) == pytest.approx(2 / 3)


def test_a_square_shifted_by_2_px_has_hd95_2_and_mean_distance_1():
    found = between(box(20, 20), box(20, 22))
    assert (len(found.to_prediction), len(found.to_reference)) == (16, 16)
    assert (surface.hd95(found), surface.assd(found), surface.nsd(found, 1)) == (2, 1, 0.625)


def test_a_square_shifted_by_3_and_4_px_has_hausdorff_distance_5():
    found = between(box(20, 20), box(23, 24))
    assert surface.hd(found) == 5
    assert surface.hd95(found) == pytest.approx(4.6041, abs=5e-5)
    assert surface.assd(found) == pytest.approx(2.7879, abs=5e-5)


def test_a_square_inside_a_square_one_px_larger_all_round():
    found = between(box(21, 21, 5, 5), box(20, 20, 7, 7))
    assert surface.hd(found) == pytest.approx(math.sqrt(2))
    assert surface.assd(found) == pytest.approx(1.0414, abs=5e-5)
    assert surface.nsd(found, 1) == pytest.approx(0.9)


def test_two_discs_3_px_apart_have_hd95_3():
    found = between(disk(50, 50, 20), disk(50, 53, 20))
    assert surface.hd95(found) == 3
    assert surface.assd(found) == pytest.approx(1.7895, abs=5e-5)
    assert surface.nsd(found, 2) == pytest.approx(0.4643, abs=5e-5)


def test_two_discs_3_columns_of_2_8_mm_apart_have_hd95_8_4_mm():
    found = between(disk(50, 50, 20), disk(50, 53, 20), spacing=(3.1, 2.8))
    assert surface.hd95(found) == pytest.approx(8.4)


def test_a_distant_second_disc_dominates_hd95_and_hardly_moves_the_surface_dice():
    found = between(disk(50, 50, 20), disk(50, 50, 20) | disk(110, 110, 6))
    assert surface.hd(found) == pytest.approx(70.7107, abs=5e-5)
    assert surface.hd95(found) == pytest.approx(69.2965, abs=5e-5)
    assert surface.nsd(found, 2) == pytest.approx(0.875)


def test_a_disc_of_20_px_against_one_of_14_px():
    found = between(disk(50, 50, 20), disk(50, 50, 14))
    assert surface.hd(found) == pytest.approx(6.4031, abs=5e-5)
    assert surface.assd(found) == pytest.approx(5.8141, abs=5e-5)


def test_a_cube_moved_by_one_voxel_of_5_mm_has_hd95_5_mm():
    cube = np.zeros((10, 10, 10), bool)
    cube[3:7, 3:7, 3:7] = True
    found = between(cube, np.roll(cube, 1, axis=2), spacing=(0.7, 0.7, 5))
    assert surface.hd95(found) == 5
    assert surface.assd(found) == pytest.approx(1.4786, abs=5e-5)
    assert surface.nsd(found, 2) == pytest.approx(0.7143, abs=5e-5)


@pytest.mark.parametrize(("a", "b"), [(blank(), box(1, 1)), (box(1, 1), blank()), (blank(), blank())])
def test_an_empty_mask_has_no_distance(a, b):
    found = between(a, b)
    assert not found.is_defined
    numbers = (surface.hd(found), surface.hd95(found), surface.assd(found), surface.rmsd(found))
    assert all(math.isnan(value) for value in (*numbers, surface.nsd(found, 2)))


def test_equal_masks_are_0_apart():
    found = between(disk(40, 60, 11), disk(40, 60, 11))
    assert (surface.hd(found), surface.assd(found), surface.nsd(found, 0)) == (0, 0, 1)


def test_a_mask_that_fills_the_picture_has_its_border_at_the_edge():
    assert surface.border(np.ones((5, 5), bool)).sum() == 16
    found = between(np.ones((5, 5), bool), box(1, 1, 3, 3, side=5))
    assert surface.hd(found) == pytest.approx(math.sqrt(2))


def test_twice_the_spacing_is_twice_the_distance():
    a, b = disk(50, 50, 20), disk(60, 57, 14)
    assert surface.hd95(between(a, b, (2, 2))) == pytest.approx(2 * surface.hd95(between(a, b)))


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        between(blank(4), blank(5))


def by_distance_transform(a, b, spacing):
    """The same two lists from Euclidean distance transforms, unsorted."""
    edges = [surface.border(mask) for mask in (a, b)]
    fields = [ndimage.distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    return fields[1][edges[0]], fields[0][edges[1]]


def test_a_distance_transform_gives_the_same_distances_on_300_random_masks():
    rng = np.random.default_rng(0)
    for turn in range(300):
        shape = tuple(rng.integers(3, 14, size=2 + turn % 2))
        spacing = rng.uniform(0.5, 5, len(shape))
        a, b = (rng.random(shape) < rng.uniform(0.1, 0.9) for _ in range(2))
        a.flat[rng.integers(a.size)] = b.flat[rng.integers(b.size)] = True
        found, (there, back) = between(a, b, spacing), by_distance_transform(a, b, spacing)
        assert np.allclose(np.sort(found.to_prediction), np.sort(there), atol=1e-9)
        assert np.allclose(np.sort(found.to_reference), np.sort(back), atol=1e-9)
        assert surface.hd95(found) == pytest.approx(surface.hd95(between(b, a, spacing)))
