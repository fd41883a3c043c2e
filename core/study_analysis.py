"""What a locked reader study says: wins, agreement between readers and with themselves, time; and its two files.

Shares and means are over groups of cases (patients, near-duplicate clusters), readers averaged first, with the
bootstrap intervals of ``metrics.statistics``. Repeats count only for the agreement of readers with themselves.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np

from core import catalogues, runs, study_files, study_store
from core.metrics import statistics
from core.metrics.statistics import Interval
from core.study import QUESTIONS, Study

ACCEPTED = 4  # from this acceptability on
Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class StudyResults:
    """The analysis of a locked study, in tables of plain rows.

    wins       per network: interval of its share of first places (a shared place counts in parts)
    pairs      per pair of networks: interval of the share that places the first before the second, ties half
    ratings    per network: intervals of acceptability (1..5) and of the share accepted, shares of each answer
    agreement  per question: Fleiss' kappa, for acceptability ICC(2,1), and n; ``note`` where undefined
    repeats    per question: share of equal answers to the same outline met twice, and its n
    times      per reader: cases rated, median active and wall seconds per case
    reference_wrong  how many ratings said that the reference is wrong; None where it was not shown
    """

    study: Study
    lock: study_store.Lock
    n_ratings: int
    wins: list[dict[str, Any]]
    pairs: list[dict[str, Any]]
    ratings: list[dict[str, Any]]
    agreement: list[dict[str, Any]]
    repeats: list[dict[str, Any]]
    times: list[dict[str, Any]]
    reference_wrong: int | None


def results(study: Study) -> StudyResults:
    """Open the key and analyse. StudyRefused until the study is locked."""
    ratings = study_store.ratings(study)
    lock = study_store.lock_of(study)
    if lock is None:
        raise ValueError("study: expected a locked one")
    rows = opened(study, ratings)
    first = [row for row in rows if not row["is_repeat"]]
    names = sorted({row["run"] for row in rows}, key=_place)
    is_ranked = "ranking" in study.questions
    marked = [row for row in ratings if row.get("is_reference_wrong")]
    return StudyResults(
        study,
        lock,
        len(ratings),
        [_named(name) | {"share": _over_groups(first, study, name, _first_places)} for name in names]
        if is_ranked
        else [],
        [_pair(first, study, a, b) for a, b in combinations(names, 2)] if is_ranked else [],
        [_answers(first, study, name) for name in names],
        [found for question in study.questions for found in _agreement(first, study, question)],
        _with_themselves(rows, study),
        [_times(ratings, reader) for reader in study.readers],
        len(marked) if study.show_reference else None,
    )


def opened(study: Study, ratings: Sequence[Row]) -> list[dict[str, Any]]:
    """One row per rated outline, with the network behind its letter."""
    key = study_files.read_key(study)
    return [
        {
            "reader": rating["reader"],
            "position": rating["position"],
            "case": study.orders[rating["reader"]][rating["position"]],
            "is_repeat": study.is_repeat(rating["reader"], rating["position"]),
            "letter": letter,
            "run": run,
            **rating["outlines"][letter],
        }
        for rating in ratings
        for letter, run in zip(study.letters, key.hidden[rating["reader"]][rating["position"]], strict=True)
    ]


def tables(study: Study) -> dict[str, list[dict[str, Any]]]:
    """Rows of the two files: "ratings" by letter, "key" that names the letters. StudyRefused until locked."""
    found = study_store.ratings(study)
    key = study_files.read_key(study)
    ratings = [
        {
            "study": study.id,
            "reader": rating["reader"],
            "position": rating["position"] + 1,
            "case": study.orders[rating["reader"]][rating["position"]],
            "is_repeat": study.is_repeat(rating["reader"], rating["position"]),
            "letter": letter,
            **{question: rating["outlines"][letter][question] for question in study.questions},
            "is_reference_wrong": rating.get("is_reference_wrong"),
            "active_s": rating["active_s"],
            "wall_s": rating["wall_s"],
            "submitted_utc": rating["submitted"],
        }
        for rating in found
        for letter in study.letters
    ]
    hidden = [
        {
            "study": study.id,
            "reader": reader,
            "position": position + 1,
            "case": study.orders[reader][position],
            "letter": letter,
            "run": run,
            "weights_sha256": key.weights[run],
        }
        for reader in study.readers
        for position, names in enumerate(key.hidden[reader])
        for letter, run in zip(study.letters, names, strict=True)
    ]
    return {"ratings": ratings, "key": hidden}


def icc(table: np.ndarray) -> float:
    """ICC(2,1) of ratings (subjects, readers): two-way random effects, absolute agreement, a single rating.

    -1..1, NaN with fewer than two of either or without any variation (Shrout and Fleiss 1979, case 2).
    """
    n, k = table.shape
    if n < 2 or k < 2:
        return math.nan
    between, readers = table.mean(axis=1), table.mean(axis=0)
    subjects = k * float(((between - table.mean()) ** 2).sum()) / (n - 1)
    columns = n * float(((readers - table.mean()) ** 2).sum()) / (k - 1)
    rest = table - between[:, None] - readers[None, :] + table.mean()
    error = float((rest**2).sum()) / ((n - 1) * (k - 1))
    whole = subjects + (k - 1) * error + k * (columns - error) / n
    return (subjects - error) / whole if whole > 1e-12 else math.nan


def kappa(table: Sequence[Sequence[str]]) -> float:
    """Fleiss' kappa of answers (subjects, readers), by statsmodels; NaN where all answers are the same one."""
    if len(table) < 2 or len(table[0]) < 2 or len({answer for row in table for answer in row}) < 2:
        return math.nan
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counts, _ = aggregate_raters(np.array(table))
        return float(fleiss_kappa(counts))


