"""Splits of CT volumes: whole patients on one side of the test, every volume tested once where there are few."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from core import split
from core.split_volumes import Member, make, part_of

NAMES = ("lits-patient", "lits-patient-2", "lits-patient-3", "lits-slice")
NINE = ((0, 1), (3,), (4,), (6, 7, 8, 9, 10))  # four patients, nine volumes


def volume(
    case: str, patient: str = "", ml: float | None = 1.0, slices: int = 40, margin: int = 10
) -> Member:
    """A volume whose liver begins and ends ``margin`` slices inside what is stored of it."""
    has_liver = tuple(margin <= k < slices - margin for k in range(slices))
    return Member(case, patient or case, ml, tuple(range(100, 100 + slices)), has_liver)


def volumes(count: int, seed: int = 0, share: float = 0.4) -> list[Member]:
    """Volumes of random patients of one to six volumes, some without tumour."""
    rng = np.random.default_rng(seed)
    made: list[Member] = []
    for number in range(count):
        joined = bool(made) and rng.random() < share
        patient = made[-1].patient if joined else f"volume-{number}"
        ml = 0.0 if rng.random() < 0.1 else float(rng.exponential(20))
        made.append(volume(f"volume-{number}", patient, ml, int(rng.integers(30, 60))))
    return made


def nine() -> list[Member]:
    return [volume(f"volume-{n}", f"volume-{group[0]}") for group in NINE for n in group]


def units(content: dict[str, Any]) -> dict[str, str]:
    return {unit: row["part"] for unit, row in content["cases"].items()}


def parts_of_slices(content: dict[str, Any], members: list[Member]) -> dict[tuple[str, int], str]:
    parts = units(content)
    return {(m.case, index): part_of(parts, m.case, index) for m in members for index in m.indices}


@pytest.mark.parametrize("count", [4, 9, 20, 29, 30, 45, 131])
@pytest.mark.parametrize("seed", range(4))
def test_no_patient_is_in_the_test_and_elsewhere(count: int, seed: int) -> None:
    members = volumes(count, seed, share=(0.0, 0.3, 0.6, 0.8)[seed])
    made = make(NAMES[:3], "lits", members, seed)
    assert "lits-patient" in made
    for content in made.values():
        where = defaultdict(set)
        patient = {m.case: m.patient for m in members}
        for (case, _), part in parts_of_slices(content, members).items():
            where[patient[case]].add(part)
        assert {"train", "validation", "test"} <= set().union(*where.values())
        for found in where.values():
            assert found == {"test"} or "test" not in found
        if "few patients" not in content["rule"]:
            assert {len(found) for found in where.values()} == {1}


def test_131_volumes_of_as_many_patients_are_parted_as_13_24_and_94() -> None:
    rng = np.random.default_rng(0)
    members = [volume(f"volume-{n}", ml=float(rng.exponential(30))) for n in range(131)]
    made = make(NAMES, "lits", members, 0)
    assert list(made) == ["lits-patient", "lits-slice"]
    content = made["lits-patient"]
    counts = Counter(units(content).values())
    assert counts["test"] in (13, 14)
    assert counts["validation"] in (23, 24)
    assert counts.total() == 131
    assert content["unit"] == "patient"
    for part in ("test", "validation", "train"):
        sizes = Counter(row["size"] for row in content["cases"].values() if row["part"] == part)
        assert max(sizes.values()) - min(sizes.values()) <= max(2, counts[part] // 10), part


@pytest.mark.parametrize("count", [3, 5, 9, 12, 29])
def test_few_volumes_are_each_tested_exactly_once(count: int) -> None:
    members = volumes(count, seed=count)
    made = make(NAMES[:3], "lits", members, 0)
    assert len(made) == min(3, len({m.patient for m in members}))
    tested = [case for content in made.values() for case, part in units(content).items() if part == "test"]
    assert sorted(tested) == sorted(m.case for m in members)


def test_nine_volumes_of_four_patients_have_the_largest_patient_tested_first() -> None:
    made = make(NAMES, "lits", nine(), 0)
    tested = [{c for c, part in units(made[n]).items() if part == "test"} for n in NAMES[:3]]
    assert tested == [
        {f"volume-{n}" for n in (6, 7, 8, 9, 10)},
        {"volume-0", "volume-1"},
        {"volume-3", "volume-4"},
    ]


def test_with_few_patients_validation_is_two_of_every_ten_liver_slices_of_each_volume() -> None:
    members = nine()
    content = make(NAMES, "lits", members, 0)["lits-patient"]
    found = parts_of_slices(content, members)
    for case in ("volume-0", "volume-1", "volume-3", "volume-4"):
        # 20 of 40 slices have liver, 110 to 129
        held_out = [index for index in range(100, 140) if found[case, index] != "train"]
        assert held_out == [114, 115, 124, 125]
        assert {found[case, index] for index in held_out} == {"validation"}
    assert content["excluded"] == {}
    assert "says nothing about unseen patients" in content["rule"]


def test_with_six_patients_left_whole_patients_are_spared_for_validation() -> None:
    members = [volume(f"volume-{n}", ml=n) for n in range(12)]
    for content in make(NAMES[:3], "lits", members, 0).values():
        assert Counter(units(content).values()) == {"test": 4, "validation": 2, "train": 6}
        assert content["excluded"] == {}


def test_the_study_s_split_draws_slices_with_liver_and_leaves_out_the_others() -> None:
    members = nine()
    content = make(NAMES, "lits", members, 0)["lits-slice"]
    counts = Counter(units(content).values())
    assert counts == {
        "test": 18,
        "validation": 32,
        "train": 130,
        "excluded": 180,
    }  # 180 with liver, 180 without
    assert content["unit"] == "slice"
    assert set(content["excluded"].values()) == {"no liver"}
    found = parts_of_slices(content, members)
    for m in members:
        for index, has in zip(m.indices, m.has_liver, strict=True):
            assert (found[m.case, index] != "excluded") == has
    parts_of_one_patient = {part for (case, _), part in found.items() if case == "volume-10"}
    assert parts_of_one_patient == {"train", "validation", "test", "excluded"}


@pytest.mark.parametrize("count", [9, 40])
def test_the_same_volumes_in_another_order_give_the_same_splits(count: int) -> None:
    members = volumes(count)
    shuffled = [members[i] for i in np.random.default_rng(1).permutation(count)]
    assert make(NAMES, "lits", members, 3) == make(NAMES, "lits", shuffled, 3)


def test_another_seed_gives_another_split_and_every_checksum_is_that_of_its_content() -> None:
    one, two = (make(NAMES, "lits", volumes(60), seed) for seed in (0, 1))
    for name in ("lits-patient", "lits-slice"):
        assert units(one[name]) != units(two[name])
        assert one[name]["sha256"] != two[name]["sha256"]
        assert one[name]["sha256"] == split.checksum(one[name])


def test_volumes_without_reference_or_liver_are_in_no_part_and_listed_with_the_reason() -> None:
    bare = Member("volume-98", "volume-98", None, (0, 1), (False, False))
    empty = Member("volume-99", "volume-99", 0.0, (), ())
    for content in make(NAMES, "lits", [*nine(), bare, empty], 0).values():
        assert content["excluded"]["volume-98"] == "no reference"
        assert content["excluded"]["volume-99"] == "no liver"
        assert {content["cases"][case]["part"] for case in ("volume-98", "volume-99")} == {"excluded"}


def test_a_split_that_would_leave_a_part_empty_is_not_made() -> None:
    assert list(make(NAMES, "lits", [volume("volume-0"), volume("volume-1", "volume-0")], 0)) == [
        "lits-slice"
    ]
    assert list(make(NAMES, "lits", [volume("volume-0"), volume("volume-1")], 0)) == [
        "lits-patient",
        "lits-patient-2",
        "lits-slice",
    ]
    assert make(NAMES, "lits", [volume("volume-0", slices=22)], 0) == {}
    assert make(NAMES, "lits", [], 0) == {}
