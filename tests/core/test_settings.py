"""Settings in words: whatever the page or a flag can say, a training gets exactly that."""

from __future__ import annotations

from dataclasses import asdict, fields, replace

import pytest

from core import __main__ as cli
from core import settings
from core.errors import TrainingFailed
from core.training.config import RECIPES, TrainConfig


def through_the_command_line(config: TrainConfig) -> TrainConfig:
    """The settings that ``train`` would use when it is started with the arguments of ``config``."""
    chosen = vars(cli.parser().parse_args(["train", *settings.arguments(config)]))
    changes = {one.name: chosen[one.name] for one in settings.list_settings()}
    return settings.training_config(chosen["dataset"], chosen["models"][0], chosen["recipe"], **changes)


@pytest.mark.parametrize("recipe", RECIPES)
def test_arguments_repeat_every_setting_exactly(recipe):
    config = RECIPES[recipe]("busi", "unet")
    assert through_the_command_line(config) == config
    odd = replace(
        config, seed=7, split="busi-image", learning_rate=3e-7, calibrate=not config.calibrate, ema=0.1 + 0.2,
        batch_norm=not config.batch_norm, select="val_pooled_dice", precision="mixed_bfloat16",
    )  # fmt: skip
    assert through_the_command_line(odd) == odd


def test_every_field_of_the_config_can_be_set():
    listed = {setting.name for setting in settings.list_settings()} | set(settings.APART)
    assert listed == {one.name for one in fields(TrainConfig)}
    assert set(settings.SENTENCES) | set(settings.CHOICES) <= listed


def test_every_choice_is_one_that_a_training_takes():
    for setting in settings.list_settings():
        for value in setting.choices:
            assert (
                getattr(replace(TrainConfig("busi", "unet"), **{setting.name: value}), setting.name) == value
            )
        assert not setting.choices or setting.default in setting.choices


def test_a_setting_out_of_range_is_refused_by_name():
    with pytest.raises(TrainingFailed, match="augment: 2 is out of range"):
        settings.training_config("busi", "unet", augment=2)


def test_stored_settings_of_an_older_version_get_the_default_of_a_younger_field():
    stored = {**asdict(TrainConfig("busi", "dcunet", seed=3)), "backend": "tensorflow"}
    del stored["calibrate"]
    assert settings.stored_config(stored) == TrainConfig("busi", "dcunet", seed=3)
    with pytest.raises(TrainingFailed, match="cannot be used"):
        settings.stored_config({"model": "unet"})
