"""The picture viewer: linked panels, drawn in the browser. Here are its bytes and its mount.

One case travels as one block of bytes: a length, a JSON header, then gzip parts. The same input gives the
same bytes, so that Streamlit sends a rerun as a 76-byte reference. Looking (zoom, mode, opacity ...) stays
in the browser; the settled view is reported once, into a fragment, so that the page does not run again.
"""

from __future__ import annotations

import gzip
import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from pages.parts.panels import (
    CLASS_COLOURS,
    COLOUR_MAPS,
    ERROR_COLOURS,
    SIGNED_MAP,
    STYLES,
    UNDRAWN,
    HeatLayer,
    Panel,
    require,
)

FORMAT = 1
LARGEST = 8_000_000  # bytes of one payload; a 1000 x 800 picture with three networks takes about 0.8 MB
NOTICE = "Research and teaching use only. Not a medical device. Not for diagnosis or treatment."
MODES = ("outline", "fill", "error", "probability", "heatmap")
PEAK = 32767  # heatmap values travel as int16 of value / largest magnitude


def show(
    picture: np.ndarray, panels: Sequence[Panel], *, token: str, key: str, mode: str = "outline", **drawn: Any
) -> dict[str, Any]:
    """Draw linked panels of one picture and return the view the reader settled on, as ``settled`` gives it.

    ``token`` names the case: when it changes, zoom and crosshair are reset, else the view is kept. ``mode`` is
    the mode to open in; a changed value switches. ``drawn`` is what ``pack`` describes: columns, orientation,
    reference, colour_map, signed, caption, classes.
    """
    payload = pack(picture, panels, token=token, mode=mode, **drawn)
    return settled(_mount(payload, key), token=token, mode=mode)


def pack(
    picture: np.ndarray,
    panels: Sequence[Panel],
    *,
    token: str,
    mode: str = "outline",
    columns: int | None = None,
    orientation: bool = False,
    reference: np.ndarray | None = None,
    colour_map: str = "cividis",
    signed: bool = False,
    caption: str = "",
    classes: Sequence[str] = ("tumour",),
) -> bytes:
    """One case as bytes: u32 little-endian header length, JSON header with sorted keys, gzip parts.

    picture      (H, W) uint8; label maps are on the same grid
    columns      fixes the grid of panels; default: one row from 1100 px, 2 x 2 below, one column below 520
    orientation  whether the letters R L A P are drawn (never on ultrasound)
    reference    (H, W) uint8 drawn on the other panels too; default the labels of the reference panel
    signed       heatmaps with both signs, blue to orange, instead of the positive part in ``colour_map``
    caption      the case in words, printed on exported pictures; default the token
    classes      names of the label values from 1 up

    Equal arrays travel once, and the same input gives the same bytes (gzip without its time stamp). ValueError
    names the argument that does not fit.
    """
    require(picture.ndim == 2 and picture.size > 0, "picture", "(H, W)", picture.shape)
    require(picture.dtype == np.uint8, "picture", "uint8", picture.dtype)
    require(0 < len(panels) <= 24, "panels", "1 to 24 panels", len(panels))
    require(bool(token), "token", "a name of the case", "nothing")
    require(mode in MODES, "mode", f"one of {MODES}", mode)
    require(colour_map in COLOUR_MAPS, "colour_map", f"one of {tuple(COLOUR_MAPS)}", colour_map)
    require(columns is None or 1 <= columns <= 8, "columns", "1 to 8 or None", columns)
    if reference is None:
        reference = next((panel.labels for panel in panels if panel.is_reference), None)
    for labels in (reference, *(panel.labels for panel in panels)):
        fits = labels is None or (labels.shape == picture.shape and labels.max() <= len(classes))
        require(fits, "labels", f"{picture.shape} with values 0..{len(classes)}", "another shape or value")
    parts = _Parts()
    header = {
        "format": FORMAT,
        "token": token,
        "caption": caption or token,
        "notice": NOTICE,
        "mode": mode,
        "columns": columns or 0,
        "orientation": orientation,
        "classes": [{"name": name, "colour": CLASS_COLOURS.get(name, "#009E73")} for name in classes],
        "errors": dict(ERROR_COLOURS),
        "map": {
            "name": "blue to orange" if signed else colour_map,
            "signed": signed,
            "stops": (SIGNED_MAP if signed else COLOUR_MAPS[colour_map]).split(),
        },
        "reference_style": {"colour": STYLES["reference"].colour, "dash": list(STYLES["reference"].dash)},
        "picture": parts.add("image", picture),
        "reference": parts.add("labels", reference),
        "panels": [_panel_header(panel, parts) for panel in panels],
        "parts": parts.headers,
    }
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    payload = struct.pack("<I", len(text)) + text + b"".join(parts.blocks)
    require(len(payload) <= LARGEST, "picture", f"at most {LARGEST} bytes in all", len(payload))
    return payload


