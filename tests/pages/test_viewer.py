"""The viewer's bytes: the same everywhere, complete, bounded, checked; the browser's answer is not trusted."""

import gzip
import json
import os
import re
import struct
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from pages.parts import payload as viewer_payload
from pages.parts import viewer
from pages.parts.panels import STYLES, HeatLayer, Panel
from pages.parts.payload import pack
from pages.parts.viewer import settled

ROOT = Path(__file__).parents[2]
RED = "#D55E00"


def case(height=30, width=40, **options):
    """Picture and two panels with every kind of part, from a fixed seed."""
    draw = np.random.default_rng(7)
    picture = draw.integers(0, 255, (height, width), dtype=np.uint8)
    labels = (picture > 200).astype(np.uint8)
    heat = HeatLayer(draw.normal(size=(8, 8)).astype(np.float32), 2.0, "log-odds per cell")
    probability = draw.random((128, 128), dtype=np.float32)
    style = STYLES["unet"]
    expert = Panel(title="Reference", colour=RED, labels=labels, is_reference=True)
    network = Panel(
        title="U-Net", colour=style.colour, dash=style.dash, labels=1 - labels, probability=probability
    )
    drawn = Panel(title="Heatmap", colour=RED, labels=1 - labels, heat=heat)
    packed = pack(picture, [expert, network, drawn], token="benign-1", **options)
    assert packed.feeds == ()
    return packed.view, picture, network, heat


def unpack(payload):
    """Header and arrays of a payload, read as the browser reads them."""
    (length,) = struct.unpack_from("<I", payload)
    header = json.loads(payload[4 : 4 + length])
    arrays = []
    for part in header["parts"]:
        start = 4 + length + part["offset"]
        raw = gzip.decompress(payload[start : start + part["length"]])
        dtype = {"uint8": "u1", "int16": "<i2", "float32": "<f4"}[part["dtype"]]
        arrays.append(np.frombuffer(raw, dtype).reshape(part["shape"]))
    return header, arrays


def test_two_processes_make_the_same_bytes():
    script = "from tests_viewer import case; from hashlib import sha256; print(sha256(case()[0]).hexdigest())"
    code = f"import importlib.util as u, sys; s = u.spec_from_file_location('tests_viewer', {__file__!r}); "
    code += f"m = u.module_from_spec(s); sys.modules['tests_viewer'] = m; s.loader.exec_module(m)\n{script}"
    digests = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr[-2000:]
        digests.add(done.stdout.split()[-1])
    assert digests == {sha256(case()[0]).hexdigest()}


def test_what_goes_in_comes_out():
    payload, picture, network, heat = case(caption="BUSI · benign-1", columns=3)
    header, arrays = unpack(payload)
    assert header["token"] == "benign-1"
    assert header["caption"] == "BUSI · benign-1"
    assert header["columns"] == 3
    assert header["notice"].endswith("Not for diagnosis or treatment.")
    np.testing.assert_array_equal(arrays[header["picture"][0]][0], picture)
    panel = header["panels"][1]
    np.testing.assert_array_equal(arrays[panel["labels"]][0], network.labels)
    np.testing.assert_allclose(
        arrays[panel["probability"][0]][0] / 255, network.probability, atol=0.5 / 255 + 1e-6
    )
    sent = header["panels"][2]["heat"]
    values = arrays[sent["part"]] / viewer_payload.PEAK * sent["peak"]
    np.testing.assert_allclose(values, heat.values, atol=sent["peak"] / viewer_payload.PEAK)


def test_the_reference_is_that_of_the_reference_panel():
    header, arrays = unpack(case()[0])
    np.testing.assert_array_equal(arrays[header["reference"]], arrays[header["panels"][0]["labels"]])


def test_equal_arrays_travel_once():
    header, arrays = unpack(case()[0])
    assert header["panels"][1]["labels"] == header["panels"][2]["labels"]
    assert len(arrays) == 5  # picture, two label maps, one probability, one heatmap


def test_a_case_with_three_networks_stays_under_half_a_megabyte():
    draw = np.random.default_rng(0)
    speckle = np.clip(draw.rayleigh(40, (471, 562)), 0, 255).astype(np.uint8)
    y, x = np.mgrid[:128, :128]
    panels = []
    for shift, name in enumerate(("unet", "multiresunet", "dcunet")):
        smooth = 1 / (1 + np.exp((np.hypot(y - 64, x - 60 - shift) - 25) / 4))
        labels = (np.hypot(*np.mgrid[-235:236, -281:281]) < 100 + shift).astype(np.uint8)
        panels.append(Panel(title=name, colour=STYLES[name].colour, labels=labels, probability=smooth))
    assert len(pack(speckle, panels, token="benign-2").view) < 500_000


