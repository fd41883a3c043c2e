"""Numbers beside one heatmap, and its state. Pure NumPy and SciPy.

L is the raw signed map, H its positive part enlarged, S the reference of the class, p the class's
probability, P the region predicted, on the canvas the network saw at the resolution of the source picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.explain import targets
from core.preprocess import enlarge
from core.records import SIZE, Heatmap, Prediction, Slice

SATURATED = 0.001  # mean of p(1 - p) over the region: a gradient of the probability is then a thousandth
REDUNDANT = 0.95  # rank correlation with p, or overlap with the prediction, from which a map is its copy

NO_MAP = "the map has no positive values"
NO_REFERENCE = "the class is not in the reference"
NO_OUTLINE = "the case has no expert outline"
CONSTANT = "the map has the same value everywhere"


class Numbers(dict[str, float]):
    """Numbers by name, NaN where undefined; ``why`` gives the reason of each NaN, by name."""

    def __init__(self, values: dict[str, float], why: dict[str, str]):
        super().__init__(values)
        self.why = why


def numbers(heatmap: Heatmap, slice: Slice, prediction: Prediction, classes: Sequence[str]) -> Numbers:
    """What stands beside a map; NaN with a reason where a number is undefined, never 0 in its place.

    energy_in_reference  0..1, share of H inside S; ``lift`` is that over S's share of the area (1 = chance)
    pointing_hit         0..1, does the maximum of H fall on S, half a cell of leeway; ties: share inside
    topk_iou             0..1, IoU of S with as many pixels as S has, those where L is highest
    redundancy           -1..1, Spearman rank correlation of L with p at 128 x 128
    redundancy_iou       0..1, IoU of P with as many pixels as P has, those where L is highest, at 128 x 128
    raw_maximum, raw_minimum   of L, in score units per cell
    score, mean_probability    what was explained, and the mean of p over the region asked about
    """
    values: dict[str, float] = {
        "raw_maximum": float(heatmap.values.max()),
        "raw_minimum": float(heatmap.values.min()),
        "score": heatmap.score,
        "mean_probability": heatmap.mean_probability,
    }
    why: dict[str, str] = {}
    if heatmap.state == "empty_region":
        why = dict.fromkeys(("score", "mean_probability"), "the region asked about is empty")
    label = targets.label_of(heatmap.target, classes)
    for found, reasons in (
        _redundancy(heatmap, targets.class_probability(prediction.probability, label),
                    targets.predicted_region(prediction.probability, label)),
        _agreement(heatmap, None if slice.reference is None else slice.reference == label),
    ):  # fmt: skip
        values |= found
        why |= reasons
    return Numbers(values, why)


def _agreement(heatmap: Heatmap, inside: np.ndarray | None) -> tuple[dict[str, float], dict[str, str]]:
    names = ("energy_in_reference", "lift", "pointing_hit", "topk_iou")
    reason = None
    if heatmap.state in ("empty_region", "saturated"):
        reason = f"the map's state is {heatmap.state.replace('_', ' ')}"
    elif inside is None:
        reason = NO_OUTLINE
    elif not inside.any():
        reason = NO_REFERENCE
    if reason or inside is None:
        return dict.fromkeys(names, float("nan")), dict.fromkeys(names, reason or NO_OUTLINE)
    signed = enlarge(heatmap.values, inside.shape)
    positive = enlarge(np.maximum(heatmap.values, 0), inside.shape)
    cell = SIZE / heatmap.values.shape[0]
    energy = energy_inside(positive, inside)
    found = {
        "energy_in_reference": energy,
        "lift": energy * inside.size / int(inside.sum()),
        "pointing_hit": pointing(positive, dilated(inside, cell / 2)),
        "topk_iou": top_iou(signed, inside),
    }
    because = {name: NO_MAP for name in names}
    because["topk_iou"] = "the class fills the whole reference" if inside.all() else CONSTANT
    return found, {name: because[name] for name in names if np.isnan(found[name])}


def _redundancy(
    heatmap: Heatmap, probability: np.ndarray, predicted: np.ndarray
) -> tuple[dict[str, float], dict[str, str]]:
    signed = enlarge(heatmap.values, probability.shape)
    found = {"redundancy": spearman(signed, probability), "redundancy_iou": top_iou(signed, predicted)}
    constant = float(signed.max()) == float(signed.min())
    because = {
        "redundancy": CONSTANT if constant else "the probability is the same everywhere",
        "redundancy_iou": CONSTANT
        if constant
        else "the network predicts none of this class, or nothing else",
    }
    return found, {name: because[name] for name, value in found.items() if np.isnan(value)}


def states(
    values: np.ndarray,
    *,
    kind: str,
    region: np.ndarray,
    probability: np.ndarray,
    predicted: np.ndarray,
    flat: bool,
    last: bool,
) -> tuple[str, ...]:
    """Every state that applies to a map, the decisive one first; ("ok",) when none does.

    values       (h, w) the raw signed map
    kind         of the score that is explained
    region       (SIZE, SIZE) booleans, what was asked about
    probability  (SIZE, SIZE) of the class; ``predicted`` booleans, where the class is predicted
    flat         every gradient of the layer is exactly 0
    last         the layer is the one before the logits, where a map is the prediction by algebra
    """
    found = []
    empty = not region.any()
    if empty:
        found.append("empty_region")
    spread = targets.mean_over(probability * (1 - probability), region)
    if not empty and (flat or (kind == "probability" and spread < SATURATED)):
        found.append("saturated")
    if values.max() <= 0:
        found.append("no_positive_evidence")
    signed = enlarge(values, probability.shape)
    if last or spearman(signed, probability) >= REDUNDANT or top_iou(signed, predicted) >= REDUNDANT:
        found.append("redundant_with_prediction")
    return tuple(found) or ("ok",)


def energy_inside(positive: np.ndarray, inside: np.ndarray) -> float:
    """Share of a non-negative map that lies inside a region; NaN when the map is 0 everywhere."""
    total = float(positive.sum(dtype=np.float64))
    return float(positive[inside].sum(dtype=np.float64)) / total if total > 0 else float("nan")


def pointing(positive: np.ndarray, inside: np.ndarray) -> float:
    """Whether the map's maximum lies inside: 1 or 0, among ties the share inside; NaN for a map of zeros.

    Pixels within a millionth of the maximum count as tied: enlarging spreads one cell's value over several
    pixels, equal but for rounding.
    """
    top = float(positive.max())
    if top <= 0:
        return float("nan")
    return float(inside[positive >= top * (1 - 1e-6)].mean())


def dilated(inside: np.ndarray, reach: float) -> np.ndarray:
    """``inside`` grown by ``reach`` pixels of the SIZE x SIZE grid, rounded down on ``inside``'s own grid.

    A square reach, as cells are squares: rows and columns grow separately, each by its own scale.
    """
    from scipy.ndimage import maximum_filter1d

    grown = inside.astype(np.uint8)
    for axis, side in enumerate(inside.shape):
        pixels = int(reach * side / SIZE)
        grown = maximum_filter1d(grown, 2 * pixels + 1, axis=axis, mode="constant")
    return grown.astype(bool)


def top_iou(values: np.ndarray, inside: np.ndarray) -> float:
    """IoU of a region with the equally many pixels where the map is highest: r / (2 - r), r the share inside.

    Ties are broken by a seeded draw, never in raster order. NaN for a constant map and for a region that is
    empty or leaves no other place to look at.
    """
    size = int(inside.sum())
    if size in (0, inside.size) or float(values.max()) == float(values.min()):
        return float("nan")
    flat, hits = values.ravel(), inside.ravel()
    bar = np.partition(flat, -size)[-size]
    above = flat > bar
    tied = np.random.default_rng(0).permutation(np.flatnonzero(flat == bar))
    chosen = tied[: size - int(above.sum())]
    share = (int(hits[above].sum()) + int(hits[chosen].sum())) / size
    return share / (2 - share)


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation of two arrays of one shape, ties averaged; NaN when either is constant."""
    a, b = ranks(one), ranks(other)
    a, b = a - a.mean(), b - b.mean()
    # sums of products, not dot products: BLAS wakes its threads for them, 8 ms for 8 microseconds of work
    length = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / length if length > 0 else float("nan")


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, in float64, flattened; equal values share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place.ravel()])
