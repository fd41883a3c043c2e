"""The settings of a training in words: the command line's flags and the page's form are made from these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from core.errors import TrainingFailed
from core.training.config import RECIPES, SELECTED_BY, TrainConfig

KINDS = {"int": int, "float": float, "bool": bool, "str": str}
APART = ("dataset", "model", "recipe")  # asked for on their own: the others have a recipe's value

SENTENCES = {
    "seed": "draws initial weights, order and disturbances; another seed is another run",
    "width": "filters of level 1: 16 compact, 32 as published",
    "split": "a split by name; none: the dataset's first",
    "epochs": "passes over the training part",
    "draws": "slices drawn per epoch of a set of volumes, 0: each once",
    "batch": "images per step",
    "optimiser": "adamw, or adam as in the study",
    "learning_rate": "highest step size",
    "final_rate": "step size at the end; equal to the highest: no schedule",
    "warmup": "share of the steps in which the step size rises, 0 to 1",
    "restart": "epoch after which the learning rate rises anew, 0: never",
    "weight_decay": "pull of the weights towards 0",
    "clip": "largest norm of all gradients together, 0: any",
    "loss": "overlap: cross-entropy and Dice; cross_entropy: as in the study",
    "presence_from": "share of the epochs before the loss asks whether there is a tumour at all, 0 to 1",
    "augment": "strength of the disturbances, 0 to 1",
    "bn_momentum": "memory of batch normalisation, 0 to 1",
    "batch_norm": "normalisation in the U-Net",
    "select": "what the best epoch is chosen by, on validation",
    "max_false_alarm": "epochs that draw on a larger share of normal validation images come last, 0 to 1",
    "patience": "epochs without improvement before stopping, 0: never",
    "start_from": "first epoch that patience counts",
    "pretrained": "another dataset, with whose run of this network the training begins; none: from chance",
    "deep_supervision": "the coarser decoder levels learn from the reference too",
    "ema": "decay of averaged weights, 0: off",
    "calibrate": "fit one temperature on validation after the best epoch is chosen",
    "precision": "arithmetic: 16 bits where a GPU gains from it",
}
CHOICES = {
    "optimiser": ("adam", "adamw"),
    "loss": ("overlap", "cross_entropy"),
    "select": SELECTED_BY,
    "precision": ("float32", "mixed_float16", "mixed_bfloat16"),
}


@dataclass(frozen=True)
class Setting:
    """One setting that a recipe fills in: its name, int, float, bool or str, a sentence, what may be chosen."""

    name: str
    kind: type
    default: Any
    sentence: str
    choices: tuple[str, ...] = ()


def list_settings() -> tuple[Setting, ...]:
    """Every setting but dataset, network and recipe, in the order of ``TrainConfig``."""
    return tuple(
        Setting(
            one.name, KINDS[str(one.type)], one.default, SENTENCES.get(one.name, one.name.replace("_", " ")),
            CHOICES.get(one.name, ()),
        )
        for one in fields(TrainConfig)
        if one.name not in APART and one.default is not MISSING
    )  # fmt: skip


def training_config(
    dataset: str, model: str, recipe: str = "strong", *, has_volumes: bool = False, **changes: Any
) -> TrainConfig:
    """The settings of a recipe with ``changes``; None leaves a setting to the recipe.

    TrainingFailed ("refused") names the setting that is out of range.
    """
    try:
        return RECIPES[recipe](dataset, model, has_volumes=has_volumes, **changes)
    except ValueError as error:
        raise TrainingFailed("refused", f"This training was not begun: {error}.") from None


def stored_config(content: Mapping[str, Any]) -> TrainConfig:
    """The settings in a config.json or run.json; a setting younger than the file has its default.

    TrainingFailed ("refused") when they are not those of a training.
    """
    known = {one.name for one in fields(TrainConfig)}
    try:
        return TrainConfig(**{name: value for name, value in content.items() if name in known})
    except (TypeError, ValueError) as error:
        raise TrainingFailed("refused", f"These settings cannot be used: {error}.") from None


def arguments(config: TrainConfig) -> list[str]:
    """What follows ``python -m core train`` to train with exactly these settings."""
    words = [config.dataset, config.model, "--recipe", config.recipe]
    values = asdict(config)
    for setting in list_settings():
        flag, value = setting.name.replace("_", "-"), values[setting.name]
        if setting.kind is bool:
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value != "":
            words += [f"--{flag}", str(value)]
    return words
