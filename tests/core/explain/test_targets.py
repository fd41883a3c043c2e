"""Regions, scores and sentences of the questions a heatmap is asked."""

import numpy as np
import pytest

from core.errors import DataMissing
from core.explain import targets
from core.preprocess import small_labels
from core.records import PAPER_TARGET, REGIONS, SCORE_KINDS, SIZE, STATES, Target

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


def test_an_unknown_kind_of_score_is_named():
    with pytest.raises(ValueError, match="contrast"):
        targets.score_map(np.zeros((1, 1, 1)), 1, "contrast")


def test_the_default_question_in_words():
    assert targets.sentence(Target(), "U-Net") == "Why does U-Net call this area tumour?"


def test_every_question_has_its_own_sentence():
    asked = [Target(region=region, kind=kind) for region in REGIONS for kind in SCORE_KINDS]
    sentences = {targets.sentence(target, "DC-UNet") for target in asked}
    assert len(sentences) == len(asked)
    assert all("DC-UNet" in sentence for sentence in sentences)


def test_every_state_but_ok_is_said_in_words():
    for region in REGIONS:
        said = [targets.state_sentence(state, Target(region=region), "U-Net") for state in STATES]
        assert [bool(text) for text in said] == [False, True, True, True, True]


def test_an_empty_reference_is_not_blamed_on_the_network():
    assert "expert" in targets.state_sentence("empty_region", Target(region="reference"), "U-Net")
    assert "U-Net predicts no tumour" in targets.state_sentence("empty_region", Target(), "U-Net")


def test_every_region_and_kind_has_a_title():
    assert set(targets.REGION_TITLES) == set(REGIONS)
    assert set(targets.KIND_TITLES) == set(SCORE_KINDS)
