"""Every heatmap formula: by hand on 2 x 2 grids, against stored oracles, and under the laws they all obey."""

import hashlib
import inspect
from pathlib import Path

import numpy as np
import pytest

from core.explain import measures
from core.explain.methods import (
    METHODS,
    eigencam,
    gradcam,
    gradcam_elementwise,
    gradcampp,
    hirescam,
    layercam,
    segxrescam,
    xgradcam,
)
from core.records import Evidence

GOLDEN = Path(__file__).with_name("cam_golden.npz")
GOLDEN_SHA256 = "c370a6f7e13ec10bc82050fa51c12fd58c4b6715f771870d4c5d706d76caab34"
LIVE_METHODS = [name for name, row in METHODS.items() if row.card.needs != "passes"]
GRADIENT_METHODS = [name for name, row in METHODS.items() if row.card.needs == "gradients"]

A = np.array([[[1.0, 4.0], [2.0, 0.0]], [[0.0, 1.0], [3.0, 2.0]]])  # (2, 2, 2)
G = np.array([[[1.0, -1.0], [0.0, 2.0]], [[3.0, 0.0], [-2.0, 1.0]]])


def evidence(activations, gradients):
    return Evidence(np.asarray(activations), np.asarray(gradients), 0.0)


def random_evidence(rng, h=8, channels=5):
    activations = np.maximum(rng.normal(size=(h, h, channels)), 0)
    return evidence(activations, 0.01 * rng.normal(size=(h, h, channels)))


def test_gradcam_by_hand():
    # mean gradients: channel 0: (1 + 0 + 3 - 2) / 4 = 0.5, channel 1: (-1 + 2 + 0 + 1) / 4 = 0.5
    assert gradcam(evidence(A, G)).tolist() == [[2.5, 1.0], [0.5, 2.5]]


def test_hirescam_by_hand():
    assert hirescam(evidence(A, G)).tolist() == [[1 - 4, 0.0], [0.0, -6 + 2]]


def test_negative_activations_and_evidence_keep_their_sign():
    found = gradcam(evidence([[[-2.0]]], [[[3.0]]])), hirescam(evidence([[[-2.0]]], [[[3.0]]]))
    assert [float(values[0, 0]) for values in found] == [-6.0, -6.0]


def test_gradcampp_by_hand():
    # S = 6 and 7; relu(G) / (2 + S relu(G)): channel 0: 1/8 + 3/20, channel 1: 2/16 + 1/9
    weights = 1 / 8 + 3 / 20, 2 / 16 + 1 / 9
    assert gradcampp(evidence(A, G)) == pytest.approx(A @ np.array(weights))


def test_gradcampp_does_not_drown_tiny_gradients():
    # alpha tends to 1/2 where S G is small, so the weight is half the sum of the positive gradients
    found = gradcampp(evidence(A, 1e-6 * G))
    assert found == pytest.approx(A @ np.array([2e-6, 1.5e-6]), rel=1e-5)


def test_layercam_by_hand():
    assert layercam(evidence(A, G)).tolist() == [[1.0, 0.0], [0.0, 2.0]]


def test_xgradcam_by_hand():
    # sums of G A: 1 + 0 + 0 - 6 = -5 and -4 + 0 + 0 + 2 = -2; sums of A: 6 and 7
    assert xgradcam(evidence(A, G)) == pytest.approx(A @ np.array([-5 / 6, -2 / 7]))


def test_elementwise_and_layercam_part_where_activations_are_negative():
    negative = evidence([[[-2.0, 3.0]]], [[[-1.0, 1.0]]])
    assert gradcam_elementwise(negative).tolist() == [[5.0]]
    assert layercam(negative).tolist() == [[3.0]]


def test_segxrescam_by_hand():
    ramp = np.arange(16.0).reshape(4, 4, 1)
    blocks = np.array([[2.5, 4.5], [10.5, 12.5]])
    found = segxrescam(evidence(np.ones((4, 4, 1)), ramp), block=2)
    assert found.tolist() == np.kron(blocks, np.ones((2, 2))).tolist()
    most = segxrescam(evidence(np.ones((4, 4, 1)), ramp), block=2, pool="max")
    assert most.tolist() == np.kron([[5.0, 7.0], [13.0, 15.0]], np.ones((2, 2))).tolist()


