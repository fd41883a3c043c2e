"""The evidence engine: against Grad-CAM as tutorials write it, tf-keras-vis, and the cost it is designed for."""

from __future__ import annotations

import importlib.util
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
CLASSES = (0, 1, 2)
GRADIENT = [name for name, row in METHODS.items() if row.card.needs == "gradients"]
SHARED = {
    "gradcam": "Gradcam",
    "gradcampp": "GradcamPlusPlus",
    "layercam": "Layercam",
}  # also in tf-keras-vis

Works = dict[str, Callable[[], Sequence[np.ndarray]]]


def measure(width: int = WIDTH) -> dict[str, float]:
    """Ratios of the ways to compute heatmaps of one case, taken in turns within one run."""
    modules = network_modules()
    image = np.random.default_rng(0).random((1, 128, 128, 1), dtype=np.float32)
    found = {"width": float(width)}
    for classes, compare in ((1, tutorials), (len(CLASSES), everything)):
        networks = {name: module.build(width=width, classes=classes) for name, module in modules.items()}
        for network in networks.values():
            settle(network)
        found |= compare(
            {name: EvidencePass(n, modules[name].CARD.layers) for name, n in networks.items()}, image
        )
    return found


def tutorials(passes: dict[str, EvidencePass], image: np.ndarray) -> dict[str, float]:
    """Seconds for the 15 Grad-CAM maps of one case by three ways of computing them, and their ratios.

    Ratios of wall time are what a reader feels; those of processor time do not depend on the machine's load.

    naive    per map a new two-output model and an eager tape, as tutorials do
    prebuilt the same with the two-output models built beforehand: what remains is eager execution and
             one forward pass per map
    engine   one traced pass per network
    """
    prebuilt = {
        (name, layer): _two_outputs(one.network, layer)
        for name, one in passes.items()
        for layer in one.layers
    }

    def naive() -> list[np.ndarray]:
        return [_gradcam(_two_outputs(passes[name].network, layer), image) for name, layer in prebuilt]

    for one in passes.values():
        one.warm()
    _gradcam(next(iter(prebuilt.values())), image)  # both sides start warm
    found = _timed({
        "engine": lambda: _maps(passes, image, (1,), ["gradcam"]),
        "prebuilt": lambda: [_gradcam(view, image) for view in prebuilt.values()],
        "naive": naive,
    })  # fmt: skip
    seconds = {f"{name}_seconds": wall for name, (wall, _) in found.items()}
    ratios = {
        f"{name}_over_engine{unit}": found[name][which] / found["engine"][which]
        for name in ("naive", "prebuilt")
        for which, unit in enumerate(("", "_processor"))
    }
    return {"maps": float(len(prebuilt)), **seconds, **ratios}


def everything(passes: dict[str, EvidencePass], image: np.ndarray) -> dict[str, float]:
    """All gradient methods, three classes, five layers, three networks: processor time against two yardsticks.

    all_over_design  over one forward pass per network plus one tail per network and class; a tail is what a
                     second and third class add to the evidence of one
    keras_vis_over_engine  tf-keras-vis computing one by one the maps that it knows, over ours for these;
                     left out where it is not installed
    """
    works: Works = {
        "forward": lambda: [one.predict(image) for one in passes.values()],
        "one": lambda: _maps(passes, image, CLASSES[:1], []),
        "three": lambda: _maps(passes, image, CLASSES, []),
        "all": lambda: _maps(passes, image, CLASSES, GRADIENT),
        "shared": lambda: _maps(passes, image, CLASSES, list(SHARED)),
    }
    for work in works.values():
        work()  # traced
    found = {name: processor for name, (_, processor) in _timed(works).items()}
    tails = (found["three"] - found["one"]) * len(CLASSES) / (len(CLASSES) - 1)
    ratios = {
        "all_maps": float(len(works["all"]())),
        "tails_over_forward": tails / len(CLASSES) / found["forward"],
        "all_over_design": found["all"] / (found["forward"] + tails),
    }
    if importlib.util.find_spec("tf_keras_vis") is None:
        print("engine       tf-keras-vis is not installed: not compared (requirements-oracles.txt)")
        return ratios
    _keras_vis(dict(list(passes.items())[:1]), image, CLASSES[:1])
    theirs = _timed({"theirs": lambda: _keras_vis(passes, image, CLASSES)}, 1)["theirs"][1]
    return ratios | {"keras_vis_over_engine": theirs / found["shared"]}


def _maps(
    passes: dict[str, EvidencePass], image: np.ndarray, classes: Sequence[int], methods: Sequence[str]
) -> list[np.ndarray]:
    return [
        METHODS[method].formula(evidence)
        for one in passes.values()
        for found in one.evidence(image, None, classes, "log_odds")
        for by_layer in found
        for evidence in by_layer.values()
        for method in methods
    ]


def _keras_vis(
    passes: dict[str, EvidencePass], image: np.ndarray, classes: Sequence[int]
) -> list[np.ndarray]:
    """The maps of SHARED as a user of tf-keras-vis asks for them: one call per class, layer and method."""
    options = {"seek_penultimate_conv_layer": False, "expand_cam": False, "normalize_cam": False}
    made = []
    for one in passes.values():
        view = keras.Model(one.network.input, one.logits)
        inside = one.predict(image).argmax(-1)
        for method in SHARED.values():
            module = {"GradcamPlusPlus": "gradcam_plus_plus"}.get(method, method.lower())
            explainer = getattr(importlib.import_module(f"tf_keras_vis.{module}"), method)(view, clone=False)
            for label in classes:

                def score(
                    z: tf.Tensor, label: int = label, region: np.ndarray = inside == label
                ) -> tf.Tensor:
                    return tf.reduce_sum(z[..., label] * region) / max(region.sum(), 1)

                for tap in one.taps.values():
                    name = tap._keras_history.operation.name
                    made.append(explainer(score, image, penultimate_layer=name, **options))
    return made


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


def _timed(works: Works, times: int = 5) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of each, the smallest of several: other programs only ever add.

    Taken in turns, so that a busy moment meets all; what takes long is not repeated as often.
    """
    wall: dict[str, list[float]] = {name: [] for name in works}
    used: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(times):
        for name, work in works.items():
            if turn > 1 and min(wall[name]) > 2:
                continue
            start, before = time.perf_counter(), time.process_time()
            work()
            wall[name].append(time.perf_counter() - start)
            used[name].append(time.process_time() - before)
    return {name: (min(wall[name]), min(used[name])) for name in works}
