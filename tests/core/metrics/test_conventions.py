"""The two conventions of the study, by hand, and its table as printed."""

import math

import numpy as np
import pytest

from core.metrics import conventions, overlap
from core.metrics.overlap import Counts

F1, F2, F3 = Counts(2, 2, 2, 10), Counts(0, 0, 0, 16), Counts(0, 1, 0, 15)
F4_LABELS = np.array([[0, 0, 1, 2]], np.uint8)
F4 = np.array([[[0.9, 0.05, 0.05], [0.4, 0.35, 0.25], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3]]], np.float32)


def test_three_images_by_hand():
    found = conventions.paper_binary([F1, F2, F3])
    assert found["precision"] == found["recall"] == found["dice"] == pytest.approx(1 / 6)
    assert found["accuracy"] == pytest.approx(43 / 48)
    assert found["iou_a"] == pytest.approx(0.6642, abs=5e-5)
    assert found["iou_b"] == pytest.approx(0.5885, abs=5e-5)


def test_the_iou_put_beside_the_paper_is_the_lower_reading():
    assert (found := conventions.paper_binary([F1, F2, F3]))["iou"] == found["iou_b"] < found["iou_a"]
    assert (found := conventions.paper_binary([F1, Counts(16, 0, 0, 0)]))["iou"] == min(
        found["iou_a"], found["iou_b"]
    )


def test_an_empty_image_rightly_left_empty_has_dice_0_and_iou_a_1():
    found = conventions.paper_binary([F2])
    assert (found["dice"], found["iou_a"], found["iou_b"]) == (0, 1, 1)


def test_one_false_pixel_in_an_empty_4_by_4_image_has_iou_a_15_over_32():
    assert conventions.paper_binary([F3])["iou_a"] == 15 / 32


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        conventions.paper_binary([])


def test_cross_entropy_of_a_half_is_ln_2_and_of_certainty_is_clipped():
    assert conventions.bce(np.full((2, 2), 0.5), np.eye(2)) == pytest.approx(math.log(2))
    assert conventions.bce(np.zeros((1, 1)), np.ones((1, 1))) == pytest.approx(-math.log(1e-7))
    assert conventions.bce(np.eye(2), np.eye(2)) == pytest.approx(1e-7, rel=1e-3)


def test_cross_entropy_over_images_is_the_mean_over_all_pixels():
    p, y = np.random.default_rng(0).random((3, 4, 4)), np.random.default_rng(1).random((3, 4, 4)) > 0.5
    each = [conventions.bce(a, b) for a, b in zip(p, y, strict=True)]
    found = conventions.paper_binary([F1, F2, F3], each)["bce"]
    assert found == pytest.approx(conventions.bce(p, y))


def test_for_one_channel_categorical_and_binary_cross_entropy_are_equal():
    p = np.random.default_rng(0).random((4, 4, 1)).astype(np.float32)
    labels = (np.random.default_rng(1).random((4, 4)) > 0.5).astype(np.uint8)
    both = np.concatenate([1 - p, p], axis=-1)
    assert conventions.cce(p, labels) == pytest.approx(conventions.bce(p[..., 0], labels))
    assert conventions.cce(both, labels) == pytest.approx(conventions.cce(p, labels), rel=1e-5)


def test_four_pixels_of_three_classes_by_hand():
    found = conventions.paper_multiclass([(F4_LABELS, F4)])
    expected = {
        "accuracy": 0.75,
        "precision": 2 / 3,
        "recall": 0.5,
        "dice": 4 / 7,
        "iou": 0.5,
        "cce": 0.645575,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_one_hot_predictions_have_equal_precision_and_recall_and_the_accuracy_identity():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (2, 8, 8))
    hard = np.eye(3, dtype=np.float32)[rng.integers(0, 3, (2, 8, 8))]
    found = conventions.paper_multiclass(zip(labels, hard, strict=True))
    assert found["precision"] == pytest.approx(found["recall"])
    assert found["accuracy"] == pytest.approx(1 - 2 / 3 * (1 - found["dice"]))


def test_a_model_that_misses_every_tumour_pixel_still_scores_above_0_999():
    labels = np.zeros((100, 100), np.uint8)
    labels[:40] = 1
    labels[0, :10] = 2
    called_liver = np.eye(3, dtype=np.float32)[np.minimum(labels, 1)]
    found = conventions.paper_multiclass([(labels, called_liver)])
    assert found["dice"] == pytest.approx(0.999)
    assert found["accuracy"] == pytest.approx(0.9993, abs=5e-5)


