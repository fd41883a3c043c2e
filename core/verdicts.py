"""Verdicts of readers on what the networks drew: an append-only log, and what its lines add up to.

A verdict is never changed or removed: a reader who thinks again writes another line, and the newest counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core import audit, places
from core.errors import DataRefused

ACTION = "verdict"  # of its lines in the audit log
VERDICTS = {"accept": "Accept", "minor": "Minor edit", "major": "Major edit", "reject": "Reject"}
LONGEST_NOTE = 500
LONGEST_READER = 40
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Verdict:
    """What one reader thinks of a case.

    reader    initials or a code that the reader chose; ``session`` a random word of the browser's tab
    index     the slice that was judged; None: the whole case
    runs      checksum of the weights by run: of every network that was on screen
    answers   key of VERDICTS by run; a network may be left out
    note      as typed, at most LONGEST_NOTE characters
    time      UTC, set when it is stored
    """

    reader: str
    session: str
    dataset: str
    case: str
    index: int | None
    runs: Mapping[str, str]
    answers: Mapping[str, str]
    reference_is_wrong: bool = False
    note: str = ""
    time: str = ""


def record_verdict(verdict: Verdict) -> Verdict:
    """Check a verdict and add it to the log; returned as stored, with its time.

    DataRefused: reader (none, too long, control signs), note (too long), empty (nothing was said), disk (the log
    cannot be written). ValueError for an answer that is not offered or about a run that was not on screen.
    """
    reader = verdict.reader.strip()
    if not 0 < len(reader) <= LONGEST_READER or _CONTROL.search(reader):
        raise DataRefused(
            "reader", f"Reader: expected initials or a code of at most {LONGEST_READER} characters."
        )
    if len(verdict.note) > LONGEST_NOTE:
        got = len(verdict.note)
        raise DataRefused("note", f"Note: expected at most {LONGEST_NOTE} characters, got {got}. Shorten it.")
    for run, answer in verdict.answers.items():
        if run not in verdict.runs or answer not in VERDICTS:
            raise ValueError(
                f"answers: expected {tuple(verdict.runs)} with {tuple(VERDICTS)}, got {run}: {answer}"
            )
    if not (verdict.answers or verdict.reference_is_wrong or verdict.note.strip()):
        raise DataRefused("empty", "Nothing was judged: choose a verdict, or write a note.")
    line = audit.append(
        ACTION,
        session=verdict.session,
        page="review",
        dataset=verdict.dataset,
        case=verdict.case,
        slice=verdict.index,
        runs=dict(verdict.runs),
        reader=reader,
        verdicts=dict(verdict.answers),
        reference_is_wrong=verdict.reference_is_wrong,
        note=verdict.note,
    )
    return _verdict(line)


def read_verdicts(dataset: str, case: str = "") -> tuple[Verdict, ...]:
    """All verdicts on a dataset, or on one case of it, oldest first."""
    files = sorted(places.audit().glob("*.jsonl"))
    found = _read(dataset, tuple((file, file.stat().st_size) for file in files))
    return tuple(one for one in found if not case or one.case == case)


@lru_cache(maxsize=8)
def _read(dataset: str, log: tuple[tuple[Path, int], ...]) -> tuple[Verdict, ...]:
    """The log only ever grows, so the sizes of its files say whether it has to be read again: every click asks."""
    return tuple(_verdict(line) for line in audit.read(ACTION, dataset=dataset))


def _verdict(line: Mapping[str, Any]) -> Verdict:
    return Verdict(
        reader=line["reader"],
        session=line["session"],
        dataset=line["dataset"],
        case=line["case"],
        index=line["slice"],
        runs=line["runs"],
        answers=line["verdicts"],
        reference_is_wrong=line["reference_is_wrong"],
        note=line["note"],
        time=line["time"],
    )


def standing(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts that count: the newest of each reader on each case and slice."""
    newest = {(one.reader, one.dataset, one.case, one.index): one for one in verdicts}
    return tuple(newest.values())


def verdict_counts(
    verdicts: Iterable[Verdict], runs: Mapping[str, str]
) -> tuple[dict[str, Counter[str]], int]:
    """How often each answer was given to each of ``runs``, and how many readers call the reference wrong.

    ``runs`` names the weights that count. Only the newest verdict of a reader on a case or slice counts.
    """
    counted = standing(verdicts)
    tally: dict[str, Counter[str]] = {run: Counter() for run in runs}
    for one in counted:
        for run, answer in one.answers.items():
            if run in runs and one.runs.get(run) == runs[run]:
                tally[run][answer] += 1
    return tally, len({one.reader for one in counted if one.reference_is_wrong})


def verdict_rows(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Verdicts as rows for a CSV file, one per verdict and network; what was revised has ``stands`` false."""
    counted = set(map(id, standing(verdicts)))
    rows = []
    for one in verdicts:
        for run, weights in one.runs.items():
            rows.append(
                {
                    "time_utc": one.time,
                    "reader": one.reader,
                    "dataset": one.dataset,
                    "case": one.case,
                    "slice": one.index,
                    "run": run,
                    "weights_sha256": weights,
                    "verdict": VERDICTS.get(one.answers.get(run, ""), ""),
                    "reference_is_wrong": one.reference_is_wrong,
                    "stands": id(one) in counted,
                    "note": one.note,
                }
            )
    return rows
