"""What a reader of a study sees of a case: the picture and the outlines A, B, C, without anything that names them.

Neither network, run, weights nor case may reach the browser here: not in titles, styles, tokens or messages.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core import (
    SIZE,
    CoreError,
    Slice,
    SliceEntry,
    Study,
    predicted_labels,
    read_card,
    read_run,
    stored_prediction,
    study_outlines,
)
from pages.parts import cached, volumes
from pages.parts.panels import STYLES, WINDOWS, Panel, Stack, Style
from pages.parts.viewer import show

LOG = logging.getLogger("triptych.study")
# Of no network, class or error: a reader learns nothing from a colour.
LETTERS: Mapping[str, Style] = {
    "A": Style("#56B4E9", (), "circle"),
    "B": Style("#F0E442", (6, 3), "square"),
    "C": Style("#009E73", (2, 2), "triangle-up"),
}
LINES: Mapping[str, str] = {"A": "solid blue", "B": "dashed yellow", "C": "dotted green"}
NO_REFERENCE = "The expert's outline is not shown in this study."


@dataclass(frozen=True, eq=False)
class Scene:
    """One case without names: pictures, outlines by letter and, where the study shows it, the reference."""

    picture: np.ndarray
    outlines: Mapping[str, np.ndarray]
    reference: np.ndarray | None
    stack: Stack | None
    classes: tuple[str, ...]


def draw(study: Study, reader: str, position: int) -> bool:
    """Put the case at one position on the page; False when it cannot be shown. Why is in the server's log alone."""
    try:
        _draw(scene(study, reader, position), study, position)
    except CoreError as error:
        LOG.error("study %s, position %s: %s", study.id, position, error)
        return False
    return True


def scene(study: Study, reader: str, position: int) -> Scene:
    """The case at one position, from what is stored. CoreError, which may name a network, if something is not."""
    names = dict(zip(study.letters, study_outlines(study, reader, position), strict=True))
    card, case = read_card(study.dataset), study.orders[reader][position]
    known = cached.volumes(study.dataset) if card.has_volumes else cached.slices(study.dataset)
    entry = next((entry for entry in known if entry.case == case), None)
    if entry is None:
        raise CoreError(f"No case {case} in {study.dataset}.")
    if card.has_volumes:
        return _of_volume(study, entry, names)
    one = cached.one_slice(entry)
    outlines = {letter: _labels(name, one) for letter, name in names.items()}
    reference = one.reference if study.show_reference else None
    return Scene(one.picture, outlines, reference, None, card.foreground)


def _labels(run: str, one: Slice) -> np.ndarray:
    found = stored_prediction(run, one)
    if found is None:
        raise CoreError(f"The prediction of {run} for {one.key} is not stored any more.")
    return predicted_labels(found, one.picture.shape)


def _of_volume(study: Study, entry: SliceEntry, names: Mapping[str, str]) -> Scene:
    card, grid = read_card(study.dataset), cached.drawn(entry, SIZE)
    outlines = {}
    for letter, name in names.items():
        answer = cached.answer(read_run(name), entry, SIZE)
        if answer is None:
            raise CoreError(f"Not all slices of {entry.case} are stored for {name}.")
        outlines[letter] = answer.labels
    place = {e.index: e.position_mm for e in cached.slices(entry.dataset) if e.case == entry.case}
    low, high = card.window_hu or (0.0, 1.0)
    middle = grid.indices[len(grid.indices) // 2]  # the fullest slice of the reference would be a hint
    stack = Stack(
        indices=grid.indices,
        source=(entry.height, entry.width),
        positions_mm=tuple(place[index] or 0.0 for index in grid.indices),
        total=cached.slices_in(entry),
        start=middle,
        spacing_mm=grid.spacing_mm,
        windows=(*WINDOWS, ("Clipped range", high - low, (high + low) / 2)),
        mm_note=volumes.mm_note(entry.flags),
    )
    reference = grid.reference if study.show_reference else None
    return Scene(grid.pictures, outlines, reference, stack, card.foreground)


def panels(shown: Scene) -> list[Panel]:
    """The picture, with the reference where the study shows it, and one panel for each letter."""
    style = STYLES["reference"]
    first = Panel(
        title="Image" if shown.reference is None else "Image + reference",
        colour=style.colour,
        dash=style.dash,
        labels=shown.reference,
        is_reference=True,
        message=NO_REFERENCE if shown.reference is None else "",
    )
    others = [
        Panel(
            title=f"Outline {letter}",
            colour=LETTERS[letter].colour,
            dash=LETTERS[letter].dash,
            labels=labels,
            message="" if labels.any() else "marks nothing here",
        )
        for letter, labels in shown.outlines.items()
    ]
    return [first, *others]


def _draw(shown: Scene, study: Study, position: int) -> None:
    drawn = panels(shown)
    show(
        shown.picture,
        drawn,
        token=f"{study.id}/{position}",  # not the case's name: it would give repeats away
        key="study",
        columns=len(drawn),
        stack=shown.stack,
        orientation=shown.stack is not None,
        reference=shown.reference,
        caption=f"{study.title} · case {position + 1}",
        classes=shown.classes,
        outlines_only=True,
    )
