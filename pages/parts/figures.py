"""Tables of numbers -> charts. The only plotly import; colours and markers mean networks, as in the viewer."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from pages.parts.panels import STYLES

DASHES = {(): "solid", (6, 3): "dash", (2, 2): "dot", (4, 3): "dashdot"}
CURVES = {  # column of a history: title, and where the good end is
    "loss": "Training loss",
    "val_loss": "Validation loss",
    "val_dice": "Validation Dice",
    "val_false_alarm": "Validation false alarms",
}


def curves(
    histories: Mapping[str, Sequence[Mapping[str, float]]], what: str, best: Mapping[str, int]
) -> go.Figure:
    """One curve per network over the epochs; a larger marker where the weights were kept.

    ``histories`` and ``best`` (an epoch) are by network name; ``what`` is a column of the history.
    """
    figure = go.Figure()
    for model, rows in histories.items():
        points = [(row["epoch"], row[what]) for row in rows if what in row and row[what] == row[what]]
        kept = [value == best.get(model) for value, _ in points]
        figure.add_scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            name=html.escape(NAMES.get(model, model)),
            mode="lines+markers",
            line={"color": _colour(model), "dash": _dash(model), "width": 2},
            marker={
                "symbol": _marker(model),
                "size": [11 if one else 0 for one in kept],
                "color": _colour(model),
            },
        )
    return _laid_out(figure, f"{CURVES[what]} by epoch", "", height=260)


NAMES = {"unet": "U-Net", "multiresunet": "MultiResUNet", "dcunet": "DC-UNet"}


def spread(values: Mapping[str, Mapping[str, float]], metric: str) -> go.Figure:
    """Every case as a point beside the quartiles of its network; hover names the case.

    ``values`` are network -> case -> value, without undefined ones.
    """
    figure = go.Figure()
    for model, by_case in values.items():
        figure.add_box(
            y=list(by_case.values()),
            text=[html.escape(case) for case in by_case],
            name=html.escape(NAMES.get(model, model)),
            boxpoints="all",
            jitter=0.5,
            pointpos=0,
            line={"color": _colour(model), "width": 1.5},
            fillcolor="rgba(128,128,128,0.12)",
            marker={
                "color": _colour(model),
                "symbol": _marker(model),
                "size": 6,
                "opacity": 0.7,
                "line": {"width": 0.5, "color": "rgba(128,128,128,0.9)"},
            },
            hovertemplate="%{text}<br>%{y:.3f}<extra></extra>",
        )
    figure = _laid_out(figure, f"{metric} of every case with a lesion", "", height=340)
    figure.update_yaxes(range=[-0.03, 1.03])
    return figure.update_layout(showlegend=False)


def intervals(
    rows: Sequence[tuple[str, str, float, float, float]], metric: str, unit: str = "groups"
) -> go.Figure:
    """Means over groups (or patients) with their 95 % intervals; NaN limits: a point only.

    ``rows`` are (network, title, mean, low, high).
    """
    figure = go.Figure()
    for model, title, mean, low, high in rows:
        known = low == low and high == high
        figure.add_scatter(
            x=[mean],
            y=[html.escape(title)],
            name=html.escape(title),
            mode="markers",
            marker={"color": _colour(model), "symbol": _marker(model), "size": 11},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - mean if known else 0],
                "arrayminus": [mean - low if known else 0],
                "color": _colour(model),
                "visible": known,
            },
        )
    figure = _laid_out(
        figure, f"{metric}: mean over {unit}, 95 % interval", metric, height=90 + 45 * len(rows)
    )
    figure.update_yaxes(autorange="reversed")
    return figure.update_layout(showlegend=False).update_xaxes(range=[0, 1])


def _laid_out(figure: go.Figure, title: str, x: str, height: int) -> go.Figure:
    return figure.update_layout(
        title={"text": title, "font": {"size": 14}},
        xaxis_title=x or None,
        height=height,
        margin={"l": 8, "r": 8, "t": 44, "b": 8},
        legend={"orientation": "h", "y": -0.15},
        uirevision="kept",
    )


def _colour(model: str) -> str:
    return STYLES[model].colour if model in STYLES else "#009E73"


def _marker(model: str) -> str:
    return STYLES[model].marker if model in STYLES else "diamond"


def _dash(model: str) -> str:
    return DASHES.get(STYLES[model].dash, "longdash") if model in STYLES else "longdash"