def test_the_printed_table_shows_an_iou_above_dice_in_every_column():
    values = conventions.PAPER_TABLE_2["values"]
    assert all(
        float(values["iou"][m]) > float(values["dice"][m]) for m in conventions.PAPER_TABLE_2["models"]
    )
    assert values["precision"]["dcunet"] == "0.51207"
    assert values["recall"]["dcunet"] == "0.5330"
    assert set(conventions.PAPER_TABLE_2["order"]) == set(values) == set(conventions.PAPER_TABLE_2["metrics"])


def test_a_larger_dice_meets_the_paper_and_a_larger_entropy_does_not():
    rows = {
        r["metric"]: r for r in conventions.beside_the_paper("unet", {"dice": 0.5, "bce": 0.2, "iou": 0.7292})
    }
    assert (rows["dice"]["met"], rows["bce"]["met"], rows["iou"]["met"]) == (True, False, True)
    assert rows["dice"]["published"] == "0.4657"
    assert conventions.beside_the_paper("fourth", {"dice": 0.5}) == []


@pytest.mark.slow
def test_keras_agrees_with_both_conventions():
    import keras

    rng = np.random.default_rng(0)
    truth = (rng.random((6, 16, 16)) > 0.8).astype(np.uint8)
    p = np.clip(truth * 0.4 + rng.random(truth.shape) * 0.6, 0, 1).astype(np.float32)
    counts = [overlap.count(t, (q > 0.5).astype(np.uint8)) for t, q in zip(truth, p, strict=True)]
    total, ours = overlap.pooled(counts), conventions.paper_binary(counts)

    def keras_says(metric, y_true, y_pred):
        metric.update_state(y_true, y_pred)
        return float(metric.result())

    each = list(zip(truth, p, strict=True))
    assert ours["accuracy"] == pytest.approx(keras_says(keras.metrics.BinaryAccuracy(), truth, p), abs=1e-6)
    assert overlap.precision(total) == pytest.approx(
        keras_says(keras.metrics.Precision(), truth, p), abs=1e-6
    )
    assert ours["recall"] == pytest.approx(
        np.mean([keras_says(keras.metrics.Recall(), *e) for e in each]), abs=1e-6
    )
    assert overlap.iou(total) == pytest.approx(
        keras_says(keras.metrics.BinaryIoU(target_class_ids=[1], threshold=0.5), truth, p), abs=1e-6
    )
    assert ours["iou_b"] == pytest.approx(
        keras_says(keras.metrics.BinaryIoU(threshold=0.5), truth, p), abs=1e-6
    )
    hot = np.eye(3, dtype=np.float32)[F4_LABELS]
    three = conventions.paper_multiclass([(F4_LABELS, F4)])
    assert three["precision"] == pytest.approx(keras_says(keras.metrics.Precision(), hot, F4), abs=1e-6)
    assert three["recall"] == pytest.approx(keras_says(keras.metrics.Recall(), hot, F4), abs=1e-6)
    assert three["iou"] == pytest.approx(keras_says(keras.metrics.OneHotMeanIoU(3), hot, F4), abs=1e-6)
    assert three["cce"] == pytest.approx(
        keras_says(keras.metrics.CategoricalCrossentropy(), hot, F4), abs=1e-5
    )


def test_counting_volume_by_volume_gives_what_all_slices_together_give():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, (5, 8, 8)).astype(np.uint8)
    probability = rng.dirichlet((1, 1, 1), (5, 8, 8)).astype(np.float32)
    parts = [conventions.count_multiclass(labels[at], probability[at]) for at in (slice(0, 2), slice(2, 5))]
    together = conventions.paper_multiclass(zip(labels, probability, strict=True))
    assert conventions.multiclass_figures(parts[0] + parts[1]) == pytest.approx(together)


def test_no_slice_has_no_figures():
    with pytest.raises(ValueError, match="slice"):
        conventions.paper_multiclass([])


def test_table_3_closes_to_four_digits_as_a_micro_average_over_three_channels():
    table = conventions.PAPER_TABLE_3
    for model in table["models"]:
        dice, accuracy = (float(table["values"][name][model]) for name in ("dice", "accuracy"))
        assert accuracy == pytest.approx(1 - 2 / 3 * (1 - dice), abs=1e-4)
    assert set(table["order"]) == set(table["values"]) == set(table["metrics"])
    assert table["values"]["iou"] == {"unet": "0.9062", "multiresunet": "0.9373", "dcunet": "0.9273"}
    assert table["wording"].startswith(
        "As published. Accuracy, precision, recall and Dice behave like averages"
    )


def test_table_3_is_met_by_an_entropy_as_small_as_printed():
    ours = {"dice": 0.9973, "cce": 0.0073, "iou": 0.9}
    rows = conventions.beside_the_paper("multiresunet", ours, conventions.PAPER_TABLE_3)
    assert {row["metric"]: row["met"] for row in rows} == {"dice": True, "cce": True, "iou": False}
