"""The surroundings of a drawn liver: each organ where it belongs, at its level of the portal venous phase."""

from __future__ import annotations

import numpy as np
import pytest

from core.datasets import _abdomen, _ct


@pytest.fixture(scope="module")
def levels() -> np.ndarray:
    """A standard adult on 2 x 2 mm pixels, slices every 4 mm from z = -196 to z = 40, no liver."""
    scene = _ct.scene(np.random.default_rng(3), (60, 180, 190), (4, 2, 2), 40)
    room = _abdomen.wall(scene)
    _abdomen.organs(scene, room, np.full(scene.levels.shape, _ct.FAR, np.float32))
    _abdomen.vessels(scene)
    _abdomen.spine(scene)
    _abdomen.ribs(scene, room)
    return scene.levels


def around(levels: np.ndarray, x: float, y: float, z: float) -> float:
    """The median HU of 3 x 3 x 3 voxels round a point in mm."""
    row, column, slice = round(y / 2 + 89.5), round(x / 2 + 94.5), round((z - 40) / 4 + 59)
    return float(np.median(levels[slice - 1 : slice + 2, row - 1 : row + 2, column - 1 : column + 2]))


@pytest.mark.parametrize(
    ("organ", "place", "low", "high"),
    [
        ("air", (0, -150, -60), -1000, -1000),
        ("fat under the skin", (0, -108, -80), -125, -60),
        ("muscle of the back", (28, 78, -60), 0, 75),
        ("right lung", (-70, 30, 30), -950, -700),
        ("left lung", (75, 30, 30), -950, -700),
        ("spleen, on the patient's left", (106, 45, -62), 105, 130),
        ("right kidney", (-72, 52, -128), 125, 175),
        ("left kidney", (72, 52, -112), 125, 175),
        ("aorta, left of the midline", (8, 4, -60), 150, 160),
        ("vena cava, right of the midline", (-22, -1, -60), 135, 145),
        ("spinal canal", (0, 59, -80), 20, 45),
        ("psoas", (-40, 38, -180), 50, 70),
    ],
)
def test_an_organ_is_in_its_place_at_its_level(
    levels: np.ndarray, organ: str, place: tuple[float, float, float], low: float, high: float
) -> None:
    assert low <= around(levels, *place) <= high, organ


def test_bone_is_brighter_at_its_rim_than_inside(levels: np.ndarray) -> None:
    column = levels[:, 100:114, 88:101]  # a box in the vertebral bodies
    assert 120 < np.median(column) < 220
    assert column.max() > 500
    ribs = levels[10:50, :80] > 450
    assert ribs[:, :, :95].any()
    assert ribs[:, :, 95:].any()


def test_lungs_end_above_the_kidneys_and_gas_lies_in_front(levels: np.ndarray) -> None:
    lung = (levels > -950) & (levels < -700)
    share = lung.mean(axis=(1, 2))
    assert share[-1] > 0.1
    assert share[:28].max() < 0.01  # below z = -84
    gas = np.argwhere(levels[:45, 30:150, 20:170] < -900)
    assert gas[:, 1].mean() < 60
