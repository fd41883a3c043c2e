"""The table lint: one trigger for each rule, its neighbour that passes, and the paper's two tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.metrics import lint
from core.metrics.columns import PER_CASE, POOLED, Cell, Column, printed
from core.metrics.conventions import PAPER_TABLE_2, PAPER_TABLE_3
from core.table_checks import published_checks

# Counts tp 2, fp 2, fn 2, tn 10: accuracy .75, precision = recall = Dice = .5, IoU 1/3; and what it carries.
POOL = Column(
    title="A",
    cells={},
    aggregation=POOLED,
    class_name="tumour",
    dataset="lits",
    rule="counts of all summed",
    threshold="argmax",
    grid="native",
    split="3fa91c07",
    cases="5bd0",
    n=9,
)
MEAN = replace(POOL, aggregation=PER_CASE, rule="lesion-cases", interval="95 % bootstrap over groups")


def column(like: Column, numbers: dict[str, str], **changes) -> Column:
    return replace(like, cells={name: printed(text) for name, text in numbers.items()}, **changes)


def verdict(rule: str, *columns: Column) -> str:
    """What the lint says of one rule: its severity when found, "passed", or "nothing to check"."""
    said = lint.lint(columns)
    found = {one.rule: one.severity for one in said.findings}
    return found.get(rule, "passed" if rule in said.passed else "nothing to check")


TRIGGERS = {  # rule: severity, a column that breaks it, one that does not, one that it does not concern
    "L01": ("E", column(POOL, {"recall": "1.002"}), column(POOL, {"recall": "1.000"}), POOL),
    "L02": (
        "E",
        column(MEAN, {"iou": "0.729", "dice": "0.466"}),
        column(MEAN, {"iou": "0.466", "dice": "0.466"}),
        column(MEAN, {"dice": "0.466"}),
    ),
    "L03": (  # Dice .5 and .7 give a mean of .6 and a mean IoU of .4359, not below .4286
        "E",
        column(MEAN, {"iou": "0.420", "dice": "0.600"}),
        column(MEAN, {"iou": "0.436", "dice": "0.600"}),
        column(MEAN, {"dice": "0.600"}),
    ),
    "L04": (  # 2 x .6 x .4 / 1 = .48
        "W",
        column(POOL, {"precision": "0.600", "recall": "0.400", "dice": "0.470"}),
        column(POOL, {"precision": "0.600", "recall": "0.400", "dice": "0.480"}),
        column(MEAN, {"precision": "0.600", "recall": "0.400", "dice": "0.470"}),
    ),
    "L05": (  # 1 - 2/3 x .03 = .98
        "W",
        column(POOL, {"accuracy": "0.980", "dice": "0.970"}),
        column(POOL, {"accuracy": "0.981", "dice": "0.970"}),
        column(POOL, {"accuracy": "1.000", "dice": "1.000"}),
    ),
    "L06": (
        "W",
        column(POOL, {"precision": "0.500", "recall": "0.500", "dice": "0.500"}),
        column(POOL, {"precision": "0.501", "recall": "0.499", "dice": "0.500"}),
        column(POOL, {"precision": "1.000", "recall": "1.000", "dice": "1.000"}),
    ),
    "L07": (
        "W",
        column(POOL, {"accuracy": "0.949"}, prevalence=0.05),
        column(POOL, {"accuracy": "0.951"}, prevalence=0.05),
        column(POOL, {"accuracy": "0.949"}),
    ),
    "L10": ("E", replace(MEAN, interval=None), MEAN, None),
    "L11": (
        "E",
        column(MEAN, {"hd95": "5.2", "hd": "5.0"}),
        column(MEAN, {"hd95": "5.0", "hd": "5.0"}),
        column(MEAN, {"hd95": "5.0"}),
    ),
    "L12": ("W", column(MEAN, {"dice": "0.4657"}), column(MEAN, {"dice": "0.466"}), column(MEAN, {}, n=9)),
    "L13": (
        "W",
        column(MEAN, {"dice_128": "0.951"}),
        column(MEAN, {"dice_128": "0.850"}),
        column(MEAN, {"dice_128": "0.951"}, class_name="liver"),
    ),
}


@pytest.mark.parametrize("rule", TRIGGERS)
def test_a_rule_finds_its_fault_passes_its_neighbour_and_leaves_others_alone(rule):
    severity, broken, sound, other = TRIGGERS[rule]
    assert verdict(rule, broken) == severity
    assert verdict(rule, sound) == "passed"
    if other is not None:
        assert verdict(rule, other) == "nothing to check"


def test_columns_of_one_test_set_cannot_have_different_shares_of_the_class():
    # tp 2, fp 2, fn 2, tn 10: .25 of the pixels; tp 1, fp 3, fn 0, tn 12: accuracy .8125, P .25, R 1, share .0625
    first = column(POOL, {"accuracy": "0.75000", "precision": "0.50000", "recall": "0.50000"})
    other = column(POOL, {"accuracy": "0.81250", "precision": "0.25000", "recall": "1.00000"}, title="B")
    assert verdict("L08", first, other) == "W"
    said = next(one.sentence for one in lint.lint([first, other]).findings if one.rule == "L08")
    assert "A 0.2500, B 0.0625" in said
    assert verdict("L08", first, replace(first, title="B")) == "passed"
    assert verdict("L08", first, replace(other, cases="another set")) == "nothing to check"
    assert verdict("L08", first) == "nothing to check"


def test_digits_too_coarse_to_tell_two_shares_apart_are_no_finding():
    first = column(POOL, {"accuracy": "0.7", "precision": "0.5", "recall": "0.5"})
    other = column(POOL, {"accuracy": "0.8", "precision": "0.5", "recall": "0.5"}, title="B")
    assert verdict("L08", first, other) == "passed"


@pytest.mark.parametrize("field", ["split", "cases", "rule", "threshold", "grid"])
def test_columns_that_differ_in_what_they_share_are_not_comparable(field):
    other = replace(MEAN, title="B", **{field: "another"})
    assert verdict("L09", MEAN, other) == "E"
    assert lint.lint([MEAN, other]).errors
    assert verdict("L09", MEAN, replace(MEAN, title="B")) == "passed"
    assert verdict("L09", MEAN) == "nothing to check"


@pytest.mark.parametrize("field", ["n", "rule", "interval"])
def test_a_mean_needs_its_n_its_rule_and_its_interval(field):
    assert verdict("L10", replace(MEAN, **{field: None})) == "E"


def test_a_pooled_figure_needs_no_interval_but_its_n():
    assert verdict("L10", POOL) == "passed"
    assert verdict("L10", replace(POOL, n=None)) == "E"


def test_a_mean_over_defined_cases_says_how_many_were_left_out():
    counted = replace(MEAN, cells={"hd95": Cell(12.3, 0.05, 1, n=7, undefined=2)})
    assert verdict("L14", column(MEAN, {"hd95": "12.3"})) == "E"
    assert verdict("L14", counted) == "passed"
    assert verdict("L14", column(MEAN, {"dice": "0.466"})) == "nothing to check"


@pytest.mark.parametrize(
    ("numbers", "answer"),
    [
        ({"assd": "6.0", "hd": "5.0"}, "E"),
        ({"hd95": "0.0", "dice": "0.900"}, "E"),  # what one package says of a lesion that was missed
        ({"hd95": "0.0", "dice": "1.000"}, "passed"),
        ({"hd95": "0.0", "dice": "0.999"}, "passed"),  # one pixel of a long border is off
        ({"nsd_2mm": "1.000", "hd": "5.0"}, "E"),  # no point farther than 2 mm, but the farthest is at 5
        ({"nsd_5mm": "1.000", "hd": "5.0"}, "passed"),
        ({"nsd_2mm": "0.990", "hd": "5.0"}, "passed"),
    ],
)
def test_distances_must_not_contradict_each_other_or_the_overlap(numbers, answer):
    assert verdict("L11", column(MEAN, numbers)) == answer


def test_a_pooled_iou_belongs_to_one_dice_exactly():
    assert verdict("L03", column(POOL, {"iou": "0.333", "dice": "0.500"})) == "passed"
    assert verdict("L03", column(POOL, {"iou": "0.350", "dice": "0.500"})) == "E"
    assert verdict("L03", column(MEAN, {"iou": "0.350", "dice": "0.500"})) == "passed"


def test_means_over_different_cases_are_not_held_against_each_other():
    cells = {"iou": Cell(0.4, 0, 3, n=5), "dice": Cell(0.6, 0, 3, n=9)}
    assert verdict("L03", replace(MEAN, cells=cells)) == "nothing to check"


def test_a_value_that_is_not_finite_is_out_of_range():
    assert verdict("L01", replace(MEAN, cells={"hd95": Cell(float("inf"), 0, 1)})) == "E"


def test_from_a_thousand_cases_on_a_fourth_decimal_is_allowed():
    many = column(MEAN, {"dice": "0.4657"}, n=1000)
    assert verdict("L12", many) == "nothing to check"


def test_the_papers_table_2_has_exactly_these_findings():
    assert [one.rule for one in published_checks(PAPER_TABLE_2).findings] == [
        "L02", "L03", "L04", "L08", "L10", "L12",
    ]  # fmt: skip


def test_the_papers_table_3_has_exactly_these_findings():
    assert [one.rule for one in published_checks(PAPER_TABLE_3).findings] == ["L03", "L05", "L10", "L12"]


def test_table_2_implies_the_three_shares_of_lesion_that_one_test_set_cannot_have():
    said = {one.rule: one.sentence for one in published_checks(PAPER_TABLE_2).findings}
    assert "UNet 0.0538, MultiResUNet 0.0480, DCUNet 0.0570" in said["L08"]
    assert "UNet 0.7292 against 0.4657" in said["L02"]


def test_every_finding_is_one_sentence():
    for table in (PAPER_TABLE_2, PAPER_TABLE_3):
        for one in published_checks(table).findings:
            assert one.sentence.endswith(".")
            assert one.severity in ("E", "W")


def test_all_fourteen_rules_are_there_in_their_order():
    assert list(lint.RULES) == [f"L{number:02}" for number in range(1, 15)]
