"""Masks and scores at every threshold, and the best one on validation."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from core import prepared, preprocess, reading, thresholds
from core.errors import DataMissing
from core.metrics import overlap
from core.records import Prediction, Slice
from tests.pages import small

RUN = "phantom_busi-unet-0"


@pytest.fixture
def case(monkeypatch):
    """A function from probabilities to a slice of 90 x 70 pixels with a disc, and the prediction."""

    def made(probability, classes=("background", "tumour")):
        monkeypatch.setattr(thresholds.runs, "read_run", lambda name: SimpleNamespace(classes=classes))
        row, column = np.indices((90, 70))
        disc = (np.hypot(row - 40, column - 30) < 18).astype(np.uint8)
        slice = Slice(
            "busi", "one", 0, "one", "benign",
            np.zeros((90, 70), np.uint8), np.zeros((128, 128, 1), np.float32), disc,
        )  # fmt: skip
        return slice, Prediction("busi-unet-0", slice.key, probability.astype(np.float32))

    return made


def test_the_mask_at_every_threshold_is_what_cutting_the_enlarged_probability_gives(case):
    slice, prediction = case(np.random.default_rng(0).random((128, 128, 1)))
    levels = thresholds.threshold_levels(slice, prediction, "tumour")
    curve = thresholds.threshold_curve(levels, slice.reference == 1)
    large = preprocess.enlarge(prediction.probability, (90, 70))[..., 0].astype(np.float64)
    for at, threshold in enumerate(thresholds.THRESHOLDS):
        assert np.array_equal(levels > at, large > threshold)
        assert curve.counts[at] == overlap.count(slice.reference, (large > threshold).astype(np.uint8))


def test_at_one_half_the_curve_is_the_score_of_the_scoreboard(case):
    slice, prediction = case(np.random.default_rng(1).random((128, 128, 1)))
    curve = thresholds.threshold_curve(
        thresholds.threshold_levels(slice, prediction, "tumour"), slice.reference == 1
    )
    scores = reading.score(slice, prediction)["tumour"]
    half = curve.counts[thresholds.THRESHOLDS.index(0.5)]
    assert (half.tp, half.fp, half.fn, half.tn) == (scores.tp, scores.fp, scores.fn, scores.tn)


def test_a_pixel_exactly_at_a_threshold_is_not_above_it(case):
    slice, prediction = case(np.full((128, 128, 1), 0.5))
    levels = thresholds.threshold_levels(slice, prediction, "tumour")
    assert (levels == thresholds.THRESHOLDS.index(0.5)).all()


def test_a_liver_counts_its_tumour(case):
    p = np.zeros((128, 128, 3))
    p[..., 0], p[..., 1], p[..., 2] = 0.25, 0.25, 0.5
    slice, prediction = case(p, ("background", "liver", "tumour"))
    assert (
        thresholds.threshold_levels(slice, prediction, "liver") == thresholds.THRESHOLDS.index(0.75)
    ).all()
    assert (
        thresholds.threshold_levels(slice, prediction, "tumour") == thresholds.THRESHOLDS.index(0.5)
    ).all()


def test_of_equally_good_thresholds_the_one_nearest_to_one_half_is_best():
    dice = [0.7 if 0.2 <= t <= 0.4 else 0.6 for t in thresholds.THRESHOLDS]
    assert thresholds.THRESHOLDS[thresholds.best_threshold(dice)] == 0.4
    assert thresholds.THRESHOLDS[thresholds.best_threshold([np.nan] * 91)] == 0.5


@pytest.fixture
def phantoms(artifacts, monkeypatch):
    small.answer_for_the_networks(monkeypatch)
    return shutil.copytree(small.phantoms_only(), artifacts)


def test_the_validation_curve_is_the_mean_over_validation_slices_with_a_lesion(phantoms, monkeypatch):
    assert thresholds.stored_validation_curve(RUN, "tumour") is None
    said = []
    found = thresholds.validation_curve(RUN, "tumour", lambda *what: said.append(what[:2]))
    entries = [e for e in prepared.list_slices("phantom_busi") if e.parts["busi-group"] == "validation"]
    entries = [entry for entry in entries if entry.reference_pixels]
    slices = [prepared.read_slice("phantom_busi", entry.case) for entry in entries]
    dice = [reading.score(s, reading.predict(RUN, s))["tumour"].values["dice"] for s in slices]
    assert found.n == found.there == len(entries) == said[-1][1]
    assert found.dice[thresholds.THRESHOLDS.index(0.5)] == pytest.approx(np.mean(dice))

    def refuse(*_):
        raise AssertionError("computed, although it is stored")

    monkeypatch.setattr(reading, "predict_many", refuse)
    assert thresholds.validation_curve(RUN, "tumour") == found


def test_without_a_validation_slice_of_the_class_there_is_no_curve(phantoms, monkeypatch):
    monkeypatch.setattr(thresholds.prepared, "list_slices", lambda name: ())
    with pytest.raises(DataMissing, match="No validation slice of phantom_busi"):
        thresholds.validation_curve(RUN, "tumour")
