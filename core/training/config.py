"""Every setting of a training, its usual value and its reason. Loads no Keras."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from core import atomic

BUDGET = {16: 40, 32: 150}  # epochs of the strong recipe by width; width 16 is what a CPU affords
FALSE_ALARM = 0.2  # a network that outlines a tumour in every fifth normal image is not worth its Dice
LATE = 0.65  # share of the epochs of pictures without the presence term, which slows learning at first
SELECTED_BY = ("val_dice", "val_whole_dice", "val_pooled_dice", "val_loss")
DRAWS = 600  # slices of an epoch on volumes: about the cost of an epoch of BUSI


@dataclass(frozen=True)
class TrainConfig:
    """One training, complete: the same config, data and code give the same weights on a CPU."""

    dataset: str
    model: str
    seed: int = 0
    width: int = 16  # filters of level 1; 16 trains on a CPU, 32 is the published size
    recipe: str = "strong"
    split: str = ""  # "": the dataset's default, whole duplicate groups on one side
    epochs: int = 40  # fixed length for all networks: equal budget
    draws: int = 0  # slices drawn per epoch, tumours and patients balanced; 0: every slice once
    batch: int = 8  # twice the steps of 16 for the same cost; the compact networks underfit
    optimiser: str = "adamw"  # "adam" in the paper recipe
    learning_rate: float = 1e-3  # peak
    final_rate: float = 1e-5  # end of the cosine; equal to learning_rate: no schedule
    warmup: float = 0.05  # share of the steps of a cycle with a linear rise
    restart: int = (
        0  # epoch after which rise and cosine begin anew (SGDR, Loshchilov and Hutter 2017); 0: never
    )
    weight_decay: float = 1e-4  # not on biases, gamma and beta
    clip: float = 1.0  # norm over all gradients together; 0: none
    loss: str = "overlap"  # "cross_entropy" in the paper recipe
    presence_from: float = 0.0  # share of the epochs before the presence term joins the overlap loss
    augment: float = 0.6  # strength of all disturbances, 0..1; full strength underfits at width 16
    bn_momentum: float = 0.9
    initializer: str = "he_normal"
    head: str = "plain"
    batch_norm: bool = True  # U-Net only
    select: str = "val_dice"  # best epoch: the highest of a score of SELECTED_BY, or the lowest val_loss
    max_false_alarm: float = 1.0  # epochs that draw on a larger share of normal validation images come last
    patience: int = 0  # epochs without improvement before stopping; 0: run the whole schedule
    start_from: int = 0  # first epoch that patience counts
    pretrained: str = ""  # a dataset: begin with this network's run on it, all but the head
    deep_supervision: bool = False  # the coarser decoder levels learn from the reference too
    ema: float = 0.0  # decay of the average of weights that is validated and kept; 0: off, 0.99 is usual
    calibrate: bool = (
        False  # fit one temperature for the logits on validation, after the best epoch is chosen
    )
    precision: str = "float32"  # "mixed_float16" or "mixed_bfloat16" where the device gains from it

    def __post_init__(self) -> None:
        checks = {
            "width": self.width >= 1,
            "epochs": self.epochs >= 1,
            "draws": self.draws >= 0,
            "batch": self.batch >= 1,
            "restart": 0 <= self.restart < self.epochs,
            "seed": 0 <= self.seed < 2**31,
            "presence_from": 0 <= self.presence_from < 1,
            "augment": 0 <= self.augment <= 1,
            "ema": 0 <= self.ema < 1,
            "max_false_alarm": 0 <= self.max_false_alarm <= 1,
            "recipe": self.recipe in ("strong", "paper"),
            "select": self.select in SELECTED_BY,
            "loss": self.loss in ("overlap", "cross_entropy"),
            "optimiser": self.optimiser in ("adam", "adamw"),
        }
        for name, holds in checks.items():
            if not holds:
                raise ValueError(f"{name}: {getattr(self, name)!r} is out of range")

    def asks_presence(self, epoch: int) -> bool:
        """Whether the loss of ``epoch``, from 1, has the presence term; cross-entropy alone never has it."""
        return self.loss == "overlap" and epoch > round(self.presence_from * self.epochs)

    def differing(self, other: TrainConfig) -> list[str]:
        """Names of the settings that are not the same in both."""
        others = asdict(other)
        return [name for name, value in asdict(self).items() if others[name] != value]

    @property
    def sha256(self) -> str:
        """Checksum of all settings; a run folder is continued only under the same one."""
        return atomic.sha256(atomic.canonical(asdict(self)))

    def network(self, channels_in: int, outputs: int) -> dict[str, Any]:
        """The arguments of the network's ``build``."""
        settings: dict[str, Any] = {
            "width": self.width,
            "channels_in": channels_in,
            "classes": outputs,
            "head": self.head,
            "bn_momentum": self.bn_momentum,
            "initializer": self.initializer,
        }
        if self.model == "unet":
            settings["batch_norm"] = self.batch_norm
        return settings


def strong(dataset: str, model: str, *, has_volumes: bool = False, **changes: Any) -> TrainConfig:
    """The usual recipe: overlap loss, augmentation, AdamW with warm-up and cosine, calibration.

    Of pictures, the loss asks late whether there is a tumour at all: where to draw is learned first. The best
    epoch is the one with the highest Dice among those that leave four of five normal images clean. Of volumes,
    an epoch draws slices instead of showing every one, and the best epoch is judged by all classes over all
    validation slices: a volume there may hold a few pixels of tumour.
    """
    draws, alarms, late = (DRAWS, 1.0, 0.0) if has_volumes else (0, FALSE_ALARM, LATE)
    select = "val_pooled_dice" if has_volumes else "val_dice"
    config = TrainConfig(
        dataset, model, draws=draws, max_false_alarm=alarms, calibrate=True, select=select, presence_from=late
    )
    config = replace(config, **_given(changes))
    return (
        config if changes.get("epochs") else replace(config, epochs=BUDGET.get(config.width, config.epochs))
    )


def paper(dataset: str, model: str, *, has_volumes: bool = False, **changes: Any) -> TrainConfig:
    """The study's recipe: Adam 1e-3, batch 16, cross-entropy, early stopping, no augmentation.

    Of volumes, every slice that shows the organ is seen once per epoch.

    What the study leaves open is filled with Keras' defaults of its time: width 32, momentum 0.99, Glorot
    initialisation, U-Net without normalisation, patience 10 from epoch 10, at most 100 epochs.
    """
    config = TrainConfig(
        dataset, model, width=32, recipe="paper", epochs=100, batch=16, optimiser="adam", final_rate=1e-3,
        warmup=0.0, weight_decay=0.0, clip=0.0, loss="cross_entropy", augment=0.0, bn_momentum=0.99,
        initializer="glorot_uniform", batch_norm=False, select="val_loss", patience=10, start_from=10,
    )  # fmt: skip
    return replace(config, **_given(changes))


RECIPES = {"strong": strong, "paper": paper}


def _given(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}
