"""Counts, ratios and rules for empty masks, against values worked out by hand and against scikit-learn."""

import math

import numpy as np
import pytest

from core.metrics import overlap
from core.metrics.overlap import Counts

BINARY = ("background", "tumour")
LIVER = ("background", "liver", "tumour")
F1 = Counts(tp=2, fp=2, fn=2, tn=10)
F2 = Counts(tp=0, fp=0, fn=0, tn=16)
F3 = Counts(tp=0, fp=1, fn=0, tn=15)
MISSED = Counts(tp=0, fp=0, fn=4, tn=12)


def masks_of_f1():
    reference = np.zeros((4, 4), np.uint8)
    predicted = np.zeros((4, 4), np.uint8)
    reference[0, :] = 1
    predicted[0, :2] = predicted[1, :2] = 1
    return reference, predicted


def random_masks(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 12, size=2))
    return tuple((rng.random(shape) < rng.uniform(0.2, 0.8)).astype(np.uint8) for _ in range(2))


def test_half_found_and_half_wrong_counts_2_2_2_10():
    assert overlap.count(*masks_of_f1()) == F1


def test_half_found_and_half_wrong_has_dice_one_half_and_iou_one_third():
    assert overlap.ratios(F1) == pytest.approx(
        {"accuracy": 0.75, "recall": 0.5, "precision": 0.5, "iou": 1 / 3, "dice": 0.5, "specificity": 10 / 12}
    )


def test_two_empty_masks_have_no_dice_and_say_why():
    values, why = overlap.ratios(F2), overlap.reasons(F2)
    undefined = {name for name, value in values.items() if math.isnan(value)}
    assert undefined == {"recall", "precision", "iou", "dice"}
    assert undefined < set(why)
    assert values["accuracy"] == 1


def test_a_false_pixel_in_an_empty_image_has_dice_0_and_no_recall():
    values = overlap.ratios(F3)
    assert values["dice"] == values["iou"] == values["precision"] == 0
    assert math.isnan(values["recall"])
    assert set(overlap.reasons(F3)) == {"recall", "hd95"}


def test_a_missed_lesion_has_dice_0_no_precision_and_no_distance():
    values, why = overlap.ratios(MISSED), overlap.reasons(MISSED)
    assert values["dice"] == values["recall"] == 0
    assert math.isnan(values["precision"])
    assert why == {"precision": "nothing is predicted", "hd95": "undefined (missed)"}


def test_every_undefined_ratio_has_a_reason_and_no_defined_one_has():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        c = Counts(*(int(v) for v in rng.integers(0, 2, 4)))
        undefined = {name for name, value in overlap.ratios(c).items() if math.isnan(value)}
        assert set(overlap.reasons(c)) - {"hd95"} == undefined


@pytest.mark.parametrize("seed", range(10))
def test_iou_is_dice_over_two_minus_dice(seed):
    c = overlap.count(*random_masks(seed))
    dice = overlap.dice(c)
    assert overlap.iou(c) == pytest.approx(dice / (2 - dice))
    assert overlap.iou(c) <= dice


@pytest.mark.parametrize("seed", range(10))
def test_scikit_learn_agrees(seed):
    from sklearn import metrics

    reference, predicted = random_masks(seed)
    c = overlap.count(reference, predicted)
    truth, guess = reference.ravel(), predicted.ravel()
    assert overlap.accuracy(c) == pytest.approx(metrics.accuracy_score(truth, guess))
    assert overlap.precision(c) == pytest.approx(metrics.precision_score(truth, guess))
    assert overlap.recall(c) == pytest.approx(metrics.recall_score(truth, guess))
    assert overlap.iou(c) == pytest.approx(metrics.jaccard_score(truth, guess))
    assert overlap.dice(c) == pytest.approx(metrics.f1_score(truth, guess))


def test_exchanging_reference_and_prediction_exchanges_precision_and_recall():
    reference, predicted = random_masks(3)
    one, other = overlap.count(reference, predicted), overlap.count(predicted, reference)
    assert (overlap.precision(one), overlap.recall(one)) == (overlap.recall(other), overlap.precision(other))
    assert overlap.dice(one) == overlap.dice(other)


def test_all_foreground_has_recall_1_and_all_background_dice_0():
    reference, _ = masks_of_f1()
    assert overlap.recall(overlap.count(reference, np.ones_like(reference))) == 1
    assert overlap.dice(overlap.count(reference, np.zeros_like(reference))) == 0


