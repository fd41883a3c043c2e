"""Heatmaps: which evidence each network used, on one scale, with the numbers that judge a map."""

from collections.abc import Sequence

import streamlit as st

from core import SIZE, Slice, studied_cases
from pages.parts import (
    agreement,
    cached,
    case,
    map_export,
    map_offer,
    map_tables,
    maps,
    pickers,
    questions,
    state,
    volumes,
)
from pages.parts.case import Reading
from pages.parts.choices import Choice
from pages.parts.frame import frame
from pages.parts.maps import Map
from pages.parts.panels import Panel
from pages.parts.viewer import show

SIGNS = {"positive": "Supporting", "signed": "For and against"}
COLOURS = {"cividis": "Cividis", "inferno": "Inferno", "magma": "Magma", "jet": "Jet (paper look)"}
ONLY = {"no": "Off", "yes": "On"}
PAPER_LOOK = {
    "layer": "decoder_1",
    "region": "whole_image",
    "cam": "gradcam",
    "scale": "own",
    "colours": "jet",
}
BOX = """
**What a heatmap answers.** The outline already says *where*. A heatmap says which places in one layer of the
network raised its score for the region asked about, mostly the surroundings in the deep layers. It is not a
second opinion and no proof that the network looked at the right thing: of eight saliency methods each failed at
least one test of localisation, dependence on the weights, repeatability or reproducibility (Arun et al.,
Radiology: AI 2021, arXiv 2008.02766), and seven located findings worse than radiologists, above all small and
complex ones (Saporta et al., Nature Machine Intelligence 2022). In the layer before the output, decoder 1, the
map repeats the network's own logit map by algebra, whatever the network: it is offered as a control. What reaches
the output over a skip connection is not in the map of a deeper layer.
"""
PAPER_BOX = """
**Paper mode** repeats the study's recipe, so that its figures and their weaknesses can be seen:
1. At the last layer the map *is* the prediction: "hot where the outline is" is then true by construction.
2. Each map is divided by its own maximum, so every map reaches full colour; "darker red" cannot rank networks.
3. The score is the mean over the whole image, of which a lesion is a few per cent: it mostly asks about background.
"""


def choices(
    choice: Choice, one: Slice, readings: Sequence[Reading]
) -> tuple[list[list[Map]], dict[str, str]]:
    """The choices above the pictures: the answers to what is asked, row by row, and how they are drawn."""
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall")
    asked = questions.controls(choice.card, one, readings, bar)
    with bar:
        with st.popover("View", help="Colour scale, evidence for and against, colours, paper look"):
            chosen = {
                "scale": pickers.pick_option("Colour scale", "scale", maps.SCALES, "shared", SCALE_HELP),
                "sign": pickers.pick_option("Evidence", "sign", SIGNS, "positive"),
                "colours": pickers.pick_option("Colours", "colours", COLOURS, "cividis"),
                "only": pickers.pick_option(
                    "Row: only one network looks here", "only", ONLY, "no", ONLY_HELP
                ),
            }
            with st.container(horizontal=True):
                pickers.preset("Paper look", PAPER_LOOK)
                pickers.preset("Back to our view", {})
        pickers.preset("Layer walk", {"along": "layer", "layer": list(questions.layers_of(readings))})
    if any(question.is_open for question in asked):
        st.info(maps.CLICK, icon=":material/ads_click:")
    return [maps.ask(question, readings, one) for question in asked], chosen


SCALE_HELP = (
    "One per row: the networks of a row share their colours, so stronger is brighter. Each its own: every map "
    "reaches full colour, and colours cannot be compared."
)
ONLY_HELP = "Needs one region for all networks: evidence beyond that of every other network."


def grid(
    rows: list[list[Map]], chosen: dict[str, str], references: list[Panel], *, signed: bool
) -> list[Panel]:
    """The panels, row by row: the reference with the question, then every network's answer."""
    limits = maps.limits(rows, scale=chosen["scale"], signed=signed)
    drawn = [
        [maps.panel(answer, limit, scale=chosen["scale"]) for answer, limit in zip(row, own, strict=True)]
        for row, own in zip(rows, limits, strict=True)
    ]
    if len(rows[0]) == 1:  # one network: its maps stand beside each other
        return [references[0], *(panel for row in drawn for panel in row)]
    panels = []
    for answers, reference, row in zip(rows, references, drawn, strict=True):
        more = agreement.alone_panels(answers, reference) if chosen["only"] == "yes" else []
        panels += [reference, *row, *more]
    return panels[: questions.PANELS - questions.PANELS % (1 + len(rows[0]))]


