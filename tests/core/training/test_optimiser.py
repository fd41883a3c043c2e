"""The schedule is a function of the step alone."""

from __future__ import annotations

import numpy as np
import pytest

from core.training.config import TrainConfig, paper, strong

pytestmark = pytest.mark.slow


def rate(schedule, step):
    return float(np.asarray(schedule(step)))


def test_the_rate_rises_to_its_peak_and_ends_at_its_final_value():
    from core.training.optimiser import WarmupCosine

    schedule = WarmupCosine(1e-3, 1e-5, 0.1, 100)
    assert rate(schedule, 0) == pytest.approx(1e-4)
    assert rate(schedule, 9) == pytest.approx(1e-3)
    assert rate(schedule, 55) == pytest.approx((1e-3 + 1e-5) / 2)
    assert rate(schedule, 100) == pytest.approx(1e-5)


def test_a_restart_repeats_the_schedule_over_what_is_left():
    from core.training.optimiser import WarmupCosine

    whole = WarmupCosine(1e-3, 1e-5, 0.1, 140, restart_step=100)
    first, second = WarmupCosine(1e-3, 1e-5, 0.1, 100), WarmupCosine(1e-3, 1e-5, 0.1, 40)
    assert [rate(whole, step) for step in range(100)] == [rate(first, step) for step in range(100)]
    assert [rate(whole, step) for step in range(100, 141)] == [rate(second, step) for step in range(41)]


def test_the_optimiser_counts_the_restart_in_epochs():
    from core.training.optimiser import optimiser

    schedule = optimiser(TrainConfig("busi", "unet", epochs=5, restart=3), 10)._learning_rate
    assert (schedule.steps, schedule.restart_step) == (50, 30)


def test_the_paper_recipe_is_plain_adam_without_schedule():
    from core.training.optimiser import optimiser

    made = optimiser(paper("busi", "unet"), 100)
    assert type(made).__name__ == "Adam"
    assert float(np.asarray(made.learning_rate)) == pytest.approx(1e-3)
    assert made.global_clipnorm is None


def test_weight_decay_spares_biases_and_normalisation():
    from core.training.optimiser import optimiser

    made = optimiser(TrainConfig("busi", "unet"), 100)
    import keras

    layer = keras.layers.BatchNormalization(name="bn")
    layer.build((None, 4))
    kernel = keras.layers.Dense(2, name="dense")
    kernel.build((None, 4))
    made.build([*layer.trainable_variables, *kernel.trainable_variables])
    decayed = {v.path for v in made._trainable_variables if made._use_weight_decay(v)}
    assert decayed == {"dense/kernel"}


def test_recipes_differ_and_a_config_has_one_checksum():
    assert strong("busi", "unet").sha256 == strong("busi", "unet").sha256
    assert strong("busi", "unet").sha256 != strong("busi", "unet", seed=1).sha256
    assert paper("busi", "unet").width == 32
    assert strong("busi", "unet", width=32).epochs > strong("busi", "unet").epochs


@pytest.mark.parametrize(
    ("name", "value"), [("width", 0), ("seed", -1), ("ema", 1.0), ("recipe", "fast"), ("restart", 40)]
)
def test_settings_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        TrainConfig("busi", "unet", **{name: value})
