"""Order, repeats and letters of a reader study."""

from __future__ import annotations

from collections import Counter

import pytest

from core.study import order, shuffles

CASES = [f"case-{number}" for number in range(30)]
RUNS = ["one", "two", "three"]


def test_every_case_comes_once_and_a_tenth_of_them_again():
    counts = Counter(order(CASES, 0.1, 0, "ann"))
    assert set(counts) == set(CASES)
    assert Counter(counts.values()) == {1: 27, 2: 3}


def test_the_same_seed_and_reader_give_the_same_order_and_another_of_either_does_not():
    assert order(CASES, 0.1, 0, "ann") == order(CASES, 0.1, 0, "ann")
    assert order(CASES, 0.1, 0, "ann") != order(CASES, 0.1, 0, "bob")
    assert order(CASES, 0.1, 0, "ann") != order(CASES, 0.1, 1, "ann")


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 31])
@pytest.mark.parametrize("reader", ["ann", "bob", "eve"])
def test_a_repeat_never_follows_itself_and_comes_in_the_second_half(n, reader):
    found = order(CASES[:n], 0.3, 2, reader)
    again = [at for at, case in enumerate(found) if case in found[:at]]
    assert len(again) == min(n // 2, max(1, round(0.3 * n)))
    assert all(found[at] != found[at - 1] for at in again)
    assert all(at >= n / 2 for at in again)


def test_without_repeats_every_case_comes_once():
    assert sorted(order(CASES, 0, 0, "ann")) == sorted(CASES)


def test_letters_are_drawn_anew_for_every_reader_case_and_repeat():
    cases = ["a", "b"] * 20  # a case that is met again has letters of its own
    found = shuffles(RUNS, 0, "ann", cases)
    assert all(sorted(row) == sorted(RUNS) for row in found)
    assert found == shuffles(RUNS, 0, "ann", cases)
    assert found != shuffles(RUNS, 0, "bob", cases)
    assert len({row for row, case in zip(found, cases, strict=True) if case == "a"}) > 1


def test_no_network_has_a_letter_of_its_own():
    found = shuffles(RUNS, 0, "ann", [str(number) for number in range(600)])
    for letter in range(3):
        shares = Counter(row[letter] for row in found)
        assert all(150 < shares[run] < 250 for run in RUNS)  # 200 expected, standard deviation 11.5
