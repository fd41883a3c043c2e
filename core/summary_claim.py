"""Rows of numbers about maps -> which network focuses more, with intervals over groups. No pixels here."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.explain.definitions import FOCUS_NUMBERS
from core.metrics import statistics

FOCUSED = "multiresunet"  # the network that the study says focuses best
CONTROL = "decoder_1"  # its map repeats the prediction by algebra: listed, not counted
DEFAULT = ("bottleneck", "gradcam")
MATCHED = 0.05  # of Dice: cases on which two networks are equally right
NUMBERS = (
    "energy_in_reference", "lift", "pointing_hit", "topk_iou", "deviation_percent", "deviation_mm", "sparseness",
)  # fmt: skip
WAYS = {
    "raw": "over all cases",
    "matched": f"where both outlines are equally good (Dice within {MATCHED})",
    "adjusted": "at equal Dice by regression",
}
LEAST_FOR_A_LINE = 8  # groups: below, the intercept of a regression is guesswork

Row = Mapping[str, Any]
Place = tuple[str, str, str]  # class, layer, method


def means(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Mean with interval over groups of every number that is defined, by run, class, layer and method."""
    held: dict[tuple[str, Place], list[Row]] = {}
    for row in rows:
        held.setdefault((row["run"], _place(row)), []).append(row)
    made = []
    for (run, place), own in held.items():
        for number in NUMBERS:
            groups = [row["group"] for row in own]
            by_group = statistics.group_means([row[number] for row in own], groups)
            found = statistics.interval(list(by_group.values()))
            if found.n:
                made.append({"run": run, **_about(place), "number": number, **_interval(found)})
    return made


def differences(rows: Sequence[Row], models: Mapping[str, str]) -> list[dict[str, Any]]:
    """The focused network minus each other one, case by case, in three ways (``WAYS``), by class, layer, method.

    ``models`` are the networks by run, the focused one's first. Only cases where both maps have the number count;
    ``left_out`` says how many have it for one network alone.
    """
    held: dict[tuple[str, Place], dict[tuple[str, int], Row]] = {}
    for row in rows:
        if not row["method"].startswith("baseline"):
            held.setdefault((row["run"], _place(row)), {})[row["case"], row["index"]] = row
    focused, *others = models
    made = []
    for place in dict.fromkeys(place for _, place in held):
        ours = held.get((focused, place), {})
        for other in others:
            theirs = held.get((other, place), {})
            pairs = [(ours[case], theirs[case]) for case in ours if case in theirs]
            for number in NUMBERS:
                about = {**_about(place), "number": number, "against": models[other], "run": other}
                made += _ways(about, pairs, number)
    return made


def _ways(about: Row, pairs: Sequence[tuple[Row, Row]], number: str) -> list[dict[str, Any]]:
    known = [(a, b) for a, b in pairs if math.isfinite(a[number]) and math.isfinite(b[number])]
    one_only = sum(math.isfinite(a[number]) != math.isfinite(b[number]) for a, b in pairs)
    if not known:
        return []
    equal = [(a, b) for a, b in known if abs(a["dice"] - b["dice"]) <= MATCHED]
    found = {
        "raw": statistics.interval(_by_group(known, number)),
        "matched": statistics.interval(_by_group(equal, number)),
        "adjusted": at_equal_dice(_by_group(known, number), _by_group(known, "dice")),
    }
    return [{**about, "way": way, **_interval(one), "left_out": one_only} for way, one in found.items()]


def _by_group(pairs: Sequence[tuple[Row, Row]], number: str) -> list[float]:
    gaps = [a[number] - b[number] for a, b in pairs]
    return list(statistics.group_means(gaps, [a["group"] for a, _ in pairs]).values())


