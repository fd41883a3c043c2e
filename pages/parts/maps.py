"""The heatmaps of one case as panels: which questions and layers, one scale, states and numbers in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core import (
    PAPER_TARGET,
    CoreError,
    Heatmap,
    Slice,
    Target,
    heatmap_numbers,
    list_networks,
    state_sentence,
)
from pages.parts import cached, words
from pages.parts.case import Reading
from pages.parts.panels import STYLES, HeatLayer, Panel

REGIONS = {
    "predicted": "Predicted",
    "reference": "Reference",
    "whole_image": "Whole image (paper)",
}
UNITS = {"log_odds": "log-odds", "logit": "logit", "probability": "probability"}
EXPLAINED = {  # numbers under a map: title, and what it means
    "energy_in_reference": ("Energy in reference", "share of the map's positive evidence inside the outline"),
    "lift": ("Lift", "that share over the outline's share of the picture; 1 is chance"),
    "pointing_hit": ("Pointing game", "is the hottest point on the outline, half a cell of leeway?"),
    "raw_maximum": ("Raw maximum", "the strongest supporting evidence, before any scaling"),
    "score": ("Score explained", "mean of the score over the region asked about"),
    "mean_probability": ("Mean probability", "of the class, over the region asked about"),
    "redundancy": ("Redundancy", "rank correlation of map and probability; from 0.95 the map is a copy"),
}


@dataclass(frozen=True)
class Question:
    """One row of the grid: what every network is asked, and in which layer."""

    method: str
    layer: str
    target: Target

    @property
    def title(self) -> str:
        """The row's heading."""
        asked = f"{words.layer(self.layer)} · {self.target.region.replace('_', ' ')}"
        return asked if self.target.class_name == "tumour" else f"{self.target.class_name} · {asked}"


@dataclass(frozen=True, eq=False)
class Map:
    """One network's answer: the heatmap, or words; the numbers beside it in words, by their titles."""

    reading: Reading
    question: Question
    heatmap: Heatmap | None
    message: str
    numbers: Mapping[str, str]
    short: str


def target_of(region: str, class_name: str) -> Target:
    """The question behind a region's name; the whole image is asked exactly as in the paper."""
    if region == "whole_image":
        return Target(class_name=class_name, region=region, kind=PAPER_TARGET.kind)
    return Target(class_name=class_name, region=region)


def layers_of(readings: Sequence[Reading]) -> dict[str, str]:
    """Layers that every chosen network has, deepest first, with their titles."""
    cards = [list_networks()[reading.model] for reading in readings]
    shared = [name for name in cards[0].layers if all(name in card.layers for card in cards)]
    return {name: words.layer(name) for name in shared}


def ask(question: Question, readings: Sequence[Reading], one: Slice) -> list[Map]:
    """Every network's stored answer to one question; what is missing or failed says so."""
    return [_answer(question, reading, one) for reading in readings]


def _answer(question: Question, reading: Reading, one: Slice) -> Map:
    if reading.prediction is None or reading.run is None:
        return Map(reading, question, None, reading.message, {}, "")
    try:
        found = cached.stored_map(reading.run, one, question.method, question.layer, question.target)
        if found is None:
            return Map(reading, question, None, "Not computed for this case.", {}, "")
        numbers = heatmap_numbers(found, one, reading.prediction)
    except CoreError as error:
        return Map(reading, question, None, str(error), {}, "")
    unit = UNITS[question.target.kind]
    said = {title: _said(key, numbers, unit) for key, (title, _) in EXPLAINED.items()}
    return Map(reading, question, found, "", said, _short(numbers))


def _said(key: str, numbers: Mapping[str, float], unit: str) -> str:
    value = numbers.get(key, math.nan)
    if not math.isfinite(value):
        return f"{words.UNDEFINED}: {getattr(numbers, 'why', {}).get(key, 'undefined')}"
    return {
        "energy_in_reference": lambda: words.percent(value),
        "lift": lambda: f"{value:.1f} × chance",
        "pointing_hit": lambda: "hit" if value == 1 else "miss" if value == 0 else f"tie, {value:.0%} inside",
        "raw_maximum": lambda: f"{words.signed(value)} {unit} per cell",
        "score": lambda: f"{words.signed(value)} {unit}",
        "mean_probability": lambda: words.number(value, 3),
        "redundancy": lambda: words.number(value, 2),
    }[key]()


def _short(numbers: Mapping[str, float]) -> str:
    energy, lift = numbers.get("energy_in_reference", math.nan), numbers.get("lift", math.nan)
    return f"{words.percent(energy)} in reference, {lift:.1f} × chance" if math.isfinite(energy) else ""


def is_missing(answer: Map) -> bool:
    """Whether a usable network has not been asked this question yet."""
    usable = answer.reading.run is not None and answer.reading.run.problem is None
    return usable and answer.heatmap is None and answer.message.startswith("Not computed")


def limits(answers: Sequence[Map], *, shared: bool, signed: bool) -> dict[str, float]:
    """The value at full colour by network: one for all, or each map's own; never 0 where there is a map."""
    own = {a.reading.model: _limit(a.heatmap.values, signed) for a in answers if a.heatmap is not None}
    together = max((value for value in own.values()), default=0.0)
    return {model: together if shared else value for model, value in own.items()}


def _limit(values: np.ndarray, signed: bool) -> float:
    top = float(np.abs(values).max() if signed else values.max())
    return top if top > 0 else float(np.abs(values).max())


def panel(answer: Map, limit: float, *, shared: bool) -> Panel:
    """The panel of one answer: the map with its colour bar, or the words that stand in for it."""
    reading, found = answer.reading, answer.heatmap
    style = STYLES.get(reading.model, STYLES["reference"])
    heat = None
    if found is not None:
        scale = "one scale for all networks" if shared else "own scale: colours cannot be compared"
        heat = HeatLayer(
            values=found.values,
            limit=limit,
            label=f"{UNITS[found.target.kind]} per cell, {scale}",
            state="ok" if found.state == "redundant_with_prediction" else found.state,  # the badge says it
            state_text="" if found.state == "redundant_with_prediction" else state_sentence(found),
            redundant="redundant_with_prediction" in (found.state, *found.notes),
        )
    return Panel(
        title=reading.title,
        subtitle=answer.question.title,
        colour=style.colour,
        dash=style.dash,
        # without a map the words stand alone: an outline would look like an answer
        labels=None if found is None else reading.labels,
        probability=None if found is None else _probability(reading),
        heat=heat,
        message=answer.message or ("" if found is None else state_sentence(found)),
        summary=answer.short,
        network=reading.title,
        run=reading.stamp,
    )


def _probability(reading: Reading) -> np.ndarray | None:
    return None if reading.prediction is None else reading.prediction.probability[..., -1]


def table(answers: Sequence[Map]) -> pd.DataFrame:
    """The states and numbers of one row of maps, one column per network, with what each number is."""
    columns = {}
    for answer in answers:
        state = answer.message if answer.heatmap is None else state_sentence(answer.heatmap) or "ok"
        none = dict.fromkeys((title for title, _ in EXPLAINED.values()), words.UNDEFINED)
        columns[answer.reading.title] = {"State": state} | (dict(answer.numbers) or none)
    columns["What it is"] = {"State": "what the map can say"} | dict(EXPLAINED.values())
    return pd.DataFrame(columns)
