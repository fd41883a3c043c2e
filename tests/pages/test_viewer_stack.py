"""A volume's bytes: planes, feeds named by content, areas per slice, limits; and what is given back of a view."""

from __future__ import annotations

import gzip
import json
import struct

import numpy as np
import pytest

from pages.parts import payload
from pages.parts.panels import STYLES, WINDOWS, Panel, Stack
from pages.parts.payload import Packed, TooLarge, pack
from pages.parts.viewer import settled

N, SIDE = 6, 16
DTYPES = {"uint8": "u1", "int16": "<i2", "float32": "<f4"}


def stack(n: int = N, **fields) -> Stack:
    given = {"indices": tuple(range(40, 40 + n)), "source": (512, 512), "spacing_mm": (2.0, 3.0)}
    return Stack(**given | {"total": 75, "start": 42, "windows": WINDOWS} | fields)


def labels(shift: int, n: int = N) -> np.ndarray:
    """A liver of 8 x 8 pixels with a tumour of 2 x 2 in every second slice."""
    made = np.zeros((n, SIDE, SIDE), np.uint8)
    made[:, 4:12, 2 + shift : 10 + shift] = 1
    made[::2, 6:8, 4 + shift : 6 + shift] = 2
    return made


def volume(n: int = N, models=("unet", "dcunet"), **options) -> Packed:
    """A volume with an expert and networks, from a fixed seed."""
    pictures = np.random.default_rng(3).integers(-1000, 3000, (n, SIDE, SIDE)).astype(np.int16)
    expert = Panel(title="Reference", colour="#FFFFFF", labels=labels(0, n), is_reference=True)
    panels = [expert]
    for at, name in enumerate(models, 1):
        probability = np.full((2, n, 8, 8), 50 * at, np.uint8)
        panels.append(
            Panel(title=name, colour=STYLES[name].colour, labels=labels(at, n), probability=probability)
        )
    given = {"token": "lits/volume-3", "stack": stack(n), "classes": ("liver", "tumour")}
    return pack(pictures, panels, **given | options)


def opened(block: bytes) -> tuple[dict, int]:
    (length,) = struct.unpack_from("<I", block)
    return json.loads(block[4 : 4 + length]), 4 + length


def parts(packed: Packed) -> tuple[dict, list[bytes]]:
    """The header and the raw bytes of every part, found as the browser finds them."""
    header, start = opened(packed.view)
    fed = {}
    for feed in packed.feeds:
        told, at = opened(feed)
        fed |= {p["hash"]: feed[at + p["offset"] : at + p["offset"] + p["length"]] for p in told["parts"]}
    blocks = [
        fed[p["hash"]] if p["offset"] < 0 else packed.view[start + p["offset"] : start + p["offset"] + p["length"]]
        for p in header["parts"]
    ]  # fmt: skip
    return header, [gzip.decompress(block) for block in blocks]


def values(header: dict, raw: list[bytes], at: int) -> np.ndarray:
    part = header["parts"][at]
    return np.frombuffer(raw[at], DTYPES[part["dtype"]]).reshape(part["shape"])


def test_pictures_travel_as_all_low_bytes_and_then_all_high_bytes():
    pictures = np.random.default_rng(3).integers(-1000, 3000, (N, SIDE, SIDE)).astype(np.int16)
    header, raw = parts(volume())
    planes = np.frombuffer(raw[header["picture"][0]], np.uint8).reshape(2, -1).astype(np.uint16)
    joined = (planes[0] | planes[1] << 8).astype(np.uint16).view(np.int16)
    np.testing.assert_array_equal(joined.reshape(pictures.shape), pictures)


def test_the_same_volume_gives_the_same_bytes():
    assert volume() == volume()


def test_the_header_names_slices_positions_spacing_and_windows():
    header, _ = parts(volume(stack=stack(positions_mm=tuple(-10.0 + 2.5 * k for k in range(N)))))
    assert header["slices"] == {
        "indices": [40, 41, 42, 43, 44, 45],
        "positions": [-10.0, -7.5, -5.0, -2.5, 0.0, 2.5],
        "total": 75,
        "start": 42,
        "spacing": [2.0, 3.0],
        "source": [512, 512],
        "heat": -1,
        "mm_note": "",
        "windows": [{"name": name, "width": width, "level": level} for name, width, level in WINDOWS],
    }


