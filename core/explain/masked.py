"""Heatmaps that try a layer's channels one by one: Score-CAM and Ablation-CAM. Pure NumPy.

Both weight the channels by what further passes through the network say, without any gradient. Their unit
depends on the number and the size of the channels tried, which the remarks state.
"""

from __future__ import annotations

import numpy as np

from core.preprocess import enlarge
from core.records import Evidence, Passes

CHANNELS = 64  # tried by default: those that vary most over the grid
OPTIONS = {"channels": (CHANNELS, 16, 32, 128, 256, 1024)}


def scorecam(evidence: Evidence, channels: int = CHANNELS) -> np.ndarray:
    """L = sum of w_k A_k, w the softmax over k of the score of the image seen through channel k.

    The mask is A_k enlarged to the image and stretched to 0..1; constant channels are left out. Subtracting the
    score of a baseline, as in the paper, cancels in the softmax. Wang et al. 2020, eq. 4 to 9.
    """
    passes, chosen = passes_of(evidence), varied(evidence.activations, channels)
    if not len(chosen):
        return np.zeros(evidence.activations.shape[:2])
    masks = np.moveaxis(enlarge(evidence.activations[..., chosen], passes.image.shape), -1, 0)
    low, high = masks.min(axis=(1, 2), keepdims=True), masks.max(axis=(1, 2), keepdims=True)
    seen = passes.image * ((masks - low) / (high - low))[..., None]
    weights = softmax(passes.rescore(seen.astype(np.float32)))
    spread = -float((weights * np.log(np.maximum(weights, 1e-300))).sum())
    _remark(passes, evidence, chosen)
    passes.remarks.append(f"By their weights they count as {np.exp(spread):.1f} equally weighted features.")
    return _weighted(evidence, chosen, weights)


def ablationcam(evidence: Evidence, channels: int = CHANNELS) -> np.ndarray:
    """L = sum of w_k A_k, w_k = how far the score falls without channel k (Desai and Ramaswamy 2020).

    The paper divides w_k by the score too; log-odds may be 0 or negative, so we do not.
    """
    passes, chosen = passes_of(evidence), varied(evidence.activations, channels)
    if not len(chosen):
        return np.zeros(evidence.activations.shape[:2])
    _remark(passes, evidence, chosen)
    return _weighted(evidence, chosen, evidence.score - passes.without(chosen))


def varied(activations: np.ndarray, count: int) -> np.ndarray:
    """Numbers of the ``count`` channels with the largest standard deviation over the grid, no constant ones.

    In ascending order, so that the same channels give the same sums.
    """
    flat = activations.reshape(-1, activations.shape[-1])
    spread = np.where(np.ptp(flat, axis=0) > 0, flat.std(axis=0, dtype=np.float64), 0)
    best = np.argsort(-spread, kind="stable")[:count]
    return np.sort(best[spread[best] > 0])


def softmax(scores: np.ndarray) -> np.ndarray:
    """Weights that sum to 1, in float64; all 0 when a score is undefined."""
    if not np.isfinite(scores).all():
        return np.zeros(len(scores))
    shares = np.exp(scores - scores.max())
    return np.asarray(shares / shares.sum())


def passes_of(evidence: Evidence) -> Passes:
    """The further passes of an evidence; ValueError where it comes without."""
    if evidence.passes is None:
        raise ValueError("evidence: expected one with passes, got none")
    return evidence.passes


def _remark(passes: Passes, evidence: Evidence, chosen: np.ndarray) -> None:
    all_ = evidence.activations.shape[-1]
    passes.remarks.append(f"{len(chosen)} of {all_} features tried, those that vary most over the layer.")


def _weighted(evidence: Evidence, chosen: np.ndarray, weights: np.ndarray) -> np.ndarray:
    sure = np.nan_to_num(weights, nan=0.0)  # the score of an empty region
    return np.asarray(evidence.activations[..., chosen] @ sure.astype(evidence.activations.dtype))
