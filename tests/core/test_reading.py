"""One slice through: predicted, explained, scored; stored once and read without Keras afterwards."""

import dataclasses
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import cache, places, prepared, reading, runs
from core.errors import CoreError, DataMissing, RunMissing, RunRefused
from core.explain.methods import METHODS, gradcam, hirescam
from core.records import PAPER_TARGET, Prediction, SliceEntry, Target
from tests.bench.published import noise_slice, publish

pytestmark = pytest.mark.slow

LAYERS = ("bottleneck", "decoder_4", "decoder_3", "decoder_2", "decoder_1")
GRADCAM = ("gradcam", "bottleneck", Target())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An artifacts folder with one published width-4 run."""
    found = tmp_path_factory.mktemp("artifacts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_ARTIFACTS", str(found))
        publish("unet", 4)
    return found


@pytest.fixture
def run(folder, monkeypatch):
    """The run's name, with an empty cache."""
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return "phantom_busi-unet-0"


@pytest.fixture
def engine_asleep(monkeypatch):
    """Make any computation an error."""
    from core.explain import engine

    def refuse(*_):
        raise AssertionError("computed, although it is stored")

    return lambda: [monkeypatch.setattr(engine, name, refuse) for name in ("predict", "evidence")]


def entries():
    return sorted((places.cache()).rglob("*.npz")) if places.cache().exists() else []


def test_nothing_is_stored_at_first(run):
    slice = noise_slice()
    assert reading.stored_prediction(run, slice) is None
    assert reading.stored_heatmap(run, slice, *GRADCAM) is None


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
    assert len(entries()) == 10
    shutil.rmtree(places.cache())
    for slice, prediction in zip(slices, found, strict=True):
        assert np.abs(reading.predict(run, slice).probability - prediction.probability).max() < 1e-5


def test_one_pass_stores_every_layer_and_gradient_method(run, engine_asleep):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    reading.heatmap(run, slice, prediction, *GRADCAM)
    engine_asleep()
    for method in METHODS:
        for layer, side in zip(LAYERS, (8, 16, 32, 64, 128), strict=True):
            found = reading.heatmap(run, slice, prediction, method, layer, Target())
            assert found.values.shape == (side, side)
            assert found.values.dtype == np.float32
            stored = reading.stored_heatmap(run, slice, method, layer, Target())
            assert np.array_equal(stored.values, found.values)


def test_the_stored_map_is_the_formula_on_the_engines_evidence(run):
    from core.explain import engine

    slice = noise_slice()
    prediction = reading.predict(run, slice)
    inside = prediction.probability[..., 0] > 0.5
    assert 0 < inside.sum() < inside.size
    ((found,),) = engine.evidence(
        runs.read_run(run), LAYERS, slice.image[None], inside[None, ..., None], [1], "log_odds"
    )
    for method, formula in (("gradcam", gradcam), ("hirescam", hirescam)):
        map_ = reading.heatmap(run, slice, prediction, method, "decoder_3", Target())
        assert np.array_equal(map_.values, formula(found["decoder_3"]))
        assert map_.score == pytest.approx(found["decoder_3"].score)
        assert map_.region_pixels == inside.sum()
        assert map_.mean_probability == pytest.approx(prediction.probability[inside].mean())


def test_the_last_layer_is_marked_as_a_repetition(run):
    slice = noise_slice()
    found = reading.heatmap(run, slice, reading.predict(run, slice), "gradcam", "decoder_1", Target())
    assert "redundant_with_prediction" in (found.state, *found.notes)


def test_an_empty_region_is_a_heatmap_with_a_state(run):
    slice = dataclasses.replace(noise_slice(), reference=np.zeros((200, 240), np.uint8))
    found = reading.heatmap(
        run, slice, reading.predict(run, slice), "gradcam", "bottleneck", Target(region="reference")
    )
    assert found.state == "empty_region"
    assert not found.values.any()
    assert math.isnan(found.score)
    assert math.isnan(found.mean_probability)
    assert found.region_pixels == 0
    again = reading.stored_heatmap(run, slice, "gradcam", "bottleneck", Target(region="reference"))
    assert math.isnan(again.score)
    assert again.notes == found.notes
    assert "expert drew no tumour" in reading.state_sentence(again)


