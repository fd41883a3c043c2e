"""The evidence engine against Grad-CAM as tutorials write it: three networks, five layers, one case."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from core.catalogues import network_modules
from core.explain.engine import EvidencePass
from core.explain.methods import METHODS
from tests.bench.published import settle

WIDTH = 16  # the shipped default


def measure(width: int = WIDTH) -> dict[str, float]:
    """Seconds for the 15 Grad-CAM maps of one case by three ways of computing them, and their ratios.

    Ratios of wall time are what a reader feels; those of processor time do not depend on the machine's load.

    naive    per map a new two-output model and an eager tape, as tutorials do
    prebuilt the same with the two-output models built beforehand: what remains is eager execution and
             one forward pass per map
    engine   one traced pass per network; its HiResCAM maps, computed too, are not counted
    """
    modules = network_modules()
    networks = {name: module.build(width=width) for name, module in modules.items()}
    for network in networks.values():
        settle(network)
    layers = {name: module.CARD.layers for name, module in modules.items()}
    passes = {name: EvidencePass(networks[name], layers[name]) for name in networks}
    prebuilt = {
        (name, layer): _two_outputs(network, layer)
        for name, network in networks.items()
        for layer in layers[name]
    }
    image = np.random.default_rng(0).random((1, 128, 128, 1), dtype=np.float32)

    def engine() -> list[np.ndarray]:
        return [
            METHODS["gradcam"].formula(evidence)
            for one in passes.values()
            for found in one.evidence(image, None, [1], "log_odds")
            for evidence in found[0].values()
        ]

    def naive() -> list[np.ndarray]:
        return [_gradcam(_two_outputs(networks[name], layer), image) for name, layer in prebuilt]

    def eager() -> list[np.ndarray]:
        return [_gradcam(view, image) for view in prebuilt.values()]

    for one in passes.values():
        one.warm()
    _gradcam(next(iter(prebuilt.values())), image)  # both sides start warm
    found = {"engine": _timed(engine, 7), "naive": _timed(naive, 2), "prebuilt": _timed(eager, 2)}
    seconds = {f"{name}_seconds": wall for name, (wall, _) in found.items()}
    ratios = {
        f"{name}_over_engine{unit}": found[name][which] / found["engine"][which]
        for name in ("naive", "prebuilt")
        for which, unit in enumerate(("", "_processor"))
    }
    return {"maps": float(len(prebuilt)), "width": float(width), **seconds, **ratios}


def _two_outputs(network: keras.Model, layer: str) -> keras.Model:
    return keras.Model(network.input, [network.get_layer(layer).output, network.output])


def _gradcam(view: keras.Model, image: np.ndarray) -> np.ndarray:
    with tf.GradientTape() as tape:
        activations, prediction = view(image)
        score = tf.reduce_mean(prediction)
    gradients = tape.gradient(score, activations)
    weights = tf.reduce_mean(gradients, axis=(0, 1, 2))
    found = tf.squeeze(activations[0] @ weights[..., tf.newaxis])
    return (tf.maximum(found, 0) / tf.reduce_max(found)).numpy()


def _timed(work: Callable[[], Sequence[np.ndarray]], times: int) -> tuple[float, float]:
    """Wall and processor seconds of one call, each the smallest of several: other programs only ever add."""
    wall, used = [], []
    for _ in range(times):
        start, before = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        used.append(time.process_time() - before)
    return min(wall), min(used)
