"""The tools that CT phantoms are drawn with: depths are distances, paint is HU, noise deviates as told."""

from __future__ import annotations

import numpy as np
import pytest

from core.datasets import _ct


@pytest.fixture
def scene() -> _ct.Scene:
    """41 x 41 x 41 voxels of 1 mm, x, y and z from -20 to 20 mm."""
    return _ct.scene(np.random.default_rng(0), (41, 41, 41), (1, 1, 1), 20)


def test_a_scene_is_air_and_ends_at_the_head(scene: _ct.Scene) -> None:
    assert scene.z.ravel()[[0, -1]].tolist() == [-20, 20]
    assert scene.x.ravel()[[0, -1]].tolist() == [-20, 20]
    assert (scene.levels == -1000).all()


def test_the_depth_in_a_ball_is_the_distance_to_its_surface(scene: _ct.Scene) -> None:
    depth = scene.spread(_ct.ellipsoid(scene, (0, 0, 0), (10, 10, 10)))
    assert depth[20, 20, 27] == pytest.approx(3, abs=0.01)
    assert depth[24, 17, 20] == pytest.approx(5, abs=0.01)
    assert depth[20, 20, 32] == pytest.approx(-2, abs=0.01)
    assert depth[0, 0, 0] == _ct.FAR


def test_an_ellipsoid_lies_where_x_y_and_z_say(scene: _ct.Scene) -> None:
    inside = scene.spread(_ct.ellipsoid(scene, (4, -6, 8), (3, 2, 5))) > 0
    z, y, x = (places.mean() for places in np.nonzero(inside))
    assert (x - 20, y - 20, z - 20) == pytest.approx((4, -6, 8))
    assert np.ptp(np.nonzero(inside)[2]) == 4  # x from 2 to 6, the ends at 1 and 7 are on the surface


def test_a_quarter_turn_swaps_width_and_depth(scene: _ct.Scene) -> None:
    plain = scene.spread(_ct.ellipsoid(scene, (0, 0, 0), (12, 5, 8))) > 0.01
    turned = scene.spread(_ct.ellipsoid(scene, (0, 0, 0), (12, 5, 8), turn=np.pi / 2)) > 0.01
    np.testing.assert_array_equal(turned, plain.transpose(0, 2, 1))


def test_a_tube_is_as_thick_as_told_at_both_ends(scene: _ct.Scene) -> None:
    depth = scene.spread(_ct.tube(scene, [(0, 0, -10), (0, 0, 10)], (6, 2)))
    assert depth[[10, 20, 30], 20, 20].tolist() == pytest.approx([6, 4, 2])
    assert depth[20, 20, 24] == pytest.approx(0, abs=1e-5)


def test_paint_is_half_way_on_the_surface_and_full_within(scene: _ct.Scene) -> None:
    scene.paint(_ct.ellipsoid(scene, (0, 0, 0), (10, 10, 10)), 200.0, edge_mm=2.0)
    assert scene.levels[20, 20, [20, 30, 33]].tolist() == pytest.approx([200, -400, -1000], abs=1)


def test_shapes_grown_together_keep_their_cores_and_bridge_the_gap(scene: _ct.Scene) -> None:
    balls = [_ct.ellipsoid(scene, (x, 0, 0), (5, 5, 5)) for x in (-6, 6)]
    depth = _ct.together(scene, balls, 6)
    assert depth[20, 20, 14] == pytest.approx(5, abs=0.1)
    assert depth[20, 20, 20] == pytest.approx(-1 + 6 / 4, abs=0.01)


def test_bumps_are_smooth_with_mean_0_and_variance_1(scene: _ct.Scene) -> None:
    bumps = _ct.bumps(scene, 10)
    assert bumps.mean() == pytest.approx(0, abs=1e-4)
    assert bumps.std() == pytest.approx(1, abs=1e-4)
    for axis in range(3):
        assert np.abs(np.diff(bumps, axis=axis)).max() < 0.8


def test_noise_has_the_deviation_asked_for_in_water_and_less_in_air() -> None:
    scene = _ct.scene(np.random.default_rng(0), (8, 128, 128), (5, 2, 2), 0)
    scene.levels[:, :, 64:] = 0
    picture = _ct.scan(scene, 16)
    assert picture.dtype == np.int16
    assert picture[:, :, 70:].std() == pytest.approx(16, rel=0.05)
    assert picture[:, :, :58].std() == pytest.approx(16 * 0.3, rel=0.1)
    grain = picture[:, :, 70:].astype(float)
    assert np.corrcoef(grain[:, :, 1:].ravel(), grain[:, :, :-1].ravel())[0, 1] > 0.2
