"""Charts of single cases: each a point that can be clicked, so a chart never depends on what was clicked."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

# Colours of neither networks, classes nor errors; apart for colour-blind eyes, and each with a shape of its own.
LOOKS = {
    "benign": ("#009E73", "circle", 9),
    "malignant": ("#CC6677", "diamond", 10),
    "normal": ("#888888", "cross", 10),
    "small": ("#CC6677", "triangle-up", 9),
    "medium": ("#009E73", "circle", 10),
    "large": ("#AA4499", "square", 12),
}
OTHER = ("#888888", "circle", 9)
EDGE = "rgba(128,128,128,0.9)"


@dataclass(frozen=True)
class Pair:
    """One case as a point: what both networks score, and the group that gives it colour and shape."""

    case: str
    first: float
    second: float
    group: str


def pairs(points: Sequence[Pair], first: str, second: str, metric: str) -> go.Figure:
    """Every case as a point, ``first`` network to the right, ``second`` upwards, with the line of equal scores.

    Scores 0..1. A click reports the case as the point's custom data.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="equal", hoverinfo="skip",
        line={"color": EDGE, "dash": "dash", "width": 1.5},
    )  # fmt: skip
    groups = dict.fromkeys(point.group for point in points)
    for group in sorted(groups, key=lambda name: list(LOOKS).index(name) if name in LOOKS else len(LOOKS)):
        own = [point for point in points if point.group == group]
        colour, symbol, size = LOOKS.get(group, OTHER)
        figure.add_scatter(
            x=[point.first for point in own],
            y=[point.second for point in own],
            customdata=[[point.case] for point in own],
            text=[html.escape(point.case) for point in own],
            name=html.escape(f"{group} ({len(own)})"),
            mode="markers",
            marker={
                "color": colour, "symbol": symbol, "size": size, "opacity": 0.85,
                "line": {"width": 1, "color": EDGE},
            },
            hovertemplate="%{text}<br>%{x:.3f} against %{y:.3f}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title=html.escape(f"{metric} of {first}"), range=[-0.03, 1.03], constrain="domain")
    figure.update_yaxes(
        title=html.escape(f"{metric} of {second}"), range=[-0.03, 1.03], scaleanchor="x", constrain="domain"
    )
    return figure.update_layout(
        height=520, margin={"l": 8, "r": 8, "t": 8, "b": 8}, hovermode="closest",
        legend={"orientation": "h", "y": -0.15}, uirevision="kept",
    )  # fmt: skip