def settled(raw: object, *, token: str, mode: str = "outline") -> dict[str, Any]:
    """The reported view, with everything that does not fit replaced: the browser is not trusted.

    Zoom 1..16, its middle (x, y) in 0..1 of the picture, opacity in 0..1, crosshair as pixels [x, y] or None.
    Position and crosshair of another case than ``token`` are forgotten.
    """
    given = raw if isinstance(raw, Mapping) else {}
    placed = given if given.get("token") == token else {}
    cross = placed.get("cross")
    if not (
        isinstance(cross, list | tuple) and len(cross) == 2 and all(_is_number(value) for value in cross)
    ):
        cross = None
    return {
        "mode": given.get("mode") if given.get("mode") in MODES else mode,
        "opacity": _clamped(given.get("opacity"), 0, 1, 1),
        "linked": given.get("linked") is not False,
        "reference": given.get("reference") is not False,
        "zoom": _clamped(placed.get("zoom"), 1, 16, 1),
        "x": _clamped(placed.get("x"), 0, 1, 0.5),
        "y": _clamped(placed.get("y"), 0, 1, 0.5),
        "cross": cross and [int(_clamped(value, 0, 65535, 0)) for value in cross],
    }


class _Parts:
    """Arrays on their way into a payload; an array that is already there is not added again."""

    def __init__(self) -> None:
        self.headers: list[dict[str, Any]] = []
        self.blocks: list[bytes] = []
        self._known: dict[tuple[str, tuple[int, ...], bytes], int] = {}

    def add(self, kind: str, array: np.ndarray | None) -> int:
        """The part's position, -1 for None."""
        if array is None:
            return -1
        dtype = {"|u1": "uint8", "<i2": "int16"}[array.dtype.str]
        block = gzip.compress(np.ascontiguousarray(array).tobytes(), 6, mtime=0)
        same = (kind, array.shape, block)
        if same not in self._known:
            self._known[same] = len(self.blocks)
            offset = sum(len(earlier) for earlier in self.blocks)
            facts = {"kind": kind, "dtype": dtype, "shape": list(array.shape)}
            self.headers.append(facts | {"offset": offset, "length": len(block)})
            self.blocks.append(block)
        return self._known[same]


def _panel_header(panel: Panel, parts: _Parts) -> dict[str, Any]:
    probability = None
    if panel.probability is not None:
        probability = np.rint(np.asarray(panel.probability, dtype=np.float64) * 255).astype(np.uint8)
    return {
        "title": panel.title,
        "subtitle": panel.subtitle,
        "run": panel.run,
        "notes": list(panel.notes),
        "network": panel.network or panel.title,
        "colour": panel.colour,
        "dash": list(panel.dash),
        "message": panel.message,
        "summary": panel.summary,
        "is_reference": panel.is_reference,
        "labels": parts.add("labels", panel.labels),
        "probability": parts.add("probability", probability),
        "heat": None if panel.heat is None else _heat_header(panel.heat, parts),
    }


def _heat_header(heat: HeatLayer, parts: _Parts) -> dict[str, Any]:
    peak = float(np.abs(heat.values).max())
    steps = (
        np.zeros(heat.values.shape) if peak == 0 else np.rint(heat.values.astype(np.float64) / peak * PEAK)
    )
    return {
        "part": parts.add("heat", steps.astype("<i2")),
        "peak": peak,
        "limit": float(heat.limit),
        "label": heat.label,
        "words": heat.words,
        "drawn": heat.state not in UNDRAWN,
        "redundant": heat.redundant,
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _clamped(value: Any, low: float, high: float, otherwise: float) -> float:
    return min(max(float(value), low), high) if _is_number(value) else otherwise


WEB = Path(__file__).with_name("viewer_web")
FILES = ("bytes", "shapes", "colours", "paint", "words", "bar", "panels", "gestures", "picture", "main")
SCRIPT = "\n".join((WEB / f"{name}.js").read_text("utf-8") for name in FILES)
_VIEW = st.components.v2.component(
    "triptych_viewer",
    html='<div class="viewer"></div>',
    css=(WEB / "viewer.css").read_text("utf-8"),
    js=SCRIPT,
)


def _ignore() -> None:
    """The view needs no callback: declaring one makes its state always present."""


@st.fragment
def _mount(payload: bytes, key: str) -> object:
    return _VIEW(data=payload, key=key, on_view_change=_ignore, on_error_change=_ignore).view
