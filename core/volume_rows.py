"""One run on one CT volume as rows of integers and what follows from them: for the volume, and slice by slice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core import preprocess
from core.cards import DatasetCard
from core.metrics import calibration, conventions, lesions, overlap, volumes
from core.metrics.calibration import Bins
from core.metrics.conventions import Multiclass
from core.metrics.lesions import Lesions
from core.metrics.overlap import Counts
from core.plans import Plan, endpoint
from core.records import SliceEntry, Volume

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Opened:
    """One volume and its reference, made ready once for all runs.

    labels    (n, H, W) uint8, the reference; small (n, SIZE, SIZE) the same by nearest neighbour
    masks     by class, (n, H, W) bool
    ceilings  by class, the best Dice that hard 128 x 128 masks can reach
    size      tercile of the tumour volume, or "none"
    """

    volume: Volume
    entries: Mapping[int, SliceEntry]
    labels: np.ndarray
    small: np.ndarray
    masks: Mapping[str, np.ndarray]
    ceilings: Mapping[str, float]
    voxel_mm3: float
    size: str


@dataclass(frozen=True, eq=False)
class Predicted:
    """What one run says at positions (m,) of a volume: probability (m, SIZE, SIZE, K), labels (m, H, W) uint8."""

    plan: Plan
    positions: np.ndarray
    probability: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Tally:
    """What was counted over all volumes.

    scores, cases, slices  rows of the three tables
    lesions        by (run, case), of the class that runs are compared on; none for a split by slices
    multiclass     by run, for ``paper-multiclass``: its test slices that have liver
    liver_bearing  by (run, class), counts on the 128 grid over the same slices
    calibrated     by (run, class), the pixels of whole volumes by probability
    by_slice       by (run, class), then by volume and slice number, counts on the scan's own grid
    """

    scores: list[Row] = field(default_factory=list)
    cases: list[Row] = field(default_factory=list)
    slices: list[Row] = field(default_factory=list)
    lesions: dict[tuple[str, str], Lesions] = field(default_factory=dict)
    multiclass: dict[str, Multiclass] = field(default_factory=dict)
    liver_bearing: dict[tuple[str, str], Counts] = field(default_factory=dict)
    calibrated: dict[tuple[str, str], Bins] = field(default_factory=dict)
    by_slice: dict[tuple[str, str], dict[str, dict[int, Counts]]] = field(default_factory=dict)


def mask_of(labels: np.ndarray, class_name: str, classes: Sequence[str]) -> np.ndarray:
    """Where labels (uint8, any shape) belong to a class or to one that it contains: bool of the same shape."""
    wanted = np.isin(np.arange(256), overlap.class_values(class_name, classes))
    return np.asarray(wanted[labels])


def whole(mask: np.ndarray, indices: Sequence[int]) -> np.ndarray:
    """A mask (n, H, W) of the slices ``indices``, with empty ones in their gaps: distances need the true places."""
    if len(indices) == indices[-1] - indices[0] + 1:
        return mask
    filled = np.zeros((indices[-1] - indices[0] + 1, *mask.shape[1:]), bool)
    filled[np.array(indices) - indices[0]] = mask
    return filled


def ceiling(mask: np.ndarray) -> float:
    """The best Dice that hard 128 x 128 masks can reach against a mask (n, H, W); NaN when it is empty."""
    counts = Counts(0, 0, 0, 0)
    for one in mask:
        if one.any():
            small = preprocess.small_stack(one[None].astype(np.uint8))
            counts += overlap.count(one, preprocess.enlarge_stack(small, one.shape)[0] >= 0.5)
    return overlap.dice(counts)


def match(card: DatasetCard, opened: Opened, predicted: Predicted) -> Lesions:
    """The lesions of reference and prediction, of the class that runs are compared on."""
    name, indices = endpoint(card), opened.volume.indices
    drawn = mask_of(predicted.labels, name, card.classes)
    return lesions.match(whole(opened.masks[name], indices), whole(drawn, indices), opened.voxel_mm3)


def score_rows(
    card: DatasetCard, opened: Opened, predicted: Predicted, native: np.ndarray, matched: Lesions | None
) -> list[Row]:
    """One line of scores.csv per class. ``native`` (m, K, K) are the confusions of the slices.

    Without ``matched`` the slices are no volume: no distances, no lesions, no ceiling.
    """
    volume, plan = opened.volume, predicted.plan
    truth = opened.small[predicted.positions]
    small = overlap.confusions(truth, predicted.probability.argmax(axis=-1), len(card.classes)).sum(axis=0)
    cce = conventions.cce(predicted.probability, truth)
    burdens = _burdens(card, native.sum(axis=0))
    rows = []
    for name in card.foreground:
        values = overlap.class_values(name, card.classes)
        c, s = (overlap.counts_of(table, values) for table in (native.sum(axis=0), small))
        row: Row = {"run": plan.run.name, "model": plan.run.model, "case": volume.case, "size": opened.size}
        row |= {"part": plan.part, "unit": "slices" if matched is None else "volume", "class": name}
        row |= {"group": volume.group, "n_slices": len(predicted.positions)}
        row |= {"tp": c.tp, "fp": c.fp, "fn": c.fn, "tn": c.tn, "n_ref": c.n_ref, "n_pred": c.n_pred}
        row |= {"voxel_mm3": opened.voxel_mm3, **overlap.ratios(c), **volumes.figures(c, opened.voxel_mm3)}
        row |= burdens if name == endpoint(card) else dict.fromkeys(burdens, math.nan)
        row |= _surfaces(card, opened, predicted, name, is_volume=matched is not None)
        row |= _lesion_counts(matched if name == endpoint(card) else None)
        row |= {"ceiling_dice": math.nan if matched is None else opened.ceilings[name]}
        row |= {"tp_128": s.tp, "fp_128": s.fp, "fn_128": s.fn, "tn_128": s.tn}
        of_class = class_probability(predicted.probability, values)
        rows.append(row | {"bce": conventions.bce(of_class, np.isin(truth, values)), "cce": cce})
    return rows


def class_probability(probability: np.ndarray, values: Sequence[int]) -> np.ndarray:
    """Probability (m, SIZE, SIZE) of the labels ``values`` together: that of the liver holds its tumours'."""
    return np.asarray(np.clip(probability[..., list(values)].sum(axis=-1), 0, 1))


