"""Numbers beside a map, on arrays small enough to check by hand, and every state."""

import numpy as np
import pytest

from core.explain import focus
from core.explain.definitions import FOCUS_NUMBERS
from core.records import SIZE, Heatmap, Prediction, Slice, Target

CLASSES = ("background", "tumour")
LIVER = ("background", "liver", "tumour")
WITHOUT_ORGAN = {"deviation_percent", "deviation_mm"}
SHAPE = {"sparseness", "entropy"}
REFERENCE = set(focus.IN_REFERENCE)


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


def test_the_pointing_game_forgives_half_a_cell():
    values = np.zeros((8, 8))
    values[4, 4] = 1  # its peak lies between pixels 71 and 72, which tie; half a cell is 8 pixels
    for left, hit in ((79, 1), (80, 0.5), (81, 0)):
        slice, prediction = scene(square(60, left, 20))
        found = focus.numbers(heat(values), slice, prediction, CLASSES)
        assert found["pointing_hit"] == hit, left


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
        (np.eye(8), None, {}, REFERENCE),
        (np.eye(8), square(0, 0, 0), {}, REFERENCE),
        (-np.eye(8), square(0, 0, 9), {}, REFERENCE - {"topk_iou"} | SHAPE),
        (np.ones((8, 8)), square(0, 0, 9), {},
         {"topk_iou", "reference_iou_otsu", "redundancy", "redundancy_iou"}),
        (
            np.zeros((8, 8)),
            square(0, 0, 9),
            {"state": "empty_region", "score": np.nan, "mean_probability": np.nan},
            REFERENCE | SHAPE | {"score", "mean_probability", "redundancy", "redundancy_iou"},
        ),
        (np.eye(8) * 1e-9, square(0, 0, 9), {"state": "saturated"}, REFERENCE | SHAPE),
    ],
)  # fmt: skip
def test_an_undefined_number_is_nan_with_a_reason(values, reference, changes, missing):
    probability = np.linspace(0, 1, SIZE * SIZE).reshape(SIZE, SIZE)
    slice, prediction = scene(reference, probability)
    found = focus.numbers(heat(values, **changes), slice, prediction, CLASSES)
    assert {name for name, value in found.items() if np.isnan(value)} == missing | WITHOUT_ORGAN
    assert set(found.why) == missing | WITHOUT_ORGAN
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


def liver_scene(spacing_mm=(0.5, 2.0)):
    """A slice of CT with a liver (rows 0..63, columns 0..31) and a tumour in it."""
    reference = np.zeros((SIZE, SIZE), np.uint8)
    reference[:64, :32] = 1
    reference[10:20, 10:20] = 2
    picture, image = np.zeros((SIZE, SIZE), np.int16), np.zeros((SIZE, SIZE, 1), np.float32)
    slice = Slice("d", "c", 0, "c", "ct", picture, image, reference, spacing_mm)
    return slice, Prediction("r", "d/c/0", np.full((SIZE, SIZE, 3), 1 / 3, np.float32))


@pytest.mark.parametrize(("row", "column", "distance"), [(10, 41, 20), (73, 3, 5), (73, 41, np.hypot(20, 5))])
def test_a_hot_pixel_lies_as_far_from_the_liver_as_it_lies(row, column, distance):
    values = np.zeros((SIZE, SIZE))
    values[row, column] = 1
    for name in ("tumour", "liver"):  # the organ is the same whichever class is asked about
        slice, prediction = liver_scene()
        found = focus.numbers(heat(values, target=Target(class_name=name)), slice, prediction, LIVER)
        assert found["deviation_mm"] == pytest.approx(distance)
        assert found["deviation_percent"] == 100


def test_evidence_in_the_tumour_is_in_the_organ():
    values = np.zeros((SIZE, SIZE))
    values[15, 15] = 3
    slice, prediction = liver_scene()
    found = focus.numbers(heat(values), slice, prediction, LIVER)
    assert (found["deviation_mm"], found["deviation_percent"]) == (0, 0)


def test_a_uniform_map_deviates_by_the_share_of_the_image_outside_the_liver():
    slice, prediction = liver_scene()
    found = focus.numbers(heat(np.ones((SIZE, SIZE))), slice, prediction, LIVER)
    assert found["deviation_percent"] == pytest.approx(87.5)


def test_deviation_forgives_half_a_cell_and_distance_does_not():
    values = np.zeros((8, 8))
    values[1, 2] = 1
    slice, prediction = liver_scene()
    found = focus.numbers(heat(values), slice, prediction, LIVER)
    strict = 100 * (1 - focus.energy_inside(focus.enlarge(values, (SIZE, SIZE)), slice.reference > 0))
    assert 0 < found["deviation_percent"] < strict
    assert found["deviation_mm"] > 0


def test_deviation_without_organ_outline_or_scale_has_its_reason():
    slice, prediction = liver_scene(spacing_mm=None)
    found = focus.numbers(heat(np.eye(8)), slice, prediction, LIVER)
    assert np.isfinite(found["deviation_percent"])
    assert found.why["deviation_mm"] == focus.NO_SPACING
    slice, prediction = scene(np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE)))
    three = Prediction("r", "d/c/0", np.full((SIZE, SIZE, 3), 1 / 3, np.float32))
    assert focus.numbers(heat(np.eye(8)), slice, three, LIVER).why["deviation_mm"] == focus.NO_ORGAN_HERE
    assert focus.numbers(heat(np.eye(8)), slice, prediction, CLASSES).why["deviation_mm"] == focus.NO_ORGAN


def test_a_map_that_is_the_outline_overlaps_it_at_every_threshold():
    reference = square(40, 40, 30)
    slice, prediction = scene(reference)
    found = focus.numbers(heat(reference * 2.5), slice, prediction, CLASSES)
    assert [found[name] for name in focus.IN_REFERENCE if "iou" in name] == [1, 1, 1, 1]


def test_one_hot_pixel_is_as_sparse_as_a_map_can_be():
    values = np.zeros((SIZE, SIZE))
    values[9, 9] = 1
    slice, prediction = scene(square(0, 0, 20))
    found = focus.numbers(heat(values), slice, prediction, CLASSES)
    assert found["sparseness"] == pytest.approx(1 - 1 / SIZE**2)
    assert found["entropy"] == 0


def test_every_number_has_a_card_and_lies_in_its_range():
    rng = np.random.default_rng(7)
    for slice, prediction in (liver_scene(), scene(square(20, 20, 40))):
        classes = LIVER if prediction.probability.shape[-1] == 3 else CLASSES
        found = focus.numbers(heat(rng.normal(size=(16, 16))), slice, prediction, classes)
        for name, value in found.items():
            card = FOCUS_NUMBERS[name]
            assert card.name == name
            assert np.isnan(value) or card.low is None or value >= card.low, name
            assert np.isnan(value) or card.high is None or value <= card.high, name
            assert card.sentence.endswith(".")


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
