"""The heatmaps of one case as panels: every network's answer, one scale, states and numbers in words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from core import CoreError, Heatmap, Slice, list_methods, state_sentence, target_sentence
from pages.parts import cached, words
from pages.parts.case import Reading
from pages.parts.panels import STYLES, UNDRAWN, HeatLayer, Panel
from pages.parts.questions import IMAGE, UNITS, Question, mask_of, target_of

NOT_COMPUTED = "Not computed for this case."
CLICK = "Click a place in the picture: each network is asked why it says what it says there."
SCALES = {"shared": "One per row", "all": "One for all rows", "own": "Each its own"}
SCALE_WORDS = {
    "shared": "one scale for all networks",
    "all": "one scale for all rows and networks",
    "own": "own scale: colours cannot be compared",
}


@dataclass(frozen=True, eq=False)
class Map:
    """One network's answer: the heatmap, or words; and the numbers beside it.

    target   what this network was asked; ``mask`` the region "shared"
    lacks    a usable network has not been asked this yet
    """

    reading: Reading
    question: Question
    heatmap: Heatmap | None = None
    message: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    mask: np.ndarray | None = None
    lacks: bool = False

    @property
    def unit(self) -> str:
        """What the map's values are, in words."""
        card = list_methods()[self.question.method]
        if not card.has_shared_unit:
            return "activation, in the network's own unit,"
        return UNITS[self.question.target.kind]

    @property
    def is_silent(self) -> bool:
        """Whether there is no map to draw."""
        found = self.heatmap
        if found is None or found.state not in UNDRAWN:
            return found is None
        # of a class that is predicted nowhere the likeliest pixels are explained: the state stays, the map is drawn
        return found.target.region != "top_percent" or not found.values.any()


def ask(question: Question, readings: Sequence[Reading], one: Slice) -> list[Map]:
    """Every network's stored answer to one question; what is missing or failed says so."""
    mask = mask_of(question, one, readings)
    return [_answer(question, reading, one, mask) for reading in readings]


def _answer(question: Question, reading: Reading, one: Slice, mask: np.ndarray | None) -> Map:
    run, prediction = reading.run, reading.prediction
    if prediction is None or run is None:
        lacks = reading.is_missing and not question.is_open
        return Map(reading, question, message=reading.message, lacks=lacks)
    if question.is_open:
        return Map(reading, question, message=CLICK)
    asked = {question.target.class_name, question.target.rival} - {""}
    if unknown := asked - set(run.classes):
        return Map(reading, question, message=f"{reading.title} knows no class {min(unknown)}.")
    try:
        target = target_of(question, prediction, run.classes)
        found = cached.stored_map(run, one, question.method, question.layer, target, mask)
        if found is None:
            return Map(reading, question, message=NOT_COMPUTED, mask=mask, lacks=True)
        numbers = cached.map_numbers(run, one, found, prediction, mask)
    except CoreError as error:
        return Map(reading, question, message=str(error))
    return Map(reading, question, found, numbers=numbers, mask=mask)


def sentence(answer: Map) -> str:
    """The question in words, as this network was asked; empty without an answer."""
    return "" if answer.heatmap is None else target_sentence(answer.heatmap.run, answer.heatmap.target)


def state_words(answer: Map) -> str:
    """What can be said of a map in words: why there is none, its state; "ok" when it speaks for itself."""
    if answer.heatmap is None:
        return answer.message
    also = "no_positive_evidence" in answer.heatmap.notes and not answer.is_silent
    more = state_sentence(replace(answer.heatmap, state="no_positive_evidence")) if also else ""
    return " ".join(filter(None, [state_sentence(answer.heatmap), more])) or "ok"


def limits(rows: Sequence[Sequence[Map]], *, scale: str, signed: bool) -> list[list[float]]:
    """The value at full colour of every map, row by row: one per row, one for all, or each map's own.

    0 where there is no map, never where there is one. Maps of different units never share a scale, nor do those in
    a unit of the network's own.
    """
    if scale == "all":
        flat = iter(_row_limits([answer for row in rows for answer in row], is_shared=True, signed=signed))
        return [[next(flat) for _ in row] for row in rows]
    return [_row_limits(row, is_shared=scale == "shared", signed=signed) for row in rows]


def _row_limits(answers: Sequence[Map], *, is_shared: bool, signed: bool) -> list[float]:
    tops: dict[str, float] = {}
    for answer in answers:
        if answer.heatmap is not None:
            tops[answer.unit] = max(tops.get(answer.unit, 0.0), _top(answer.heatmap.values, signed))
    found = []
    for answer in answers:
        if answer.heatmap is None:
            found.append(0.0)
            continue
        values = answer.heatmap.values
        shares = is_shared and list_methods()[answer.question.method].has_shared_unit
        # a map without anything positive still needs a scale, but sets none for the others
        found.append(tops[answer.unit] if shares and tops[answer.unit] > 0 else _own(values, signed))
    return found


