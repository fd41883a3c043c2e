"""Heatmaps of the input itself: occlusion and integrated gradients. Pure NumPy.

They look at no layer and do not share the assumptions of the class activation maps: a large disagreement is
worth a look. Values are in score units on the grid of the image.
"""

from __future__ import annotations

import numpy as np

from core.explain.masked import passes_of
from core.records import Evidence

PATCH, STEP = 16, 8  # pixels: 225 patches on 128 x 128
STEPS, MOST_STEPS = 32, 256  # points between the blank and the image
COMPLETE = 0.02  # share by which the sum of a map may miss the rise of the score
BLUR = 8.0  # pixels, standard deviation of the blurred fill
FILLS = ("mean", "blur", "zero")
OCCLUSION = {"fill": FILLS, "patch": (PATCH, 8, 32), "step": (STEP, 4, 16)}
INTEGRATED = {"fill": ("zero", "mean", "blur"), "steps": (STEPS, 8, 16, 64, 128, 256)}


def occlusion(evidence: Evidence, fill: str = "mean", patch: int = PATCH, step: int = STEP) -> np.ndarray:
    """Each pixel's mean fall of the score over the covered squares it lies in (Zeiler and Fergus 2014).

    A square of ``patch`` pixels is moved by ``step``; it covers the image with ``blank`` of ``fill``. ValueError
    when the squares do not end at the border.
    """
    passes = passes_of(evidence)
    image = passes.image
    side, cover = image.shape[0], blank(image, fill)
    if (side - patch) % step:
        raise ValueError(f"step: expected a divisor of {side - patch}, got {step}")
    corners = [(row, column) for row in range(0, side - patch + 1, step)
               for column in range(0, side - patch + 1, step)]  # fmt: skip
    covered = np.repeat(image[None], len(corners), axis=0)
    for one, (row, column) in zip(covered, corners, strict=True):
        inside = np.s_[row : row + patch, column : column + patch]
        one[inside] = cover[inside]
    falls = evidence.score - passes.rescore(covered)
    total, count = np.zeros((side, side)), np.zeros((side, side))
    for fall, (row, column) in zip(falls, corners, strict=True):
        total[row : row + patch, column : column + patch] += fall
        count[row : row + patch, column : column + patch] += 1
    passes.remarks.append(f"Squares of {patch} pixels, every {step} pixels, filled with {_words(fill)}.")
    return np.nan_to_num(np.divide(total, count, out=np.zeros_like(total), where=count > 0), nan=0.0)


def integrated_gradients(evidence: Evidence, fill: str = "zero", steps: int = STEPS) -> np.ndarray:
    """(x - b) times the mean slope of the score at midpoints between a blank b and the image x.

    Summed over the image's channels. The sum of the map is the rise of the score from b to x but for the error
    of the sum, which the remarks state; points are doubled while it is above COMPLETE, up to MOST_STEPS.
    Sundararajan et al. 2017, eq. 3.
    """
    passes = passes_of(evidence)
    image = passes.image.astype(np.float64)
    start = blank(passes.image, fill).astype(np.float64)
    rise = evidence.score - float(passes.rescore(start[None].astype(np.float32))[0])
    while True:
        places = (np.arange(steps) + 0.5) / steps
        between = start + places[:, None, None, None] * (image - start)
        slope = passes.slopes(between.astype(np.float32)).mean(axis=0, dtype=np.float64)
        found = ((image - start) * slope).sum(axis=-1)
        error = abs(found.sum() - rise) / max(abs(rise), 1e-12)
        if not error > COMPLETE or 2 * steps > MOST_STEPS:
            break
        steps *= 2
    passes.remarks.append(
        f"{steps} points from {_words(fill)} to the image; the map adds up to the rise of the score "
        f"within {100 * error:.1f} %."
    )
    return np.asarray(found)


def blank(image: np.ndarray, fill: str) -> np.ndarray:
    """What stands for "nothing there", (S, S, channels) float32: each channel's "mean", a "blur", or "zero"."""
    if fill == "blur":
        from scipy.ndimage import gaussian_filter

        return np.asarray(gaussian_filter(image, (BLUR, BLUR, 0), mode="nearest"))
    if fill not in FILLS:
        raise ValueError(f"fill: expected one of {FILLS}, got {fill!r}")
    value = image.mean(axis=(0, 1), dtype=np.float64) if fill == "mean" else 0
    return np.broadcast_to(value, image.shape).astype(np.float32)


def _words(fill: str) -> str:
    return {"mean": "the mean grey", "blur": "the blurred image", "zero": "black"}[fill]
