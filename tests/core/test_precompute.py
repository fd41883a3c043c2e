"""Filling the store: which slices, when it ends early, and how much it may take."""

import dataclasses

import pytest

from core import cache, explaining, places, prepared, reading
from core.errors import CoreError
from core.precompute import precompute
from core.records import SliceEntry, Target
from tests.bench.published import noise_slice

pytestmark = pytest.mark.slow


def listed(slices, part, split="busi-group"):
    return tuple(
        SliceEntry(s.dataset, s.case, 0, s.group, s.tag, (), 200, 240, 1200, {split: part} if part else {})
        for s in slices
    )


def test_precompute_does_not_pretend_to_have_stored(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    slice = noise_slice()
    monkeypatch.setattr(prepared, "list_slices", lambda dataset: listed([slice], "test"))
    monkeypatch.setattr(prepared, "read_slice", lambda dataset, case, index=0: slice)
    monkeypatch.setattr(cache, "write", full)
    with pytest.raises(CoreError, match="disk is full"):
        precompute("phantom_busi", [run])


def test_precompute_stores_the_test_part_alone(run, monkeypatch, engine_asleep):
    tested = [noise_slice(f"benign-{i}", seed=i) for i in range(3)]
    trained = [noise_slice("benign-9", seed=9)]
    by_case = {s.case: s for s in tested + trained}
    index = listed(tested, "test") + listed(trained, "train")
    monkeypatch.setattr(prepared, "list_slices", lambda dataset: index)
    monkeypatch.setattr(prepared, "read_slice", lambda dataset, case, index=0: by_case[case])
    said = []
    assert precompute("phantom_busi", None, lambda *what: said.append(what)).slices == 3
    assert said[-1][:2] == (3, 3)
    engine_asleep()
    for slice in tested:
        assert reading.stored_prediction(run, slice) is not None
        assert explaining.stored_heatmap(run, slice, "hirescam", "decoder_2", Target()) is not None
    assert reading.stored_prediction(run, trained[0]) is None
    assert precompute("phantom_busi", [run]).slices == 3  # again: from the cache


def test_precompute_takes_an_external_set_whole(run, monkeypatch):
    slices = [noise_slice(f"benign-{i}", seed=i) for i in range(2)]
    monkeypatch.setattr(prepared, "list_slices", lambda dataset: listed(slices, None))
    monkeypatch.setattr(
        prepared, "read_slice", lambda dataset, case, index=0: next(s for s in slices if s.case == case)
    )
    card = dataclasses.replace(prepared.read_card("phantom_busi"), name="elsewhere", splits=())
    monkeypatch.setattr(prepared, "read_card", lambda dataset: card)
    assert precompute("elsewhere").slices == 2


def test_without_all_explanations_a_volume_gets_those_of_the_slice_it_opens_with(run, monkeypatch):
    slices = [dataclasses.replace(noise_slice("benign-1", seed=i), index=i) for i in range(3)]
    entries = tuple(
        SliceEntry(s.dataset, s.case, s.index, s.group, s.tag, (), 200, 240, n, {"busi-group": "test"},
                   class_pixels=(n,))
        for s, n in zip(slices, (5, 90, 7), strict=True)
    )  # fmt: skip
    monkeypatch.setattr(prepared, "list_slices", lambda dataset: entries)
    monkeypatch.setattr(prepared, "read_slice", lambda dataset, case, index=0: slices[index])
    assert precompute("phantom_busi", [run], explain_all=False).slices == 3
    for slice in slices:
        assert reading.stored_prediction(run, slice) is not None
        found = explaining.stored_heatmap(run, slice, "gradcam", "bottleneck", Target())
        assert (found is not None) == (slice.index == 1)


def ready(monkeypatch, count):
    """``count`` test slices, as if they were prepared."""
    slices = [noise_slice(f"benign-{i}", seed=i) for i in range(count)]
    by_case = {s.case: s for s in slices}
    monkeypatch.setattr(prepared, "list_slices", lambda dataset: listed(slices, "test"))
    monkeypatch.setattr(prepared, "read_slice", lambda dataset, case, index=0: by_case[case])
    return slices


def test_a_stopped_start_goes_on_where_it_ended(run, monkeypatch):
    from core.explain import engine

    slices = ready(monkeypatch, 9)
    asked = []
    evidence = engine.evidence

    def watched(run, layers, images, *rest):
        asked.append(len(images))
        return evidence(run, layers, images, *rest)

    monkeypatch.setattr(engine, "evidence", watched)

    def stop(done, *_):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        precompute("phantom_busi", [run], stop)
    assert precompute("phantom_busi", [run]).slices == 9
    assert asked == [4, 4, 1]
    assert all(explaining.stored_heatmap(run, s, "eigencam", "decoder_1", Target()) for s in slices)


def test_a_store_that_is_too_small_is_refused_in_words(run, monkeypatch):
    ready(monkeypatch, 5)
    monkeypatch.setenv("TRIPTYCH_CACHE_GB", "0.0035")
    with pytest.raises(CoreError, match=r"5 slices need 0\.0038\d GB.*0\.0035 GB.*TRIPTYCH_CACHE_GB=1"):
        precompute("phantom_busi", [run])


def test_what_is_held_is_said(run, monkeypatch):
    ready(monkeypatch, 2)
    found = precompute("phantom_busi", [run])
    held = sum(path.stat().st_size for path in places.cache().rglob("*.npz"))
    assert found.held == held
    assert found.text == f"2 slices are stored; artifacts/cache holds {held / 1e9:.2f} of at most 20 GB."
