"""Formulas on arrays small enough to check by hand, and against other libraries."""

import numpy as np
import pytest

from core.explain import measures
from core.records import SIZE


def test_half_the_energy_inside_is_one_half():
    positive = np.array([[3.0, 1.0], [0.0, 2.0]])
    assert measures.energy_inside(positive, np.array([[True, False], [False, False]])) == 0.5


def test_a_map_of_zeros_has_no_energy_to_share():
    assert np.isnan(measures.energy_inside(np.zeros((2, 2)), np.ones((2, 2), bool)))


def test_the_pointing_game_counts_the_share_of_ties():
    inside = np.array([[True, False], [False, False]])
    assert measures.pointing(np.array([[2.0, 1.0], [0.0, 0.0]]), inside) == 1
    assert measures.pointing(np.array([[1.0, 2.0], [0.0, 0.0]]), inside) == 0
    assert measures.pointing(np.array([[2.0, 2.0], [2.0, 2.0]]), inside) == 0.25
    assert np.isnan(measures.pointing(np.zeros((2, 2)), inside))


def test_a_region_grows_by_its_own_scale_along_each_side():
    inside = np.zeros((128, 256), bool)
    inside[50, 100] = True
    grown = measures.dilated(inside, 4)
    assert grown.sum() == 9 * 17
    assert grown[46:55, 92:109].all()


def test_a_region_at_the_border_does_not_grow_round_it():
    inside = np.zeros((SIZE, SIZE), bool)
    inside[0, 0] = True
    assert measures.dilated(inside, 2).sum() == 9


def test_half_a_cell_of_the_last_layer_is_no_leeway():
    inside = np.zeros((SIZE, SIZE), bool)
    inside[5, 5] = True
    assert measures.dilated(inside, 0.5).sum() == 1


def test_top_pixels_by_hand():
    values = np.array([[4.0, 3.0], [2.0, 1.0]])
    assert measures.top_iou(values, np.array([[True, True], [False, False]])) == 1
    assert measures.top_iou(values, np.array([[True, False], [True, False]])) == pytest.approx(1 / 3)
    assert measures.top_iou(values, np.array([[False, False], [True, True]])) == 0


def test_tied_pixels_are_drawn_and_not_taken_from_the_top():
    values = np.zeros((100, 100))
    values[0, 0] = 1
    inside = np.zeros((100, 100), bool)
    inside[:50] = True
    share = measures.top_iou(values, inside)
    assert share == measures.top_iou(values, inside)
    assert share == pytest.approx(1 / 3, abs=0.03)  # half of the drawn pixels; raster order would give 1


def test_top_pixels_of_nothing_are_undefined():
    assert np.isnan(measures.top_iou(np.eye(2), np.zeros((2, 2), bool)))
    assert np.isnan(measures.top_iou(np.ones((2, 2)), np.eye(2, dtype=bool)))
    assert np.isnan(measures.top_iou(np.eye(2), np.ones((2, 2), bool)))


def test_ranks_share_their_mean():
    assert measures.ranks(np.array([[10.0, 30.0], [10.0, 20.0]])).tolist() == [1.5, 4, 1.5, 3]


def test_rank_correlation_by_hand():
    one = np.array([1.0, 2.0, 3.0, 4.0])
    assert measures.spearman(one, np.exp(one)) == pytest.approx(1)
    assert measures.spearman(one, -one) == pytest.approx(-1)
    assert measures.spearman(one, np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert np.isnan(measures.spearman(one, np.ones(4)))


def test_rank_correlation_equals_scipys():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 9, (2, 200)).astype(float)
    assert measures.spearman(one, other) == pytest.approx(spearmanr(one, other).statistic, abs=1e-12)


def test_more_pixels_than_there_are_cannot_be_the_highest():
    with pytest.raises(ValueError, match="count: expected 1 to 4, got 5"):
        measures.top_pixels(np.eye(2), 5)


def test_one_hot_pixel_lies_3_4_mm_away():
    distance = np.array([[0.0, 3.4], [1.0, 9.0]])
    assert measures.mean_distance(np.array([[0, 2.0], [0, 0]]), distance) == pytest.approx(3.4)
    assert measures.mean_distance(np.array([[1.0, 1], [0, 0]]), distance) == pytest.approx(1.7)
    assert np.isnan(measures.mean_distance(np.zeros((2, 2)), distance))


def test_iou_by_hand():
    one, other = np.array([[True, True], [False, False]]), np.array([[True, False], [True, False]])
    assert measures.iou(one, other) == pytest.approx(1 / 3)
    assert np.isnan(measures.iou(one & ~one, one & ~one))


