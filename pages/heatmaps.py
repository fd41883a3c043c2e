"""Heatmaps: which evidence each network used, on one scale, with the numbers that judge a map."""

import streamlit as st

from core import SIZE, DatasetCard, Slice, list_methods, target_sentence
from pages.parts import cached, case, maps, pickers, volumes, words
from pages.parts.case import Reading
from pages.parts.choices import Choice
from pages.parts.frame import frame
from pages.parts.maps import Question
from pages.parts.viewer import show

SCALES = {"shared": "Shared", "own": "Own maximum"}
SIGNS = {"positive": "Supporting", "signed": "For and against"}
COLOURS = {"cividis": "Cividis", "inferno": "Inferno", "jet": "Jet (paper look)"}
PAPER_LOOK = {
    "layer": ["decoder_1"],
    "region": ["whole_image"],
    "cam": "gradcam",
    "scale": "own",
    "sign": "positive",
    "colours": "jet",
}
MOST_ROWS = 6
BOX = """
**What a heatmap answers.** The outline already says *where*. A heatmap says which places in one layer of the
network raised its score for the region asked about, mostly the surroundings in the deep layers. It is not a
second opinion and no proof that the network looked at the right thing: of eight saliency methods each failed at
least one test of localisation, dependence on the weights, repeatability or reproducibility (Arun et al.,
Radiology: AI 2021, arXiv 2008.02766), and seven located findings worse than radiologists, above all small and
complex ones (Saporta et al., Nature Machine Intelligence 2022). In the layer before the output, decoder 1, the
map repeats the network's own logit map by algebra, whatever the network: it is offered as a control.
"""
PAPER_BOX = """
**Paper mode** repeats the study's recipe, so that its figures and their weaknesses can be seen:
1. At the last layer the map *is* the prediction: "hot where the outline is" is then true by construction.
2. Each map is divided by its own maximum, so every map reaches full colour; "darker red" cannot rank networks.
3. The score is the mean over the whole image, of which a lesion is a few per cent: it mostly asks about background.
"""


def controls(
    layers: dict, card: DatasetCard, *, has_reference: bool
) -> tuple[list[Question], dict[str, str]]:
    """The row of choices above the pictures: the questions to ask, one row each, and how to draw the answers."""
    regions = {key: text for key, text in maps.REGIONS.items() if has_reference or key != "reference"}
    methods = {key: card.title for key, card in list_methods().items() if card.place == "layer"}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = pickers.pick_options("Layer, deepest first; one row each", "layer", layers, "bottleneck")
        asked = pickers.pick_options("Region asked about; one row each", "region", regions, "predicted")
        names = [card.foreground[-1]]
        if len(card.classes) > 2:
            titles = {name: name.capitalize() for name in card.classes}
            names = pickers.pick_options("Class; one row each", "class", titles, names[0])
        with st.popover("Options", icon=":material/tune:"):
            look = {
                "cam": pickers.pick_option("Method", "cam", methods, "gradcam"),
                "scale": pickers.pick_option("Colour scale", "scale", SCALES, "shared"),
                "sign": pickers.pick_option("Evidence", "sign", SIGNS, "positive"),
                "colours": pickers.pick_option("Colours", "colours", COLOURS, "cividis"),
            }
            for card in list_methods().values():
                st.caption(words.plain(f"{card.title}: {card.sentence} {card.paper}"))
            with st.container(horizontal=True):
                pickers.preset("Paper look", PAPER_LOOK)
                pickers.preset("Back to our view", {})
    rows = [
        Question(look["cam"], layer, maps.target_of(region, name))
        for name in names
        for layer in chosen
        for region in asked
    ]
    if len(rows) > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS} of {len(rows)} rows are shown.")
    return rows[:MOST_ROWS], look


