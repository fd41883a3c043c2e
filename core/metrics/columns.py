"""A table of scores as plain data: columns of numbers by metric, with what each number and each column carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PER_CASE, POOLED = "per_case", "pooled"  # a mean over cases; counts summed, then the formula once


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    value      as given; the true one lies within ``half`` of it: half a unit of the last digit
    decimals   as shown
    n          cases behind this number, undefined: cases without a value, left out of it; None: not stated
    """

    value: float
    half: float
    decimals: int
    n: int | None = None
    undefined: int | None = None

    @property
    def low(self) -> float:
        """The least it can be."""
        return self.value - self.half

    @property
    def high(self) -> float:
        """The most it can be."""
        return self.value + self.half

    def __str__(self) -> str:
        return f"{self.value:.{self.decimals}f}"


@dataclass(frozen=True)
class Column:
    """One column of a table: cells by metric, and what all of them carry. None: not stated.

    aggregation  PER_CASE, a mean over cases; POOLED, counts summed and then the formula once; or another name
    interval     what interval there is, or why there is none
    prevalence   share of the class among all pixels that the accuracy is about
    """

    title: str
    cells: Mapping[str, Cell]
    aggregation: str | None = None
    class_name: str | None = None
    dataset: str | None = None
    rule: str | None = None
    threshold: str | None = None
    grid: str | None = None
    split: str | None = None
    cases: str | None = None
    n: int | None = None
    interval: str | None = None
    prevalence: float | None = None


def printed(text: str) -> Cell:
    """A number as printed, such as "0.51207": five decimals, known to half a unit of the fifth."""
    decimals = len(text.partition(".")[2])
    return Cell(float(text), 0.5 * 10.0**-decimals, decimals)


Columns = Sequence[Column]


def answer(known: Sequence[object], bad: Sequence[str], sentence: str) -> str | None:
    """What a check answers: None without anything ``known`` to check, "" without ``bad``, else the sentence.

    ``sentence`` has one pair of braces, for what is bad.
    """
    if not known:
        return None
    return sentence.format("; ".join(bad)) if bad else ""