def at_equal_dice(gaps: Sequence[float], dice: Sequence[float], seed: int = 0) -> statistics.Interval:
    """The gap that a straight line over the difference in Dice has at 0, with a 95 % bootstrap interval of groups.

    NaN for fewer than 8 groups; without any difference in Dice, the plain mean.
    """
    n, values, along = len(gaps), np.asarray(gaps, float), np.asarray(dice, float)
    if n < LEAST_FOR_A_LINE or len(along) != n:
        return statistics.Interval(math.nan, math.nan, math.nan, n, f"n < {LEAST_FOR_A_LINE}: no regression")
    if not along.any():
        return statistics.interval(values)
    drawn = np.random.default_rng(seed).integers(n, size=(statistics.RESAMPLES, n))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a draw of one group alone has no line: NaN, left out below
        every = _intercepts(values[drawn], along[drawn])
    low, high = np.nanpercentile(every, (2.5, 97.5))
    note = "approximate, n < 20" if n < statistics.APPROXIMATE_BELOW else ""
    return statistics.Interval(float(_intercepts(values, along)), float(low), float(high), n, note)


def _intercepts(values: np.ndarray, along: np.ndarray) -> np.ndarray:
    centre = along.mean(axis=-1, keepdims=True)
    spread = ((along - centre) ** 2).sum(axis=-1)
    slope = ((along - centre) * values).sum(axis=-1) / np.where(spread > 0, spread, np.nan)
    return np.asarray(values.mean(axis=-1) - slope * centre[..., 0])


def verdicts(found: Sequence[Row], titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the differences add up to, by class, number, rival and way, each with its sentence.

    A kind of map is a layer and a method, the control layer aside. More, less: the interval lies wholly on that
    side of 0, in the direction that means more focus. Nothing is corrected for so many comparisons: a share of
    one in forty on each side is what chance gives.
    """
    made = []
    for key in dict.fromkeys((row["class"], row["number"], row["against"], row["way"]) for row in found):
        own = [row for row in found if (row["class"], row["number"], row["against"], row["way"]) == key]
        counted = [row for row in own if row["layer"] != CONTROL and math.isfinite(row["low"])]
        sign = -1 if FOCUS_NUMBERS[key[1]].direction == "lower" else 1
        ends = [sorted((sign * row["low"], sign * row["high"])) for row in counted]
        more, less = sum(low > 0 for low, _ in ends), sum(high < 0 for _, high in ends)
        default = next((row for row in own if (row["layer"], row["method"]) == DEFAULT), None)
        verdict = dict(zip(("class", "number", "against", "way"), key, strict=True))
        verdict |= {"kinds": len(counted), "more": more, "less": less}
        verdict |= {name: default[name] if default else None for name in ("mean", "low", "high", "n", "note")}
        made.append(verdict | {"sentence": _sentence(verdict, titles)})
    return made


def _sentence(verdict: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    card = FOCUS_NUMBERS[verdict["number"]]
    pair = f"{titles.get(FOCUSED, FOCUSED)} against {titles.get(verdict['against'], verdict['against'])}"
    start = f"{card.title}, {verdict['class']}, {pair}, {WAYS[verdict['way']]}"
    if not verdict["kinds"]:
        return f"{start}: too few groups to tell."
    better, worse = {"neither": ("higher", "lower")}.get(card.direction, ("more focused", "less focused"))
    undecided = verdict["kinds"] - verdict["more"] - verdict["less"]
    said = f"{start}: {better} in {verdict['more']} of {verdict['kinds']} kinds of map, "
    said += f"{worse} in {verdict['less']}, undecided in {undecided}"
    if verdict["mean"] is None or not math.isfinite(verdict["mean"]):
        return f"{said}."
    interval = ""
    if math.isfinite(verdict["low"]):
        interval = f" [{verdict['low']:+.3g}, {verdict['high']:+.3g}]"
    note = f" ({verdict['note']})" if verdict["note"] else ""
    unit = f" {card.unit}" if card.unit in ("mm", "%") else ""
    said += f"; Grad-CAM at the bottleneck {verdict['mean']:+.3g}{unit}{interval}"
    return f"{said}, n = {verdict['n']} groups{note}."


def _place(row: Row) -> Place:
    return row["class"], row["layer"], row["method"]


def _about(place: Place) -> dict[str, Any]:
    return dict(zip(("class", "layer", "method"), place, strict=True))


def _interval(found: statistics.Interval) -> dict[str, Any]:
    return {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n, "note": found.note}
