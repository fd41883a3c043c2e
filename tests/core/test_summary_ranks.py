"""The sentence about the order of networks: what it says, what it leaves open, and when it is silent."""

from __future__ import annotations

import math

import pytest

from core.summary_ranks import FIRST, sentence, with_lesion_free

MODELS = {"u": "unet", "m": "multiresunet", "d": "dcunet"}
TITLES = {"unet": "U-Net", "multiresunet": "MultiResUNet", "dcunet": "DC-UNet"}
ORDER = {
    "dataset": "busi", "class": "tumour", "n": 44, "n_unit": "groups",
    "share": {"u": [0.09, 0.3, 0.61], "m": [0.2, 0.5, 0.3], "d": [0.71, 0.2, 0.09]},
}  # fmt: skip


def pair(a, b, difference, low=math.nan, high=math.nan, p=0.01):
    return {"a": a, "b": b, "difference": difference, "low": low, "high": high, "p_holm": p}


def pairs(um=(-0.01, -0.03, 0.02), ud=(-0.022, -0.05, 0.01), md=(-0.012, -0.03, 0.01)):
    return [pair("u", "m", *um), pair("u", "d", *ud), pair("m", "d", *md)]


def said(order=None, found=None, models=MODELS):
    return sentence(ORDER | (order or {}), found or pairs(), models, TITLES)


def test_the_best_its_probability_the_difference_to_the_next_and_that_it_is_not_decided():
    assert said() == (
        "On these cases DC-UNet has the best mean tumour Dice with probability 0.71 (bootstrap over 44 groups); "
        "its difference to MultiResUNet, the next, is +0.012 [-0.010, +0.030]: not decided; the paper ranks "
        "MultiResUNet first, which these cases neither bear out nor refute."
    )


@pytest.mark.parametrize(("share", "said_so"), [(0.994, "0.99"), (0.995, "over 0.99"), (1.0, "over 0.99")])
def test_a_probability_is_never_rounded_up_to_certainty(share, said_so):
    shares = ORDER["share"] | {"d": [share, 0.0, 0.0]}
    assert f"with probability {said_so} (bootstrap" in said({"share": shares})


def test_an_interval_above_zero_and_the_test_against_every_network_decide_and_contradict_the_paper():
    text = said(found=pairs(ud=(-0.022, -0.05, -0.01), md=(-0.012, -0.03, -0.001)))
    assert "is +0.012 [+0.001, +0.030]: decided on these cases; this contradicts the paper" in text


@pytest.mark.parametrize(
    ("p", "why"),
    [(0.0587, "the paired test says p = 0.059 after Holm"), (math.nan, "too few for the paired test")],
)
def test_an_interval_above_zero_alone_decides_nothing_and_contradicts_nobody(p, why):
    text = said(found=pairs(ud=(-0.022, -0.05, -0.01), md=(-0.012, -0.03, -0.001, p)))
    assert "is +0.012 [+0.001, +0.030]: not decided" in text
    assert why in text
    assert text.endswith("the paper ranks MultiResUNet first, which these cases neither bear out nor refute.")


def test_a_test_that_does_not_agree_further_down_is_no_decision_against_that_network():
    text = said(found=pairs(ud=(-0.022, -0.05, -0.01, 0.2), md=(-0.012, -0.03, -0.001)))
    assert "not decided against U-Net;" in text
    assert "contradicts the paper" in text


def test_a_network_further_down_that_is_not_told_apart_is_named():
    assert "not decided against U-Net;" in said(found=pairs(md=(-0.012, -0.03, -0.001)))


def test_the_papers_own_first_is_said_to_be():
    text = said(found=pairs(um=(-0.02, -0.03, -0.01), md=(0.012, -0.01, 0.03)))
    assert text.startswith("On these cases MultiResUNet has the best")
    assert "with probability 0.20" in text
    assert text.endswith("not decided; the paper ranks it first too.")


