"""A trained network with its weights drawn anew from the output backwards: what a map must not survive.

After Adebayo et al., NeurIPS 2018: convolutions come from their own initialiser, the vectors of a normalisation
are shuffled. Networks are handled as they are given; Keras itself is not needed here.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

SHUFFLED = ("gamma", "beta", "moving_mean", "moving_variance")
WHOLE = "all"  # the last depth: the deepest named stage and everything before it


def depths(layers: Sequence[str]) -> tuple[str, ...]:
    """Names of the depths, first the output alone; ``layers`` are a network's, deepest first."""
    return ("logits", *reversed(layers[1:]), WHOLE)


def weight_sets(network: Any, layers: Sequence[str], seed: int = 0) -> dict[str, list[np.ndarray]]:
    """By depth, all weights of the network in the order of ``get_weights``; the network itself stays as it is.

    Each depth draws the weights down to and including its stage anew and keeps the trained ones below. A layer
    belongs to the stage of the first named layer at or after it in the order of computation.
    """
    places = {id(weight): place for place, weight in enumerate(network.weights)}
    current, sets = list(network.get_weights()), {}
    for depth, members in zip(depths(layers), _stages(network, layers), strict=True):
        for layer in members:
            for weight in layer.weights:
                place = places[id(weight)]
                # the layer's name, not its place: the same draw however the network is put together
                rng = np.random.default_rng([seed, zlib.crc32(f"{layer.name}/{weight.name}".encode())])
                current[place] = _drawn(layer, weight.name, current[place], rng)
        sets[depth] = list(current)
    return sets


def _stages(network: Any, layers: Sequence[str]) -> list[list[Any]]:
    """Layers with weights, by stage: logits first, then from the last named layer down to the deepest."""
    order = [layer.name for layer in network.layers]
    ends = [order.index(name) for name in layers]
    found: list[list[Any]] = [[] for _ in range(len(layers) + 1)]
    for place, layer in enumerate(network.layers):
        if layer.weights:
            stage = sum(end < place for end in ends)
            found[len(layers) - stage].append(layer)
    return found


def _drawn(layer: Any, name: str, trained: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if name in SHUFFLED:
        return rng.permutation(trained)
    initialiser = getattr(layer, f"{name}_initializer")
    config = initialiser.get_config()
    if "seed" in config:
        config["seed"] = int(rng.integers(2**31))
    return np.asarray(type(initialiser).from_config(config)(trained.shape), dtype=trained.dtype)
