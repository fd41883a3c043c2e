"""How stable the order of the networks is, in one sentence per family. No numbers are made here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.metrics import statistics
from core.metrics.conventions import PAPER_TABLE_2, PAPER_TABLE_3

Row = Mapping[str, Any]
CERTAIN_FROM = 0.995  # resamples say no more than "over 0.99", and a rounded 1.00 would
FIRST = {  # what the paper's tables rank first by Dice, by dataset
    table["dataset"]: max(table["values"]["dice"], key=lambda model: float(table["values"]["dice"][model]))
    for table in (PAPER_TABLE_2, PAPER_TABLE_3)
}


def sentence(order: Row, pairs: Sequence[Row], models: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """Which network has the best mean on these cases, how often it keeps that place, and whether it is decided.

    ``order`` is the family's row of ranks and ``pairs`` its comparisons; ``models`` are networks by run, ``titles``
    by network. Decided: against every other network the 95 % interval of the difference lies above 0 and the paired
    test, after Holm, agrees (p < 0.05). Below 5 groups there is neither probability nor interval, and the sentence
    says so.
    """
    named = {run: titles.get(model, model) for run, model in models.items()}
    n, units, what = order["n"], order["n_unit"], f"mean {order['class']} Dice"
    if not n:
        return f"Nothing to rank: none of the {units} has a {order['class']} Dice for every network."
    if n == 1:
        units = units.removesuffix("s")
    best = _leaders(pairs, models)
    if len(best) != 1:
        return f"On these cases {_list([named[run] for run in best])} share the best {what} ({n} {units})."
    (first,) = best
    rivals = _gaps(first, pairs)
    second = min(rivals, key=lambda run: rivals[run]["difference"])
    paper = _beside_the_paper(order, first, rivals, models, named)
    gap = _said(rivals[second])
    if n < statistics.POINTS_BELOW:
        said = f"On these cases {named[first]} has the best {what}, {gap} against {named[second]}, the next"
        limit = f"no probability and no interval below {statistics.POINTS_BELOW}"
        return f"{said}: too few to rank (n = {n} {units}, {limit}){paper}."
    share = order["share"][first][0]
    often = "over 0.99" if share >= CERTAIN_FROM else f"{share:.2f}"
    probability = f"with probability {often} (bootstrap over {n} {units})"
    return (
        f"On these cases {named[first]} has the best {what} {probability}; its difference to {named[second]}, the "
        f"next, is {gap}: {_verdict(rivals, second, named, n)}{paper}."
    )


def with_lesion_free(
    order: Row, pairs: Sequence[Row], models: Mapping[str, str], titles: Mapping[str, str]
) -> str:
    """What becomes of the lead when cases without a lesion count too; empty where there are none, or no lead.

    The arguments are those of ``sentence``. An interval above 0 on lesion cases that is not above 0 here is named.
    """
    best = _leaders(pairs, models)
    if not order["lesion_free"] or not order["n"] or len(best) != 1:
        return ""
    (first,) = best
    named = {run: titles.get(model, model) for run, model in models.items()}
    drawn = _list([f"{named[run]} {order['drawn_on'][run]}" for run in models])
    counted = [{**pair, **pair["with_lesion_free"]} for pair in pairs]
    before, after = _gaps(first, pairs), _gaps(first, counted)
    told = _list([f"{_said(gap)} to {named[run]}" for run, gap in after.items()])
    gone = [named[run] for run, gap in after.items() if before[run]["low"] > 0 and not gap["low"] > 0]
    lost = f": the lead over {_list(gone)} is not seen there" if gone else ""
    return (
        f"Cases without a {order['class']}: {order['lesion_free']}; drawn on by {drawn}. With these counted too, 1 "
        f"where nothing is drawn and else 0, the difference of {named[first]} is {told} "
        f"({counted[0]['n']} {order['n_unit']}){lost}."
    )


def _said(gap: Row) -> str:
    """A difference with its interval, where it has one."""
    limits = "" if math.isnan(gap["low"]) else f" [{gap['low']:+.3f}, {gap['high']:+.3f}]"
    return f"{gap['difference']:+.3f}{limits}"


def _leaders(pairs: Sequence[Row], models: Mapping[str, str]) -> list[str]:
    """The run with the best mean, or those that share it."""
    return [run for run in models if all(gap["difference"] >= 0 for gap in _gaps(run, pairs).values())]


def _gaps(run: str, pairs: Sequence[Row]) -> dict[str, dict[str, float]]:
    """The differences of one run to each other one, with their intervals turned to its side, and their p."""
    found = {}
    for pair in pairs:
        if pair["a"] == run:
            found[pair["b"]] = {end: pair[end] for end in ("difference", "low", "high", "p_holm")}
        elif pair["b"] == run:
            found[pair["a"]] = {
                "difference": -pair["difference"], "low": -pair["high"], "high": -pair["low"],
                "p_holm": pair["p_holm"],
            }  # fmt: skip
    return found


def _is_clear(gap: Row) -> bool:
    return bool(gap["low"] > 0 and gap["p_holm"] < statistics.ALPHA)  # neither where it is NaN


def _verdict(rivals: Mapping[str, Row], second: str, named: Mapping[str, str], n: int) -> str:
    rough = f" (approximate, n < {statistics.APPROXIMATE_BELOW})" if n < statistics.APPROXIMATE_BELOW else ""
    open_ = [run for run, gap in rivals.items() if not _is_clear(gap)]
    if not open_:
        return f"decided on these cases{rough}"
    against = "" if second in open_ else f" against {_list([named[run] for run in open_])}"
    return f"not decided{against}{_of_two_minds(rivals[second])}{rough}"


def _of_two_minds(gap: Row) -> str:
    """Why an interval above 0 does not decide, where that is so."""
    if not gap["low"] > 0 or _is_clear(gap):
        return ""
    if math.isnan(gap["p_holm"]):
        return ", too few for the paired test"
    return f", since the paired test says p = {gap['p_holm']:.3f} after Holm"


def _beside_the_paper(
    order: Row,
    first: str,
    rivals: Mapping[str, Row],
    models: Mapping[str, str],
    named: Mapping[str, str],
) -> str:
    """What that means for the paper's ranking, on the paper's datasets; empty elsewhere."""
    theirs = next((run for run, model in models.items() if model == FIRST.get(order["dataset"])), None)
    if theirs is None:
        return ""
    if theirs == first:
        return "; the paper ranks it first too"
    if not _is_clear(rivals[theirs]):
        return f"; the paper ranks {named[theirs]} first, which these cases neither bear out nor refute"
    return f"; this contradicts the paper, which ranks {named[theirs]} first"


def _list(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
