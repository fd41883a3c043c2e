"""Distances between two outlines: borders and nearest neighbours once, then each number is a short formula.

Own implementation on SciPy: packages differ, and one returns a perfect 0 for a missed lesion. Border pixels
are not weighted by surface area, so surface Dice is not comparable with area-weighted implementations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, spatial

METHOD = "border pixels (face-connected erosion), KD-tree, HD95 = larger of two 95th percentiles (Triptych 1)"


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Nearest distances from every border pixel of one mask to the border of the other, in ``unit``.

    to_prediction (n_R,) from the reference's border; to_reference (n_P,) from the prediction's. Both are
    empty when either mask is empty: a missed lesion has no distance.
    """

    to_prediction: np.ndarray
    to_reference: np.ndarray
    unit: str = "px"

    @property
    def is_defined(self) -> bool:
        """Whether both masks have a border."""
        return bool(self.to_prediction.size and self.to_reference.size)

    @property
    def both(self) -> np.ndarray:
        """Both lists one after the other."""
        return np.concatenate([self.to_prediction, self.to_reference])


def border(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask that have a face-neighbour outside it; beyond the picture is outside."""
    face = ndimage.generate_binary_structure(mask.ndim, 1)
    return np.asarray(mask & ~ndimage.binary_erosion(mask, face, border_value=0))


def surface_distances(
    reference: np.ndarray, predicted: np.ndarray, spacing: Sequence[float] | None = None, unit: str = "px"
) -> SurfaceDistances:
    """Distances between the borders of two boolean masks of the same shape, in two or three dimensions.

    ``spacing`` is the size of a pixel along each array axis, in ``unit``; none: 1 px.
    """
    if reference.shape != predicted.shape:
        raise ValueError(f"predicted: expected shape {reference.shape}, got {predicted.shape}")
    reference, predicted = reference.astype(bool), predicted.astype(bool)
    if not reference.any() or not predicted.any():
        return SurfaceDistances(np.zeros(0), np.zeros(0), unit)
    box = ndimage.find_objects((reference | predicted).astype(np.uint8))[0]
    size = np.ones(reference.ndim) if spacing is None else np.asarray(spacing, dtype=float)
    ours = np.argwhere(border(reference[box])) * size
    theirs = np.argwhere(border(predicted[box])) * size
    to_prediction, _ = spatial.KDTree(theirs).query(ours)
    to_reference, _ = spatial.KDTree(ours).query(theirs)
    return SurfaceDistances(np.asarray(to_prediction), np.asarray(to_reference), unit)


def hd(distances: SurfaceDistances) -> float:
    """The largest distance between the outlines (Hausdorff), in the unit of ``distances``; NaN when empty."""
    return float(distances.both.max()) if distances.is_defined else math.nan


def hd95(distances: SurfaceDistances) -> float:
    """The distance that 95 % of both outlines keep from each other, in the unit of ``distances``.

    NaN when either outline is empty: a missed lesion has no distance, and the caller counts it. Percentile
    of both directions taken separately, then the larger one (Huttenlocher 1993, with 95 % for 100 %).
    """
    if not distances.is_defined:
        return math.nan
    each = (np.percentile(distances.to_prediction, 95), np.percentile(distances.to_reference, 95))
    return float(max(each))


def assd(distances: SurfaceDistances) -> float:
    """Average symmetric surface distance, in the unit of ``distances``; NaN when either outline is empty."""
    return float(distances.both.mean()) if distances.is_defined else math.nan


def rmsd(distances: SurfaceDistances) -> float:
    """Root mean square surface distance, in the unit of ``distances``; NaN when either outline is empty."""
    return float(np.sqrt(np.mean(distances.both**2))) if distances.is_defined else math.nan


def nsd(distances: SurfaceDistances, tolerance: float) -> float:
    """Share of both outlines that lies within ``tolerance`` of the other, 0..1 (surface Dice).

    NaN when either outline is empty; a caller that knows the lesion was missed counts 0.
    """
    if not distances.is_defined:
        return math.nan
    return float(np.mean(distances.both <= tolerance + 1e-9))
