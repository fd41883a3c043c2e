"""Rows of whole CT volumes -> the records of the tables: overlap, volumes, surfaces in mm, lesions, tumour burden.

No pixels here. As in ``tables``, no value is without its class, rule, grid, n and unit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.metrics import conventions, lesions, overlap, tables, volumes
from core.metrics.conventions import Multiclass
from core.metrics.lesions import Lesions
from core.metrics.overlap import Counts

Row = Mapping[str, Any]
VOLUMES, SLICES = "volumes", "slices, not independent"
INTERVALS = ("dice", "iou", "recall", "precision", "voe", "rvd", "assd", "hd95", "nsd_2mm", "nsd_5mm")
LESION_RULE = "face-connected lesions in groups that share voxels, pooled over volumes"


def records(
    rows: Sequence[Row], about: Mapping[str, Any], matched: Sequence[Lesions]
) -> list[dict[str, Any]]:
    """Every number of one run and class over whole volumes. ``matched``: lesions by volume, empty for the liver."""
    metrics = (*tables.LESION_METRICS, *volumes.UNITS, *tables.PLAIN_METRICS)
    made = [{**tables.per_case(rows, metric, "mm"), "n_unit": VOLUMES} for metric in metrics]
    for one in made:
        one["unit"] = volumes.UNITS.get(one["metric"], "ratio")
    made.append(
        {**tables.false_alarm_rate(rows), "n_unit": VOLUMES, "rule": "volumes whose reference is empty"}
    )
    made += [{**tables.entropy(rows, metric, "per_case"), "n_unit": VOLUMES} for metric in tables.ENTROPIES]
    made += pooled(rows, len(rows), VOLUMES) + _on_128(rows)
    made += _lesion_wise(matched) + _burden(rows) if matched else []
    return [{**about, **one} for one in made]


def pooled(rows: Sequence[Row], n: int, n_unit: str) -> list[dict[str, Any]]:
    """The counts of all rows summed, then every formula once; Dice so made is the challenge's global Dice."""
    total = overlap.pooled([tables.native(row) for row in rows])
    why = overlap.reasons(total)
    prevalence = total.n_ref / total.total if total.total else math.nan
    made = []
    for metric, value in overlap.ratios(total).items():
        more: dict[str, Any] = {"prevalence": prevalence} if metric in tables.PLAIN_METRICS else {}
        one = tables.record(metric, "pooled", value, n, n_unit=n_unit, why=why.get(metric), **more)
        made.append({**one, "rule": "counts of all summed"})
    return made


