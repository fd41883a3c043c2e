"""Which CT volumes are of one patient: given in a file, else as the reader of the set knows, else each its own.

What the file calls a patient is not stored: it may be a name or a record number. A patient is named after the first
of its volumes.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import DataRefused

COLUMNS = ("case", "patient")
GIVEN, KNOWN = "given", "by appearance"  # why a volume is in its group; "" where nobody said anything


def read(path: Path, cases: Sequence[str]) -> dict[str, str]:
    """Patient by case id from a CSV file with the columns ``case`` and ``patient``; others are ignored.

    Cases that are not in the file are patients of their own. DataRefused ("groups"): no such file, other columns,
    a case that is unknown or stands there twice, a cell that is empty.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            columns = table.fieldnames or []
            rows = [{column: (row.get(column) or "").strip() for column in COLUMNS} for row in table]
    except OSError as error:
        raise DataRefused("groups", f"{path.name} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataRefused("groups", f"{path.name}: expected CSV in UTF-8, got something else.") from error
    if not set(COLUMNS) <= set(columns):
        raise DataRefused("groups", f"{path.name}: expected the columns case,patient, got {columns}.")
    found: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        case, patient = row["case"], row["patient"]
        if case not in cases:
            message = f"expected a case such as {cases[0]}, got {case!r}, which is not in the folder."
            raise DataRefused("groups", f"{path.name}, line {line}: {message}")
        if not patient or case in found:
            problem = "is listed twice" if case in found else "has no patient"
            raise DataRefused("groups", f"{path.name}, line {line}: {case} {problem}.")
        found[case] = patient
    return found


def kept(path: Path, cases: Sequence[str]) -> dict[str, str]:
    """What was given for these cases when the stored groups.csv was written; {} when nothing was."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {row["case"]: row["patient"] for row in rows if row["why"] == GIVEN and row["case"] in cases}


def of(
    cases: Sequence[str], given: Mapping[str, str], known: Sequence[Sequence[int]]
) -> dict[str, tuple[str, str]]:
    """(patient, why) of each case, in order. ``known`` lists the numbers of volumes of one patient.

    As soon as anything is given, what is known counts no more.
    """
    numbers = {number: f"known {same[0]}" for same in known for number in same}
    label: dict[str, tuple[str, str]] = {}
    for case in cases:
        tail = case.rpartition("-")[2]
        if case in given:
            label[case] = (f"given {given[case]}", GIVEN)
        elif not given and tail.isdigit() and int(tail) in numbers:
            label[case] = (numbers[int(tail)], KNOWN)
        else:
            label[case] = (f"own {case}", "")
    first: dict[str, str] = {}
    return {case: (first.setdefault(label[case][0], case), label[case][1]) for case in cases}