def test_below_five_groups_there_is_neither_probability_nor_interval():
    few = pairs(um=(-0.01,), ud=(-0.022,), md=(-0.012,))
    text = said({"n": 3, "n_unit": "patients", "share": {}}, few)
    assert text == (
        "On these cases DC-UNet has the best mean tumour Dice, +0.012 against MultiResUNet, the next: too few "
        "to rank (n = 3 patients, no probability and no interval below 5); the paper ranks MultiResUNet first, "
        "which these cases neither bear out nor refute."
    )
    assert "(n = 1 patient, no" in said({"n": 1, "n_unit": "patients", "share": {}}, few)


@pytest.mark.parametrize(("n", "rough"), [(5, True), (19, True), (20, False)])
def test_below_twenty_groups_it_is_called_approximate(n, rough):
    assert ("approximate, n < 20" in said({"n": n})) is rough


def test_networks_that_share_the_first_place_are_both_named():
    text = said(found=pairs(ud=(-0.02, -0.03, -0.01), um=(-0.02, -0.03, -0.01), md=(0.0, 0.0, 0.0)))
    assert text == "On these cases MultiResUNet and DC-UNet share the best mean tumour Dice (44 groups)."


def test_where_nothing_is_defined_nothing_is_ranked():
    undefined = pairs(um=(math.nan,), ud=(math.nan,), md=(math.nan,))
    assert said({"n": 0, "share": {}}, undefined).startswith("Nothing to rank: none of the groups has")


def test_the_paper_is_left_out_on_other_data_and_where_its_first_was_not_trained():
    assert "paper" not in said({"dataset": "phantom_busi"})
    two = sentence(ORDER, [pair("u", "d", -0.02, -0.05, 0.01)], {"u": "unet", "d": "dcunet"}, TITLES)
    assert "paper" not in two


def test_both_tables_of_the_paper_have_multiresunet_first():
    assert FIRST == {"busi": "multiresunet", "lits": "multiresunet"}


def counted(whole, order=None, found=None, models=MODELS):
    """``whole``: difference and limits of each pair with lesion-free cases."""
    two = [
        row | {"with_lesion_free": {**dict(zip(("difference", "low", "high"), gap, strict=True)), "n": 52}}
        for row, gap in zip(found or pairs(), whole, strict=True)
    ]
    facts = ORDER | {"lesion_free": 8, "drawn_on": {"u": 1, "m": 2, "d": 6}} | (order or {})
    return with_lesion_free(facts, two, models, TITLES)


WHOLE = ((0.01, -0.02, 0.04), (0.03, 0.01, 0.05), (0.02, -0.01, 0.03))


def test_with_lesion_free_cases_counted_the_first_has_other_differences_from_its_own_side():
    assert counted(WHOLE) == (
        "Cases without a tumour: 8; drawn on by U-Net 1, MultiResUNet 2 and DC-UNet 6. With "
        "these counted too, 1 where nothing is drawn and else 0, the difference of DC-UNet is "
        "-0.030 [-0.050, -0.010] to U-Net and -0.020 [-0.030, +0.010] to MultiResUNet (52 groups)."
    )


def test_a_lead_that_is_gone_with_lesion_free_cases_is_named_and_one_that_stays_is_not():
    clear = pairs(ud=(-0.022, -0.05, -0.01), md=(-0.012, -0.03, -0.001))
    stays = ((0.01, -0.02, 0.04), (-0.03, -0.05, -0.01), (-0.02, -0.03, 0.01))
    assert counted(stays, found=clear).endswith("(52 groups): the lead over MultiResUNet is not seen there.")
    assert counted(WHOLE, found=clear).endswith(": the lead over U-Net and MultiResUNet is not seen there.")


def test_without_lesion_free_cases_or_without_a_single_leader_nothing_is_said():
    assert counted(WHOLE, {"lesion_free": 0}) == ""
    assert counted(WHOLE, {"n": 0}) == ""
    assert counted(WHOLE, found=pairs(ud=(0.0, 0, 0), um=(0.01, 0, 0), md=(-0.01, 0, 0))) == ""


def test_too_few_for_an_interval_are_said_as_points():
    points = tuple((gap[0], math.nan, math.nan) for gap in WHOLE)
    few = pairs(um=(-0.01,), ud=(-0.022,), md=(-0.012,))
    assert "is -0.030 to U-Net and -0.020 to MultiResUNet (52 groups)." in counted(points, found=few)
