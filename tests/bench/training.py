"""A training step of each network against the same step with Keras' own batch normalisation."""

from __future__ import annotations

import time
from contextlib import contextmanager
from statistics import median

import numpy as np

STEPS = 10
WIDTH, BATCH = 16, 8


def measure(steps: int = STEPS) -> dict[str, float]:
    """Milliseconds per image (CPU time, median step) and by how much Keras' own normalisation takes longer."""
    found = {}
    for model in ("unet", "multiresunet", "dcunet"):
        ours = _step(model)
        with _normalisation_of_keras():
            theirs = _step(model)
        taken = {"ours": [], "keras": []}
        for _ in range(steps):  # in turns: the machine's speed changes
            for name, step in (("ours", ours), ("keras", theirs)):
                began = time.process_time()
                step()
                taken[name].append((time.process_time() - began) * 1e3 / BATCH)
        found[f"{model}_ms_per_image"] = median(taken["ours"])
        found[f"keras_step_over_{model}"] = median(taken["keras"]) / median(taken["ours"])
    return found


def _step(model: str):
    """One training step as ``core train`` computes it, already traced."""
    import keras

    from core import weights
    from core.training import losses
    from core.training.config import TrainConfig
    from core.training.optimiser import optimiser

    config = TrainConfig("phantom_busi", model, width=WIDTH, batch=BATCH)
    keras.utils.set_random_seed(0)
    network = weights.build(model, config.network(1, 1))
    trained = keras.Model(network.input, network.get_layer("logits").output)
    trained.compile(optimiser(config, 100), loss=losses.overlap(1, presence=True))
    trained.optimizer.build(trained.trainable_variables)
    rng = np.random.default_rng(0)
    images = rng.random((BATCH, 128, 128, 1), np.float32)
    labels = (rng.random(images.shape) > 0.8).astype(np.float32)

    def step() -> None:
        trained.train_on_batch(images, labels)

    step()
    return step


@contextmanager
def _normalisation_of_keras():
    import keras

    from core.models._normalisation import BatchNormalization

    call = BatchNormalization.call
    BatchNormalization.call = keras.layers.BatchNormalization.call
    try:
        yield
    finally:
        BatchNormalization.call = call