def test_segxrescam_lies_between_hirescam_and_gradcam():
    given = random_evidence(np.random.default_rng(2))
    assert segxrescam(given, block=1) == pytest.approx(hirescam(given), rel=1e-12)
    assert segxrescam(given, block=8) == pytest.approx(gradcam(given), rel=1e-12)
    assert np.array_equal(segxrescam(given), segxrescam(given, block=2))
    with pytest.raises(ValueError, match="block"):
        segxrescam(given, block=3)


def test_eigencam_of_one_pattern_is_that_pattern():
    pattern = np.array([[0.0, 1.0], [0.0, 3.0]])
    given = evidence(pattern[..., None] * np.array([3.0, 4.0]), np.zeros((2, 2, 2)))
    assert eigencam(given) == pytest.approx(5 * (pattern - 1), abs=1e-12)
    assert eigencam(given, centred=False) == pytest.approx(5 * pattern, abs=1e-12)


def test_eigencam_is_the_same_from_either_product():
    rng = np.random.default_rng(3)
    wide = np.maximum(rng.normal(size=(4, 4, 40)), 0)  # more channels than cells
    x = (wide.reshape(16, 40) - wide.reshape(16, 40).mean(0)).astype(np.float64)
    u, values, _ = np.linalg.svd(x, full_matrices=False)
    expected = (u[:, 0] * values[0]).reshape(4, 4)
    found = eigencam(evidence(wide, wide))
    assert np.abs(np.abs(found) - np.abs(expected)).max() < 1e-10
    assert abs(found.max()) >= abs(found.min())


def test_xgradcam_and_hirescam_add_up_to_the_same_total():
    given = random_evidence(np.random.default_rng(4))
    assert xgradcam(given).sum() == pytest.approx(hirescam(given).sum(), rel=1e-12)


def test_hirescam_is_layercam_of_both_signs():
    given = random_evidence(np.random.default_rng(5))
    against = evidence(given.activations, -given.gradients)
    assert layercam(given) - layercam(against) == pytest.approx(hirescam(given), abs=1e-15)


def golden_evidence():
    """The two samples of the stored oracle, in float64."""
    assert hashlib.sha256(GOLDEN.read_bytes()).hexdigest() == GOLDEN_SHA256
    golden = np.load(GOLDEN)
    arrays = (golden[which].transpose(0, 2, 3, 1).astype(np.float64) for which in ("A_nchw", "G_nchw"))
    return golden, [evidence(*pair) for pair in zip(*arrays, strict=True)]


def difference(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("gradcam", "pgc_GradCAM"), ("hirescam", "pgc_HiResCAM"), ("layercam", "pgc_LayerCAM"),
        ("gradcam_elementwise", "pgc_GradCAMElementWise"), ("xgradcam", "pgc_XGradCAM"),
    ],
)  # fmt: skip
def test_formulas_equal_the_stored_library_output(name, key):
    golden, samples = golden_evidence()
    for sample, expected in zip(samples, golden[key], strict=True):
        assert difference(METHODS[name].formula(sample), expected) <= 1e-6


def test_eigencam_equals_the_stored_library_output_but_for_the_sign():
    golden, samples = golden_evidence()
    for sample, expected in zip(samples, golden["pgc_EigenCAM"], strict=True):
        found = eigencam(sample)
        assert min(difference(found, expected), difference(found, -expected)) <= 1e-5


def test_eigencam_of_weighted_activations_equals_the_stored_library_output():
    golden, samples = golden_evidence()
    for sample, expected in zip(samples, golden["pgc_SegEigenCAM"], strict=True):
        weighted = np.abs(sample.gradients) * sample.activations
        assert difference(eigencam(evidence(weighted, sample.gradients)), expected) <= 1e-5


