"""Rows of counts -> paired comparisons of runs on the endpoint Dice and the stability of their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from core.metrics import overlap, statistics, tables

Row = Mapping[str, Any]
WHOLE_RULE = "empty-is-one"  # where lesion-free cases are to count


def comparisons(
    rows: Mapping[str, Sequence[Row]], about: Mapping[str, Any], note: str = "", n_unit: str = "groups"
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Every pair of comparable runs on the endpoint Dice, Holm-corrected, and the stability of their order.

    ``rows`` are by run, all over the same cases of one class. A group enters only when it is defined for all
    runs; ``left_out`` says how many are not. The difference is first minus second. ``with_lesion_free`` is the
    same difference with lesion-free cases counted too (rule ``empty-is-one``), None where there are none: a lead
    may rest on drawing more, which lesion cases alone reward.
    """
    each = {
        run: statistics.group_means([tables.case_value(r, "dice") for r in own], [r["group"] for r in own])
        for run, own in rows.items()
    }
    seen = set().union(*each.values()) if each else set()
    shared = sorted(group for group in seen if all(group in values for values in each.values()))
    table = np.array([[each[run][group] for run in each] for group in shared]).reshape(len(shared), len(each))
    pairs = list(combinations(range(len(each)), 2))
    tests = [statistics.paired(table[:, a], table[:, b], len(pairs)) for a, b in pairs]
    corrected = statistics.holm([test.p for test in tests])
    names = list(each)
    alarms = {run: tables.false_alarms(own) for run, own in rows.items()}
    lesion_free = max((found["lesion_free"] for found in alarms.values()), default=0)
    whole = {run: _whole(own) for run, own in rows.items()} if lesion_free else {}
    shares = {
        "metric": "dice",
        "rule": tables.RULE,
        "n_unit": n_unit,
        "left_out": len(seen) - len(shared),
        "kind": note,
    }
    made = [
        {
            **about,
            **shares,
            "a": names[a],
            "b": names[b],
            "difference": test.difference.mean,
            "low": test.difference.low,
            "high": test.difference.high,
            "n": test.difference.n,
            "p": test.p,
            "p_holm": p,
            "comparisons": len(pairs),
            "effect": test.effect,
            "won": test.won,
            "tied": test.tied,
            "lost": test.lost,
            "note": test.note,
            "with_lesion_free": _between(whole[names[a]], whole[names[b]]) if whole else None,
        }
        for (a, b), test, p in zip(pairs, tests, corrected, strict=True)
    ]
    drawn_on = {run: found["drawn_on"] for run, found in alarms.items()}
    order = {**about, **shares, "lesion_free": lesion_free, "drawn_on": drawn_on}
    return made, order | _ranks(table, names)


def _whole(rows: Sequence[Row]) -> dict[str, float]:
    """Dice by group over all cases: a lesion-free one counts 1 where nothing is drawn on it, else 0."""
    values = [overlap.under_rule("dice", tables.native(row), WHOLE_RULE) for row in rows]
    return statistics.group_means(values, [row["group"] for row in rows])


def _between(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, Any]:
    found = statistics.interval([one[group] - other[group] for group in one])
    return {"difference": found.mean, "low": found.low, "high": found.high, "n": found.n, "rule": WHOLE_RULE}


def _ranks(table: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    found = statistics.ranks(table)
    winners = [
        None if index is None else names[index] for index in (found.mean_then_rank, found.rank_then_mean)
    ]
    return {
        "n": len(table),
        "share": dict(zip(names, found.share, strict=True)) if found.share else {},
        "tau": found.tau,
        "mean_then_rank": winners[0],
        "rank_then_mean": winners[1],
        "note": found.note,
    }
