"""The outline of the nearest training slice, copied."""

import numpy as np
import pytest

from core.metrics import leakage


def slices(*widths):
    """One slice per width: liver 4 rows of that width, with one tumour pixel where there is a liver."""
    made = np.zeros((len(widths), 8, 8), np.uint8)
    for one, width in zip(made, widths, strict=True):
        one[2:6, :width] = 1
        one[2, : min(width, 1)] = 2
    return made


def test_the_nearest_training_slice_of_the_same_volume_is_copied():
    labels = slices(4, 5, 8, 1)
    train = np.array([True, False, True, True])
    found = leakage.copy_nearest(labels, train, ["a", "a", "a", "b"])
    assert found["liver"] == pytest.approx(2 * 16 / (16 + 20))  # of two equally near, the lower one
    assert found["tumour"] == 1


def test_slice_numbers_say_what_is_near():
    labels = slices(4, 5, 8)
    train = np.array([True, False, True])
    found = leakage.copy_nearest(labels, train, ["a"] * 3, indices=[0, 8, 10])
    assert found["liver"] == pytest.approx(2 * 20 / (32 + 20))


def test_validation_slices_are_neither_copied_nor_scored():
    labels = slices(4, 8, 5)
    found = leakage.copy_nearest(
        labels, np.array([True, False, False]), ["a"] * 3, test_mask=np.array([False, False, True])
    )
    assert found["liver"] == pytest.approx(2 * 16 / (16 + 20))


def test_dice_is_pooled_over_all_test_slices():
    labels = slices(4, 4, 2, 8)
    found = leakage.copy_nearest(labels, np.array([True, False, True, False]), ["a", "a", "b", "b"])
    assert found["liver"] == pytest.approx(2 * (16 + 8) / (16 + 16 + 8 + 32))


def test_without_a_training_slice_of_the_volume_there_is_nothing_to_copy():
    labels = slices(4, 4)
    assert leakage.copy_nearest(labels, np.array([True, False]), ["a", "b"]) is None