def test_the_areas_of_a_slice_are_in_mm2_and_the_liver_holds_its_tumour():
    header, raw = parts(volume())
    area = values(header, raw, header["panels"][0]["areas"])
    np.testing.assert_allclose(area[0], 64 * 6)
    np.testing.assert_allclose(area[1], [4 * 6, 0] * 3)


def test_disagreement_is_what_some_networks_mark_and_others_do_not():
    header, raw = parts(volume())
    apart = values(header, raw, header["disagreement"])
    np.testing.assert_allclose(apart[0], 2 * 8 * 6)  # shifted by one column against each other
    np.testing.assert_allclose(apart[1], [2 * 2 * 6, 0] * 3)


def with_areas(areas: np.ndarray | None, disagreement: np.ndarray | None) -> Packed:
    """Two networks with labels, and what is known of their areas otherwise."""
    panels = [
        Panel(title=name, colour=STYLES[name].colour, labels=labels(at), areas=areas)
        for at, name in enumerate(("unet", "dcunet"), 1)
    ]
    pictures = np.zeros((N, SIDE, SIDE), np.int16)
    told = stack(disagreement=disagreement)
    return pack(pictures, panels, token="a", stack=told, classes=("liver", "tumour"))


def test_areas_that_are_given_are_sent_instead_of_counted_ones():
    given = np.arange(2.0 * N).reshape(2, N)
    header, raw = parts(with_areas(given, None))
    np.testing.assert_array_equal(values(header, raw, header["panels"][0]["areas"]), given)


def test_a_network_without_labels_can_have_areas():
    given = np.ones((2, N))
    panel = Panel(title="unet", colour="#0072B2", message="Not computed.", areas=given)
    packed = pack(
        np.zeros((N, 8, 8), np.int16), [panel], token="a", stack=stack(), classes=("liver", "tumour")
    )
    header, raw = parts(packed)
    np.testing.assert_array_equal(values(header, raw, header["panels"][0]["areas"]), given)
    assert header["panels"][0]["labels"] == -1


def test_where_no_disagreement_is_given_it_is_counted():
    given = np.stack([np.full(N, -1.0), np.full(N, 5.0)])
    header, raw = parts(with_areas(None, given))
    apart = values(header, raw, header["disagreement"])
    np.testing.assert_allclose(apart[0], 2 * 8 * 6)
    np.testing.assert_allclose(apart[1], 5)


def test_areas_of_another_number_of_slices_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^areas: expected \(classes, slices\) = \(2, 6\)"):
        with_areas(np.ones((2, N + 1)), None)


def test_one_network_alone_disagrees_with_nobody():
    assert parts(volume(models=("unet",)))[0]["disagreement"] == -1


def test_each_class_has_its_probability_and_a_single_one_is_that_of_the_last_class():
    header, raw = parts(volume())
    liver, tumour = header["panels"][1]["probability"]
    assert liver == tumour  # equal arrays travel once
    assert (values(header, raw, liver) == 50).all()
    one = Panel(title="unet", colour="#0072B2", labels=labels(0), probability=np.ones((N, 8, 8)))
    pictures = np.zeros((N, SIDE, SIDE), np.int16)
    packed = pack(pictures, [one], token="a", stack=stack(), classes=("liver", "tumour"))
    header, raw = parts(packed)
    assert header["panels"][0]["probability"][0] == -1
    assert (values(header, raw, header["panels"][0]["probability"][1]) == 255).all()


def test_another_choice_of_networks_or_mode_sends_no_picture_again():
    two, one, other = volume(), volume(models=("unet",)), volume(mode="fill")
    assert two.feeds[0] == one.feeds[0]  # the pictures
    assert two.feeds[1] == one.feeds[1]  # the network that stayed
    assert two.feeds == other.feeds


def test_another_slice_with_heatmaps_changes_the_view_alone():
    here, there = volume(stack=stack(heat_slice=41)), volume(stack=stack(heat_slice=44))
    assert here.feeds == there.feeds
    assert here.view != there.view
    assert len(here.view) < 20_000
    assert opened(here.view)[0]["has_heat"] is True


def test_a_long_stack_of_pictures_comes_in_several_parts(monkeypatch):
    monkeypatch.setattr(payload, "CHUNK", 2 * SIDE * SIDE * 2)
    header, _ = parts(volume())
    assert [header["parts"][at]["shape"][0] for at in header["picture"]] == [2, 2, 2]


