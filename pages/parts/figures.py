"""Tables of numbers -> charts. Plotly is in figures alone; colours and markers mean networks, as in the viewer."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.parts.panels import STYLES

DASHES = {(): "solid", (6, 3): "dash", (2, 2): "dot", (4, 3): "dashdot"}
PATTERNS = {"solid": "", "dash": "/", "dot": "."}
MUTED = "#8a8a8a"
HEADED = 72  # pixels above the plots: the title, and below it a heading for each column
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
            error_x=_bars([Dot(title, mean, low, high)], _colour(model)) | {"visible": known},
        )
    figure = _laid_out(
        figure, f"{metric}: mean over {unit}, 95 % interval", metric, height=90 + 45 * len(rows)
    )
    figure.update_yaxes(autorange="reversed")
    return figure.update_layout(showlegend=False).update_xaxes(range=[0, 1])


@dataclass(frozen=True)
class Dot:
    """A mean with its 95 % interval, NaN limits where n is too small; ``muted``: shown, but grey."""

    label: str
    mean: float
    low: float
    high: float
    muted: bool = False


def dots(
    columns: Sequence[tuple[str, str, Sequence[Dot]]], title: str, x: str, *, zero: bool = False
) -> go.Figure:
    """Means with intervals, a row per label; side by side a column of them per (network, heading, dots).

    The columns share their rows and one scale; ``zero`` draws the line of no difference.
    """
    figure = _side_by_side(columns, shared_xaxes="all")
    labels = list(dict.fromkeys(dot.label for _, _, found in columns for dot in found))
    for place, (model, _, found) in enumerate(columns, start=1):
        for muted in (False, True):
            own = [dot for dot in found if dot.muted == muted]
            colour = MUTED if muted else _colour(model)
            figure.add_scatter(
                x=[dot.mean for dot in own],
                y=[html.escape(dot.label) for dot in own],
                mode="markers",
                marker={"color": colour, "symbol": _marker(model), "size": 8},
                error_x=_bars(own, colour),
                hovertemplate="%{y}: %{x:.3f}<extra></extra>",
                row=1,
                col=place,
            )
    if zero:
        figure.add_vline(0, line={"width": 1, "dash": "dash", "color": MUTED})
    order = {"categoryorder": "array", "categoryarray": [html.escape(label) for label in labels]}
    figure.update_yaxes(**order, autorange="reversed", dtick=1)
    figure = _laid_out(figure, title, "", height=150 + 18 * len(labels))
    return figure.update_layout(showlegend=False, margin_t=HEADED).update_xaxes(title=x)


def cascade(columns: Sequence[tuple[str, str, Sequence[Dot], float]], title: str) -> go.Figure:
    """Likeness against depth, a column per (network, heading, a dot per depth, level of two different cases)."""
    figure = _side_by_side(columns)
    for place, (model, _, found, level) in enumerate(columns, start=1):
        labels = [html.escape(dot.label) for dot in found]
        figure.add_scatter(
            x=labels,
            y=[dot.mean for dot in found],
            mode="lines+markers",
            line={"color": _colour(model), "dash": _dash(model), "width": 2},
            marker={"symbol": _marker(model), "size": 8},
            error_y=_bars(found, _colour(model)),
            hovertemplate="%{x}: %{y:.2f}<extra></extra>",
            row=1,
            col=place,
        )
        figure.add_scatter(
            x=labels,
            y=[level] * len(labels),
            mode="lines",
            line={"color": MUTED, "dash": "longdash", "width": 1.5},
            hovertemplate="two different cases: %{y:.2f}<extra></extra>",
            row=1,
            col=place,
        )
    return _laid_out(figure, title, "", height=350).update_layout(showlegend=False, margin_t=HEADED)


def reliability(curves: Sequence[tuple[str, str, Sequence[Mapping]]], title: str) -> go.Figure:
    """Observed share against mean probability, a line per (network, name, bins), and the bins' counts below."""
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.05)
    exact = {"width": 1, "dash": "dash", "color": MUTED}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=exact, name="perfect", hoverinfo="skip")
    for model, name, points in curves:
        known = [point for point in points if point["pixels"]]
        figure.add_scatter(
            x=[point["probability"] for point in known],
            y=[point["observed"] for point in known],
            customdata=[point["pixels"] for point in known],
            name=html.escape(name),
            mode="lines+markers",
            line={"color": _colour(model), "dash": _dash(model), "width": 2},
            marker={"symbol": _marker(model), "size": 8},
            hovertemplate="said %{x:.2f}, observed %{y:.2f}, %{customdata:,} px",
        )
        middles = [(point["low"] + point["high"]) / 2 for point in points]
        counts = [point["pixels"] for point in points]
        figure.add_bar(x=middles, y=counts, row=2, col=1, showlegend=False, **_filled(model, "%{y:,} px"))
    figure = _laid_out(figure, title, "", height=460)
    figure.update_yaxes(title="Observed share", range=[-0.03, 1.03], row=1)
    most = max((point["pixels"] for _, _, points in curves for point in points), default=1)
    figure.update_yaxes(title="Pixels", type="log", range=[0, math.log10(max(most, 1)) + 0.3], dtick=2, row=2)
    return figure.update_xaxes(range=[-0.01, 1.01]).update_xaxes(title="Probability said", row=2)


