"""What Review and Heatmaps share about a CT volume: panels, the settled slice, the offer to compute, numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from core import SIZE, CoreError, Run, Slice, SliceEntry
from pages.parts import cached, case, choices, computing, pickers, viewer, volume_series
from pages.parts.case import Reading
from pages.parts.choices import Choice
from pages.parts.frame import explain
from pages.parts.panels import STYLES, WINDOWS, Panel, Stack
from pages.parts.payload import TooLarge, pack
from pages.parts.stacks import FINE, Answer
from pages.parts.words import plain

NO_GEOMETRY = "placeholder-geometry"  # a flag of volumes
NO_MM = "mm not measured: the file's geometry is a placeholder"


@dataclass(frozen=True, eq=False)
class Settled:
    """The slice the reader has settled on, and what each network says about it and about the whole volume."""

    view: Mapping[str, Any]
    one: Slice
    readings: list[Reading]  # of the settled slice, on the volume's own grid
    answers: Mapping[str, Answer | None]  # of the whole volume by network, on the grid that is drawn
    grid: tuple[int, int]  # rows and columns of that grid


def token(entry: SliceEntry) -> str:
    """The viewer's name for a volume."""
    return f"{entry.dataset}/{entry.case}"


def settle(choice: Choice, key: str, side: int) -> Settled:
    """Everything about the slice that the viewer with ``key`` reported, or that the address names, or the first."""
    entry, asked = choice.entry, pickers.asked_slice()
    drawn = cached.drawn(entry, side)
    indices = drawn.indices
    start = entry.index if asked is None else min(indices, key=lambda index: abs(index - asked))
    view = viewer.settled(
        pickers.reported(key),
        token=token(entry),
        indices=indices,
        start=start,
        classes=choice.card.foreground,
    )
    one = cached.slice_of(entry, view["slice"])
    answers = {
        model: cached.answer(run, entry, side) if run is not None and not run.problem else None
        for model, run in choice.runs.items()
    }
    rows, columns = drawn.pictures.shape[1:]
    return Settled(view, one, case.readings(choice, one), answers, (rows, columns))


def panel(reading: Reading, answer: Answer | None, **more: Any) -> Panel:
    """The panel of one network: its outlines in all slices, or the words that say why there are none."""
    style = STYLES.get(reading.model, STYLES["reference"])
    told = "" if answer else reading.message or "Not computed for all slices of this volume."
    shown = Panel(
        title=reading.title,
        colour=style.colour,
        dash=style.dash,
        labels=answer.labels if answer else None,
        probability=answer.probability if answer else None,
        message=told,
        network=reading.title,
        run=reading.stamp,
    )
    return replace(shown, **more) if more else shown


def heat_panel(reading: Reading, answer: Answer | None, shown: Panel) -> Panel:
    """A heatmap's panel with the network's outlines in all slices; the map itself is that of the settled slice."""
    labels, probability = (None, None) if answer is None else (answer.labels, answer.probability)
    message = shown.message.replace("this case", "this slice") or (
        "" if answer else panel(reading, answer).message
    )
    return replace(shown, labels=labels, probability=probability, message=message)


def reference_panel(choice: Choice, side: int, subtitle: str = "") -> Panel:
    """The volume with the expert's outlines, without any network."""
    style, labels = STYLES["reference"], cached.drawn(choice.entry, side).reference
    return Panel(
        title="Image + reference" if labels is not None else "Image",
        subtitle=subtitle if labels is not None else "no expert outline",
        colour=style.colour,
        dash=style.dash,
        labels=labels,
        is_reference=True,
    )


