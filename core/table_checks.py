"""The table lint on our stored scores, on our figures under the paper's conventions, and on the paper's tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from core.metrics.columns import PER_CASE, POOLED, Cell, Column, printed
from core.metrics.lint import Linted, lint
from core.results import Results

DIGITS = 6  # significant digits of stored numbers
ONE_DECIMAL = ("mm", "px", "ml", "%")  # units whose numbers are shown with one decimal, all others with three
ON_128 = (
    "_128"  # ending of a metric on the grid of the networks, beside the same on the grid of the reference
)
Row = Mapping[str, Any]


def published_checks(table: Mapping[str, Any]) -> Linted:
    """What the lint says of one of the paper's tables, digits as printed."""
    columns = [
        Column(
            table["columns"][model], {name: printed(table["values"][name][model]) for name in table["order"]}
        )
        for model in table["models"]
    ]
    return lint(columns)


def stored_checks(results: Results, runs: Mapping[str, str], class_name: str) -> dict[str, Linted]:
    """What the lint says of our tables of one class, by aggregation: "per case" and "pooled".

    ``runs`` are the columns, each with its title. An aggregation without any number is left out.
    """
    made = {}
    for said, aggregation in (("per case", PER_CASE), ("pooled", POOLED)):
        columns = [_column(results, run, title, aggregation, class_name) for run, title in runs.items()]
        if any(column.cells for column in columns):
            made[said] = lint(columns)
    return made


def convention_checks(results: Results, runs: Mapping[str, str], class_name: str) -> Linted:
    """What the lint says of our figures under the paper's convention: it finds there what it finds in the paper."""
    name = results.summary["paper"]["convention"]
    return lint([_column(results, run, title, name, class_name) for run, title in runs.items()])


def leakage_checks(results: Results, titles: Mapping[str, str], class_name: str) -> Linted:
    """What the lint says of networks (name: title) on unseen patients and on random slices, side by side."""
    columns = [
        Column(
            title=f"{titles.get(row['model'], row['model'])} on {split}",
            cells={f"dice{ON_128}": _cell({"value": value, "n": n})},
            aggregation=POOLED,
            class_name=class_name,
            dataset=results.dataset,
            rule=row["convention"],
            threshold=results.header["threshold"],
            grid=row["grid"],
            split=results.runs[run]["split_sha256"],
            cases=results.runs[run]["cases_sha256"],
            n=n,
        )
        for row in results.summary["leakage"]
        if row["class"] == class_name
        for run, split, value, n in zip(row["runs"], row["splits"], row["values"], row["n"], strict=True)
        if value is not None
    ]
    return lint(columns)


def _column(results: Results, run: str, title: str, aggregation: str, class_name: str) -> Column:
    """One column with all that its numbers carry; undefined numbers are not in it."""
    wanted = {"run": run, "class": class_name}
    own = [row for row in results.records if wanted.items() <= row.items()]
    found = {row["metric"]: row for row in own if row["convention"] == aggregation}
    small = {row["metric"] + ON_128: row for row in own if row["convention"] == aggregation + ON_128}
    about, head = results.runs[run], found.get("dice", {})
    accuracy = found.get("accuracy", {})
    return Column(
        title=title,
        cells={name: _cell(row) for name, row in (found | small).items() if row["value"] is not None},
        aggregation=aggregation,
        class_name=class_name,
        dataset=results.dataset,
        rule=head.get("rule"),
        threshold=head.get("threshold"),
        grid=head.get("grid"),
        split=about["split_sha256"] or "none",
        cases=about["cases_sha256"],
        n=head.get("n"),
        interval=_interval(results, wanted) if aggregation == PER_CASE else None,
        prevalence=accuracy.get("prevalence") if aggregation == POOLED else None,
    )


def _cell(row: Row) -> Cell:
    value = float(row["value"])
    last = math.floor(math.log10(abs(value))) + 1 - DIGITS if value else -DIGITS
    decimals = 1 if row.get("unit") in ONE_DECIMAL else 3
    return Cell(value, 0.5 * 10.0**last, decimals, row.get("n"), row.get("undefined", row.get("missed")))


def _interval(results: Results, wanted: Row) -> str | None:
    """The interval of the Dice of a run and class: that there is one, or why not; None when nothing is said."""
    rows = [
        row for row in results.summary["intervals"] if {**wanted, "metric": "dice"}.items() <= row.items()
    ]
    if not rows:
        return None
    return "95 % bootstrap over groups" if rows[0]["low"] is not None else rows[0]["note"] or None
