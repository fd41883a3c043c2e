"""The statistics of a reader study, by hand and against published tables; and what its two files say."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from core import StudyRefused, csv_text, study_analysis, study_store
from core.study_analysis import icc, kappa, results, tables
from tests.core.studies import RUNS, answers, make, plan, rate_all

# Four judges rate six subjects: Shrout & Fleiss, Psychological Bulletin 86 (1979), table 2; ICC(2,1) = .29 there.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_the_icc_is_that_of_the_published_example():
    assert icc(np.array(SHROUT_FLEISS, float)) == pytest.approx(0.29, abs=0.005)


def test_equal_ratings_have_an_icc_of_1_and_a_constant_shift_of_less():
    table = np.array([[1, 1], [3, 3], [5, 5]], float)
    assert icc(table) == pytest.approx(1)
    assert icc(table + np.array([0, 1])) == pytest.approx(
        8 / 9
    )  # subjects 8, shift 1.5: 8 / (8 + 2 x 1.5 / 3)


@pytest.mark.parametrize("table", [[[1, 2]], [[1], [2]], [[3, 3], [3, 3]]])
def test_the_icc_of_too_little_or_of_no_variation_is_undefined(table):
    assert math.isnan(icc(np.array(table, float)))


def test_kappa_by_hand():
    # 2 of 3 cases agree; both answers come 3 of 6 times: (2/3 - 1/2) / (1 - 1/2)
    assert kappa([["a", "a"], ["b", "b"], ["a", "b"]]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("table", [[["a", "a"], ["a", "a"]], [["a", "b"]], [["a"], ["b"]], []])
def test_kappa_of_one_answer_or_too_little_is_undefined(table):
    assert math.isnan(kappa(table))


def prefer(study, reader, hidden, favourite):
    """A reader who always puts one network first and the other two together second, and likes it best."""
    study_store.sit_down(study, reader, reader)
    for position, names in enumerate(hidden[reader]):
        steps = {letter: 0 if name == favourite else 4 for letter, name in zip("ABC", names, strict=True)}
        given = answers(study, **steps)
        for letter, step in steps.items():
            given[letter] |= {
                "ranking": "1" if step == 0 else "2",
                "acceptability": "5" if step == 0 else "2",
            }
        study_store.submit(study, reader, reader, position, given, active_s=0.0)


@pytest.fixture
def preferred():
    """A locked study whose readers saw through the letters: both prefer the U-Net."""
    study, hidden = make(), plan()[1].hidden
    for reader in study.readers:
        prefer(study, reader, hidden, "set-unet-0")
    study_store.lock(study)
    return study


def test_the_key_gives_the_wins_to_the_network_that_was_preferred_under_any_letter(preferred):
    found = results(preferred)
    assert {row["run"]: row["share"].mean for row in found.wins} == {
        "set-unet-0": 1, "set-multiresunet-0": 0, "set-dcunet-0": 0,
    }  # fmt: skip
    letters = {row["letter"] for row in study_analysis.opened(preferred, study_store.ratings(preferred))
               if row["run"] == "set-unet-0"}  # fmt: skip
    assert len(letters) > 1
    shares = {(row["first"], row["second"]): row["share"].mean for row in found.pairs}
    assert shares["set-dcunet-0", "set-multiresunet-0"] == 0.5  # always tied
    assert shares["set-dcunet-0", "set-unet-0"] == 0
    points = {row["run"]: (row["acceptability"].mean, row["accepted"].mean) for row in found.ratings}
    assert points["set-unet-0"] == (5, 1)
    assert points["set-dcunet-0"] == (2, 0)


def test_readers_who_agree_have_a_kappa_and_icc_of_1(preferred):
    for row in results(preferred).agreement:
        assert row["value"] == pytest.approx(1) or "undefined" in row["note"]
        assert row["outlines"] == 12  # four cases, three outlines; repeats are left out
    assert {row["measure"] for row in results(preferred).agreement} == {"Fleiss' kappa", "ICC(2,1)"}


def test_readers_who_stay_with_their_answers_agree_with_themselves(preferred):
    for row in results(preferred).repeats:
        assert row["outlines"] == 6  # two readers, one repeat each, three outlines
        assert row["equal"] == 1


def test_a_win_that_is_shared_counts_in_parts():
    study = make(readers=("ann",))
    rate_all(study, "ann", C=2)  # A and B share the first place, C is third
    study_store.lock(study)
    won = Counter()
    rows = [row for row in study_analysis.opened(study, study_store.ratings(study)) if not row["is_repeat"]]
    for row in rows:
        won[row["run"]] += 0.5 if row["letter"] in "AB" else 0
    found = {row["run"]: row["share"].mean for row in results(study).wins}
    assert found == {run: pytest.approx(won[run] / 4) for run in RUNS}
    assert sum(found.values()) == pytest.approx(1)


def test_cases_of_one_group_count_once():
    study = make(readers=("ann",), groups={"a": "one", "b": "one", "c": "one", "d": "two"})
    rate_all(study, "ann")
    study_store.lock(study)
    assert {row["share"].n for row in results(study).wins} == {2}


def test_one_reader_alone_has_nothing_to_agree_with():
    study = make(readers=("ann",))
    rate_all(study, "ann")
    study_store.lock(study)
    assert {row["note"] for row in results(study).agreement} == {"one reader: nothing to agree with"}


def test_a_study_locked_before_anybody_read_has_no_numbers():
    study = make()
    study_store.lock(study, "given up before it began")
    found = results(study)
    assert found.n_ratings == 0
    assert found.wins == found.pairs == found.ratings == found.repeats == []
    assert [math.isnan(row["active_s"]) for row in found.times] == [True, True]


def test_a_study_without_ranking_has_no_wins():
    study = make(questions=("edit",))
    rate_all(study, "ann")
    rate_all(study, "bob")
    study_store.lock(study)
    found = results(study)
    assert found.wins == []
    assert found.ratings[0]["edit"] == {"none": 1, "minor": 0, "major": 0}


def test_the_wrong_reference_is_counted_where_it_was_shown():
    study = make(readers=("ann",), show_reference=True)
    study_store.submit(study, "ann", "w", 0, answers(study), is_reference_wrong=True)
    study_store.lock(study, "one case is enough here")
    assert results(study).reference_wrong == 1


def test_nothing_is_analysed_or_exported_while_the_study_is_open():
    study = make()
    for look in (results, tables):
        with pytest.raises(StudyRefused, match="when the study is locked"):
            look(study)


def test_the_ratings_name_letters_alone_and_the_key_names_them_all(preferred):
    found = tables(preferred)
    ratings, key = csv_text(found["ratings"]), csv_text(found["key"])
    assert "unet" not in ratings
    assert "ab" * 32 not in ratings
    assert len(found["ratings"]) == len(found["key"]) == 2 * 5 * 3
    by_place = {(row["reader"], row["position"], row["letter"]): row["run"] for row in found["key"]}
    for row in found["ratings"]:
        is_favourite = by_place[row["reader"], row["position"], row["letter"]] == "set-unet-0"
        assert row["ranking"] == ("1" if is_favourite else "2")
    assert "set-unet-0" in key


def test_a_reader_code_that_looks_like_a_formula_is_harmless_in_the_files():
    study = make(readers=("=1+1",))
    rate_all(study, "=1+1")
    study_store.lock(study)
    for rows in tables(study).values():
        assert ",'=1+1," in csv_text(rows)