def test_paper_mode_explains_the_mean_probability(run):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    found = reading.heatmap(run, slice, prediction, "gradcam", "decoder_1", PAPER_TARGET)
    assert found.score == pytest.approx(prediction.probability.mean(dtype=np.float64), rel=1e-4)
    assert found.region_pixels == 128 * 128


def test_another_outline_is_another_question(run):
    target = Target(region="reference")
    one = noise_slice()
    moved = dataclasses.replace(one, reference=np.roll(one.reference, 60, axis=0))
    prediction = reading.predict(run, one)
    first = reading.heatmap(run, one, prediction, "gradcam", "bottleneck", target)
    assert reading.stored_heatmap(run, moved, "gradcam", "bottleneck", target) is None
    second = reading.heatmap(run, moved, prediction, "gradcam", "bottleneck", target)
    assert not np.array_equal(first.values, second.values)
    assert np.array_equal(
        reading.heatmap(run, one, prediction, *GRADCAM).values,
        reading.heatmap(run, moved, prediction, *GRADCAM).values,
    )


def test_a_case_without_an_outline_cannot_be_asked_about_it(run):
    slice = dataclasses.replace(noise_slice(), reference=None)
    prediction = reading.predict(run, slice)
    with pytest.raises(DataMissing, match="expert outline"):
        reading.heatmap(run, slice, prediction, "gradcam", "bottleneck", Target(region="reference"))
    with pytest.raises(DataMissing, match="nothing to score"):
        reading.score(slice, prediction)
    assert reading.heatmap(run, slice, prediction, *GRADCAM).values.shape == (8, 8)


def test_another_slices_prediction_is_refused(run):
    slice = noise_slice()
    other = Prediction(run, "phantom_busi/benign-2/0", reading.predict(run, slice).probability.copy())
    with pytest.raises(ValueError, match="benign-2"):
        reading.heatmap(run, slice, other, *GRADCAM)


@pytest.mark.parametrize(
    ("question", "named"),
    [
        (("gradcum", "bottleneck", Target()), "method"),
        (("gradcam", "encoder_1", Target()), "layer"),
        (("gradcam", "bottleneck", Target(class_name="liver")), "class_name"),
    ],
)
def test_an_unknown_question_is_named(run, question, named):
    with pytest.raises(ValueError, match=named):
        reading.stored_heatmap(run, noise_slice(), *question)


def test_damage_in_the_cache_is_mended(run):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    first = reading.heatmap(run, slice, prediction, *GRADCAM)
    assert len(entries()) == 2
    for path in entries():
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 4
        path.write_bytes(bytes(content))
    # the middle of the heatmap file is another map's: that one is missed, this one still read
    assert reading.stored_prediction(run, slice) is None
    assert np.array_equal(reading.predict(run, slice).probability, prediction.probability)
    for path in entries():
        path.write_bytes(path.read_bytes()[:-9])
    assert reading.stored_heatmap(run, slice, *GRADCAM) is None
    assert np.array_equal(reading.heatmap(run, slice, prediction, *GRADCAM).values, first.values)
    assert reading.stored_heatmap(run, slice, *GRADCAM) is not None


@pytest.mark.parametrize("facts", [{}, {"states": 3}, {"states": {"gradcam.bottleneck": ["unheard of"]}}])
def test_a_readable_file_with_strange_content_is_a_miss(run, facts):
    slice, which = noise_slice(), runs.read_run(run)
    strange = {"gradcam.bottleneck": np.zeros((8, 8), np.float32)}
    known = {"score": 1.0, "region_pixels": 1, "mean_probability": 1.0}
    cache.write("heatmaps", reading._heatmap_key(which, slice, Target()), strange, {**known, **facts})
    assert reading.stored_heatmap(run, slice, *GRADCAM) is None
    cache.write(
        "predictions",
        reading._prediction_key(which, slice),
        {"probability": np.full((128, 128, 1), np.nan)},
        {},
    )
    assert reading.stored_prediction(run, slice) is None
    assert np.isfinite(reading.predict(run, slice).probability).all()


