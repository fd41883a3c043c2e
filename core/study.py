"""A blinded reader study in records: what is asked, who reads which case when, which letter hides which network.

``Study`` is what a reader's page may know. Which letter hides which network is in ``Key``, kept apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core import atomic

FORMAT = 1
LETTERS = "ABC"
REPEATS = 0.1


@dataclass(frozen=True)
class Question:
    """What is asked of each outline: the words, and the answers as they are stored and as they are read."""

    text: str
    answers: Mapping[str, str]
    help: str = ""


QUESTIONS: Mapping[str, Question] = {
    "acceptability": Question(
        "Acceptable as it is?",
        {str(step): str(step) for step in range(1, 6)},
        "1: not at all, 5: fully. From 4 on an outline counts as accepted.",
    ),
    "extent": Question(
        "Extent",
        {"under": "too little", "right": "right", "over": "too much", "both": "both"},
        "Too little: it leaves out some of the lesion. Too much: it takes in what is not lesion.",
    ),
    "edit": Question("Would you edit it?", {"none": "no", "minor": "a little", "major": "a lot"}),
    "confidence": Question("How sure are you?", {"low": "not very", "medium": "fairly", "high": "very"}),
    "ranking": Question(
        "Place",
        {"1": "1st", "2": "2nd", "3": "3rd"},
        "Place among the outlines of this case; the same place twice is a tie.",
    ),
}


@dataclass(frozen=True)
class Study:
    """What a reader's page may know of a study: no network, no seed.

    letters  of its outlines: "AB" or "ABC"
    orders   by reader the case of each position; a case that comes twice is a repeat
    groups   by case the group that counts once in intervals (patient, near-duplicate cluster)
    data     checksum of the prepared data
    """

    id: str
    title: str
    dataset: str
    letters: str
    questions: tuple[str, ...]
    show_reference: bool
    practice: bool
    orders: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, str]
    data: str
    created: str = ""

    @property
    def readers(self) -> tuple[str, ...]:
        """The codes of the readers."""
        return tuple(self.orders)

    @property
    def cases(self) -> tuple[str, ...]:
        """Every case, once."""
        return tuple(sorted(self.groups))

    def is_repeat(self, reader: str, position: int) -> bool:
        """Whether the reader has met the case of this position before."""
        order = self.orders[reader]
        return order[position] in order[:position]

    def answers(self, question: str) -> Mapping[str, str]:
        """The answers a question allows here: of two outlines none is third."""
        known = QUESTIONS[question].answers
        return known if question != "ranking" else dict(list(known.items())[: len(self.letters)])


@dataclass(frozen=True)
class Key:
    """Which letter hides which network: for each reader and position the runs of A, B, C; weights by run."""

    seed: int
    weights: Mapping[str, str]
    hidden: Mapping[str, tuple[tuple[str, ...], ...]]


def order(cases: Sequence[str], repeats: float, seed: int, reader: str) -> tuple[str, ...]:
    """The cases in this reader's own order, with repeats: cases of the first half come again in the second.

    At least one repeat unless ``repeats`` is 0 or there is a single case; the same for the same seed and reader.
    """
    lots = draw(seed, reader, "order")
    found = [cases[at] for at in lots.permutation(len(cases))]
    half = len(found) // 2
    again = min(half, max(1, round(repeats * len(found)))) if repeats else 0
    for case in [found[at] for at in lots.choice(half, again, replace=False)] if again else []:
        start = max(found.index(case) + 2, math.ceil(len(found) / 2))  # never directly after itself
        found.insert(int(lots.integers(min(start, len(found)), len(found) + 1)), case)
    return tuple(found)


def shuffles(
    names: Sequence[str], seed: int, reader: str, cases: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """For each position the runs behind A, B, C: drawn anew for every reader and case, repeats included."""
    found = []
    for position, case in enumerate(cases):
        lots = draw(seed, reader, case, str(cases[:position].count(case)))
        found.append(tuple(names[at] for at in lots.permutation(len(names))))
    return tuple(found)


def draw(seed: int, *parts: str) -> np.random.Generator:
    """Random numbers of their own for every use that ``parts`` names; the same on every machine."""
    digest = atomic.sha256(atomic.canonical([FORMAT, seed, *parts]))
    return np.random.default_rng(int(digest[:32], 16))
