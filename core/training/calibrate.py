"""Temperature scaling: probabilities that are as sure as the validation part allows.

Overlap losses make networks overconfident. One number, fitted on the validation part after the best epoch is
chosen, divides the logits (Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2). It is
folded into the last layer, so that nothing else has to know of it. Masks on the networks' grid stay as they are.
"""

from __future__ import annotations

import math

import keras
import numpy as np

from core.prepared import Arrays

CHUNK = 16  # images per forward pass
LARGEST = 20.0  # temperatures from 1/LARGEST to LARGEST


def temperature(network: keras.Model, arrays: Arrays, rows: np.ndarray) -> float:
    """The temperature that minimises the cross-entropy of ``network`` over the pixels of ``rows``, > 0."""
    from scipy.optimize import minimize_scalar

    logits, labels = _logits(network, arrays, rows), np.stack([arrays.labels[row] for row in rows])
    found = minimize_scalar(
        lambda power: cross_entropy(logits / math.exp(power), labels),
        bounds=(-math.log(LARGEST), math.log(LARGEST)),
        method="bounded",
        options={"xatol": 1e-3},
    )
    return float(math.exp(found.x))


def fold_in(network: keras.Model, temperature: float) -> None:
    """Divide the logits of ``network`` by ``temperature``, by scaling the last layer's kernel and bias."""
    layer = network.get_layer("logits")
    layer.set_weights([weight / temperature for weight in layer.get_weights()])


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over pixels in nats: logits (..., K) float, labels (...); K = 1 is a sigmoid, else a softmax."""
    if logits.shape[-1] == 1:
        signed = np.where(labels > 0, -logits[..., 0], logits[..., 0])
        return float(np.logaddexp(0, signed).mean())
    true = np.take_along_axis(logits, labels[..., None].astype(np.int64), axis=-1)[..., 0]
    return float((np.logaddexp.reduce(logits, axis=-1) - true).mean())


def _logits(network: keras.Model, arrays: Arrays, rows: np.ndarray) -> np.ndarray:
    view = keras.Model(network.input, network.get_layer("logits").output)
    parts = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    stacks = [np.stack([arrays.images[row] for row in part]) for part in parts]
    return np.concatenate([np.asarray(view.predict_on_batch(stack), np.float32) for stack in stacks])
