"""Intervals, tests and their limits, against worked values."""

import math

import numpy as np
import pytest
from scipy import stats

from core.metrics import statistics

F9 = [0.1, 0.2, -0.05, 0.3, 0.15, 0.25, -0.02, 0.12]


def zeros(n):
    return [0.0] * n


def test_eight_differences_by_hand():
    found = statistics.paired(F9, zeros(8))
    assert (found.w_plus, found.w_minus) == (33, 3)
    assert found.p == pytest.approx(0.0390625)
    assert found.effect == pytest.approx(0.8333, abs=5e-5)
    assert (found.won, found.tied, found.lost) == (0.75, 0, 0.25)


def test_zeros_are_split_between_both_signs():
    found = statistics.paired([0, 0, 0.1, 0.2, -0.05, 0.3], zeros(6))
    assert found.effect == pytest.approx(4 / 7)
    assert found.tied == pytest.approx(1 / 3)


def test_exchanging_the_models_turns_difference_and_effect_round():
    rng = np.random.default_rng(0)
    a, b = rng.random(30), rng.random(30)
    one, other = statistics.paired(a, b), statistics.paired(b, a)
    assert one.difference.mean == pytest.approx(-other.difference.mean)
    assert one.effect == pytest.approx(-other.effect)
    assert one.p == pytest.approx(other.p)


def test_holm_corrects_in_the_order_given():
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_holm_never_exceeds_1_and_counts_a_hidden_p():
    found = statistics.holm([0.9, math.nan, 0.02])
    assert found[0] == 1
    assert math.isnan(found[1])
    assert found[2] == pytest.approx(0.06)


def test_identical_models_are_called_identical_with_p_1():
    found = statistics.paired(F9, F9, comparisons=3)
    assert (found.p, found.effect, found.note) == (1, 0, "identical")
    assert (found.difference.low, found.difference.mean, found.difference.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("n", "comparisons", "allowed"), [(6, 1, False), (6, 3, False), (7, 3, True), (7, 9, False)]
)
def test_seven_groups_are_the_fewest_for_three_pairs(n, comparisons, allowed):
    assert statistics.can_test(n, comparisons) is allowed


def test_too_few_groups_give_no_p_and_say_so():
    found = statistics.paired(F9[:6], zeros(6), comparisons=3)
    assert math.isnan(found.p)
    assert found.note == "no p: n = 6 is too small for 3 comparisons"
    assert math.isfinite(found.effect)


def test_seven_clear_wins_stay_below_5_percent_after_holm():
    p = statistics.paired(np.arange(1, 8) / 10, zeros(7), comparisons=3).p
    assert statistics.holm([p, 0.9, 0.9])[0] == pytest.approx(3 * 2**-6)


def test_four_groups_are_points_only():
    found = statistics.interval([0.1, 0.2, 0.3, 0.4])
    assert (found.mean, found.n, found.note) == (0.25, 4, "n < 5: points only")
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_nineteen_groups_are_approximate_and_twenty_are_not():
    values = np.random.default_rng(0).random(20)
    assert statistics.interval(values[:19]).note == "approximate, n < 20"
    assert statistics.interval(values).note == ""


def test_no_group_has_no_mean():
    found = statistics.interval([])
    assert math.isnan(found.mean)
    assert (found.n, found.note) == (0, "no group is defined")


def test_a_constant_sample_is_its_own_interval():
    found = statistics.interval([0.7] * 25)
    assert (found.low, found.mean, found.high) == (0.7, 0.7, 0.7)


def test_one_odd_value_out_of_many_still_has_finite_ends():
    found = statistics.interval([1.0] * 29 + [0.0])
    assert 0 <= found.low < found.mean < found.high <= 1


def test_the_interval_holds_the_mean_narrows_with_n_and_repeats():
    rng = np.random.default_rng(0)
    few, many = rng.normal(0.7, 0.1, 30), rng.normal(0.7, 0.1, 480)
    a, b = statistics.interval(few), statistics.interval(many)
    assert a.low < a.mean < a.high
    assert (a.high - a.low) / (b.high - b.low) == pytest.approx(4, rel=0.25)
    assert statistics.interval(few) == a


def test_a_group_counts_once_however_many_cases_it_has():
    found = statistics.group_means([1.0, 0.0, 0.0, 0.5, math.nan], ["a", "a", "a", "b", "c"])
    assert found == {"a": pytest.approx(1 / 3), "b": 0.5}


def test_a_clear_winner_takes_the_first_rank_every_time():
    rng = np.random.default_rng(0)
    base = rng.random(40)
    found = statistics.ranks(np.stack([base, base + 0.2, base - 0.2], axis=1))
    assert found.share == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert (found.tau, found.mean_then_rank, found.rank_then_mean) == (1, 1, 1)


def test_a_monotone_transform_keeps_the_ranks():
    table = np.random.default_rng(1).random((25, 3))
    assert statistics.ranks(table).rank_then_mean == statistics.ranks(np.exp(3 * table)).rank_then_mean


def test_two_ways_of_ranking_can_name_different_winners():
    table = np.array([[0.5, 0.45]] * 8 + [[0.0, 0.9]] * 2)
    found = statistics.ranks(table)
    assert (found.mean_then_rank, found.rank_then_mean) == (1, 0)
    assert "different winners" in found.note


def test_identical_models_have_no_winner_and_no_tau():
    found = statistics.ranks(np.tile(np.linspace(0, 1, 10)[:, None], (1, 3)))
    assert found.mean_then_rank is None
    assert math.isnan(found.tau)


def test_with_no_true_difference_groups_give_5_percent_false_alarms_and_slices_far_more():
    rng = np.random.default_rng(0)
    patients, slices, turns = 13, 40, 60
    by_group = by_slice = 0
    for _ in range(turns):
        effect = rng.normal(0, 0.1, patients)
        d = effect[:, None] + rng.normal(0, 0.05, (patients, slices))
        by_group += stats.wilcoxon(d.mean(axis=1)).pvalue < 0.05
        by_slice += stats.wilcoxon(d.ravel()).pvalue < 0.05
    assert by_group / turns < 0.15
    assert by_slice / turns > 0.5


@pytest.mark.parametrize(("patients", "said"), [(1, True), (19, True), (20, False), (131, False)])
def test_twenty_patients_are_no_longer_few(patients, said):
    assert (statistics.few(patients) == "") is not said
