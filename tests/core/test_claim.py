"""The claim on disk, the choice of runs and slices, and the rows of one case."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from core import claim, claims, explaining, places, prepared, reading, runs
from core.errors import DataMissing, DataRefused, RunMissing
from core.explain.focus import scene
from core.records import SIZE, Heatmap, Prediction, SliceEntry, Target
from core.summary_claim import NUMBERS
from tests.bench.published import noise_slice

HEADER = {"format": claims.FORMAT, "dataset": "phantom_busi", "weights": {"phantom_busi-unet-0": "a" * 64}}


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A stored answer of a few numbers; gives its folder."""
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(tmp_path))
    monkeypatch.setattr(runs, "read_run", lambda _: SimpleNamespace(weights_sha256="a" * 64))
    row = {"case": "c", "class": "tumour", "layer": "bottleneck", "method": "gradcam", "lift": 2.5}
    row |= {"against": "unet", "way": "raw", "number": "lift", "note": "", "mean": math.nan}
    tables = {name: [row] for name in (claims.ROWS, claims.MEANS, claims.DIFFERENCES)}
    claims.write("phantom_busi", HEADER, [{"sentence": "So it is.", "mean": math.nan}], tables)
    return places.results("phantom_busi")


def test_an_answer_reads_back_as_it_was_written(stored):
    found = claims.read_claim("phantom_busi")
    assert found.verdicts == [{"sentence": "So it is.", "mean": None}]
    assert found.differences[0]["way"] == "raw"
    assert found.differences[0]["lift"] == 2.5
    assert math.isnan(found.means[0]["mean"])
    assert found.focus_csv.startswith("case,class,layer")


@pytest.mark.parametrize("name", [claims.ROWS, claims.MEANS, claims.DIFFERENCES, claims.CLAIM])
def test_a_damaged_answer_is_refused(stored, name):
    path = stored / name
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataRefused, match="python -m core claim phantom_busi") as refused:
        claims.read_claim("phantom_busi")
    assert refused.value.code == "damaged"


def test_an_answer_about_other_weights_is_stale(stored, monkeypatch):
    monkeypatch.setattr(runs, "read_run", lambda _: SimpleNamespace(weights_sha256="b" * 64))
    with pytest.raises(DataRefused, match="other weights") as refused:
        claims.read_claim("phantom_busi")
    assert refused.value.code == "stale"


def test_no_answer_names_the_command(stored):
    (stored / claims.CLAIM).unlink()
    with pytest.raises(DataMissing, match="python -m core claim phantom_busi"):
        claims.read_claim("phantom_busi")


def test_an_answer_on_disk_holds_no_nan(stored):
    json.loads((stored / claims.CLAIM).read_text(), parse_constant=lambda name: pytest.fail(name))


def plan(model, family="one"):
    return SimpleNamespace(run=SimpleNamespace(name=f"d-{model}", model=model), family=family)


@pytest.mark.parametrize("models", [["unet", "dcunet"], ["multiresunet"]])
def test_the_claim_needs_multiresunet_and_a_rival(models, monkeypatch):
    found = [plan(model) for model in models]
    monkeypatch.setattr(prepared, "list_slices", lambda _: [])
    monkeypatch.setattr(claim.plans, "plan_all", lambda *_: (found, {}))
    monkeypatch.setattr(claim.plans, "by_priority", lambda *_: {"one": [one.run.name for one in found]})
    with pytest.raises(RunMissing, match="No run of MultiResUNet"):
        claim._family(prepared.read_card("phantom_busi"), None)


def test_multiresunet_comes_first_in_its_family(monkeypatch):
    found = [plan(model) for model in ("unet", "multiresunet", "dcunet")]
    monkeypatch.setattr(prepared, "list_slices", lambda _: [])
    monkeypatch.setattr(claim.plans, "plan_all", lambda *_: (found, {}))
    monkeypatch.setattr(claim.plans, "by_priority", lambda *_: {"one": [one.run.name for one in found]})
    family = claim._family(prepared.read_card("phantom_busi"), None)
    assert [one.run.model for one in family] == ["multiresunet", "unet", "dcunet"]


def test_of_a_volume_slices_are_spaced_evenly_and_both_classes_are_there():
    entries = [
        SliceEntry(
            "lits", "volume-1", at, "p", "ct", (), 512, 512, 9, {}, (5, 4 if 40 <= at < 44 else 0), 1.0
        )
        for at in range(100)
    ]
    found = [entry.index for entry in claim.chosen_slices(entries, prepared.read_card("lits"), 3)]
    assert found == [0, 40, 42, 43, 50, 99]


def test_of_pictures_all_that_show_the_class_are_taken():
    entries = [SliceEntry("busi", f"c{at}", 0, "g", "benign", (), 9, 9, at) for at in range(3)]
    chosen = claim.chosen_slices(entries, prepared.read_card("busi"), 1)
    assert [entry.case for entry in chosen] == ["c1", "c2"]


def test_a_case_has_a_row_per_map_and_two_baselines_per_layer(monkeypatch):
    slice, target = noise_slice(), Target()
    probability = np.zeros((SIZE, SIZE, 1), np.float32)
    probability[38:58, 42:64] = 0.9
    prediction = Prediction("r", slice.key, probability)
    values = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    facts = {"run": "r", "slice_key": slice.key, "target": target, "values": values, "score": 1.0}
    facts |= {"state": "ok", "region_pixels": 440, "mean_probability": 0.9}
    maps = {
        (method, "bottleneck", target): Heatmap(method=method, layer="bottleneck", **facts)
        for method in ("gradcam", "hirescam")
    }
    monkeypatch.setattr(reading, "predict", lambda *_: prediction)
    monkeypatch.setattr(reading, "score", lambda *_: {"tumour": SimpleNamespace(values={"dice": 0.75})})
    monkeypatch.setattr(explaining, "heatmaps", lambda *_: maps)
    card = prepared.read_card("phantom_busi")
    rows = claim._numbers(SimpleNamespace(name="r"), slice, card)
    assert sorted(row["method"] for row in rows) == [
        "baseline probability", "baseline uniform", "gradcam", "hirescam"
    ]  # fmt: skip
    assert {row["dice"] for row in rows} == {0.75}
    assert all(set(NUMBERS) <= set(row) for row in rows)
    even = next(row for row in rows if row["method"] == "baseline uniform")
    assert even["lift"] == pytest.approx(1, rel=1e-3)
    share = scene(slice, 1, card.classes).inside.mean()
    assert even["energy_in_reference"] == pytest.approx(share, rel=1e-3)