def ranks(shares: Sequence[tuple[str, str, Sequence[float]]], title: str) -> go.Figure:
    """How often each (network, name) takes each rank, as bars side by side for every rank."""
    figure = go.Figure()
    for model, name, own in shares:
        places = [f"Rank {place}" for place in range(1, len(own) + 1)]
        text = [f"{share:.2f}" for share in own]
        figure.add_bar(x=places, y=own, text=text, name=html.escape(name), **_filled(model, "%{x}: %{y:.2f}"))
    figure = _laid_out(figure, title, "", height=250).update_layout(legend_y=-0.3)
    figure.update_traces(textposition="outside", textangle=0, textfont_size=11, cliponaxis=False)
    return figure.update_yaxes(range=[0, 1.15], tickvals=[0, 0.5, 1])


def _filled(model: str, hover: str) -> dict:
    """Bars in a network's colour, and in a pattern of its own."""
    pattern = {"shape": PATTERNS.get(_dash(model), "x"), "solidity": 0.4}
    return {"marker": {"color": _colour(model), "pattern": pattern}, "hovertemplate": hover}


def _side_by_side(columns: Sequence[tuple], **shared: object) -> go.Figure:
    headings = [html.escape(column[1]) for column in columns]
    space = 0.04 if len(columns) > 1 else 0
    given = {"shared_yaxes": True, **shared}
    return make_subplots(1, len(columns), subplot_titles=headings, horizontal_spacing=space, **given)


def _bars(found: Sequence[Dot], colour: str) -> dict:
    """Error bars; of length 0 where there is no interval."""
    known = [dot.low == dot.low and dot.high == dot.high for dot in found]
    return {
        "type": "data",
        "symmetric": False,
        "array": [dot.high - dot.mean if k else 0 for dot, k in zip(found, known, strict=True)],
        "arrayminus": [dot.mean - dot.low if k else 0 for dot, k in zip(found, known, strict=True)],
        "color": colour,
        "thickness": 1.5,
        "width": 3,
    }


def training(
    rows: Sequence[Mapping[str, float]], columns: Mapping[str, str], title: str, model: str, best: int | None
) -> go.Figure:
    """Columns of one training's history by epoch; a larger marker at the epoch whose weights were kept.

    ``columns``: name -> label. The first is drawn solid, the others are dashed, and none in the colour of a class.
    """
    figure = go.Figure()
    for (name, label), dash in zip(columns.items(), ("solid", "dash", "dot"), strict=False):
        points = [(row["epoch"], row[name]) for row in rows if name in row and row[name] == row[name]]
        figure.add_scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            name=label,
            mode="lines+markers",
            line={"color": _colour(model), "dash": dash, "width": 2},
            marker={"symbol": _marker(model), "size": [11 if x == best else 3 for x, _ in points]},
            hovertemplate="epoch %{x}: %{y:.4g}<extra></extra>",
        )
    return _laid_out(figure, title, "", height=240).update_layout(showlegend=len(columns) > 1)


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
