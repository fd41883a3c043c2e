"""Numbers beside a map, on arrays small enough to check by hand, and every state."""

import numpy as np
import pytest

from core.explain import focus
from core.records import SIZE, Heatmap, Prediction, Slice, Target

CLASSES = ("background", "tumour")


def heat(values, **changes):
    given = {
        "run": "r", "slice_key": "d/c/0", "method": "gradcam", "layer": "bottleneck", "target": Target(),
        "values": np.asarray(values, np.float32), "score": 1.5, "state": "ok", "region_pixels": 4,
        "mean_probability": 0.9,
    }  # fmt: skip
    return Heatmap(**(given | changes))


def scene(reference, probability=None):
    """A slice on its own reference's grid, and a prediction."""
    if reference is not None:
        reference = np.asarray(reference, np.uint8)
    shape = (SIZE, SIZE) if reference is None else reference.shape
    image = np.zeros((SIZE, SIZE, 1), np.float32)
    slice = Slice("d", "c", 0, "c", "benign", np.zeros(shape, np.uint8), image, reference)
    if probability is None:
        probability = np.zeros((SIZE, SIZE))
    return slice, Prediction("r", "d/c/0", np.asarray(probability, np.float32)[..., None])


def square(top, left, side, size=SIZE):
    found = np.zeros((size, size), np.uint8)
    found[top : top + side, left : left + side] = 1
    return found


def test_half_the_energy_inside_is_one_half():
    positive = np.array([[3.0, 1.0], [0.0, 2.0]])
    assert focus.energy_inside(positive, np.array([[True, False], [False, False]])) == 0.5


def test_a_map_of_zeros_has_no_energy_to_share():
    assert np.isnan(focus.energy_inside(np.zeros((2, 2)), np.ones((2, 2), bool)))


def test_a_uniform_map_has_a_lift_of_one():
    slice, prediction = scene(square(10, 20, 16))
    found = focus.numbers(heat(np.ones((8, 8))), slice, prediction, CLASSES)
    assert found["energy_in_reference"] == pytest.approx(256 / SIZE**2)
    assert found["lift"] == pytest.approx(1, abs=1e-6)


def test_all_energy_inside_a_sixty_fourth_of_the_image_is_a_lift_of_64():
    values = np.zeros((SIZE, SIZE))
    values[3, 5] = 2
    slice, prediction = scene(square(0, 0, 16))
    found = focus.numbers(heat(values), slice, prediction, CLASSES)
    assert found["energy_in_reference"] == 1
    assert found["lift"] == 64


def test_negative_evidence_does_not_count_as_energy():
    values = np.zeros((SIZE, SIZE))
    values[0, 0], values[50, 50] = 1, -100
    slice, prediction = scene(square(0, 0, 16))
    assert focus.numbers(heat(values), slice, prediction, CLASSES)["energy_in_reference"] == 1


def test_energy_is_taken_on_the_source_grid():
    values = np.zeros((8, 8))
    values[2, 3] = 1
    reference = np.zeros((80, 160), np.uint8)
    reference[20:30, 60:80] = 1  # exactly that cell
    slice, prediction = scene(reference)
    found = focus.numbers(heat(values), slice, prediction, CLASSES)
    # per axis the tent of half-width one cell leaves 3/4 inside its own cell (7/8 and 5/8 at even sampling)
    assert found["energy_in_reference"] == pytest.approx(0.75**2, abs=0.01)
    assert found["pointing_hit"] == 1


def test_the_pointing_game_counts_the_share_of_ties():
    inside = np.array([[True, False], [False, False]])
    assert focus.pointing(np.array([[2.0, 1.0], [0.0, 0.0]]), inside) == 1
    assert focus.pointing(np.array([[1.0, 2.0], [0.0, 0.0]]), inside) == 0
    assert focus.pointing(np.array([[2.0, 2.0], [2.0, 2.0]]), inside) == 0.25
    assert np.isnan(focus.pointing(np.zeros((2, 2)), inside))


def test_the_pointing_game_forgives_half_a_cell():
    values = np.zeros((8, 8))
    values[4, 4] = 1  # its peak lies between pixels 71 and 72, which tie; half a cell is 8 pixels
    for left, hit in ((79, 1), (80, 0.5), (81, 0)):
        slice, prediction = scene(square(60, left, 20))
        found = focus.numbers(heat(values), slice, prediction, CLASSES)
        assert found["pointing_hit"] == hit, left


