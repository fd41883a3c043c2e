"""Small pictures of cases, kept by content: the case list would else be drawn anew at every click."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core import (
    Outline,
    Run,
    SliceEntry,
    grey_levels,
    picture_png,
    predicted_labels,
    preview_png,
    read_slice,
    stored_prediction,
)
from pages.parts import cached
from pages.parts.panels import STYLES, Style

OTHER = Style("#009E73", (), "diamond")  # of a network without a style of its own
SIDE = 360  # longer side of a thumbnail in pixels: about twice as many as it takes on screen
MARGIN = 12  # pixels of the source round what is drawn, where a picture is cut to it


class _Partial(Exception):
    """A picture without the outlines of some networks; an exception, so that it is not kept."""

    def __init__(self, png: bytes, missing: Sequence[str] = ()):
        super().__init__()
        self.png, self.missing = png, tuple(missing)


@st.cache_resource(show_spinner=False, max_entries=512)
def _preview(
    dataset: str, case: str, index: int, content: str, weights: tuple[tuple[str, str], ...], label: int
) -> bytes:
    one = read_slice(dataset, case, index)
    found = [stored_prediction(run, one) for run, _ in weights]
    png = preview_png(one, [prediction for prediction in found if prediction is not None], label)
    if None in found:
        raise _Partial(png)
    return png


def preview(entry: SliceEntry, runs: Sequence[Run], label: int) -> bytes:
    """A case as a small PNG with what these networks are stored to have drawn; loads no network."""
    content = str(cached.card_json(entry.dataset).get("sha256", ""))
    weights = tuple((run.name, run.weights_sha256) for run in runs)
    try:
        return _preview(entry.dataset, entry.case, entry.index, content, weights, label)
    except _Partial as partial:
        return partial.png


@st.cache_resource(show_spinner=False, max_entries=512)
def _outlined(
    dataset: str,
    case: str,
    index: int,
    content: str,
    weights: tuple[tuple[str, str], ...],
    label: int,
    window: tuple[float, float] | None,
    _styles: Sequence[Style],
) -> bytes:
    one = read_slice(dataset, case, index)
    grey, lines = grey_levels(one.picture, window), []
    masks = [] if one.reference is None else [(one.reference, STYLES["reference"])]
    missing = []
    for (run, _), style in zip(weights, _styles, strict=True):
        found = stored_prediction(run, one)
        if found is None:
            missing.append(run)
        else:
            masks.append((predicted_labels(found, one.picture.shape), style))
    rows, columns = extent([labels > 0 for labels, _ in masks], grey.shape, is_cut=window is not None)
    for labels, style in masks:
        drawn = (labels >= label).astype(np.uint8)[rows, columns]
        dash = tuple(2 * length for length in style.dash)
        lines.append(Outline(drawn, style.colour, bool(dash), dash[:2] or (1, 1)))
    png = picture_png(grey[rows, columns], lines, SIDE)
    if missing:
        raise _Partial(png, missing)
    return png


def extent(masks: Sequence[np.ndarray], shape: tuple[int, int], *, is_cut: bool) -> tuple[slice, slice]:
    """Rows and columns to show: everything, or what is marked (all masks together) with a margin."""
    marked = np.any(masks, axis=0) if masks else np.zeros(shape, bool)
    if not is_cut or not marked.any():
        return slice(None), slice(None)
    ends = []
    for axis in (1, 0):
        there = np.flatnonzero(marked.any(axis=axis))
        ends.append(slice(max(0, there[0] - MARGIN), there[-1] + MARGIN + 1))
    return ends[0], ends[1]


def outlined(
    entry: SliceEntry, index: int, runs: Sequence[Run], label: int, window: tuple[float, float] | None = None
) -> tuple[bytes, tuple[str, ...]]:
    """A slice as PNG with the reference and what these networks are stored to have drawn; whose is not stored.

    Outlined is ``label`` with the labels above it. With a CT ``window`` the picture is cut to what is marked.
    Loads no network; errors as of ``core.read_slice``.
    """
    content = str(cached.card_json(entry.dataset).get("sha256", ""))
    weights = tuple((run.name, run.weights_sha256) for run in runs)
    styles = [STYLES.get(run.model, OTHER) for run in runs]
    try:
        png = _outlined(entry.dataset, entry.case, index, content, weights, label, window, styles)
        return png, ()
    except _Partial as partial:
        return partial.png, partial.missing
