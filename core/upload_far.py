"""How far an image lies from those that the networks were trained on: named statistics, each with its value.

A network answers every picture, also one it cannot know anything about. What it sees of an upload is therefore
compared with what it saw in training, from a file of numbers that ``measured`` made (no image can be had from it).
Passing is no proof that an image is of the right kind; failing is a reason not to believe the outlines.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

STATISTICS = {  # of one image as a network sees it, values 0 (black) to 1 (white); title for the reader
    "mean": "mean brightness",
    "contrast": "contrast (standard deviation)",
    "dark": "share of black pixels",
    "bright": "share of white pixels",
    "detail": "fine detail (difference from the four neighbours)",
    "descent": "upper half brighter than the lower",
}
COMBINED = "all of these together (Mahalanobis distance)"
DARK, BRIGHT = 0.04, 0.96
USUAL = 98  # percent of the training images whose combined distance counts as near
_MEASURED = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Far:
    """One statistic of an upload beside what was seen in training; far when it lies outside ``low`` to ``high``."""

    title: str
    value: float
    low: float
    high: float
    is_far: bool
    images: int  # seen in training


def statistics(images: np.ndarray) -> np.ndarray:
    """Images (n, S, S, 1) float32 in 0..1 -> (n, 6) float64, in the order of ``STATISTICS``."""
    x = np.asarray(images[..., 0], np.float64)
    around = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
    half = x.shape[1] // 2
    found = (
        x.mean((1, 2)),
        x.std((1, 2)),
        (x < DARK).mean((1, 2)),
        (x > BRIGHT).mean((1, 2)),
        np.abs(4 * x[:, 1:-1, 1:-1] - around).mean((1, 2)),
        x[:, :half].mean((1, 2)) - x[:, half:].mean((1, 2)),
    )
    return np.stack(found, axis=1)


def measured(images: np.ndarray) -> dict[str, Any]:
    """What ``compared`` needs to know of training images (n, S, S, 1), as numbers for a JSON file."""
    seen = statistics(images)
    middle, inverse = seen.mean(axis=0), np.linalg.inv(np.cov(seen.T))
    return {
        "images": len(images),
        "low": seen.min(axis=0).tolist(),
        "high": seen.max(axis=0).tolist(),
        "middle": middle.tolist(),
        "inverse_covariance": inverse.tolist(),
        "usual_distance": float(np.percentile(_distance(seen, middle, inverse), USUAL)),
    }


def compared(layout: str, images: np.ndarray) -> tuple[Far, ...]:
    """Every statistic of an upload beside the training images of ``layout``; of a volume the middle slice's value.

    The last row takes all together: a picture can be ordinary in each and still be of another kind. Empty where
    nothing was measured for the layout.
    """
    known = _known().get(layout)
    if known is None:
        return ()
    seen = statistics(images)
    value = np.median(seen, axis=0)
    rows = [
        Far(title, float(one), low, high, not low <= one <= high, known["images"])
        for title, one, low, high in zip(STATISTICS.values(), value, known["low"], known["high"], strict=True)
    ]
    inverse = np.array(known["inverse_covariance"])
    distance, usual = _distance(value[None], np.array(known["middle"]), inverse)[0], known["usual_distance"]
    return (*rows, Far(COMBINED, float(distance), 0.0, usual, bool(distance > usual), known["images"]))


@cache
def _known() -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = json.loads(_MEASURED.read_text("utf-8"))
    return found


def _distance(seen: np.ndarray, middle: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    away = seen - middle
    return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", away, inverse, away)))