def _own(values: np.ndarray, signed: bool) -> float:
    return _top(values, signed) or float(np.abs(values).max())


def _top(values: np.ndarray, signed: bool) -> float:
    return max(float(np.abs(values).max() if signed else values.max()), 0.0)


def scale_label(answer: Map, scale: str) -> str:
    """Unit and scale in words, for the colour bar."""
    per = "pixel" if answer.question.layer == IMAGE else "cell"
    if not list_methods()[answer.question.method].has_shared_unit:
        scale = "own"
    return f"{answer.unit} per {per}, {SCALE_WORDS[scale]}"


def panel(answer: Map, limit: float, *, scale: str) -> Panel:
    """The panel of one answer: the map with its colour bar, or the words that stand in for it."""
    reading, found = answer.reading, answer.heatmap
    style = STYLES.get(reading.model, STYLES["reference"])
    heat, told = None, state_words(answer)
    is_shown = found is not None or answer.question.is_open
    if found is not None:
        is_redundant = not answer.is_silent and "redundant_with_prediction" in (found.state, *found.notes)
        has_badge_alone = found.state == "redundant_with_prediction"
        heat = HeatLayer(
            values=found.values,
            limit=limit,
            label=scale_label(answer, scale),
            state=found.state if answer.is_silent else "ok",
            state_text="" if has_badge_alone or told == "ok" else told,
            redundant=is_redundant,
            stamp=stamp(answer, limit, scale),
        )
    return Panel(
        title=reading.title,
        subtitle=answer.question.short,
        colour=style.colour,
        dash=style.dash,
        notes=notes(answer),
        # without a map the words stand alone: an outline would look like an answer, unless a place is to be chosen
        labels=reading.labels if is_shown else None,
        probability=_probability(reading) if is_shown else None,
        heat=heat,
        message=answer.message or ("" if told == "ok" else told),
        summary=(*notes(answer), "")[0],
        network=reading.title,
        run=reading.stamp,
    )


def _probability(reading: Reading) -> np.ndarray | None:
    return None if reading.prediction is None else reading.prediction.probability[..., -1]


def stamp(answer: Map, limit: float, scale: str) -> str:
    """What was asked, how, and in which scale: stands on every exported picture."""
    found = answer.heatmap
    if found is None:
        return ""
    card = list_methods()[found.method]
    layer = "no layer" if found.layer == IMAGE else words.layer(found.layer)
    said = [f"{card.title}, {layer}", target_sentence(found.run, found.target), f"score {_score(found)}"]
    said += [state_words(answer), f"full colour at {words.signed(limit)} {scale_label(answer, scale)}"]
    return " · ".join([*said, *found.remarks])


def _score(found: Heatmap) -> str:
    return f"{words.signed(found.score)} {UNITS[found.target.kind]}"


def notes(answer: Map) -> tuple[str, ...]:
    """The few numbers under a map: what was explained, how strong the map is, how much of it lies where."""
    found, numbers = answer.heatmap, answer.numbers
    if found is None:
        return ()
    asked = f"{found.target.class_name}: " if answer.question.target.region == "pixel" else ""
    said = [f"{asked}score {_score(found)}, mean p {words.number(found.mean_probability, 2)}"]
    if not answer.is_silent:
        ends = (words.signed(float(found.values.max())), words.signed(float(found.values.min())))
        said.append(f"map from {ends[1]} to {ends[0]}")
        said += [text for text in (_in_reference(numbers), _outside(numbers)) if text]
    return (*(re.sub(r"-(?=\d)", "−", text) for text in said), *found.remarks)


def _in_reference(numbers: Mapping[str, float]) -> str:
    energy, lift = numbers.get("energy_in_reference", math.nan), numbers.get("lift", math.nan)
    if not math.isfinite(energy):
        return ""
    hit = numbers.get("pointing_hit", math.nan)
    place = {1.0: ", hottest point in it", 0.0: ", hottest point outside it"}.get(hit, "")
    return f"{words.percent(energy)} in reference, {lift:.1f} × chance{place}"


def _outside(numbers: Mapping[str, float]) -> str:
    share, far = (numbers.get(name, math.nan) for name in ("deviation_percent", "deviation_mm"))
    if not math.isfinite(share):
        return ""
    said = f"{words.percent(share / 100)} outside the liver"
    return f"{said}, {far:.1f} mm" if math.isfinite(far) else said
