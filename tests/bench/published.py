"""A run folder with random weights: enough to predict, explain, store and time, with no training."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from core import places, weights
from core.records import SIZE, Run, Slice
from core.runs import FORMAT, read_run

CLASSES = ("background", "tumour")


def settle(network, seed: int = 0) -> None:
    """Give every bias and normalisation random settings, as training would: fresh ones are all 0 and 1."""
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        if weight.path.endswith(("beta", "bias", "moving_mean")):
            weight.assign(rng.normal(0, 0.2, weight.shape).astype(np.float32))
        elif weight.path.endswith(("gamma", "moving_variance")):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape).astype(np.float32))


def publish(model: str, width: int, *, dataset: str = "phantom_busi", seed: int = 0) -> Run:
    """A run of ``model`` under the artifacts folder in use, as a training would leave it."""
    import keras

    keras.utils.set_random_seed(seed)
    name = f"{dataset}-{model}-{seed}"
    manifest = {
        "format": FORMAT,
        "name": name,
        "dataset": dataset,
        "model": model,
        "seed": seed,
        "width": width,
        "recipe": "strong",
        "classes": list(CLASSES),
        "split": {"name": "busi-group", "sha256": "0" * 64},
        "best_epoch": 1,
        "validation": {},
        "network": {"width": width, "channels_in": 1, "classes": 1},
    }
    network = weights.build(model, manifest["network"])
    settle(network, seed)
    places.run(name).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        best = Path(folder) / "best.weights.h5"
        network.save_weights(best)
        weights.publish(places.run(name), best, manifest)
    return read_run(name)


def noise_slice(case: str = "benign-1", *, seed: int = 0, shape: tuple[int, int] = (200, 240)) -> Slice:
    """A slice of smooth noise with a square reference, 30 x 40 source pixels."""
    rng = np.random.default_rng(seed)
    reference = np.zeros(shape, np.uint8)
    reference[60:90, 80:120] = 1
    return Slice(
        dataset="phantom_busi",
        case=case,
        index=0,
        group=case,
        tag="benign",
        picture=rng.integers(0, 256, shape).astype(np.uint8),
        image=rng.random((SIZE, SIZE, 1), dtype=np.float32),
        reference=reference,
    )
