"""Lesson: one network's map from the deepest layer to the last, and what becomes of it on the way."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core import SIZE, Target, heatmap_numbers, list_networks
from pages.parts import lessons_scene
from pages.parts.case import Reading
from pages.parts.choices import Choice
from pages.parts.lessons import Lesson, Question, Step
from pages.parts.lessons_scene import Scene
from pages.parts.panels import Panel
from pages.parts.viewer import show
from pages.parts.words import UNDEFINED, number, percent, plain
from pages.parts.words import layer as layer_title

# Theoretical view of one bottleneck cell: 1 + 15 (poolings) + 31 x 2 px per 3 x 3 convolution of a stage, of
# which U-Net has two, the blocks of the other two networks three.
VIEWS = {"unet": 140, "multiresunet": 202, "dcunet": 202}

MEASURES = ("Correlation with the prediction", "Hottest pixels against the mask (IoU)")


def _walk(choice: Choice | None) -> tuple[Scene, Reading, tuple[str, ...], dict]:
    scene = lessons_scene.scene(choice)
    run, _, reading = lessons_scene.asked(scene)
    layers = list_networks()[run.model].layers
    found = lessons_scene.maps(scene, [reading], layers, Target(scene.name))
    return scene, reading, layers, {layer: found[reading.model, layer] for layer in layers}


def _draw(scene: Scene, panels: list[Panel], key: str, mode: str = "heatmap") -> None:
    show(
        scene.picture, panels, token=scene.token, key=key, mode=mode, columns=3, classes=(scene.name,),
        reference=scene.inside.astype("uint8"), caption=scene.caption,
    )  # fmt: skip


def _panel(scene: Scene, reading: Reading, layer: str, found: dict) -> Panel:
    values, side = found[layer].values, found[layer].values.shape[0]
    cell = f"{side} × {side} cells of {SIZE // side} px"
    return lessons_scene.heat_panel(
        reading, scene, values, max(float(values.max()), 0.0) or float(abs(values).max()), "own scale",
        title=layer_title(layer), subtitle=cell,
    )  # fmt: skip


def deepest(choice: Choice | None) -> Question:
    """The map of the bottleneck."""
    scene, reading, layers, found = _walk(choice)
    side = found[layers[0]].values.shape[0]
    st.markdown(
        f"{plain(reading.title)}, asked why it calls its region {plain(scene.name)}, in its **deepest** layer: "
        f"{side} × {side} cells, each {SIZE // side} pixels wide. "
        "Press G to show the map and O to hide it."
    )
    _draw(
        scene,
        [lessons_scene.reference_panel(scene), _panel(scene, reading, layers[0], found)],
        "lesson-layers-1",
    )
    view = VIEWS.get(reading.model)
    told = f"In theory {view} pixels, wider than the {SIZE} of the image. " if view else ""
    return Question(
        f"A cell is {SIZE // side} pixels wide. How much of the image can one of these cells depend on?",
        (f"{SIZE // side} pixels", "About a quarter of the image", "All of it"),
        right=2,
        because=f"{told}A cell's place says where the feature is anchored; what it saw may be elsewhere.",
        about=scene.token,
    )


def walk(choice: Choice | None) -> Question:
    """The question about the way to the last layer."""
    scene, _, layers, _ = _walk(choice)
    st.markdown(
        f"{len(layers)} layers lead from the bottleneck to the output, each with four times as many cells as "
        "the one before. The question to the network stays the same."
    )
    return Question(
        "What will the map look like in the very last layer, just before the output?",
        ("Still a soft glow round the lesion", "The network's own mask", "Noise: too many cells"),
        right=1,
        because="In that layer every pixel is one step from the output. There the map is made of the network's "
        "own logits by algebra, whatever the network: of the one logit map with two classes, of a fixed mix of "
        "them with three. A control, not an explanation.",
        about=scene.token,
    )


def all_layers(choice: Choice | None) -> None:
    """Every layer's map, with its correlation with the probability."""
    scene, reading, layers, found = _walk(choice)
    if reading.prediction is None:
        return
    panels, rows = [lessons_scene.reference_panel(scene)], {}
    for layer in layers:
        numbers = heatmap_numbers(found[layer], scene.one, reading.prediction)
        side = found[layer].values.shape[0]
        panels.append(_panel(scene, reading, layer, found))
        rows[layer_title(layer)] = {
            "Cells": f"{side} × {side}",
            "One cell": f"{SIZE // side} px",
            MEASURES[0]: number(numbers["redundancy"], 2),
            MEASURES[1]: number(numbers["redundancy_iou"], 2),
            "Share of heat in the reference": percent(numbers["energy_in_reference"]),
        }
    _draw(scene, panels, "lesson-layers-2")
    st.table(pd.DataFrame(rows).T, alt="Each layer's grid, and how far its map repeats the prediction")
    each = list(rows.values())
    ends = {name: [row[name] for row in (each[0], each[-1])] for name in MEASURES}
    if not any(UNDEFINED in pair for pair in ends.values()):
        (first, last), (start, end) = ends.values()
        st.markdown(
            f"On this slice the rank correlation with the probability goes from **{first}** to **{last}**, the "
            f"overlap of the hottest pixels with the mask from **{start}** to **{end}**."
        )


def choosing(choice: Choice | None) -> Question:
    """Which layer a paper should show."""
    scene = lessons_scene.scene(choice)
    st.markdown(
        "A paper shows sharp heatmaps that lie exactly on the lesion, and concludes: *the network looks at the "
        "right place.* The maps were taken from the last convolution."
    )
    return Question(
        "What do those pictures show?",
        (
            "That the network looked at the lesion",
            "That the network drew its mask there",
            "That the network is better than one with a soft map",
        ),
        right=1,
        because="A sharper map of a later layer is no better explanation: it tells what the mask told already. "
        "Ask of every heatmap: which layer, and how far does it repeat the prediction?",
        about=scene.token,
    )


LESSON = Lesson(
    name="layers",
    title="The layer walk",
    icon=":material/layers:",
    teaches="Follow one heatmap from the deepest layer to the last and watch it turn into the mask.",
    minutes=8,
    steps=(
        Step("The deepest layer", deepest),
        Step("From the bottleneck to the output", walk, all_layers),
        Step("Which layer did they show?", choosing),
    ),
    closing="The last layer shows the mask again; the deep layers show context.",
    notes="""
**Aim.** Readers should ask "which layer?" before they look at a heatmap.

**In class.** Let everybody draw the map of the last layer on paper before step 2 is opened. Then go through
the panels with the wheel and G: the outline of the mask appears layer by layer.

**Points to make.** Cell size is not view: a cell of the bottleneck can depend on the whole image. The
correlation need not rise evenly. At the last layer it is 1 for a network with two classes. With three it can
stay lower, as the map mixes their logits and the far background counts too: look at the overlap of the
hottest pixels with the mask.

**Often misunderstood.** Sharp is not precise. A map on the full grid is sharp because it is the prediction.
""",
)