def test_parts_that_do_not_fit_into_one_feed_go_into_the_next(monkeypatch):
    monkeypatch.setattr(payload, "CHUNK", 2 * SIDE * SIDE * 2)
    whole = volume()
    monkeypatch.setattr(payload, "LARGEST", 12_500)
    split = volume()
    assert len(split.feeds) > len(whole.feeds)
    assert max(map(len, split.feeds)) <= 12_500
    assert parts(split)[1] == parts(whole)[1]


def test_a_hundred_slices_stay_under_three_megabytes():
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:128, :128]
    pictures = np.empty((100, 128, 128), np.int16)
    drawn = np.zeros((3, 100, 128, 128), np.uint8)
    soft = np.empty((3, 2, 100, 128, 128), np.uint8)
    for k in range(100):
        body = np.hypot((x - 64) / 58, (y - 64) / 44) < 1
        pictures[k] = np.where(body, 40 + draw.normal(0, 15, (128, 128)), -1000)
        for at in range(3):
            away = np.hypot(x - 44 - at, y - 58) - 25
            drawn[at, k] = away < 0
            soft[at, :, k] = np.rint(255 / (1 + np.exp(away / 2)))
    panels = [
        Panel(title=str(at), colour="#0072B2", labels=drawn[at], probability=soft[at]) for at in range(3)
    ]
    packed = pack(pictures, panels, token="a", stack=stack(100, start=40), classes=("liver", "tumour"))
    assert len(packed.view) + sum(map(len, packed.feeds)) < 3_000_000


def test_a_case_above_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(payload, "LARGEST_CASE", 1000)
    with pytest.raises(TooLarge, match="at most 1000 bytes in all"):
        volume()


def test_noise_that_does_not_get_smaller_fits_block_by_block(monkeypatch):
    monkeypatch.setattr(payload, "LARGEST", 60_000)
    monkeypatch.setattr(payload, "CHUNK", 49_000)
    noise = np.random.default_rng(0).integers(-32768, 32767, (N, 64, 64)).astype(np.int16)
    panel = Panel(title="a", colour="#0072B2", message="x")
    packed = pack(noise, [panel], token="a", stack=stack(), classes=("liver", "tumour"))
    assert max(map(len, packed.feeds)) <= 60_000


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("stack", {"stack": stack(5)}),
        ("labels", {"classes": ("liver",)}),
        ("labels", {"reference": np.zeros((N, 3, 3), np.uint8)}),
    ],
)
def test_an_argument_of_a_volume_that_does_not_fit_is_named(name, change):
    with pytest.raises(ValueError, match=f"^{name}:"):
        volume(**change)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("indices", {"indices": ()}),
        ("indices", {"indices": (3, 3)}),
        ("positions_mm", {"positions_mm": (1.0,)}),
        ("windows", {"windows": (("none", 0, 40),)}),
        ("spacing_mm", {"spacing_mm": (0.0, 1.0)}),
        ("spacing_mm", {"spacing_mm": (float("nan"), 1.0)}),
    ],
)
def test_a_stack_that_cannot_be_shown_names_its_field(name, change):
    with pytest.raises(ValueError, match=f"^{name}:"):
        stack(**change)


def test_a_float_picture_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^picture:"):
        pack(np.zeros((4, 4), np.float32), [Panel(title="a", colour="#0072B2", message="x")], token="a")


@pytest.mark.parametrize(
    ("told", "expected"),
    [(44, 44), (-5, 40), (10**9, 60), (51, 50), ("44", 42), (float("nan"), 42), (True, 42), (None, 42)],
)
def test_the_settled_slice_is_one_of_the_case(told, expected):
    view = {"token": "a", "slice": told}
    assert settled(view, token="a", indices=(40, 42, 44, 50, 60), start=42)["slice"] == expected


def test_the_slice_of_another_case_is_forgotten():
    assert settled({"token": "b", "slice": 44}, token="a", indices=(40, 44), start=40)["slice"] == 40


@pytest.mark.parametrize(
    ("told", "expected"),
    [([150, 30], (150, 30)), ([1e9, -1e9], (4000, -1500)), ([150], None), ("150", None), ([True, 3], None)],
)
def test_the_settled_window_is_clamped(told, expected):
    assert settled({"token": "a", "window": told}, token="a")["window"] == expected


def test_a_class_that_is_not_there_means_all():
    given = {"token": "a", "indices": (1,), "classes": ("liver", "tumour")}
    assert settled({"class": "tumour"}, **given)["class"] == "tumour"
    assert settled({"class": "<b>"}, **given)["class"] == "all"