def numbers(rows: list[list[maps.Map]]) -> None:
    """The numbers of every map, one table per question, with their meaning."""
    st.subheader("Numbers beside each map", anchor=False)
    for answers in rows:
        asked = next((a for a in answers if a.heatmap is not None), None)
        st.markdown(f"**{answers[0].question.title}**")
        if asked is None:
            st.caption("No map of this row is stored yet.")
            continue
        st.table(maps.table(answers), alt=f"Numbers beside the maps: {answers[0].question.title}")
        st.caption(words.plain(target_sentence(asked.heatmap.run, asked.question.target)))


def heatmaps_volume(choice: Choice) -> None:
    """The page for one CT volume: maps of the slice the reader has settled on."""
    key, side = "heatmaps-volume", SIZE
    settled = volumes.settle(choice, key, side)
    one, readings = settled.one, settled.readings
    questions, look = controls(maps.layers_of(readings), choice.card, has_reference=one.has_reference)
    rows = [maps.ask(question, readings, one) for question in questions]
    shared, signed = look["scale"] == "shared", look["sign"] == "signed"
    panels = []
    for question, answers in zip(questions, rows, strict=True):
        limit = maps.limits(answers, shared=shared, signed=signed)
        panels.append(volumes.reference_panel(choice, side, question.title))
        for one_map in answers:
            drawn = maps.panel(one_map, limit.get(one_map.reading.model, 0.0), shared=shared)
            panels.append(volumes.heat_panel(one_map.reading, settled.answers[one_map.reading.model], drawn))
    volumes.draw(
        choice,
        panels,
        key,
        side,
        mode="heatmap",
        columns=len(readings) + 1,
        colour_map=look["colours"],
        signed=signed,
        heat_slice=one.index,
    )
    volumes.offer(choice, settled)
    ask_for_maps(readings, one, questions, rows)
    explain(questions)
    st.markdown(f"**Slice {one.index}**")
    numbers(rows)


def heatmaps(choice: Choice) -> None:
    """The page for one picture."""
    one = cached.one_slice(choice.entry)
    readings = case.readings(choice, one)
    questions, look = controls(maps.layers_of(readings), choice.card, has_reference=one.has_reference)
    rows = [maps.ask(question, readings, one) for question in questions]
    shared, signed = look["scale"] == "shared", look["sign"] == "signed"
    panels = []
    for question, answers in zip(questions, rows, strict=True):
        limit = maps.limits(answers, shared=shared, signed=signed)
        panels.append(case.reference_panel(one, subtitle=question.title))
        panels += [maps.panel(a, limit.get(a.reading.model, 0.0), shared=shared) for a in answers]
    show(
        one.picture,
        panels,
        token=one.key,
        key="heatmaps",
        mode="heatmap" if any(p.heat for p in panels) else "outline",
        columns=len(readings) + 1,
        reference=one.reference,
        colour_map=look["colours"],
        signed=signed,
        caption=f"{choice.card.title} · {choice.entry.case} · {list_methods()[questions[0].method].title}",
        classes=choice.card.foreground,
    )
    ask_for_maps(readings, one, questions, rows)
    explain(questions)
    numbers(rows)


def ask_for_maps(
    readings: list[Reading], one: Slice, questions: list[Question], rows: list[list[maps.Map]]
) -> None:
    """The offer to compute the maps of this slice that are not stored."""
    lacking = {
        a.reading.title: "evidence for the heatmap" for answers in rows for a in answers if maps.is_missing(a)
    }
    targets = list(dict.fromkeys(question.target for question in questions))
    case.offer(readings, one, lacking, (questions[0].method, questions[0].layer, targets))


def explain(questions: list[Question]) -> None:
    """What a map can say, and what the paper's recipe does."""
    st.markdown(BOX)
    if any(question.target.region == "whole_image" for question in questions):
        st.markdown(PAPER_BOX)


with frame("Heatmaps"):
    chosen = pickers.pick_case()
    if chosen is None:
        case.no_match()
    else:
        case.chips(chosen)
        if chosen.card.has_volumes:
            volumes.guarded(heatmaps_volume, chosen)
        else:
            heatmaps(chosen)