def draw(choice: Choice, panels: Sequence[Panel], key: str, side: int, **drawn: Any) -> None:
    """Put the viewer on the page. To be called inside the fragment that ``settle`` was called in.

    ``drawn`` is what ``pack`` describes, the ``heat_slice``, and ``on_ask``, see ``viewer.show``.
    """
    entry, card = choice.entry, choice.card
    on_ask = drawn.pop("on_ask", None)
    grid = cached.drawn(entry, side)
    place = {e.index: e.position_mm for e in cached.slices(entry.dataset) if e.case == entry.case}
    low, high = card.window_hu or (0.0, 1.0)
    seen = ("What the model saw", high - low, (high + low) / 2)
    positions = tuple(place[index] or 0.0 for index in grid.indices)
    stored = stored_areas(choice, grid.indices)
    titles = {title: choice.runs.get(model) for model, title in choices.networks().items()}
    stack = Stack(
        indices=grid.indices,
        source=(entry.height, entry.width),
        positions_mm=positions,
        total=cached.slices_in(entry),
        start=entry.index,
        spacing_mm=grid.spacing_mm,
        windows=(*WINDOWS, seen),
        heat_slice=drawn.pop("heat_slice", None),
        disagreement=stored.disagreement,
        mm_note=mm_note(entry.flags),
    )

    def with_areas(panel: Panel) -> Panel:
        run = titles.get(panel.network)
        own = stored.reference if panel.is_reference else stored.networks.get(run.name) if run else None
        return panel if own is None else replace(panel, areas=own)

    try:
        packed = pack(
            grid.pictures,
            [with_areas(panel) for panel in panels],
            token=token(entry),
            stack=stack,
            orientation=True,
            reference=grid.reference,
            caption=f"{card.title} · {entry.case}{redistribution(choice)}",
            classes=card.foreground,
            **drawn,
        )
    except TooLarge:
        if side == SIZE:
            raise
        cached.too_large().add((token(entry), side))
        st.rerun()
    viewer.mount(packed, key, on_ask)


def stored_areas(choice: Choice, indices: Sequence[int]) -> volume_series.Areas:
    """What the stored scores say about the areas in these slices: nothing has to be predicted for it."""
    entry = choice.entry
    one = cached.slice_of(entry, entry.index)
    row, column = one.spacing_mm or (1.0, 1.0)
    runs = [run.name for run in choice.runs.values() if run is not None and not run.problem]
    results = cached.results(entry.dataset)
    rows = [] if results is None else [found for found in results.slices if found["case"] == entry.case]
    return volume_series.areas(rows, runs, indices, choice.card.foreground, row * column)


def mm_note(flags: Sequence[str]) -> str:
    """Words that have to stand beside every length of a volume with these flags; empty if there are none."""
    return NO_MM if NO_GEOMETRY in flags else ""


def redistribution(choice: Choice) -> str:
    """What has to stand on pictures and files of a set whose licence forbids to pass on parts of it."""
    card = choice.card
    return f" · {card.terms}" if card.terms != card.licence else ""


def finer(key: str, choice: Choice) -> int:
    """The side of the grid that is sent: the usual one, or the finer one on request where it is not too large."""
    wanted = st.toggle(
        f"Finer picture: {FINE} × {FINE}", key=f"{key}-fine", help="Four times the bytes; the masks follow."
    )
    if wanted and (token(choice.entry), FINE) in cached.too_large():
        st.caption(f"This volume is too large for the finer picture: it is shown at {SIZE} × {SIZE}.")
        return SIZE
    return FINE if wanted else SIZE


def offer(choice: Choice, settled: Settled) -> None:
    """A button that computes the whole volume, one network after the other; nothing where all is stored."""
    missing: list[Run] = []
    for reading in settled.readings:
        run = choice.runs[reading.model]
        refused = run is None or run.problem or cached.refusal(run)
        if run is not None and not refused and settled.answers[reading.model] is None:
            missing.append(run)
    if not missing:
        return
    n = len(cached.volume(choice.entry).indices)
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.button(f"Compute this volume ({case.COST})", icon=":material/calculate:")
        st.caption(plain(f"{n} slices for each of {len(missing)} networks, computed once and kept."))
    if not asked:
        return
    bar = st.progress(0.0, "Loading the first network")
    failed = computing.volume(missing, choice.entry, lambda share, text: bar.progress(share, plain(text)))
    for sentence in failed:
        st.error(plain(sentence), icon=":material/error:")
    if not failed:
        st.rerun()


def guarded(page: Any, *given: Any) -> None:
    """Run a part of a page in a fragment of its own; a CoreError inside becomes a message there too."""

    def inside() -> None:
        try:
            page(*given)
        except CoreError as error:
            explain(error)

    st.fragment(inside)()
