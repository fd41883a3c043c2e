"""Lesson: Grad-CAM by hand, first on three 4 x 4 grids, then on the chosen slice with its own numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core import SIZE, MapSteps, enlarge, list_networks, map_steps, stored_map_steps
from pages.parts import lessons, lessons_pictures, lessons_scene
from pages.parts.case import Reading
from pages.parts.choices import Choice
from pages.parts.lessons import Lesson, Question, Step
from pages.parts.lessons_scene import Scene
from pages.parts.viewer import show
from pages.parts.words import layer as layer_title
from pages.parts.words import number, percent, plain, signed

SHARES = (0.25, 0.5)  # limits of the answers about the strongest channels


def weights(choice: Choice | None) -> Question:
    """The toy without its results, then with the weights."""
    st.markdown(
        "A layer of a network is a stack of feature maps (**activations**). The **gradient** says, cell by "
        "cell, how much the score of the class would rise if the feature were a little stronger there. "
        "Grad-CAM gives each feature map **one weight for the whole image: the mean of its gradient**. Every "
        "number below can be changed."
    )
    lessons_pictures.toy(("weights",) if lessons.answer("gradcam.1.") is not None else ())
    return Question(
        "Feature 3 has by far the largest gradients, some positive, some negative. How much does it count?",
        ("More than the others", "Not at all", "Only where its gradient is positive"),
        right=1,
        because="One weight stands for the whole map, and the mean of gradients that cancel is 0. Methods that "
        "go cell by cell (HiResCAM, LayerCAM) would keep it. Change a gradient and watch the weight.",
    )


def rectified(choice: Choice | None) -> Question:
    """The weighted sum, then ReLU, scaling and enlarging."""
    st.markdown(
        "The map is the **weighted sum** of the activations. Feature 2 is seen nearly everywhere and has a "
        "negative weight: it speaks against the class."
    )
    is_open = lessons.answer("gradcam.2.") is None
    lessons_pictures.toy(("weights", "sum") if is_open else ("weights", "sum", "relu"))
    return Question(
        "Grad-CAM ends with a ReLU. What becomes of the cells whose sum is below 0?",
        (
            "They become 0: what speaks against the class is not shown",
            "They turn blue",
            "Their sign is dropped: strong is strong",
        ),
        right=0,
        because="Evidence against the class disappears from the picture. Then the map is divided by its own "
        "maximum, so it always reaches full colour, however weak it was.",
    )


def _steps(choice: Choice | None) -> tuple[Scene, Reading, str, MapSteps]:
    """The chosen slice, the network that is asked, its deepest layer, and the steps there."""
    scene = lessons_scene.scene(choice)
    run, prediction, reading = lessons_scene.asked(scene)
    layer = list_networks()[run.model].layers[0]
    found = stored_map_steps(run.name, scene.one, layer, scene.name)
    if found is None:
        lessons.offer(
            f"activations and gradients of {run.name}",
            lambda report: map_steps(run.name, scene.one, prediction, layer, scene.name),
        )
        raise lessons.Waiting
    return scene, reading, layer, found


def channels(choice: Choice | None) -> Question:
    """Activations and gradients of the strongest channels of the chosen slice."""
    scene, reading, layer, found = _steps(choice)
    count, cells = len(found.channels), found.values.shape[0]
    st.markdown(
        f"Now {plain(reading.title)} on {plain(scene.caption)}. Asked: *why does it call its region "
        f"{plain(scene.name)}?* The {layer_title(layer).lower()} has **{found.of} feature maps** of "
        f"{cells} × {cells} cells. These {count} add or take most:"
    )
    top = float(np.abs(found.activations).max())
    for at, column in enumerate(st.columns(count)):
        steepest = float(np.abs(found.gradients[at]).max())
        with column:
            st.markdown(f"**Feature {found.channels[at]}**")
            _small(
                found.activations[at], top, f"activation, up to {signed(float(found.activations[at].max()))}"
            )
            told = f"gradient, up to ±{signed(steepest, 2)}"
            _small(found.gradients[at], steepest, told, is_signed=True)
    right = sum(found.share >= limit for limit in SHARES)
    return Question(
        f"How much of the whole map do these {count} of {found.of} features carry?",
        ("Under a quarter", "A quarter to a half", "More than half"),
        right=right,
        because=f"They hold {percent(found.share)} of all weight × activation (without signs).",
        about=f"{scene.token}.{reading.model}",
    )


def channel_weights(choice: Choice | None) -> None:
    """The weights, and what each channel adds to the map."""
    _, _, _, found = _steps(choice)
    limit = float(np.abs(found.parts).max())
    for at, column in enumerate(st.columns(len(found.channels))):
        with column:
            st.markdown(f"weight = mean of gradient:  \n**{signed(float(found.weights[at]))}**")
            _small(found.parts[at], limit, f"weight × activation, {_range(found.parts[at])}", is_signed=True)
    st.caption(
        "Orange speaks for the class, blue against it; weight × activation on one scale for all, each gradient "
        "on its own. Log-odds: +1 means the odds are 2.7 times as high."
    )


def _range(values: np.ndarray) -> str:
    return " to ".join(signed(float(value) + 0.0) for value in (values.min(), values.max()))


def _small(values: np.ndarray, limit: float, told: str, *, is_signed: bool = False) -> None:
    picture = lessons_pictures.cells(values, limit, signed=is_signed)
    st.image(picture, caption=told, output_format="PNG", alt=told, width="stretch")


def whole(choice: Choice | None) -> Question:
    """The sum over all channels, cell by cell."""
    scene, _, _, found = _steps(choice)
    limit, side = float(np.abs(found.values).max()), found.values.shape[0]
    parts = {
        f"Sum of the {len(found.channels)} alone": found.parts.sum(axis=0),
        f"Sum of all {found.of} features": found.values,
        "After the ReLU": np.maximum(found.values, 0),
    }
    for column, (title, values) in zip(st.columns(3), parts.items(), strict=True):
        with column:
            st.markdown(f"**{title}**")
            _small(values, limit, _range(values), is_signed=True)
    return Question(
        f"The grid has {side} × {side} cells. On the {SIZE} × {SIZE} image, how finely can this map tell where?",
        ("To the pixel", f"To about a cell: {SIZE // side} pixels", "To the outline the network drew"),
        right=1,
        because="What looks smooth on screen is interpolation between a few numbers. A cell's value also "
        "depends on everything that cell can see, which in the deepest layer is more than the whole image.",
        about=scene.token,
    )


def overlay(choice: Choice | None) -> None:
    """The enlarged map over the picture, and the numbers it is made of."""
    scene, reading, layer, found = _steps(choice)
    positive = np.maximum(found.values, 0)
    panels = [
        lessons_scene.reference_panel(scene),
        lessons_scene.heat_panel(
            reading, scene, found.values, float(positive.max()), "own scale", subtitle=layer_title(layer)
        ),
    ]
    show(
        scene.picture, panels, token=scene.token, key="lesson-gradcam", mode="heatmap", columns=2,
        reference=scene.inside.astype(np.uint8), caption=scene.caption, classes=(scene.name,),
    )  # fmt: skip
    large = enlarge(positive, (SIZE, SIZE))
    rows = {
        "Score explained": f"{signed(found.score)} log-odds, mean over the predicted region",
        "Highest cell": f"{signed(float(found.values.max()))} log-odds",
        "Lowest cell": f"{signed(float(found.values.min()))} log-odds: removed by the ReLU"
        if found.values.min() < 0
        else f"{signed(float(found.values.min()))} log-odds",
        "Highest pixel after enlarging": f"{signed(float(large.max()))} log-odds",
        "Mean before and after": f"{number(float(positive.mean()), 4)} and {number(float(large.mean()), 4)}",
    }
    st.table(pd.DataFrame({"On this slice": rows}), alt="The numbers of this map")


LESSON = Lesson(
    name="gradcam",
    title="Grad-CAM by hand",
    icon=":material/calculate:",
    teaches="Build a heatmap with your own hands from three small grids, then see the same five steps with the "
    "real numbers of a network on a slice.",
    minutes=10,
    steps=(
        Step("One weight for each feature", weights),
        Step("Add up, and keep what is positive", rectified),
        Step("The same on a real slice", channels, channel_weights),
        Step("From 64 numbers to a picture", whole, overlay),
    ),
    closing="A heatmap is a weighted sum of feature maps, nothing more.",
    notes="""
**Aim.** To take the magic out of the picture: five small steps, each of which loses something.

**In class.** Steps 1 and 2 need no data. Let somebody change one gradient of feature 3 from −0.9 to 0.9 and
predict the weight before looking. Set all of feature 2 to 0: the blue disappears, the shape of the map hardly
changes.

**Points to make.** The weight ignores *where* the gradient is. The ReLU hides evidence against. The last
division hides how strong the map was (see *Redder is not better*). Interpolation suggests a precision that is
not there.

**Often misunderstood.** "The network looked at the red part." The map says where features that raised this
score were active in one layer. It is no gaze and no cause.

Source: Selvaraju et al., ICCV 2017 (arXiv 1610.02391).
""",
)
