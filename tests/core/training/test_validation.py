"""Which epoch is best: the score decides, unless it was bought with false alarms."""

from __future__ import annotations

from dataclasses import replace

import pytest

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
