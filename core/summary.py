"""The scored rows of a dataset -> summary.json: what every table, interval and test on screen is read from."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from core import summary_calibration, summary_leakage
from core.cards import DatasetCard
from core.columns import (
    Column,
    about,
    columns_of,
    compared,
    facts,
    over_folds,
    over_seeds,
)
from core.metrics import conventions, overlap, surface, tables
from core.plans import Folds, Plan, endpoint, families
from core.records import SliceEntry

IMAGES, GROUPS, GRID = "images", "groups", "native"
Row = Mapping[str, Any]


def summarise(
    card: DatasetCard,
    entries: Sequence[SliceEntry],
    plans: Sequence[Plan],
    folded: Sequence[Folds],
    scores: Sequence[Row],
    calibrated: summary_calibration.Found,
    inputs: Mapping[str, Any],
    cuts: tuple[float, float],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    """Everything in summary.json but the checksums of its two companions.

    ``entries`` are all cases; ``scores`` the rows of scores.csv; ``calibrated`` by run and class the pixels by
    probability; ``cuts`` the tercile limits of lesion size in percent of the image.
    """
    columns = columns_of(card, plans, folded, scores)
    each = [(column, name, column.rows[name]) for column in columns for name in card.foreground]
    binary = card.outputs == 1
    records = [
        r for c, name, own in each for r in tables.records(own, about(card, c, name), card.unit, binary)
    ]
    pairs, orders = compared(card, plans, folded, columns, GROUPS)
    return {
        "inputs": inputs,
        "header": header(card, plans, columns, inputs, cuts, left_out),
        "runs": {c.name: facts(c, c.rows[endpoint(card)], IMAGES, GROUPS) for c in columns},
        "families": [{"family": f, "runs": names} for f, names in families(card, plans, folded).items()],
        "records": records,
        "intervals": [
            i for c, name, own in each for i in tables.intervals(own, about(card, c, name), card.unit)
        ],
        "comparisons": pairs,
        "ranks": orders,
        "false_alarms": [{**about(card, c, name), **tables.false_alarms(own)} for c, name, own in each],
        "subgroups": [s for c, name, own in each for s in tables.subgroups(own, about(card, c, name))],
        "ceilings": [{**about(card, c, name), **ceiling(own)} for c, name, own in each],
        "calibration": summary_calibration.summarise(card, columns, calibrated, GRID, IMAGES, GROUPS),
        "leakage": summary_leakage.rows(card, entries, columns, records),
        "seeds": over_seeds(card, columns, records),
        "folds": over_folds(card, columns, records),
        "paper": _paper(card, columns, records),
    }


def header(
    card: DatasetCard,
    plans: Sequence[Plan],
    columns: Sequence[Column],
    inputs: Mapping[str, Any],
    cuts: tuple[float, float],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    """What every number carries, once for the whole file."""
    packages = ("numpy", "scipy", "scikit-image", "scikit-learn")
    return {
        "dataset": card.name,
        "title": card.title,
        "runs": [column.name for column in columns],
        "synthetic": card.synthetic,
        "external": not card.splits,
        "classes": list(card.classes),
        "endpoint": {"class": endpoint(card), "metric": "dice", "convention": "per_case"},
        "aggregation": "per_case: mean over images; pooled: counts of all images; intervals: mean over groups",
        "rule": overlap.DEFAULT_RULE,
        "rule_text": overlap.RULES[overlap.DEFAULT_RULE],
        "rules": overlap.RULES,
        "threshold": "p > 0.5" if card.outputs == 1 else "argmax",
        "grid": GRID,
        "paper_grid": "128 x 128",
        "unit": card.unit,
        "n_unit": IMAGES,
        "group": card.group,
        "splits": {plan.split: plan.split_sha256[:8] for plan in plans if plan.split},
        "weights": {plan.run.name: plan.run.weights_sha256 for plan in plans},
        "data_sha256": inputs["data_sha256"],
        "size_cuts_percent": list(cuts),
        "distances": surface.METHOD,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "left_out": dict(left_out),
    }


def ceiling(rows: Sequence[Row]) -> dict[str, Any]:
    """What the 128 grid allows: mean best Dice over the cases with a lesion, by size as well."""
    lesions = [row for row in rows if row["n_ref"] > 0]
    mean = overlap.mean_of([row["ceiling_dice"] for row in lesions])
    by_size = {
        level: overlap.mean_of([row["ceiling_dice"] for row in lesions if row["size"] == level]).value
        for level in sorted({row["size"] for row in lesions})
    }
    return {"metric": "ceiling_dice", "value": mean.value, "n": mean.n, "by_size": by_size}


def _paper(card: DatasetCard, columns: Sequence[Column], records: Sequence[Row]) -> dict[str, Any]:
    """The paper's Table 2 and our figures under its convention, side by side, for two-class datasets.

    ``same_data`` is False where the images are not those of the paper's table; the figures then only show the
    convention, and ``met`` is left out.
    """
    table = conventions.PAPER_TABLE_2
    if card.outputs != 1:
        return {}
    same = card.name == table["dataset"]
    rows = []
    for column in columns:
        mine = [r for r in records if r["run"] == column.name and r["convention"] == table["convention"]]
        for row in conventions.beside_the_paper(column.model, {r["metric"]: r["value"] for r in mine}):
            row = row if same else {key: value for key, value in row.items() if key != "met"}
            rows.append({"run": column.name, "model": column.model, "split": column.split or None, **row})
    note = "" if same else f"The paper's table is about BUSI, not about {card.title}: not comparable."
    return {**table, "same_data": same, "note": note, "beside": rows}
