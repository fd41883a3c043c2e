"""Between the source grid and the network's grid: pictures linear, labels never interpolated."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.transform import resize

from core import preprocess
from core.preprocess import (
    enlarge,
    labels_of,
    network_image,
    network_stack,
    operator,
    small_labels,
    small_stack,
)

SHAPES = [(512, 512), (256, 256), (160, 160), (200, 300), (128, 128), (96, 96), (131, 97)]
WINDOW = (-160.0, 240.0)


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


@pytest.mark.parametrize("shape", SHAPES)
def test_a_stack_of_ct_slices_is_what_scikit_image_makes_of_each(shape: tuple[int, int]) -> None:
    pictures = np.random.default_rng(0).integers(-1100, 1500, (3, *shape)).astype(np.int16)
    images = network_stack(pictures, WINDOW)
    assert (images.shape, images.dtype) == ((3, 128, 128, 1), np.float32)
    for picture, image in zip(pictures, images, strict=True):
        scaled = (np.clip(picture.astype(float), *WINDOW) - WINDOW[0]) / (WINDOW[1] - WINDOW[0])
        one = resize(scaled, (128, 128), order=1, mode="reflect", anti_aliasing=True)
        np.testing.assert_allclose(image[..., 0], one, atol=1e-5)
    assert 0 <= images.min() <= images.max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_labels_of_a_stack_are_those_of_each_slice_exactly(shape: tuple[int, int]) -> None:
    references = np.random.default_rng(0).integers(0, 3, (4, *shape)).astype(np.uint8)
    small = small_stack(references)
    assert small.dtype == np.uint8
    for reference, labels in zip(references, small, strict=True):
        np.testing.assert_array_equal(labels, small_labels(reference))
    assert set(np.unique(small_stack(references & 2))) == {0, 2}


def test_the_window_is_cut_before_resizing_so_that_metal_does_not_shine_through() -> None:
    pictures = np.full((1, 512, 512), 40, np.int16)
    pictures[0, 256, 256] = 30000
    image = network_stack(pictures, WINDOW)[0, ..., 0]
    assert image.max() < 0.6
    np.testing.assert_allclose(image[:50], 0.5, atol=1e-6)


def test_the_ends_of_the_window_are_zero_and_one_and_no_slices_give_no_images() -> None:
    pictures = np.stack([np.full((200, 300), hu, np.int16) for hu in (-2000, -160, 240, 3000)])
    images = network_stack(pictures, WINDOW)
    np.testing.assert_allclose(images[:2], 0, atol=1e-6)
    np.testing.assert_allclose(images[2:], 1, atol=1e-6)
    assert network_stack(pictures[:0], WINDOW).shape == (0, 128, 128, 1)
    for wrong in ((-160.5, 240), (-20_000, 20_000)):
        with pytest.raises(ValueError, match="window_hu: expected whole numbers"):
            network_stack(pictures, wrong)
    assert small_stack(np.zeros((0, 200, 300), np.uint8)).shape == (0, 128, 128)


@pytest.mark.parametrize("length", [1, 96, 128, 160, 512])
def test_every_pixel_of_the_small_grid_is_a_weighted_mean(length: int) -> None:
    matrix = operator(length)
    assert (matrix.shape, matrix.dtype) == ((128, length), np.float32)
    assert matrix.min() >= 0
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    assert operator(length) is matrix
    with pytest.raises(ValueError, match="read-only"):
        matrix[0] = 0


@pytest.mark.parametrize("shape", [(512, 512), (300, 257), (128, 128), (90, 140)])
def test_a_stack_is_enlarged_as_each_slice_is(shape):
    small = np.random.default_rng(3).random((2, preprocess.SIZE, preprocess.SIZE))
    together = preprocess.enlarge_stack(small, shape)
    assert together.dtype == np.float32
    for one, large in zip(small, together, strict=True):
        assert np.allclose(large, preprocess.enlarge(one, shape), atol=1e-6)


@pytest.mark.parametrize("shape", [(512, 512), (200, 130)])
def test_labels_of_a_stack_are_those_of_each_slice_but_for_ties(shape):
    rng = np.random.default_rng(4)
    whole = rng.dirichlet((1, 1, 1), (2, preprocess.SIZE, preprocess.SIZE)).astype(np.float32)
    found = preprocess.labels_stack(whole, shape)
    for probability, labels in zip(whole, found, strict=True):
        differing = labels != preprocess.labels_of(probability, shape)
        top = np.sort(preprocess.enlarge(probability, shape)[differing], axis=-1)
        assert np.all(top[:, -1] - top[:, -2] < 1e-6)


def test_a_tie_goes_to_the_lower_label_in_a_stack_too():
    even = np.full((1, preprocess.SIZE, preprocess.SIZE, 3), 1 / 3, np.float32)
    assert not preprocess.labels_stack(even, (200, 200)).any()
