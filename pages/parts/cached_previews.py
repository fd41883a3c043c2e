"""Small pictures of cases, kept by content: the case list would else be drawn anew at every click."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import Run, SliceEntry, preview_png, read_slice, stored_prediction
from pages.parts import cached


class _Partial(Exception):
    """A picture without the outlines of some networks; an exception, so that it is not kept."""

    def __init__(self, png: bytes):
        super().__init__()
        self.png = png


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
