"""Score-CAM and Ablation-CAM with networks simple enough to know the answer."""

import numpy as np
import pytest

from core.explain.masked import ablationcam, scorecam, softmax, varied
from core.records import Evidence, Passes

CORNER = np.s_[:64, :64]
IMAGE = np.ones((128, 128, 1), np.float32)


def evidence(activations, *, score=0.0, rescore=None, without=None):
    passes = Passes(IMAGE, rescore, without, None)
    return Evidence(activations, np.zeros_like(activations), score, passes)


def corner_mean(images):
    """A network whose score is the mean of the image over the upper left quarter."""
    return images[:, :64, :64].mean(axis=(1, 2, 3), dtype=np.float64)


def features():
    """2 x 2 cells: the upper left one, the lower right one, a constant, and both of the first two weaker."""
    found = np.zeros((2, 2, 4), np.float32)
    found[0, 0, 0] = found[1, 1, 1] = 2
    found[..., 2] = 7
    found[0, 0, 3] = found[1, 1, 3] = 0.5
    return found


def test_scorecam_weights_features_by_the_score_of_what_they_show():
    from core.preprocess import enlarge

    given = features()
    masks = [enlarge(given[..., k] / given[..., k].max(), (128, 128)) for k in (0, 1, 3)]
    scores = np.array([mask[CORNER].mean(dtype=np.float64) for mask in masks])
    weights = np.exp(scores) / np.exp(scores).sum()
    found = scorecam(evidence(given, rescore=corner_mean))
    assert found == pytest.approx(given[..., [0, 1, 3]] @ weights, rel=1e-6)
    assert found[0, 0] > found[1, 1] > 0


def test_scorecam_says_what_it_tried():
    given = evidence(features(), rescore=corner_mean)
    scorecam(given, channels=2)
    assert given.passes.remarks[0].startswith("2 of 4 features")
    assert given.passes.remarks[1].endswith("equally weighted features.")


def test_a_constant_added_to_every_score_does_not_matter_to_scorecam():
    one = scorecam(evidence(features(), rescore=corner_mean))
    other = scorecam(evidence(features(), rescore=lambda images: corner_mean(images) + 1000))
    assert other == pytest.approx(one, rel=1e-9)


def test_ablationcam_of_a_linear_score_by_hand():
    effects = np.array([3.0, -1.0, 5.0, 0.5])
    given = features()
    made = evidence(given, score=10.0, without=lambda channels: 10.0 - effects[channels])
    assert ablationcam(made) == pytest.approx(given[..., [0, 1, 3]] @ effects[[0, 1, 3]])


def test_features_without_any_shape_give_a_map_of_zeros_without_a_pass():
    flat = evidence(np.ones((4, 4, 3), np.float32))
    assert not scorecam(flat).any()
    assert not ablationcam(flat).any()


def test_an_undefined_score_gives_a_map_of_zeros():
    def undefined(given):
        return np.full(len(given), np.nan)

    made = evidence(features(), score=np.nan, rescore=undefined, without=undefined)
    assert not scorecam(made).any()
    assert not ablationcam(made).any()


def test_the_channels_that_vary_most_are_tried_in_their_order():
    assert varied(features(), 64).tolist() == [0, 1, 3]
    assert varied(features(), 2).tolist() == [0, 1]
    assert varied(np.ones((3, 3, 2)), 64).tolist() == []


def test_weights_sum_to_one_even_for_huge_scores():
    assert softmax(np.array([1e4, 1e4])).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("formula", [scorecam, ablationcam])
def test_evidence_without_passes_is_a_mistake(formula):
    with pytest.raises(ValueError, match="passes"):
        formula(Evidence(features(), features(), 0.0))
