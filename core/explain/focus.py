"""Numbers beside one heatmap, and its state. Pure NumPy and SciPy.

L is the raw signed map, H its positive part enlarged, S the reference of the class, O the organ, p the class's
probability, P the region predicted, on the canvas the network saw at the resolution of the source picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.explain import targets
from core.explain.measures import (
    best_iou,
    dilated,
    energy_inside,
    entropy,
    gini,
    iou,
    is_constant,
    mean_distance,
    otsu_iou,
    pointing,
    spearman,
    top_iou,
)
from core.preprocess import enlarge
from core.records import SIZE, Heatmap, Prediction, Slice

SATURATED = 0.001  # mean of p(1 - p) over the region: a gradient of the probability is then a thousandth
REDUNDANT = 0.95  # rank correlation with p, or overlap with the prediction, from which a map is its copy
HALF = 0.5  # of the maximum: the usual threshold of a heatmap

NO_MAP = "the map has no positive values"
NO_REFERENCE = "the class is not in the reference"
NO_OUTLINE = "the case has no expert outline"
NO_ORGAN = "the dataset has no outline of an organ"
NO_ORGAN_HERE = "the organ is not in this slice"
NO_SPACING = "the source has no physical scale"
CONSTANT = "the map has the same value everywhere"
IN_REFERENCE = ("energy_in_reference", "lift", "pointing_hit", "topk_iou", "reference_iou", "reference_iou_otsu",
                "reference_iou_best")  # fmt: skip
IN_ORGAN = ("deviation_percent", "deviation_mm")

Found = tuple[dict[str, float], dict[str, str]]


class Numbers(dict[str, float]):
    """Numbers by name, NaN where undefined; ``why`` gives the reason of each NaN, by name."""

    def __init__(self, values: dict[str, float], why: dict[str, str]):
        super().__init__(values)
        self.why = why


@dataclass(frozen=True, eq=False)
class Scene:
    """What the maps of one slice and class are held against; made once for any number of maps.

    inside      (H, W) booleans of the source grid, the class in the reference; None without a reference
    organ       the organ (every foreground label) of a dataset that outlines one; None elsewhere
    spacing_mm  (row, column), None where there is no physical scale
    """

    inside: np.ndarray | None
    organ: np.ndarray | None
    spacing_mm: tuple[float, float] | None

    @cached_property
    def distance_mm(self) -> np.ndarray:
        """(H, W) distance to the organ in mm, 0 inside it."""
        from scipy.ndimage import distance_transform_edt

        if self.organ is None or self.spacing_mm is None:
            raise ValueError("scene: expected an organ and a spacing, got none")
        return np.asarray(distance_transform_edt(~self.organ, sampling=self.spacing_mm))


def scene(slice: Slice, label: int, classes: Sequence[str]) -> Scene:
    """The scene of one slice and label. Where there are lesions in an organ (three classes), both make it up."""
    reference = slice.reference
    if reference is None:
        return Scene(None, None, slice.spacing_mm)
    organ = reference >= 1 if len(classes) > 2 else None
    return Scene(reference == label, organ, slice.spacing_mm)


def numbers(
    heatmap: Heatmap,
    slice: Slice,
    prediction: Prediction,
    classes: Sequence[str],
    seen: Scene | None = None,
) -> Numbers:
    """What stands beside a map; NaN with a reason where a number is undefined, never 0 in its place.

    What each means, with unit and range, is said in ``definitions.FOCUS_NUMBERS``: the families reference, organ
    (both on the source grid), shape, redundancy (both at 128 x 128) and raw. ``seen`` is this slice's ``scene``.
    """
    values: dict[str, float] = {
        "raw_maximum": float(heatmap.values.max()),
        "raw_minimum": float(heatmap.values.min()),
        "score": heatmap.score,
        "mean_probability": heatmap.mean_probability,
    }
    why: dict[str, str] = {}
    if heatmap.state == "empty_region":
        why = dict.fromkeys(("score", "mean_probability"), "the region asked about is empty")
    label = targets.label_of(heatmap.target, classes)
    seen = scene(slice, label, classes) if seen is None else seen
    shape = (SIZE, SIZE) if seen.inside is None else seen.inside.shape
    positive = enlarge(np.maximum(heatmap.values, 0), shape)
    for found, reasons in (
        _redundancy(heatmap, targets.class_probability(prediction.probability, label),
                    targets.predicted_region(prediction.probability, label)),
        _in_reference(heatmap, positive, seen),
        _in_organ(heatmap, positive, seen),
        _shape(heatmap),
    ):  # fmt: skip
        values |= found
        why |= reasons
    return Numbers(values, why)


def _in_reference(heatmap: Heatmap, positive: np.ndarray, seen: Scene) -> Found:
    inside = seen.inside
    if inside is None:
        return _undefined(IN_REFERENCE, _stateless(heatmap) or NO_OUTLINE)
    if _stateless(heatmap) or not inside.any():
        return _undefined(IN_REFERENCE, _stateless(heatmap) or NO_REFERENCE)
    energy, top = energy_inside(positive, inside), float(positive.max())
    found = {
        "energy_in_reference": energy,
        "lift": energy * inside.size / int(inside.sum()),
        "pointing_hit": pointing(positive, dilated(inside, _half_cell(heatmap))),
        "topk_iou": top_iou(enlarge(heatmap.values, inside.shape), inside),
        "reference_iou": iou(positive >= HALF * top, inside) if top > 0 else float("nan"),
        "reference_iou_otsu": otsu_iou(positive, inside),
        "reference_iou_best": best_iou(positive, inside),
    }
    because = {name: NO_MAP for name in IN_REFERENCE}
    because["topk_iou"] = "the class fills the whole reference" if inside.all() else CONSTANT
    if top > 0:
        because["reference_iou_otsu"] = CONSTANT
    return _with_reasons(found, because)


def _in_organ(heatmap: Heatmap, positive: np.ndarray, seen: Scene) -> Found:
    if seen.inside is None:
        return _undefined(IN_ORGAN, _stateless(heatmap) or NO_OUTLINE)
    if seen.organ is None:
        return _undefined(IN_ORGAN, NO_ORGAN)
    if _stateless(heatmap) or not seen.organ.any():
        return _undefined(IN_ORGAN, _stateless(heatmap) or NO_ORGAN_HERE)
    near = dilated(seen.organ, _half_cell(heatmap))
    known = seen.spacing_mm is not None
    found = {
        "deviation_percent": 100 * (1 - energy_inside(positive, near)),
        "deviation_mm": mean_distance(positive, seen.distance_mm) if known else float("nan"),
    }
    return _with_reasons(
        found, {"deviation_percent": NO_MAP, "deviation_mm": NO_MAP if known else NO_SPACING}
    )


def _shape(heatmap: Heatmap) -> Found:
    if _stateless(heatmap):
        return _undefined(("sparseness", "entropy"), _stateless(heatmap))
    positive = enlarge(np.maximum(heatmap.values, 0), (SIZE, SIZE))
    found = {"sparseness": gini(positive), "entropy": entropy(positive)}
    return _with_reasons(found, dict.fromkeys(found, NO_MAP))


def _redundancy(heatmap: Heatmap, probability: np.ndarray, predicted: np.ndarray) -> Found:
    signed = enlarge(heatmap.values, probability.shape)
    found = {"redundancy": spearman(signed, probability), "redundancy_iou": top_iou(signed, predicted)}
    constant = is_constant(signed)
    because = {
        "redundancy": CONSTANT if constant else "the probability is the same everywhere",
        "redundancy_iou": CONSTANT
        if constant
        else "the network predicts none of this class, or nothing else",
    }
    return _with_reasons(found, because)


def _half_cell(heatmap: Heatmap) -> float:
    """In pixels of the SIZE x SIZE grid."""
    return float(SIZE / heatmap.values.shape[0] / 2)


def _stateless(heatmap: Heatmap) -> str:
    """Why a map of this state says nothing about any place; "" when it does."""
    silent = heatmap.state in ("empty_region", "saturated")
    return f"the map's state is {heatmap.state.replace('_', ' ')}" if silent else ""


def _undefined(names: Sequence[str], reason: str) -> Found:
    return dict.fromkeys(names, float("nan")), dict.fromkeys(names, reason)


def _with_reasons(found: dict[str, float], because: dict[str, str]) -> Found:
    return found, {name: because[name] for name, value in found.items() if np.isnan(value)}


def states(
    values: np.ndarray,
    *,
    kind: str,
    region: np.ndarray,
    probability: np.ndarray,
    predicted: np.ndarray,
    flat: bool,
    last: bool,
) -> tuple[str, ...]:
    """Every state that applies to a map, the decisive one first; ("ok",) when none does.

    values       (h, w) the raw signed map
    kind         of the score that is explained
    region       (SIZE, SIZE) booleans, what was asked about
    probability  (SIZE, SIZE) of the class; ``predicted`` booleans, where the class is predicted
    flat         every gradient of the layer is exactly 0
    last         the layer is the one before the logits, where a map is the prediction by algebra
    """
    found = []
    empty = not region.any()
    if empty:
        found.append("empty_region")
    spread = targets.mean_over(probability * (1 - probability), region)
    if not empty and (flat or (kind == "probability" and spread < SATURATED)):
        found.append("saturated")
    if values.max() <= 0:
        found.append("no_positive_evidence")
    signed = enlarge(values, probability.shape)
    if last or spearman(signed, probability) >= REDUNDANT or top_iou(signed, predicted) >= REDUNDANT:
        found.append("redundant_with_prediction")
    return tuple(found) or ("ok",)
