"""Begin with what a network of the same shape has learned on another dataset."""

from __future__ import annotations

from typing import Any

import keras

from core import runs, weights
from core.errors import RunRefused
from core.training.config import TrainConfig

HEAD = "logits"  # begins anew: its channels are the classes of the other dataset


def begin(network: keras.Model, config: TrainConfig) -> dict[str, str]:
    """Give ``network`` the weights of the first run of its kind on ``config.pretrained``, all but its head.

    Returns the run's name and the checksum of its weights. RunRefused when there is no such run, when it was
    trained on the same dataset (its training cases may be test cases of this split), or when a layer differs.
    """
    if config.pretrained == config.dataset:
        raise RunRefused(
            f"A training on {config.dataset} cannot begin with a run on {config.dataset}: what that run has seen "
            "may be tested here. Name another dataset, or leave --pretrained out."
        )
    alike = [
        run
        for run in runs.list_runs(config.pretrained)
        if (run.model, run.width) == (config.model, config.width) and not run.problem
    ]
    if not alike:
        raise RunRefused(
            f"There is no run of {config.model} at width {config.width} on {config.pretrained!r} to begin with. "
            f"Train it first (python -m core train {config.pretrained} {config.model} --width {config.width}), "
            "choose the width of a run that there is, or leave --pretrained out."
        )
    _adopt(network, weights.load(alike[0]), alike[0].name)
    return {"run": alike[0].name, "weights_sha256": alike[0].manifest["weights"]["sha256"]}


def _adopt(network: keras.Model, learned: keras.Model, name: str) -> None:
    own, other = (_layers(one) for one in (network, learned))
    if {key: _shapes(layer) for key, layer in own.items()} != {
        key: _shapes(layer) for key, layer in other.items()
    }:
        raise RunRefused(
            f"Run {name} has other layers than this training's network. Repeat that run's settings of the "
            "network (normalisation, channels), or leave --pretrained out."
        )
    for key, layer in own.items():
        layer.set_weights(other[key].get_weights())


def _layers(network: keras.Model) -> dict[str, Any]:
    return {layer.name: layer for layer in network.layers if layer.weights and layer.name != HEAD}


def _shapes(layer: Any) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]
