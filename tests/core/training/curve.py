"""A child that trains a few steps from given weights and prints its losses.

    python -m tests.core.training.curve FILE

The first to come writes the weights that it begins with into FILE, the next ones begin with those.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np

from core import weights
from core.training import losses, supervision
from core.training.batches import ULTRASOUND, Batches
from core.training.config import TrainConfig
from core.training.epoch import learn
from core.training.optimiser import optimiser

CASES = 32


def main(path: Path) -> list[float]:
    """The loss of every step of two epochs."""
    config = TrainConfig("none", "unet", width=4, epochs=2, batch=4, augment=1.0)
    keras.utils.set_random_seed(0)
    network = weights.build(config.model, config.network(1, 1))
    if path.exists():
        network.load_weights(path)
    else:
        network.save_weights(path)
    trained, loss = supervision.deepened(network), supervision.over_heads(losses.overlap(1))
    for layer in trained.layers:
        if layer.name.startswith("deep_logits"):
            layer.set_weights([np.full(w.shape, 0.1, np.float32) for w in layer.get_weights()])
    trained.compile(optimiser(config, CASES // config.batch), loss=loss)
    rng = np.random.default_rng(0)
    row, column = np.indices((128, 128))
    centres, radii = rng.uniform(40, 90, (CASES, 2)), rng.uniform(6, 30, CASES)
    labels = np.stack([np.hypot(row - y, column - x) < r for (y, x), r in zip(centres, radii, strict=True)])
    images = (0.6 - 0.4 * labels + rng.normal(0, 0.1, labels.shape)).clip(0, 1).astype(np.float32)[..., None]
    found: list[float] = []
    for epoch in (1, 2):
        batches = Batches(
            images, labels.astype(np.uint8), np.arange(CASES), batch=config.batch, seed=0, epoch=epoch, augment=1.0,
            kind=ULTRASOUND,
        )  # fmt: skip
        learn(trained, batches, lambda step, value: found.append(value) or False)
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
