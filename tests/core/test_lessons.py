"""What the lessons compute: Grad-CAM's steps, nearest training slices, Dice under several rules."""

import shutil

import numpy as np
import pytest

from core import explaining, lessons, prepared, reading
from core.records import Prediction, Target
from tests.bench.published import noise_slice
from tests.pages import small_volumes

LAYER = "bottleneck"


@pytest.mark.slow
def test_the_steps_of_grad_cam_add_up_to_the_map_and_are_stored(run, engine_asleep):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    steps = lessons.map_steps(run, slice, prediction, LAYER, "tumour")
    whole = explaining.heatmap(run, slice, prediction, "gradcam", LAYER, Target("tumour"))
    limit = np.abs(whole.values).max()
    assert np.abs(steps.values - whole.values).max() <= 1e-6 * limit
    assert steps.score == pytest.approx(whole.score)
    assert steps.weights == pytest.approx(steps.gradients.mean(axis=(1, 2)), rel=1e-5)
    strength = np.abs(steps.parts).sum(axis=(1, 2))
    assert len(strength) == lessons.STRONGEST < steps.of
    assert list(strength) == sorted(strength, reverse=True)
    assert 0 < steps.share < 1
    engine_asleep()
    again = lessons.stored_map_steps(run, slice, LAYER, "tumour")
    assert np.array_equal(again.parts, steps.parts)
    assert (again.of, again.share, again.score) == (steps.of, steps.share, steps.score)


@pytest.mark.slow
def test_nothing_predicted_gives_steps_of_zeros_without_a_score(run):
    slice = noise_slice()
    nothing = Prediction(run, slice.key, np.zeros((128, 128, 1), np.float32))
    steps = lessons.map_steps(run, slice, nothing, LAYER, "tumour")
    assert not steps.values.any()
    assert not steps.gradients.any()
    assert np.isnan(steps.score)
    assert np.isnan(lessons.stored_map_steps(run, slice, LAYER, "tumour").share)


@pytest.mark.slow
def test_a_layer_that_is_not_there_is_named(run):
    slice = noise_slice()
    with pytest.raises(ValueError, match="layer: expected one of"):
        lessons.map_steps(run, slice, reading.predict(run, slice), "logits", "tumour")


@pytest.fixture
def volumes(artifacts):
    shutil.copytree(small_volumes.prepared() / "data", artifacts / "data")


def test_the_nearest_training_slice_is_the_one_with_the_highest_correlation(volumes):
    found = lessons.nearest_training_slices("lits", "lits-slice", "liver")
    arrays = prepared.read_arrays("lits")
    parts = [entry.parts["lits-slice"] for entry in arrays.entries]
    assert len(found) == parts.count("test") > 0
    one = found[0]
    cells = arrays.images[..., 0].reshape(-1, 32, 4, 32, 4).mean(axis=(2, 4)).reshape(len(parts), -1)
    at = arrays.entries.index(one.test)
    known = {
        place: np.corrcoef(cells[at], cells[place])[0, 1] for place, p in enumerate(parts) if p == "train"
    }
    best = max(known, key=known.get)
    assert one.nearest == arrays.entries[best]
    assert one.correlation == pytest.approx(known[best], abs=1e-5)
    ours, copied = arrays.labels[at] > 0, arrays.labels[best] > 0
    assert one.copied_dice == pytest.approx(2 * (ours & copied).sum() / (ours.sum() + copied.sum()))


def test_only_a_split_by_slices_finds_the_same_patient_in_training(volumes):
    by_slice = lessons.nearest_training_slices("lits", "lits-slice", "tumour")
    by_patient = lessons.nearest_training_slices("lits", "lits-patient", "tumour")
    assert any(one.is_same_group for one in by_slice)
    assert by_patient
    assert not any(one.is_same_group for one in by_patient)


def counts(tp, fp, fn, tn):
    return {"tp": tp, "fp": fp, "fn": fn, "tn": tn}


def test_the_same_masks_have_six_different_dice():
    # half right, rightly empty, one false-positive pixel; each of 4 x 4
    rows = [counts(2, 2, 2, 10), counts(0, 0, 0, 16), counts(0, 1, 0, 15)]
    found = lessons.dice_by_rule(rows)
    assert found["lesion-cases"] == pytest.approx((0.5, 1))
    assert found["all-cases"] == pytest.approx((0.25, 2))
    assert found["empty-is-one"] == pytest.approx((0.5, 3))
    assert found["empty-is-zero"] == pytest.approx((1 / 6, 3))
    assert found["pooled"] == pytest.approx((4 / 9, 3))
    background = (10 / 12, 1, 30 / 31)
    expected = ((0.5 + background[0]) / 2 + background[1] + background[2] / 2) / 3
    assert found[lessons.WITH_BACKGROUND] == pytest.approx((expected, 3))


def test_without_cases_every_dice_is_undefined():
    assert all(np.isnan(value) and n == 0 for value, n in lessons.dice_by_rule([]).values())
