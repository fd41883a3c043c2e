"""Stability and likeness by hand; disturbances that are small and of their modality."""

import numpy as np
import pytest

from core.explain import checks
from core.records import SIZE


def test_an_unchanged_map_is_wholly_stable():
    values = np.random.default_rng(0).normal(size=(8, 8))
    assert checks.stability(values, [values, values]) == 0


def test_stability_is_the_largest_change_over_the_size_of_the_positive_map():
    values = np.array([[3.0, 4.0], [-7.0, 0.0]])
    assert checks.stability(values, [values, np.array([[3.0, 9.0], [-1.0, -2.0]])]) == 1
    assert checks.stability(values, [np.array([[3.0, 4.0], [12.0, 0.0]])]) == pytest.approx(12 / 5)


def test_a_map_without_positive_values_has_no_stability():
    assert np.isnan(checks.stability(-np.eye(3), [np.eye(3)]))
    assert np.isnan(checks.stability(np.eye(3), []))


def test_a_map_is_like_itself_at_any_scale_and_unlike_its_negative():
    values = np.random.default_rng(1).normal(size=(16, 16))
    assert checks.likeness(values, 9 * values) == pytest.approx((1, 1))
    ranks, similar = checks.likeness(values, -values)
    assert ranks == pytest.approx(-1)
    assert similar < 0


def test_a_constant_map_is_like_nothing():
    assert np.isnan(checks.likeness(np.eye(4), np.ones((4, 4)))).all()
    assert np.isnan(checks.likeness(np.zeros((4, 4)), np.eye(4))).all()


def test_ten_disturbances_of_ultrasound_are_small_and_repeatable():
    image = np.full((SIZE, SIZE, 1), 0.5, np.float32)
    found, again = checks.disturbed_pictures(image), checks.disturbed_pictures(image)
    assert tuple(found) == checks.KINDS
    assert sum(map(len, found.values())) == 10
    for kind, images in found.items():
        for one, other in zip(images, again[kind], strict=True):
            assert one.dtype == np.float32
            assert np.array_equal(one, other)
            assert 0 < np.abs(one - image).mean() < 0.06
    assert found["noise"][0].std() == pytest.approx(checks.NOISE, rel=0.05)
    assert [float(one.mean()) for one in found["gain"]] == pytest.approx([0.45, 0.55])


def test_black_stays_black_under_speckle_and_gain():
    found = checks.disturbed_pictures(np.zeros((SIZE, SIZE, 1), np.float32))
    assert max(one.max() for one in found["speckle"] + found["gain"]) == 0


def test_a_shifted_window_shifts_the_grey_of_ct():
    picture = np.full((256, 256), 50, np.int16)
    beside = np.ones((SIZE, SIZE, 1), np.float32)
    found = checks.disturbed_ct(picture, (-100, 300), [beside])
    assert tuple(found) == checks.KINDS_CT
    assert [float(one.mean()) for one in found["window"]] == pytest.approx(
        [(50 + 100 - shift) / 400 for shift in checks.WINDOW_SHIFTS_HU], abs=1e-5
    )
    assert found["neighbour"] == [beside]
    assert {one.shape for images in found.values() for one in images} == {(SIZE, SIZE, 1)}
    # taken down from 256 pixels, noise of 20 HU averages to less
    assert 0 < found["noise"][0].std() < checks.NOISE_HU / 400
