"""How far the networks agree about where to look, and where only one of them does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core import FOCUS_NUMBERS, Heatmap, heatmap_agreements, list_methods, only_here
from pages.parts import pickers, words
from pages.parts.maps import Map
from pages.parts.panels import STYLES, HeatLayer, Panel

NUMBERS = ("agreement_rank", "agreement_similarity", "agreement_top", "divergence")
ALONE = "Each network was asked about its own region, so their maps answer different questions."
NOWHERE = "Looks nowhere harder than the other networks."
OWN_UNIT = "The unit of this method is each network's own: only ranks and places can be compared."


def compared(answers: Sequence[Map]) -> tuple[list[Heatmap], str]:
    """The maps of one row that can be compared, or why they cannot."""
    found = [answer.heatmap for answer in answers if answer.heatmap is not None]
    if len(found) < 2:
        return [], "At least two networks with a map are needed."
    if len({one.target for one in found}) > 1:
        return [], "The networks predict different classes here, so each was asked about another one."
    pairs = heatmap_agreements(found[:2])
    reasons = {text for numbers in pairs.values() for text in numbers.why.values()}
    if any("own region" in text for text in reasons):
        return [], ALONE
    return found, ""


def table(answers: Sequence[Map], found: Sequence[Heatmap]) -> pd.DataFrame:
    """The four numbers of every pair; undefined ones with the reason."""
    titles = {a.heatmap.run: a.reading.title for a in answers if a.heatmap is not None}
    has_unit = list_methods()[found[0].method].has_shared_unit
    lines = {}
    for (one, other), numbers in heatmap_agreements(found).items():
        line = {}
        for name in NUMBERS:
            known = np.isfinite(numbers[name]) and (has_unit or name != "agreement_similarity")
            why = numbers.why.get(name, "the unit is each network's own")
            line[FOCUS_NUMBERS[name].title] = (
                words.number(numbers[name], 2) if known else f"{words.UNDEFINED}: {why}"
            )
        lines[f"{titles[one]} and {titles[other]}"] = line
    return pd.DataFrame.from_dict(lines, orient="index")


def section(rows: Sequence[Sequence[Map]]) -> None:
    """Agreement of every pair of networks, or why it is not defined, with the way to ask."""
    st.subheader("Agreement between the networks", anchor=False)
    told = {
        FOCUS_NUMBERS[name].title: st.column_config.TextColumn(help=words.plain(FOCUS_NUMBERS[name].sentence))
        for name in NUMBERS
    }
    reasons = []
    for answers in rows:
        found, why = compared(answers)
        if why:
            reasons.append(why)
            continue
        st.markdown(f"**{words.plain(answers[0].question.title)}**")
        st.dataframe(table(answers, found), column_config=told, width="stretch")
        if not list_methods()[found[0].method].has_shared_unit:
            st.caption(OWN_UNIT)
    for why in dict.fromkeys(reasons):
        st.caption(why)
    if ALONE in reasons:
        st.caption("Maps can be compared between networks once all are asked about the same place.")
        pickers.offer("Ask about one region for all", region="shared")


def alone_panels(answers: Sequence[Map], reference: Panel) -> list[Panel]:
    """A row of panels: where only one network looks, on the row's own scale; empty if undefined."""
    found, why = compared(answers)
    if why or not list_methods()[found[0].method].has_shared_unit:
        return []
    maps = only_here(found)
    limit = max(float(max(one.values.max() for one in found)), 0.0)
    shown = [reference]
    for answer in answers:
        values = maps.get(answer.heatmap.run) if answer.heatmap is not None else None
        title, style = f"Only {answer.reading.title}", STYLES.get(answer.reading.model, STYLES["reference"])
        heat = None
        if values is not None:
            heat = HeatLayer(
                values=values,
                limit=limit or float(values.max()),
                label=f"{answer.unit} per cell more than any other network, one scale for all networks",
                state_text="" if values.any() else NOWHERE,
                stamp=f"evidence beyond that of every other network · {answers[0].question.title}",
            )
        shown.append(
            Panel(
                title=title,
                subtitle="looks harder than the others",
                colour=style.colour,
                dash=style.dash,
                labels=answer.reading.labels if heat else None,
                heat=heat,
                message="" if heat else answer.message or NOWHERE,
                network=answer.reading.title,
                run=answer.reading.stamp,
            )
        )
    return shown
