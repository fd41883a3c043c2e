"""Calibration by hand (fixture F8), against scikit-learn's curve, and only inside the region."""

import math
import subprocess
import sys

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from core.metrics import calibration

LESION = np.array([True] * 6 + [False] * 4)


def whole_image():
    """F8: 200 pixels, ten with p = 0.9 of which six are lesion, the others with p = 0."""
    return np.array([0.9] * 10 + [0.0] * 190), np.concatenate([LESION, np.zeros(190, bool)])


def test_the_ten_pixels_of_a_region_by_hand():
    found, bins = calibration.measure(np.full(10, 0.9), LESION)
    assert found == {"brier": pytest.approx(0.33), "ece": pytest.approx(0.3), "ace": pytest.approx(0.3)}
    assert (bins.cases, bins.pixels.sum(), bins.positives.sum()) == (1, 10, 6)


def test_over_the_whole_image_the_same_error_is_diluted_twentyfold():
    found, _ = calibration.measure(*whole_image())
    assert found["brier"] == pytest.approx(0.0165)
    assert found["ece"] == pytest.approx(0.015)
    assert found["ace"] == pytest.approx(0.015)


def test_perfect_calibration_has_no_error_and_certainty_no_brier_score():
    p = np.repeat([0.0, 0.25, 0.5, 1.0], 8)
    y = np.array([0] * 8 + [1, 1] + [0] * 6 + [1] * 4 + [0] * 4 + [1] * 8, bool)
    found, _ = calibration.measure(p, y)
    assert found["ece"] == found["ace"] == 0
    assert found["brier"] == pytest.approx((8 * 0.25 * 0.75 + 8 * 0.25) / 32)
    assert calibration.measure(y.astype(float), y)[0] == {"brier": 0, "ece": 0, "ace": 0}


def test_equal_counts_see_what_equal_widths_average_away():
    p, y = np.array([0.02, 0.04] * 50), np.array([True, False] * 3 + [False] * 94)
    found, _ = calibration.measure(p, y)
    assert found["ece"] == pytest.approx(0)  # one bin: 0.03 said, 0.03 observed
    assert found["ace"] == pytest.approx((abs(0.02 - 0.06) + 0.04) / 2)


def test_the_order_of_pixels_of_equal_probability_does_not_matter():
    rng = np.random.default_rng(0)
    p, y = rng.integers(0, 4, 237) / 4, rng.random(237) < 0.4
    order = rng.permutation(237)
    assert calibration.ace(p, y) == pytest.approx(calibration.ace(p[order], y[order]))


def test_the_curve_is_scikit_learns_and_adds_up_over_cases():
    rng = np.random.default_rng(1)
    p, y = rng.random(1000) ** 3, rng.random(1000) < 0.3
    p[:11] = np.arange(11) / 10  # the limits of the bins themselves
    total = sum(
        (calibration.bins(p[i : i + 100], y[i : i + 100]) for i in range(0, 1000, 100)), calibration.Bins()
    )
    rows = [row for row in calibration.curve(total) if row["pixels"]]
    observed, said = calibration_curve(y, p, n_bins=10)
    np.testing.assert_allclose([row["observed"] for row in rows], observed)
    np.testing.assert_allclose([row["probability"] for row in rows], said)
    assert (total.cases, sum(row["pixels"] for row in rows)) == (10, 1000)
    assert calibration.ece(total) == pytest.approx(calibration.ece(calibration.bins(p, y)))


def test_an_empty_bin_is_undefined_and_the_others_have_their_limits():
    rows = calibration.curve(calibration.bins(np.array([0.25, 0.25]), np.array([True, False])))
    assert (rows[2]["low"], rows[2]["high"], rows[2]["pixels"]) == (0.2, pytest.approx(0.3), 2)
    assert (rows[2]["probability"], rows[2]["observed"]) == (0.25, 0.5)
    assert math.isnan(rows[3]["observed"])


def test_the_region_is_either_mask_and_five_pixels_round_it():
    reference, predicted = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    reference[20, 20] = predicted[20, 22] = True
    found = calibration.region(reference, predicted)
    row, column = np.indices((40, 40))
    near = [(row - 20) ** 2 + (column - at) ** 2 <= 25 for at in (20, 22)]
    np.testing.assert_array_equal(found, near[0] | near[1])


def test_at_the_edge_the_region_ends_with_the_image_and_two_empty_masks_have_none():
    corner, none = np.zeros((12, 9), bool), np.zeros((12, 9), bool)
    corner[0, 0] = True
    found = calibration.region(corner, none)
    assert (found[0].sum(), found[:, 0].sum()) == (6, 6)
    assert not calibration.region(none, none).any()


def test_without_a_region_every_number_is_undefined_and_nothing_is_counted():
    found, bins = calibration.measure(np.zeros(0), np.zeros(0, bool))
    assert all(math.isnan(value) for value in found.values())
    assert (bins.cases, bins.pixels.sum()) == (0, 0)
    assert math.isnan(calibration.ece(bins))


def test_a_region_without_the_class_still_has_its_numbers():
    found, _ = calibration.measure(np.full(5, 0.6), np.zeros(5, bool))
    assert found == {"brier": pytest.approx(0.36), "ece": pytest.approx(0.6), "ace": pytest.approx(0.6)}


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="probability: expected the shape"):
        calibration.measure(np.zeros(3), np.zeros(4, bool))


def test_importing_it_loads_neither_scipy_nor_scikit_learn():
    loaded = "import sys; import core.metrics.calibration; print({'scipy', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
