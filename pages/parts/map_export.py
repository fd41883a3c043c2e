"""Exports of the heatmaps page: raw arrays, NIfTI on the volume's grid, and where the picture comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core import DatasetCard, Slice, maps_nifti, maps_npz
from pages.parts.maps import Map
from pages.parts.words import plain


def popover(rows: Sequence[Sequence[Map]], one: Slice, card: DatasetCard) -> None:
    """A button that opens the exports of the maps on screen. Nothing is made before it is asked for."""
    found = [answer.heatmap for answers in rows for answer in answers if answer.heatmap is not None]
    with st.popover("Export", icon=":material/download:"):
        st.caption(
            "The maps as a picture, with question, scale and hashes under it: *Save* above them, or key S."
        )
        if not found:
            st.caption("No map is stored yet for this slice.")
            return
        name = f"triptych-maps-{one.case}" + (f"-{one.index}" if card.has_volumes else "")
        count = f"{len(found)} {'map' if len(found) == 1 else 'maps'}"
        _button(f"Raw arrays of {count} (.npz)", lambda: maps_npz(found, one), f"{name}.npz")
        st.caption(
            "Signed values on each layer's own grid; question, run and hashes as JSON under `metadata`."
        )
        if card.has_volumes:
            _button(f"{count} of this slice (NIfTI, .zip)", lambda: maps_nifti(found, one), f"{name}.zip")
            st.caption("On the grid and in the place of the slice in its volume; loads on top of the CT.")
        st.caption(plain(f"Licence of the pictures: {card.terms}."))


def _button(label: str, make: Callable[[], bytes], file: str) -> None:
    st.download_button(
        label, make, file, "application/octet-stream", key=f"maps-{file}", on_click="ignore", type="tertiary"
    )
