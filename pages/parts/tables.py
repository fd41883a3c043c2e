"""Stored results -> the scoreboard's tables, with every number's n and every undefined one in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core import PAPER_TABLE_2, Run, Scores
from pages.parts import words

METRICS = {
    "dice": "Dice",
    "iou": "IoU",
    "recall": "Recall",
    "precision": "Precision",
    "accuracy": "Accuracy",
    "specificity": "Specificity",
    "hd95": "HD95",
    "assd": "ASSD",
    "voe": "VOE",
    "rvd": "RVD",
    "nsd_2mm": "NSD at 2 mm",
    "nsd_5mm": "NSD at 5 mm",
    "false_alarm_rate": "False alarms",
    "bce": "Binary cross-entropy",
}
HEADLINE = ("dice", "iou", "recall", "precision")
Row = Mapping[str, Any]


def trainings(stored: Any, runs: Mapping[str, str]) -> dict[str, str]:
    """The single trainings behind columns, each with its network's title."""
    own = {run: stored.runs.get(run, {}).get("trainings", [run]) for run in runs}
    return {training: title for run, title in runs.items() for training in own[run]}


def header_line(stored: Any, run: str) -> str:
    """What every number of a run carries: class, aggregation, rule, threshold, grid, n, split."""
    about, head = stored.runs[run], stored.header
    hashes = about["split_sha256"] if "trainings" in about else about["split_sha256"][:8]
    return " · ".join(
        [
            head["endpoint"]["class"],
            "per case and pooled",
            f"empty masks: {head['rule']}",
            head["threshold"],
            f"{head['grid']} grid",
            f"n = {about['n_images']} images, {about['n_with_lesion']} with a lesion, {about['n_groups']} groups",
            f"{about['part']} part, split {hashes or 'none (external set)'}",
            f"width {about['width']}",
            *([about["note"]] if "note" in about else []),
        ]
    )


def records(stored: Any, run: str, convention: str, name: str) -> dict[str, Row]:
    """The records of one run, convention and class by metric."""
    return {
        row["metric"]: row
        for row in stored.records
        if row["run"] == run and row["convention"] == convention and row["class"] == name
    }


def value(row: Row | None) -> str:
    """A record as text; undefined ones with their reason."""
    if row is None:
        return words.UNDEFINED
    if row["value"] is None or not math.isfinite(row["value"]):
        return f"{words.UNDEFINED}: {row.get('why', 'undefined')}"
    if row["metric"] == "false_alarm_rate":
        return words.percent(row["value"])
    if row.get("unit") in ("px", "mm"):
        return f"{row['value']:.1f} {row['unit']}"
    return words.number(row["value"])


def overlap(stored: Any, runs: Mapping[str, str], name: str) -> pd.DataFrame:
    """Per case and pooled side by side, two columns per network; the last row is n, exceptions beside the value."""
    columns = {}
    for run, title in runs.items():
        for convention, words_ in (("per_case", "per case"), ("pooled", "pooled")):
            found = records(stored, run, convention, name)
            n = found["dice"]["n"]
            columns[f"{title}, {words_}"] = {
                METRICS[metric]: value(found.get(metric)) + _own_n(found.get(metric), n)
                for metric in HEADLINE
            } | {"n images": str(n)}
    return pd.DataFrame(columns)


def _own_n(row: Row | None, usual: int) -> str:
    return "" if row is None or row["n"] == usual else f" (n = {row['n']})"


def errors(stored: Any, runs: Mapping[str, str], name: str) -> pd.DataFrame:
    """What overlap hides: false alarms, missed lesions, distance, accuracy with prevalence."""
    alarms = {row["run"]: row for row in stored.summary["false_alarms"] if row["class"] == name}
    rows = {}
    for run, title in runs.items():
        each, alarm = records(stored, run, "per_case", name), alarms.get(run, {})
        size = alarm.get("median_false_pixels")
        rows[title] = {
            "Lesion-free images clean": f"{alarm.get('clean', 0)} of {alarm.get('lesion_free', 0)}",
            "Median false area": words.UNDEFINED + ": none drawn on"
            if size is None
            else words.pixels(int(size)),
            "Lesions missed altogether": missed(alarm),
            "HD95": distance(each.get("hd95")),
            "Accuracy": value(each.get("accuracy")),
            "Lesion share of all pixels": share(each.get("accuracy")),
        }
    return pd.DataFrame(rows).T