def columns_of(rows: list[list[Map]]) -> int:
    """How many panels stand side by side: the reference and every network; of one network three or four maps."""
    return 1 + len(rows[0]) if len(rows[0]) > 1 else 2 if len(rows) == 1 else 3 if len(rows) < 6 else 4


def asks(rows: list[list[Map]]) -> str:
    """How a place is asked about: by a click where the question is a point, else by a button."""
    at_point = any(answers[0].question.target.region == "pixel" for answers in rows)
    return "click" if at_point else "button"


def heatmaps_volume(choice: Choice) -> None:
    """The page for one CT volume: maps of the slice the reader has settled on."""
    key, side = "heatmaps-volume", SIZE
    settled = volumes.settle(choice, key, side)
    one, readings = settled.one, settled.readings
    rows, chosen = choices(choice, one, readings)
    signed = chosen["sign"] == "signed"
    references = [volumes.reference_panel(choice, side, answers[0].question.title) for answers in rows]
    titles = {reading.title: reading for reading in readings}
    panels = [
        panel
        if panel.is_reference
        else volumes.heat_panel(titles[panel.network], settled.answers[titles[panel.network].model], panel)
        for panel in grid(rows, chosen, references, signed=signed)
    ]
    volumes.draw(
        choice,
        panels,
        key,
        side,
        mode="heatmap",
        columns=columns_of(rows),
        colour_map=chosen["colours"],
        signed=signed,
        heat_slice=one.index,
        asks=asks(rows),
        on_ask=state.took_point(key, volumes.token(choice.entry)),
    )
    volumes.offer(choice, settled)
    below(choice, one, rows, signed=signed)


def heatmaps(choice: Choice) -> None:
    """The page for one picture."""
    one = cached.one_slice(choice.entry)
    readings = case.readings(choice, one)
    rows, chosen = choices(choice, one, readings)
    signed = chosen["sign"] == "signed"
    references = [case.reference_panel(one, subtitle=answers[0].question.title) for answers in rows]
    panels = grid(rows, chosen, references, signed=signed)
    show(
        one.picture,
        panels,
        token=one.key,
        key="heatmaps",
        mode="heatmap" if any(panel.heat for panel in panels) else "outline",
        columns=columns_of(rows),
        reference=one.reference,
        colour_map=chosen["colours"],
        signed=signed,
        caption=f"{choice.card.title} · {choice.entry.case}",
        classes=choice.card.foreground,
        asks=asks(rows),
        on_ask=state.took_point("heatmaps", one.key),
    )
    below(choice, one, rows, signed=signed)


def below(choice: Choice, one: Slice, rows: list[list[Map]], *, signed: bool) -> None:
    """Under the pictures: what can be computed and taken away, what a map can say, and the numbers."""
    map_offer.ways_out(rows, signed=signed)
    map_offer.missing(rows, one)
    with st.container(horizontal=True):
        map_export.popover(rows, one, choice.card)
        with st.popover("What each method does", icon=":material/menu_book:"):
            map_tables.methods()
    st.markdown(BOX)
    if any(answers[0].question.target.region == "whole_image" for answers in rows):
        st.markdown(PAPER_BOX)
    if choice.card.has_volumes:
        st.markdown(f"**Slice {one.index}**")
    map_tables.walk(rows)
    map_tables.numbers(rows, one, has_organ=len(choice.card.classes) > 2)
    agreement.section(rows)
    map_tables.trust(rows)


with frame("Heatmaps"):
    picked = pickers.pick_case()
    if picked is None:
        case.no_match()
    elif picked.entry.case in studied_cases(picked.card.name):
        case.in_a_study()
    else:
        case.chips(picked)
        if picked.card.has_volumes:
            volumes.guarded(heatmaps_volume, picked)
        else:
            heatmaps(picked)
