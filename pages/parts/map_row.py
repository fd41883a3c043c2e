"""The row of heatmaps that Review shows on request: what each network used for what it drew above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core import DatasetCard, Slice, Target
from pages.parts import map_offer, maps, pickers, questions, state, words
from pages.parts.case import Reading
from pages.parts.maps import Map
from pages.parts.panels import Panel
from pages.parts.questions import Question

HELP = (
    "Grad-CAM of the deepest layer, each network asked about the area it calls so itself, on one scale. "
    "Other questions, layers and methods are on the page Heatmaps."
)
CAUTION = (
    "A heatmap says what raised a score, not what is true; the page Heatmaps says how far it can be trusted."
)


def answers(card: DatasetCard, one: Slice, readings: Sequence[Reading]) -> list[Map]:
    """What every network answers to the usual question, from what is stored; nothing while the row is off."""
    if state.option("maps") != ("on",):
        return []
    layer = next(iter(questions.layers_of(readings)))
    return maps.ask(Question("gradcam", layer, Target(class_name=card.foreground[-1])), readings, one)


def switch() -> None:
    """The switch of the row."""
    pickers.switch("Heatmap row", "maps", HELP)


def added(panels: Sequence[Panel], reference: Panel, row: Sequence[Map]) -> list[Panel]:
    """The networks' panels, and below them those of the row; above, the same maps are drawn in mode heatmap.

    ``panels`` in the order of ``row``; ``reference`` stands at the head of either row.
    """
    if not row:
        return [reference, *panels]
    limits = maps.limits([row], scale="shared", signed=False)[0]
    shown = [maps.panel(answer, limit, scale="shared") for answer, limit in zip(row, limits, strict=True)]
    above = [replace(panel, heat=own.heat) for panel, own in zip(panels, shown, strict=True)]
    below = [
        replace(
            own,
            mode="heatmap",
            subtitle="heatmap",
            labels=panel.labels,
            probability=panel.probability,
            areas=panel.areas,
        )
        for panel, own in zip(panels, shown, strict=True)
    ]
    asked = f"heatmaps: Grad-CAM, {words.layer(row[0].question.layer).lower()}"
    return [reference, *above, replace(reference, subtitle=asked), *below]


def below(row: Sequence[Map], one: Slice) -> None:
    """Under the pictures: what may be read from the row, and the offer to compute what is not stored."""
    if row:
        st.caption(CAUTION)
        map_offer.missing([row], one)
