"""Scores and tables on disk: what ``python -m core evaluate`` writes and the pages read.

Three files per dataset: scores.csv (one row per run, case and class), cases.csv (one row per case) and
summary.json, written last, which holds the checksums of the others. Sets of CT volumes have a fourth, slices.csv
(one row per run and slice of a whole volume). Reading needs neither the dataset nor SciPy nor Keras.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import atomic, places
from core.errors import DataMissing, DataRefused
from core.metrics.overlap import Counts, reasons

FORMAT = 3  # of the three files; a change of any formula or column gets a new number
SCORES, CASES, SUMMARY = "scores.csv", "cases.csv", "summary.json"
SLICES = "slices.csv"  # of volumes only
OF_MAPS = ("layer", "method", "state", "number", "against", "way", "note")
TEXT = ("run", "model", "case", "class", "group", "tag", "part", "size", "flags", "unit", *OF_MAPS)
WHOLE = ("tp", "fp", "fn", "tn", "n_ref", "n_pred", "tp_128", "fp_128", "fn_128", "tn_128")
PLACES = (
    "index",
    "height",
    "width",
    "n_runs",
    "family",
    "disagreement_px",
    "any_px",
    "n_slices",
    "first_index",
)
COUNTED = (
    "_ref",
    "_pred",
    "_both",
)  # endings of whole numbers: pixels of a class in a slice, lesions in a volume
MEASURED = ("burden_ref", "burden_pred")  # percent, whatever their ending
LESIONS = ("detected_0", "right_0", "detected_50", "right_50")
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
                 calibration, leakage, seeds, folds, paper; for volumes lesions, burden and copy_nearest
    slices       of volumes, per run and slice: pixels of each class in the reference (``liver_ref``), in the
                 prediction (``liver_pred``) and in both (``liver_both``); where networks are compared, the pixels
                 that any of them marks as tumour (``any_px``) and that not all do (``disagreement_px``), else None
    """

    dataset: str
    header: dict[str, Any]
    runs: dict[str, dict[str, Any]]
    records: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    cases: dict[str, dict[str, Any]]
    summary: dict[str, Any]
    slices: list[dict[str, Any]] = field(default_factory=list)


def read_results(dataset: str) -> Results:
    """The stored results of one dataset; DataMissing when there are none, DataRefused when damaged."""
    folder, again = places.results(dataset), f"Run: python -m core evaluate {dataset}"
    try:
        summary = json.loads((folder / SUMMARY).read_text("utf-8"))
        promised = summary.get("files", {}) if isinstance(summary, dict) else {}
        content = {
            name: (folder / name).read_bytes() for name in {SCORES, CASES} | promised.keys() & {SLICES}
        }
    except FileNotFoundError:
        raise DataMissing(f"No results in {places.shown(folder)}. {again}") from None
    except ValueError:
        raise DataRefused("damaged", f"{folder / SUMMARY} is not readable as JSON. {again}") from None
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
    slices = parse_csv(content[SLICES].decode("utf-8")) if SLICES in content else []
    return Results(dataset, summary["header"], runs, summary["records"], scores, cases, summary, slices)


def write_results(
    dataset: str,
    summary: Mapping[str, Any],
    scores: Sequence[Mapping[str, Any]],
    cases: Sequence[Mapping[str, Any]],
    slices: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Store the results of one dataset, summary.json last; floats with six significant digits."""
    folder = places.results(dataset)
    tables = {SCORES: scores, CASES: cases} | ({SLICES: slices} if slices else {})
    files = {name: atomic.write_text(folder / name, csv_text(rows)) for name, rows in tables.items()}
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
    if name in WHOLE or name in PLACES or name in LESIONS or _is_counted(name):
        return int(cell) if cell else None
    return float(cell) if cell else math.nan


def _is_counted(name: str) -> bool:
    return name.endswith(COUNTED) and name not in MEASURED