def calibrations(
    card: DatasetCard, opened: Opened, predicted: Predicted, *, is_volume: bool
) -> Iterator[tuple[dict[str, float], Bins]]:
    """By class the numbers of calibration inside its region, and the pixels of that; undefined for single slices.

    On the 128 grid, where a volume has a bounded number of pixels: the region is found on the scan's own grid,
    slice by slice, and taken down by nearest neighbour as the reference is.
    """
    truth = opened.small[predicted.positions]
    for name in card.foreground:
        values, inside = overlap.class_values(name, card.classes), np.zeros(truth.shape, bool)
        drawn = mask_of(predicted.labels, name, card.classes)
        for at, position in enumerate(predicted.positions if is_volume else ()):
            found = calibration.region(opened.masks[name][position], drawn[at])
            inside[at] = preprocess.small_stack(found[None].astype(np.uint8))[0]
        likely = class_probability(predicted.probability, values)
        yield calibration.measure(likely[inside], np.isin(truth, values)[inside])


def _burdens(card: DatasetCard, table: np.ndarray) -> Row:
    """Tumour in percent of the liver that holds it, reference and prediction; NaN for sets without such a pair."""
    holder = next((name for name, held in overlap.CONTAINS.items() if endpoint(card) in held), "")
    if holder not in card.classes:
        return {"burden_ref": math.nan, "burden_pred": math.nan}
    inner, outer = (
        overlap.counts_of(table, overlap.class_values(name, card.classes))
        for name in (endpoint(card), holder)
    )
    return {
        "burden_ref": volumes.burden(inner.n_ref, outer.n_ref),
        "burden_pred": volumes.burden(inner.n_pred, outer.n_pred),
    }


def _surfaces(
    card: DatasetCard, opened: Opened, predicted: Predicted, name: str, *, is_volume: bool
) -> dict[str, float]:
    if not is_volume:
        return dict.fromkeys(volumes.SURFACES, math.nan)
    indices, drawn = opened.volume.indices, mask_of(predicted.labels, name, card.classes)
    return volumes.distances(
        whole(opened.masks[name], indices), whole(drawn, indices), opened.volume.spacing_mm
    )


def _lesion_counts(matched: Lesions | None) -> Row:
    """Lesions in reference and prediction, how many are detected and right; None where none were counted."""
    row: Row = {"lesions_ref": None, "lesions_pred": None}
    for threshold in lesions.THRESHOLDS:
        counts = lesions.found(matched, threshold) if matched is not None else None
        row[f"detected_{threshold:.0%}".rstrip("%")] = counts.detected if counts else None
        row[f"right_{threshold:.0%}".rstrip("%")] = counts.right if counts else None
        if counts:
            row |= {"lesions_ref": counts.n_reference, "lesions_pred": counts.n_predicted}
    return row


def slice_rows(card: DatasetCard, opened: Opened, predicted: Predicted, native: np.ndarray) -> list[Row]:
    """One line of slices.csv per slice: pixels of each class in the reference, in the prediction and in both.

    Dice of a slice is 2 both / (ref + pred). The two last columns are filled where networks are compared.
    """
    values = {name: overlap.class_values(name, card.classes) for name in card.foreground}
    rows = []
    for position, table in zip(predicted.positions, native, strict=True):
        row: Row = {"run": predicted.plan.run.name, "case": opened.volume.case}
        row["index"] = opened.volume.indices[position]
        for name, wanted in values.items():
            c = overlap.counts_of(table, wanted)
            row |= {f"{name}_ref": c.n_ref, f"{name}_pred": c.n_pred, f"{name}_both": c.tp}
        rows.append(row | {"any_px": None, "disagreement_px": None})
    return rows


def case_row(
    card: DatasetCard, opened: Opened, drawn: np.ndarray, place: int | None, members: Sequence[str]
) -> Row:
    """What a list of volumes needs: size, spacing, and how far the networks of one family disagree.

    ``drawn`` (2, n, H, W) bool: what any and what all of ``members`` draw. ``place`` of their family in the list.
    """
    volume, union = opened.volume, int(drawn[0].sum())
    differing = union - int(drawn[1].sum())
    sizes = {f"{name}_ml": volumes.ml(int(m.sum()), opened.voxel_mm3) for name, m in opened.masks.items()}
    return {
        "case": volume.case,
        "group": volume.group,
        "tag": "",
        "flags": ";".join(volume.flags),
        "size": opened.size,
        **sizes,
        "n_slices": len(volume.indices),
        "first_index": volume.indices[0],
        "height": opened.labels.shape[1],
        "width": opened.labels.shape[2],
        **{f"{axis}_mm": mm for axis, mm in zip(("slice", "row", "column"), volume.spacing_mm, strict=True)},
        "disagreement": (differing / union if union else 0.0) if members else math.nan,
        "disagreement_px": differing if members else None,
        "n_runs": len(members),
        "family": place,
    }
