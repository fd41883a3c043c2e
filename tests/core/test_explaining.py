"""Heatmaps of one slice: computed once, stored, read without Keras; every target, option and state."""

import dataclasses
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import asking, cache, explaining, places, reading, runs
from core.errors import DataMissing
from core.explain.methods import METHODS, gradcam, hirescam
from core.records import PAPER_TARGET, Prediction, Target
from tests.bench.published import noise_slice

pytestmark = pytest.mark.slow

LAYERS = ("bottleneck", "decoder_4", "decoder_3", "decoder_2", "decoder_1")
LIVE = [name for name, row in METHODS.items() if row.card.needs != "passes"]
ON_DEMAND = [name for name, row in METHODS.items() if row.card.needs == "passes"]
GRADCAM = ("gradcam", "bottleneck", Target())


def stored_entries():
    return sorted((places.cache()).rglob("*.npz")) if places.cache().exists() else []


def test_one_pass_stores_every_layer_and_gradient_method(run, engine_asleep):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    explaining.heatmap(run, slice, prediction, *GRADCAM)
    engine_asleep()
    for method in LIVE:
        for layer, side in zip(LAYERS, (8, 16, 32, 64, 128), strict=True):
            found = explaining.heatmap(run, slice, prediction, method, layer, Target())
            assert found.values.shape == (side, side)
            assert found.values.dtype == np.float32
            stored = explaining.stored_heatmap(run, slice, method, layer, Target())
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
        map_ = explaining.heatmap(run, slice, prediction, method, "decoder_3", Target())
        assert np.array_equal(map_.values, formula(found["decoder_3"]))
        assert map_.score == pytest.approx(found["decoder_3"].score)
        assert map_.region_pixels == inside.sum()
        assert map_.mean_probability == pytest.approx(prediction.probability[inside].mean())


def test_the_last_layer_is_marked_as_a_repetition(run):
    slice = noise_slice()
    found = explaining.heatmap(run, slice, reading.predict(run, slice), "gradcam", "decoder_1", Target())
    assert "redundant_with_prediction" in (found.state, *found.notes)


def test_an_empty_region_is_a_heatmap_with_a_state(run):
    slice = dataclasses.replace(noise_slice(), reference=np.zeros((200, 240), np.uint8))
    found = explaining.heatmap(
        run, slice, reading.predict(run, slice), "gradcam", "bottleneck", Target(region="reference")
    )
    assert found.state == "empty_region"
    assert not found.values.any()
    assert math.isnan(found.score)
    assert math.isnan(found.mean_probability)
    assert found.region_pixels == 0
    again = explaining.stored_heatmap(run, slice, "gradcam", "bottleneck", Target(region="reference"))
    assert math.isnan(again.score)
    assert again.notes == found.notes
    assert "expert drew no tumour" in asking.state_sentence(again)


def test_paper_mode_explains_the_mean_probability(run):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    found = explaining.heatmap(run, slice, prediction, "gradcam", "decoder_1", PAPER_TARGET)
    assert found.score == pytest.approx(prediction.probability.mean(dtype=np.float64), rel=1e-4)
    assert found.region_pixels == 128 * 128


def test_another_outline_is_another_question(run):
    target = Target(region="reference")
    one = noise_slice()
    moved = dataclasses.replace(one, reference=np.roll(one.reference, 60, axis=0))
    prediction = reading.predict(run, one)
    first = explaining.heatmap(run, one, prediction, "gradcam", "bottleneck", target)
    assert explaining.stored_heatmap(run, moved, "gradcam", "bottleneck", target) is None
    second = explaining.heatmap(run, moved, prediction, "gradcam", "bottleneck", target)
    assert not np.array_equal(first.values, second.values)
    assert np.array_equal(
        explaining.heatmap(run, one, prediction, *GRADCAM).values,
        explaining.heatmap(run, moved, prediction, *GRADCAM).values,
    )


def test_a_case_without_an_outline_cannot_be_asked_about_it(run):
    slice = dataclasses.replace(noise_slice(), reference=None)
    prediction = reading.predict(run, slice)
    with pytest.raises(DataMissing, match="expert outline"):
        explaining.heatmap(run, slice, prediction, "gradcam", "bottleneck", Target(region="reference"))
    with pytest.raises(DataMissing, match="nothing to score"):
        reading.score(slice, prediction)
    assert explaining.heatmap(run, slice, prediction, *GRADCAM).values.shape == (8, 8)