def test_a_liver_includes_its_tumours_and_a_tumour_is_label_2():
    assert overlap.class_values("liver", LIVER) == (1, 2)
    assert overlap.class_values("tumour", LIVER) == (2,)
    assert overlap.class_values("tumour", BINARY) == (1,)
    with pytest.raises(ValueError, match="class_name"):
        overlap.class_values("kidney", LIVER)


def test_tumour_called_liver_costs_the_tumour_and_not_the_liver():
    reference = np.array([[0, 1, 1, 2]], np.uint8)
    predicted = np.array([[0, 1, 1, 1]], np.uint8)
    found = overlap.scores(reference, predicted, LIVER)
    assert found["liver"].values["dice"] == 1
    assert found["tumour"].values["dice"] == 0
    assert (found["tumour"].tp, found["tumour"].fn) == (0, 1)
    assert found["tumour"].why == {"precision": "nothing is predicted"}


def test_one_confusion_table_gives_the_counts_of_every_class():
    rng = np.random.default_rng(0)
    reference, predicted = (rng.integers(0, 3, (9, 7)).astype(np.uint8) for _ in range(2))
    together = overlap.count_classes(reference, predicted, LIVER)
    for name in LIVER[1:]:
        assert together[name] == overlap.count(reference, predicted, overlap.class_values(name, LIVER))


def test_the_order_of_pixels_does_not_matter():
    reference, predicted = random_masks(5)
    mixed = np.random.default_rng(1).permutation(reference.size)
    shuffled = overlap.count(reference.ravel()[mixed], predicted.ravel()[mixed])
    assert shuffled == overlap.count(reference, predicted)


def test_masks_of_two_sizes_or_unknown_labels_are_refused():
    with pytest.raises(ValueError, match="shape"):
        overlap.scores(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), BINARY)
    with pytest.raises(ValueError, match="expected 0 to 1, got 2"):
        overlap.scores(np.zeros((2, 2), np.uint8), np.full((2, 2), 2, np.uint8), BINARY)


SITUATIONS = {  # reference empty and prediction empty; prediction not; only the prediction empty
    "lesion-cases": (math.nan, math.nan, 0.0),
    "all-cases": (math.nan, 0.0, 0.0),
    "empty-is-one": (1.0, 0.0, 0.0),
    "empty-is-zero": (0.0, 0.0, 0.0),
}


@pytest.mark.parametrize("metric", ["dice", "iou"])
@pytest.mark.parametrize("situation", [0, 1, 2])
@pytest.mark.parametrize("rule", SITUATIONS)
def test_a_rule_says_what_an_empty_mask_is_worth(rule, situation, metric):
    found = overlap.under_rule(metric, (F2, F3, MISSED)[situation], rule)
    assert found == pytest.approx(SITUATIONS[rule][situation], nan_ok=True)


@pytest.mark.parametrize(
    ("rule", "mean", "n"),
    [("lesion-cases", 0.5, 1), ("all-cases", 0.25, 2), ("empty-is-one", 0.5, 3), ("empty-is-zero", 1 / 6, 3)],
)
def test_the_same_predictions_have_another_mean_dice_under_each_rule(rule, mean, n):
    found = overlap.mean_over_cases("dice", [F1, F2, F3], rule)
    assert (found.value, found.n, found.left_out) == (pytest.approx(mean), n, 3 - n)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="lesion-cases"):
        overlap.under_rule("dice", F1, "kind")


def test_precision_of_a_missed_lesion_is_left_out_of_its_mean():
    found = overlap.mean_over_cases("precision", [F1, MISSED])
    assert (found.value, found.n, found.left_out) == (0.5, 1, 1)


def test_no_defined_case_gives_a_mean_of_nan_over_0_cases():
    found = overlap.mean_over_cases("dice", [F2, F3])
    assert math.isnan(found.value)
    assert (found.n, found.left_out) == (0, 2)


def test_a_large_missed_lesion_halves_the_mean_and_ruins_the_pooled_dice():
    cases = [Counts(10, 0, 0, 2000), Counts(0, 0, 1000, 1010)]
    assert overlap.mean_over_cases("dice", cases).value == 0.5
    assert overlap.dice(overlap.pooled(cases)) == pytest.approx(20 / 1020)


def test_pooled_dice_of_the_three_fixtures_is_4_ninths():
    assert overlap.dice(overlap.pooled([F1, F2, F3])) == pytest.approx(4 / 9)
