"""The table lint on stored results: what a column is made of, and what keeps two from being comparable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.metrics.conventions import PAPER_TABLE_2
from core.results import Results
from core.table_checks import convention_checks, leakage_checks, stored_checks

TITLES = {"a": "A", "b": "B"}
# Two images of 100 pixels: tp 10 fp 10 fn 0, and tp 5 fp 0 fn 5. Dice 2/3 both; summed tp 15, fp 10, fn 5: 30/45.
MEANS = {"dice": 0.666667, "iou": 0.5, "recall": 0.75, "precision": 0.75}
POOLED = {"dice": 0.666667, "iou": 0.5, "recall": 0.75, "precision": 0.6, "accuracy": 0.925}


def record(run: str, metric: str, value: float | None, convention: str, **more) -> dict:
    row = {"run": run, "class": "tumour", "metric": metric, "convention": convention, "value": value, "n": 2}
    return row | {"rule": "lesion-cases", "threshold": "p>0.5", "grid": "native", "unit": "ratio"} | more


def results() -> Results:
    """Two runs that drew alike."""
    records, intervals = [], []
    for run in TITLES:
        records += [record(run, name, value, "per_case", undefined=0) for name, value in MEANS.items()]
        records.append(record(run, "hd95", 12.3456, "per_case", unit="px", undefined=1))
        records += [record(run, name, value, "pooled", prevalence=0.1) for name, value in POOLED.items()]
        intervals.append(
            {"run": run, "class": "tumour", "metric": "dice", "low": None, "note": "n < 5: points only"}
        )
    facts = {"split_sha256": "3f" * 32, "cases_sha256": "5b" * 32}
    summary = {"intervals": intervals, "paper": PAPER_TABLE_2}
    return Results("busi", {}, {run: dict(facts) for run in TITLES}, records, [], {}, summary)


def rules(linted) -> list[str]:
    return [one.rule for one in linted.findings]


def test_sound_tables_of_two_runs_pass_every_rule_that_concerns_them():
    found = stored_checks(results(), TITLES, "tumour")
    assert list(found) == ["per case", "pooled"]
    assert [rules(one) for one in found.values()] == [[], []]
    assert {"L03", "L09", "L10", "L12", "L14"} <= set(found["per case"].passed)
    assert {"L03", "L04", "L07", "L08", "L09"} <= set(found["pooled"].passed)


@pytest.mark.parametrize("field", ["split_sha256", "cases_sha256"])
def test_runs_of_another_split_or_case_list_are_not_comparable(field):
    stored = results()
    stored.runs["b"][field] = "99" * 32
    for one in stored_checks(stored, TITLES, "tumour").values():
        assert [finding.rule for finding in one.errors] == ["L09"]


def test_a_pooled_number_that_is_not_what_its_counts_give_is_found():
    stored = results()
    row = next(r for r in stored.records if r["convention"] == "pooled" and r["metric"] == "iou")
    row["value"] = 0.51
    assert rules(stored_checks(stored, TITLES, "tumour")["pooled"]) == ["L03"]


def test_an_interval_that_nobody_stored_is_found():
    stored = results()
    stored.summary["intervals"].pop()
    found = stored_checks(stored, TITLES, "tumour")
    assert found["per case"].findings[0].sentence == "Not stated: interval (B)."
    assert not found["pooled"].findings


def test_an_undefined_number_is_no_number():
    stored = results()
    for row in stored.records:
        if row["metric"] == "hd95":
            row["value"] = None
    found = stored_checks(stored, TITLES, "tumour")["per case"]
    assert not found.findings
    assert "L11" not in found.passed


def test_a_class_without_any_number_has_no_table():
    assert stored_checks(results(), TITLES, "liver") == {}


def test_a_tumour_dice_at_128_that_is_too_good_is_noted():
    stored = replace(results(), dataset="lits")
    stored.records.append(record("a", "dice", 0.93, "per_case_128", grid="128 x 128"))
    assert rules(stored_checks(stored, TITLES, "tumour")["per case"]) == ["L13"]


def test_under_the_papers_convention_our_own_figures_show_what_its_table_shows():
    stored = results()
    for run in TITLES:
        for name, value in {"iou": 0.8, "dice": 0.5, "precision": 0.6, "recall": 0.5}.items():
            stored.records.append(record(run, name, value, "paper-binary", grid="128 x 128"))
    found = convention_checks(stored, TITLES, "tumour")
    assert rules(found) == ["L02", "L03", "L04", "L10"]


def leakage(values: list[float]) -> Results:
    """One network under both protocols: a split by patient and a split by slice."""
    stored = replace(results(), dataset="lits", header={"threshold": "argmax"})
    stored.runs["b"] |= {"split_sha256": "99" * 32, "cases_sha256": "88" * 32}
    stored.summary["leakage"] = [
        {
            "model": "unet", "class": "tumour", "convention": "pooled", "grid": "128 x 128", "runs": ["a", "b"],
            "splits": ["lits-patient", "lits-slice"], "values": values, "n": [800, 130],
        }
    ]  # fmt: skip
    return stored


def test_unseen_patients_and_random_slices_are_not_comparable_and_the_better_figure_is_noted():
    found = leakage_checks(leakage([0.4, 0.93]), {"unet": "U-Net"}, "tumour")
    assert rules(found) == ["L09", "L13"]
    assert found.findings[0].sentence == "The columns differ in: split, case list."
    assert "U-Net on lits-slice 0.930" in found.findings[1].sentence
    assert rules(leakage_checks(leakage([0.4, 0.6]), {}, "tumour")) == ["L09"]
