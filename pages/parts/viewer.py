"""The picture viewer: linked panels, drawn in the browser. Here are its mount and the view it reports.

Looking (slice, window, zoom, mode, opacity ...) stays in the browser; the settled view is reported once, into a
fragment, so that the page does not run again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from pages.parts.panels import Panel
from pages.parts.payload import MODES, Packed, pack

WINDOW_LIMITS = ((1, 4000), (-1500, 3500))  # of width and level in HU


def show(
    picture: np.ndarray, panels: Sequence[Panel], *, token: str, key: str, mode: str = "outline",
    on_ask: Callable[[], None] | None = None, **drawn: Any,
) -> dict[str, Any]:  # fmt: skip
    """Draw linked panels and return the view the reader settled on, as ``settled`` gives it.

    ``token`` names the case: when it changes, the crosshair goes, and zoom
    is kept only on a picture of the same size. ``mode`` is
    the mode to open in; a changed value switches. ``on_ask`` is called when the reader asks about a place, before
    the page runs again. ``drawn`` is what ``pack`` describes: stack, columns, orientation, reference, colour_map,
    signed, caption, classes, asks.
    """
    packed = pack(picture, panels, token=token, mode=mode, **drawn)
    return settled(_mount(packed, key, on_ask), token=token, mode=mode)


def settled(
    raw: object,
    *,
    token: str,
    mode: str = "outline",
    indices: Sequence[int] = (0,),
    start: int | None = None,
    classes: Sequence[str] = (),
) -> dict[str, Any]:
    """The reported view, with everything that does not fit replaced: the browser is not trusted.

    Slice: the nearest of ``indices``; ``start`` (default the first) where none is reported. Class: one of
    ``classes`` or "all". Zoom 1..16, its middle (x, y) in 0..1 of the picture, opacity in 0..1, crosshair as
    pixels [x, y] or None, window (width, level) in HU or None. Position, slice and crosshair of another case
    than ``token`` are forgotten.
    """
    given = raw if isinstance(raw, Mapping) else {}
    placed = given if given.get("token") == token else {}
    cross, window, at = (placed.get(name) for name in ("cross", "window", "slice"))
    first = indices[0] if start is None else start
    return {
        "mode": given.get("mode") if given.get("mode") in MODES else mode,
        "opacity": _clamped(given.get("opacity"), 0, 1, 1),
        "linked": given.get("linked") is not False,
        "reference": given.get("reference") is not False,
        "class": given.get("class") if given.get("class") in tuple(classes) else "all",
        "slice": min(indices, key=lambda index: abs(index - at)) if _is_number(at) else first,
        "window": tuple(_clamped(v, *WINDOW_LIMITS[i], 0) for i, v in enumerate(window))
        if _is_pair(window)
        else None,
        "zoom": _clamped(placed.get("zoom"), 1, 16, 1),
        "x": _clamped(placed.get("x"), 0, 1, 0.5),
        "y": _clamped(placed.get("y"), 0, 1, 0.5),
        "cross": [int(_clamped(value, 0, 65535, 0)) for value in cross] if _is_pair(cross) else None,
    }


def _is_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(_is_number(one) for one in value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _clamped(value: Any, low: float, high: float, otherwise: float) -> float:
    return min(max(float(value), low), high) if _is_number(value) else otherwise


WEB = Path(__file__).with_name("viewer_web")
FILES = (
    "bytes", "stack", "shapes", "trace", "colours", "paint", "marks", "words", "bar", "tools", "panels",
    "slices", "address", "strip", "gestures", "actions", "picture", "main",
)  # fmt: skip
SCRIPT = "\n".join((WEB / f"{name}.js").read_text("utf-8") for name in FILES)
_LINES = (WEB / "words.js").read_text("utf-8").partition("const KEYS = [")[2].partition("];")[0]
KEYS: Mapping[str, str] = dict(
    re.findall(r'^  \["([^"]+)", "([^"]+)"', _LINES, re.MULTILINE)
)  # key -> what it does
_VIEW = st.components.v2.component(
    "triptych_viewer",
    html='<div class="viewer"></div>',
    css=(WEB / "viewer.css").read_text("utf-8"),
    js=SCRIPT,
)
_FEED = st.components.v2.component("triptych_feed", js=(WEB / "feed.js").read_text("utf-8"))


def _ignore() -> None:
    """The view needs no callback: declaring one makes its state always present."""


def mount(packed: Packed, key: str, on_ask: Callable[[], None] | None = None) -> Any:
    """Put the viewer on the page: the raw ``view``, for ``settled``, and ``target`` when a place was asked about.

    For use inside a fragment.
    """
    calls = {"on_view_change": _ignore, "on_error_change": _ignore, "on_target_change": on_ask or _ignore}
    told = _VIEW(data=packed.view, key=key, **calls)
    with st.container(gap=None):
        for at, block in enumerate(packed.feeds):
            _FEED(data=block, key=f"{key}-feed-{at}")
    return told


@st.fragment
def _mount(packed: Packed, key: str, on_ask: Callable[[], None] | None = None) -> object:
    told = mount(packed, key, on_ask)
    if told.target is not None:
        st.rerun()  # the question stands outside this fragment
    return told.view