def test_a_region_grows_by_its_own_scale_along_each_side():
    inside = np.zeros((128, 256), bool)
    inside[50, 100] = True
    grown = focus.dilated(inside, 4)
    assert grown.sum() == 9 * 17
    assert grown[46:55, 92:109].all()


def test_a_region_at_the_border_does_not_grow_round_it():
    inside = np.zeros((SIZE, SIZE), bool)
    inside[0, 0] = True
    assert focus.dilated(inside, 2).sum() == 9


def test_half_a_cell_of_the_last_layer_is_no_leeway():
    inside = np.zeros((SIZE, SIZE), bool)
    inside[5, 5] = True
    assert focus.dilated(inside, 0.5).sum() == 1


def test_top_pixels_by_hand():
    values = np.array([[4.0, 3.0], [2.0, 1.0]])
    assert focus.top_iou(values, np.array([[True, True], [False, False]])) == 1
    assert focus.top_iou(values, np.array([[True, False], [True, False]])) == pytest.approx(1 / 3)
    assert focus.top_iou(values, np.array([[False, False], [True, True]])) == 0


def test_tied_pixels_are_drawn_and_not_taken_from_the_top():
    values = np.zeros((100, 100))
    values[0, 0] = 1
    inside = np.zeros((100, 100), bool)
    inside[:50] = True
    share = focus.top_iou(values, inside)
    assert share == focus.top_iou(values, inside)
    assert share == pytest.approx(1 / 3, abs=0.03)  # half of the drawn pixels; raster order would give 1


def test_top_pixels_of_nothing_are_undefined():
    assert np.isnan(focus.top_iou(np.eye(2), np.zeros((2, 2), bool)))
    assert np.isnan(focus.top_iou(np.ones((2, 2)), np.eye(2, dtype=bool)))
    assert np.isnan(focus.top_iou(np.eye(2), np.ones((2, 2), bool)))


def test_ranks_share_their_mean():
    assert focus.ranks(np.array([[10.0, 30.0], [10.0, 20.0]])).tolist() == [1.5, 4, 1.5, 3]


def test_rank_correlation_by_hand():
    one = np.array([1.0, 2.0, 3.0, 4.0])
    assert focus.spearman(one, np.exp(one)) == pytest.approx(1)
    assert focus.spearman(one, -one) == pytest.approx(-1)
    assert focus.spearman(one, np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert np.isnan(focus.spearman(one, np.ones(4)))


def test_rank_correlation_equals_scipys():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 9, (2, 200)).astype(float)
    assert focus.spearman(one, other) == pytest.approx(spearmanr(one, other).statistic, abs=1e-12)


def test_a_map_that_is_the_probability_is_wholly_redundant():
    probability = np.random.default_rng(0).random((SIZE, SIZE)) * 0.4
    probability[10:20, 10:20] += 0.55
    slice, prediction = scene(square(10, 10, 10), probability)
    found = focus.numbers(heat(3 * probability), slice, prediction, CLASSES)
    assert found["redundancy"] == pytest.approx(1)
    assert found["redundancy_iou"] == 1


def test_raw_numbers_are_those_of_the_map():
    slice, prediction = scene(square(0, 0, 4))
    found = focus.numbers(heat([[-3, 1], [0, 2]]), slice, prediction, CLASSES)
    assert (found["raw_maximum"], found["raw_minimum"], found["score"]) == (2, -3, 1.5)


@pytest.mark.parametrize(
    ("values", "reference", "changes", "missing"),
    [
        (np.eye(8), None, {}, {"energy_in_reference", "lift", "pointing_hit", "topk_iou"}),
        (np.eye(8), square(0, 0, 0), {}, {"energy_in_reference", "lift", "pointing_hit", "topk_iou"}),
        (-np.eye(8), square(0, 0, 9), {}, {"energy_in_reference", "lift", "pointing_hit"}),
        (np.ones((8, 8)), square(0, 0, 9), {}, {"topk_iou", "redundancy", "redundancy_iou"}),
        (
            np.zeros((8, 8)),
            square(0, 0, 9),
            {"state": "empty_region", "score": np.nan, "mean_probability": np.nan},
            {"energy_in_reference", "lift", "pointing_hit", "topk_iou", "score", "mean_probability",
             "redundancy", "redundancy_iou"},
        ),
        (
            np.eye(8) * 1e-9,
            square(0, 0, 9),
            {"state": "saturated"},
            {"energy_in_reference", "lift", "pointing_hit", "topk_iou"},
        ),
    ],
)  # fmt: skip
def test_an_undefined_number_is_nan_with_a_reason(values, reference, changes, missing):
    probability = np.linspace(0, 1, SIZE * SIZE).reshape(SIZE, SIZE)
    slice, prediction = scene(reference, probability)
    found = focus.numbers(heat(values, **changes), slice, prediction, CLASSES)
    assert {name for name, value in found.items() if np.isnan(value)} == missing
    assert set(found.why) == missing
    assert all(found.why.values())


