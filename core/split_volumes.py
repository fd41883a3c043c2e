"""Seeded splits of CT volumes: whole patients on one side of the test, or the study's random slices.

``lits-patient`` (the default) never parts a patient between test and training. With few volumes it is the first of
three folds, ``lits-patient-2`` and ``-3`` are the others, and every volume is scored once. ``lits-slice`` draws the
test slices at random as the study does: neighbours of one patient on both sides, to measure what that is worth.

A part is given to a volume by its case id and to a slice by "case/index"; the slice's own line goes first.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.split import TEST_FOLDS, VALIDATION_FOLDS, checksum, natural, terciles

RULES = 2  # of the splits; another number means that prepare makes them anew
MANY = 30  # volumes; from here on a tenth is for the test, below each is tested once
FOLDS = 3
PATIENTS_TO_SPARE = 6  # so many left beside the test: whole patients are spared for validation
TURN, SPARED = 10, (4, 5)  # of every ten liver slices these go to validation where no patient can be spared

_TENTH = (
    "test: of all patients, the fold of StratifiedGroupKFold(10) nearest to a tenth of the volumes, stratified by "
    "tercile of tumour volume in ml"
)
_FOLD = "test: fold {number} of GroupKFold({folds}) over whole patients, so that every volume is tested once"
_SPARED = (
    "validation: of the other patients, the fold of StratifiedGroupKFold(5) nearest to a fifth of the volumes, "
    "stratified alike"
)
_WITHIN = (
    "validation: too few patients are left to spare one, so of every ten liver slices of each remaining volume the "
    "fifth and sixth; every level of the body stays in training, and their neighbours with it, so validation only "
    "chooses the epoch and says nothing about unseen patients"
)
_SLICES = (
    "random slices: of those with liver 10 % test and 20 % of the rest validation (the study's protocol: "
    "neighbouring slices of one patient on both sides); the others are excluded"
)


@dataclass(frozen=True)
class Member:
    """What a split knows of a volume: ``indices`` of its stored slices, and which of them have liver.

    ``tumour_ml`` is None where there is no reference: such a volume is in no part.
    """

    case: str
    patient: str
    tumour_ml: float | None
    indices: tuple[int, ...]
    has_liver: tuple[bool, ...]


def make(
    names: Sequence[str], dataset: str, members: Sequence[Member], seed: int
) -> dict[str, dict[str, Any]]:
    """Those of the splits ``names`` that these volumes allow, as JSON content by name.

    The same for the same volumes in any order. Keys as ``core.split.make`` has them; ``cases`` holds case ids and
    "case/index". A split that would leave a part empty is not made: one patient alone has no patient split, and
    lits-patient-2 and -3 exist below MANY volumes only.
    """
    excluded = {m.case: "no reference" for m in members if m.tumour_ml is None}
    excluded |= {m.case: "no liver" for m in members if m.case not in excluded and not any(m.has_liver)}
    kept = sorted((m for m in members if m.case not in excluded), key=lambda m: natural(m.case))
    made = {}
    for name in names:
        by_slice = name == "lits-slice"
        rule, part = _slices(kept, seed) if by_slice else _patients(kept, _number(name), seed)
        if {"train", "validation", "test"} <= set(part.values()):
            content = {
                "name": name,
                "dataset": dataset,
                "unit": "slice" if by_slice else "patient",
                "seed": seed,
                "rule": rule,
                "cases": _lines(members, kept, part | dict.fromkeys(excluded, "excluded")),
                "excluded": excluded | {unit: "no liver" for unit, one in part.items() if one == "excluded"},
            }
            made[name] = content | {"sha256": checksum(content)}
    return made


def part_of(parts: Mapping[str, str], case: str, index: int) -> str:
    """The part of one slice, from the parts of all units of a split."""
    return parts.get(f"{case}/{index}") or parts[case]


def _number(name: str) -> int:
    """Which fold: lits-patient 1, lits-patient-2 2, and so on."""
    last = name.rpartition("-")[2]
    return int(last) if last.isdigit() else 1


def _patients(kept: Sequence[Member], number: int, seed: int) -> tuple[str, dict[str, str]]:
    """The rule in words, and the part of each volume and of each slice that differs from its volume's."""
    if len(kept) < MANY:
        folds = min(FOLDS, len({m.patient for m in kept}))
        rule, tested = _FOLD.format(folds=folds, number=number), _fold(kept, folds, number)
    else:
        rule, tested = _TENTH, _fold_near(kept, TEST_FOLDS, seed) if number == 1 else set()
    rest = [m for m in kept if m.case not in tested]
    if not tested or not rest:
        return rule, {}
    part = dict.fromkeys(tested, "test") | dict.fromkeys((m.case for m in rest), "train")
    if len({m.patient for m in rest}) >= PATIENTS_TO_SPARE:
        spared = _fold_near(rest, VALIDATION_FOLDS, seed)
        return f"{rule}; {_SPARED}", part | dict.fromkeys(spared, "validation")
    for m in rest:
        part |= _within(m)
    return f"{rule}; {_WITHIN}", part


