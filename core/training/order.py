"""Which slices an epoch shows, and in which order: a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.prepared import Arrays
from core.records import SliceEntry

WITH_TUMOUR = 0.5  # share of the drawn slices: tumour is about 0.5 % of the pixels of liver slices
WITHOUT_ORGAN = 0.1  # share of those that show no class at all, where there are any


def rows_of(arrays: Arrays, split: str, part: str) -> np.ndarray:
    """Positions in ``arrays`` of one part of a split, by case and slice."""
    rows = [row for row, entry in enumerate(arrays.entries) if entry.parts.get(split) == part]
    return np.array(sorted(rows, key=lambda row: (arrays.entries[row].case, arrays.entries[row].index)), int)


def cohort(arrays: Arrays, rows: np.ndarray) -> np.ndarray:
    """Those of ``rows`` whose reference shows any class: the study's liver-bearing slices."""
    return np.array([row for row in rows if arrays.entries[row].reference_pixels], int)


def shuffled(rows: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """Every row once."""
    return np.random.default_rng((seed, epoch)).permutation(rows)


def balanced(arrays: Arrays, rows: np.ndarray, count: int, seed: int, epoch: int) -> np.ndarray:
    """``count`` rows drawn so that tumours are seen often and no patient dominates.

    Half show the last class (tumour), a tenth show nothing, the rest only the other classes; a kind that the
    rows lack is left to the others. Within a kind all groups (patients) are drawn equally often, and a group's
    slices take turns in a random order before one is repeated.
    """
    rng = np.random.default_rng((seed, epoch))
    kinds: dict[str, dict[str, list[int]]] = {"tumour": {}, "none": {}, "organ": {}}
    for row in rows:
        entry = arrays.entries[row]
        kinds[_kind(entry)].setdefault(entry.group, []).append(int(row))
    share = {"tumour": WITH_TUMOUR, "none": WITHOUT_ORGAN, "organ": 1 - WITH_TUMOUR - WITHOUT_ORGAN}
    present = [kind for kind in kinds if kinds[kind]]
    total = sum(share[kind] for kind in present)
    drawn: list[int] = []
    for place, kind in enumerate(present):
        left = count - len(drawn)
        wanted = left if place == len(present) - 1 else round(count * share[kind] / total)
        drawn += _in_turn(list(kinds[kind].values()), wanted, rng)
    return rng.permutation(np.array(drawn, int))


def _kind(entry: SliceEntry) -> str:
    if not entry.reference_pixels:
        return "none"
    return "tumour" if entry.class_pixels[-1] else "organ"


def _in_turn(groups: Sequence[Sequence[int]], wanted: int, rng: np.random.Generator) -> list[int]:
    """``wanted`` rows: the groups in turn, in a new order each round; a group's rows in turn, too."""
    waiting: list[list[int]] = [[] for _ in groups]
    drawn: list[int] = []
    while len(drawn) < wanted:
        for place in rng.permutation(len(groups))[: wanted - len(drawn)]:
            if not waiting[place]:
                waiting[place] = rng.permutation(groups[place]).tolist()
            drawn.append(waiting[place].pop())
    return drawn
