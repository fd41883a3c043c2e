"""A volume brought to the grid on which it is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from core import SliceEntry, Volume
from pages.parts import stacks


def volume(pictures: np.ndarray, references: np.ndarray | None = None) -> Volume:
    n = len(pictures)
    images = np.zeros((n, 128, 128, 1), np.float32)
    return Volume(
        "lits", "volume-1", "p1", tuple(range(7, 7 + n)), pictures, images, references, (2.5, 0.8, 0.6)
    )


def test_means_over_cells_by_hand():
    values = np.array([[0, 4, 8, 12], [0, 4, 8, 12]])
    np.testing.assert_allclose(stacks.cell_means(values, 1, 2), [[2, 10]])


def test_a_pixel_cut_by_an_edge_counts_by_its_share():
    np.testing.assert_allclose(stacks.cell_means(np.array([[3.0, 6.0, 9.0]]), 1, 2), [[4, 8]])


@pytest.mark.parametrize("cells", [1, 5, 7, 12])
def test_means_keep_the_mean_of_the_whole(cells):
    values = np.random.default_rng(0).normal(size=(12, 10))
    assert stacks.cell_means(values, cells, 5).mean() == pytest.approx(values.mean())


def test_a_large_slice_is_averaged_and_its_spacing_grows():
    pictures = np.random.default_rng(0).integers(-1000, 1000, (2, 512, 256)).astype(np.int16)
    drawn = stacks.drawn(volume(pictures))
    assert drawn.pictures.shape == (2, 128, 128)
    assert drawn.pictures[1, 3, 5] == round(float(pictures[1, 12:16, 10:12].mean()))
    assert drawn.spacing_mm == pytest.approx((0.8 * 4, 0.6 * 2))
    assert drawn.indices == (7, 8)
    assert drawn.reference is None


def test_a_small_slice_is_sent_as_it_is():
    pictures = np.random.default_rng(0).integers(-1000, 1000, (1, 100, 90)).astype(np.int16)
    drawn = stacks.drawn(volume(pictures))
    np.testing.assert_array_equal(drawn.pictures, pictures)
    assert drawn.spacing_mm == (0.8, 0.6)


def test_a_class_is_where_it_fills_half_of_a_pixel_and_a_tiny_one_never_vanishes():
    reference = np.zeros((1, 256, 256), np.uint8)
    reference[0, 100:161, 100:160] = 1
    reference[0, 131, 131] = 2
    drawn = stacks.drawn(volume(np.zeros((1, 256, 256), np.int16), reference))
    assert (drawn.reference >= 1).sum() == 31 * 30
    assert np.argwhere(drawn.reference == 2)[:, 1:].tolist() == [[65, 65]]


def test_a_very_long_stack_is_cut_to_the_liver_and_ten_slices_on_either_side():
    reference = np.zeros((450, 4, 4), np.uint8)
    reference[200:230] = 1
    assert stacks.extent(volume(np.zeros((450, 4, 4), np.int16), reference)) == range(190, 240)
    assert len(stacks.extent(volume(np.zeros((450, 4, 4), np.int16)))) == 200
    assert stacks.extent(volume(np.zeros((400, 4, 4), np.int16), reference[:400])) == range(400)


def test_the_probability_of_liver_includes_the_tumour_in_it():
    softmax = np.zeros((128, 128, 3), np.float32)
    softmax[...] = (0.2, 0.5, 0.3)
    softmax[0, 0] = (0.1, 0.3, 0.6)
    found = stacks.answer([softmax, softmax], (128, 128))
    assert found.probability.shape == (2, 2, 128, 128)
    assert found.probability[0, 1, 5, 5] == 204
    assert found.probability[1, 1, 5, 5] == 76
    assert found.labels.shape == (2, 128, 128)
    assert (found.labels[0, 0, 0], found.labels[0, 5, 5]) == (2, 1)


def entry(index: int, pixels: tuple[int, int], part: str) -> SliceEntry:
    return SliceEntry(
        "lits",
        "volume-1",
        index,
        "p1",
        "ct",
        (),
        9,
        9,
        sum(pixels),
        {"s": part, "p": "test"},
        pixels,
        float(index),
    )


def test_a_volume_is_one_entry_that_opens_with_most_tumour():
    slices = [entry(3, (5, 0), "train"), entry(4, (5, 2), "test"), entry(5, (9, 1), "excluded")]
    merged = stacks.merged(slices)
    assert merged.index == 4
    assert merged.parts == {"s": "mixed", "p": "test"}


def test_a_volume_of_training_and_validation_slices_is_no_test_volume():
    slices = [entry(3, (5, 0), "train"), entry(4, (5, 2), "validation"), entry(5, (9, 1), "excluded")]
    assert stacks.merged(slices).parts["s"] == "train"


def test_a_volume_without_tumour_opens_in_the_middle_and_slices_without_liver_do_not_mix_its_part():
    slices = [entry(3, (0, 0), "excluded"), entry(4, (5, 0), "train"), entry(5, (5, 0), "train")]
    assert stacks.merged(slices).index == 4
    assert stacks.merged(slices).parts["s"] == "train"
