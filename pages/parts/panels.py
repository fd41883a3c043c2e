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
# Evenly spaced stops. Jet is offered only as the look of older papers.
COLOUR_MAPS: Mapping[str, str] = {
    "cividis": "#00224e #123570 #3b496c #575d6d #707173 #8a8678 #a59c74 #c3b369 #e1cc55 #fee838",
    "inferno": "#000004 #1b0c41 #4a0c6b #781c6d #a52c60 #cf4446 #ed6925 #fb9b06 #f7d13d #fcffa4",
    "jet": "#000080 #0000ff #0080ff #00ffff #80ff80 #ffff00 #ff8000 #ff0000 #800000",
}
SIGNED_MAP = "#2166ac #67a9cf #f7f7f7 #fdb863 #e66101"  # speaks against .. neutral at 0 .. speaks for


@dataclass(frozen=True, eq=False)
class HeatLayer:
    """One heatmap as it is shown.

    values      (h, w) raw signed map on its layer's own grid, finite
    limit       the value at full colour, > 0; 0 where there is no map
    label       unit and scale in words, for the colour bar: "log-odds per cell, one scale for all networks"
    state       a state of core.records.STATES; ``state_text`` the sentence shown for it
    redundant   whether the map repeats the prediction (a badge)
    """

    values: np.ndarray
    limit: float
    label: str
    state: str = "ok"
    state_text: str = ""
    redundant: bool = False

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
    labels            (H, W) uint8 on the picture's grid, or None where there is nothing to draw
    probability       (h, w) in 0..1 of the class shown, or None
    message           words for when nothing can be drawn ("predicts no tumour here", "weights rejected: ...")
    summary           a short sentence for screen readers ("Dice 0.81"); not drawn
    network           panels of one network share it: it names the votes and the legend; default the title
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
    is_reference: bool = False

    def __post_init__(self) -> None:
        require(bool(re.fullmatch("#[0-9A-Fa-f]{6}", self.colour)), "colour", "#RRGGBB", self.colour)
        require(all(0 < step < 100 for step in self.dash), "dash", "lengths in 1..99", self.dash)
        if self.labels is not None:
            require(self.labels.dtype == np.uint8, "labels", "uint8", self.labels.dtype)
        if self.probability is not None:
            low, high = float(self.probability.min()), float(self.probability.max())
            require(self.probability.ndim == 2, "probability", "(h, w)", self.probability.shape)
            require(low >= 0 and high <= 1, "probability", "values in 0..1", (low, high))
        shown = self.is_reference or self.labels is not None or self.probability is not None or self.heat
        require(bool(shown or self.message), "message", "words for a panel without anything to draw", "none")


def require(condition: bool, name: str, expected: str, got: object) -> None:
    """Raise the ValueError that names an argument which does not fit."""
    if not condition:
        raise ValueError(f"{name}: expected {expected}, got {got}")