def test_another_slices_prediction_is_refused(run):
    slice = noise_slice()
    other = Prediction(run, "phantom_busi/benign-2/0", reading.predict(run, slice).probability.copy())
    with pytest.raises(ValueError, match="benign-2"):
        explaining.heatmap(run, slice, other, *GRADCAM)


@pytest.mark.parametrize(
    ("question", "named"),
    [
        (("gradcum", "bottleneck", Target()), "method"),
        (("gradcam", "encoder_1", Target()), "layer"),
        (("gradcam", "image", Target()), "layer"),
        (("occlusion", "bottleneck", Target()), "layer"),
        (("gradcam", "bottleneck", Target(class_name="liver")), "class_name"),
        (("gradcam", "bottleneck", Target(kind="contrast", rival="liver")), "rival"),
        (("gradcam", "bottleneck", Target(), np.ones((128, 128), bool)), "mask"),
        (("gradcam", "bottleneck", Target(region="shared")), "mask"),
        (("gradcam", "bottleneck", Target(), None, {"block": 2}), "options"),
        (("segxrescam", "bottleneck", Target(), None, {"block": 3}), "options"),
    ],
)
def test_an_unknown_question_is_named(run, question, named):
    with pytest.raises(ValueError, match=named):
        explaining.stored_heatmap(run, noise_slice(), *question)


def test_damage_in_the_cache_is_mended(run):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    first = explaining.heatmap(run, slice, prediction, *GRADCAM)
    assert len(stored_entries()) == 2
    for path in stored_entries():
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 4
        path.write_bytes(bytes(content))
    # the middle of the heatmap file is another map's: that one is missed, this one still read
    assert reading.stored_prediction(run, slice) is None
    assert np.array_equal(reading.predict(run, slice).probability, prediction.probability)
    for path in stored_entries():
        path.write_bytes(path.read_bytes()[:-9])
    assert explaining.stored_heatmap(run, slice, *GRADCAM) is None
    assert np.array_equal(explaining.heatmap(run, slice, prediction, *GRADCAM).values, first.values)
    assert explaining.stored_heatmap(run, slice, *GRADCAM) is not None


@pytest.mark.parametrize("facts", [{}, {"states": 3}, {"states": {"gradcam.bottleneck": ["unheard of"]}}])
def test_a_readable_file_with_strange_content_is_a_miss(run, facts):
    slice, which = noise_slice(), runs.read_run(run)
    strange = {"gradcam.bottleneck": np.zeros((8, 8), np.float32)}
    known = {"score": 1.0, "region_pixels": 1, "mean_probability": 1.0}
    cache.write("heatmaps", explaining._key(which, slice, Target(), None), strange, {**known, **facts})
    assert explaining.stored_heatmap(run, slice, *GRADCAM) is None


def test_a_disk_that_cannot_be_written_costs_speed_alone(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "write", full)
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    assert explaining.heatmap(run, slice, prediction, *GRADCAM).values.any()
    assert stored_entries() == []


def test_numbers_and_sentences_come_with_a_map(run):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    map_ = explaining.heatmap(run, slice, prediction, *GRADCAM)
    numbers = reading.heatmap_numbers(map_, slice, prediction)
    assert numbers["raw_maximum"] == map_.values.max()
    assert set(numbers.why) == {name for name, value in numbers.items() if math.isnan(value)}
    assert asking.target_sentence(run, Target()) == "Why does U-Net call this area tumour?"


def test_what_is_stored_is_read_without_keras(run):
    slice = noise_slice()
    explaining.heatmap(run, slice, reading.predict(run, slice), *GRADCAM)
    check = (
        "import sys; from core import explaining, reading; from core.records import Target;"
        "from tests.bench.published import noise_slice; s = noise_slice();"
        f"p = reading.stored_prediction({run!r}, s);"
        f"h = explaining.stored_heatmap({run!r}, s, 'gradcam', 'bottleneck', Target());"
        "n = reading.heatmap_numbers(h, s, p); reading.score(s, p);"
        "print(h.state in ('ok', 'redundant_with_prediction', 'no_positive_evidence'),"
        "[m for m in ('keras', 'tensorflow', 'scipy.stats') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=root
    )
    assert answer.stdout.strip() == "True []"


def place_of(method):
    return "image" if METHODS[method].card.place == "image" else "decoder_4"


