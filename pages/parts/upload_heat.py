"""Outlines and, on request, heatmaps of a reader's own image as panels: drawn as elsewhere, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core import PAPER_TARGET, Slice, Target, Upload, heatmap_numbers, list_methods, list_networks
from pages.parts import case, maps, upload_work, words
from pages.parts.case import Reading
from pages.parts.maps import Map
from pages.parts.panels import STYLES, Panel
from pages.parts.questions import Question
from pages.parts.upload_state import Own

REGIONS = {"predicted": "Predicted region", "whole_image": "Whole image (paper)", "reference": "Reference"}
SIGNS = {"positive": "Supporting", "signed": "For and against"}


def network_panels(own: Own, found: Sequence[Reading], one: Slice, look: dict[str, str]) -> list[Panel]:
    """The panels of the networks for one slice: with heatmaps where they have been asked for, else outlines."""
    target = target_of(look)
    question = Question(look["method"], look["layer"], target)
    answers = [_answer(own, reading, question, one) for reading in found]
    if any(answer.heatmap for answer in answers):
        limits = maps.limits([answers], scale=look["scale"], signed=look["sign"] == "signed")[0]
        return [maps.panel(a, limit, scale=look["scale"]) for a, limit in zip(answers, limits, strict=True)]
    return [outline(reading, own.upload) for reading in found]


def _answer(own: Own, reading: Reading, question: Question, one: Slice) -> Map:
    key = (question.method, question.layer, question.target)
    held = own.maps.get((reading.run.name, one.index, question.target), {}) if reading.run else {}
    found = held.get(key)
    if found is None or reading.prediction is None:
        return Map(reading, question, message=reading.message or "Not explained.")
    numbers = heatmap_numbers(found, one, reading.prediction) if one.has_reference else {}
    return Map(reading, question, found, numbers=numbers)


def outline(reading: Reading, upload: Upload) -> Panel:
    """The panel of one network without a heatmap: its outline, or the words that say why there is none."""
    style, message = STYLES.get(reading.model, STYLES["reference"]), reading.message
    if reading.labels is not None and not reading.labels.any():
        message = f"predicts no {' and no '.join(upload.card.foreground)} here"
    return Panel(
        title=reading.title,
        colour=style.colour,
        dash=style.dash,
        labels=reading.labels,
        probability=None if reading.prediction is None else reading.prediction.probability[..., -1],
        message=message,
        network=reading.title,
        run=reading.stamp,
    )


def look_of(own: Own, found: Sequence[Reading], one: Slice) -> dict[str, str]:
    """What is asked of a heatmap and how it is drawn; the defaults until networks have answered."""
    look = {
        "layer": "bottleneck", "method": "gradcam", "region": "predicted", "scale": "shared", "sign": "positive",
        "class": own.upload.card.foreground[-1],
    }  # fmt: skip
    if not any(reading.prediction is not None for reading in found):
        return look
    cards = [list_networks()[reading.model] for reading in found]
    layers = [name for name in cards[0].layers if all(name in card.layers for card in cards)]
    methods = {
        k: card.title
        for k, card in list_methods().items()
        if card.place == "layer" and card.needs != "passes"
    }
    regions = {k: text for k, text in REGIONS.items() if k != "reference" or one.has_reference}
    with st.popover("Heatmap", icon=":material/blur_on:"):

        def pick(label: str, name: str, titles: dict[str, str]) -> None:
            chosen: Any = st.segmented_control(
                label,
                list(titles),
                format_func=titles.__getitem__,
                default=look[name],
                required=True,
                key=f"own_{name}",
            )
            look[name] = chosen or look[name]

        pick("Layer, deepest first", "layer", {name: words.layer(name) for name in layers})
        pick("Region asked about", "region", regions)
        if len(own.upload.card.foreground) > 1:
            pick("Class", "class", {name: name.capitalize() for name in own.upload.card.foreground})
        pick("Method", "method", methods)
        pick("Colour scale", "scale", {"shared": "One for all networks", "own": "Each its own"})
        pick("Evidence", "sign", SIGNS)
    return look


def target_of(look: dict[str, str]) -> Target:
    """The question that is chosen."""
    kind = PAPER_TARGET.kind if look["region"] == "whole_image" else "log_odds"
    return Target(class_name=look["class"], region=look["region"], kind=kind)


def ask(own: Own, index: int, look: dict[str, str]) -> None:
    """The offer to explain the slice on screen, where a map of it is not there yet."""
    target, ready = target_of(look), [run for run in own.runs.values() if own.done(run)]
    if own.is_asked or all((run.name, index, target) in own.maps for run in ready if run is not None):
        return
    what = "this picture" if own.upload.spacing_mm is None else f"slice {index}"
    asked = st.button(f"Explain {what} ({case.COST})", icon=":material/blur_on:")
    st.caption(
        "Heatmaps of all layers and methods in one pass. They say what raised a score, not what is true."
    )
    if asked and not upload_work.explain(own, index, [target]):
        st.rerun()