def _on_128(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Dice on the grid of the networks, beside that on the grid of the reference."""
    small = [tables.small(row) for row in rows]
    mean, total = overlap.mean_over_cases("dice", small), overlap.pooled(small)
    more: dict[str, Any] = {"grid": "128 x 128", "n_unit": VOLUMES}
    return [
        tables.record("dice", "per_case_128", mean.value, mean.n, rule=mean.rule, **more),
        tables.record(
            "dice", "pooled_128", overlap.dice(total), len(rows), rule="counts of all summed", **more
        ),
    ]


def _lesion_wise(matched: Sequence[Lesions]) -> list[dict[str, Any]]:
    """Recall, precision, F1 and false positives per volume at each threshold, and the Dice of what is detected."""
    together, made = sum(matched, Lesions()), []
    for threshold in lesions.THRESHOLDS:
        counts, at = lesions.found(together, threshold), f"{100 * threshold:.0f}"
        more: dict[str, Any] = {"rule": f"{LESION_RULE}, IoU > {threshold:g}", "n_unit": "lesions"}
        for metric, value, n, why in (
            ("recall", counts.recall, counts.n_reference, "the references have no lesion"),
            ("precision", counts.precision, counts.n_predicted, "no lesion is predicted"),
            ("f1", counts.f1, counts.n_reference, "recall or precision is undefined"),
        ):
            made.append(tables.record(f"lesion_{metric}_{at}", "lesion-wise", value, n, why=why, **more))
        wrong = (counts.n_predicted - counts.right) / len(matched)
        more |= {"n_unit": VOLUMES, "unit": "per volume"}
        name = f"lesion_false_positives_{at}"
        made.append(tables.record(name, "lesion-wise", wrong, len(matched), **more))
    detected = lesions.found(together, 0.5)
    value, more = lesions.detected_dice(together), {"recall": detected.recall, "n_unit": "lesions"}
    rule = f"{LESION_RULE}, IoU > 0.5; only beside its recall"
    why = "no lesion is detected"
    name = "lesion_dice_50"
    made.append(tables.record(name, "lesion-wise", value, detected.detected, rule=rule, why=why, **more))
    return made


def lesion_sizes(matched: Sequence[Lesions], about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lesions found by equivalent sphere diameter, with their number; exploratory."""
    together = sum(matched, Lesions())
    each = {threshold: lesions.found_by_size(together, threshold) for threshold in lesions.THRESHOLDS}
    return [
        {
            **about,
            "size": size,
            "n": each[0.0][size][1],
            "detected_0": each[0.0][size][0],
            "detected_50": each[0.5][size][0],
            "n_unit": "lesions",
            "kind": "exploratory",
        }
        for size in lesions.SIZES
    ]


def _burden(rows: Sequence[Row]) -> list[dict[str, Any]]:
    found = volumes.burden_errors([(row["burden_ref"], row["burden_pred"]) for row in rows])
    more = {"rule": "tumour in percent of the liver, prediction minus reference", "unit": "percentage points"}
    more |= {"n_unit": VOLUMES, "why": "no volume with a predicted liver"}
    return [
        {
            **tables.record(f"burden_{name}", "over volumes", value, found.n, **more),
            "undefined": found.undefined,
        }
        for name, value in (("rmse", found.rmse), ("mean", found.mean), ("max_abs", found.max_abs))
    ]


def false_alarms(rows: Sequence[Row]) -> dict[str, Any]:
    """Volumes without the class and what is drawn on them; the median of what is drawn in ml, NaN if nothing."""
    drawn = [row["volume_pred_ml"] for row in rows if row["n_ref"] == 0 and row["n_pred"] > 0]
    return {**tables.false_alarms(rows), "median_false_ml": float(np.median(drawn)) if drawn else math.nan}


def multiclass(counted: Multiclass, about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``paper-multiclass`` of one run over its test slices that have liver; empty without any."""
    if not counted.slices:
        return []
    note = conventions.PAPER_TABLE_3["entropy_wording"]
    more = {"grid": "128 x 128", "rule": "all pixels and all channels, background included", "n_unit": SLICES}
    return [
        {**about, "class": "all", **tables.record(metric, "paper-multiclass", value, counted.slices, **more)}
        | ({"note": note} if metric == "cce" else {})
        for metric, value in conventions.multiclass_figures(counted).items()
    ]


def leakage(
    model: str,
    sides: Sequence[tuple[str, str, Mapping[str, Counts], int]],
    copied: Mapping[str, float] | None,
) -> list[dict[str, Any]]:
    """The same network under both protocols, by class, and what copying the nearest training slice scores.

    ``sides`` are (run, split, counts by class over the liver-bearing test slices on the 128 grid, slices): first
    by patient, then by slice.
    """
    (run, split, whole, n), (other, drawn, scattered, m) = sides
    return [
        {
            "model": model,
            "class": name,
            "metric": "dice",
            "convention": "pooled over the test slices that have liver",
            "grid": "128 x 128",
            "runs": [run, other],
            "splits": [split, drawn],
            "values": [overlap.dice(whole[name]), overlap.dice(scattered[name])],
            "n": [n, m],
            "n_unit": SLICES,
            "difference": overlap.dice(scattered[name]) - overlap.dice(whole[name]),
            "copy_nearest": copied[name] if copied else math.nan,
            "note": "different test slices: a difference of two figures, not a paired comparison",
        }
        for name in whole
    ]


def intervals(rows: Sequence[Row], about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Means over patients with their intervals: none below five patients, "approximate" below twenty."""
    return tables.intervals(rows, about, "mm", INTERVALS, "patients")
