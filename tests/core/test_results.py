"""Stored tables: written as harmless text, read back as they were, refused when changed."""

import csv
import json
import math

import pytest

from core import results
from core.errors import DataMissing, DataRefused

COUNTS = {"tp": 0, "fp": 0, "fn": 4, "tn": 12, "n_ref": 4, "n_pred": 0}
SCORE = {
    "run": "toy-unet-0",
    "case": "benign-1",
    "class": "tumour",
    **COUNTS,
    "dice": 0.0,
    "hd95_px": math.nan,
}
CASE = {"case": "benign-1", "tag": "benign", "flags": "no-mask;colour", "disagreement": 1 / 3, "height": 40}
SUMMARY = {
    "inputs": {"format": results.FORMAT},
    "header": {"rule": "lesion-cases", "runs": ["toy-unet-0"]},
    "runs": {"toy-unet-0": {"model": "unet"}},
    "records": [
        {"run": "toy-unet-0", "metric": "dice", "value": math.nan, "n": 0, "why": "no case is defined"}
    ],
}


@pytest.fixture(autouse=True)
def artifacts(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(tmp_path))
    return tmp_path


def store():
    results.write_results("toy", SUMMARY, [SCORE], [CASE])


def test_what_is_written_is_read_back_with_its_types():
    store()
    found = results.read_results("toy")
    row = found.scores[0]
    assert {key: row[key] for key in COUNTS} == COUNTS
    assert (row["run"], row["dice"], type(row["tp"])) == ("toy-unet-0", 0.0, int)
    assert math.isnan(row["hd95_px"])
    assert found.cases["benign-1"]["flags"] == ("no-mask", "colour")
    assert found.cases["benign-1"]["disagreement"] == 0.333333
    assert (found.header["rule"], found.runs) == ("lesion-cases", {"toy-unet-0": {"model": "unet"}})


def test_an_undefined_value_comes_back_with_its_reason():
    store()
    found = results.read_results("toy")
    assert found.scores[0]["why"]["hd95"] == "undefined (missed)"
    assert found.records[0]["value"] is None
    assert found.records[0]["why"] == "no case is defined"


SLICE = {
    "run": "toy-unet-0",
    "case": "volume-1",
    "index": 7,
    "liver_ref": 12,
    "liver_both": 3,
    "any_px": None,
}


def test_slices_of_volumes_are_a_fourth_file_and_whole_numbers(artifacts):
    results.write_results("toy", SUMMARY, [SCORE | {"lesions_ref": None, "burden_ref": 0.5}], [CASE], [SLICE])
    assert (artifacts / "results" / "toy" / results.SLICES).is_file()
    found = results.read_results("toy")
    assert found.slices == [SLICE]
    assert (found.scores[0]["lesions_ref"], found.scores[0]["burden_ref"]) == (None, 0.5)


def test_results_of_pictures_have_no_slices():
    store()
    assert results.read_results("toy").slices == []


def test_no_results_name_the_command_that_makes_them():
    with pytest.raises(DataMissing, match="python -m core evaluate toy"):
        results.read_results("toy")


@pytest.mark.parametrize("name", [results.SCORES, results.CASES, results.SLICES])
def test_a_table_changed_by_hand_is_refused(artifacts, name):
    results.write_results("toy", SUMMARY, [SCORE], [CASE], [SLICE])
    path = artifacts / "results" / "toy" / name
    path.write_text(path.read_text().replace("-1", "-2"))
    with pytest.raises(DataRefused, match=name):
        results.read_results("toy")


def test_results_of_another_format_are_refused(artifacts):
    results.write_results("toy", SUMMARY | {"inputs": {"format": 0}}, [SCORE], [CASE])
    with pytest.raises(DataRefused, match="format"):
        results.read_results("toy")


@pytest.mark.parametrize("content", ["{", "[]", "null"])
def test_a_broken_summary_is_refused(artifacts, content):
    store()
    (artifacts / "results" / "toy" / results.SUMMARY).write_text(content)
    with pytest.raises(DataRefused, match="python -m core evaluate toy"):
        results.read_results("toy")


def test_writing_the_same_numbers_twice_gives_the_same_bytes(artifacts):
    store()
    first = {path.name: path.read_bytes() for path in (artifacts / "results" / "toy").iterdir()}
    store()
    assert {path.name: path.read_bytes() for path in (artifacts / "results" / "toy").iterdir()} == first
    assert set(first) == {results.SCORES, results.CASES, results.SUMMARY}


RISKY = ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "＋1", "－1", "＠a", "\u00a0=1"]


@pytest.mark.parametrize("text", RISKY)
def test_a_text_that_could_be_a_formula_gets_an_apostrophe(text):
    written = results.csv_text([{"case": text, "note": text}])
    cells = list(csv.reader(written.splitlines(keepends=True)))[1]
    assert cells == [f"'{text}", f"'{text}"]


@pytest.mark.parametrize("text", [*RISKY, "'=1", "'", "plain", 'a,"b"', "ü · 3"])
def test_every_case_name_survives_writing_and_reading(text):
    assert results.parse_csv(results.csv_text([{"case": text}]))[0]["case"] == text


def test_numbers_stay_numbers_with_six_digits_and_undefined_ones_are_empty():
    row = {"dice": -0.123456789, "tp": -3, "iou": math.nan, "why": None, "x": math.inf, "met": True}
    assert results.csv_text([row]) == "dice,tp,iou,why,x,met\n-0.123457,-3,,,,true\n"


def test_a_column_name_that_could_be_a_formula_is_made_harmless_too():
    assert results.csv_text([{"=cmd": 1}]).startswith("'=cmd\n")


def test_chosen_columns_come_in_their_order_and_missing_ones_empty(tmp_path):
    path = results.write_csv(tmp_path / "x.csv", [{"a": 1, "b": 2}], ["b", "c"])
    assert path.read_text() == "b,c\n2,\n"


def test_json_never_holds_nan():
    made = results.tidy({"a": [math.nan, math.inf, 1 / 3, 2, True, None, "x"], "b": ({"c": -math.inf},)})
    assert json.loads(json.dumps(made, allow_nan=False)) == {
        "a": [None, None, 0.333333, 2, True, None, "x"],
        "b": [{"c": None}],
    }
