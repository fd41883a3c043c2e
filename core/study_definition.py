"""The definition of a reader study, checked.

A definition is a JSON object:

    id, title        a short name for files, and what readers see
    dataset          a prepared dataset
    runs             two or three trained networks whose stored outlines are compared
    readers          codes that readers type, lower case
    cases            a list of cases, or a draw: {"number": 20, "part": "test", "tags": ["benign"]}
    seed             of the draw, the order of cases and the letters; default 0
    repeats          share of cases that each reader sees a second time, unmarked; default 0.1
    questions        some of QUESTIONS; default all
    show_reference   whether the expert's outline is shown; default false
    practice         whether the cases stay open on the other pages, as nobody will publish it; default false
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core import places, prepared, reading, runs
from core.errors import CoreError, StudyRefused
from core.prepared_index import card_json
from core.records import Run, SliceEntry
from core.study import LETTERS, QUESTIONS, REPEATS, Key, Study, draw, order, shuffles

LIMITS = {"cases": 500, "readers": 50, "title": 120}
REQUIRED = ("id", "title", "dataset", "runs", "readers", "cases")
DEFAULTS: Mapping[str, Any] = {
    "seed": 0,
    "repeats": REPEATS,
    "questions": None,
    "show_reference": False,
    "practice": False,
}
DRAWN = ("number", "part", "tags")


def define(definition: object) -> tuple[Study, Key]:
    """A study and its key from a definition. StudyRefused ("definition") names the field that does not fit.

    Every outline must be stored already; nothing is computed.
    """
    given = _fields(definition)
    places_known = re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", str(given["id"]))
    _need(bool(places_known), "id", "lower-case letters, digits and '-', at most 40", given["id"])
    _need(_is_text(given["title"], LIMITS["title"]), "title", "1 to 120 characters", given["title"])
    _need(given["dataset"] in prepared.dataset_names(), "dataset", "a prepared dataset", given["dataset"])
    seed, repeats = given["seed"], given["repeats"]
    _need(type(seed) is int and 0 <= seed < 2**32, "seed", "a whole number from 0", seed)
    numeric = isinstance(repeats, int | float) and not isinstance(repeats, bool)
    _need(numeric and 0 <= repeats <= 0.5, "repeats", "a share from 0 to 0.5", repeats)
    for name in ("show_reference", "practice"):
        _need(isinstance(given[name], bool), name, "true or false", given[name])
    questions = list(QUESTIONS) if given["questions"] is None else given["questions"]
    _need_names(questions, "questions", 1, len(QUESTIONS))
    unknown = [name for name in questions if name not in QUESTIONS]
    _need(not unknown, "questions", f"some of {', '.join(QUESTIONS)}", ", ".join(unknown))
    _need_names(given["readers"], "readers", 1, LIMITS["readers"])
    odd = [code for code in given["readers"] if not places.NAME.fullmatch(code)]
    _need(not odd, "readers", "codes of lower-case letters, digits, '.', '_', '-'", odd[:3])
    networks = _networks(given["runs"], given["dataset"])
    entries = _chosen(given["cases"], given["dataset"], networks[0], seed)
    _need_stored(networks, entries)
    cases = sorted(entries)
    orders = {code: order(cases, repeats, seed, code) for code in given["readers"]}
    names = sorted(run.name for run in networks)
    study = Study(
        id=given["id"],
        title=given["title"].strip(),
        dataset=given["dataset"],
        letters=LETTERS[: len(networks)],
        questions=tuple(name for name in QUESTIONS if name in questions),
        show_reference=given["show_reference"],
        practice=given["practice"],
        orders=orders,
        groups={case: entries[case][0].group for case in cases},
        data=str(card_json(given["dataset"]).get("sha256", "")),
    )
    hidden = {code: shuffles(names, seed, code, found) for code, found in orders.items()}
    return study, Key(seed, {run.name: run.weights_sha256 for run in networks}, hidden)


def _fields(definition: object) -> dict[str, Any]:
    if not isinstance(definition, Mapping):
        raise StudyRefused("definition", "Study definition: expected a JSON object with named fields.")
    unknown = [str(name) for name in definition if name not in (*REQUIRED, *DEFAULTS)]
    missing = [name for name in REQUIRED if name not in definition]
    known = ", ".join((*REQUIRED, *DEFAULTS))
    _need(not unknown, unknown[0] if unknown else "", f"one of {known}", "an unknown field")
    _need(not missing, missing[0] if missing else "", "a value", "nothing")
    return {**DEFAULTS, **definition}


def _networks(names: object, dataset: str) -> list[Run]:
    _need_names(names, "runs", 2, len(LETTERS))
    found = []
    for name in names if isinstance(names, list) else []:
        try:
            found.append(runs.read_run(places.checked(name)))
        except (ValueError, CoreError):
            expected = "trained networks whose files are whole (see: python -m core list)"
            _need(False, "runs", expected, "one that is not")
    one_split = len({run.split_sha256 for run in found}) == 1
    _need(one_split, "runs", "networks trained on one split", "different splits")
    classes = prepared.read_card(dataset).classes
    _need(
        all(run.classes == classes for run in found), "runs", f"networks for {', '.join(classes)}", "others"
    )
    return found


def _chosen(wanted: object, dataset: str, run: Run, seed: int) -> dict[str, list[SliceEntry]]:
    """The slices of each case that was named or drawn."""
    known: dict[str, list[SliceEntry]] = {}
    for entry in prepared.list_slices(dataset):
        known.setdefault(entry.case, []).append(entry)
    if not isinstance(wanted, Mapping):
        _need_names(wanted, "cases", 1, LIMITS["cases"])
        names = list(wanted) if isinstance(wanted, list) else []
        odd = [name for name in names if name not in known]
        _need(not odd, "cases", f"cases of {dataset}", ", ".join(odd[:3]))
        return {name: known[name] for name in names}
    odd = [str(name) for name in wanted if name not in DRAWN]
    _need(not odd, "cases", f"a draw with {', '.join(DRAWN)}", ", ".join(odd))
    part, tags = wanted.get("part", "test"), wanted.get("tags", [])
    _need(part in ("test", "validation", "all"), "cases", "part test, validation or all", part)
    _need(isinstance(tags, list), "cases", "tags as a list", tags)
    pool = [
        case
        for case, entries in sorted(known.items())
        if (not tags or entries[0].tag in tags)
        and (part == "all" or {e.parts.get(run.split) for e in entries} - {"excluded"} == {part})
    ]
    number: Any = wanted.get("number")
    fits = type(number) is int and 1 <= number <= min(len(pool), LIMITS["cases"])
    _need(fits, "cases", f"a number from 1 to {len(pool)}, the cases there are", number)
    places_drawn = draw(seed, "cases").choice(len(pool), number, replace=False)
    return {pool[at]: known[pool[at]] for at in sorted(places_drawn)}


def _need_stored(networks: Sequence[Run], entries: Mapping[str, Sequence[SliceEntry]]) -> None:
    missing = [case for case, slices in entries.items() if not is_stored(networks, slices)]
    if missing:
        dataset = next(iter(entries.values()))[0].dataset
        raise StudyRefused(
            "definition",
            f"Outlines of {len(missing)} of {len(entries)} cases are not stored, first {missing[0]}. "
            f"A study shows stored outlines only. Run: python -m core precompute {dataset}",
        )


def is_stored(networks: Sequence[Run], slices: Sequence[SliceEntry]) -> bool:
    """Whether the predictions of all these networks are stored for all these slices of a case."""
    for entry in slices:
        one = prepared.read_slice(entry.dataset, entry.case, entry.index)
        if any(reading.stored_prediction(run.name, one) is None for run in networks):
            return False
    return True


def _need(good: bool, field: str, expected: str, got: object) -> None:
    if not good:
        said = str(got)[:120]
        raise StudyRefused(
            "definition", f"Study definition, field {field!r}: expected {expected}, got {said}."
        )


def _need_names(given: object, field: str, low: int, high: int) -> None:
    good = isinstance(given, list) and low <= len(given) <= high and all(_is_text(one, 80) for one in given)
    once = good and isinstance(given, list) and len(set(given)) == len(given)
    _need(once, field, f"a list of {low} to {high} names, each once", given)


def _is_text(given: object, longest: int) -> bool:
    return isinstance(given, str) and bool(given.strip()) and len(given) <= longest


def practice(
    dataset: str, number: int = 6, readers: Sequence[str] = ("reader-1", "reader-2")
) -> dict[str, Any]:
    """The definition of a small study for trying the page out; its cases stay open on the other pages.

    Up to ``number`` cases of the test part; ids count up.
    """
    networks = [run for run in runs.list_runs(dataset) if not run.problem]
    same = [run.name for run in networks if (run.split, run.seed) == (networks[0].split, networks[0].seed)]
    known = {entry.case for entry in prepared.list_slices(dataset)}
    tested = prepared.read_split(dataset, networks[0].split).parts["test"] if networks else ()
    taken = {path.name for path in places.studies().glob("practice-*")}
    name = next(f"practice-{at}" for at in range(1, 10**6) if f"practice-{at}" not in taken)
    return {
        "id": name,
        "title": f"Practice on {prepared.read_card(dataset).title.lower()}",
        "dataset": dataset,
        "runs": same[: len(LETTERS)],
        "readers": list(readers),
        "cases": {"number": min(number, len(known & set(tested)) or 1), "part": "test"},
        "practice": True,
    }