def missed(row: Row) -> str:
    """Lesions, or volumes with them, that no outline touches, drawn elsewhere or not at all."""
    untouched, lesions, empty = (row.get(key, 0) for key in ("not_touched", "with_lesion", "missed"))
    return f"{untouched} of {lesions} (nothing drawn: {empty})"


def distance(row: Row | None) -> str:
    """A mean distance as the pair it must be: over the defined cases, and on how many nothing was drawn."""
    if row is None:
        return words.UNDEFINED
    return f"{value(row)} (n = {row['n']}, empty {row.get('missed', 0)})"


def share(row: Row | None) -> str:
    """The prevalence printed beside an accuracy."""
    return words.percent(row["prevalence"]) if row and row.get("prevalence") is not None else words.UNDEFINED


def interval_rows(stored: Any, runs: Mapping[str, str], name: str) -> pd.DataFrame:
    """Mean over groups (or patients) with its 95 % interval per network and metric; too small an n says so."""
    rows = []
    for row in stored.summary["intervals"]:
        if row["run"] in runs and row["class"] == name and row["value"] is not None:
            known, is_distance = row["low"] is not None, row["metric"] in ("hd95", "assd")
            digits = 1 if is_distance else 3
            between = f"{row['low']:.{digits}f} to {row['high']:.{digits}f}" if known else "no interval"
            rows.append(
                {
                    "Network": runs[row["run"]],
                    "Metric": METRICS.get(row["metric"], row["metric"])
                    + (f" ({stored.header['unit']})" if is_distance else ""),
                    f"Mean over {row['n_unit']}": words.number(row["value"], digits),
                    "95 % interval": between,
                    f"n {row['n_unit']}": str(row["n"]),
                    "Note": row["note"],
                }
            )
    return pd.DataFrame(rows)


def comparison_rows(stored: Any, runs: Mapping[str, str]) -> pd.DataFrame:
    """Paired differences; p only where it can say something, the word "identical" instead of a NaN."""
    rows = []
    for row in stored.summary["comparisons"]:
        if row["a"] in runs and row["b"] in runs:
            p = _p(row["p_holm"])
            whole = row.get("with_lesion_free")  # not in results stored before these were counted
            rows.append(
                {
                    "Comparison": f"{runs[row['a']]} minus {runs[row['b']]}",
                    "Difference of Dice": words.UNDEFINED
                    if row["difference"] is None
                    else f"{row['difference']:+.3f}",
                    "95 % interval": signed_interval(row),
                    **({"Lesion-free cases counted too": _with_interval(whole)} if whole else {}),
                    "p (Wilcoxon, Holm)": "1 (identical)" if row["note"] == "identical" else p,
                    f"{row['n_unit'].capitalize()} won / tied / lost": " / ".join(
                        words.percent(row[k]) if row[k] is not None else words.UNDEFINED
                        for k in ("won", "tied", "lost")
                    ),
                    f"n {row['n_unit']}": str(row["n"]),
                    "Note": row["note"],
                }
            )
    return pd.DataFrame(rows)


def _p(value: float | None) -> str:
    if value is None:
        return "not given"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _with_interval(row: Row) -> str:
    return f"{difference(row['difference'])} ({signed_interval(row)})"


def comparison_caution(stored: Any, runs: Mapping[str, str]) -> str:
    """What the comparisons among ``runs`` carry, as a sentence; "" where they carry nothing."""
    pairs = (row for row in stored.summary["comparisons"] if row["a"] in runs and row["b"] in runs)
    kind = next((row["kind"] for row in pairs if row["kind"]), "")
    return words.plain(words.sentence(kind)) if kind else ""


