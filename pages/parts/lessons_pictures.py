"""Small pictures of the lessons: maps as coloured cells, and two drawings that answer in the browser."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from core import THRESHOLDS
from pages.parts.panels import COLOUR_MAPS, ERROR_COLOURS, SIGNED_MAP

SIDE = 192  # pixels of a small map on screen
TOY = {  # a lesion-like spot, something seen nearly everywhere, and a spot elsewhere whose gradients cancel
    "activations": (
        ((0, 1, 1, 0), (1, 3, 3, 0), (1, 3, 2, 0), (0, 0, 0, 0)),
        ((1, 1, 2, 2), (1, 1, 2, 2), (2, 2, 2, 2), (2, 2, 2, 1)),
        ((0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 3, 3), (0, 1, 3, 3)),
    ),
    "gradients": (
        ((0.1, 0.2, 0.2, 0.1), (0.2, 0.6, 0.6, 0.2), (0.2, 0.6, 0.6, 0.2), (0.1, 0.2, 0.2, 0.1)),
        ((-0.1, -0.1, -0.1, -0.1), (-0.1, 0, 0, -0.1), (-0.1, 0, 0, -0.1), (-0.2, -0.2, -0.2, -0.2)),
        ((0.9, -0.9, 0.9, -0.9), (-0.9, 0.9, -0.9, 0.9), (0.9, -0.9, 0.9, -0.9), (-0.9, 0.9, -0.9, 0.9)),
    ),
}
WEB = Path(__file__).with_name("lessons_web")
_STYLE = (WEB / "lessons.css").read_text("utf-8")
_TOY = st.components.v2.component(
    "triptych_toy",
    html='<div class="toy"></div>',
    css=_STYLE,
    js=(WEB / "toy.js").read_text("utf-8"),
)
_THRESHOLD = st.components.v2.component(
    "triptych_threshold",
    html='<div class="threshold"></div>',
    css=_STYLE,
    js=(WEB / "threshold.js").read_text("utf-8"),
)
_MARK = st.components.v2.component(
    "triptych_mark",
    html='<div class="mark-it"></div>',
    css=_STYLE,
    js=(WEB / "mark.js").read_text("utf-8"),
)


def toy(stages: Sequence[str]) -> None:
    """Grad-CAM on three 4 x 4 channels to edit; ``stages`` that are shown: "weights", "sum", "relu"."""
    ramps = {"map": COLOUR_MAPS["cividis"].split(), "signed": SIGNED_MAP.split()}
    _TOY(data={**TOY, **ramps, "stages": list(stages)}, key="toy")


def threshold(
    picture: np.ndarray, levels: np.ndarray, inside: np.ndarray, token: str, *, locked: bool,
    marks: Sequence[Mapping[str, Any]] = (), validation: Sequence[float] = (),
) -> None:  # fmt: skip
    """The mask of one slice at the threshold that is dragged to, with its curves; nothing is sent while dragging.

    picture, levels, inside  (H, W): uint8, ``core.threshold_levels``, and the reference as booleans
    locked                   no dragging and no curves: the mask at 0.5 alone
    marks                    lines in the chart: at (a threshold), kind ("here" or "validation"), words
    validation               mean Dice at each of THRESHOLDS, drawn as one more curve
    """
    coded = levels + np.where(inside, 128, 0).astype(np.uint8)
    data = {
        "token": token,
        "picture": png(picture),
        "levels": png(coded),
        "thresholds": list(THRESHOLDS),
        "colours": dict(ERROR_COLOURS),
        "locked": locked,
        "marks": [dict(mark) for mark in marks],
        "validation": [float(value) for value in validation],
    }
    _THRESHOLD(data=data, key="threshold-locked" if locked else "threshold")


def _ignore() -> None:
    """The mark needs no callback: declaring one makes its state always present."""


def marked(picture: np.ndarray, token: str, caption: str, key: str) -> tuple[int, int] | None:
    """A picture (H, W) uint8 to put a mark on; the mark's row and column, None while there is none.

    What the browser reports is checked: a mark of another picture, or outside, is none. For use in a fragment.
    """
    height, width = picture.shape
    data = {"picture": png(picture), "token": token, "caption": caption, "height": height, "width": width}
    given: Any = _MARK(data=data, key=key, on_mark_change=_ignore).mark
    if not isinstance(given, Mapping) or given.get("token") != token:
        return None
    shares = (given.get("y"), given.get("x"))
    if not all(type(share) in (int, float) and 0 <= share < 1 for share in shares):
        return None
    row, column = (int(share * side) for share, side in zip(shares, picture.shape, strict=True))
    return row, column


def ringed(picture: np.ndarray, row: int, column: int) -> np.ndarray:
    """A copy of a picture (H, W) uint8 with a white ring on black round one pixel."""
    rows, columns = np.indices(picture.shape)
    away = np.abs(np.hypot(rows - row, columns - column) - max(5.0, np.hypot(*picture.shape) / 45))
    drawn = np.where(away < 2.5, 0, picture)
    return np.where(away < 1.2, 255, drawn).astype(np.uint8)


def png(picture: np.ndarray) -> str:
    """A picture (H, W) uint8 as the address of a PNG; the same picture gives the same text."""
    held = io.BytesIO()
    Image.fromarray(picture).save(held, "PNG")
    return f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"


def cells(values: np.ndarray, limit: float, *, signed: bool = False) -> np.ndarray:
    """A map (h, w) as coloured squares: (about SIDE, about SIDE, 3) uint8; ``limit`` is the value at full colour.

    Unsigned: 0 and below in the darkest colour. Signed: blue speaks against, 0 is neutral, orange speaks for.
    """
    stops = (SIGNED_MAP if signed else COLOUR_MAPS["cividis"]).split()
    colours = np.array([[int(stop[at : at + 2], 16) for at in (1, 3, 5)] for stop in stops])
    share = np.asarray(values, float) / limit if limit > 0 else np.zeros(values.shape)
    share = np.clip(0.5 + share / 2 if signed else share, 0, 1) * (len(stops) - 1)
    drawn = np.stack([np.interp(share, np.arange(len(stops)), colour) for colour in colours.T], axis=-1)
    step = max(1, SIDE // max(values.shape))
    return np.rint(np.kron(drawn, np.ones((step, step, 1)))).astype(np.uint8)
