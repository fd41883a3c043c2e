"""One slice through: predicted and scored; stored once and read without Keras afterwards."""

import shutil

import numpy as np
import pytest

from core import cache, places, reading, runs
from core.errors import RunMissing, RunRefused
from core.records import Prediction
from tests.bench.published import noise_slice

pytestmark = pytest.mark.slow


def test_nothing_is_stored_at_first(run):
    slice = noise_slice()
    assert reading.stored_prediction(run, slice) is None


def test_a_prediction_is_computed_once(run, engine_asleep):
    slice = noise_slice()
    first = reading.predict(run, slice)
    assert first.probability.shape == (128, 128, 1)
    assert first.probability.dtype == np.float32
    assert 0 <= first.probability.min() < first.probability.max() <= 1
    engine_asleep()
    assert np.array_equal(reading.predict(run, slice).probability, first.probability)
    stored = reading.stored_prediction(run, slice)
    assert (stored.run, stored.slice_key) == (run, slice.key)


def test_a_prediction_equals_the_network_itself(run):
    from core import weights

    slice = noise_slice()
    network = weights.load(runs.read_run(run))
    expected = np.asarray(network(slice.image[None], training=False))[0]
    assert np.abs(reading.predict(run, slice).probability - expected).max() < 1e-5


def test_many_predictions_keep_their_order_and_report_what_was_missing(run):
    slices = [noise_slice(f"benign-{i}", seed=i) for i in range(10)]
    reading.predict(run, slices[4])
    said = []
    found = reading.predict_many(run, slices, lambda *what: said.append(what[:2]))
    assert [p.slice_key for p in found] == [s.key for s in slices]
    assert said == [(8, 9), (9, 9)]
    shutil.rmtree(places.cache())
    for slice, prediction in zip(slices, found, strict=True):
        assert np.abs(reading.predict(run, slice).probability - prediction.probability).max() < 1e-5


def test_a_run_that_is_missing_or_changed_is_refused_even_from_the_cache(run, published):
    slice = noise_slice()
    reading.predict(run, slice)
    with pytest.raises(RunMissing, match="python -m core train"):
        reading.stored_prediction("phantom_busi-unet-7", slice)
    weights = published / "runs" / run / places.WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    try:
        with pytest.raises(RunRefused):
            reading.predict(run, slice)
    finally:
        weights.write_bytes(whole)


def test_scores_are_taken_on_the_grid_of_the_reference(run):
    slice = noise_slice()
    probability = np.zeros((128, 128, 1), np.float32)
    probability[60 * 128 // 200 : 90 * 128 // 200, 80 * 128 // 240 : 120 * 128 // 240] = 1
    scores = reading.score(slice, Prediction(run, slice.key, probability))
    assert list(scores) == ["tumour"]
    found = scores["tumour"]
    assert found.tp + found.fp + found.fn + found.tn == 200 * 240
    assert found.values["dice"] > 0.9


def test_a_stored_array_that_is_no_prediction_is_a_miss(run):
    slice, which = noise_slice(), runs.read_run(run)
    strange = {"probability": np.full((128, 128, 1), np.nan)}
    cache.write("predictions", reading._prediction_key(which, slice), strange, {})
    assert reading.stored_prediction(run, slice) is None
    assert np.isfinite(reading.predict(run, slice).probability).all()
