"""A CT volume as it is drawn: pictures, reference and answers of the networks on one grid small enough to send.

Scores never come from here: they are computed on the volume's own grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core import SIZE, SliceEntry, Volume, labels_stack, opening_slice

FINE = 2 * SIZE  # side of the finer picture, on request
MOST_SLICES = 400  # a longer stack is cut to the liver's extent


@dataclass(frozen=True, eq=False)
class Drawn:
    """The slices of one volume on the grid they are drawn on.

    indices     slice numbers in the whole volume, ascending
    pictures    (n, h, w) int16 HU, the mean over each pixel's area
    reference   (n, h, w) uint8 labels, or None
    spacing_mm  (row, column) of this grid
    """

    indices: tuple[int, ...]
    pictures: np.ndarray
    reference: np.ndarray | None
    spacing_mm: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Answer:
    """One network on the same slices: labels (n, h, w) and probability (classes, n, SIZE, SIZE, 255 = 1), uint8."""

    labels: np.ndarray
    probability: np.ndarray


def drawn(volume: Volume, side: int = SIZE) -> Drawn:
    """The slices of a volume on a grid of at most ``side`` x ``side``; a grid that is smaller is kept."""
    kept = extent(volume)
    height, width = volume.pictures.shape[1:]
    rows, columns = min(side, height), min(side, width)
    pictures = np.empty((len(kept), rows, columns), np.int16)
    reference = None if volume.references is None else np.zeros(pictures.shape, np.uint8)
    for at, place in enumerate(kept):
        pictures[at] = np.rint(cell_means(volume.pictures[place], rows, columns))
        if reference is not None and volume.references is not None and volume.references[place].any():
            reference[at] = _smaller(np.asarray(volume.references[place]), rows, columns)
    step_row, step_column = height / rows, width / columns
    _, row, column = volume.spacing_mm
    indices = tuple(volume.indices[place] for place in kept)
    return Drawn(indices, pictures, reference, (row * step_row, column * step_column))


def extent(volume: Volume) -> range:
    """Places of the slices that are sent: all, or of a very long stack those with liver and ten on either side.

    Without liver: the middle ones.
    """
    n = len(volume.indices)
    if n <= MOST_SLICES:
        return range(n)
    marked = [at for at in range(n) if volume.references is not None and volume.references[at].any()]
    first, last = (marked[0] - 10, marked[-1] + 11) if marked else (n // 2 - 100, n // 2 + 100)
    return range(max(0, first), min(n, last))


def cell_means(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Means of (H, W) over equal cells: (rows, columns) float64; a pixel cut by an edge counts by its share."""
    return _along_rows(_along_rows(values, rows).T, columns).T


def _along_rows(values: np.ndarray, cells: int) -> np.ndarray:
    """Differences of running sums, without matrix products: those start threads, which a busy machine waits for."""
    length = len(values)
    sums = np.zeros((length + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=sums[1:])
    edges = np.linspace(0, length, cells + 1)
    below = np.minimum(edges.astype(int), length - 1)
    at_edges = sums[below] + (edges - below)[:, None] * (sums[below + 1] - sums[below])
    return np.diff(at_edges, axis=0) * (cells / length)


def _smaller(labels: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Labels on the smaller grid: where a class (with those inside it) fills half of a pixel.

    A class too small for the grid keeps its fullest pixel: it must not vanish from the screen.
    """
    small = np.zeros((rows, columns), np.uint8)
    for value in range(1, int(labels.max()) + 1):
        share = cell_means(labels >= value, rows, columns)
        small[share >= min(0.5, float(share.max()))] = value
    return small


def answer(probabilities: Sequence[np.ndarray], shape: tuple[int, int]) -> Answer:
    """What a network drew on a grid of ``shape`` from its probabilities, one (SIZE, SIZE, K) per slice, K > 1.

    The probability of a class includes that of the classes inside it: liver is liver or tumour.
    """
    softmax = np.stack(list(probabilities))
    reversed_sum = np.cumsum(softmax[..., :0:-1], axis=-1)[..., ::-1]
    probability = np.rint(255 * np.clip(np.moveaxis(reversed_sum, -1, 0), 0, 1)).astype(np.uint8)
    on_grid = shape == softmax.shape[1:3]  # nothing to enlarge, and no library to load for it
    labels = softmax.argmax(axis=-1).astype(np.uint8) if on_grid else labels_stack(softmax, shape)
    return Answer(labels, probability)


def merged(slices: Sequence[SliceEntry]) -> SliceEntry:
    """The slices of one volume as one entry: its opening slice.

    Its part of a split is that of its slices (those that are excluded, without liver, aside). Where they differ it
    is "mixed" if any of them is tested; else "train": of such a volume nothing is unseen.
    """
    opening = opening_slice(slices)
    parts = {name: {entry.parts.get(name, "excluded") for entry in slices} for name in opening.parts}
    parts = {name: found - {"excluded"} or found for name, found in parts.items()}
    return replace(
        opening,
        flags=tuple(dict.fromkeys(name for entry in slices for name in entry.flags)),
        parts={name: _part(found) for name, found in parts.items()},
    )


def _part(found: set[str]) -> str:
    if len(found) == 1:
        return next(iter(found))
    return "mixed" if "test" in found else "train"