def test_a_disk_that_cannot_be_written_costs_speed_alone(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "write", full)
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    assert reading.heatmap(run, slice, prediction, *GRADCAM).values.any()
    assert entries() == []


def test_precompute_does_not_pretend_to_have_stored(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    slice = noise_slice()
    monkeypatch.setattr(prepared, "list_slices", lambda dataset: listed([slice], "test"))
    monkeypatch.setattr(prepared, "read_slice", lambda dataset, case, index=0: slice)
    monkeypatch.setattr(cache, "write", full)
    with pytest.raises(CoreError, match="disk is full"):
        reading.precompute("phantom_busi", [run])


def test_a_run_that_is_missing_or_changed_is_refused_even_from_the_cache(run, folder):
    slice = noise_slice()
    reading.predict(run, slice)
    with pytest.raises(RunMissing, match="python -m core train"):
        reading.stored_prediction("phantom_busi-unet-7", slice)
    weights = folder / "runs" / run / places.WEIGHTS
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


def test_numbers_and_sentences_come_with_a_map(run):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    map_ = reading.heatmap(run, slice, prediction, *GRADCAM)
    numbers = reading.heatmap_numbers(map_, slice, prediction)
    assert numbers["raw_maximum"] == map_.values.max()
    assert set(numbers.why) == {name for name, value in numbers.items() if math.isnan(value)}
    assert reading.target_sentence(run, Target()) == "Why does U-Net call this area tumour?"


def listed(slices, part, split="busi-group"):
    return tuple(
        SliceEntry(s.dataset, s.case, 0, s.group, s.tag, (), 200, 240, 1200, {split: part} if part else {})
        for s in slices
    )


def test_precompute_stores_the_test_part_alone(run, monkeypatch, engine_asleep):
    tested = [noise_slice(f"benign-{i}", seed=i) for i in range(3)]
    trained = [noise_slice("benign-9", seed=9)]
    by_case = {s.case: s for s in tested + trained}
    index = listed(tested, "test") + listed(trained, "train")
    monkeypatch.setattr(prepared, "list_slices", lambda dataset: index)
    monkeypatch.setattr(prepared, "read_slice", lambda dataset, case, index=0: by_case[case])
    said = []
    assert reading.precompute("phantom_busi", None, lambda *what: said.append(what)) == 3
    assert said[-1][:2] == (3, 3)
    engine_asleep()
    for slice in tested:
        assert reading.stored_prediction(run, slice) is not None
        assert reading.stored_heatmap(run, slice, "hirescam", "decoder_2", Target()) is not None
    assert reading.stored_prediction(run, trained[0]) is None
    assert reading.precompute("phantom_busi", [run]) == 3  # again: from the cache


def test_precompute_takes_an_external_set_whole(run, monkeypatch):
    slices = [noise_slice(f"benign-{i}", seed=i) for i in range(2)]
    monkeypatch.setattr(prepared, "list_slices", lambda dataset: listed(slices, None))
    monkeypatch.setattr(
        prepared, "read_slice", lambda dataset, case, index=0: next(s for s in slices if s.case == case)
    )
    card = dataclasses.replace(prepared.read_card("phantom_busi"), name="elsewhere", splits=())
    monkeypatch.setattr(prepared, "read_card", lambda dataset: card)
    assert reading.precompute("elsewhere") == 2


def test_what_is_stored_is_read_without_keras(run, folder):
    slice = noise_slice()
    reading.heatmap(run, slice, reading.predict(run, slice), *GRADCAM)
    check = (
        "import sys; from core import reading; from core.records import Target;"
        "from tests.bench.published import noise_slice; s = noise_slice();"
        f"p = reading.stored_prediction({run!r}, s);"
        f"h = reading.stored_heatmap({run!r}, s, 'gradcam', 'bottleneck', Target());"
        "n = reading.heatmap_numbers(h, s, p); reading.score(s, p);"
        "print(h.state in ('ok', 'redundant_with_prediction', 'no_positive_evidence'),"
        "[m for m in ('keras', 'tensorflow', 'scipy.stats') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=root
    )
    assert answer.stdout.strip() == "True []"
