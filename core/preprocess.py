"""From source grid to network grid and back: pictures and probabilities linear, labels never interpolated."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.records import SIZE, THRESHOLD


def enlarge(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``values`` (h, w) or (h, w, K) on another grid: (H, W) or (H, W, K) float32.

    Bilinear with half-pixel centres, the edge continued. Only the first two entries of ``shape`` are used; equal
    shapes give the values back as float32. Also goes down, without anti-aliasing.
    """
    values = np.asarray(values, dtype=np.float32)
    target = (int(shape[0]), int(shape[1]))
    if values.shape[:2] == target:
        return values
    large = _resize(values, target + values.shape[2:], order=1, mode="edge", anti_aliasing=False)
    return np.asarray(large, dtype=np.float32)


def labels_of(probability: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Labels on a grid of ``shape`` from probabilities (S, S, K): (H, W) uint8, 0 is background.

    The probabilities are enlarged first. K = 1: label 1 where p > THRESHOLD, strictly; otherwise the class of the
    largest probability, the lower label on a tie.
    """
    large = enlarge(probability, shape)
    if large.shape[2] == 1:
        return (large[..., 0] > THRESHOLD).astype(np.uint8)
    return np.asarray(np.argmax(large, axis=2), dtype=np.uint8)


def network_image(picture: np.ndarray) -> np.ndarray:
    """What the networks see of a grey picture (H, W) uint8 or uint16: (SIZE, SIZE, 1) float32 in 0..1.

    Divided by the full range of its type, then resized as the paper does (scikit-image ``resize``), with
    anti-aliasing. A picture that is not square is squeezed, not padded: also the paper's way.
    """
    if picture.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"picture: expected uint8 or uint16, got {picture.dtype}")
    scaled = picture.astype(np.float32) / np.iinfo(picture.dtype).max
    small = _resize(scaled, (SIZE, SIZE), order=1, mode="reflect", anti_aliasing=True)
    return np.asarray(np.clip(small, 0, 1), dtype=np.float32)[..., None]


def small_labels(reference: np.ndarray) -> np.ndarray:
    """Labels (H, W) uint8 on the network's grid: (SIZE, SIZE) uint8, nearest neighbour, never a new value."""
    small = _resize(reference, (SIZE, SIZE), order=0, mode="edge", anti_aliasing=False)
    return np.asarray(small, dtype=np.uint8)


def _resize(values: np.ndarray, shape: tuple[int, ...], **options: Any) -> np.ndarray:
    import skimage.transform

    resize: Any = skimage.transform.resize
    return np.asarray(resize(values, shape, preserve_range=True, **options))
