"""Lesions found and lesions invented: connected tumours of reference and prediction, matched in groups.

The published rule of the LiTS challenge in its symmetric form: exchanging reference and prediction exchanges
recall and precision. The challenge's program mixes two label numberings, so its figures may differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

THRESHOLDS = (0.0, 0.5)  # a group counts where its IoU is above, strictly
SIZES = ("below 10 mm", "10 to 20 mm", "above 20 mm")  # equivalent sphere diameter


@dataclass(frozen=True)
class Lesions:
    """The lesions of one volume, or of several added up.

    diameters_mm  of each reference lesion: the sphere of its volume
    reference_iou, predicted_iou  of each lesion, the IoU of the group that it belongs to (0: alone)
    matched_iou   of each group that has lesions of both
    """

    diameters_mm: tuple[float, ...] = ()
    reference_iou: tuple[float, ...] = ()
    predicted_iou: tuple[float, ...] = ()
    matched_iou: tuple[float, ...] = ()

    def __add__(self, other: Lesions) -> Lesions:
        return Lesions(
            self.diameters_mm + other.diameters_mm,
            self.reference_iou + other.reference_iou,
            self.predicted_iou + other.predicted_iou,
            self.matched_iou + other.matched_iou,
        )


def match(reference: np.ndarray, predicted: np.ndarray, voxel_mm3: float = 1.0) -> Lesions:
    """Match the face-connected components of two boolean masks of one shape.

    Components that share a voxel, directly or through others, form one group; the IoU of a group is that of
    the union of its reference lesions with the union of its predicted ones.
    """
    from scipy import ndimage, sparse

    if reference.shape != predicted.shape:
        raise ValueError(f"predicted: expected shape {reference.shape}, got {predicted.shape}")
    box = ndimage.find_objects((reference | predicted).astype(np.uint8))
    if not box:
        return Lesions()
    ours, n_ours = ndimage.label(reference[box[0]])
    theirs, n_theirs = ndimage.label(predicted[box[0]])
    sizes = [np.bincount(found.ravel())[1:] for found in (ours, theirs)]
    both = (ours > 0) & (theirs > 0)
    pairs = np.stack([ours[both] - 1, theirs[both] - 1 + n_ours])
    nodes = n_ours + n_theirs
    links = sparse.coo_matrix((np.ones(pairs.shape[1], bool), pairs), shape=(nodes, nodes))
    groups, group = sparse.csgraph.connected_components(links, directed=False)
    shared = np.bincount(group[pairs[0]], minlength=groups)
    total = np.bincount(group, weights=np.concatenate(sizes), minlength=groups)
    iou = shared / (total - shared)
    return Lesions(
        diameters_mm=tuple(diameter_mm(int(size) * voxel_mm3) for size in sizes[0]),
        reference_iou=tuple(map(float, iou[group[:n_ours]])),
        predicted_iou=tuple(map(float, iou[group[n_ours:]])),
        matched_iou=tuple(map(float, iou[shared > 0])),
    )


def diameter_mm(mm3: float) -> float:
    """Diameter of the sphere of the same volume."""
    return math.cbrt(6 * mm3 / math.pi)


def size_of(diameter: float) -> str:
    """Which of ``SIZES`` a diameter in mm belongs to; 10 and 20 mm are in the middle one."""
    return SIZES[0] if diameter < 10 else SIZES[1] if diameter <= 20 else SIZES[2]


@dataclass(frozen=True)
class Found:
    """Lesions found at one IoU threshold, as counts; the ratios are NaN where their denominator is 0."""

    detected: int
    n_reference: int
    right: int
    n_predicted: int

    @property
    def recall(self) -> float:
        """Share of the reference lesions that are found."""
        return self.detected / self.n_reference if self.n_reference else math.nan

    @property
    def precision(self) -> float:
        """Share of the predicted lesions that are right."""
        return self.right / self.n_predicted if self.n_predicted else math.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision; 0 when both are 0, NaN when either is undefined."""
        both = self.recall + self.precision
        return 2 * self.recall * self.precision / both if both else both


def found(lesions: Lesions, threshold: float) -> Found:
    """How many lesions belong to a group whose IoU is above the threshold."""
    detected, right = (_above(each, threshold) for each in (lesions.reference_iou, lesions.predicted_iou))
    return Found(detected, len(lesions.reference_iou), right, len(lesions.predicted_iou))


def found_by_size(lesions: Lesions, threshold: float) -> dict[str, tuple[int, int]]:
    """(detected, all) reference lesions by size; every size is there."""
    made = {}
    for size in SIZES:
        members = [
            iou
            for iou, diameter in zip(lesions.reference_iou, lesions.diameters_mm, strict=True)
            if size_of(diameter) == size
        ]
        made[size] = (_above(members, threshold), len(members))
    return made


def detected_dice(lesions: Lesions, threshold: float = 0.5) -> float:
    """Mean Dice of the matched groups above the threshold, NaN when there are none.

    Never without its recall beside it: a network that detects less can look better.
    """
    kept = [2 * iou / (1 + iou) for iou in lesions.matched_iou if iou > threshold]
    return float(np.mean(kept)) if kept else math.nan


def _above(values: Sequence[float], threshold: float) -> int:
    return sum(value > threshold for value in values)
