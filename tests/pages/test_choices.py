"""What there is to choose from, in words."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from core import read_card
from pages.parts import cached, choices


@pytest.mark.parametrize(
    ("name", "dataset", "said"),
    [
        ("busi-0", "busi", "by near-duplicate group, seed 0"),
        ("lits-0", "lits", "by patient, seed 0"),
        ("lits-2-lits-slice", "lits", "random slices, as in the paper, seed 2"),
        ("lits-0-lits-patient-2", "lits", "by patient, fold 2, seed 0"),
        ("lits-0-folds", "lits", "by patient, all folds, seed 0"),
        ("busi-0-folds", "busi", "by near-duplicate group, all folds, seed 0"),
        ("busi-0", "hospital_b", "BUSI breast ultrasound, by near-duplicate group, seed 0"),
        ("unheard_of-0", "unheard_of", "seed 0"),
    ],
)
def test_a_set_of_trainings_is_named_by_data_protocol_and_seed(name, dataset, said):
    assert choices.set_title(name, dataset) == said


def test_sets_that_differ_in_width_say_it_and_others_do_not():
    assert choices.set_titles({"busi-0-folds": 8, "busi-1-folds": 16}, "busi") == {
        "busi-0-folds": "by near-duplicate group, all folds, seed 0, width 8",
        "busi-1-folds": "by near-duplicate group, all folds, seed 1, width 16",
    }
    assert choices.set_titles({"lits-0": 12, "lits-1": 12}, "lits")["lits-1"] == "by patient, seed 1"


def test_every_split_of_every_built_in_dataset_has_words():
    assert all(split in choices.PROTOCOLS for name in choices.BUILT_IN for split in read_card(name).splits)


def test_the_split_of_single_images_or_slices_is_named_after_the_kind_of_data():
    found = {name: choices.drawn_split(name) for name in ("phantom_busi", "phantom_lits", "nowhere")}
    assert found == {"phantom_busi": "busi-image", "phantom_lits": "lits-slice", "nowhere": ""}


def test_the_disagreement_in_a_list_is_that_of_the_training_shown(monkeypatch):
    cases = {
        "x": {"disagreement": 0.2, "family": 0},
        "y": {"disagreement": 0.7, "family": 1},
        "z": {"disagreement": math.nan, "family": None},
    }
    stored = SimpleNamespace(summary={"families": [{"runs": ["a", "b"]}, {"runs": ["c", "d"]}]}, cases=cases)
    monkeypatch.setattr(cached, "results", lambda dataset: stored)
    assert choices.disagreements("toy", {"unet": SimpleNamespace(name="b"), "dcunet": None}) == {"x": 0.2}
    assert choices.disagreements("toy", {"unet": None}) == {}
