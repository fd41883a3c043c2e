"""How far networks agree about where to look, and where only one of them does. Pure NumPy, SciPy.

Two maps can be compared when they answer the same question: same slice, layer, method, score and region.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from core.explain import measures
from core.explain.focus import NO_MAP, Numbers
from core.preprocess import enlarge
from core.records import SIZE, Heatmap, Target

TOP = 0.1  # of all pixels: the places that count as looked at
SAME_FOR_ALL = ("whole_image", "reference", "shared", "pixel")  # regions that do not follow the prediction
OWN_REGION = "each network was asked about its own region: choose one region for all"
SILENT = "a map says nothing: its region is empty, or its gradients are 0"
CONSTANT = "a map has the same value everywhere"
NAMES = ("agreement_rank", "agreement_similarity", "agreement_top", "divergence")


def agreement(one: Heatmap, other: Heatmap) -> Numbers:
    """How alike two networks' maps are (see ``FOCUS_NUMBERS``); identical maps: 1, 1, 1 and 0.

    Taken at 128 x 128. NaN with a reason where the question was not the same region for both, or where a map is
    constant or has no positive values. ValueError when anything else of the question differs.
    """
    _require_one_question((one, other))
    if not is_same_for_all(one.target):
        return _undefined(OWN_REGION)
    if any(each.state in ("empty_region", "saturated") for each in (one, other)):
        return _undefined(SILENT)
    signed = [enlarge(each.values, (SIZE, SIZE)) for each in (one, other)]
    positive = _positive((one, other))
    limit = max(float(values.max()) for values in positive)
    constant = any(measures.is_constant(values) for values in signed)
    top = [measures.top_pixels(values, round(TOP * values.size)) for values in signed]
    values = {
        "agreement_rank": measures.spearman(*signed),
        "agreement_similarity": measures.similarity(positive[0], positive[1], limit),
        "agreement_top": float("nan") if constant else measures.iou(*top),
        "divergence": measures.jensen_shannon(*positive),
    }
    because = dict(zip(NAMES, (CONSTANT, NO_MAP, CONSTANT, NO_MAP), strict=True))
    return Numbers(values, {name: because[name] for name, value in values.items() if np.isnan(value)})


def is_same_for_all(target: Target) -> bool:
    """Whether every network is asked about the same pixels, whatever it predicts."""
    of_reference = target.region == "component" and target.of == "reference"
    return target.region in SAME_FOR_ALL or of_reference


def agreements(heatmaps: Sequence[Heatmap]) -> dict[tuple[str, str], Numbers]:
    """``agreement`` of every pair of maps, by the names of their runs, in the order given."""
    return {(one.run, other.run): agreement(one, other) for one, other in combinations(heatmaps, 2)}


def only_here(heatmaps: Sequence[Heatmap]) -> dict[str, np.ndarray]:
    """By run, how much stronger its positive evidence is than that of every other: (SIZE, SIZE) float32, >= 0.

    In score units, for one scale; 0 where another network looks at least as hard. ValueError for fewer than two
    maps or maps of different questions.
    """
    if len(heatmaps) < 2:
        raise ValueError(f"heatmaps: expected at least 2, got {len(heatmaps)}")
    _require_one_question(heatmaps)
    positive = _positive(heatmaps)
    found = {}
    for place, heatmap in enumerate(heatmaps):
        others = np.max([values for at, values in enumerate(positive) if at != place], axis=0)
        found[heatmap.run] = np.maximum(positive[place] - others, 0)
    return found


def _positive(heatmaps: Sequence[Heatmap]) -> list[np.ndarray]:
    return [enlarge(np.maximum(heatmap.values, 0), (SIZE, SIZE)) for heatmap in heatmaps]


def _undefined(reason: str) -> Numbers:
    return Numbers(dict.fromkeys(NAMES, float("nan")), dict.fromkeys(NAMES, reason))


def _require_one_question(heatmaps: Sequence[Heatmap]) -> None:
    asked = [(h.slice_key, h.layer, h.method, h.target) for h in heatmaps]
    for each in asked:
        if each != asked[0]:
            raise ValueError(f"heatmaps: expected one question {asked[0]}, got {each}")
