"""The outline of the nearest training slice, copied; and what the same images score once they are known."""

import numpy as np
import pytest

from core.metrics import leakage
from core.metrics.overlap import Counts


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


def gains(unseen, drawn, groups, twins):
    return {row["images"]: row for row in leakage.remembered(unseen, drawn, groups, twins)}


def test_the_gain_of_known_images_stands_beside_that_of_unknown_ones():
    unseen, drawn = [0.5, 0.6, 0.7, 0.2], [0.9, 0.6, 0.8, 0.1]
    found = gains(unseen, drawn, ["a", "b", "c", "d"], [True, False, True, False])
    known, unknown = found["with a near-duplicate in training"], found["without one"]
    assert known["difference"] == pytest.approx((0.4 + 0.1) / 2)
    assert unknown["difference"] == pytest.approx(-0.1 / 2)
    assert found["all"]["difference"] == pytest.approx(0.4 / 4)
    assert (known["n"], known["n_groups"], known["note"]) == ([2, 2], 2, "n < 5: points only")
    assert known["values"] == pytest.approx([0.6, 0.85])


def test_a_group_counts_once_however_many_images_it_has():
    found = gains([0.0, 0.0, 0.5], [1.0, 1.0, 0.5], ["a", "a", "b"], [True, True, True])["all"]
    assert (found["difference"], found["n"], found["n_groups"]) == (0.5, [3, 3], 2)


def test_from_five_groups_on_there_is_an_interval_round_the_mean():
    drawn = [0.6, 0.9, 0.7, 0.8, 0.95, 0.65]
    found = gains([0.5] * 6, drawn, list("abcdef"), [True] * 6)["all"]
    assert 0.1 < found["low"] < found["difference"] < found["high"] < 0.45
    assert found["note"] == "approximate, n < 20"


def test_an_image_undefined_for_either_is_left_out_and_an_empty_row_is_nan():
    found = gains([0.5, np.nan], [0.7, 0.9], ["a", "b"], [True, True])
    assert found["all"]["n"] == [1, 1]
    assert np.isnan(found["without one"]["difference"])
    assert np.isnan(found["without one"]["values"]).all()


def counts(tp: int, fp: int, fn: int) -> Counts:
    return Counts(tp, fp, fn, 100 - tp - fp - fn)


def test_the_same_slices_are_pooled_by_volume_and_averaged_by_patient():
    unseen = {
        "a": {
            1: counts(1, 1, 1),
            2: counts(3, 1, 1),
            9: counts(0, 50, 50),
        },  # 9 is not in the other's test part
        "b": {1: counts(0, 0, 10)},
        "c": {4: counts(5, 0, 0)},
    }
    drawn = {
        "a": {1: counts(2, 0, 0), 2: counts(4, 0, 0)},
        "b": {1: counts(10, 0, 0)},
        "c": {4: counts(5, 5, 0)},
    }
    found = leakage.same_slices(unseen, drawn, {"a": "p", "b": "p", "c": "q"})
    assert found["values"] == pytest.approx([((8 / 12 + 0) / 2 + 1) / 2, (1 + 10 / 15) / 2])
    assert found["volumes"] == pytest.approx([10 / 15 - 1, 1])
    assert found["difference"] == pytest.approx(((4 / 12 + 1) / 2 + 10 / 15 - 1) / 2)
    assert (found["n"], found["n_volumes"], found["n_groups"], found["note"]) == (
        4,
        3,
        2,
        "n < 5: points only",
    )
    assert np.isnan(found["low"])


def test_five_patients_give_an_interval_of_the_same_slices():
    unseen = {name: {0: counts(5 + at, 5, 5)} for at, name in enumerate("abcdef")}
    drawn = {name: {0: counts(9, 1, 1)} for name in "abcdef"}
    found = leakage.same_slices(unseen, drawn, {name: name for name in "abcdef"})
    assert found["volumes"][0] < found["low"] < found["difference"] < found["high"] < found["volumes"][1]


def test_without_a_slice_in_common_or_without_the_class_there_is_nothing_to_compare():
    there, absent = counts(5, 0, 0), counts(0, 3, 0)
    assert leakage.same_slices({"a": {1: there}}, {"b": {1: there}}, {"a": "a"}) is None
    assert leakage.same_slices({"a": {1: there}}, {"a": {2: there}}, {"a": "a"}) is None
    assert leakage.same_slices({"a": {1: absent}}, {"a": {1: absent}}, {"a": "a"}) is None
