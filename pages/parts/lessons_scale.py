"""Lesson: why redder is not better. Each map on its own scale, all on one, and the paper's recipe rebuilt."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from core import (
    PAPER_TARGET,
    CoreError,
    Heatmap,
    Target,
    heatmap_numbers,
    list_networks,
    read_certificate,
    trust_sentences,
)
from pages.parts import lessons_scene
from pages.parts.case import Reading
from pages.parts.choices import Choice
from pages.parts.frame import mend
from pages.parts.lessons import Lesson, Question, Step
from pages.parts.lessons_scene import Scene
from pages.parts.viewer import show
from pages.parts.words import number, percent, plain, signed

OWN, SHARED = "own scale: colours cannot be compared", "one scale for all networks"
Maps = dict[str, Heatmap]  # by network


def _asked(choice: Choice | None, *, last: bool = False) -> tuple[Scene, list[Reading], Maps]:
    """The maps of all networks: of the bottleneck for the predicted region; or the paper's, of the last layer."""
    scene = lessons_scene.scene(choice)
    readings = lessons_scene.readings(scene)
    at = -1 if last else 0
    layers = {reading.model: list_networks()[reading.model].layers[at] for reading in readings}
    target = Target(scene.name, PAPER_TARGET.region, PAPER_TARGET.kind) if last else Target(scene.name)
    found = lessons_scene.maps(scene, readings, list(dict.fromkeys(layers.values())), target)
    return (
        scene,
        readings,
        {reading.model: found[reading.model, layers[reading.model]] for reading in readings},
    )


def _draw(
    scene: Scene, readings: list[Reading], maps: Maps, key: str, *, shared: bool, paper: bool = False
) -> None:
    tops = {model: max(float(found.values.max()), 0.0) for model, found in maps.items()}
    most = max(tops.values())
    panels = [lessons_scene.reference_panel(scene)]
    for reading in readings:
        values, top = maps[reading.model].values, tops[reading.model]
        limit = (most if shared else top) or float(abs(values).max())
        unit = "probability per cell" if paper else lessons_scene.UNIT
        panels.append(
            lessons_scene.heat_panel(reading, scene, values, limit, SHARED if shared else OWN, unit=unit)
        )
    show(
        scene.picture, panels, token=scene.token, key=key, mode="heatmap", columns=len(panels),
        reference=scene.inside.astype("uint8"), caption=scene.caption, classes=(scene.name,),
        colour_map="cividis" if shared else "jet",
    )  # fmt: skip


def own(choice: Choice | None) -> Question:
    """Each map on its own scale, in the colours of older papers."""
    scene, readings, maps = _asked(choice)
    lessons_scene.suggest(scene, readings)
    st.markdown(
        "The same slice, the same question, the same layer. Each map is divided by **its own** maximum and "
        "painted in jet, as in many papers."
    )
    _draw(scene, readings, maps, "lesson-scale-1", shared=False)
    titles = [reading.title for reading in readings]
    return Question(
        "Which network has the strongest evidence for its prediction?",
        (*titles, "These colours cannot tell"),
        right=len(titles),
        because="Every map reaches full red, because it was divided by its own maximum. Below are the same "
        "maps on one scale, in a colour map whose brightness grows evenly.",
        about=scene.token,
    )


def shared(choice: Choice | None) -> None:
    """The same maps on one scale, with their raw maxima."""
    scene, readings, maps = _asked(choice)
    _draw(scene, readings, maps, "lesson-scale-1-shared", shared=True)
    rows = {
        reading.title: {
            "Raw maximum": _said(maps[reading.model], float(maps[reading.model].values.max()), " per cell"),
            "Score explained": _said(maps[reading.model], maps[reading.model].score, ""),
        }
        for reading in readings
    }
    st.table(pd.DataFrame(rows), alt="Raw maximum and score of each network's map")


def _said(found: Heatmap, value: float, per: str) -> str:
    return f"{signed(value)} log-odds{per}" if found.region_pixels else "n/a: draws nothing"


def inside(choice: Choice | None) -> Question:
    """A question about the share of heat inside the outline."""
    scene, readings, maps = _asked(choice)
    _draw(scene, readings, maps, "lesson-scale-2", shared=True)
    shares = [_numbers(scene, reading, maps)["energy_in_reference"] for reading in readings]
    known = [value if math.isfinite(value) else -1.0 for value in shares]
    right = known.index(max(known)) if max(known) >= 0 else -1
    return Question(
        "Which map has the largest share of its heat inside the expert's outline?",
        tuple(reading.title for reading in readings),
        right=right,
        because="A number answers this, not a colour. Compare it with chance: the outline's share of the picture.",
        about=scene.token,
    )


