"""Does the score depend on the places a map names? Pixels are removed in its order and the network is asked again.

The network is a plain callable: images (N, S, S, channels) -> probabilities (N, S, S, K), so any function of
images can stand in for it. Rankings are flat pixel numbers, highest first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.explain import targets
from core.preprocess import enlarge
from core.records import SIZE

# Of the pixels changed, from the whole image to none of it: close together at both ends, where these curves bend.
# Areas differ from those of 50 equal steps by 0.007 (standard deviation, at most 0.013) at a fifth of the cost.
SHARES = (0.0, 0.04, 0.1, 0.26, 0.5, 0.74, 0.9, 0.96, 1.0)
BLUR = 10.0  # pixels: wide enough for most lesions to dissolve
ROAD_SHARES = tuple(np.arange(1, 10) / 10)
ROAD_NOISE = 0.01

Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Curve:
    """What happened while pixels were changed step by step, from none of them to all.

    probability  (shares,) mean of the class over the region first predicted or asked about
    dice         (shares,) of the outline drawn on the changed image with that on the first one
    """

    probability: np.ndarray
    dice: np.ndarray


def ranking(values: np.ndarray) -> np.ndarray:
    """Flat pixel numbers of the SIZE x SIZE grid, highest first, of a map (h, w); ties by a seeded draw."""
    flat = enlarge(values, (SIZE, SIZE)).ravel()
    drawn = np.random.default_rng(0).permutation(flat.size)
    return drawn[np.argsort(-flat[drawn], kind="stable")]


def blurred(image: np.ndarray) -> np.ndarray:
    """``image`` (S, S, channels) without detail: what removed pixels are filled from."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, (BLUR, BLUR, 0), mode="nearest"), dtype=np.float32)


def replaced(image: np.ndarray, other: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """``image`` with the pixels of the flat numbers ``chosen`` taken from ``other``, both (S, S, channels)."""
    changed = image.copy().reshape(-1, image.shape[-1])
    changed[chosen] = other.reshape(-1, image.shape[-1])[chosen]
    return changed.reshape(image.shape)


def curve(
    start: np.ndarray, end: np.ndarray, order: np.ndarray, predict: Predict,
    region: np.ndarray, label: int, shares: Sequence[float] = SHARES,
) -> Curve:  # fmt: skip
    """The first ``shares`` of the pixels in ``order`` of ``start`` replaced by those of ``end``.

    ``start`` and ``end`` are (S, S, channels); deletion goes from the image to its blurred copy, insertion back.
    ``region`` (S, S) booleans stays fixed. ValueError for an empty region, over which there is no mean.
    """
    if not region.any():
        raise ValueError("region: expected at least one pixel, got none")
    counts = np.round(np.asarray(shares) * order.size).astype(int)
    images = np.stack([replaced(start, end, order[:count]) for count in counts])
    answers = predict(images)
    inside = targets.class_probability(answers, label)[:, region].mean(axis=1, dtype=np.float64)
    drawn = targets.predicted_region(answers, label)
    both, either = (drawn & drawn[0]).sum(axis=(1, 2)), drawn.sum(axis=(1, 2)) + drawn[0].sum()
    dice = np.divide(2 * both, either, out=np.ones(len(counts)), where=either > 0)
    return Curve(inside, dice)


def area(values: np.ndarray, shares: Sequence[float] = SHARES) -> float:
    """Area under a curve over the shares 0..1, by trapezoids."""
    return float(np.trapezoid(values, shares))


def deletion_and_insertion(
    image: np.ndarray,
    values: np.ndarray,
    predict: Predict,
    region: np.ndarray,
    label: int,
    shares: Sequence[float] = SHARES,
) -> dict[str, float]:
    """``deletion``, ``insertion``, ``fall_at_10`` and ``dice_deletion`` (see ``FOCUS_NUMBERS``) of a map (h, w).

    Two images per share pass through the network. A constant map is removed in random order: the uniform baseline.
    """
    order, empty = ranking(values), blurred(image)
    out = curve(image, empty, order, predict, region, label, shares)
    back = curve(empty, image, order, predict, region, label, shares)
    return {
        "deletion": area(out.probability, shares),
        "insertion": area(back.probability, shares),
        "fall_at_10": float(out.probability[0] - np.interp(0.1, shares, out.probability)),
        "dice_deletion": area(out.dice, shares),
    }


def filled_from_neighbours(image: np.ndarray, removed: np.ndarray, noise: float = ROAD_NOISE) -> np.ndarray:
    """``image`` (S, S, channels) with ``removed`` (S, S) booleans filled in from their neighbours.

    Each is the mean of its neighbours, weighted 1/6 for edges and 1/12 for corners, renormalised at the
    border, with Gaussian noise on top (Rong et al. 2022). With noise 0 a linear ramp is restored inside, a
    constant anywhere. With nothing kept: the image's mean.
    """
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    rows, columns = removed.shape
    if removed.all():
        return np.broadcast_to(image.mean(axis=(0, 1)), image.shape).astype(np.float32)
    number = np.full(removed.shape, -1)
    number[removed] = np.arange(int(removed.sum()))
    at = np.argwhere(removed)
    total, links = np.zeros(len(at)), []
    known = np.zeros((len(at), image.shape[-1]))
    for down, across, weight in _NEIGHBOURS:
        row, column = at[:, 0] + down, at[:, 1] + across
        there = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        total += weight * there
        own, row, column = np.flatnonzero(there), row[there], column[there]
        other = number[row, column]
        known[own[other < 0]] += weight * image[row[other < 0], column[other < 0]]
        links.append((own[other >= 0], other[other >= 0], weight))
    here, there = (np.concatenate([link[side] for link in links]) for side in (0, 1))
    weights = np.concatenate([np.full(len(own), -weight) for own, _, weight in links])
    matrix = sparse.csr_array((weights, (here, there)), shape=(len(at), len(at))) + sparse.diags_array(total)
    solved = np.asarray(spsolve(sparse.csc_array(matrix), known)).reshape(len(at), -1)
    filled = image.copy()
    filled[removed] = solved + noise * np.random.default_rng(0).normal(size=solved.shape)
    return np.asarray(np.clip(filled, 0, 1))


_NEIGHBOURS = [
    (down, across, 1 / 6 if 0 in (down, across) else 1 / 12)
    for down in (-1, 0, 1)
    for across in (-1, 0, 1)
    if (down, across) != (0, 0)
]


def road(
    image: np.ndarray, values: np.ndarray, predict: Predict, region: np.ndarray, label: int,
    shares: Sequence[float] = ROAD_SHARES, noise: float = ROAD_NOISE,
) -> float:  # fmt: skip
    """Half the mean gap between removing the least and the most relevant ``shares`` of the pixels, -0.5..0.5.

    2 x 9 images pass through the network, each after a sparse solve of 0.1 to 0.3 s.
    """
    order = ranking(values)
    removed = np.zeros((2, len(shares), order.size), bool)
    for place, share in enumerate(shares):
        count = round(share * order.size)
        removed[0, place, order[:count]] = True
        removed[1, place, order[order.size - count :]] = True
    holes = removed.reshape(-1, *image.shape[:2])
    images = np.stack([filled_from_neighbours(image, hole, noise) for hole in holes])
    means = targets.class_probability(predict(images), label)[:, region].mean(axis=1, dtype=np.float64)
    most, least = np.split(means, 2)
    return float((least - most).mean() / 2)