def test_an_empty_prediction_and_a_constant_probability_have_their_reasons():
    slice, prediction = scene(square(0, 0, 9))
    found = focus.numbers(heat(np.eye(8)), slice, prediction, CLASSES)
    assert "same everywhere" in found.why["redundancy"]
    assert "predicts none" in found.why["redundancy_iou"]


def test_the_class_of_the_target_chooses_the_reference():
    three = ("background", "liver", "tumour")
    reference = square(0, 0, 32) + square(0, 0, 16)
    values = np.zeros((SIZE, SIZE))
    values[20, 20] = 1
    slice, _ = scene(reference)
    prediction = Prediction("r", "d/c/0", np.full((SIZE, SIZE, 3), 1 / 3, np.float32))
    liver = focus.numbers(heat(values, target=Target(class_name="liver")), slice, prediction, three)
    tumour = focus.numbers(heat(values), slice, prediction, three)
    assert (liver["energy_in_reference"], tumour["energy_in_reference"]) == (1, 0)


def test_a_reference_that_fills_the_picture_has_its_reason():
    slice, prediction = scene(np.ones((SIZE, SIZE)))
    found = focus.numbers(heat(np.eye(8)), slice, prediction, CLASSES)
    assert "fills" in found.why["topk_iou"]
    assert found["lift"] == pytest.approx(1)


def states_of(values, **changes):
    rng = np.random.default_rng(0)
    probability = rng.random((SIZE, SIZE))
    given = {
        "kind": "log_odds", "region": square(0, 0, 8).astype(bool), "probability": probability,
        "predicted": probability > 0.9, "flat": False, "last": False,
    }  # fmt: skip
    return focus.states(np.asarray(values, np.float32), **(given | changes))


def test_an_ordinary_map_is_ok():
    assert states_of(np.eye(8)) == ("ok",)


def test_an_empty_region_has_its_state_first():
    empty = np.zeros((SIZE, SIZE), bool)
    assert states_of(np.zeros((8, 8)), region=empty, flat=True)[0] == "empty_region"
    assert "saturated" not in states_of(np.zeros((8, 8)), region=empty, flat=True)


def test_a_sure_probability_is_saturated_but_its_log_odds_are_not():
    sure = np.full((SIZE, SIZE), 0.9999)
    assert states_of(np.eye(8), kind="probability", probability=sure) == ("saturated",)
    assert states_of(np.eye(8), kind="log_odds", probability=sure) == ("ok",)


def test_probability_counts_as_saturated_below_a_thousandth():
    for p, expected in ((0.9989, "ok"), (0.99905, "saturated")):
        found = states_of(np.eye(8), kind="probability", probability=np.full((SIZE, SIZE), p))
        assert found[0] == expected, p


def test_gradients_of_exactly_zero_are_saturated_in_any_score():
    assert states_of(np.zeros((8, 8)), flat=True) == ("saturated", "no_positive_evidence")


def test_a_map_without_a_positive_cell_has_no_positive_evidence():
    assert states_of(-np.eye(8)) == ("no_positive_evidence",)


def test_the_last_layer_is_always_redundant():
    assert states_of(np.eye(8), last=True) == ("redundant_with_prediction",)
    assert states_of(-np.eye(8), last=True) == ("no_positive_evidence", "redundant_with_prediction")


def test_a_copy_of_the_probability_is_redundant_at_any_layer():
    probability = np.random.default_rng(2).random((SIZE, SIZE))
    assert states_of(probability - 0.5, probability=probability)[0] == "redundant_with_prediction"


def test_a_map_that_fills_the_prediction_is_redundant_without_correlating():
    predicted = square(40, 40, 30).astype(bool)
    noise = np.random.default_rng(5).random((SIZE, SIZE))
    values = np.where(predicted, 2, noise)
    found = states_of(values, predicted=predicted)
    assert focus.spearman(values, np.random.default_rng(0).random((SIZE, SIZE))) < 0.5
    assert found == ("redundant_with_prediction",)
