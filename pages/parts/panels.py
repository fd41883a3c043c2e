"""What the viewer draws: styles and palettes, one panel, one heatmap layer; checked when they are made."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

UNDRAWN = ("empty_region", "saturated")  # states without a map
STATE_WORDS = {  # used where the page gives no sentence of its own
    "empty_region": "Nothing to explain: no tumour is predicted here.",
    "saturated": "Saturated: the probability is at its limit; ask in log-odds.",
    "no_positive_evidence": "No positive evidence: nothing in this layer speaks for it.",
    "redundant_with_prediction": "Repeats the prediction.",
}


@dataclass(frozen=True)
class Style:
    """How an outline is drawn: colour, dash in screen pixels (empty: solid), and its marker in charts."""

    colour: str
    dash: tuple[int, ...]
    marker: str


# Okabe & Ito, Color Universal Design (2008). Colour is never the only cue: each has a dash and a marker too.
STYLES: Mapping[str, Style] = {
    "reference": Style("#FFFFFF", (4, 3), "star"),
    "unet": Style("#0072B2", (), "circle"),
    "multiresunet": Style("#E69F00", (6, 3), "square"),
    "dcunet": Style("#CC79A7", (2, 2), "triangle-up"),
}
CLASS_COLOURS: Mapping[str, str] = {"liver": "#56B4E9", "tumour": "#D55E00"}
ERROR_COLOURS: Mapping[str, str] = {"agreed": "#9E9E9E", "missed": "#0072B2", "extra": "#D55E00"}
VOTE_COLOURS = ("#0E5B49", "#1E9E78", "#A9EFD3")  # from one network to all: a ramp of lightness
# Evenly spaced stops. Jet is offered only as the look of older papers.
COLOUR_MAPS: Mapping[str, str] = {
    "cividis": "#00224e #123570 #3b496c #575d6d #707173 #8a8678 #a59c74 #c3b369 #e1cc55 #fee838",
    "inferno": "#000004 #1b0c41 #4a0c6b #781c6d #a52c60 #cf4446 #ed6925 #fb9b06 #f7d13d #fcffa4",
    "magma": "#000004 #180f3d #440f76 #721f81 #9e2f7f #cd4071 #f1605d #fd9668 #feca8d #fcfdbf",
    "jet": "#000080 #0000ff #0080ff #00ffff #80ff80 #ffff00 #ff8000 #ff0000 #800000",
}
SIGNED_MAP = "#2166ac #67a9cf #f7f7f7 #fdb863 #e66101"  # speaks against .. neutral at 0 .. speaks for


WINDOWS = (  # name, width and level in HU: keys 1 to 4; the fifth is what the networks were given
    ("Soft tissue", 400, 40),
    ("Liver", 150, 30),
    ("Liver, portal venous", 150, 90),
    ("Bone", 2500, 480),
)


@dataclass(frozen=True)
class Stack:
    """Which slices of a volume a stack of pictures holds, from the feet up.

    indices       slice numbers in the whole volume, ascending
    source        (H, W) of the slices as they were taken
    positions_mm  of each slice along the axis from feet to head; empty where unknown
    total         slices in the whole volume; 0: those up to the last one here
    start         the slice to open with, a number of ``indices``
    spacing_mm    (row, column) of the pixels as they are sent; None where there is no physical scale
    windows       (name, width, level) in HU, in the order of the keys 1 to 5; empty for 8-bit pictures
    heat_slice    the slice whose heatmaps the panels hold; None where there are none to ask for
    disagreement  (classes, n) area on which the networks differ; below 0, or None: counted from the labels
    mm_note       words that stand beside lengths and areas which are not to be trusted; empty: they are measured
    """

    indices: tuple[int, ...]
    source: tuple[int, int]
    positions_mm: tuple[float, ...] = ()
    total: int = 0
    start: int = 0
    spacing_mm: tuple[float, float] | None = None
    windows: tuple[tuple[str, float, float], ...] = ()
    heat_slice: int | None = None
    disagreement: np.ndarray | None = None
    mm_note: str = ""

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.indices, self.indices[1:], strict=False))
        require(bool(self.indices) and rising, "indices", "ascending slice numbers", self.indices[:8])
        placed = len(self.positions_mm) in (0, len(self.indices))
        require(placed, "positions_mm", f"{len(self.indices)} positions or none", len(self.positions_mm))
        require(all(width > 0 for _, width, _ in self.windows), "windows", "widths > 0", self.windows)
        if self.spacing_mm is not None:
            good = all(math.isfinite(mm) and mm > 0 for mm in self.spacing_mm)
            require(good, "spacing_mm", "two lengths > 0", self.spacing_mm)


@dataclass(frozen=True, eq=False)
class HeatLayer:
    """One heatmap as it is shown.

    values      (h, w) raw signed map on its layer's own grid, finite
    limit       the value at full colour, > 0; 0 where there is no map
    label       unit and scale in words, for the colour bar: "log-odds per cell, one scale for all networks"
    state       a state of core.records.STATES; ``state_text`` the sentence shown for it
    redundant   whether the map repeats the prediction (a badge)
    stamp       what was asked, how, and in which scale, for exported pictures
    """

    values: np.ndarray
    limit: float
    label: str
    state: str = "ok"
    state_text: str = ""
    redundant: bool = False
    stamp: str = ""

    def __post_init__(self) -> None:
        require(self.values.ndim == 2 and self.values.size > 0, "values", "(h, w)", self.values.shape)
        require(bool(np.isfinite(self.values).all()), "values", "finite values", "NaN or infinity")
        require(math.isfinite(self.limit) and self.limit >= 0, "limit", "a finite number >= 0", self.limit)
        drawn = self.state not in UNDRAWN
        require(self.limit > 0 or not drawn or not self.values.any(), "limit", "> 0 for a map", self.limit)

    @property
    def words(self) -> str:
        """The sentence for a map that is not simply ok; empty when it is."""
        return self.state_text or STATE_WORDS.get(self.state, "" if self.state == "ok" else self.state)


@dataclass(frozen=True, eq=False, kw_only=True)
class Panel:
    """One picture with what one network (or the expert) says about it.

    title, subtitle   the heading, and a quieter line below it
    run               run and weights hash, printed on exported pictures ("busi-unet-0 · 1a2b3c4d")
    notes             lines of text under the picture, such as what was missed
    colour, dash      style of the outline, from STYLES
    labels            (H, W) or (n, H, W) uint8 on the picture's grid, or None where there is nothing to draw
    probability       (h, w) or (n, h, w) in 0..1 of the last class, (classes, n, h, w) of each, or None; also
                      uint8 with 255 for 1
    message           words for when nothing can be drawn ("predicts no tumour here", "weights rejected: ...")
    summary           a short sentence for screen readers ("Dice 0.81"); not drawn
    network           panels of one network share it: it names the votes and the legend; default the title
    mode              the one mode that the panel is drawn in ("heatmap"); empty: the one that the reader chooses
    areas             (classes, n) area in each slice, in mm2 or pixels; None: counted from the labels
    """

    title: str
    colour: str
    dash: tuple[int, ...] = ()
    subtitle: str = ""
    run: str = ""
    notes: tuple[str, ...] = ()
    labels: np.ndarray | None = None
    probability: np.ndarray | None = None
    heat: HeatLayer | None = None
    message: str = ""
    summary: str = ""
    network: str = ""
    mode: str = ""
    is_reference: bool = False
    areas: np.ndarray | None = None

    def __post_init__(self) -> None:
        require(bool(re.fullmatch("#[0-9A-Fa-f]{6}", self.colour)), "colour", "#RRGGBB", self.colour)
        require(all(0 < step < 100 for step in self.dash), "dash", "lengths in 1..99", self.dash)
        if self.labels is not None:
            require(self.labels.dtype == np.uint8, "labels", "uint8", self.labels.dtype)
        if self.probability is not None:
            known = self.probability.ndim in (2, 3, 4)
            require(known, "probability", "(h, w), (n, h, w) or (classes, n, h, w)", self.probability.shape)
        if self.probability is not None and self.probability.dtype != np.uint8:
            low, high = float(self.probability.min()), float(self.probability.max())
            require(low >= 0 and high <= 1, "probability", "values in 0..1", (low, high))
        shown = self.is_reference or self.labels is not None or self.probability is not None or self.heat
        require(bool(shown or self.message), "message", "words for a panel without anything to draw", "none")


def require(condition: bool, name: str, expected: str, got: object) -> None:
    """Raise the ValueError that names an argument which does not fit."""
    if not condition:
        raise ValueError(f"{name}: expected {expected}, got {got}")
