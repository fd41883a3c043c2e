"""Regions, scores and keys of the questions a heatmap is asked."""

import numpy as np
import pytest

from core.errors import DataMissing
from core.explain import targets
from core.preprocess import small_labels
from core.records import PAPER_TARGET, SIZE, Target

BINARY = ("background", "tumour")
THREE = ("background", "liver", "tumour")


def probability(*values):
    """A probability map whose first row starts with the given (K,) vectors, zeros elsewhere."""
    found = np.zeros((SIZE, SIZE, len(values[0])), np.float32)
    found[0, : len(values)] = values
    return found


def test_half_is_not_tumour_in_a_binary_network():
    p = probability([0.5], [0.5000001], [0.9])
    inside = targets.region(Target(), BINARY, p, None)
    assert inside[0, :3].tolist() == [False, True, True]
    assert inside.sum() == 2


def test_the_background_of_a_binary_network_is_the_rest():
    p = probability([0.5], [0.9])
    inside = targets.region(Target(class_name="background"), BINARY, p, None)
    assert inside.sum() == SIZE * SIZE - 1
    assert np.allclose(targets.class_probability(p, 0)[0, :2], [0.5, 0.1])


def test_softmax_regions_follow_the_largest_probability():
    p = probability([0.2, 0.3, 0.5], [0.5, 0.4, 0.1], [0.1, 0.5, 0.4])
    assert targets.region(Target(), THREE, p, None)[0, :3].tolist() == [True, False, False]
    assert targets.region(Target(class_name="liver"), THREE, p, None)[0, :3].tolist() == [False, False, True]


def test_the_paper_asks_about_every_pixel():
    inside = targets.region(PAPER_TARGET, BINARY, probability([0.1]), None)
    assert inside.all()
    assert inside.shape == (SIZE, SIZE)
    assert PAPER_TARGET.kind == "probability"


def test_the_reference_region_is_the_reference_on_the_small_grid():
    reference = np.zeros((256, 512), np.uint8)
    reference[64:128, 100:200] = 1  # 2 x 4 source pixels per small pixel
    inside = targets.region(Target(region="reference"), BINARY, probability([0.1]), small_labels(reference))
    assert inside.sum() == 32 * 25
    assert inside[32:64, 25:50].all()


def test_a_case_without_an_outline_has_no_reference_region():
    with pytest.raises(DataMissing, match="no expert outline"):
        targets.region(Target(region="reference"), BINARY, probability([0.1]), None)


def test_an_unknown_class_is_named():
    with pytest.raises(ValueError, match="liver"):
        targets.label_of(Target(class_name="liver"), BINARY)


def test_log_odds_of_two_classes_are_their_difference():
    z = np.array([[[1.0, 3.0]]])
    assert targets.score_map(z, 1, "log_odds")[0, 0] == pytest.approx(2.0)
    assert targets.score_map(z, 1, "logit")[0, 0] == 3.0


