"""Scores and tables on disk: what ``python -m core evaluate`` writes and the pages read.

Three files per dataset: scores.csv (one row per run, case and class), cases.csv (one row per case) and
summary.json, written last, which holds the checksums of the other two. Reading needs neither the dataset
nor SciPy nor Keras.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import atomic, places
from core.errors import DataMissing, DataRefused
from core.metrics.overlap import Counts, reasons

FORMAT = 2  # of the three files; a change of any formula or column gets a new number
SCORES, CASES, SUMMARY = "scores.csv", "cases.csv", "summary.json"
TEXT = ("run", "model", "case", "class", "group", "tag", "part", "size", "flags")
WHOLE = ("tp", "fp", "fn", "tn", "n_ref", "n_pred", "tp_128", "fp_128", "fn_128", "tn_128")
PLACES = ("index", "height", "width", "n_runs", "family", "disagreement_px")
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # a spreadsheet may run such a cell


@dataclass(frozen=True, eq=False)
class Results:
    """All stored numbers of one dataset.

    header       what every number here carries: rule, threshold, grid, split hashes, versions, date, weights
    runs         {run: its model, split, part, n ...}
    records      the list that ``evaluate --json`` prints; an undefined value is None and ``why`` says so
    scores       per run, case and class: counts, ratios (NaN where undefined), ``why`` by metric
    cases        {case: tag, group, flags, size, disagreement ...}
    summary      the whole of summary.json: also intervals, comparisons, ranks, false_alarms, subgroups,
                 leakage, seeds, paper
    """

    dataset: str
    header: dict[str, Any]
    runs: dict[str, dict[str, Any]]
    records: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    cases: dict[str, dict[str, Any]]
    summary: dict[str, Any]


def read_results(dataset: str) -> Results:
    """The stored results of one dataset; DataMissing when there are none, DataRefused when damaged."""
    folder, again = places.results(dataset), f"Run: python -m core evaluate {dataset}"
    try:
        summary = json.loads((folder / SUMMARY).read_text("utf-8"))
        content = {name: (folder / name).read_bytes() for name in (SCORES, CASES)}
    except FileNotFoundError:
        raise DataMissing(f"No results in {places.shown(folder)}. {again}") from None
    except ValueError:
        raise DataRefused("damaged", f"{folder / SUMMARY} is not readable as JSON. {again}") from None
    promised = summary.get("files", {}) if isinstance(summary, dict) else {}
    for name, found in content.items():
        if atomic.sha256(found) != promised.get(name):
            raise DataRefused("checksum", f"{folder / name} is not the file that {SUMMARY} names. {again}")
    if summary.get("inputs", {}).get("format") != FORMAT:
        raise DataRefused("format", f"{folder / SUMMARY}: expected format {FORMAT}. {again}")
    scores = [_with_reasons(row) for row in parse_csv(content[SCORES].decode("utf-8"))]
    cases = {row["case"]: row for row in parse_csv(content[CASES].decode("utf-8"))}
    for row in cases.values():
        row["flags"] = tuple(filter(None, row["flags"].split(";")))
    runs = {name: summary["runs"][name] for name in summary["header"]["runs"]}
    return Results(dataset, summary["header"], runs, summary["records"], scores, cases, summary)


def write_results(
    dataset: str,
    summary: Mapping[str, Any],
    scores: Sequence[Mapping[str, Any]],
    cases: Sequence[Mapping[str, Any]],
) -> Path:
    """Store the results of one dataset, summary.json last; floats with six significant digits."""
    folder = places.results(dataset)
    files = {
        name: atomic.write_text(folder / name, csv_text(r)) for name, r in ((SCORES, scores), (CASES, cases))
    }
    sums = {name: atomic.sha256_file(path) for name, path in files.items()}
    return atomic.write_json(folder / SUMMARY, tidy({**summary, "files": sums}))


def _with_reasons(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"why": reasons(Counts(row["tp"], row["fp"], row["fn"], row["tn"]))}


def tidy(content: Any) -> Any:
    """``content`` for JSON: floats with six significant digits, NaN and infinity as None."""
    if isinstance(content, Mapping):
        return {str(key): tidy(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [tidy(value) for value in content]
    if isinstance(content, float):
        return float(f"{content:.6g}") if math.isfinite(content) else None
    return content


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Rows as CSV (comma, LF, UTF-8) that a spreadsheet shows and never runs.

    Columns are those of the first row unless given. A text cell that begins, after spaces, with a sign that
    starts a formula gets a leading apostrophe; numbers stay numbers, NaN and None are empty cells.
    """
    names = list(columns) if columns is not None else list(rows[0]) if rows else []
    lines = [[_cell(name) for name in names]] + [[_cell(row.get(name)) for name in names] for row in rows]
    return "".join(",".join(line) + "\n" for line in lines)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> Path:
    """Replace ``path`` by ``rows`` as harmless CSV, see ``csv_text``."""
    return atomic.write_text(path, csv_text(rows, columns))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    text = f"'{value}" if _is_risky(str(value)) else str(value)
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\r\n') else text


def _is_risky(text: str) -> bool:
    bare = text.lstrip("'")  # so that a text which already had its apostrophe is read back as it was
    return bare.startswith(RISKY) or bare.lstrip().startswith(RISKY)


def parse_csv(text: str) -> list[dict[str, Any]]:
    """Rows of a CSV made here: whole numbers, floats (empty: NaN) and texts, each by its column's name."""
    lines: Iterable[dict[str, str]] = csv.DictReader(io.StringIO(text, newline=""))
    return [{name: _value(name, cell) for name, cell in row.items()} for row in lines]


def _value(name: str, cell: str) -> Any:
    if name in TEXT:
        return cell[1:] if cell.startswith("'") and _is_risky(cell[1:]) else cell
    if name in WHOLE or name in PLACES:
        return int(cell) if cell else None
    return float(cell) if cell else math.nan
