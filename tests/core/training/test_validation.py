"""Which epoch is best: the score decides, unless it was bought with false alarms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.prepared import Arrays
from core.records import SIZE, SliceEntry
from core.training.config import TrainConfig, strong

pytestmark = pytest.mark.slow  # the module imports Keras


def best(config, *epochs):
    from core.training.validation import Stopper

    stopper = Stopper()
    for number, (dice, alarms) in enumerate(epochs, start=1):
        stopper.improves(
            number, {"val_dice": dice, "val_loss": 1 - (dice or 0), "val_false_alarm": alarms}, config
        )
    return stopper.best_epoch


def test_the_highest_dice_wins():
    assert best(TrainConfig("busi", "unet"), (0.5, 0.1), (0.7, 0.9), (0.6, 0.0)) == 2


def test_an_epoch_with_too_many_false_alarms_comes_after_every_other():
    config = strong("busi", "unet")
    assert best(config, (0.5, 0.1), (0.7, 0.21), (0.6, 0.2), (0.55, 0.0)) == 3
    assert best(config, (0.7, 0.5), (0.6, 0.3)) == 1
    assert best(config, (0.7, 0.5), (0.3, 0.1), (0.8, 0.3)) == 2


def test_without_normal_images_there_are_no_false_alarms_to_count():
    assert best(strong("busi", "unet"), (0.5, None), (0.6, None)) == 2


def test_an_undefined_dice_is_never_better():
    assert best(strong("busi", "unet"), (0.2, 0.0), (None, 0.0)) == 1


def test_the_paper_recipe_takes_the_lowest_loss():
    config = replace(TrainConfig("busi", "unet"), select="val_loss")
    assert best(config, (0.5, 0.9), (0.7, 0.9), (0.6, 0.0)) == 2


def test_over_all_cases_false_alarms_weigh_like_missed_lesions():
    from core.training.validation import Stopper

    config = replace(TrainConfig("busi", "unet"), select="val_whole_dice")
    stopper = Stopper()
    for epoch, score in enumerate((0.6, 0.7, 0.65), start=1):
        stopper.improves(
            epoch, {"val_dice": 0.9 - score, "val_whole_dice": score, "val_false_alarm": 1}, config
        )
    assert (stopper.best_epoch, stopper.best) == (2, 0.7)


def test_the_dice_of_all_cases_counts_clean_ones_as_1_and_false_alarms_as_0():
    from core.training.validation import validate

    labels = np.zeros((4, SIZE, SIZE), np.uint8)
    labels[0, :2, :10] = 1
    drawn = np.zeros((4, SIZE, SIZE, 1), np.float32)
    drawn[0, :1, :10] = 1  # half of the only lesion: Dice 2/3
    drawn[1, :1, :1] = 1  # and one false alarm on three normal images

    class Drawing:
        def predict_on_batch(self, images):
            return drawn[images[:, 0, 0, 0].astype(int)]

    places = np.arange(4, dtype=np.float32)[:, None, None, None]
    images = np.broadcast_to(places, (4, SIZE, SIZE, 1))
    entries = [SliceEntry("toy", f"picture-{k}", 0, "p", "", (), SIZE, SIZE, 0) for k in range(4)]
    scores = validate(Drawing(), Arrays(images, labels, entries), np.arange(4), 2)
    assert scores["val_dice"] == pytest.approx(2 / 3)
    assert scores["val_false_alarm"] == pytest.approx(1 / 3)
    assert scores["val_whole_dice"] == pytest.approx((2 / 3 + 1 + 1 + 0) / 4)
    none = validate(Drawing(), Arrays(images, labels * 0, entries), np.arange(4), 2)
    assert (none["val_dice"], none["val_whole_dice"]) == (None, 0.5)


def test_the_pooled_dice_counts_every_class_with_those_inside_it():
    from core.training.validation import validate

    labels = np.zeros((2, SIZE, SIZE), np.uint8)
    labels[0, :4, :10] = 1
    labels[0, :2, :10] = 2
    drawn = np.zeros_like(labels)
    drawn[0, :4, :10] = 1  # all of the liver, none of the tumour
    drawn[1, :1, :10] = 1  # and liver where there is none

    class Drawing:
        def predict_on_batch(self, images):
            return np.eye(3, dtype=np.float32)[drawn[images[:, 0, 0, 0].astype(int)]]

    places = np.arange(2, dtype=np.float32)[:, None, None, None]
    images = np.broadcast_to(places, (2, SIZE, SIZE, 1))
    entries = [SliceEntry("toy", f"volume-{k}", 0, "p", "", (), SIZE, SIZE, 0) for k in range(2)]
    scores = validate(Drawing(), Arrays(images, labels, entries), np.arange(2), 3)
    assert scores["val_pooled_dice"] == pytest.approx((2 * 40 / (50 + 40) + 0) / 2)
    assert scores["val_dice"] == 0
    empty = validate(Drawing(), Arrays(images, labels * 0, entries), np.arange(2), 3)
    assert empty["val_pooled_dice"] is None


def test_volumes_are_judged_by_all_classes_and_pictures_by_their_lesions():
    assert strong("lits", "unet", has_volumes=True).select == "val_pooled_dice"
    assert strong("busi", "unet").select == "val_dice"
