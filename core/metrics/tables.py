"""Rows of counts -> the records, intervals and subgroups that the tables are made of. No pixels here.

A row is one (run, case, class) with the columns of scores.csv. Undefined values stay NaN; no value is ever
without its class, rule, grid, n and unit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.metrics import conventions, overlap, statistics
from core.metrics.overlap import Counts

Row = Mapping[str, Any]
LESION_METRICS = ("recall", "precision", "iou", "dice")  # these follow the rule for empty masks
PLAIN_METRICS = ("accuracy", "specificity")  # defined on every image, and read beside the prevalence only
ENTROPIES = ("bce", "cce")
DISTANCES = ("hd95", "hd", "assd", "rmsd")  # undefined where one of the two masks is empty
RULE = overlap.DEFAULT_RULE
EVERY_IMAGE = "every image"
SUMMED = "counts of every image summed"


def native(row: Row) -> Counts:
    """The row's counts on the grid of the reference."""
    return Counts(row["tp"], row["fp"], row["fn"], row["tn"])


def small(row: Row) -> Counts:
    """The row's counts on the 128 x 128 grid."""
    return Counts(row["tp_128"], row["fp_128"], row["fn_128"], row["tn_128"])


def case_value(row: Row, metric: str, unit: str = "px") -> float:
    """What one case adds to the mean over cases under ``lesion-cases``; NaN where it adds nothing."""
    if metric not in overlap.METRICS:
        return float(row[metric] if metric in row else row[f"{metric}_{unit}"])
    return overlap.under_rule(metric, native(row), RULE)


def records(rows: Sequence[Row], about: Mapping[str, Any], unit: str, binary: bool) -> list[dict[str, Any]]:
    """Every number of one run and class, per case, pooled and (two classes) in the paper's convention.

    ``about`` holds what they share: run, model, dataset, class, split ... An undefined value is NaN with ``why``.
    """
    made = [per_case(rows, metric, unit) for metric in (*LESION_METRICS, "hd95", *PLAIN_METRICS)]
    made += [false_alarm_rate(rows)]
    made += [
        entropy(rows, metric, convention) for convention in ("per_case", "pooled") for metric in ENTROPIES
    ]
    total = overlap.pooled([native(row) for row in rows])
    why = overlap.reasons(total)
    for metric, value in overlap.ratios(total).items():
        made.append(record(metric, "pooled", value, len(rows), rule=SUMMED, why=why.get(metric)))
    prevalence = total.n_ref / total.total if total.total else math.nan
    for one in made:
        if one["metric"] in PLAIN_METRICS:
            one["prevalence"] = prevalence
    if binary and rows:
        made += _paper_binary(rows)
    return [{**about, **one} for one in made]


