"""Every heatmap formula: by hand on 2 x 2 grids, against stored oracles, and under the laws they all obey."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from core.explain.methods import METHODS, gradcam, hirescam
from core.records import Evidence

GOLDEN = Path(__file__).with_name("cam_golden.npz")
GOLDEN_SHA256 = "c370a6f7e13ec10bc82050fa51c12fd58c4b6715f771870d4c5d706d76caab34"
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


@pytest.mark.parametrize(("name", "key"), [("gradcam", "pgc_GradCAM"), ("hirescam", "pgc_HiResCAM")])
def test_formulas_equal_the_stored_library_output(name, key):
    assert hashlib.sha256(GOLDEN.read_bytes()).hexdigest() == GOLDEN_SHA256
    golden = np.load(GOLDEN)
    activations, gradients = (
        golden[which].transpose(0, 2, 3, 1).astype(np.float64) for which in ("A_nchw", "G_nchw")
    )
    for sample in range(len(activations)):
        found = METHODS[name].formula(evidence(activations[sample], gradients[sample]))
        expected = golden[key][sample]
        assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()


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


@pytest.mark.parametrize("name", METHODS)
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
        assert row.card.needs in ("gradients", "activations")
        assert row.card.sentence.endswith(".")
        assert row.card.title
        assert row.card.paper
