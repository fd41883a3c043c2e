"""Lesions matched in groups, on volumes small enough to count by hand."""

import math

import numpy as np
import pytest

from core.metrics import lesions
from core.metrics.lesions import Lesions

ONE = np.s_[2:4, 4:6, 4:6]
REFERENCE = (ONE, np.s_[6:8, 12:14, 12:14])
PREDICTION = (ONE, np.s_[6:8, 13:15, 13:15], np.s_[0, 2:4, 2:4])


def mask(*boxes):
    made = np.zeros((10, 20, 20), bool)
    for box in boxes:
        made[box] = True
    return made


def ratios(reference, predicted, threshold):
    found = lesions.found(lesions.match(reference, predicted), threshold)
    return found.recall, found.precision


def test_a_hit_a_graze_and_a_false_lesion():
    both = mask(*REFERENCE), mask(*PREDICTION)
    assert ratios(*both, 0) == (1, pytest.approx(2 / 3))
    assert ratios(*both, 0.5) == (0.5, pytest.approx(1 / 3))
    assert lesions.found(lesions.match(*both), 0.5).f1 == pytest.approx(0.4)
    assert sorted(lesions.match(*both).matched_iou) == pytest.approx([2 / 14, 1])


def test_a_false_lesion_numbered_before_the_hit_changes_nothing():
    both = mask(*REFERENCE), mask(*PREDICTION)
    assert ratios(both[0][::-1], both[1][::-1], 0.5) == ratios(*both, 0.5)


def test_exchanging_reference_and_prediction_exchanges_recall_and_precision():
    rng = np.random.default_rng(1)
    for _ in range(20):
        a, b = (rng.random((5, 12, 12)) > 0.85 for _ in range(2))
        for threshold in lesions.THRESHOLDS:
            assert ratios(a, b, threshold) == ratios(b, a, threshold)[::-1]


def test_splitting_a_bar_in_two_loses_nothing():
    bar = mask(np.s_[5, 5, 2:9])
    halves = mask(np.s_[5, 5, 2:5], np.s_[5, 5, 6:9])
    assert ratios(bar, halves, 0.5) == (1, 1)
    assert lesions.match(bar, halves).matched_iou == pytest.approx((6 / 7,))


def test_bridging_two_bars_loses_nothing():
    halves = mask(np.s_[5, 5, 2:5], np.s_[5, 5, 6:9])
    assert ratios(halves, mask(np.s_[5, 5, 2:9]), 0.5) == (1, 1)


def test_lesions_that_touch_by_an_edge_or_a_corner_are_two():
    edge = mask(np.s_[2, 2, 2], np.s_[2, 3, 3])
    corner = mask(np.s_[2, 2, 2], np.s_[3, 3, 3])
    face = mask(np.s_[2, 2, 2], np.s_[3, 2, 2])
    found = [len(lesions.match(one, one).reference_iou) for one in (edge, corner, face)]
    assert found == [2, 2, 1]


def test_a_group_of_iou_one_half_is_not_above_one_half():
    both = mask(np.s_[2, 2, 2:4]), mask(np.s_[2, 2, 2:3])
    assert ratios(*both, 0.5) == (0, 0)
    assert ratios(*both, 0) == (1, 1)


def test_missed_and_invented_lesions_leave_ratios_undefined_where_nothing_is():
    nothing, something = mask(), mask(ONE)
    missed, invented = ratios(something, nothing, 0), ratios(nothing, something, 0)
    assert missed[0] == 0
    assert math.isnan(missed[1])
    assert math.isnan(invented[0])
    assert invented[1] == 0
    assert lesions.match(nothing, nothing) == Lesions()
    assert math.isnan(lesions.found(Lesions(), 0).f1)


def test_f1_of_lesions_all_missed_and_all_invented_is_0():
    apart = lesions.match(mask(ONE), mask(np.s_[7, 7, 7]))
    assert lesions.found(apart, 0).f1 == 0


def test_two_volumes_are_pooled_by_adding_their_lesions():
    one = lesions.match(mask(*REFERENCE), mask(*PREDICTION))
    two = lesions.match(mask(ONE), mask())
    found = lesions.found(one + two, 0)
    assert (found.detected, found.n_reference, found.right, found.n_predicted) == (2, 3, 2, 3)


def test_the_size_of_a_lesion_is_the_diameter_of_the_sphere_of_its_volume_in_mm():
    cube = mask(np.s_[0:10, 0:10, 0:10])
    (found,) = lesions.match(cube, cube, voxel_mm3=math.pi / 6).diameters_mm
    assert found == pytest.approx(10)  # 1000 voxels of pi/6 mm3: a sphere of 10 mm
    assert lesions.diameter_mm(4 / 3 * math.pi * 5**3) == pytest.approx(10)


@pytest.mark.parametrize(("diameter", "place"), [(9.99, 0), (10, 1), (20, 1), (20.01, 2)])
def test_10_and_20_mm_belong_to_the_middle_size(diameter, place):
    assert lesions.size_of(diameter) == lesions.SIZES[place]


def test_recall_by_size_has_every_size_and_its_number():
    found = Lesions(diameters_mm=(5, 8, 30), reference_iou=(0.0, 0.2, 0.9), predicted_iou=(), matched_iou=())
    assert list(lesions.found_by_size(found, 0).values()) == [(1, 2), (0, 0), (1, 1)]
    assert list(lesions.found_by_size(found, 0.5).values()) == [(0, 2), (0, 0), (1, 1)]


def test_the_dice_of_detected_lesions_leaves_out_those_not_detected():
    found = lesions.match(mask(*REFERENCE), mask(*PREDICTION))
    assert lesions.detected_dice(found) == 1
    assert lesions.detected_dice(found, 0) == pytest.approx((1 + 4 / 16) / 2)
    assert math.isnan(lesions.detected_dice(Lesions()))


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        lesions.match(mask(), mask()[1:])
