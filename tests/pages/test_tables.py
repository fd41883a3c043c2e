"""The scoreboard's tables from rows as they are stored."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from core.metrics import tables as scored
from pages.parts import tables, volume_tables

RECORD = {"run": "r", "class": "tumour", "metric": "dice", "convention": "per_case", "value": 0.5, "n": 7}


def stored(**parts):
    usual = {"intervals": [], "comparisons": [], "false_alarms": [], "subgroups": []}
    return SimpleNamespace(
        records=[RECORD], scores=[], runs={}, header={"weights": {}}, summary=usual | parts
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "0.500"),
        ({"value": None, "why": "nothing is predicted"}, "n/a: nothing is predicted"),
        ({"metric": "false_alarm_rate", "value": 0.125}, "12 %"),
        ({"metric": "hd95", "unit": "px", "value": 12.34}, "12.3 px"),
    ],
)
def test_a_value_is_printed_with_its_unit_or_its_reason(change, text):
    assert tables.value(RECORD | change) == text


def test_a_distance_says_on_how_many_nothing_was_drawn():
    row = RECORD | {"metric": "hd95", "unit": "px", "value": 3.0, "missed": 2}
    assert tables.distance(row) == "3.0 px (n = 7, empty 2)"


def test_what_is_drawn_beside_a_lesion_does_not_find_it():
    rows = [{"n_ref": 10, "n_pred": n_pred, "tp": tp} for n_pred, tp in ((0, 0), (5, 0), (5, 5), (9, 1))]
    none = {"median_false_pixels": None, "median_false_ml": None}  # as stored: no lesion-free case here
    alarms = {"run": "r", "class": "tumour", **scored.false_alarms(rows), **none}
    results = stored(false_alarms=[alarms])
    assert tables.errors(results, {"r": "U-Net"}, "tumour").at["U-Net", "Lesions missed altogether"] == (
        "2 of 4 (nothing drawn: 1)"
    )
    shown = volume_tables.false_alarms(results, {"r": "U-Net"}, "tumour")
    assert shown.at["U-Net", "Volumes with tumour, missed altogether"] == "2 of 4 (nothing drawn: 1)"


def test_every_number_stands_over_its_own_n():
    results = stored()
    results.records = [
        RECORD | {"metric": metric, "convention": kind, "n": 5 if metric + kind == "precisionper_case" else 7}
        for metric in ("dice", "iou", "recall", "precision")
        for kind in ("per_case", "pooled")
    ]
    table = tables.overlap(results, {"r": "R"}, "tumour")
    assert list(table.columns) == ["R, per case", "R, pooled"]
    assert table.loc["precision".title(), "R, per case"] == "0.500 (n = 5)"
    assert list(table.loc["n images"]) == ["7", "7"]


def test_an_interval_has_as_many_digits_as_its_mean():
    row = {"run": "r", "class": "tumour", "n": 44, "n_unit": "groups", "note": ""}
    rows = [
        row | {"metric": "hd95", "value": 53.68, "low": 36.392, "high": 76.885},
        row | {"metric": "dice", "value": 0.6981, "low": 0.5872, "high": 0.7794},
    ]
    results = stored(intervals=rows)
    results.header["unit"] = "px"
    table = tables.interval_rows(results, {"r": "R"}, "tumour")
    assert list(table["Mean over groups"]) == ["53.7", "0.698"]
    assert list(table["95 % interval"]) == ["36.4 to 76.9", "0.587 to 0.779"]


PAIR = {
    "a": "r", "b": "s", "difference": 0.1, "low": 0.02, "high": 0.2, "n": 30, "p_holm": 0.04,
    "won": 0.6, "tied": 0.1, "lost": 0.3, "note": "", "kind": "", "n_unit": "groups",
}  # fmt: skip
TITLES = {"r": "R", "s": "S"}


def test_a_comparison_names_both_networks_and_its_interval():
    row = tables.comparison_rows(stored(comparisons=[PAIR]), TITLES).iloc[0]
    assert row["Comparison"] == "R minus S"
    assert row["95 % interval"] == "+0.020 to +0.200"
    assert row["p (Wilcoxon, Holm)"] == "0.040"


def test_beside_a_difference_stands_that_with_lesion_free_cases_where_it_is_stored():
    whole = {"difference": -0.0004, "low": -0.02, "high": 0.021, "n": 40}
    row = tables.comparison_rows(stored(comparisons=[PAIR | {"with_lesion_free": whole}]), TITLES).iloc[0]
    assert row["Lesion-free cases counted too"] == "+0.000 (-0.020 to +0.021)"
    none = tables.comparison_rows(stored(comparisons=[PAIR | {"with_lesion_free": None}]), TITLES)
    assert "Lesion-free cases counted too" not in none


def test_identical_networks_are_called_identical():
    pair = PAIR | {"difference": 0.0, "p_holm": 1.0, "note": "identical"}
    assert (
        tables.comparison_rows(stored(comparisons=[pair]), TITLES).iloc[0]["p (Wilcoxon, Holm)"]
        == "1 (identical)"
    )


def test_a_tiny_p_is_a_limit_and_no_zero():
    row = tables.comparison_rows(stored(comparisons=[PAIR | {"p_holm": 0.0002}]), TITLES).iloc[0]
    assert row["p (Wilcoxon, Holm)"] == "< 0.001"


def test_a_p_that_could_not_fall_below_005_is_not_given():
    pair = PAIR | {"p_holm": None, "low": None, "high": None, "n": 3}
    row = tables.comparison_rows(stored(comparisons=[pair]), TITLES).iloc[0]
    assert row["p (Wilcoxon, Holm)"] == "not given"
    assert row["95 % interval"] == "no interval"


def test_the_caution_under_comparisons_is_that_of_the_networks_shown():
    of_others = PAIR | {"a": "x", "b": "y", "kind": "not trained alike: epochs 36 and 18"}
    shown = PAIR | {"kind": "single run: compares these runs, not the architectures"}
    found = stored(comparisons=[of_others, shown])
    assert tables.comparison_caution(found, TITLES).startswith("Single run: compares these runs, not the")
    assert tables.comparison_caution(stored(comparisons=[of_others, PAIR | {"kind": ""}]), TITLES) == ""


def case(name, dice, n_ref=10, n_pred=10):
    row = {"run": "r", "model": "unet", "class": "tumour", "case": name}
    return row | {"dice": dice, "n_ref": n_ref, "n_pred": n_pred}


def test_a_case_without_a_lesion_is_in_no_spread():
    results = stored()
    results.scores = [case("a", 0.9), case("b", 0.1), case("c", 0.0, n_ref=0, n_pred=40)]
    assert tables.per_case(results, {"r": "R"}, "tumour", "dice") == {"unet": {"a": 0.9, "b": 0.1}}


def test_the_cases_of_a_column_are_those_of_all_its_trainings_and_whole_volumes_only():
    results = stored()
    results.scores = [
        case("v1", 0.9) | {"run": "f1", "unit": "volume"},
        case("v2", 0.1) | {"run": "f2", "unit": "volume"},
        case("v3", 0.1) | {"run": "f2", "unit": "slices"},
    ]
    results.runs = {"both": {"trainings": ["f1", "f2"]}, "f1": {}}
    assert list(tables.of_cases(results, "both", "tumour")) == ["v1", "v2"]
    assert list(tables.of_cases(results, "f1", "tumour")) == ["v1"]


def test_the_published_table_keeps_the_papers_names_order_and_digits():
    table = tables.published()
    assert list(table.columns) == ["UNet", "MultiResUNet", "DCUNet"]
    assert list(table.index) == [
        "Accuracy",
        "Recall",
        "Precision",
        "IoU",
        "Dice coeff.",
        "Binary Cross Entr.",
    ]
    assert table.loc["Precision", "DCUNet"] == ":gray-background[0.51207]"
