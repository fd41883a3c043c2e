"""What the lessons compute: Grad-CAM taken apart, the nearest training slice of a test slice, Dice by rule.

All of it from a real network, prepared data or stored scores. Nothing here loads Keras but ``map_steps``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from core import asking, cache, explaining, prepared, runs
from core.explain import targets
from core.explain.methods import METHODS
from core.metrics import overlap
from core.metrics.overlap import Counts
from core.records import SIZE, Prediction, Run, Slice, SliceEntry, Target

STRONGEST = 4  # channels that are shown one by one
CELL = 4  # side of the cells whose means are compared: 32 x 32 of them tell slices apart
WITH_BACKGROUND = "with background"  # the mean of a case's Dice of class and background
_ARRAYS = ("channels", "activations", "gradients", "weights", "values")


@dataclass(frozen=True, eq=False)
class MapSteps:
    """Grad-CAM of one layer taken apart: the channels that add or take most, and the whole map.

    channels     (n,) numbers of the strongest channels: those with the largest sum of abs(weight x activation)
    activations  (n, h, w) float32, and ``gradients`` d(score)/d(activation) of the same shape
    weights      (n,) the mean of each gradient
    values       (h, w) float32, the signed sum over all channels
    of           channels in the layer
    share        of all channels' abs(weight x activation), what the strongest hold; NaN when nothing is asked
    score        mean log-odds of the class over the region where it is predicted; NaN when that is empty
    """

    channels: np.ndarray
    activations: np.ndarray
    gradients: np.ndarray
    weights: np.ndarray
    values: np.ndarray
    of: int
    share: float
    score: float

    @property
    def parts(self) -> np.ndarray:
        """(n, h, w): what each of the strongest channels adds to the map."""
        return np.asarray(self.weights[:, None, None] * self.activations)


def stored_map_steps(run: str, slice: Slice, layer: str, class_name: str) -> MapSteps | None:
    """The steps if they are stored, None otherwise; never loads Keras."""
    found = cache.read("lessons", _steps_key(runs.read_run(run), slice, layer, class_name), _ARRAYS)
    if found is None:
        return None
    arrays, facts = found
    share, score = (np.nan if facts[name] is None else facts[name] for name in ("share", "score"))
    return MapSteps(**arrays, of=facts["of"], share=share, score=score)


def map_steps(run: str, slice: Slice, prediction: Prediction, layer: str, class_name: str) -> MapSteps:
    """Grad-CAM's steps for the region where a class is predicted: from the store, else computed and stored.

    ``prediction`` must be this run's for this slice. An empty region gives gradients of exactly 0. ValueError
    for an unknown layer or class; RunMissing, RunRefused.
    """
    found = stored_map_steps(run, slice, layer, class_name)
    if found:
        return found
    from core.explain import engine

    which, target = runs.read_run(run), Target(class_name)
    layers = explaining.layers_of(which)
    if layer not in layers:
        raise ValueError(f"layer: expected one of {layers}, got {layer!r}")
    label = targets.label_of(target, which.classes)
    region = asking.target_region(slice, prediction, target)
    asked = region[None, ..., None]
    evidence = engine.evidence(which, layers, slice.image[None], asked, [label], [target.kind])[0][0][layer]
    weights = evidence.gradients.mean(axis=(0, 1), dtype=np.float64)
    strength = np.abs(weights) * np.abs(evidence.activations).sum(axis=(0, 1), dtype=np.float64)
    order = np.argsort(-strength, kind="stable")[:STRONGEST]
    total = float(strength.sum())
    steps = MapSteps(
        channels=order,
        activations=np.moveaxis(evidence.activations[..., order], -1, 0),
        gradients=np.moveaxis(evidence.gradients[..., order], -1, 0),
        weights=weights[order],
        values=METHODS["gradcam"].formula(evidence).astype(np.float32),
        of=len(weights),
        share=float(strength[order].sum()) / total if total > 0 else np.nan,
        score=evidence.score,
    )
    facts = {name: getattr(steps, name) for name in ("of", "share", "score")}
    facts = {name: None if np.isnan(value) else value for name, value in facts.items()}
    arrays = {name: getattr(steps, name) for name in _ARRAYS}
    cache.keep("lessons", _steps_key(which, slice, layer, class_name), arrays, facts)
    return steps


def _steps_key(run: Run, slice: Slice, layer: str, class_name: str) -> str:
    parts = run.weights_sha256, slice.image_sha256, ",".join(run.classes), layer, class_name
    return cache.key("map steps", *parts)


@dataclass(frozen=True)
class Neighbour:
    """A test slice and the training slice most like it.

    correlation  of the two images at 32 x 32, -1..1
    copied_dice  Dice of the class when the training slice's outline is simply copied, on the 128 x 128 grid; NaN
                 when neither slice has the class
    """

    test: SliceEntry
    nearest: SliceEntry
    correlation: float
    copied_dice: float

    @property
    def is_same_group(self) -> bool:
        """Whether both are of one patient (one cluster of near-duplicates)."""
        return self.test.group == self.nearest.group


def nearest_training_slices(dataset: str, split: str, class_name: str) -> tuple[Neighbour, ...]:
    """Every test slice of a split that has an outline, beside the training slice with the highest correlation.

    In the order of the prepared data. DataMissing, DataRefused.
    """
    arrays, card = prepared.read_arrays(dataset), prepared.read_card(dataset)
    parts = np.array([entry.parts.get(split, "") for entry in arrays.entries])
    testing, training = np.flatnonzero(parts == "test"), np.flatnonzero(parts == "train")
    if not len(testing) or not len(training):
        return ()
    seen = _compared(dataset, prepared.card_json(dataset)["sha256"])
    alike = seen[testing] @ seen[training].T
    wanted, made = overlap.class_values(class_name, card.classes), []
    for row, at in enumerate(testing):
        best = training[int(alike[row].argmax())]
        counts = overlap.count(np.array(arrays.labels[at]), np.array(arrays.labels[best]), wanted)
        correlation = float(np.clip(alike[row].max(), -1, 1))
        pair = arrays.entries[int(at)], arrays.entries[int(best)]
        made.append(Neighbour(*pair, correlation, overlap.dice(counts)))
    return tuple(made)


@lru_cache(2)
def _compared(dataset: str, _content: str) -> np.ndarray:
    """(N, cells) float32, one row per slice: cell means without their mean, of length 1; 0 for a flat slice."""
    images = prepared.read_arrays(dataset).images
    side = SIZE // CELL
    cells = [np.asarray(one[..., 0]).reshape(side, CELL, side, CELL).mean(axis=(1, 3)) for one in images]
    rows = np.stack(cells).reshape(len(cells), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1))


def dice_by_rule(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, int]]:
    """Mean Dice and number of cases under each rule for empty masks, then pooled and with background.

    ``rows`` are stored scores of one run and class (with tp, fp, fn, tn), one per case. With background: per case
    the mean of the Dice of class and background, an empty class left out. NaN where no case counts.
    """
    cases = [Counts(*(int(row[name]) for name in ("tp", "fp", "fn", "tn"))) for row in rows]
    found = {}
    for rule in overlap.RULES:
        mean = overlap.mean_over_cases("dice", cases, rule)
        found[rule] = (mean.value, mean.n)
    found["pooled"] = (overlap.dice(overlap.pooled(cases)), len(cases))
    both = [np.nanmean([overlap.dice(c), overlap.dice(c.swapped())]) for c in cases if c.total]
    found[WITH_BACKGROUND] = (float(np.mean(both)) if both else np.nan, len(both))
    return found