def test_a_payload_above_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(viewer_payload, "LARGEST", 1000)
    with pytest.raises(ValueError, match="at most 1000 bytes"):
        case()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("colour", {"colour": "red"}),
        ("dash", {"dash": (0,)}),
        ("labels", {"labels": np.zeros((3, 3), dtype=np.int64)}),
        ("probability", {"probability": np.full((4, 4), 1.5)}),
        ("probability", {"probability": np.full((4, 4), np.nan)}),
        ("message", {"labels": None}),
    ],
)
def test_a_panel_that_cannot_be_drawn_names_its_field(name, change):
    good = {"title": "U-Net", "colour": RED, "labels": np.zeros((3, 3), dtype=np.uint8)}
    Panel(**good)
    with pytest.raises(ValueError, match=f"^{name}:"):
        Panel(**good | change)


@pytest.mark.parametrize(
    ("name", "values", "limit"),
    [("values", np.zeros(3), 1.0), ("values", np.full((2, 2), np.inf), 1.0), ("limit", np.ones((2, 2)), 0.0)],
)
def test_a_heat_layer_that_cannot_be_drawn_names_its_field(name, values, limit):
    with pytest.raises(ValueError, match=f"^{name}:"):
        HeatLayer(values, limit, "log-odds per cell")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mode", {"mode": "x-ray"}),
        ("colour_map", {"colour_map": "rainbow"}),
        ("columns", {"columns": 0}),
        ("labels", {"reference": np.zeros((2, 2), dtype=np.uint8)}),
        ("labels", {"classes": ()}),
    ],
)
def test_an_argument_that_does_not_fit_is_named(name, change):
    with pytest.raises(ValueError, match=f"^{name}:"):
        case(**change)


def test_a_map_with_nothing_to_explain_says_so_in_words():
    empty = HeatLayer(np.zeros((8, 8)), 0.0, "log-odds per cell", state="empty_region")
    assert empty.words.startswith("Nothing to explain")
    panel = Panel(title="U-Net", colour=RED, heat=empty)
    header, _ = unpack(pack(np.zeros((4, 4), dtype=np.uint8), [panel], token="normal-1").view)
    assert header["panels"][0]["heat"]["words"] == empty.words
    assert header["panels"][0]["heat"]["drawn"] is False


def test_text_travels_as_data_and_never_into_markup_or_code():
    hostile = '<img src=x onerror="alert(1)">'
    panel = Panel(title=hostile, subtitle=hostile, colour=RED, message=hostile, labels=None)
    header, _ = unpack(
        pack(np.zeros((4, 4), dtype=np.uint8), [panel], token="normal-1", caption=hostile).view
    )
    assert header["panels"][0]["title"] == hostile
    assert header["caption"] == hostile


def test_the_script_makes_no_markup_from_text_and_reaches_no_other_host():
    script = viewer.SCRIPT
    assert len(script) > 10_000
    banned = (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "://",
        "fetch(",
    )
    assert [word for word in banned if word in script] == []
    style = (viewer.WEB / "viewer.css").read_text("utf-8")
    assert not re.search(r"url\(|@import|://", style)


def test_a_settled_view_is_given_back():
    view = {"token": "a", "mode": "error", "opacity": 0.4, "zoom": 3.5, "x": 0.2, "y": 0.8, "linked": False}
    view |= {"reference": False, "cross": [12, 9]}
    view |= {"slice": 41, "window": [150, 30], "class": "liver"}
    kept = settled(view, token="a", indices=(40, 41), classes=("liver", "tumour"))
    assert kept | {"token": "a"} == view | {"window": (150, 30)}


def test_the_zoom_of_another_case_is_forgotten_and_the_mode_is_kept():
    view = {"token": "a", "mode": "error", "zoom": 3.5, "cross": [12, 9]}
    kept = settled(view, token="b")
    assert (kept["mode"], kept["zoom"], kept["cross"]) == ("error", 1, None)


@pytest.mark.parametrize(
    "raw",
    [None, "x", {"token": "a", "zoom": "9", "mode": "<b>", "cross": [1], "x": float("nan"), "opacity": True}],
)
def test_nonsense_from_the_browser_becomes_the_opening_view(raw):
    assert settled(raw, token="a") == settled(None, token="a")


def test_a_zoom_beyond_the_limits_is_clamped():
    assert settled({"token": "a", "zoom": 1e9, "x": -4}, token="a")["zoom"] == 16
    assert settled({"token": "a", "zoom": 1e9, "x": -4}, token="a")["x"] == 0


def test_every_key_that_does_something_is_in_the_list_of_keys():
    actions, words = ((viewer.WEB / f"{name}.js").read_text("utf-8") for name in ("actions", "words"))
    acting = re.findall(r'^  "?([^\s":]+|\[|\])"?: \(app\)', actions, re.MULTILINE)
    modes = re.findall(r'key: "(\w)"', words)
    assert len(acting) > 15
    assert len(modes) == 6
    told = " ".join(" ".join(pair) for pair in viewer.KEYS.items())
    spelt = {"-": "−", "Escape": "Esc", "=": "+"}
    keys = [spelt.get(key, key.upper()) for key in (*acting, *modes, "t", "d", "h")]
    assert [
        key for key in keys if not re.search(rf"(?<!\w){re.escape(key)}(?!\w)", told.replace("Esc", "Esc "))
    ] == []