def test_gradcampp_is_the_stored_library_output_without_its_epsilon():
    golden, samples = golden_evidence()
    for sample, expected in zip(samples, golden["pgc_GradCAMPlusPlus"], strict=True):
        a, g = sample.activations, sample.gradients
        alpha = g**2 / (2 * g**2 + a.sum((0, 1)) * g**3 + 1e-6)
        with_epsilon = a @ (np.maximum(g, 0) * np.where(g == 0, 0, alpha)).sum((0, 1))
        assert difference(with_epsilon, expected) <= 1e-6
        assert difference(gradcampp(sample), expected) <= 0.02
        assert measures.spearman(gradcampp(sample), expected) >= 0.9999


def test_gradcampp_ranks_like_another_library_that_takes_the_mean():
    golden, samples = golden_evidence()
    for sample, expected in zip(samples, golden["xplique_GradCAMPP"], strict=True):
        assert measures.spearman(np.maximum(gradcampp(sample), 0), expected) >= 0.99


@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_the_order_of_channels_does_not_matter(name):
    rng = np.random.default_rng(0)
    given = random_evidence(rng)
    order = rng.permutation(given.activations.shape[-1])
    mixed = evidence(given.activations[..., order], given.gradients[..., order])
    formula = METHODS[name].formula
    assert np.abs(formula(given) - formula(mixed)).max() <= 1e-12 * np.abs(formula(given)).max()


@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_the_unit_of_a_channel_does_not_matter(name):
    rng = np.random.default_rng(1)
    given = random_evidence(rng)
    unit = rng.uniform(0.1, 10, given.activations.shape[-1])
    scaled = evidence(given.activations * unit, given.gradients / unit)
    formula = METHODS[name].formula
    assert np.abs(formula(given) - formula(scaled)).max() <= 1e-12 * np.abs(formula(given)).max()


AWKWARD = {
    "no gradients": (np.ones((4, 4, 3)), np.zeros((4, 4, 3))),
    "no activations": (np.zeros((4, 4, 3)), np.ones((4, 4, 3))),
    "one dead channel": (np.ones((4, 4, 3)) * [1, 0, 2], np.ones((4, 4, 3)) * [0, 5, 1]),
    "tiny gradients": (np.ones((4, 4, 3)), np.full((4, 4, 3), 1e-6)),
    "smaller than float32 can hold": (np.ones((4, 4, 3)), np.full((4, 4, 3), 1e-45)),
    "large": (np.full((4, 4, 3), 1e9), np.full((4, 4, 3), 1e9)),
    "negative activations": (-np.ones((4, 4, 3)), np.ones((4, 4, 3))),
    "one cell": (np.ones((1, 1, 3)), np.ones((1, 1, 3))),
    "more channels than cells": (np.ones((2, 2, 64)), np.ones((2, 2, 64))),
}


@pytest.mark.parametrize("name", LIVE_METHODS)
@pytest.mark.parametrize("case", AWKWARD)
def test_no_method_makes_nan_of_finite_evidence(name, case):
    activations, gradients = (array.astype(np.float32) for array in AWKWARD[case])
    found = METHODS[name].formula(evidence(activations, gradients))
    assert found.shape == activations.shape[:2]
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_a_score_that_depends_on_nothing_gives_a_map_of_zeros(name):
    assert not METHODS[name].formula(evidence(A, np.zeros_like(A))).any()


def test_on_one_cell_gradcam_and_hirescam_agree():
    one = evidence([[[1.0, 2.0, -3.0]]], [[[0.5, -1.0, 2.0]]])
    assert gradcam(one) == pytest.approx(hirescam(one))


def test_the_table_is_filled():
    for name, row in METHODS.items():
        assert row.card.name == name
        assert row.card.needs in ("gradients", "activations", "passes")
        assert row.card.place in ("layer", "image")
        assert row.card.sentence.endswith(".")
        assert row.card.title
        assert row.card.paper
        assert row.card.cost
        assert all(len(values) > 1 for values in row.card.options.values())
        assert row.card.has_shared_unit == (row.card.needs != "activations")


@pytest.mark.parametrize("name", [n for n in METHODS if METHODS[n].card.options])
def test_every_default_option_is_the_formulas_own(name):
    defaults = {key: values[0] for key, values in METHODS[name].card.options.items()}
    parameters = inspect.signature(METHODS[name].formula).parameters
    assert {key: parameters[key].default for key in defaults} == defaults
    assert next(iter(parameters)) == "evidence"
