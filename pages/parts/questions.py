"""What the networks are asked on the heatmaps page: regions, scores, rows of questions, and their controls."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import (
    PAPER_TARGET,
    SIZE,
    DatasetCard,
    Prediction,
    Slice,
    Target,
    list_methods,
    list_networks,
    numbered_components,
    pixel_target,
    shared_region,
)
from pages.parts import pickers, state, words
from pages.parts.case import Reading

IMAGE = "image"  # stands for the layer of methods that look at none
REGIONS = {
    "predicted": "Own predicted region",
    "shared": "One region for all networks",
    "reference": "Expert's region",
    "missed": "Missed part",
    "invented": "Invented part",
    "mistaken": "Mistaken for another class",
    "component": "One region of several",
    "pixel": "One point: click",
    "boundary": "Band along the outline",
    "top_percent": "Likeliest 1 % of the pixels",
    "whole_image": "Whole image (paper)",
}
OF_REFERENCE = ("reference", "missed", "invented", "mistaken")
MEANS = {
    "predicted": "why does it call this area so?",
    "shared": "the same place for every network: the expert's region, without one the union of the predictions; "
    "only then can maps be compared between networks",
    "reference": "what speaks for and against the class where the expert drew it?",
    "missed": "drawn by the expert, not by the network: what kept it from seeing this? Look at what speaks against",
    "invented": "drawn by the network, not by the expert: what misled it?",
    "mistaken": "drawn by the expert as this class, by the network as another",
    "component": "why this region of several?",
    "pixel": "why this class just here? The class is the one each network predicts there",
    "boundary": "what decides the outline? The pixels within 2 of it",
    "top_percent": "for a class that is predicted nowhere: what speaks for it where it is likeliest?",
    "whole_image": "paper mode: the mean over all pixels",
}
SCORES = {
    "usual": "Usual",
    "log_odds": "Log-odds",
    "logit": "Logit",
    "probability": "Probability",
    "contrast": "Against another class",
}
UNITS = {
    "log_odds": "log-odds",
    "logit": "logit",
    "probability": "probability",
    "contrast": "logit difference",
}
ALONG = {"layer": "Layers", "cam": "Methods", "region": "Questions"}
WIDTHS = {"layer": 160, "cam": 150, "region": 215}  # of the lists, in pixels: two lines of choices at 1024 px
SIDES = {"both": "Both sides", "inner": "Inner half", "outer": "Outer half"}
RADII = {str(radius): f"{2 * radius + 1} × {2 * radius + 1}" for radius in range(5)}
OWNERS = {"predicted": "the network's", "reference": "the expert's"}
PANELS = 24  # the most that the viewer draws


@dataclass(frozen=True)
class Question:
    """One row of the grid: what every network is asked, and in which layer.

    ``target`` is what is asked; at a point the class is the one that each network predicts there, and
    ``is_open`` says that no point is marked yet.
    """

    method: str
    layer: str
    target: Target
    is_open: bool = False

    @property
    def title(self) -> str:
        """The row's heading."""
        return " · ".join([list_methods()[self.method].title, *self._asked()])

    @property
    def short(self) -> str:
        """The same without what is usual."""
        said = [] if self.method == "gradcam" else [list_methods()[self.method].title]
        return " · ".join([*said, *(word for word in self._asked() if word != "predicted")])

    def _asked(self) -> list[str]:
        said = [] if self.target.region == "pixel" else [self.target.class_name]
        said.append("image" if self.layer == IMAGE else words.layer(self.layer))
        said.append(self.target.region.replace("_", " "))
        if self.target.kind == "contrast":
            said.append(f"against {self.target.rival}")
        return said


def target_of(question: Question, prediction: Prediction, classes: Sequence[str]) -> Target:
    """What one network is asked: at a point, about the class that it predicts there."""
    target = question.target
    if target.region != "pixel":
        return target
    found = pixel_target(prediction, target.row, target.column, (SIZE, SIZE), target.radius)
    rival = _rival(found.class_name, target.rival, classes) if target.kind == "contrast" else ""
    return replace(found, kind=target.kind, rival=rival)


def mask_of(question: Question, one: Slice, readings: Sequence[Reading]) -> np.ndarray | None:
    """The region that all are asked about, where that is the question; None otherwise, or without predictions."""
    given = [reading.prediction for reading in readings if reading.prediction is not None]
    if question.target.region != "shared" or not given:
        return None
    return shared_region(one, given, question.target.class_name)


def layers_of(readings: Sequence[Reading]) -> dict[str, str]:
    """Layers that every chosen network has, deepest first, with their titles."""
    networks = [list_networks()[reading.model] for reading in readings]
    common = [name for name in networks[0].layers if all(name in card.layers for card in networks)]
    return {name: words.layer(name) for name in common}


