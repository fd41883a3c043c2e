"""Optimiser and learning-rate schedule of a training."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from core.training.config import TrainConfig


class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear rise to ``peak`` over the warm-up, then half a cosine down to ``final`` at the last step.

    With ``restart_step`` both happen twice: once up to that step, once more from it to the last. A function of
    the step alone, so a resumed training continues it exactly.
    """

    def __init__(self, peak: float, final: float, warmup: float, steps: int, restart_step: int = 0):
        self.peak, self.final, self.warmup = peak, final, warmup
        self.steps, self.restart_step = steps, restart_step

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        if not self.restart_step:
            return self._cycle(step, self.steps)
        second = self._cycle(step - self.restart_step, self.steps - self.restart_step)
        return ops.where(step < self.restart_step, self._cycle(step, self.restart_step), second)

    def _cycle(self, step: Any, steps: int) -> Any:
        warmup_steps = round(self.warmup * steps)
        rise = self.peak * (step + 1.0) / max(warmup_steps, 1)
        share = ops.clip((step - warmup_steps) / max(steps - warmup_steps, 1), 0.0, 1.0)
        fall = self.final + 0.5 * (self.peak - self.final) * (1.0 + ops.cos(math.pi * share))
        return ops.where(step < warmup_steps, rise, fall)

    def get_config(self) -> dict[str, Any]:
        """The five numbers that define the schedule."""
        names = ("peak", "final", "warmup", "steps", "restart_step")
        return {name: getattr(self, name) for name in names}


def optimiser(config: TrainConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Adam or AdamW as configured, for the whole training."""
    rate: Any = config.learning_rate
    if config.final_rate != config.learning_rate or config.warmup:
        steps, restart_step = (steps_per_epoch * epochs for epochs in (config.epochs, config.restart))
        rate = WarmupCosine(config.learning_rate, config.final_rate, config.warmup, steps, restart_step)
    settings: dict[str, Any] = {"learning_rate": rate, "global_clipnorm": config.clip or None}
    if config.ema:
        settings |= {"use_ema": True, "ema_momentum": config.ema}
    if config.optimiser == "adam":
        return keras.optimizers.Adam(**settings)
    chosen = keras.optimizers.AdamW(weight_decay=config.weight_decay, **settings)
    chosen.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return chosen
