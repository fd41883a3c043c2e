"""Seeded splits into train, validation and test: the paper's proportions, whole groups on one side.

10 % of the images are for the test and 20 % of the rest for validation, stratified by class. ``busi-group`` (the
default) never parts a group of near-duplicates; ``busi-image`` ignores groups as the paper does, and exists to
measure what that is worth. ``busi-5fold-1`` to ``-5`` keep groups whole and test every case once between them.
A split is plain JSON with the checksum of its own canonical form.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from core import atomic
from core.errors import DataRefused

PARTS = ("train", "validation", "test", "excluded")
TEST_FOLDS = 10  # one fold of ten: 10 % for the test
VALIDATION_FOLDS = 5  # one fold of five of the rest
FOLDS = tuple(f"busi-5fold-{number}" for number in range(1, 6))
SIZES = ("small", "medium", "large")  # terciles of tumour area as a share of the picture

_RULES = {
    "busi-group": "StratifiedGroupKFold(10), first fold test; StratifiedGroupKFold(5) on the rest, first fold "
    "validation; stratified by the majority class of the group (tie: malignant)",
    "busi-image": "StratifiedKFold(10), first fold test; StratifiedKFold(5) on the rest, first fold validation; "
    "groups ignored (the paper's protocol: near-duplicates on both sides)",
    **{
        name: f"StratifiedGroupKFold(5), fold {number} test; StratifiedGroupKFold(5) on the rest, first fold "
        "validation; stratified by the majority class of the group (tie: malignant)"
        for number, name in enumerate(FOLDS, start=1)
    },
}
_UNITS = {name: "image" if name == "busi-image" else "near-duplicate cluster" for name in _RULES}


@dataclass(frozen=True)
class Member:
    """What a split knows of a case. ``exact`` is equal for pixel-identical pictures only.

    ``share`` is the tumour's share of the picture's area in 0..1; None where there is no reference.
    """

    case: str
    group: str
    tag: str
    exact: str
    share: float | None


def make(name: str, dataset: str, members: Sequence[Member], seed: int) -> dict[str, Any]:
    """The split ``name`` of these cases as JSON content, the same for the same cases in any order.

    Keys: name, dataset, unit, seed, rule, cases {case: {part, group, tag, size}}, excluded {case: reason}, and
    sha256 of the canonical form of all the others. DataRefused ("too_few") when a part would be empty.
    """
    excluded = _excluded(members)
    kept = sorted((m for m in members if m.case not in excluded), key=lambda m: natural(m.case))
    part = dict.fromkeys(excluded, "excluded") | _parts(name, kept, seed)
    size = terciles({m.case: m.share for m in kept if m.share})
    content: dict[str, Any] = {
        "name": name,
        "dataset": dataset,
        "unit": _UNITS[name],
        "seed": seed,
        "rule": _RULES[name],
        "cases": {
            m.case: {"part": part[m.case], "group": m.group, "tag": m.tag, "size": size.get(m.case, "none")}
            for m in members
        },
        "excluded": excluded,
    }
    return content | {"sha256": checksum(content)}


def make_all(
    names: Sequence[str], dataset: str, members: Sequence[Member], seed: int
) -> dict[str, dict[str, Any]]:
    """The splits ``names`` of these cases by name; without the folds where a fold would have an empty part.

    DataRefused ("too_few") when another split cannot be made.
    """
    made = {}
    for name in names:
        try:
            made[name] = make(name, dataset, members, seed)
        except DataRefused:
            if name not in FOLDS:
                raise
    return made if set(FOLDS) <= set(made) else {name: one for name, one in made.items() if name not in FOLDS}


def checksum(content: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a split, its own ``sha256`` left out."""
    return atomic.sha256(atomic.canonical({key: value for key, value in content.items() if key != "sha256"}))


def natural(case: str) -> tuple[str, int, str]:
    """A key to sort case ids by: name-2 comes before name-10."""
    head, _, number = case.rpartition("-")
    return (head, int(number), case) if number.isdigit() else (case, -1, case)


def _excluded(members: Sequence[Member]) -> dict[str, str]:
    tags: dict[str, set[str]] = defaultdict(set)
    for m in members:
        tags[m.exact].add(m.tag)
    reasons = {m.case: "no reference" for m in members if m.share is None}
    return reasons | {m.case: "label conflict" for m in members if len(tags[m.exact]) > 1}


def terciles(amounts: Mapping[str, float]) -> dict[str, str]:
    """One of SIZES by case, for these amounts of tumour, all above 0."""
    if not amounts:
        return {}
    limits = np.quantile(list(amounts.values()), (1 / 3, 2 / 3))
    return {case: SIZES[int(np.searchsorted(limits, one, side="left"))] for case, one in amounts.items()}


def _parts(name: str, kept: Sequence[Member], seed: int) -> dict[str, str]:
    strata = [m.tag for m in kept] if name == "busi-image" else _majority(kept)
    units = [m.case if name == "busi-image" else m.group for m in kept]
    if name in FOLDS:
        test = _fold(name, strata, units, len(FOLDS), seed, FOLDS.index(name))
    else:
        test = _fold(name, strata, units, TEST_FOLDS, seed)
    rest = [i for i in range(len(kept)) if i not in test]
    inner = _fold(name, [strata[i] for i in rest], [units[i] for i in rest], VALIDATION_FOLDS, seed)
    validation = {rest[i] for i in inner}
    names = ["test" if i in test else "validation" if i in validation else "train" for i in range(len(kept))]
    if len(set(names)) < 3:
        raise DataRefused("too_few", f"{len(kept)} cases cannot be split into train, validation and test.")
    return {m.case: part for m, part in zip(kept, names, strict=True)}


def _majority(kept: Sequence[Member]) -> list[str]:
    """For each case the most frequent class of its group; on a tie malignant, then the first by name."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for m in kept:
        counts[m.group][m.tag] += 1
    best = {g: min(c, key=lambda tag: (-c[tag], tag != "malignant", tag)) for g, c in counts.items()}
    return [best[m.group] for m in kept]


def _fold(
    name: str, strata: Sequence[str], units: Sequence[str], folds: int, seed: int, number: int = 0
) -> set[int]:
    """Positions of fold ``number`` (from 0); fewer folds where no class has as many images."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    folds = min(folds, max(Counter(strata).values(), default=0), len(set(units)))
    if folds < 2 or number >= folds:
        raise DataRefused("too_few", f"{len(strata)} cases cannot be split into train, validation and test.")
    splitter = StratifiedKFold if name == "busi-image" else StratifiedGroupKFold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class smaller than the number of folds: small sets
        chosen = splitter(folds, shuffle=True, random_state=seed).split(np.zeros(len(strata)), strata, units)
        return {int(i) for i in next(islice(chosen, number, None))[1]}