def test_several_questions_in_one_call_equal_each_asked_alone(run, engine_asleep):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    asked = [Target(), Target(region="missed"), Target(kind="logit"), Target(region="boundary"), PAPER_TARGET]
    together = explaining.heatmaps(run, slice, prediction, asked)
    assert len(together) == len(asked) * len(LIVE) * len(LAYERS)
    shutil.rmtree(places.cache())
    for target in asked:
        alone = explaining.heatmap(run, slice, prediction, "layercam", "decoder_3", target)
        found = together["layercam", "decoder_3", target]
        assert np.abs(found.values - alone.values).max() <= 1e-5 * np.abs(alone.values).max()
        assert (found.state, found.score) == (alone.state, pytest.approx(alone.score))
    engine_asleep()
    assert len(explaining.heatmaps(run, slice, prediction, asked)) == len(together)


@pytest.mark.parametrize("method", ON_DEMAND)
def test_a_method_with_its_own_passes_reports_and_is_stored(run, engine_asleep, method):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    said = []
    question = (method, place_of(method), Target())
    found = explaining.heatmap(
        run, slice, prediction, *question, report=lambda *progress: said.append(progress)
    )
    assert found.values.shape == ((128, 128) if question[1] == "image" else (16, 16))
    assert found.values.any()
    assert found.remarks
    assert said[-1][0] == said[-1][1]
    assert sorted({total for _, total, _ in said})[0] >= 1
    engine_asleep()
    again = explaining.stored_heatmap(run, slice, *question)
    assert np.array_equal(again.values, found.values)
    assert (again.remarks, again.state) == (found.remarks, found.state)


def test_a_long_computation_can_be_ended_between_two_batches(run):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    before = len(stored_entries())
    seen = []

    def enough(*progress):
        seen.append(progress)
        if len(seen) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        explaining.heatmap(run, slice, prediction, "occlusion", "image", Target(), report=enough)
    assert len(seen) == 2
    assert len(stored_entries()) == before


@pytest.mark.parametrize("method", ON_DEMAND)
def test_nothing_is_asked_of_the_network_about_an_empty_region(run, method, monkeypatch):
    from core.explain import engine

    slice = dataclasses.replace(noise_slice(), reference=np.zeros((200, 240), np.uint8))
    prediction = reading.predict(run, slice)

    def refuse(*_):
        raise AssertionError("a further pass about nothing")

    monkeypatch.setattr(engine, "patiently", refuse)
    found = explaining.heatmap(run, slice, prediction, method, place_of(method), Target(region="reference"))
    assert found.state == "empty_region"
    assert not found.values.any()


def test_options_make_another_map_with_its_own_entry(run):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    whole = explaining.heatmap(run, slice, prediction, "gradcam", "decoder_4", Target())
    single = explaining.heatmap(run, slice, prediction, "hirescam", "decoder_4", Target())
    for block, expected in ((16, whole), (1, single)):
        options = {"block": block}
        found = explaining.heatmap(
            run, slice, prediction, "segxrescam", "decoder_4", Target(), options=options
        )
        assert np.abs(found.values - expected.values).max() <= 1e-5 * np.abs(expected.values).max()
        assert found.options == options
        assert explaining.stored_heatmap(run, slice, "segxrescam", "decoder_4", Target(), None, options)
    default = explaining.stored_heatmap(
        run, slice, "segxrescam", "decoder_4", Target(), options={"block": 0, "pool": "mean"}
    )
    assert default.options == {}


def test_a_shared_region_is_part_of_the_question(run):
    slice = noise_slice()
    prediction = reading.predict(run, slice)
    target, mask = Target(region="shared"), asking.shared_region(slice, [prediction], "tumour")
    as_reference = explaining.heatmap(
        run, slice, prediction, "gradcam", "decoder_4", Target(region="reference")
    )
    found = explaining.heatmap(run, slice, prediction, "gradcam", "decoder_4", target, mask)
    assert np.array_equal(found.values, as_reference.values)
    assert explaining.stored_heatmap(run, slice, "gradcam", "decoder_4", target, ~mask) is None
    other = explaining.heatmap(run, slice, prediction, "gradcam", "decoder_4", target, ~mask)
    assert not np.array_equal(other.values, found.values)


def test_the_likeliest_pixels_are_explained_where_nothing_is_predicted(run):
    slice = noise_slice()
    given = reading.predict(run, slice)
    target = Target(region="top_percent")
    drawn = explaining.heatmap(run, slice, given, "gradcam", "decoder_4", target)
    assert drawn.state != "empty_region"  # something is predicted here
    shutil.rmtree(places.cache())
    faint = Prediction(run, slice.key, given.probability * 0.4)
    found = explaining.heatmap(run, slice, faint, "gradcam", "decoder_4", target)
    assert found.state == "empty_region"
    assert found.region_pixels == 164
    assert np.array_equal(found.values, drawn.values)
    assert "predicts no tumour" in asking.state_sentence(found)