def difference(value: float | None) -> str:
    """A difference of two scores with its sign, none before a zero; ``n/a`` where undefined."""
    return words.UNDEFINED if value is None else f"{round(value, 3) + 0.0:+.3f}"


def signed_interval(row: Row) -> str:
    """The 95 % interval of a difference, or that there is none."""
    return "no interval" if row["low"] is None else f"{row['low']:+.3f} to {row['high']:+.3f}"


def per_case(stored: Any, runs: Mapping[str, str], name: str, metric: str) -> dict[str, dict[str, float]]:
    """Network -> case -> value of one metric over the cases that have a lesion; a missed lesion counts 0."""
    found: dict[str, dict[str, float]] = {}
    own = trainings(stored, runs)
    for row in stored.scores:
        if row["run"] in own and row["class"] == name and row["n_ref"] > 0 and math.isfinite(row[metric]):
            found.setdefault(row["model"], {})[row["case"]] = row[metric]
    return found


def of_cases(stored: Any, run: str, name: str) -> dict[str, Row]:
    """The scores of one column by case: of a run, or of the trainings over folds that the column stands for."""
    own = trainings(stored, {run: ""})
    return {
        row["case"]: row
        for row in stored.scores
        if row["run"] in own and row["class"] == name and row.get("unit") != "slices"
    }


def published(table: Mapping[str, Any] = PAPER_TABLE_2) -> pd.DataFrame:
    """One of the paper's tables with its own digits, names and order, on grey."""
    titles = {metric: table["metrics"][metric] for metric in table["order"]}
    return pd.DataFrame(
        {
            table["columns"][model]: {
                title: f":gray-background[{table['values'][metric][model]}]"
                for metric, title in titles.items()
            }
            for model in table["models"]
        }
    )


def ours(stored: Any, runs: Mapping[str, str], name: str) -> pd.DataFrame:
    """Our figures under a convention of the paper, one column per run; every reading of the IoU."""
    paper = stored.summary["paper"]
    met = {(row["run"], row["metric"]): row.get("met") for row in paper["beside"]}
    made: dict[str, dict[str, str]] = {}
    for run, title in runs.items():
        found, column = records(stored, run, paper["convention"], name), {}
        for metric in paper["order"]:
            printed = paper["metrics"][metric]
            verdict = {True: " (met)", False: " (not met)"}.get(met.get((run, metric)), "")
            column[printed] = value(found.get(metric)) + verdict
        if "iou_b" in found:
            column["IoU, per image (a)"] = value(found.get("iou_a"))
            column["IoU, summed (b)"] = value(found["iou_b"])
        else:
            column["IoU, per slice (a)"] = value(found.get("iou_a"))
        made[title] = column
    return pd.DataFrame(made)


def or_nan(number: float | None) -> float:
    """None, as JSON writes an undefined number, as NaN."""
    return math.nan if number is None else number


def out_of_date(stored: Any, known: Sequence[Run], runs: Mapping[str, str]) -> list[str]:
    """Why stored results do not belong to the networks that are here now; empty when they do."""
    return [
        f"{runs[run.name]}: these scores were made with weights {stored.header['weights'][run.name][:8]}, "
        f"but the network here has {run.short_hash}."
        for run in known
        if run.name in runs
        and not run.problem
        and stored.header["weights"].get(run.name) != run.weights_sha256
    ]


def one_case(scores: Mapping[str, Scores]) -> pd.DataFrame:
    """Scores and areas of one case, one column per network (by title), with what each number is."""
    rows = {}
    for key, (title, definition) in words.DEFINITIONS.items():
        rows[title] = {network: words.value_or_why(own, key) for network, own in scores.items()}
        rows[title]["What it is"] = definition
    for key, (title, definition) in words.AREAS.items():
        rows[title] = {network: words.pixels(words.area(own, key)) for network, own in scores.items()}
        rows[title]["What it is"] = definition
    return pd.DataFrame(rows).T
