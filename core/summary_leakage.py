"""What a split of single images hides: the same network under two splits of one dataset of pictures.

Where the network was trained over folds as well, every image of the other test part was also scored unseen, and
the two scores of an image are compared; otherwise the two test parts differ, and so do their means for that reason.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import combinations
from typing import Any

from core import runs
from core.cards import DatasetCard
from core.columns import Column, Row, dice_of
from core.metrics import leakage, overlap
from core.plans import endpoint, unnumbered
from core.records import SliceEntry

ALIKE = ("dataset", "model", "seed", "width", "recipe")


def rows(
    card: DatasetCard, entries: Sequence[SliceEntry], columns: Sequence[Column], records: Sequence[Row]
) -> list[dict[str, Any]]:
    """The rows of ``leakage`` in summary.json: first those of two test parts, then those of the same images.

    ``paired`` tells them apart. Paired ones come by ``images``, from ``core.metrics.leakage.IMAGES``.
    """
    own = [column for column in columns if column.plans[0].run.dataset == card.name]
    whole = [c for c in own if len(c.plans) == 1 and c.split == unnumbered(c.split)]
    made = []
    for a, b in combinations(whole, 2):
        if a.split != b.split and _alike(a, b):
            first, second = sorted((a, b), key=lambda column: card.splits.index(column.split))
            made.append(_apart(card, first, second, records))
    for folds in (column for column in own if len(column.plans) > 1):
        for drawn in (column for column in whole if _alike(column, folds)):
            if known := _with_twin(entries, drawn.split):
                made += _paired(card, folds, drawn, known)
    return made


def _alike(a: Column, b: Column) -> bool:
    return all(getattr(a.plans[0].run, key) == getattr(b.plans[0].run, key) for key in ALIKE)


def _with_twin(entries: Sequence[SliceEntry], split: str) -> set[str]:
    """The test cases of a split that have an image of their own group in its training part."""
    trained = {entry.group for entry in entries if entry.parts.get(split) == "train"}
    return {e.case for e in entries if e.parts.get(split) == "test" and e.group in trained}


def _shared(card: DatasetCard, first: Column, second: Column) -> dict[str, Any]:
    return {
        "model": first.model,
        "class": endpoint(card),
        "metric": "dice",
        "rule": overlap.DEFAULT_RULE,
        "runs": [first.name, second.name],
        "splits": [first.split, second.split],
    }


def _apart(card: DatasetCard, first: Column, second: Column, records: Sequence[Row]) -> dict[str, Any]:
    ours, theirs = (dice_of(records, card, column.name) for column in (first, second))
    return {
        **_shared(card, first, second),
        "paired": False,
        "values": [ours["value"], theirs["value"]],
        "n": [ours["n"], theirs["n"]],
        "difference": theirs["value"] - ours["value"],
        "note": "different test images: a difference of means, not a paired comparison",
    }


def _paired(card: DatasetCard, folds: Column, drawn: Column, known: Collection[str]) -> list[dict[str, Any]]:
    scores = [
        {row["case"]: row for row in column.rows[endpoint(card)] if row["n_ref"] > 0}
        for column in (folds, drawn)
    ]
    shared = [case for case in scores[1] if case in scores[0]]
    unseen, seen = ([own[case]["dice"] for case in shared] for own in scores)
    groups = [scores[1][case]["group"] for case in shared]
    unlike = runs.unlike(folds.plans[0].run, drawn.plans[0].run)
    return [
        {**_shared(card, folds, drawn), "paired": True, **found, "settings": unlike}
        for found in leakage.remembered(unseen, seen, groups, [case in known for case in shared])
        if not math.isnan(found["difference"])
    ]