def _over_groups(
    rows: Sequence[Row], study: Study, run: str, value: Callable[[Row, Sequence[Row]], float]
) -> Interval:
    """Interval of a value per rated outline of one network: mean of each case over readers, then of each group."""
    beside = _beside(rows)
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["run"] == run:
            found.setdefault(row["case"], []).append(value(row, beside[row["reader"], row["position"]]))
    means = statistics.group_means(
        [float(np.mean(v)) for v in found.values()], [study.groups[c] for c in found]
    )
    return statistics.interval(list(means.values()))


def _beside(rows: Sequence[Row]) -> dict[tuple[str, int], list[Row]]:
    found: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        found.setdefault((row["reader"], row["position"]), []).append(row)
    return found


def _first_places(row: Row, beside: Sequence[Row]) -> float:
    best = min(int(one["ranking"]) for one in beside)
    winners = [one for one in beside if int(one["ranking"]) == best]
    return 1 / len(winners) if row in winners else 0.0


def _pair(rows: Sequence[Row], study: Study, a: str, b: str) -> dict[str, Any]:
    def before(row: Row, beside: Sequence[Row]) -> float:
        other = next(one for one in beside if one["run"] == b)
        ahead = int(other["ranking"]) - int(row["ranking"])
        return 0.5 if ahead == 0 else float(ahead > 0)

    names = {"first": _named(a)["network"], "second": _named(b)["network"]}
    return names | {"share": _over_groups(rows, study, a, before)}


def _answers(rows: Sequence[Row], study: Study, run: str) -> dict[str, Any]:
    own = [row for row in rows if row["run"] == run]
    found: dict[str, Any] = _named(run)
    if "acceptability" in study.questions:
        found["acceptability"] = _over_groups(rows, study, run, lambda row, _: float(row["acceptability"]))
        found["accepted"] = _over_groups(
            rows, study, run, lambda row, _: float(int(row["acceptability"]) >= ACCEPTED)
        )
    for question in study.questions:
        if question not in ("acceptability", "ranking"):
            share = {
                answer: sum(row[question] == answer for row in own) / max(1, len(own))
                for answer in QUESTIONS[question].answers
            }
            found[question] = share
    return found


def _agreement(rows: Sequence[Row], study: Study, question: str) -> list[dict[str, Any]]:
    """Between readers, over the outlines that every reader has rated."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        found.setdefault((row["case"], row["run"]), {})[row["reader"]] = row[question]
    readers = [one for one in study.readers if any(one in answers for answers in found.values())]
    whole = [[answers[one] for one in readers] for answers in found.values() if len(answers) == len(readers)]
    text = QUESTIONS[question].text.rstrip("?")
    common = {"question": text, "outlines": len(whole), "readers": len(readers)}
    alone = "" if len(readers) > 1 else "one reader: nothing to agree with"
    measures = [("Fleiss' kappa", kappa(whole))]
    if question == "acceptability":
        numbers = np.array(whole, float).reshape(len(whole), len(readers))
        measures.append(("ICC(2,1)", icc(numbers)))
    undefined = alone or "undefined: all answers are equal, or too few"
    return [
        common | {"measure": name, "value": value, "note": "" if value == value else undefined}
        for name, value in measures
    ]


def _with_themselves(rows: Sequence[Row], study: Study) -> list[dict[str, Any]]:
    first = {(row["reader"], row["case"], row["run"]): row for row in rows if not row["is_repeat"]}
    pairs = [
        (first[where], row)
        for row in rows
        if row["is_repeat"] and (where := (row["reader"], row["case"], row["run"])) in first
    ]
    return [
        {
            "question": QUESTIONS[question].text.rstrip("?"),
            "outlines": len(pairs),
            "equal": sum(a[question] == b[question] for a, b in pairs) / len(pairs),
        }
        for question in study.questions
        if pairs
    ]


def _times(ratings: Sequence[Row], reader: str) -> dict[str, Any]:
    own = [rating for rating in ratings if rating["reader"] == reader]
    seconds = {name: median(row[name] for row in own) if own else math.nan for name in ("active_s", "wall_s")}
    return {"reader": reader, "rated": len(own), **seconds}


def _named(run: str) -> dict[str, str]:
    """A run with its network's title; the run's own name where its folder is gone."""
    known = {one.name: one.model for one in runs.list_runs(scores_only=True)}
    card = catalogues.network_cards().get(known.get(run, ""))
    return {"network": card.title if card else run, "run": run}


def _place(run: str) -> tuple[int, str]:
    """Where a run stands in the usual order; those whose folder is gone come last, by name."""
    names = [one.name for one in runs.list_runs(scores_only=True)]
    return (names.index(run) if run in names else len(names), run)