def test_the_best_threshold_is_found_where_it_is():
    positive = np.array([[1.0, 0.8], [0.3, 0.1]])
    assert measures.best_iou(positive, np.array([[True, True], [False, False]])) == 1
    assert measures.best_iou(positive, np.array([[True, True], [True, False]])) == 1
    assert measures.best_iou(positive, np.array([[True, False], [False, True]])) == 0.5
    assert np.isnan(measures.best_iou(np.zeros((2, 2)), np.ones((2, 2), bool)))
    assert np.isnan(measures.best_iou(positive, np.zeros((2, 2), bool)))


def test_no_threshold_beats_the_best_one():
    rng = np.random.default_rng(0)
    positive, inside = rng.random((40, 40)), rng.random((40, 40)) > 0.7
    bars = np.arange(1, 257) / 256 * positive.max()
    tried = [measures.iou(positive >= bar, inside) for bar in bars]
    assert measures.best_iou(positive, inside) == pytest.approx(max(tried))


def test_otsus_threshold_separates_two_levels():
    positive = np.full((20, 20), 0.1)
    positive[:5] = 0.9
    inside = np.zeros((20, 20), bool)
    inside[:10] = True
    assert measures.otsu_iou(positive, inside) == 0.5
    assert np.isnan(measures.otsu_iou(np.ones((4, 4)), np.eye(4, dtype=bool)))


def test_a_uniform_map_is_not_sparse_and_one_pixel_is_wholly_so():
    one = np.zeros((4, 4))
    one[1, 2] = 5
    assert measures.gini(np.ones((4, 4))) == pytest.approx(0)
    assert measures.gini(one) == pytest.approx(1 - 1 / 16)
    assert measures.entropy(np.ones((4, 4))) == pytest.approx(1)
    assert measures.entropy(one) == 0
    assert np.isnan(measures.gini(np.zeros((4, 4))))
    assert np.isnan(measures.entropy(np.zeros((4, 4))))


def test_two_equal_pixels_of_four_have_half_the_entropy():
    assert measures.entropy(np.array([[3.0, 3.0], [0, 0]])) == pytest.approx(0.5)
    assert measures.gini(np.array([[3.0, 3.0], [0, 0]])) == pytest.approx(0.5)


def test_divergence_is_0_for_one_shape_and_1_for_places_apart():
    one, other = np.array([[1.0, 3.0], [0, 0]]), np.array([[0, 0], [2.0, 0]])
    assert measures.jensen_shannon(one, 7 * one) == 0
    assert measures.jensen_shannon(one, other) == 1
    assert np.isnan(measures.jensen_shannon(one, np.zeros((2, 2))))


def test_divergence_is_scipys_distance_squared():
    from scipy.spatial.distance import jensenshannon

    one, other = np.random.default_rng(1).random((2, 50))
    assert measures.jensen_shannon(one, other) == pytest.approx(jensenshannon(one, other, base=2) ** 2)


def test_similarity_is_1_for_the_same_map_and_falls_with_its_scale():
    one = np.random.default_rng(2).random((SIZE, SIZE))
    assert measures.similarity(one, one, 1) == pytest.approx(1)
    assert measures.similarity(one, one / 5, 1) < 0.9
    assert np.isnan(measures.similarity(0 * one, 0 * one, 0))


def quantus_scores(metric, attribution, region):
    """What Quantus says of one attribution map, its mask channel first; no network is involved."""
    quantus = pytest.importorskip("quantus", reason="Quantus 0.6.0 is not installed: an optional oracle")
    shaped = attribution[None, None]
    made = getattr(quantus, metric)(disable_warnings=True, abs=False, normalise=False)
    inputs = {"model": None, "x_batch": shaped, "y_batch": np.zeros(1, int), "a_batch": shaped}
    return made(**inputs, s_batch=region[None, None], channel_first=True)[0]


@pytest.mark.parametrize("metric", ["RelevanceMassAccuracy", "RelevanceRankAccuracy", "Sparseness"])
def test_the_numbers_are_those_of_quantus(metric):
    rng = np.random.default_rng(4)
    positive, region = rng.random((32, 32)), np.zeros((32, 32), bool)
    region[5:20, 8:18] = True
    ours = {
        "RelevanceMassAccuracy": measures.energy_inside(positive, region),
        "RelevanceRankAccuracy": 2 * measures.top_iou(positive, region) / (1 + measures.top_iou(positive, region)),
        "Sparseness": measures.gini(positive),
    }  # fmt: skip
    assert quantus_scores(metric, positive, region) == pytest.approx(ours[metric], rel=1e-6)
