"""A page with nothing but the viewer on made-up pictures; the address chooses which: ?kind=review or ?kind=ct."""

from dataclasses import replace

import numpy as np
import streamlit as st

from core.preprocess import enlarge
from pages.parts import viewer
from pages.parts.panels import STYLES, WINDOWS, HeatLayer, Panel, Stack
from pages.parts.payload import Packed, pack

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


SLICES, FIRST = 200, 30  # slices of the made-up volume, and the number of its lowest one


@st.cache_resource
def volume():
    """Pictures (200, 128, 128) int16 HU, labels of the expert and of three networks, and probabilities."""
    draw = np.random.default_rng(1)
    y, x = np.mgrid[:128, :128]
    k = np.arange(SLICES)[:, None, None]
    body = np.hypot((x - 64) / 58, (y - 64) / 44) < 1
    spine = np.hypot(x - 64, y - 92) < 9
    size = np.sqrt(np.clip(1 - ((k - 100) / 85) ** 2, 0, 1))
    liver = np.hypot((x - 44) / (30 * size + 1e-6), (y - 58) / (24 * size + 1e-6)) < 1
    pictures = np.full((SLICES, 128, 128), -1000, np.int16)
    pictures[:, body] = 0
    pictures[:, spine] = 600
    pictures[liver] = 60

    def tumour(centre, shift=0):
        ball = np.hypot(np.hypot(x - 40 - shift, y - 58), (k - centre) * 1.5) < 9
        return ball & liver

    truth = tumour(70) | tumour(130)
    pictures[truth] = 20
    pictures[:, body] += draw.normal(0, 14, (SLICES, int(body.sum()))).astype(np.int16)
    answers = {"unet": tumour(70, 2), "multiresunet": tumour(70) | tumour(130, 4), "dcunet": tumour(128, -3)}
    labels = {name: liver.astype(np.uint8) + found for name, found in answers.items()}
    soft = {
        name: np.stack([np.where(one > 0, 250, 4), np.where(one > 1, 230, 9)]).astype(np.uint8)
        for name, one in labels.items()
    }
    return pictures, liver.astype(np.uint8) + truth, labels, soft


def ct(kind):
    """The viewer on the volume, in a fragment of its own as on the pages."""
    pictures, reference, labels, soft = volume()
    style = STYLES["reference"]
    panels = [
        Panel(
            title="Image + reference",
            colour=style.colour,
            dash=style.dash,
            labels=reference,
            is_reference=True,
        )
    ]
    view = viewer.settled(
        st.session_state.get("view", {}).get("view"),
        token="lits/volume-1",
        indices=range(FIRST, FIRST + SLICES),
    )
    for name, one in labels.items():
        heat = bump(8 if name == "unet" else 16) if kind == "ctheat" and view["slice"] % 2 == 0 else None
        panels.append(
            Panel(
                title=TITLES[name],
                colour=STYLES[name].colour,
                dash=STYLES[name].dash,
                labels=one,
                probability=soft[name],
                heat=heat,
                run=f"demo-{name}-0 · 1a2b3c4d",
                message="Not computed for this slice." if kind == "ctheat" else "",
            )
        )
    stack = Stack(
        indices=tuple(range(FIRST, FIRST + SLICES)),
        source=(512, 512),
        positions_mm=tuple(-300 + 2.5 * k for k in range(SLICES)),
        total=400,
        start=FIRST + 65,
        spacing_mm=(2.8, 3.5),
        windows=(*WINDOWS, ("What the model saw", 400, 40)),
        heat_slice=view["slice"] if kind == "ctheat" else None,
        mm_note="mm not measured: made up" if kind == "ctdoubt" else "",
    )
    packed = pack(
        pictures,
        panels,
        token="lits/volume-1",
        stack=stack,
        columns=4,
        orientation=True,
        mode="heatmap" if kind == "ctheat" else "outline",
        caption="Made up · volume-1 · test",
        classes=("liver", "tumour"),
    )
    viewer.mount(packed, "view")
    bytes_sent = [len(packed.view), *map(len, packed.feeds)]
    st.write(f"bytes: {bytes_sent}")
    st.json(view, expanded=False)


st.set_page_config(layout="wide")
kind = st.query_params.get("kind", "review")
if st.button("Next case"):
    st.session_state.case = st.session_state.get("case", 1) + 1
case = st.session_state.get("case", 1)
st.text_input("Note")
if kind.startswith("ct"):
    st.fragment(ct)(kind)
elif kind == "damaged":
    block = pack(phantom(1)[0], networks("review"), token="damaged").view
    viewer._mount(Packed(block[: len(block) // 2], ()), "view")
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
    if kind == "row":  # outlines above, the same networks' heatmaps below
        heats = [bump(8), bump(16), bump(8)]
        above = [replace(panel, heat=heat) for panel, heat in zip(panels[1:], heats, strict=True)]
        panels = [expert, *above, expert, *(replace(panel, mode="heatmap") for panel in above)]
    if case == 3:  # a picture of another height
        cut = 200
        picture, panels = (
            picture[:cut],
            [replace(p, labels=p.labels[:cut]) for p in panels if p.labels is not None],
        )
    place = st.columns(1)[0] if st.checkbox("Elsewhere") else st.container()  # there it is mounted anew
    with place:
        view = viewer.show(
            picture,
            panels,
            token=f"benign-{case}",
            key="view",
            mode="heatmap" if kind == "heat" else "outline",
            columns=4 if kind == "row" else None,
            caption=f"Made up · benign-{case} · test",
        )
    st.json(view, expanded=False)
runs = st.session_state.runs = st.session_state.get("runs", 0) + 1
st.write(f"runs of the page: {runs}")
for line in range(20):
    st.write(f"line {line} below the viewer")
