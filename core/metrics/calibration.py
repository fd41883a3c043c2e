"""Whether a probability means what it says: Brier score, ECE, ACE and the reliability curve inside a region.

Over a whole image calibration error is meaningless: background that is rightly near 0 dilutes it. The region is
where reference or prediction is, and 5 native pixels round it. Guo et al., ICML 2017 (ECE); Nixon et al., CVPR
Workshops 2019 (ACE); Brier, Monthly Weather Review 1950. Brier's score is scikit-learn's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

BINS = 10
MARGIN_PX = 5  # of the reference's own grid, in the plane of the image
RULE = "all-cases"  # the one of the rules for empty masks that counts every case with a region
REGION = f"(reference or prediction) dilated by {MARGIN_PX} native pixels"
EMPTY = "neither reference nor prediction has any: no region"
METRICS: Mapping[str, tuple[str, str]] = {
    "brier": (
        "Brier score",
        "mean of (probability - truth)², truth 0 or 1: 0 is perfect, 0.5 everywhere gives 0.25",
    ),
    "ece": (
        "ECE",
        f"expected calibration error, {BINS} bins of equal width: mean gap between probability and observed share, "
        "each bin weighed by its pixels; 0 is perfect",
    ),
    "ace": (
        "ACE",
        f"the same with {BINS} bins of equal count, so that a crowd of low probabilities hides nothing",
    ),
}


@dataclass(frozen=True, eq=False)
class Bins:
    """Pixels by probability in 10 bins of equal width: counts that add up over cases, so memory stays bounded.

    cases        cases that had a region
    pixels       (10,) int64; ``positives`` (10,) int64, those of them that are of the class
    probability  (10,) float64, sums of the probabilities
    """

    cases: int = 0
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    positives: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    probability: np.ndarray = field(default_factory=lambda: np.zeros(BINS))

    def __add__(self, other: Bins) -> Bins:
        return Bins(
            self.cases + other.cases,
            self.pixels + other.pixels,
            self.positives + other.positives,
            self.probability + other.probability,
        )


def region(reference: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Where either mask (H, W) is, and every pixel at most 5 from it: (H, W) bool, empty when both are."""
    from scipy import ndimage

    either, found = reference.astype(bool) | predicted.astype(bool), np.zeros(reference.shape, bool)
    boxes = ndimage.find_objects(either.astype(np.uint8))
    if not boxes:
        return found
    around = tuple(
        slice(max(one.start - MARGIN_PX, 0), min(one.stop + MARGIN_PX, length))
        for one, length in zip(boxes[0], either.shape, strict=True)
    )
    row, column = np.indices((2 * MARGIN_PX + 1, 2 * MARGIN_PX + 1)) - MARGIN_PX
    disk = row**2 + column**2 <= MARGIN_PX**2
    found[around] = ndimage.binary_dilation(either[around], disk)
    return found


def measure(probability: np.ndarray, truth: np.ndarray) -> tuple[dict[str, float], Bins]:
    """Brier score, ECE and ACE of the pixels of one case, and their bins.

    ``probability`` of the class in 0..1 and ``truth`` (bool) are the pixels of a region, both (n,). Without any
    the numbers are NaN and the bins empty.
    """
    from sklearn.metrics import brier_score_loss

    if probability.shape != truth.shape or probability.ndim != 1:
        raise ValueError(
            f"probability: expected the shape (n,) of truth {truth.shape}, got {probability.shape}"
        )
    if not probability.size:
        return dict.fromkeys(METRICS, math.nan), Bins()
    p, y = probability.astype(np.float64), truth.astype(np.int64)
    made = bins(p, y)
    brier = float(brier_score_loss(y, p, labels=[0, 1]))
    return {"brier": brier, "ece": ece(made), "ace": ace(p, y)}, made


def bins(probability: np.ndarray, truth: np.ndarray) -> Bins:
    """The pixels (n,) of one case in bins of equal width, each closed at its upper end as scikit-learn's are."""
    inner = np.linspace(0.0, 1.0, BINS + 1)[1:-1]
    place = np.searchsorted(inner, probability)
    pixels = np.bincount(place, minlength=BINS)
    positives = np.bincount(place[truth.astype(bool)], minlength=BINS)
    return Bins(1, pixels, positives, np.bincount(place, weights=probability, minlength=BINS))


def ece(found: Bins) -> float:
    """Mean gap between probability and observed share over the bins, weighed by pixels; NaN without pixels."""
    total = int(found.pixels.sum())
    return float(np.abs(found.probability - found.positives).sum() / total) if total else math.nan


def ace(probability: np.ndarray, truth: np.ndarray) -> float:
    """The same gap over 10 bins of equal count; NaN without pixels.

    Pixels of equal probability share their truth evenly, so that their order does not matter where a bin ends
    among them.
    """
    n = len(probability)
    if not n:
        return math.nan
    p, place, sizes = np.unique(probability, return_inverse=True, return_counts=True)
    shares = np.bincount(place, weights=truth) / sizes
    gaps = np.repeat(p - shares, sizes)
    return sum(abs(float(part.sum())) for part in np.array_split(gaps, BINS)) / n


def curve(found: Bins) -> list[dict[str, Any]]:
    """The reliability curve, a row per bin: limits, pixels, mean probability and observed share (NaN if empty)."""
    edges = np.linspace(0.0, 1.0, BINS + 1)
    rows = []
    for at, count in enumerate(found.pixels.tolist()):
        mean, share = (
            float(sums[at]) / count if count else math.nan for sums in (found.probability, found.positives)
        )
        limits = {"low": float(edges[at]), "high": float(edges[at + 1])}
        rows.append({**limits, "pixels": count, "probability": mean, "observed": share})
    return rows
