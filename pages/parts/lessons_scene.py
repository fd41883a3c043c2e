"""What the lessons look at: one slice with a lesion, predictions and maps, as panels of the viewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from core import (
    DataMissing,
    Heatmap,
    Prediction,
    Run,
    Slice,
    SliceEntry,
    Target,
    heatmap,
    predict,
    stored_heatmap,
    studied_cases,
)
from pages.parts import cached, case, choices, lessons, pickers, state
from pages.parts.case import Reading
from pages.parts.choices import Choice
from pages.parts.panels import STYLES, WINDOWS, HeatLayer, Panel
from pages.parts.words import plain

UNIT = "log-odds per cell"


@dataclass(frozen=True, eq=False)
class Scene:
    """One slice as the lessons show it.

    picture   (H, W) uint8; a CT slice in the soft-tissue window
    inside    (H, W) booleans: the lesion in the expert's outline
    name      of the class, ``label`` its value
    """

    choice: Choice
    one: Slice
    picture: np.ndarray
    inside: np.ndarray
    name: str
    label: int

    @property
    def token(self) -> str:
        """The slice's key: it names the case to the viewer."""
        return self.one.key

    @property
    def caption(self) -> str:
        """The case in words, for exported pictures."""
        number = f" slice {self.one.index}" if self.choice.card.has_volumes else ""
        return f"{self.choice.card.title} · {self.one.case}{number}"


def scene(choice: Choice | None) -> Scene:
    """The chosen case if it has a lesion, else the first that has one. DataMissing when there is none at all."""
    if choice is None:
        raise DataMissing("No case is chosen. If no images are prepared yet, run: python -m core demo")
    shown = shown_entries(choice.card.name)
    listed = [choice.entry, *choices.matching(pickers.selection(), choice.card), *shown]
    entry = next((entry for entry in listed if entry in shown and has_lesion(entry)), None)
    if entry is None:
        raise DataMissing(f"No case of {choice.card.title} has a lesion that an expert outlined.")
    if entry != choice.entry:
        why = "has no lesion" if choice.entry in shown else "is in an open study"
        st.caption(plain(f"{choice.entry.case} {why}, so this lesson takes {entry.case}."))
    return of_entry(choice, entry)


def shown_entries(dataset: str) -> tuple[SliceEntry, ...]:
    """The cases of a dataset without those of an open blinded study, which no other page shows."""
    closed = studied_cases(dataset)
    return tuple(entry for entry in choices.entries(dataset) if entry.case not in closed)


def has_lesion(entry: SliceEntry) -> bool:
    """Whether the expert outlined a lesion in this slice."""
    return bool(entry.class_pixels[-1] if entry.class_pixels else entry.reference_pixels)


def of_entry(choice: Choice, entry: SliceEntry) -> Scene:
    """The scene of one index entry; of a volume its slice with most tumour."""
    one = cached.one_slice(entry)
    label = len(choice.card.classes) - 1
    reference = np.zeros(one.picture.shape, np.uint8) if one.reference is None else one.reference
    told = replace(choice, entry=entry)
    return Scene(told, one, grey(one.picture), reference == label, choice.card.classes[label], label)


def grey(picture: np.ndarray) -> np.ndarray:
    """A picture as uint8: ultrasound as it is, HU through the soft-tissue window."""
    if picture.dtype == np.uint8:
        return picture
    _, width, level = WINDOWS[0]
    share = (picture.astype(np.float32) - (level - width / 2)) / width
    return np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8)


def readings(shown: Scene) -> list[Reading]:
    """The networks that can be used on this slice, each with its prediction; Waiting while one is missing."""
    usable = _usable(shown)
    if missing := [reading for reading in usable if reading.prediction is None]:
        _offer_predictions(shown, missing)
    return usable


def asked(shown: Scene) -> tuple[Run, Prediction, Reading]:
    """The first network that draws the lesion's class here: the one a single-network step looks at.

    Waiting while it is not known; DataMissing when all draw nothing, as then there is nothing to explain.
    """
    usable = _usable(shown)
    for reading in usable:
        if reading.run and reading.prediction and reading.labels is not None:
            if (reading.labels == shown.label).any():
                return reading.run, reading.prediction, reading
        else:
            _offer_predictions(shown, [reading])
    raise DataMissing(
        f"No network draws any {shown.name} on this slice, so there is nothing to explain. Take another case."
    )


