"""Formulas that judge one map, or compare two: arrays in, one number out. Pure NumPy and SciPy.

L is a signed map, H its positive part, S a region of the same grid as booleans. NaN where a number is undefined.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.records import SIZE

LEVELS = 256  # steps of a threshold between 0 and the maximum, as many as a screen shows


def energy_inside(positive: np.ndarray, inside: np.ndarray) -> float:
    """Share of a non-negative map that lies inside a region; NaN when the map is 0 everywhere."""
    total = float(positive.sum(dtype=np.float64))
    return float(positive[inside].sum(dtype=np.float64)) / total if total > 0 else float("nan")


def mean_distance(positive: np.ndarray, distance: np.ndarray) -> float:
    """Mean of ``distance`` weighted by a non-negative map, in its unit; NaN when the map is 0 everywhere."""
    total = float(positive.sum(dtype=np.float64))
    return float((positive * distance).sum(dtype=np.float64)) / total if total > 0 else float("nan")


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


def top_pixels(values: np.ndarray, count: int) -> np.ndarray:
    """The ``count`` pixels where a map is highest, as booleans; ties by a seeded draw, never in raster order."""
    if not 0 < count <= values.size:
        raise ValueError(f"count: expected 1 to {values.size}, got {count}")
    flat = values.ravel()
    bar = np.partition(flat, -count)[-count]
    chosen = flat > bar
    tied = np.random.default_rng(0).permutation(np.flatnonzero(flat == bar))
    chosen[tied[: count - int(chosen.sum())]] = True
    return np.asarray(chosen.reshape(values.shape))


def top_iou(values: np.ndarray, inside: np.ndarray) -> float:
    """IoU of a region with the equally many pixels where the map is highest: r / (2 - r), r the share inside.

    NaN for a constant map and for a region that is empty or leaves no other place to look at.
    """
    size = int(inside.sum())
    if size in (0, inside.size) or is_constant(values):
        return float("nan")
    share = int(inside[top_pixels(values, size)].sum()) / size
    return share / (2 - share)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Shared pixels of two boolean regions over all their pixels; NaN when both are empty."""
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else float("nan")


def best_iou(positive: np.ndarray, inside: np.ndarray) -> float:
    """The largest IoU of S with {H >= t max H} over t = 1/256 ... 256/256; NaN when H = 0 or S is empty."""
    top = float(positive.max())
    if top <= 0 or not inside.any():
        return float("nan")
    # pixels of level k are those that {H >= t max H} loses when t passes k/256
    level = np.floor(positive * (LEVELS / top) + 1e-9).astype(np.intp).clip(0, LEVELS)
    within = np.bincount(level[inside], minlength=LEVELS + 1)[::-1].cumsum()[:-1]
    above = np.bincount(level.ravel(), minlength=LEVELS + 1)[::-1].cumsum()[:-1]
    return float((within / (int(inside.sum()) + above - within)).max())


def otsu_iou(positive: np.ndarray, inside: np.ndarray) -> float:
    """IoU of S with the pixels above Otsu's threshold of H; NaN when H is constant or S is empty."""
    from skimage import filters

    threshold_otsu: Any = filters.threshold_otsu
    if is_constant(positive) or not inside.any():
        return float("nan")
    return iou(positive > threshold_otsu(positive, nbins=LEVELS), inside)


def gini(positive: np.ndarray) -> float:
    """How unevenly a non-negative map is spread: 0 uniform, 1 - 1/n all in one of n pixels; NaN when it is 0."""
    ordered = np.sort(positive, axis=None).astype(np.float64)
    n, total = ordered.size, float(ordered.sum())
    if total <= 0:
        return float("nan")
    return float(((2 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (n * total))


def entropy(positive: np.ndarray) -> float:
    """Shannon entropy of H over its sum, as a share of that of a uniform map: 1 uniform, 0 one pixel."""
    share = _distribution(positive)
    if share is None:
        return float("nan")
    share = share[share > 0]
    # 0.0 - x, not -x: a single pixel has the entropy 0, not -0
    return float(0.0 - (share * np.log(share)).sum() / np.log(positive.size))


def jensen_shannon(one: np.ndarray, other: np.ndarray) -> float:
    """Jensen-Shannon divergence of two non-negative maps over their sums, base 2: 0 same, 1 apart; NaN if 0."""
    a, b = _distribution(one), _distribution(other)
    if a is None or b is None:
        return float("nan")
    middle = (a + b) / 2
    parts = [(p[p > 0] * np.log2(p[p > 0] / middle[p > 0])).sum() for p in (a, b)]
    return min(max(float(sum(parts)) / 2, 0.0), 1.0)


def _distribution(positive: np.ndarray) -> np.ndarray | None:
    flat = positive.ravel().astype(np.float64)
    total = float(flat.sum())
    return flat / total if total > 0 else None


def similarity(one: np.ndarray, other: np.ndarray, span: float) -> float:
    """Structural similarity of two arrays (Wang et al. 2004, Gaussian window of 1.5 pixels), -1..1.

    ``span`` is the range of the values, which the constants are taken from; NaN when it is not positive.
    """
    from skimage import metrics

    structural_similarity: Any = metrics.structural_similarity
    if not span > 0:
        return float("nan")
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(one, other, data_range=span, **options))


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


def is_constant(values: np.ndarray) -> bool:
    """Whether an array has the same value everywhere."""
    return float(values.max()) == float(values.min())