def numbers(choice: Choice | None) -> None:
    """The numbers that the colours hide."""
    scene, readings, maps = _asked(choice)
    rows = {}
    for reading in readings:
        found = _numbers(scene, reading, maps)
        hit = found["pointing_hit"]
        rows[reading.title] = {
            "Heat inside the outline": percent(found["energy_in_reference"]),
            "Against chance": f"{found['lift']:.1f} ×" if math.isfinite(found["lift"]) else "n/a",
            "Hottest point on the lesion": {1.0: "yes", 0.0: "no"}.get(
                hit, "n/a" if math.isnan(hit) else "tie"
            ),
            "Repeats the prediction (rank correlation)": number(found["redundancy"], 2),
        }
    st.table(pd.DataFrame(rows), alt="Numbers beside the maps of each network")
    st.caption(
        f"The outline covers {percent(float(scene.inside.mean()))} of the picture: that share is chance."
    )
    st.markdown("**And would the map change if the network had learned nothing?**")
    unchecked = []
    for reading in readings:
        try:
            certificate = read_certificate(maps[reading.model].run)
        except CoreError as error:
            message, commands = mend(str(error))
            st.caption(plain(f"{reading.title}: {message}"))
            unchecked += commands
            continue
        layer = maps[reading.model].layer
        said = trust_sentences(certificate, scene.name, layer, "gradcam") or [
            "this kind of map was not checked."
        ]
        st.markdown(f"{plain(reading.title)}: {plain(said[0])}")
    if unchecked:
        st.code("\n".join(unchecked), language="bash")


def _numbers(scene: Scene, reading: Reading, maps: Maps) -> dict[str, float]:
    if reading.prediction is None:
        return {}
    return heatmap_numbers(maps[reading.model], scene.one, reading.prediction)


def paper(choice: Choice | None) -> Question:
    """The recipe of the study: last layer, whole image, own maximum, jet."""
    scene, readings, maps = _asked(choice, last=True)
    st.markdown(
        "The recipe of the study that Triptych re-examines: the **last** layer, the mean over the **whole "
        "image**, each map over **its own** maximum, jet. There, dark red was read as *focuses better*."
    )
    _draw(scene, readings, maps, "lesson-scale-3", shared=False, paper=True)
    return Question(
        "Why do these maps fit the outlines so well?",
        ("The networks look at the lesion", "The maps are the predictions", "The lesion is easy"),
        right=1,
        because="At the last layer Grad-CAM is made of the network's own logits, rectified: hot where it drew, "
        "by construction. A network that draws better then *seems* to focus better.",
        about=scene.token,
    )


def copies(choice: Choice | None) -> None:
    """How far the paper's maps repeat the predictions."""
    scene, readings, maps = _asked(choice, last=True)
    rows = {}
    for reading in readings:
        found = _numbers(scene, reading, maps)
        rows[reading.title] = {
            "Rank correlation with the probability": number(found["redundancy"], 4),
            "Hottest pixels against the mask (IoU)": number(found["redundancy_iou"], 2),
        }
    st.table(pd.DataFrame(rows), alt="How far each map repeats the network's own prediction")


LESSON = Lesson(
    name="scale",
    title="Redder is not better",
    icon=":material/palette:",
    teaches="Three maps that all glow red, and what is left of the difference on one scale and in numbers.",
    minutes=10,
    steps=(
        Step("Three red maps", own, shared),
        Step("Where the heat is, in numbers", inside, numbers),
        Step("The paper's picture", paper, copies),
    ),
    closing="Dividing each map by its own maximum removes what you wanted to compare.",
    notes="""
**Aim.** To see that "dark red against orange" cannot rank networks, and what could.

**In class.** Vote by hand on step 1 before anybody clicks; ask for reasons. The last option is right, but let
the class argue for a network first.

**Points to make.** Own maximum: every map reaches red. Jet: its bright yellow ring draws borders that are not
in the numbers. Raw maxima of different networks share a unit here (log-odds per cell), so one scale is
meaningful.

**Often misunderstood.** A larger share of heat inside the outline is *plausible to a reader*; it does not
prove that the network relies on it. That is what the checks with random weights and with deleted pixels are
for.
""",
)
