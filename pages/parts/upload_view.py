"""What the networks say of a reader's own image: the viewer, heatmaps on request, votes, areas and scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from core import NOTICE, DataRefused, predicted_labels
from pages.parts import (
    cached_upload,
    choices,
    stacks,
    upload_heat,
    upload_numbers,
    upload_state,
    upload_work,
    viewer,
    volumes,
)
from pages.parts.case import Reading
from pages.parts.panels import STYLES, WINDOWS, Panel, Stack
from pages.parts.payload import Packed, TooLarge, pack
from pages.parts.stacks import Answer, Drawn
from pages.parts.upload_state import Own

KEY = "own-image"
CAPTION = "own image, not stored"


def show(own: Own) -> None:
    """The page once an image has been checked: what must be known first, then pictures, then numbers."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.badge(
            f"{NOTICE} Your image is in this session's memory alone.", icon=":material/gavel:", color="orange"
        )
        st.button("Forget now", icon=":material/delete:", on_click=upload_state.forget)
    upload_numbers.cautions(own)
    upload_work.finish(own)
    if own.upload.spacing_mm is None:
        _picture(own)
    else:
        volumes.guarded(_volume, own)
    upload_numbers.numbers(own)
    upload_numbers.checked(own)


def readings(own: Own, index: int) -> list[Reading]:
    """Every network's answer for one slice, or why there is none."""
    titles, shape, made = choices.networks(), own.upload.pictures.shape[1:], []
    for model, run in own.runs.items():
        found = own.found.get(run.name, []) if run is not None else []
        prediction = found[index] if index < len(found) else None
        labels = None if prediction is None else predicted_labels(prediction, shape)
        told = ""
        if run is None:
            told = f"No trained network. Run: python -m core train {own.upload.layout} {model}"
        elif run.problem:
            told = f"Weights rejected: {run.problem}"
        elif prediction is None:
            told = own.failed.get(run.name, "Not computed yet.")
        made.append(Reading(model, titles[model], run, prediction, labels, told))
    return made


# ---- pictures


def _picture(own: Own) -> None:
    one, found = own.upload.slice(0), readings(own, 0)
    above, controls = st.container(), st.container(horizontal=True, vertical_alignment="center")
    with controls:
        look = upload_heat.look_of(own, found, one)
        upload_heat.ask(own, 0, look)
    panels = [_first_panel(one.reference), *upload_heat.network_panels(own, found, one, look)]
    with above:
        viewer.show(
            one.picture,
            panels,
            token=one.key,
            key=KEY,
            mode="heatmap" if any(panel.heat for panel in panels) else "outline",
            columns=len(panels),
            reference=one.reference,
            signed=look["sign"] == "signed",
            caption=CAPTION,
            classes=own.upload.card.foreground,
            compress=cached_upload.compressed,
        )


def _volume(own: Own) -> None:
    upload, token = own.upload, f"upload/{own.upload.case}"
    grid = _drawn(own)
    start = grid.indices[_fullest(own, grid)]
    view = viewer.settled(
        upload_state.reported(KEY),
        token=token,
        indices=grid.indices,
        start=start,
        classes=upload.card.foreground,
    )
    one = upload.slice(view["slice"])
    found = readings(own, one.index)
    above, controls = st.container(), st.container(horizontal=True, vertical_alignment="center")
    with controls:
        look = upload_heat.look_of(own, found, one)
        upload_heat.ask(own, one.index, look)
    drawn = upload_heat.network_panels(own, found, one, look)
    has_heat = any(panel.heat for panel in drawn)
    panels = [
        volumes.heat_panel(reading, _answer(own, reading), panel)
        if has_heat
        else volumes.panel(reading, _answer(own, reading))
        for reading, panel in zip(found, drawn, strict=True)
    ]
    low, high = upload.card.window_hu or (0.0, 1.0)
    packed = _packed(
        grid.pictures,
        [_first_panel(grid.reference), *panels],
        token=token,
        stack=Stack(
            indices=grid.indices,
            source=one.picture.shape,
            positions_mm=tuple(index * upload.spacing_mm[0] for index in grid.indices),
            total=upload.count,
            start=start,
            spacing_mm=grid.spacing_mm,
            windows=(*WINDOWS, ("What the model saw", high - low, (high + low) / 2)),
            heat_slice=one.index if has_heat else None,
            mm_note=volumes.mm_note(upload.flags),
        ),
        mode="heatmap" if has_heat else "outline",
        columns=len(panels) + 1,
        orientation=True,
        reference=grid.reference,
        signed=look["sign"] == "signed",
        caption=CAPTION,
        classes=upload.card.foreground,
        compress=cached_upload.compressed,
    )
    with above:
        viewer.mount(packed, KEY)
        if len(grid.indices) < upload.count:
            first, last = grid.indices[0], grid.indices[-1]
            st.caption(f"Slices {first} to {last} of {upload.count} are drawn; the numbers below count all.")


def _fullest(own: Own, grid: Drawn) -> int:
    """The place with most tumour in the reference, without one in all networks together; the middle if none is."""
    last = len(own.upload.card.foreground)
    answers = [_answer(own, reading) for reading in readings(own, 0)]
    drawn = [answer.labels for answer in answers if answer is not None]
    marked = [grid.reference] if grid.reference is not None else drawn
    sums = sum((labels == last).sum(axis=(1, 2)) for labels in marked)
    return int(np.argmax(sums)) if np.any(sums) else len(grid.indices) // 2


def _packed(*given: Any, **drawn: Any) -> Packed:
    try:
        return pack(*given, **drawn)
    except TooLarge as error:
        message = "The volume has more bytes than are sent to a browser. Cut it to the liver and try again."
        raise DataRefused("too_large", message) from error


def _drawn(own: Own) -> Drawn:
    if own.drawn is None:
        own.drawn = stacks.drawn(own.upload.volume)
    return own.drawn


def _answer(own: Own, reading: Reading) -> Answer | None:
    """A network's outlines in all slices, once it has done them all."""
    run = reading.run
    if run is None or not own.done(run):
        return None
    if run.name not in own.answers:
        grid = _drawn(own)
        probabilities = [own.found[run.name][index].probability for index in grid.indices]
        own.answers[run.name] = stacks.answer(probabilities, grid.pictures.shape[1:])
    return own.answers[run.name]


def _first_panel(reference: np.ndarray | None) -> Panel:
    style = STYLES["reference"]
    return Panel(
        title="Image" if reference is None else "Image + reference",
        subtitle="no reference: see the votes" if reference is None else "your outline",
        colour=style.colour,
        dash=style.dash,
        labels=reference,
        is_reference=True,
    )
