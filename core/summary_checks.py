"""Rows of a certificate -> means with intervals over groups. No pixels and no network here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.explain.definitions import BASELINES
from core.metrics import statistics

DEFAULT_METHOD = "gradcam"  # deletion and insertion cost hundreds of passes per map: of this method only
AGAINST_BASELINES = ("deletion", "insertion", "fall_at_10", "dice_deletion", "road")
BY_DEPTH = ("random_rank_", "random_similarity_")
LIKE_RANDOM, LIKE_OTHERS = "random_similarity_all", "pairs_similarity"
KEYS = ("class", "layer", "method")
ABOUT = ("case", "index", "group", *KEYS)

Row = Mapping[str, Any]


def summarise(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A summary row per class, layer, method and number that is defined in at least one group.

    ``rows`` are those of the certificate's table. Beside the numbers themselves: the gap between a map's likeness
    to that of random weights and to that of another case, and the default method's gaps to every baseline.
    """
    made = []
    for at in dict.fromkeys(_at(row) for row in rows):
        own = [row for row in rows if _at(row) == at]
        for column in (name for name in own[0] if name not in ABOUT):
            number, depth = _split(column)
            made.append(_mean(at, number, [(row["group"], row[column]) for row in own], depth=depth))
        gaps = [(row["group"], row[LIKE_RANDOM] - row[LIKE_OTHERS]) for row in own]
        made.append(_mean(at, "random_similarity", gaps, depth="all", against="pairs"))
        if at[2] == DEFAULT_METHOD:
            made += _gaps(at, own, rows)
    return [row for row in made if row["n"]]


def _at(row: Row) -> tuple[str, ...]:
    return tuple(row[key] for key in KEYS)


def _split(column: str) -> tuple[str, str]:
    """ "random_rank_decoder_4" -> the number and the depth; any other column as it is, without depth."""
    for start in BY_DEPTH:
        if column.startswith(start):
            return start.removesuffix("_"), column.removeprefix(start)
    return column, ""


def _gaps(at: tuple[str, ...], own: Sequence[Row], rows: Sequence[Row]) -> list[dict[str, Any]]:
    made = []
    for name in BASELINES:
        drawn = {_case(row): row for row in rows if _at(row) == (*at[:2], f"baseline {name}")}
        for number in AGAINST_BASELINES:
            pairs = [(row, drawn[_case(row)]) for row in own if number in row and _case(row) in drawn]
            gaps = [(row["group"], row[number] - other[number]) for row, other in pairs]
            made.append(_mean(at, number, gaps, against=name))
    return made


def _case(row: Row) -> tuple[str, int]:
    return row["case"], row["index"]


def _mean(
    at: tuple[str, ...], number: str, values: Sequence[tuple[str, float]], depth: str = "", against: str = ""
) -> dict[str, Any]:
    groups = [group for group, _ in values]
    by_group = statistics.group_means([value for _, value in values], groups)
    found = statistics.interval(list(by_group.values()))
    about = dict(zip(KEYS, at, strict=True)) | {"number": number, "depth": depth, "against": against}
    undefined = sum(math.isnan(value) for _, value in values)
    return {
        **about, "mean": found.mean, "low": found.low, "high": found.high, "n": found.n, "undefined": undefined,
        "note": found.note,
    }  # fmt: skip
