"""The numbers beside the maps as a table with the baselines to beat, the layer walk, and what the checks say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core import (
    BASELINES,
    FOCUS_NUMBERS,
    SIZE,
    CoreError,
    NumberCard,
    Prediction,
    Run,
    Slice,
    list_methods,
    trust_sentences,
)
from pages.parts import cached, maps, words
from pages.parts.frame import mend
from pages.parts.maps import Map
from pages.parts.questions import IMAGE

FAMILIES = ("reference", "organ", "shape", "redundancy", "raw")
BETTER = {
    "higher": "Higher is better.",
    "lower": "Lower is better.",
    "neither": "Neither high nor low is better.",
}
# Pixels of the image that one cell of the bottleneck can be influenced by: from kernel sizes and strides.
VIEW = {"unet": 140, "multiresunet": 202, "dcunet": 202}


def cards(*, has_organ: bool) -> list[NumberCard]:
    """What every number in the table is."""
    return [
        card
        for card in FOCUS_NUMBERS.values()
        if card.family in FAMILIES and (has_organ or card.family != "organ")
    ]


def said(card: NumberCard, numbers: Mapping[str, float], unit: str) -> str:
    """One number in words; where it is undefined, why."""
    value = numbers.get(card.name, math.nan)
    if not math.isfinite(value):
        return f"{words.UNDEFINED}: {getattr(numbers, 'why', {}).get(card.name, 'undefined')}"
    if card.name == "pointing_hit":
        return "hit" if value == 1 else "miss" if value == 0 else f"tie, {value:.0%} inside"
    if card.name == "energy_in_reference":
        return words.percent(value)
    if card.unit == "%":
        return words.percent(value / 100)
    if card.unit in ("× chance", "mm"):
        return f"{value:.1f} {card.unit}"
    if card.unit == "score":
        return f"{words.signed(value)} {unit}"
    if card.unit == "score per cell":
        return f"{words.signed(value)} {unit} per cell"
    return words.number(value, 2)


def table(answers: Sequence[Map], one: Slice, *, has_organ: bool) -> pd.DataFrame:
    """States and numbers of one row of maps, a line per network, and below them the lines of the baselines."""
    columns, lines = cards(has_organ=has_organ), {}
    for answer in answers:
        cells = {card.title: said(card, answer.numbers, answer.unit) for card in columns}
        if answer.heatmap is None:
            cells = dict.fromkeys(cells, words.UNDEFINED)
        lines[answer.reading.title] = {"State": maps.state_words(answer)} | cells
    for title, numbers in _baselines(answers, one).items():
        cells = {
            card.title: "" if card.unit.startswith("score") else said(card, numbers, "") for card in columns
        }
        lines[title] = {"State": "baseline"} | cells
    return pd.DataFrame.from_dict(lines, orient="index")


def reasons(found: pd.DataFrame) -> str:
    """Why numbers of a table are undefined: every reason once, with the numbers it holds for."""
    why: dict[str, dict[str, None]] = {}
    for title in found.columns:
        for cell in found[title]:
            before, _, reason = str(cell).partition(f"{words.UNDEFINED}: ")
            if reason and not before:
                why.setdefault(reason, {})[title] = None
    return " ".join(f"{words.UNDEFINED} ({', '.join(titles)}): {reason}." for reason, titles in why.items())


def _baselines(answers: Sequence[Map], one: Slice) -> dict[str, Mapping[str, float]]:
    """The numbers of the baselines by title; those that know the network once for each."""
    found: dict[str, Mapping[str, float]] = {}
    for answer in answers:
        known = both(answer)
        if known is None or answer.is_silent or answer.heatmap is None:
            continue
        run, prediction = known
        all_of = cached.map_numbers(run, one, answer.heatmap, prediction, answer.mask, baselines=True)
        for name, numbers in all_of.items():
            is_own = name in ("gaussian", "probability")
            title = f"{BASELINES[name][0]}, {answer.reading.title}" if is_own else BASELINES[name][0]
            found.setdefault(title, numbers)
    order = [title for title, _ in BASELINES.values()]
    return dict(sorted(found.items(), key=lambda line: order.index(line[0].split(",")[0])))


def both(answer: Map) -> tuple[Run, Prediction] | None:
    """The run and its prediction, where there are both."""
    run, prediction = answer.reading.run, answer.reading.prediction
    return None if run is None or prediction is None else (run, prediction)


def numbers(rows: Sequence[Sequence[Map]], one: Slice, *, has_organ: bool) -> None:
    """The numbers of every map, one table per question; what a number means is on hover over its heading."""
    st.subheader("Numbers beside each map", anchor=False)
    told = {
        card.title: st.column_config.TextColumn(
            help=words.plain(" ".join(filter(None, [card.sentence, BETTER[card.direction], card.source])))
        )
        for card in cards(has_organ=has_organ)
    }
    shown: dict[str, Any] = {"column_config": told, "height": "content"}
    for answers in rows:
        st.markdown(f"**{words.plain(answers[0].question.title)}**")
        sentences = dict.fromkeys(filter(None, (maps.sentence(answer) for answer in answers)))
        st.caption(words.plain(" ".join(sentences)))
        if all(answer.heatmap is None for answer in answers):
            st.caption("No map of this row is stored yet.")
            continue
        found = table(answers, one, has_organ=has_organ)
        st.dataframe(found.replace(f"^{words.UNDEFINED}: .*", words.UNDEFINED, regex=True), **shown)
        if said_why := reasons(found):
            st.caption(words.plain(said_why))
    what = "; ".join(f"{title}: {text}" for title, text in BASELINES.values())
    st.caption(
        words.plain(
            f"Below the networks stand maps without any insight, averaged to the same cells. {what}. A map that "
            "does not beat the probability tells nothing new about where."
        )
    )


def walk(rows: Sequence[Sequence[Map]]) -> None:
    """The layer walk: how coarse each layer is, and how far its map is a copy of the prediction."""
    layers = {answers[0].question.layer: answers for answers in rows}
    if len(layers) < 2 or IMAGE in layers:
        return
    lines = {}
    for layer, answers in layers.items():
        side = next((a.heatmap.values.shape[0] for a in answers if a.heatmap is not None), 0)
        line = {"One cell": "n/a" if not side else f"{SIZE // side} px of {SIZE} ({side} × {side} cells)"}
        for answer in answers:
            value = answer.numbers.get("redundancy", math.nan)
            line[answer.reading.title] = words.number(value, 2)
        lines[words.layer(layer)] = line
    st.subheader("The map on its way to the mask", anchor=False)
    st.table(
        pd.DataFrame.from_dict(lines, orient="index"), alt="Layer walk: cell size, copy of the prediction"
    )
    views = ", ".join(
        f"{VIEW[a.reading.model]} px ({a.reading.title})" for a in rows[0] if a.reading.model in VIEW
    )
    st.caption(
        "Under each network: rank correlation of the map with its probability; at 1 the map is a copy of the mask. "
        f"A cell of the bottleneck is influenced by a square of {views}, a cell of a later layer by at least as "
        f"much: more than the whole image of {SIZE} px. The last layer feeds the output and is shown as a control."
    )


def trust(rows: Sequence[Sequence[Map]]) -> None:
    """What the checks of each network found about maps like these: a sentence per check, never a grade."""
    st.subheader("Can these maps be trusted?", anchor=False)
    missing: dict[str, str] = {}
    for answers in rows:
        lines = []
        for answer in answers:
            run = answer.reading.run
            if run is None or answer.heatmap is None or run.name in missing:
                continue
            try:
                certificate = cached.certificate(run.name)
            except CoreError as error:
                missing[run.name] = str(error)
                continue
            asked = answer.heatmap.target.class_name, answer.heatmap.layer, answer.heatmap.method
            found = trust_sentences(certificate, *asked)
            found = found or ["maps of this class, layer and method were not among those checked"]
            lines += [f"- **{answer.reading.title}**: {words.plain(sentence)}" for sentence in found]
        if lines:
            st.markdown(f"**{words.plain(answers[0].question.title)}**\n" + "\n".join(lines))
    mended = [mend(message) for message in missing.values()]
    if mended:
        st.caption(words.plain("Not checked yet. " + " ".join(text for text, _ in mended)))
        st.code("\n".join(command for _, commands in mended for command in commands), language="bash")
    st.caption(
        "The checks were made on the predicted region of each class in cases of the test part. They ask whether a "
        "map depends on what was learnt, survives small changes, and marks places the score depends on."
    )


def methods() -> None:
    """What every method does, in one sentence each."""
    for card in list_methods().values():
        st.caption(words.plain(f"{card.title}: {card.sentence} Cost: {card.cost}. {card.paper}"))
