"""Removed pixels: closed forms of a network whose probability is the image itself."""

import numpy as np
import pytest

from core.explain import faithfulness
from core.records import SIZE

AREA = 40 * 64  # of the region, in pixels
SHARE = AREA / SIZE**2


def region():
    found = np.zeros((SIZE, SIZE), bool)
    found[20:60, 30:94] = True
    return found


def image():
    return region().astype(np.float32)[..., None]


def itself(images):
    """A network of one class that says what it sees."""
    return images


EVEN = np.linspace(0, 1, 65)


def ends(order, start, end):
    found = faithfulness.curve(start, end, order, itself, region(), 1, EVEN)
    return faithfulness.area(found.probability, EVEN), faithfulness.area(found.dice, EVEN)


def test_the_perfect_order_deletes_in_proportion_to_the_regions_area():
    order = faithfulness.ranking(region().astype(float))
    black = np.zeros_like(image())
    assert ends(order, image(), black)[0] == pytest.approx(SHARE / 2, abs=1e-9)
    assert ends(order, black, image())[0] == pytest.approx(1 - SHARE / 2, abs=1e-9)


def test_the_worst_order_deletes_as_late_as_possible():
    order = faithfulness.ranking(region().astype(float))[::-1]
    assert ends(order, image(), np.zeros_like(image()))[0] == pytest.approx(1 - SHARE / 2, abs=1e-9)


def test_a_constant_map_deletes_in_random_order():
    order = faithfulness.ranking(np.ones((8, 8)))
    assert sorted(order) == list(range(SIZE**2))
    assert ends(order, image(), np.zeros_like(image()))[0] == pytest.approx(0.5, abs=0.02)


def test_the_outline_goes_with_the_pixels_that_draw_it():
    order = faithfulness.ranking(region().astype(float))
    kept = np.maximum(1 - EVEN / SHARE, 0)  # of the region, as the perfect order takes it
    assert ends(order, image(), np.zeros_like(image()))[1] == pytest.approx(
        faithfulness.area(2 * kept / (1 + kept), EVEN), abs=1e-3
    )


def test_ranking_puts_the_hottest_cell_first_and_breaks_ties_by_a_draw():
    values = np.zeros((8, 8))
    values[5, 2] = 1
    order = faithfulness.ranking(values)
    assert divmod(int(order[0]), SIZE) in [(87, 39), (87, 40), (88, 39), (88, 40)]
    tail = order[-1000:]
    assert np.ptp(tail) > SIZE**2 / 2
    assert not np.array_equal(tail, np.sort(tail))
    assert np.array_equal(order, faithfulness.ranking(values))


def test_replacing_takes_every_channel_of_the_chosen_pixels():
    one, other = np.zeros((SIZE, SIZE, 3)), np.ones((SIZE, SIZE, 3))
    found = faithfulness.replaced(one, other, np.array([0, SIZE + 2]))
    assert found[0, 0].tolist() == found[1, 2].tolist() == [1, 1, 1]
    assert found.sum() == 6
    assert one.sum() == 0


def test_the_area_of_a_straight_line_is_exact():
    assert faithfulness.area(np.array(faithfulness.SHARES)) == pytest.approx(0.5)
    assert faithfulness.area(np.array([1.0, 0, 0]), (0, 0.25, 1)) == pytest.approx(1 / 8)


def test_few_shares_tell_nearly_what_fifty_steps_tell():
    falling = [np.exp(-12 * np.array(shares)) for shares in (faithfulness.SHARES, np.linspace(0, 1, 51))]
    fine = faithfulness.area(falling[1], np.linspace(0, 1, 51))
    assert faithfulness.area(falling[0]) == pytest.approx(fine, abs=0.02)


def test_nothing_to_average_over_is_refused():
    nowhere, order = np.zeros_like(region()), np.arange(SIZE**2)
    with pytest.raises(ValueError, match="region: expected at least one pixel"):
        faithfulness.curve(image(), image(), order, itself, nowhere, 1)


def test_a_map_of_the_region_beats_its_opposite_on_blurred_pixels():
    good, bad = (
        faithfulness.deletion_and_insertion(image(), sign * region(), itself, region(), 1)
        for sign in (1.0, -1.0)
    )
    assert good["deletion"] < bad["deletion"]
    assert good["insertion"] > bad["insertion"]
    assert good["fall_at_10"] > bad["fall_at_10"]
    assert good["dice_deletion"] < bad["dice_deletion"]


def test_of_several_classes_the_one_asked_about_is_followed():
    def three(images):
        return np.concatenate([1 - images, images / 4, 3 * images / 4], axis=-1)

    found = faithfulness.deletion_and_insertion(image(), region() * 1.0, three, region(), 2)
    other = faithfulness.deletion_and_insertion(image(), region() * 1.0, three, region(), 1)
    assert found["deletion"] == pytest.approx(3 * other["deletion"], rel=1e-6)


def hole():
    found = np.zeros((SIZE, SIZE), bool)
    found[40:70, 50:90] = True
    return found


def test_a_ramp_is_restored_inside():
    rows, columns = np.indices((SIZE, SIZE)) / SIZE
    ramp = (0.2 + 0.3 * rows + 0.4 * columns).astype(np.float32)[..., None]
    broken = np.where(hole()[..., None], 0.9, ramp).astype(np.float32)
    assert np.abs(faithfulness.filled_from_neighbours(broken, hole(), noise=0) - ramp).max() < 1e-5


def test_a_constant_is_restored_anywhere():
    scattered = np.random.default_rng(0).random((SIZE, SIZE)) > 0.1
    grey = np.full((SIZE, SIZE, 1), 0.6, np.float32)
    broken = np.where(scattered[..., None], 0.1, grey).astype(np.float32)
    assert np.abs(faithfulness.filled_from_neighbours(broken, scattered, noise=0) - 0.6).max() < 1e-5


def test_a_single_pixel_becomes_the_weighted_mean_of_its_neighbours():
    picture = np.random.default_rng(1).random((SIZE, SIZE, 1)).astype(np.float32)
    lost = np.zeros((SIZE, SIZE), bool)
    lost[7, 9] = lost[0, 0] = True
    weights = np.array([[1, 2, 1], [2, 0, 2], [1, 2, 1]]) / 12
    found = faithfulness.filled_from_neighbours(picture, lost, noise=0)
    assert found[7, 9, 0] == pytest.approx((weights * picture[6:9, 8:11, 0]).sum(), abs=1e-6)
    corner = (2 * picture[0, 1] + 2 * picture[1, 0] + picture[1, 1]) / 5
    assert found[0, 0] == pytest.approx(corner, abs=1e-6)


def test_kept_pixels_are_untouched_and_noise_is_on_the_filled_alone():
    picture = np.full((SIZE, SIZE, 1), 0.5, np.float32)
    found = faithfulness.filled_from_neighbours(picture, hole())
    assert np.array_equal(found[~hole()], picture[~hole()])
    assert found[hole()].std() == pytest.approx(faithfulness.ROAD_NOISE, rel=0.1)


def test_with_nothing_kept_the_mean_remains():
    found = faithfulness.filled_from_neighbours(image(), np.ones((SIZE, SIZE), bool))
    assert np.allclose(found, SHARE)


def test_road_tells_a_good_order_from_its_reverse():
    good, bad = (
        faithfulness.road(image(), sign * region(), itself, region(), 1, shares=(0.2, 0.5), noise=0)
        for sign in (1.0, -1.0)
    )
    assert good > 0.2
    assert bad < -0.2
    assert good == pytest.approx(-bad, abs=0.1)
