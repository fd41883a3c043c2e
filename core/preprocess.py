"""From source grid to network grid and back: pictures and probabilities linear, labels never interpolated."""

from __future__ import annotations

from functools import cache
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


def network_stack(pictures_hu: np.ndarray, window_hu: tuple[float, float]) -> np.ndarray:
    """What the networks see of CT slices (n, H, W) in HU: (n, SIZE, SIZE, 1) float32 in 0..1.

    Clipped to ``window_hu`` (low, high), whole numbers at most 32,767 apart, and scaled to 0..1 before it is
    resized as ``network_image`` does. Two sparse matrix products per slice take the place of filter and
    interpolation: the result is the same to 1e-5, and besides the answer no more than one slice is held as float32.
    """
    if any(end % 1 for end in window_hu) or window_hu[1] - window_hu[0] > np.iinfo(np.int16).max:
        raise ValueError(f"window_hu: expected whole numbers at most 32,767 apart, got {window_hu}")
    low, high = (pictures_hu.dtype.type(end) for end in window_hu)  # 16 bits are clipped twice as fast as 32
    width = np.float32(window_hu[1] - window_hu[0])
    down, across = (_sparse(length) for length in pictures_hu.shape[1:])
    images = np.empty((len(pictures_hu), SIZE, SIZE, 1), np.float32)
    for picture, image in zip(pictures_hu, images, strict=True):
        seen = np.divide(np.clip(picture, low, high) - low, width, dtype=np.float32)
        image[..., 0] = (across @ (down @ seen).T).T
    return np.clip(images, 0, 1, out=images)


def small_stack(references: np.ndarray) -> np.ndarray:
    """``small_labels`` of every slice of (n, H, W) uint8: (n, SIZE, SIZE) uint8."""
    rows, columns = (_nearest(length) for length in references.shape[1:])
    return np.ascontiguousarray(references[:, rows[:, None], columns], dtype=np.uint8)


def enlarge_stack(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``enlarge`` of every slice of (n, SIZE, SIZE): (n, H, W) float32, several times as fast."""
    (above, below, down), (left, right, across) = (_between(length) for length in shape[:2])
    values = values.astype(np.float32, copy=False)
    start, end = np.take(values, left, axis=2), np.take(values, right, axis=2)
    wide = start + (end - start) * across
    top = np.take(wide, above, axis=1)
    large = np.take(wide, below, axis=1)
    large -= top
    large *= down[:, None]
    large += top
    return np.asarray(large)


def labels_stack(probability: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``labels_of`` of every slice of (n, SIZE, SIZE, K), K > 1: (n, H, W) uint8, several times as fast.

    Equal to it but for pixels where two classes are equally likely to 1e-6.
    """
    labels = np.zeros((len(probability), *shape[:2]), np.uint8)
    for one, answer in zip(probability, labels, strict=True):
        best, *others = enlarge_stack(np.moveaxis(one, -1, 0), shape)
        for label, other in enumerate(others, 1):
            answer[other > best] = label
            best = np.maximum(best, other)
    return labels


@cache
def _between(length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two of SIZE pixels that each of ``length`` lies between, and the second one's share, by scikit-image."""
    places = np.arange(SIZE, dtype=np.float64)[:, None]
    found = _resize(places, (length, 1), order=1, mode="edge", anti_aliasing=False)[:, 0]
    first = np.minimum(found.astype(np.intp), SIZE - 2)
    return first, first + 1, (found - first).astype(np.float32)


@cache
def operator(length: int) -> np.ndarray:
    """The resizing of ``network_image`` along an axis of ``length`` pixels as a matrix (SIZE, length) float32.

    Made by resizing the unit matrix with scikit-image: filter and interpolation are linear and work on one axis
    after the other, so rows and columns can be multiplied separately. Every row sums to 1. Read-only.
    """
    unit = np.eye(length)
    matrix = _resize(unit, (SIZE, length), order=1, mode="reflect", anti_aliasing=True).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


@cache
def _sparse(length: int) -> Any:
    """``operator`` without its zeros (97 % of it at 512 pixels): a third of the time of a dense product."""
    from scipy import sparse

    return sparse.csr_array(operator(length))


@cache
def _nearest(length: int) -> np.ndarray:
    """Which of ``length`` pixels each of SIZE takes its label from, in scikit-image's own rounding."""
    positions = np.arange(length, dtype=np.float64)[:, None]
    taken = _resize(positions, (SIZE, 1), order=0, mode="edge", anti_aliasing=False)
    return np.asarray(taken[:, 0], dtype=np.intp)


def _resize(values: np.ndarray, shape: tuple[int, ...], **options: Any) -> np.ndarray:
    import skimage.transform

    resize: Any = skimage.transform.resize
    return np.asarray(resize(values, shape, preserve_range=True, **options))
