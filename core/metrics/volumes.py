"""Numbers of one CT volume: overlap error, volumes, tumour burden and distances in mm. Undefined is NaN.

Definitions of the LiTS challenge (Bilic et al. 2023) with R the reference and P the prediction. Its scoring
program replaces undefined values by sentinels and takes signed maxima; here they stay undefined and are counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.metrics import overlap, surface
from core.metrics.overlap import Counts

TOLERANCES_MM = (2, 5)  # declared, not derived
MM3_PER_ML = 1000
DISTANCES = ("hd95", "hd", "assd", "rmsd")
SURFACES = (*(f"{name}_mm" for name in DISTANCES), *(f"nsd_{tolerance}mm" for tolerance in TOLERANCES_MM))
UNITS = {
    "voe": "ratio",
    "rvd": "ratio",
    "rvd_challenge": "ratio",
    "volume_error_ml": "ml",
    "abs_volume_error_ml": "ml",
    "volume_error_percent": "%",
    "abs_volume_error_percent": "%",
    **dict.fromkeys(DISTANCES, "mm"),
    **{f"nsd_{tolerance}mm": "ratio" for tolerance in TOLERANCES_MM},
}


def voe(c: Counts) -> float:
    """Volumetric overlap error 1 - IoU, 0..1; NaN when both are empty."""
    return 1 - overlap.iou(c)


def rvd(c: Counts) -> float:
    """Relative volume difference (|P| - |R|) / |R|, signed; NaN when the reference is empty."""
    return (c.n_pred - c.n_ref) / c.n_ref if c.n_ref else math.nan


def rvd_challenge(c: Counts) -> float:
    """(|R| - |P|) / |P| as the program of the LiTS challenge computes it; NaN when nothing is predicted."""
    return (c.n_ref - c.n_pred) / c.n_pred if c.n_pred else math.nan


def voxel_mm3(affine: Sequence[Sequence[float]] | np.ndarray) -> float:
    """Volume of one voxel in mm3 from a 4 x 4 (or 3 x 3) affine, whatever its flips and permutations."""
    return float(abs(np.linalg.det(np.asarray(affine, dtype=float)[:3, :3])))


def ml(voxels: int, mm3: float) -> float:
    """Volume in millilitres of a number of voxels of ``mm3`` each."""
    return voxels * mm3 / MM3_PER_ML


def figures(c: Counts, mm3: float) -> dict[str, float]:
    """All that follows from the counts of one volume and class and the voxel's size; NaN where undefined."""
    error = ml(c.n_pred - c.n_ref, mm3)
    return {
        "voe": voe(c),
        "rvd": rvd(c),
        "rvd_challenge": rvd_challenge(c),
        "volume_ref_ml": ml(c.n_ref, mm3),
        "volume_pred_ml": ml(c.n_pred, mm3),
        "volume_error_ml": error,
        "abs_volume_error_ml": abs(error),
        "volume_error_percent": 100 * rvd(c),
        "abs_volume_error_percent": abs(100 * rvd(c)),
    }


def distances(reference: np.ndarray, predicted: np.ndarray, spacing_mm: Sequence[float]) -> dict[str, float]:
    """Distances in mm between the surfaces of two masks, and the share of both within each tolerance.

    ``spacing_mm`` is in the order of the array's axes. NaN where either mask is empty, except that a missed
    structure (only the prediction empty) has a share of 0.
    """
    found = surface.surface_distances(reference, predicted, spacing_mm, "mm")
    missed = bool(reference.any()) and not predicted.any()
    made = {f"{name}_mm": getattr(surface, name)(found) for name in DISTANCES}
    return made | {f"nsd_{t}mm": 0.0 if missed else surface.nsd(found, t) for t in TOLERANCES_MM}


def burden(tumour: int, liver: int) -> float:
    """Tumour in percent of the liver (tumours included), from voxel counts; NaN without a liver."""
    return 100 * tumour / liver if liver else math.nan


@dataclass(frozen=True)
class BurdenErrors:
    """How far the predicted tumour burden is off, in percentage points, over ``n`` volumes.

    Volumes whose burden is undefined (no predicted liver) are in ``undefined`` only; all NaN when n is 0.
    """

    rmse: float
    mean: float
    max_abs: float
    n: int
    undefined: int


def burden_errors(pairs: Sequence[tuple[float, float]]) -> BurdenErrors:
    """Errors of the tumour burden over volumes, from (reference, predicted) pairs in percent."""
    each = np.array([predicted - reference for reference, predicted in pairs], dtype=float)
    known = each[~np.isnan(each)]
    n, undefined = len(known), len(each) - len(known)
    if not n:
        return BurdenErrors(math.nan, math.nan, math.nan, 0, undefined)
    rmse = float(np.sqrt(np.mean(known**2)))
    return BurdenErrors(rmse, float(known.mean()), float(np.abs(known).max()), n, undefined)
