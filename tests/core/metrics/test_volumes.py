"""Volume errors, tumour burden and distances in mm, on volumes small enough to count by hand."""

import math

import numpy as np
import pytest

from core.metrics import overlap, surface, volumes
from core.metrics.overlap import Counts

LIVER = ("background", "liver", "tumour")
ONE = np.s_[2:4, 4:6, 4:6]
REFERENCE = (ONE, np.s_[6:8, 12:14, 12:14])
PREDICTION = (ONE, np.s_[6:8, 13:15, 13:15], np.s_[0, 2:4, 2:4])


def labelled(tumours):
    """A volume of 10 slices of 20 x 20 with a liver of 2,560 voxels and these tumours in it."""
    labels = np.zeros((10, 20, 20), np.uint8)
    labels[:, 2:18, 2:18] = 1
    for tumour in tumours:
        labels[tumour] = 2
    return labels


def counts(reference, prediction):
    found = overlap.count_classes(labelled(reference), labelled(prediction), LIVER)
    return found["liver"], found["tumour"]


V1 = counts(REFERENCE, PREDICTION)
V2 = counts((), ())
V3 = counts((), (ONE,))


def test_two_tumours_of_which_one_is_half_missed_and_a_false_one():
    _, tumour = V1
    found = volumes.figures(tumour, 1000.0)
    assert overlap.dice(tumour) == pytest.approx(0.5556, abs=5e-5)
    assert found["voe"] == pytest.approx(0.6154, abs=5e-5)
    assert (found["rvd"], found["rvd_challenge"]) == (0.25, -0.2)
    assert (found["volume_ref_ml"], found["volume_pred_ml"]) == (16, 20)
    assert (found["volume_error_ml"], found["volume_error_percent"]) == (4, 25)


def test_too_small_a_prediction_has_a_negative_error_and_a_positive_absolute_one():
    found = volumes.figures(Counts(tp=6, fp=0, fn=2, tn=0), 500.0)
    assert (found["rvd"], found["volume_error_ml"], found["abs_volume_error_ml"]) == (-0.25, -1, 1)
    assert (found["volume_error_percent"], found["abs_volume_error_percent"]) == (-25, 25)


@pytest.mark.parametrize(
    ("c", "undefined"),
    [
        (V2[1], {"voe", "rvd", "rvd_challenge", "volume_error_percent", "abs_volume_error_percent"}),
        (V3[1], {"rvd", "volume_error_percent", "abs_volume_error_percent"}),
        (Counts(0, 0, 8, 100), {"rvd_challenge"}),
    ],
)
def test_what_an_empty_mask_leaves_undefined_is_nan(c, undefined):
    found = volumes.figures(c, 1.0)
    assert {name for name, value in found.items() if math.isnan(value)} == undefined


@pytest.mark.parametrize(
    ("rule", "two", "three"),
    [
        ("lesion-cases", 0.5556, 0.5556),
        ("all-cases", 0.5556, 0.2778),
        ("empty-is-one", 0.7778, 0.5185),
        ("empty-is-zero", 0.2778, 0.1852),
    ],
)
def test_the_same_volumes_have_another_mean_dice_under_each_rule(rule, two, three):
    tumours = [V1[1], V2[1], V3[1]]
    assert overlap.mean_over_cases("dice", tumours[:2], rule).value == pytest.approx(two, abs=5e-5)
    assert overlap.mean_over_cases("dice", tumours, rule).value == pytest.approx(three, abs=5e-5)


def burdens(*pairs):
    return [
        (volumes.burden(tumour.n_ref, liver.n_ref), volumes.burden(tumour.n_pred, liver.n_pred))
        for liver, tumour in pairs
    ]


def test_the_burden_is_tumour_in_percent_of_the_liver_that_holds_it():
    assert burdens(V1)[0] == pytest.approx((0.625, 0.78125))


def test_burden_errors_over_two_volumes_by_hand():
    found = volumes.burden_errors(burdens(V1, V2))
    assert found.rmse == pytest.approx(0.11049, abs=5e-6)  # 0.0011049 as a fraction
    assert found.mean == pytest.approx(0.15625 / 2)
    assert found.max_abs == pytest.approx(0.15625)
    assert (found.n, found.undefined) == (2, 0)


def test_the_largest_burden_error_is_the_largest_absolute_one():
    assert volumes.burden_errors([(5.0, 1.0), (1.0, 3.0)]).max_abs == 4


def test_a_volume_without_a_predicted_liver_is_counted_and_in_no_mean():
    pairs = [*burdens(V1), (1.0, volumes.burden(0, 0))]
    found = volumes.burden_errors(pairs)
    assert (found.n, found.undefined, found.max_abs) == (1, 1, pytest.approx(0.15625))
    nothing = volumes.burden_errors(pairs[1:])
    assert (nothing.n, nothing.undefined) == (0, 1)
    assert math.isnan(nothing.rmse)


def test_ml_come_from_the_affine_whatever_its_flips_and_permutations():
    straight = np.diag([0.7, 0.8, 5.0, 1.0])
    flipped = straight @ np.diag([-1, 1, -1, 1])
    turned = flipped[[2, 0, 1, 3]]
    for affine in (straight, flipped, turned, straight.tolist()):
        assert volumes.voxel_mm3(affine) == pytest.approx(2.8)
    assert volumes.ml(1000, 2.8) == pytest.approx(2.8)


def test_distances_follow_the_spacing_of_each_axis():
    cube = np.zeros((12, 12, 12), bool)
    cube[4:8, 4:8, 4:8] = True
    along = [volumes.distances(cube, np.roll(cube, 1, axis), (5, 0.7, 0.9)) for axis in range(3)]
    assert [found["hd_mm"] for found in along] == pytest.approx([5, 0.7, 0.9])
    assert (along[0]["hd95_mm"], along[0]["nsd_5mm"], along[1]["nsd_2mm"]) == (5, 1, 1)
    assert along[0]["assd_mm"] == pytest.approx(1.4786, abs=5e-5)
    assert along[0]["nsd_2mm"] == pytest.approx(0.7143, abs=5e-5)


def test_a_missed_tumour_has_no_distance_and_a_surface_share_of_0():
    some, none = np.ones((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
    missed, false = volumes.distances(some, none, (1, 1, 1)), volumes.distances(none, some, (1, 1, 1))
    assert (missed["nsd_2mm"], missed["nsd_5mm"]) == (0, 0)
    assert all(math.isnan(missed[f"{name}_mm"]) for name in volumes.DISTANCES)
    assert all(math.isnan(value) for value in false.values())
    assert set(missed) == set(volumes.SURFACES)


@pytest.mark.parametrize("seen", [(True, False), (False, True), (False, False)])
def test_no_search_for_neighbours_ever_starts_on_an_empty_mask(monkeypatch, seen):
    monkeypatch.setattr(surface.spatial, "KDTree", None)
    a, b = (np.full((3, 3, 3), value) for value in seen)
    assert math.isnan(volumes.distances(a, b, (1, 1, 1))["hd95_mm"])


def test_exchanging_reference_and_prediction_changes_no_distance():
    rng = np.random.default_rng(0)
    a, b = (rng.random((6, 9, 9)) > 0.8 for _ in range(2))
    assert volumes.distances(a, b, (3, 1, 2)) == pytest.approx(volumes.distances(b, a, (3, 1, 2)))