def _usable(shown: Scene) -> list[Reading]:
    """The readings of networks that can be used, stored or not. DataMissing when there is none."""
    found = case.readings(shown.choice, shown.one)
    for reading in found:
        if reading.prediction is None and not reading.is_missing:
            st.caption(plain(f"{reading.title} is left out: {reading.message}"))
    usable = [reading for reading in found if reading.prediction is not None or reading.is_missing]
    if not usable:
        raise DataMissing(
            f"No trained network fits {shown.choice.card.title}. "
            f"Run: python -m core train {shown.choice.card.name} unet"
        )
    return usable


def _offer_predictions(shown: Scene, missing: Sequence[Reading]) -> None:
    def work(report: lessons.Report) -> None:
        for reading in missing:
            if reading.run is not None:
                report(f"{reading.run.name}: prediction")
                predict(reading.run.name, shown.one)

    lessons.offer("the prediction of this slice", work)


def suggest(shown: Scene, answers: Sequence[Reading]) -> None:
    """Where a network draws nothing: the way to the case on which all of them do best, if scores are stored."""
    silent = [one.title for one in answers if one.labels is None or not (one.labels == shown.label).any()]
    found, names = cached.results(shown.choice.card.name), {one.run.name for one in answers if one.run}
    if not silent:
        return
    worst: dict[str, list[float]] = {}
    for row in found.scores if found else ():
        if row["run"] in names and row["class"] == shown.name and row["tp"] + row["fn"]:
            worst.setdefault(row["case"], []).append(row["dice"])
    known = {entry.case for entry in choices.entries(shown.choice.card.name)}
    full = {case: min(dice) for case, dice in worst.items() if len(dice) == len(names) and case in known}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(plain(f"{' and '.join(silent)} draws nothing here: there is no map to compare."))
        if full and min(full.values()) < max(full.values()):
            st.button(
                "Take a case that all draw",
                key="b_suggest",
                on_click=_take,
                args=(max(full, key=full.__getitem__),),
            )


def _take(name: str) -> None:
    state.change(case=name)
    state.write_address()


def maps(
    shown: Scene, answers: Sequence[Reading], layers: Sequence[str], target: Target
) -> dict[tuple[str, str], Heatmap]:
    """Grad-CAM by network and layer; Waiting while one is missing."""
    found: dict[tuple[str, str], Heatmap] = {}
    missing: list[tuple[Run, Prediction, str]] = []
    for reading in answers:
        for layer in layers:
            if reading.run is None or reading.prediction is None:
                continue
            stored = stored_heatmap(reading.run.name, shown.one, "gradcam", layer, target)
            if stored is None:
                missing.append((reading.run, reading.prediction, layer))
            else:
                found[reading.model, layer] = stored

    def work(report: lessons.Report) -> None:
        for run, prediction, layer in missing:
            report(f"{run.name}: evidence in {layer.replace('_', ' ')}")
            heatmap(run.name, shown.one, prediction, "gradcam", layer, target)

    if missing:
        lessons.offer("the heatmaps of this slice", work)
    return found


def reference_panel(shown: Scene, subtitle: str = "expert's outline") -> Panel:
    """The picture with the lesion's outline."""
    style = STYLES["reference"]
    return Panel(
        title="Image + reference",
        subtitle=subtitle,
        colour=style.colour,
        dash=style.dash,
        labels=shown.inside.astype(np.uint8),
        is_reference=True,
    )


def blank_panel(shown: Scene, subtitle: str) -> Panel:
    """The picture alone."""
    style = STYLES["reference"]
    return Panel(
        title="Image",
        subtitle=subtitle,
        colour=style.colour,
        dash=style.dash,
        labels=np.zeros_like(shown.picture),
    )


def panel(reading: Reading, shown: Scene, subtitle: str = "") -> Panel:
    """What one network draws of the lesion."""
    style = STYLES.get(reading.model, STYLES["reference"])
    labels = None if reading.labels is None else (reading.labels == shown.label).astype(np.uint8)
    is_empty = labels is None or not labels.any()
    return Panel(
        title=reading.title,
        subtitle=subtitle,
        colour=style.colour,
        dash=style.dash,
        labels=labels,
        message=f"predicts no {shown.name} here" if is_empty else "",
        run=reading.stamp,
    )


def heat_panel(
    reading: Reading, shown: Scene, values: np.ndarray, limit: float, scale: str,
    title: str = "", subtitle: str = "", unit: str = UNIT,
) -> Panel:  # fmt: skip
    """A map over the picture, with the network's outline."""
    flat = not values.any()
    heat = HeatLayer(
        values=values,
        limit=limit,
        label=f"{unit}, {scale}",
        state="empty_region" if flat else "ok",
        state_text="Nothing to show: this map is 0 everywhere." if flat else "",
    )
    drawn = panel(reading, shown, subtitle)
    return replace(drawn, title=title or reading.title, network=reading.title, heat=heat)
