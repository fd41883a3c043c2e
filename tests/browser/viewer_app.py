"""A page with nothing but the viewer on made-up pictures; the address chooses which: ?kind=review&case=1."""

import numpy as np
import streamlit as st

from core.preprocess import enlarge
from pages.parts import viewer
from pages.parts.viewer import STYLES, HeatLayer, Panel

HOSTILE = "<img src=x onerror=window.hacked=1>"
TITLES = {"unet": "U-Net", "multiresunet": "MultiResUNet", "dcunet": "DC-UNet"}
HEIGHT, WIDTH = 240, 320


def distance(height, width, row, column, size):
    """How far each pixel of a grid is outside a lobed disc, in its radii; negative inside."""
    y, x = np.mgrid[:height, :width]
    y, x = (y + 0.5) / height - row, ((x + 0.5) / width - column) * 4 / 3
    angle = np.arctan2(y, x)
    return np.hypot(y, x) / (size * (1 + 0.12 * np.sin(3 * angle) + 0.07 * np.cos(5 * angle))) - 1


def phantom(case):
    """A speckled picture with one dark lesion, and the lesion."""
    draw = np.random.default_rng(case)
    inside = distance(HEIGHT, WIDTH, 0.5, 0.5, 0.2) < 0
    tissue = np.where(inside, 35, 110) * np.linspace(1.3, 0.5, HEIGHT)[:, None]
    picture = np.clip(tissue * draw.rayleigh(0.8, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8)
    return picture, inside.astype(np.uint8)


def network(name, row, column, size, top=1.0, **fields):
    """A panel of a made-up network: its probability is a soft disc."""
    probability = (top / (1 + np.exp(9 * distance(128, 128, row, column, size)))).astype(np.float32)
    labels = (enlarge(probability, (HEIGHT, WIDTH)) > 0.5).astype(np.uint8)
    style = STYLES[name]
    texts = {"title": TITLES[name], "subtitle": "Dice 0.81", "run": f"demo-{name}-0 · 1a2b3c4d"}
    texts |= {"summary": "Dice 0.81", "notes": ("2 regions found, none missed",)}
    fields = texts | {"labels": labels, "probability": probability} | fields
    return Panel(colour=style.colour, dash=style.dash, **fields)


def bump(side, limit=0.05, **state):
    """A heatmap with one hot place, and a negative one."""
    y, x = np.mgrid[:side, :side]
    values = 0.05 * np.exp(-(np.hypot(y - side * 0.45, x - side * 0.6) ** 2) / side)
    values[-1, 0] = -0.02
    return HeatLayer(
        values.astype(np.float32), limit, "log-odds per cell · one scale for all networks", **state
    )


def networks(kind):
    """The panels beside the reference."""
    if kind == "heat":
        return [
            network("unet", 0.48, 0.5, 0.17, heat=bump(8)),
            network("multiresunet", 0.52, 0.52, 0.23, heat=bump(16, redundant=True)),
            network("dcunet", 0.5, 0.5, 0.2, 0.2, heat=bump(8, state="empty_region")),
        ]
    if kind == "words":
        return [
            network("unet", 0.5, 0.5, 0.2, 0.2, message="Predicts no tumour here."),
            Panel(title=HOSTILE, colour="#E69F00", message=f"Weights rejected: {HOSTILE}"),
        ]
    return [
        network("unet", 0.48, 0.5, 0.17),
        network("multiresunet", 0.52, 0.52, 0.23),
        network("dcunet", 0.5, 0.5, 0.1),
    ]


st.set_page_config(layout="wide")
kind = st.query_params.get("kind", "review")
if st.button("Next case"):
    st.session_state.case = st.session_state.get("case", 1) + 1
case = st.session_state.get("case", 1)
st.text_input("Note")
if kind == "damaged":
    payload = viewer.pack(phantom(1)[0], networks("review"), token="damaged")
    viewer._mount(payload[: len(payload) // 2], "view")
else:
    picture, reference = phantom(case)
    panels = networks(kind)
    if kind != "bare":
        style = STYLES["reference"]
        expert = Panel(
            title="Image + reference",
            colour=style.colour,
            dash=style.dash,
            labels=reference,
            is_reference=True,
        )
        panels = [expert, *panels]
    view = viewer.show(
        picture,
        panels,
        token=f"benign-{case}",
        key="view",
        mode="heatmap" if kind == "heat" else "outline",
        caption=f"Made up · benign-{case} · test",
    )
    st.json(view, expanded=False)
runs = st.session_state.runs = st.session_state.get("runs", 0) + 1
st.write(f"runs of the page: {runs}")
for line in range(20):
    st.write(f"line {line} below the viewer")
