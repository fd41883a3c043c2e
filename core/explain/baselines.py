"""Maps without insight, on a layer's own grid: what a heatmap's numbers are read against. Pure NumPy, SciPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.explain import focus, targets
from core.explain.definitions import BASELINES
from core.records import SIZE, Heatmap, Prediction, Slice


def baseline_maps(side: int, image: np.ndarray, probability: np.ndarray, area: int) -> dict[str, np.ndarray]:
    """The maps of ``BASELINES`` by name, each (side, side) float32: averaged to the grid, so as coarse as a map.

    ``image`` (SIZE, SIZE, channels) and ``probability`` (SIZE, SIZE) of the class; ``area`` is that of the region
    asked about in pixels of that grid. ValueError when ``side`` does not divide SIZE.
    """
    if side < 1 or SIZE % side:
        raise ValueError(f"side: expected a divisor of {SIZE}, got {side}")
    fine = {
        "uniform": np.ones((SIZE, SIZE)),
        "gaussian": centred_gaussian(area),
        "probability": probability,
        "edges": edges(image),
    }
    return {name: averaged(fine[name], side).astype(np.float32) for name in BASELINES}


def averaged(values: np.ndarray, side: int) -> np.ndarray:
    """(SIZE, SIZE) -> (side, side), the mean of every cell."""
    step = SIZE // side
    return np.asarray(values.reshape(side, step, side, step).mean(axis=(1, 3), dtype=np.float64))


def centred_gaussian(area: int) -> np.ndarray:
    """(SIZE, SIZE) with 1 in the middle; the disc above one half has ``area`` pixels (1 at least)."""
    variance = max(area, 1) / (2 * math.pi * math.log(2))
    offset = (np.arange(SIZE) - (SIZE - 1) / 2) ** 2
    return np.exp(-(offset[:, None] + offset) / (2 * variance))


def edges(image: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE) strength of the Sobel gradient of the mean over channels of ``image`` (SIZE, SIZE, channels)."""
    from scipy.ndimage import sobel

    grey = image.mean(axis=-1, dtype=np.float64)
    return np.asarray(np.hypot(sobel(grey, axis=0, mode="nearest"), sobel(grey, axis=1, mode="nearest")))


def baseline_numbers(
    heatmap: Heatmap,
    slice: Slice,
    prediction: Prediction,
    classes: Sequence[str],
    seen: focus.Scene | None = None,
    names: Sequence[str] = tuple(BASELINES),
) -> dict[str, focus.Numbers]:
    """The numbers that each of the baselines ``names`` would have in the heatmap's place.

    They do not depend on the method. The raw values of a baseline mean nothing, nor does its score: NaN.
    """
    label = targets.label_of(heatmap.target, classes)
    probability = targets.class_probability(prediction.probability, label)
    drawn = baseline_maps(heatmap.values.shape[0], slice.image, probability, heatmap.region_pixels)
    state = heatmap.state if heatmap.state in ("empty_region", "saturated") else "ok"
    found = {}
    for name in names:
        stand_in = replace(heatmap, method=f"baseline {name}", values=drawn[name], state=state)
        of_map = focus.numbers(stand_in, slice, prediction, classes, seen)
        for number in ("raw_maximum", "raw_minimum", "score"):
            of_map[number], of_map.why[number] = math.nan, "a baseline has no unit"
        found[name] = of_map
    return found
