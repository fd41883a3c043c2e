"""What the probabilities of each column are worth: means over groups with intervals, and the pooled curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.cards import DatasetCard
from core.columns import Column, about
from core.metrics import calibration, overlap, tables
from core.metrics.calibration import Bins

Found = Mapping[tuple[str, str], Bins]  # by run and class


def summarise(
    card: DatasetCard, columns: Sequence[Column], found: Found, grid: str, items: str, units: str
) -> dict[str, Any]:
    """The part of summary.json about calibration; ``grid`` names the pixels, ``items`` the cases, ``units`` n.

    intervals  per column, class and number: mean over groups with interval, cases with a region and without
    curves     per column and class: the reliability curve of the pixels of all its cases together
    counts     per run and class: the pixels behind the curves
    """
    each = [(column, name) for column in columns for name in card.foreground]
    return {
        "metrics": {
            key: {"title": title, "definition": text} for key, (title, text) in calibration.METRICS.items()
        },
        "bins": calibration.BINS,
        "grid": grid,
        "region": calibration.REGION,
        "rule": calibration.RULE,
        "rule_text": overlap.RULES[calibration.RULE],
        "probability": "liver: p(liver) + p(tumour)" if "liver" in card.foreground else "p(tumour)",
        "intervals": [row for column, name in each for row in _intervals(card, column, name, grid, units)],
        "curves": [_curve(card, column, name, found, items) for column, name in each],
        "counts": [_counts(run, name, bins) for (run, name), bins in sorted(found.items())],
    }


def _intervals(card: DatasetCard, column: Column, name: str, grid: str, units: str) -> list[dict[str, Any]]:
    rows, metrics = column.rows[name], tuple(calibration.METRICS)
    more = {"rule": calibration.RULE, "grid": grid}
    made = tables.intervals(rows, about(card, column, name), card.unit, metrics, units, **more)
    without = sum(math.isnan(row["brier"]) for row in rows)
    beside = {"grid": grid, "cases": len(rows) - without, "undefined": without}
    return [row | beside | ({} if row["n"] else {"why": calibration.EMPTY}) for row in made]


def _curve(card: DatasetCard, column: Column, name: str, found: Found, items: str) -> dict[str, Any]:
    pooled = sum((found[run, name] for run in column.trainings if (run, name) in found), Bins())
    return {
        **about(card, column, name),
        "kind": "pooled over cases",
        "n": pooled.cases,
        "n_unit": items,
        "pixels": int(pooled.pixels.sum()),
        "points": calibration.curve(pooled),
    }


def _counts(run: str, name: str, bins: Bins) -> dict[str, Any]:
    lists = {key: getattr(bins, key).tolist() for key in ("pixels", "positives", "probability")}
    return {"run": run, "class": name, "cases": bins.cases, **lists}
