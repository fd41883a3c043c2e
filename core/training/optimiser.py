"""Optimiser and learning-rate schedule of a training."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from core.training.config import TrainConfig


class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear rise to ``peak`` over the warm-up, then half a cosine down to ``final`` at the last step.

    A function of the step alone, so a resumed training continues it exactly.
    """

    def __init__(self, peak: float, final: float, warmup_steps: int, steps: int):
        self.peak, self.final = peak, final
        self.warmup_steps, self.steps = warmup_steps, steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        rise = self.peak * (step + 1.0) / max(self.warmup_steps, 1)
        share = ops.clip((step - self.warmup_steps) / max(self.steps - self.warmup_steps, 1), 0.0, 1.0)
        fall = self.final + 0.5 * (self.peak - self.final) * (1.0 + ops.cos(math.pi * share))
        return ops.where(step < self.warmup_steps, rise, fall)

    def get_config(self) -> dict[str, Any]:
        """The four numbers that define the schedule."""
        names = ("peak", "final", "warmup_steps", "steps")
        return {name: getattr(self, name) for name in names}


def optimiser(config: TrainConfig, steps: int) -> keras.optimizers.Optimizer:
    """Adam or AdamW as configured, for a training of ``steps`` steps."""
    rate: Any = config.learning_rate
    if config.final_rate != config.learning_rate or config.warmup:
        warmup_steps = round(config.warmup * steps)
        rate = WarmupCosine(config.learning_rate, config.final_rate, warmup_steps, steps)
    settings: dict[str, Any] = {"learning_rate": rate, "global_clipnorm": config.clip or None}
    if config.ema:
        settings |= {"use_ema": True, "ema_momentum": config.ema}
    if config.optimiser == "adam":
        return keras.optimizers.Adam(**settings)
    chosen = keras.optimizers.AdamW(weight_decay=config.weight_decay, **settings)
    chosen.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return chosen