def record(
    metric: str,
    convention: str,
    value: float,
    n: int,
    *,
    grid: str = "native",
    why: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One number with what it must carry; a NaN gets its reason."""
    made = {
        "metric": metric,
        "convention": convention,
        "value": value,
        "n": n,
        "n_unit": "images",
        "grid": grid,
    }
    if math.isnan(value):
        made["why"] = why or "no case is defined"
    return made | more


def per_case(rows: Sequence[Row], metric: str, unit: str) -> dict[str, Any]:
    """The mean of a metric over cases under ``lesion-cases``, with median, quartiles and its own n."""
    lesion_rows = [row for row in rows if row["n_ref"] > 0]
    if metric in PLAIN_METRICS:
        mean = overlap.mean_of([overlap.METRICS[metric](native(row)) for row in rows], EVERY_IMAGE)
    else:
        mean = overlap.mean_of([case_value(row, metric, unit) for row in lesion_rows], RULE)
    more: dict[str, Any] = {"median": mean.median, "q1": mean.quartiles[0], "q3": mean.quartiles[1]}
    more |= {"undefined": mean.left_out, "unit": unit if metric in DISTANCES else "ratio"}
    if metric in (*DISTANCES, "precision"):
        more["missed"] = sum(row["n_pred"] == 0 for row in lesion_rows)
    return record(metric, "per_case", mean.value, mean.n, rule=mean.rule, **more)


def false_alarm_rate(rows: Sequence[Row]) -> dict[str, Any]:
    """Share of the lesion-free cases that a run draws on."""
    alarms = false_alarms(rows)
    n, drawn = alarms["lesion_free"], alarms["drawn_on"]
    return record(
        "false_alarm_rate",
        "per_case",
        drawn / n if n else math.nan,
        n,
        rule="images whose reference is empty",
        why="no image without a lesion",
        unit="ratio",
        drawn_on=drawn,
        median_false_pixels=alarms["median_false_pixels"],
    )


def false_alarms(rows: Sequence[Row]) -> dict[str, Any]:
    """Lesion-free images and what is drawn on them; lesions and how many are missed.

    clean of lesion_free images stay empty; median_false_pixels (native) is over those that do not, NaN if none.
    missed: nothing is drawn; not_touched: those, and the ones where all that is drawn lies beside the lesion.
    """
    free = [row for row in rows if row["n_ref"] == 0]
    sizes = [row["n_pred"] for row in free if row["n_pred"] > 0]
    lesions = [row for row in rows if row["n_ref"] > 0]
    return {
        "lesion_free": len(free),
        "clean": len(free) - len(sizes),
        "drawn_on": len(sizes),
        "median_false_pixels": float(np.median(sizes)) if sizes else math.nan,
        "with_lesion": len(lesions),
        "missed": sum(row["n_pred"] == 0 for row in lesions),
        "not_touched": sum(row["tp"] == 0 for row in lesions),
    }


def entropy(rows: Sequence[Row], metric: str, convention: str) -> dict[str, Any]:
    """Mean cross-entropy on the 128 grid."""
    mean = overlap.mean_of([row[metric] for row in rows], EVERY_IMAGE)
    note = conventions.PAPER_TABLE_2["entropy_wording"]
    return record(
        metric, convention, mean.value, mean.n, grid="128 x 128", rule=EVERY_IMAGE, unit="nats", note=note
    )


def _paper_binary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    values = conventions.paper_binary([small(row) for row in rows], [row["bce"] for row in rows])
    notes = {"iou": conventions.IOU_NOTE, "bce": conventions.PAPER_TABLE_2["entropy_wording"]}
    return [
        record(metric, "paper-binary", value, len(rows), grid="128 x 128", rule="empty-is-zero")
        | ({"note": notes[metric]} if metric in notes else {})
        for metric, value in values.items()
    ]


def intervals(
    rows: Sequence[Row],
    about: Mapping[str, Any],
    unit: str,
    metrics: Sequence[str] = (*LESION_METRICS, "hd95"),
    n_unit: str = "groups",
    *,
    rule: str = RULE,
    grid: str = "native",
) -> list[dict[str, Any]]:
    """Mean over groups with its 95 % interval, per metric, with the heading that must stand beside it.

    ``rule`` and ``grid`` name those of metrics that are stored per case; overlap follows ``lesion-cases``.
    """
    made = []
    for metric in metrics:
        groups = statistics.group_means(
            [case_value(r, metric, unit) for r in rows], [r["group"] for r in rows]
        )
        found = statistics.interval(list(groups.values()))
        shown = f"{metric} ({unit})" if metric in DISTANCES else metric
        made.append(
            {
                **about,
                "metric": metric,
                "rule": rule,
                **_as_dict(found),
                "n_unit": n_unit,
                "heading": f"{about['class']} · {shown} · mean over {n_unit} · {rule} · {about['threshold']} · "
                f"{grid} · n={found.n} {n_unit} · split {about['split_sha256'] or 'none'}",
            }
        )
    return made


def _as_dict(found: statistics.Interval) -> dict[str, Any]:
    return {"value": found.mean, "low": found.low, "high": found.high, "n": found.n, "note": found.note}


def subgroups(
    rows: Sequence[Row],
    about: Mapping[str, Any],
    by_which: Sequence[str] = ("tag", "size"),
    n_unit: str = "groups",
) -> list[dict[str, Any]]:
    """Dice of the cases with a lesion by tag and by size tercile: exploratory, without any p."""
    made = []
    lesions = [row for row in rows if row["n_ref"] > 0]
    for by in by_which:
        for level in sorted({row[by] for row in lesions}):
            members = [row for row in lesions if row[by] == level]
            groups = statistics.group_means(
                [case_value(row, "dice") for row in members], [row["group"] for row in members]
            )
            found = _as_dict(statistics.interval(list(groups.values())))
            more = {"n_unit": n_unit, "cases": len(members), "rule": RULE, "kind": "exploratory"}
            made.append({**about, "metric": "dice", "by": by, "level": level, **found, **more})
    return made


def size_cuts(percents: Sequence[float]) -> tuple[float, float]:
    """Tercile cut points of lesion sizes, in the unit given; NaN when there are none."""
    if not len(percents):
        return (math.nan, math.nan)
    low, high = np.percentile(np.asarray(percents, dtype=float), (100 / 3, 200 / 3))
    return (float(low), float(high))


def size_name(percent: float, cuts: tuple[float, float]) -> str:
    """small, medium or large by the cut points; "none" for an empty reference."""
    if percent <= 0:
        return "none"
    return "small" if percent <= cuts[0] else "medium" if percent <= cuts[1] else "large"
