"""The parts of the lessons: small pictures, marks, and what the browser is believed."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from core import connected_regions
from pages.parts import lessons_pictures, lessons_scene


def test_cells_are_squares_of_one_colour_each():
    drawn = lessons_pictures.cells(np.array([[0.0, 1.0], [0.5, -3.0]]), 1.0)
    side = drawn.shape[0] // 2
    assert drawn.shape == (2 * side, 2 * side, 3)
    corners = {tuple(drawn[y, x]) for y in (0, side) for x in (0, side)}
    assert (drawn[:side, :side] == drawn[0, 0]).all()
    assert len(corners) == 3  # below 0 is as dark as 0
    assert drawn[0, side].sum() > drawn[0, 0].sum()


def test_a_signed_map_is_neutral_at_nought_and_its_ends_differ():
    drawn = lessons_pictures.cells(np.array([[-1.0, 0.0, 1.0]]), 1.0, signed=True)
    low, middle, high = (drawn[0, at * lessons_pictures.SIDE // 3].astype(int) for at in range(3))
    assert np.ptp(middle) == 0
    assert low[2] > low[0]  # blue
    assert high[0] > high[2]  # orange


def test_a_map_of_noughts_is_drawn_without_a_limit():
    assert np.ptp(lessons_pictures.cells(np.zeros((8, 8)), 0.0)) == np.ptp(
        lessons_pictures.cells(np.zeros((1, 1)), 1.0)
    )


def test_a_picture_travels_without_loss():
    picture = np.random.default_rng(0).integers(0, 256, (40, 30)).astype(np.uint8)
    address = lessons_pictures.png(picture)
    back = np.array(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))
    assert np.array_equal(back, picture)
    assert lessons_pictures.png(picture) == address


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"token": "a", "x": 0.5, "y": 0.25}, (10, 15)),
        ({"token": "a", "x": 0, "y": 0}, (0, 0)),
        ({"token": "b", "x": 0.5, "y": 0.25}, None),
        ({"token": "a", "x": 1.0, "y": 0.25}, None),
        ({"token": "a", "x": -0.1, "y": 0.25}, None),
        ({"token": "a", "x": float("nan"), "y": 0.25}, None),
        ({"token": "a", "x": True, "y": 0.25}, None),
        ({"token": "a", "x": "0.5", "y": 0.25}, None),
        ({"token": "a"}, None),
        ("mark", None),
        (None, None),
    ],
)
def test_a_mark_is_believed_only_inside_this_picture(given, expected, monkeypatch):
    monkeypatch.setattr(lessons_pictures, "_MARK", lambda **_: SimpleNamespace(mark=given))
    assert lessons_pictures.marked(np.zeros((40, 30), np.uint8), "a", "a case", "key") == expected


def test_a_ring_goes_round_its_pixel_and_leaves_the_rest():
    picture = np.full((200, 160), 90, np.uint8)
    drawn = lessons_pictures.ringed(picture, 100, 60)
    assert drawn[100, 60] == 90
    assert (drawn == 255).any()
    assert connected_regions(drawn == 90)[1][-1] > 0  # an inside and an outside
    rows, columns = np.nonzero(drawn != 90)
    assert (rows.mean(), columns.mean()) == pytest.approx((100, 60), abs=0.5)
    assert picture.max() == 90


def test_ct_is_shown_in_the_soft_tissue_window_and_ultrasound_as_it_is():
    hu = np.array([[-1000, -160, 40, 240, 2000]], np.int16)
    assert lessons_scene.grey(hu).tolist() == [[0, 0, 128, 255, 255]]
    picture = np.array([[3, 200]], np.uint8)
    assert lessons_scene.grey(picture) is picture
