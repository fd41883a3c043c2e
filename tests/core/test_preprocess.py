"""Between the source grid and the network's grid: pictures linear, labels never interpolated."""

from __future__ import annotations

import numpy as np
import pytest

from core.preprocess import enlarge, labels_of, network_image, small_labels


def test_enlarging_by_two_puts_values_at_half_pixel_centres() -> None:
    row = enlarge(np.array([[0.0, 1.0], [0.0, 1.0]]), (2, 4))
    np.testing.assert_allclose(row, [[0, 0.25, 0.75, 1]] * 2, atol=1e-6)


def test_enlarging_to_the_same_shape_changes_nothing() -> None:
    values = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    assert enlarge(values, (5, 7)) is values
    np.testing.assert_array_equal(enlarge(values.astype(float), (5, 7)), values)


def test_enlarging_keeps_channels_apart_and_values_raw() -> None:
    values = np.stack([np.full((4, 4), -3.0), np.full((4, 4), 250.0)], axis=2)
    large = enlarge(values, (9, 6))
    assert large.shape == (9, 6, 2)
    assert large.dtype == np.float32
    np.testing.assert_allclose(large[..., 0], -3)
    np.testing.assert_allclose(large[..., 1], 250, rtol=1e-6)


def test_a_probability_of_exactly_one_half_is_background() -> None:
    probability = np.array([[[0.5], [np.nextafter(np.float32(0.5), 1, dtype=np.float32)]]], dtype=np.float32)
    np.testing.assert_array_equal(labels_of(probability, (1, 2)), [[0, 1]])


def test_probabilities_are_enlarged_before_the_threshold() -> None:
    probability = np.array([[[0.0], [1.0]]], dtype=np.float32)
    np.testing.assert_array_equal(labels_of(probability, (1, 8)), [[0, 0, 0, 0, 1, 1, 1, 1]])
    tilted = np.array([[[0.0], [0.6]]], dtype=np.float32)
    assert labels_of(tilted, (1, 8)).sum() == 3  # enlarged labels would be 4 pixels


def test_of_three_classes_the_most_probable_wins_and_the_lower_label_a_tie() -> None:
    probability = np.array([[[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]]], dtype=np.float32)
    labels = labels_of(probability, (1, 2))
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, [[1, 0]])


def test_a_white_picture_is_one_and_a_black_one_zero() -> None:
    for white in (np.uint8(255), np.uint16(65535)):
        image = network_image(np.full((90, 200), white))
        assert image.shape == (128, 128, 1)
        assert image.dtype == np.float32
        np.testing.assert_allclose(image, 1, atol=1e-6)
    np.testing.assert_array_equal(network_image(np.zeros((500, 300), np.uint8)), 0)


def test_a_fine_grating_becomes_grey_instead_of_moire() -> None:
    picture = np.zeros((512, 512), np.uint8)
    picture[:, ::2] = 255
    image = network_image(picture)[8:-8, 8:-8]
    assert image.min() > 0.4
    assert image.max() < 0.6


def test_a_picture_that_is_not_square_is_squeezed_to_its_full_width() -> None:
    picture = np.zeros((128, 256), np.uint8)
    picture[:, 128:] = 255
    image = network_image(picture)[..., 0]
    assert image[:, :62].max() < 0.01
    assert image[:, 66:].min() > 0.99


def test_values_never_leave_zero_to_one() -> None:
    picture = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (100, 90))
    image = network_image(picture)
    assert 0 <= image.min() <= image.max() <= 1


def test_a_picture_of_another_type_is_a_programming_mistake() -> None:
    with pytest.raises(ValueError, match="picture: expected uint8 or uint16, got float64"):
        network_image(np.zeros((40, 40)))


@pytest.mark.parametrize("shape", [(512, 512), (300, 431), (70, 95), (128, 128)])
def test_no_label_is_invented_on_the_small_grid(shape: tuple[int, int]) -> None:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    radius = np.hypot(rows - shape[0] / 2, columns - shape[1] / 2)
    reference = np.where(radius < shape[0] / 4, 2, 0).astype(np.uint8)
    small = small_labels(reference)
    assert small.shape == (128, 128)
    assert small.dtype == np.uint8
    assert set(np.unique(small)) == {0, 2}
    assert small.mean() == pytest.approx(reference.mean(), rel=0.05)


def test_labels_on_the_small_grid_already_stay_as_they_are() -> None:
    reference = np.random.default_rng(0).integers(0, 3, (128, 128)).astype(np.uint8)
    np.testing.assert_array_equal(small_labels(reference), reference)