def _fold(kept: Sequence[Member], folds: int, number: int) -> set[str]:
    """Cases of fold ``number`` of the patients, the largest patient in the first; empty if there is none."""
    from sklearn.model_selection import GroupKFold

    if folds < 2 or number > folds:
        return set()
    chosen = list(GroupKFold(folds).split(kept, groups=[m.patient for m in kept]))
    return {kept[i].case for i in chosen[number - 1][1]}


def _fold_near(kept: Sequence[Member], folds: int, seed: int) -> set[str]:
    """Cases of that of ``folds`` folds which is nearest to its share: patients differ in their volumes."""
    from sklearn.model_selection import StratifiedGroupKFold

    wanted = len(kept) / folds
    size = _sizes(kept)
    stratum = [size[m.case] for m in kept]
    patients = [m.patient for m in kept]
    folds = min(folds, max(Counter(stratum).values()), len(set(patients)))
    if folds < 2:
        return set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a tercile smaller than the number of folds: small sets
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        found = [list(test) for _, test in splitter.split(np.zeros(len(kept)), stratum, patients)]
    best = min(found, key=lambda fold: (not fold, abs(len(fold) - wanted)))
    return {kept[i].case for i in best}


def _within(member: Member) -> dict[str, str]:
    """The slices of a training volume that are for validation."""
    liver = [index for index, has in zip(member.indices, member.has_liver, strict=True) if has]
    return {f"{member.case}/{index}": "validation" for at, index in enumerate(liver) if at % TURN in SPARED}


def _slices(kept: Sequence[Member], seed: int) -> tuple[str, dict[str, str]]:
    units = [(f"{m.case}/{i}", has) for m in kept for i, has in zip(m.indices, m.has_liver, strict=True)]
    part = {unit: "excluded" for unit, has in units if not has}
    liver = [unit for unit, has in units if has]
    shuffled = [liver[i] for i in np.random.default_rng(seed).permutation(len(liver))]
    tested = round(len(liver) / TEST_FOLDS)
    spared = round((len(liver) - tested) / VALIDATION_FOLDS)
    part |= dict.fromkeys(shuffled[:tested], "test")
    part |= dict.fromkeys(shuffled[tested : tested + spared], "validation")
    return _SLICES, part | dict.fromkeys(shuffled[tested + spared :], "train")


def _sizes(kept: Sequence[Member]) -> dict[str, str]:
    """Tercile of tumour volume by case, "none" without tumour."""
    size = terciles({m.case: m.tumour_ml for m in kept if m.tumour_ml})
    return {m.case: size.get(m.case, "none") for m in kept}


def _lines(members: Sequence[Member], kept: Sequence[Member], part: Mapping[str, str]) -> dict[str, Any]:
    """One line per unit: part, patient, and the tercile of its volume's tumour among all."""
    size = _sizes(kept)
    known = {m.case: {"group": m.patient, "size": size.get(m.case, "none")} for m in members}
    return {unit: {"part": one, **known[unit.partition("/")[0]]} for unit, one in part.items()}
