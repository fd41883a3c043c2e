"""Baselines: as coarse as the map they are held against, and with the area of its region."""

import numpy as np
import pytest

from core.explain import baselines
from core.explain.definitions import BASELINES
from core.records import SIZE
from tests.core.explain.test_focus import CLASSES, heat, scene, square


@pytest.mark.parametrize("area", [64, 1000, 4000])
def test_the_half_maximum_disc_of_the_gaussian_has_the_regions_area(area):
    above = int((baselines.centred_gaussian(area) >= 0.5).sum())
    assert above == pytest.approx(area, rel=0.08)


def test_the_gaussian_is_centred_and_has_the_variance_of_its_area():
    blob = baselines.centred_gaussian(500)
    rows = np.arange(SIZE)
    weight = blob.sum(axis=1) / blob.sum()
    mean = (weight * rows).sum()
    assert mean == pytest.approx((SIZE - 1) / 2)
    assert (weight * (rows - mean) ** 2).sum() == pytest.approx(500 / (2 * np.pi * np.log(2)), rel=1e-3)


def test_averaging_takes_the_mean_of_every_cell():
    fine = np.arange(SIZE * SIZE, dtype=float).reshape(SIZE, SIZE)
    coarse = baselines.averaged(fine, 8)
    assert coarse.shape == (8, 8)
    assert coarse[0, 0] == fine[:16, :16].mean()
    assert coarse[7, 3] == fine[112:, 48:64].mean()
    assert np.array_equal(baselines.averaged(fine, SIZE), fine)


def test_edges_stand_where_the_image_changes():
    image = np.zeros((SIZE, SIZE, 1), np.float32)
    image[:, 64:] = 1
    found = baselines.edges(image)
    assert set(np.flatnonzero(found[50])) == {63, 64}
    assert baselines.edges(np.ones((SIZE, SIZE, 1), np.float32)).max() == 0


def test_every_baseline_has_a_title_and_the_layers_grid():
    found = baselines.baseline_maps(16, np.zeros((SIZE, SIZE, 1), np.float32), np.eye(SIZE), 100)
    assert list(found) == list(BASELINES)
    assert {values.shape for values in found.values()} == {(16, 16)}
    with pytest.raises(ValueError, match="side: expected a divisor of 128, got 7"):
        baselines.baseline_maps(7, np.zeros((SIZE, SIZE, 1), np.float32), np.eye(SIZE), 100)


def test_the_even_map_has_a_lift_of_1_and_no_rank():
    slice, prediction = scene(square(30, 40, 20), square(30, 40, 20))
    found = baselines.baseline_numbers(heat(np.eye(8), region_pixels=400), slice, prediction, CLASSES)
    assert found["uniform"]["lift"] == pytest.approx(1, rel=1e-6)
    assert np.isnan(found["uniform"]["topk_iou"])
    assert "same value" in found["uniform"].why["topk_iou"]
    assert all(np.isnan(numbers["score"]) and numbers.why["score"] for numbers in found.values())


def test_the_probability_beats_chance_where_the_network_is_right():
    slice, prediction = scene(square(30, 40, 20), square(30, 40, 20))
    found = baselines.baseline_numbers(heat(np.eye(SIZE), region_pixels=400), slice, prediction, CLASSES)
    assert found["probability"]["energy_in_reference"] == 1
    assert found["probability"]["redundancy"] == pytest.approx(1)
    assert found["gaussian"]["energy_in_reference"] < 0.5


def test_baselines_of_an_empty_region_are_undefined_like_the_map():
    slice, prediction = scene(square(30, 40, 20))
    empty = heat(np.zeros((8, 8)), state="empty_region", region_pixels=0)
    for numbers in baselines.baseline_numbers(empty, slice, prediction, CLASSES).values():
        assert np.isnan(numbers["energy_in_reference"])
        assert "empty region" in numbers.why["energy_in_reference"]
