"""Occlusion and integrated gradients with scores simple enough to know the answer."""

import numpy as np
import pytest

from core.explain.controls import blank, integrated_gradients, occlusion
from core.records import Evidence, Passes

WEIGHTS = np.random.default_rng(0).normal(size=(128, 128, 1)) / 1000
IMAGE = np.random.default_rng(1).random((128, 128, 1), dtype=np.float32)


def linear(images):
    return (images * WEIGHTS).sum(axis=(1, 2, 3), dtype=np.float64)


def cubic(images):
    return (images.astype(np.float64) ** 3 * WEIGHTS).sum(axis=(1, 2, 3))


def evidence(score, slopes=None):
    passes = Passes(IMAGE, score, None, slopes)
    nothing = np.zeros((1, 1, 1))
    return Evidence(nothing, nothing, float(score(IMAGE[None])[0]), passes)


def test_occlusion_without_overlap_is_what_each_square_holds():
    found = occlusion(evidence(linear), fill="zero", patch=16, step=16)
    squares = (IMAGE * WEIGHTS)[..., 0].reshape(8, 16, 8, 16).sum((1, 3), dtype=np.float64)
    assert found == pytest.approx(np.kron(squares, np.ones((16, 16))), abs=1e-7)


def test_occlusion_averages_the_squares_a_pixel_lies_in():
    asked = []

    def corner(images):
        asked.append(len(images))
        return images[:, 0, 0, 0].astype(np.float64)

    found = occlusion(evidence(corner), fill="zero")
    assert asked == [1, 225]
    assert found[0, 0] == pytest.approx(IMAGE[0, 0, 0])  # one square lies over it
    assert found[8, 0] == pytest.approx(IMAGE[0, 0, 0] / 2)  # one of two covers the corner too
    assert found[8, 8] == pytest.approx(IMAGE[0, 0, 0] / 4)
    assert not found[16:, 16:].any()


def test_occlusion_refuses_squares_that_leave_the_image():
    with pytest.raises(ValueError, match="step"):
        occlusion(evidence(linear), step=5)


def test_integrated_gradients_of_a_linear_score_are_its_terms():
    made = evidence(linear, lambda images: np.broadcast_to(WEIGHTS, images.shape))
    assert integrated_gradients(made) == pytest.approx((IMAGE * WEIGHTS)[..., 0], abs=1e-9)
    assert made.passes.remarks[0].startswith("32 points from black")


@pytest.mark.parametrize("fill", ["zero", "mean", "blur"])
def test_integrated_gradients_add_up_to_the_rise_of_the_score(fill):
    made = evidence(cubic, lambda images: 3 * images.astype(np.float64) ** 2 * WEIGHTS)
    found = integrated_gradients(made, fill=fill)
    rise = cubic(IMAGE[None])[0] - cubic(blank(IMAGE, fill)[None])[0]
    assert found.sum() == pytest.approx(rise, rel=0.02)


def test_points_are_doubled_until_the_map_adds_up():
    asked = []

    def slopes(images):
        asked.append(len(images))
        return 8 * images.astype(np.float64) ** 7 * np.abs(WEIGHTS)

    made = evidence(lambda images: (images.astype(np.float64) ** 8 * np.abs(WEIGHTS)).sum((1, 2, 3)), slopes)
    integrated_gradients(made, steps=8)
    assert asked == [8, 16]
    assert "16 points" in made.passes.remarks[0]


def test_points_are_not_doubled_for_ever():
    asked = []

    def wrong(images):
        asked.append(len(images))
        return np.zeros(images.shape)

    integrated_gradients(evidence(linear, wrong))
    assert asked == [32, 64, 128, 256]


def test_what_stands_for_nothing():
    assert not blank(IMAGE, "zero").any()
    assert np.unique(blank(IMAGE, "mean")) == pytest.approx(IMAGE.mean())
    soft = blank(IMAGE, "blur")
    assert soft.std() < IMAGE.std() / 10
    assert all(blank(IMAGE, fill).dtype == np.float32 for fill in ("zero", "mean", "blur"))
    with pytest.raises(ValueError, match="fill"):
        blank(IMAGE, "noise")


def test_an_undefined_score_gives_no_nan_in_occlusion():
    assert not occlusion(evidence(lambda images: np.full(len(images), np.nan))).any()
