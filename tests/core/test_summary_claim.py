"""Which network focuses more: differences by hand, on known cases, in three ways; sentences for either answer."""

import math

import numpy as np
import pytest

from core.summary_claim import NUMBERS, at_equal_dice, differences, means, verdicts

MODELS = {"m": "multiresunet", "u": "unet"}
TITLES = {"multiresunet": "MultiResUNet", "unet": "U-Net"}


def row(run, case, energy, dice=0.8, **changes):
    about = {"run": run, "case": f"c{case}", "index": 0, "group": f"g{case}", "class": "tumour"}
    numbers = dict.fromkeys(NUMBERS, math.nan) | {"energy_in_reference": energy}
    return {**about, "layer": "bottleneck", "method": "gradcam", "dice": dice, **numbers, **changes}


def pairs(gap, n=12, dice=(0.8, 0.8), **changes):
    made = []
    for at in range(n):
        made += [
            row("m", at, 0.4 + gap + at / 500, dice[0], **changes),
            row("u", at, 0.4, dice[1], **changes),
        ]
    return made


def of(found, way="raw", number="energy_in_reference"):
    return next(one for one in found if one["way"] == way and one["number"] == number)


def test_the_difference_is_taken_case_by_case_and_averaged_over_groups():
    rows = [row("m", 1, 0.5), row("u", 1, 0.2), row("m", 2, 0.5), row("u", 2, 0.4)]
    rows += [one | {"case": "c3", "group": "g2", "energy_in_reference": 0.4} for one in rows[2:]]
    found = of(differences(rows, MODELS))
    assert found["mean"] == pytest.approx((0.3 + 0.05) / 2)
    assert found["n"] == 2
    assert found["against"] == "unet"


def test_a_case_that_one_network_leaves_undefined_is_left_out_and_counted():
    rows = [*pairs(0.1, n=6), row("m", 9, math.nan), row("u", 9, 0.3)]
    found = of(differences(rows, MODELS))
    assert (found["n"], found["left_out"]) == (6, 1)


def test_only_cases_of_equal_quality_are_matched():
    rows = [*pairs(0.1, n=6), row("m", 20, 0.9, 0.9), row("u", 20, 0.1, 0.5)]
    assert of(differences(rows, MODELS))["n"] == 7
    matched = of(differences(rows, MODELS), "matched")
    assert matched["n"] == 6
    assert matched["mean"] == pytest.approx(0.105)


def test_a_gap_that_only_follows_dice_is_0_at_equal_dice():
    rng = np.random.default_rng(0)
    along = rng.normal(0.1, 0.1, 40)
    found = at_equal_dice(list(2 * along), list(along))
    assert found.mean == pytest.approx(0, abs=1e-12)
    shifted = at_equal_dice(list(0.3 + 2 * along + rng.normal(0, 0.05, 40)), list(along))
    assert shifted.low < 0.3 < shifted.high
    assert shifted.low > 0.2
    assert shifted.n == 40


def test_few_groups_have_no_line_and_equal_dice_the_plain_mean():
    assert math.isnan(at_equal_dice([0.1] * 7, [0.1] * 7).mean)
    assert at_equal_dice([0.1, 0.3] * 5, [0.0] * 10).mean == pytest.approx(0.2)


@pytest.mark.parametrize(("gap", "more", "less", "words"), [
    (0.1, 1, 0, "more focused in 1 of 1"), (-0.1, 0, 1, "less focused in 1"), (-0.011, 0, 0, "undecided in 1"),
])  # fmt: skip
def test_the_verdict_follows_the_interval_whichever_side_it_lies_on(gap, more, less, words):
    verdict = of(verdicts(differences(pairs(gap), MODELS), TITLES))
    assert (verdict["kinds"], verdict["more"], verdict["less"]) == (1, more, less)
    assert words in verdict["sentence"]
    assert "MultiResUNet against U-Net" in verdict["sentence"]
    assert "n = 12 groups" in verdict["sentence"]


def test_less_deviation_is_more_focus():
    rows = [one | {"deviation_mm": 20 * one["energy_in_reference"]} for one in pairs(-0.1)]
    verdict = of(verdicts(differences(rows, MODELS), TITLES), number="deviation_mm")
    assert (verdict["more"], verdict["less"]) == (1, 0)
    assert verdict["mean"] < 0
    assert " mm [" in verdict["sentence"]


def test_sparser_is_neither_better_nor_worse():
    rows = [one | {"sparseness": one["energy_in_reference"]} for one in pairs(0.1)]
    sentence = of(verdicts(differences(rows, MODELS), TITLES), number="sparseness")["sentence"]
    assert "higher in 1 of 1" in sentence


def test_the_last_layer_is_listed_but_not_counted():
    rows = pairs(0.1) + pairs(0.2, layer="decoder_1")
    found = differences(rows, MODELS)
    assert {one["layer"] for one in found} == {"bottleneck", "decoder_1"}
    assert of(verdicts(found, TITLES))["kinds"] == 1


def test_too_few_groups_are_said_in_words():
    assert of(verdicts(differences(pairs(0.1, n=3), MODELS), TITLES))["sentence"].endswith(
        "too few groups to tell."
    )


def test_means_hold_baselines_and_no_undefined_number():
    found = means([*pairs(0.1), row("m", 0, 0.1, method="baseline uniform")])
    assert {one["number"] for one in found} == {"energy_in_reference"}
    assert {one["method"] for one in found} == {"gradcam", "baseline uniform"}
    assert all(math.isfinite(one["mean"]) for one in found)
