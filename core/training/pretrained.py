"""Begin with what a network of the same shape has learned on another dataset."""

from __future__ import annotations

import itertools

import keras

from core import places, runs, weights
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
    known = (run for run in runs.list_runs(config.pretrained) if not run.problem)
    alike = (run for run in known if (run.model, run.width) == (config.model, config.width))
    found = next(alike, None)
    if found is None:
        raise RunRefused(
            f"There is no run of {config.model} at width {config.width} on {config.pretrained!r} to begin with. "
            f"Train it first (python -m core train {config.pretrained} {config.model} --width {config.width}"
            f"{_free_seed(config)}), choose the width of a run that there is, or leave --pretrained out."
        )
    _adopt(network, weights.load(found), found.name)
    return {"run": found.name, "weights_sha256": found.weights_sha256}


def _free_seed(config: TrainConfig) -> str:
    """The seed to name where the run of seed 0 is there already, at another width."""
    names = (runs.run_name(config.pretrained, config.model, seed) for seed in itertools.count())
    seed = next(at for at, name in enumerate(names) if not places.run(name).exists())
    return f" --seed {seed}" if seed else ""


def _adopt(network: keras.Model, learned: keras.Model, name: str) -> None:
    own, other = _layers(network), _layers(learned)
    if _shapes(own) != _shapes(other):
        raise RunRefused(
            f"Run {name} has other layers than this training's network. Repeat that run's settings of the "
            "network (normalisation, channels), or leave --pretrained out."
        )
    for key, layer in own.items():
        layer.set_weights(other[key].get_weights())


def _layers(network: keras.Model) -> dict[str, keras.Layer]:
    return {layer.name: layer for layer in network.layers if layer.weights and layer.name != HEAD}


def _shapes(layers: dict[str, keras.Layer]) -> dict[str, list[tuple[int, ...]]]:
    return {name: [tuple(weight.shape) for weight in layer.weights] for name, layer in layers.items()}
