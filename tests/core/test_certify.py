"""The certificate of a run: what it holds, that it is stored once, resumed, and refused for other weights."""

import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from core import certificates, certify, places, prepared, runs
from core.certify import Settings
from core.errors import DataMissing, DataRefused
from core.explain.definitions import BASELINES
from core.records import SliceEntry
from tests.bench.published import noise_slice, publish

LAYERS = ("bottleneck", "decoder_4", "decoder_3", "decoder_2", "decoder_1")
FAST = Settings(cases=2, shares=(0, 0.5, 1))


def entry(case, group=None, pixels=50, tag="benign"):
    return SliceEntry("phantom_busi", case, 0, group or case, tag, (), 200, 240, pixels)


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
    """The run's name; its test part is two slices of noise, and nothing is stored yet."""
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
    cases = [entry("benign-1"), entry("benign-2")]
    monkeypatch.setattr(certify, "chosen_cases", lambda run, card, settings: cases[: settings.cases])
    monkeypatch.setattr(prepared, "read_slice", lambda _, case, index: noise_slice(case, seed=int(case[-1])))
    for stored in ("cache", "results"):
        shutil.rmtree(folder / stored, ignore_errors=True)
    return "phantom_busi-unet-0"


@pytest.mark.slow
def test_a_certificate_holds_every_check_of_every_map_and_is_computed_once(run, monkeypatch):
    said = []
    made = certify.certify(run, FAST, lambda *what: said.append(what[:2]))
    assert said == [(1, 2), (2, 2)]
    methods = made.header["methods"]
    maps = {(row["layer"], row["method"]) for row in made.rows}
    baselines = {(layer, f"baseline {name}") for layer in LAYERS[:-1] for name in BASELINES}
    assert maps == {(layer, method) for layer in LAYERS for method in methods} | baselines
    for row in made.rows:
        assert -1 <= row["random_rank_all"] <= 1 or "baseline" in row["method"]
        assert row["stability"] >= 0 or math.isnan(row["stability"])
        assert math.isfinite(row["deletion"]) == (row["layer"] != "decoder_1" and row["method"] in (
            "gradcam", *(f"baseline {name}" for name in BASELINES)))  # fmt: skip
    assert made.find("stability", "tumour", "bottleneck", "layercam")["n"] == 2
    assert certificates.trust_sentences(made, "tumour", "bottleneck", "gradcam")
    monkeypatch.setattr(certify, "_case", None)
    monkeypatch.setattr(certify._Bench, "of", None)
    again = certify.certify(run, FAST)
    assert again.header == made.header
    assert again.rows[0]["random_rank_all"] == made.rows[0]["random_rank_all"]


@pytest.mark.slow
def test_a_killed_start_goes_on_where_it_was(run, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        certify.certify(run, FAST, killed)
    with pytest.raises(DataMissing, match="python -m core certify"):
        certificates.read_certificate(run)
    computed, rows = [], certify._rows
    monkeypatch.setattr(certify, "_rows", lambda bench, slice, *more: computed.append(slice.case) or rows(
        bench, slice, *more))  # fmt: skip
    certify.certify(run, FAST)
    assert computed == ["benign-2"]


@pytest.mark.slow
def test_the_network_comes_out_of_the_checks_as_it_went_in(run):
    bench = certify._Bench.of(runs.read_run(run), prepared.read_card("phantom_busi"), FAST)
    slice = noise_slice("benign-1", seed=1)
    regions = bench.regions(slice)
    (before,) = bench.maps([slice.image], regions)
    rows = list(certify._rows(bench, slice, before, regions))
    (after,) = bench.maps([slice.image], regions)
    assert all(np.array_equal(before[at], after[at]) for at in before)
    drawn_anew = [row["random_rank_all"] for row in rows if row["method"] == "gradcam"]
    assert min(drawn_anew) < 0.9


@pytest.mark.slow
def test_a_network_that_draws_nothing_has_nothing_to_check(run):
    bench = certify._Bench.of(runs.read_run(run), prepared.read_card("phantom_busi"), FAST)
    nowhere = np.zeros((128, 128, 1), bool)
    slice = noise_slice("benign-1", seed=1)
    assert bench.maps([slice.image], nowhere) == [{}]
    assert list(certify._rows(bench, slice, {}, nowhere)) == []


def written(run):
    """A certificate of few numbers for the present weights of the run."""
    which = runs.read_run(run)
    header = {
        "format": certificates.FORMAT,
        "weights_sha256": which.weights_sha256,
        "disturbances": ["noise"],
    }
    row = {"case": "benign-1", "index": 0, "class": "tumour", "layer": "bottleneck", "method": "gradcam"}
    return certificates.write(which, header, [], [{**row, "stability": 0.25, "road": math.nan}])


def test_a_certificate_reads_back_as_it_was_written(run):
    written(run)
    found = certificates.read_certificate(run)
    assert found.rows[0]["method"] == "gradcam"
    assert found.rows[0]["stability"] == 0.25
    assert math.isnan(found.rows[0]["road"])


def test_a_certificate_of_other_weights_is_refused_as_stale(run):
    path = written(run)
    path.rename(path.with_name(f"{run}-0123abcd.json"))
    with pytest.raises(DataRefused, match="of other weights") as refused:
        certificates.read_certificate(run)
    assert refused.value.code == "stale"
    assert certificates.folder("phantom_busi").is_dir()
    written(run)
    assert [p.name for p in certificates.folder("phantom_busi").glob("*.json")] == [path.name]


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_a_damaged_certificate_is_refused(run, ending):
    path = written(run).with_suffix(f".{ending}")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataRefused, match="damaged") as refused:
        certificates.read_certificate(run)
    assert refused.value.code == "damaged"
    assert str(places.artifacts()) not in str(refused.value)


def test_a_run_without_certificate_names_the_command(run):
    with pytest.raises(DataMissing, match=f"python -m core certify {run}"):
        certificates.read_certificate(run)


@pytest.fixture
def test_part(monkeypatch):
    """Set the entries of the run's test part; gives the function that chooses among them."""

    def choose(entries, cases):
        monkeypatch.setattr(prepared, "list_slices", lambda _: entries)
        plan = SimpleNamespace(entries=entries)
        monkeypatch.setattr(certify.plans, "plan_all", lambda *_: ([plan], {}))
        card = prepared.read_card("phantom_busi")
        return certify.chosen_cases(SimpleNamespace(name="any"), card, Settings(cases=cases))

    return choose


def test_every_group_gives_one_case_before_any_gives_two(test_part):
    many = [entry(f"benign-{at}", group=f"g{at // 4}") for at in range(12)]
    assert len({one.group for one in test_part(many, 3)}) == 3
    assert sorted(one.group for one in test_part(many, 6)) == ["g0", "g0", "g1", "g1", "g2", "g2"]
    assert len(test_part(many, 99)) == 12
    assert test_part(many, 5) == test_part(many, 6)[:5]


def test_cases_without_the_class_are_not_chosen(test_part):
    found = test_part([entry("benign-1"), entry("normal-1", pixels=0), entry("benign-3", pixels=None)], 9)
    assert [one.case for one in found] == ["benign-1"]
    with pytest.raises(DataMissing, match="has no tumour"):
        test_part([entry("normal-1", pixels=0)], 9)