def controls(
    card: DatasetCard, one: Slice, readings: Sequence[Reading], bar: DeltaGenerator
) -> list[Question]:
    """The choices above the pictures, in ``bar``: the questions to ask, one row each, as many as can be drawn."""
    layers = layers_of(readings)
    methods = {name: method.title for name, method in list_methods().items()}
    regions = {
        name: text
        for name, text in REGIONS.items()
        if (one.has_reference or name not in OF_REFERENCE) and (name != "mistaken" or len(card.classes) > 2)
    }
    with bar:
        along = pickers.pick_from("Compare", "along", ALONG, "layer", 115)

        def pick(label: str, name: str, titles: Mapping[str, str], default: str) -> list[str]:
            if along == name:
                return pickers.pick_options(f"{label}, one row each", name, titles, default)
            return [pickers.pick_from(label, name, titles, default, WIDTHS[name])]

        offered = {
            "layer": ("Layer", layers, next(iter(layers))),
            "cam": ("Method", methods, "gradcam"),
            "region": ("Question about", regions, "predicted"),
        }
        chosen = {name: [""] for name in offered}
        for name in sorted(
            offered, key=lambda name: name == along
        ):  # what has several choices takes most room
            label, titles, default = offered[name]
            chosen[name] = pick(label, name, titles, default)
        names = [card.foreground[-1]]
        if len(card.classes) > 2:
            titles = {name: name.capitalize() for name in card.classes}
            names = pickers.pick_options("Class, one row each", "class", titles, names[0])
        with st.popover("Details", help="Score, class to compare with, region, point and its size"):
            details = _details(card, one, readings, chosen["region"], names)
    if not one.has_reference:
        st.caption("No expert outline: the expert's region, missed and invented parts cannot be asked about.")
    rows = [
        Question(
            method,
            _place(method, layer),
            _target(region, name, card.classes, details),
            is_open=region == "pixel" and not details["at"],
        )
        for name in names
        for layer in chosen["layer"]
        for method in chosen["cam"]
        for region in chosen["region"]
    ]
    # the class does not matter at a point, nor does the layer to some methods: equal rows are one
    rows = list(dict.fromkeys(rows))
    most = PANELS // (len(readings) + 1)
    if len(rows) > most:
        st.caption(f"The first {most} of {len(rows)} rows are shown. With fewer networks more rows fit.")
    return rows[:most]


def _place(method: str, layer: str) -> str:
    return IMAGE if list_methods()[method].place == "image" else layer


def _details(
    card: DatasetCard, one: Slice, readings: Sequence[Reading], regions: Sequence[str], names: Sequence[str]
) -> dict[str, str]:
    """What a question needs beyond class and region; only what the chosen regions use is asked."""
    for region in regions:
        st.caption(f"**{REGIONS[region]}**: {MEANS[region]}.")
    found = {
        "score": pickers.pick_option("Score", "score", SCORES, "usual", help=SCORE_HELP),
        "at": point(),
        "rival": "",
        "of": "predicted",
        "index": "1",
        "radius": "1",
        "side": "both",
    }
    if found["score"] == "contrast" or "mistaken" in regions:
        titles = {name: name.capitalize() for name in card.classes}
        found["rival"] = pickers.pick_from("Other class", "rival", titles, _rival(names[0], "", card.classes))
    if "component" in regions:
        owners = OWNERS if one.has_reference else {"predicted": OWNERS["predicted"]}
        found["of"] = pickers.pick_option("Whose outline", "of", owners, "predicted")
        sizes = _components(one, readings, names[0], found["of"])
        found["index"] = pickers.pick_from("Region, largest first", "index", sizes, "1")
        if found["of"] == "predicted":
            st.caption("By size in each network's own outline: it may be another lesion for another network.")
    if "pixel" in regions:
        found["radius"] = pickers.pick_option("Square round the point", "radius", RADII, "1")
    if "boundary" in regions:
        found["side"] = pickers.pick_option("Band", "side", SIDES, "both")
    return found


SCORE_HELP = (
    "Usual: log-odds, and in paper mode the probability. Log-odds: +1 means odds times 2.7, in every dataset. "
    "Logit: with more than two classes only meaningful between classes. Probability: silent where the network is "
    "sure. Against another class: what speaks for one class rather than the other."
)


def point() -> str:
    """The point that is asked about as "row,column" of the networks' grid; empty when none is marked."""
    given = (state.option("at") or ("",))[0]
    found = re.fullmatch(r"([0-9]{1,3}),([0-9]{1,3})", given)
    return given if found and max(int(found[1]), int(found[2])) < SIZE else ""


def _components(one: Slice, readings: Sequence[Reading], name: str, of: str) -> dict[str, str]:
    """The separate regions by number, with their size for each network."""
    sizes = {
        reading.title: numbered_components(one, reading.prediction, name, of)[1]
        for reading in readings
        if reading.prediction is not None
    }
    if of == "reference":
        sizes = {"": next(iter(sizes.values()), ())}
    found = {}
    for number in range(1, 1 + min(20, max((len(each) for each in sizes.values()), default=0))):
        each = [f"{who} {s[number - 1]} px".strip() for who, s in sizes.items() if number <= len(s)]
        found[str(number)] = f"{number}: {', '.join(each)}"
    return found or {"1": "1: none here"}


def _rival(name: str, wanted: str, classes: Sequence[str]) -> str:
    """The class asked against: the one wanted, unless it is the class itself; then the one below it in the list."""
    if wanted and wanted != name:
        return wanted
    return classes[abs(list(classes).index(name) - 1)]


def _target(region: str, name: str, classes: Sequence[str], details: Mapping[str, str]) -> Target:
    """The question behind the choices; the whole image is asked exactly as in the paper unless a score is named."""
    usual = PAPER_TARGET.kind if region == "whole_image" else "log_odds"
    kind = usual if details["score"] == "usual" else details["score"]
    more: dict[str, str | int] = {}
    if kind == "contrast" or region == "mistaken":
        more["rival"] = _rival(name, details["rival"], classes)
    if region == "component":
        more |= {"of": details["of"], "index": int(details["index"])}
    if region == "boundary":
        more["side"] = details["side"]
    if region == "pixel":
        row, column = (int(place) for place in (details["at"] or "0,0").split(","))
        more |= {"row": row, "column": column, "radius": int(details["radius"])}
        name = classes[-1]  # a stand-in: each network is asked about the class that it predicts there
        more |= {"rival": _rival(name, details["rival"], classes)} if kind == "contrast" else {}
    return Target(name, region, kind, **more)  # type: ignore[arg-type]
