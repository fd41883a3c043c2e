"""Orders of cases from rows as they are stored: worst first, with what put each there."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from core import Verdict
from pages.parts import worst
from pages.parts.worst import Listed

RUNS = {"r": "R", "s": "S"}


def row(run: str, case: str, dice: float, n_ref: int = 10, n_pred: int = 10, **more) -> dict:
    made = {"run": run, "model": run, "class": "tumour", "case": case}
    return made | {"dice": dice, "n_ref": n_ref, "n_pred": n_pred} | more


def stored(scores, cases=None, slices=(), n_unit="images", families=None):
    return SimpleNamespace(
        scores=scores,
        cases=cases or {},
        slices=list(slices),
        runs={"r": {}, "s": {}, "folds": {"trainings": ["r", "s"]}},
        header={"n_unit": n_unit},
        summary={"families": families or [{"family": "f", "runs": ["r", "s"]}]},
    )


def slice_row(run, case, index, ref, pred, both, differ=0):
    made = {"run": run, "case": case, "index": index, "disagreement_px": differ}
    return made | {"tumour_ref": ref, "tumour_pred": pred, "tumour_both": both}


def test_the_lowest_dice_comes_first_and_cases_without_a_lesion_are_not_in_it():
    results = stored(
        [
            row("r", "a", 0.9),
            row("r", "b", 0.0, n_pred=0),
            row("r", "c", math.nan, n_ref=0),
            row("s", "a", 0.1),
        ]
    )
    assert worst.lowest_dice(results, "r", "tumour") == [
        Listed("b", "Dice 0.00, nothing drawn"),
        Listed("a", "Dice 0.90"),
    ]


def test_a_volume_is_shown_at_its_slice_with_most_wrong_pixels_of_that_network():
    slices = [
        slice_row("r", "v", 3, ref=10, pred=10, both=10),
        slice_row("r", "v", 4, ref=10, pred=6, both=5),  # 5 missed, 1 extra
        slice_row("r", "v", 5, ref=0, pred=5, both=0),  # 5 extra
        slice_row("s", "v", 9, ref=50, pred=0, both=0),
    ]
    results = stored([row("r", "v", 0.5)], slices=slices, n_unit="volumes")
    assert worst.lowest_dice(results, "r", "tumour")[0].index == 4


def test_the_volumes_of_all_trainings_of_a_column_are_in_its_order():
    results = stored([row("r", "v1", 0.9), row("s", "v2", 0.1)])
    assert [one.case for one in worst.lowest_dice(results, "folds", "tumour")] == ["v2", "v1"]


def test_an_error_of_volume_counts_either_way_and_keeps_its_sign():
    rows = [
        row("r", "a", 0.5, volume_pred_ml=12.0, volume_ref_ml=10.0),
        row("r", "b", 0.5, volume_pred_ml=1.0, volume_ref_ml=9.0),
    ]
    found = worst.largest_volume_error(stored(rows, n_unit="volumes"), "r", "tumour")
    assert [(one.case, one.said) for one in found] == [("b", "-8.0 ml"), ("a", "+2.0 ml")]


def test_a_false_alarm_names_each_network_that_drew_and_the_largest_comes_first():
    rows = [
        row("r", "a", math.nan, 0, 40), row("s", "a", math.nan, 0, 7),
        row("r", "b", math.nan, 0, 0), row("s", "b", math.nan, 0, 1234),
        row("r", "c", math.nan, 0, 0), row("s", "c", math.nan, 0, 0),
        row("r", "d", 0.1), row("s", "d", 0.1),
    ]  # fmt: skip
    found = worst.false_alarms(stored(rows), RUNS, "tumour")
    assert [(one.case, one.said) for one in found] == [
        ("b", "S 1\u202f234\u00a0px"),
        ("a", "R 40\u00a0px, S 7\u00a0px"),
    ]


def test_a_false_alarm_on_ct_is_a_volume_shown_where_most_of_it_is():
    slices = [slice_row("r", "v", 3, 0, 5, 0), slice_row("r", "v", 4, 0, 9, 0)]
    rows = [row("r", "v", math.nan, 0, 14, volume_pred_ml=1.23)]
    found = worst.false_alarms(stored(rows, slices=slices, n_unit="volumes"), {"r": "R"}, "tumour")
    assert found == [Listed("v", "R 1.2 ml", 4)]


def test_disagreement_is_that_of_the_training_shown():
    cases = {
        "a": {"disagreement": 0.2, "family": 0},
        "b": {"disagreement": 0.7, "family": 0},
        "c": {"disagreement": 0.9, "family": 1},
        "d": {"disagreement": math.nan, "family": None},
    }
    families = [{"family": "f", "runs": ["r", "s"]}, {"family": "g", "runs": ["t"]}]
    results = stored([row("r", name, 0.5) for name in cases], cases, families=families)
    found = worst.disagreement(results, RUNS, "tumour")
    assert [(one.case, one.said) for one in found] == [("b", "disagreement 0.70"), ("a", "disagreement 0.20")]
    results.runs["t"] = {}
    assert worst.disagreement(results, {"t": "T"}, "tumour") == []


def test_flagged_data_are_listed_in_words_most_flags_first():
    cases = {
        "a": {"flags": ("several-masks",)},
        "b": {"flags": ()},
        "c": {"flags": ("no-mask", "burned-in-marks")},
    }
    results = stored([row("r", name, 0.5) for name in cases], cases)
    found = worst.flagged(results, RUNS, "tumour")
    assert [(one.case, one.said) for one in found] == [
        ("c", "no mask file, burned-in text or marks"),
        ("a", "several masks, joined"),
    ]


def verdict(reader, case, answer, weights="w1", *, wrong=False, index=None):
    answers = {"r": answer} if answer else {}
    return Verdict(reader, "x", "busi", case, index, {"r": weights}, answers, wrong)


@pytest.fixture
def trained():
    return [SimpleNamespace(name="r", weights_sha256="w1"), SimpleNamespace(name="s", weights_sha256="w2")]


def test_most_rejected_cases_come_first_and_only_verdicts_on_these_weights_count(trained):
    given = [
        verdict("A", "a", "minor"),
        verdict("A", "b", "reject"),
        verdict("B", "b", "major"),
        verdict("A", "c", "reject", weights="old"),
        verdict("A", "d", "accept", wrong=True),
        verdict("A", "elsewhere", "reject"),
    ]
    results = stored([row("r", case, 0.5) for case in "abcd"])
    found = worst.verdicts(results, RUNS, trained, given)
    assert [(one.case, one.said) for one in found] == [
        ("b", "1 × reject, 1 × major edit"),
        ("a", "1 × minor edit"),
        ("d", "1 × accept, reference called wrong by 1"),
    ]


def test_of_each_reader_the_newest_verdict_counts_and_its_slice_is_shown(trained):
    given = [verdict("A", "a", "reject", index=7), verdict("A", "a", "accept", index=7)]
    found = worst.verdicts(stored([row("r", "a", 0.5)]), RUNS, trained, given)
    assert [(one.said, one.index) for one in found] == [("1 × accept", 7)]
