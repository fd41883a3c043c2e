"""A definition is checked field by field, and says nothing of networks to those who read."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict

import pytest

from core import StudyRefused, places, study_files
from core.study_definition import define, practice
from tests.pages import small

RUNS = ["phantom_busi-unet-0", "phantom_busi-multiresunet-0", "phantom_busi-dcunet-0"]


@pytest.fixture
def phantoms(artifacts):
    return shutil.copytree(small.phantoms_only(), artifacts)


def definition(**changes):
    whole = {
        "id": "first",
        "title": "First reading",
        "dataset": "phantom_busi",
        "runs": RUNS,
        "readers": ["r1", "r2"],
        "cases": {"number": 3, "part": "test"},
        "seed": 5,
    }
    return {**whole, **changes}


def test_a_definition_becomes_an_order_for_every_reader(phantoms):
    study, key = define(definition())
    assert study.readers == ("r1", "r2")
    assert len(study.cases) == 3
    assert [len(order) for order in study.orders.values()] == [4, 4]  # one repeat
    assert {run for rows in key.hidden.values() for row in rows for run in row} == set(RUNS)
    assert study.letters == "ABC"
    assert not study.show_reference


def test_the_same_seed_draws_the_same_cases(phantoms):
    assert define(definition())[0].cases == define(definition())[0].cases
    drawn = {define(definition(seed=seed))[0].cases for seed in range(8)}
    assert len(drawn) > 1


def test_cases_can_be_named_and_a_third_outline_left_out(phantoms):
    named = list(define(definition())[0].cases)[:2]
    study, _ = define(definition(cases=named, runs=RUNS[:2], repeats=0))
    assert study.cases == tuple(sorted(named))
    assert study.letters == "AB"
    assert list(study.answers("ranking")) == ["1", "2"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "../up"),
        ("id", "Upper"),
        ("title", " "),
        ("title", 7),
        ("dataset", "nowhere"),
        ("dataset", ["phantom_busi"]),
        ("runs", RUNS[:1]),
        ("runs", [RUNS[0], RUNS[0]]),
        ("runs", [RUNS[0], "../../etc"]),
        ("runs", [RUNS[0], "phantom_busi-other-0"]),
        ("runs", "phantom_busi-unet-0"),
        ("readers", []),
        ("readers", ["R 1"]),
        ("readers", ["r1", "r1"]),
        ("cases", ["no-such-case"]),
        ("cases", {"number": 0}),
        ("cases", {"number": 10_000}),
        ("cases", {"number": 2, "part": "train"}),
        ("cases", {"number": 2, "size": 1}),
        ("seed", -1),
        ("seed", 1.5),
        ("repeats", 0.9),
        ("repeats", True),
        ("repeats", float("nan")),
        ("questions", ["beauty"]),
        ("questions", []),
        ("show_reference", "yes"),
        ("practice", 1),
        ("colour", "red"),
    ],
)
def test_a_field_that_does_not_fit_is_named(phantoms, field, value):
    with pytest.raises(StudyRefused, match=f"field '{field}': expected ") as refused:
        define(definition(**{field: value}))
    assert refused.value.code == "definition"


@pytest.mark.parametrize("nothing", [None, [], "text", 3])
def test_what_is_no_object_is_refused(nothing):
    with pytest.raises(StudyRefused, match="expected a JSON object"):
        define(nothing)


@pytest.mark.parametrize("name", ["id", "title", "dataset", "runs", "readers", "cases"])
def test_a_missing_field_is_named(phantoms, name):
    given = definition()
    del given[name]
    with pytest.raises(StudyRefused, match=f"field '{name}': expected a value, got nothing"):
        define(given)


def test_outlines_that_are_not_stored_are_refused_with_the_command(phantoms):
    shutil.rmtree(phantoms / "cache" / "predictions")
    with pytest.raises(StudyRefused, match="python -m core precompute phantom_busi") as refused:
        define(definition())
    assert "unet" not in str(refused.value).lower()


def test_networks_of_different_splits_are_not_compared(phantoms):
    path = phantoms / "runs" / RUNS[0] / "run.json"
    told = json.loads(path.read_text())
    told["split"]["sha256"] = "cd" * 32
    path.write_text(json.dumps(told))
    with pytest.raises(StudyRefused, match="field 'runs': expected networks trained on one split"):
        define(definition())


def test_what_a_readers_page_may_know_names_no_network_and_no_seed(phantoms):
    study = study_files.create(definition())
    assert "seed" not in asdict(study)
    text = (places.study("first") / "study.json").read_text() + repr(study)
    weights = json.loads((places.study("first") / "key.json").read_text())["weights"]
    for secret in (*RUNS, *weights.values(), *(one[:8] for one in weights.values()), "unet", "seed"):
        assert secret.lower() not in text.lower()


def test_the_key_is_for_its_owner_alone(phantoms):
    study_files.create(definition())
    assert (places.study("first") / "key.json").stat().st_mode & 0o077 == 0


def test_a_practice_study_can_be_made_twice(phantoms):
    first = study_files.create(practice("phantom_busi"))
    second = study_files.create(practice("phantom_busi"))
    assert (first.id, second.id) == ("practice-1", "practice-2")
    assert first.practice