def test_log_odds_of_three_classes_by_hand():
    z = np.log(np.array([[[2.0, 3.0, 5.0]]]))  # probabilities 0.2, 0.3, 0.5
    assert targets.score_map(z, 1, "log_odds")[0, 0] == pytest.approx(np.log(0.3 / 0.7))
    assert targets.score_map(z, 2, "probability")[0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize("label", [0, 1])
def test_log_odds_of_a_binary_network_are_the_logit_of_its_probability(label):
    z = np.linspace(-8, 8, 5)[None, :, None]
    p = targets.score_map(z, label, "probability")
    assert np.allclose(targets.score_map(z, label, "log_odds"), np.log(p / (1 - p)))


def test_a_sure_network_still_has_finite_log_odds():
    z = np.array([[[900.0, -900.0, 0.0]]])
    assert targets.score_map(z, 0, "log_odds")[0, 0] == pytest.approx(900)
    assert targets.score_map(z, 1, "log_odds")[0, 0] == pytest.approx(-1800)
    assert targets.score_map(z, 1, "probability")[0, 0] == 0


def test_a_mean_over_nothing_is_undefined():
    assert np.isnan(targets.mean_over(np.ones((2, 2)), np.zeros((2, 2), bool)))


def test_an_unknown_kind_of_score_and_a_contrast_to_nothing_are_named():
    with pytest.raises(ValueError, match="kind"):
        targets.score_map(np.zeros((1, 1, 1)), 1, "odds")
    with pytest.raises(ValueError, match="rival"):
        targets.score_map(np.zeros((1, 1, 1)), 1, "contrast")


def test_a_contrast_is_the_difference_of_two_logits():
    z = np.array([[[1.0, 5.0, 2.5]]])
    assert targets.score_map(z, 2, "contrast", 1)[0, 0] == -2.5
    assert targets.score_map(z[..., :1], 1, "contrast", 0)[0, 0] == 1.0
    assert targets.score_map(z[..., :1], 0, "contrast", 1)[0, 0] == -1.0


def drawn(*rectangles):
    """A label map of zeros with (rows, columns, label) rectangles."""
    found = np.zeros((SIZE, SIZE), np.uint8)
    for rows, columns, label in rectangles:
        found[rows, columns] = label
    return found


def three_classes(labels):
    """Probabilities of three classes whose argmax is ``labels``."""
    return (0.1 + 0.7 * np.eye(3, dtype=np.float32))[labels]


PREDICTED = drawn((slice(10, 40), slice(10, 40), 1), (slice(20, 30), slice(20, 30), 2))
EXPERT = drawn((slice(10, 40), slice(10, 40), 1), (slice(25, 35), slice(20, 30), 2))


@pytest.mark.parametrize(
    ("target", "rows"),
    [
        (Target(region="missed"), (30, 35)),
        (Target(region="invented"), (20, 25)),
        (Target(region="mistaken", rival="liver"), (30, 35)),
        (Target("liver", "mistaken", rival="tumour"), (20, 25)),
    ],
)
def test_missed_invented_and_mistaken_parts_of_a_shifted_square(target, rows):
    inside = targets.region(target, THREE, three_classes(PREDICTED), EXPERT)
    assert inside.sum() == 50
    assert inside[slice(*rows), 20:30].all()


def test_missed_and_predicted_make_up_what_the_expert_drew():
    p = three_classes(PREDICTED)
    missed, invented = (targets.region(Target(region=r), THREE, p, EXPERT) for r in ("missed", "invented"))
    own = targets.region(Target(), THREE, p, EXPERT)
    assert np.array_equal(missed | (own & ~invented), EXPERT == 2)
    assert not (missed & own).any()


@pytest.mark.parametrize("region", ["missed", "invented"])
def test_errors_need_an_outline(region):
    with pytest.raises(DataMissing, match="no expert outline"):
        targets.region(Target(region=region), BINARY, probability([0.9]), None)


def test_components_are_numbered_from_the_largest_and_corners_connect():
    inside = drawn(
        (slice(0, 2), slice(0, 2), 1), (slice(2, 4), slice(2, 4), 1), (slice(50, 60), slice(50, 60), 1),
        (slice(90, 92), slice(0, 4), 1),
    ).astype(bool)  # fmt: skip
    numbers, sizes = targets.components(inside)
    assert sizes == (100, 8, 8)
    assert [int(numbers[at]) for at in ((55, 55), (0, 0), (3, 3), (90, 0), (10, 10))] == [1, 2, 2, 3, 0]
    assert targets.component(inside, 1).sum() == 100
    assert not targets.component(inside, 4).any()


def test_a_component_is_of_the_prediction_or_of_the_reference():
    p = three_classes(drawn((slice(0, 10), slice(0, 10), 2), (slice(20, 40), slice(20, 40), 2)))
    reference = drawn((slice(60, 70), slice(60, 65), 2))
    sizes = [
        int(targets.region(Target(region="component", **which), THREE, p, reference).sum())
        for which in ({}, {"index": 2}, {"index": 3}, {"of": "reference"})
    ]
    assert sizes == [400, 100, 0, 50]


def test_a_pixel_is_a_square_cut_at_the_border():
    p = probability([0.9])
    for radius, size in ((0, 1), (1, 9), (4, 81)):
        asked = Target(region="pixel", row=60, column=70, radius=radius)
        inside = targets.region(asked, BINARY, p, None)
        assert inside.sum() == size
        assert inside[60, 70]
    assert targets.square(0, 127, 1).sum() == 4


def test_a_click_asks_about_the_class_predicted_there():
    p = three_classes(PREDICTED)
    asked = targets.at_pixel(p, THREE, 25, 25, 2)
    assert asked == Target("tumour", "pixel", row=25, column=25, radius=2)
    assert targets.at_pixel(p, THREE, 0, 0).class_name == "background"


def test_the_band_of_a_square_by_its_sides():
    square = drawn((slice(20, 40), slice(20, 40), 1)).astype(bool)
    sizes = {side: int(targets.band(square, side).sum()) for side in ("both", "inner", "outer")}
    assert sizes == {"inner": 400 - 256, "outer": 576 - 400, "both": 576 - 256}
    assert np.array_equal(
        targets.band(square, "inner") | targets.band(square, "outer"), targets.band(square, "both")
    )


def test_the_border_of_the_image_is_no_outline():
    half = drawn((slice(0, 64), slice(0, SIZE), 1)).astype(bool)
    inside = targets.band(half, "both")
    assert inside[62:66].all()
    assert inside.sum() == 4 * SIZE
    assert not targets.band(np.ones((SIZE, SIZE), bool), "both").any()


def test_the_likeliest_percent_holds_the_highest_probabilities():
    p = np.random.default_rng(0).permutation(SIZE * SIZE).reshape(SIZE, SIZE, 1) / (3.0 * SIZE * SIZE)
    assert not targets.region(Target(), BINARY, p, None).any()
    inside = targets.region(Target(region="top_percent"), BINARY, p, None)
    assert inside.sum() == 164
    assert p[inside].min() > p[~inside].max()


def test_a_shared_region_comes_from_the_caller_and_only_then():
    mask = drawn((slice(3, 5), slice(3, 5), 1)).astype(bool)
    p = probability([0.9])
    assert np.array_equal(targets.region(Target(region="shared"), BINARY, p, None, mask), mask)
    for target, given in ((Target(region="shared"), None), (Target(), mask)):
        with pytest.raises(ValueError, match="mask"):
            targets.region(target, BINARY, p, None, given)
    for wrong in (mask[:64], mask.astype(np.uint8)):
        with pytest.raises(ValueError, match="mask"):
            targets.region(Target(region="shared"), BINARY, p, None, wrong)


ASKED = [
    Target(), PAPER_TARGET, Target("liver", "reference", "logit"), Target(kind="contrast", rival="liver"),
    Target(region="component", index=3, of="reference"), Target(region="pixel", row=0, column=127, radius=0),
    Target(region="boundary", side="inner"), Target(region="mistaken", rival="liver"),
]  # fmt: skip


def test_a_question_is_read_back_from_its_key():
    assert [targets.from_key(target.key) for target in ASKED] == ASKED
    assert len({target.key for target in ASKED}) == len(ASKED)


def test_old_keys_stay_what_they_were():
    assert Target().key == "tumour.predicted.log_odds"
    assert targets.from_key("liver.reference.logit") == Target("liver", "reference", "logit")


@pytest.mark.parametrize(
    "key", ["", "tumour", "tumour.predicted.log_odds.row", "tumour.pixel.log_odds.row=x", "a.b.c",
            "tumour.predicted.log_odds.kind=logit", "tumour.pixel.log_odds.row=500"],
)  # fmt: skip
def test_a_key_that_is_none_is_refused(key):
    with pytest.raises(ValueError, match=r"expected|invalid"):
        targets.from_key(key)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"region": "edge"}, "region"), ({"kind": "odds"}, "kind"), ({"kind": "contrast"}, "rival"),
        ({"rival": "liver"}, "rival"), ({"kind": "contrast", "rival": "tumour"}, "rival"),
        ({"region": "component", "index": 0}, "index"), ({"region": "pixel", "row": SIZE}, "row"),
        ({"region": "pixel", "radius": 5}, "radius"), ({"region": "boundary", "side": "left"}, "side"),
        ({"row": 4}, "row"), ({"region": "pixel", "side": "inner"}, "side"),
    ],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_named(fields, name):
    with pytest.raises(ValueError, match=name):
        Target(**fields)
