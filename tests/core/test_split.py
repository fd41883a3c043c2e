"""Splits: the paper's proportions, no group in two parts, the same for the same seed."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import numpy as np
import pytest

from core import split
from core.errors import DataRefused
from core.split import Member


def members(count: int = 200, seed: int = 0) -> list[Member]:
    """Cases like BUSI's: three classes, some groups of two to five pictures, a few across classes."""
    rng = np.random.default_rng(seed)
    tags = rng.choice(["benign", "malignant", "normal"], count, p=[0.56, 0.27, 0.17])
    group, made = "", []
    for number, tag in enumerate(tags):
        group = group if group and rng.random() < 0.3 else f"group-{number}"
        share = 0.0 if tag == "normal" else float(rng.uniform(0.01, 0.4))
        made.append(Member(f"{tag}-{number}", group, str(tag), f"pixels-{number}", share))
    return made


def parts(content: dict) -> dict[str, set[str]]:
    found = defaultdict(set)
    for case, row in content["cases"].items():
        found[row["part"]].add(case)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_in_two_parts(seed: int) -> None:
    made = members(seed=seed)
    content = split.make("busi-group", "busi", made, seed)
    where = defaultdict(set)
    for m in made:
        where[m.group].add(content["cases"][m.case]["part"])
    assert {len(found) for found in where.values()} == {1}


@pytest.mark.parametrize("name", ["busi-group", "busi-image"])
def test_a_tenth_is_for_the_test_and_a_fifth_of_the_rest_for_validation(name: str) -> None:
    found = parts(split.make(name, "busi", members(), 0))
    assert len(found["test"]) == pytest.approx(20, abs=2)
    assert len(found["validation"]) == pytest.approx(36, abs=3)
    assert len(found["train"]) == pytest.approx(144, abs=4)


@pytest.mark.parametrize("name", ["busi-group", "busi-image"])
def test_each_part_has_the_classes_in_the_proportions_of_the_whole(name: str) -> None:
    made = members(400)
    content = split.make(name, "busi", made, 0)
    whole = Counter(m.tag for m in made)
    for cases in parts(content).values():
        here = Counter(content["cases"][case]["tag"] for case in cases)
        for tag, count in whole.items():
            assert here[tag] / len(cases) == pytest.approx(count / 400, abs=0.08)


def test_the_naive_split_parts_near_duplicates() -> None:
    made = members()
    content = split.make("busi-image", "busi", made, 0)
    where = defaultdict(set)
    for m in made:
        where[m.group].add(content["cases"][m.case]["part"])
    assert max(len(found) for found in where.values()) > 1


def test_the_same_cases_in_another_order_give_the_same_split() -> None:
    made = members()
    assert split.make("busi-group", "busi", made, 3) == split.make("busi-group", "busi", made[::-1], 3)


def test_another_seed_gives_another_split_and_checksum() -> None:
    one, two = (split.make("busi-group", "busi", members(), seed) for seed in (0, 1))
    assert parts(one)["test"] != parts(two)["test"]
    assert one["sha256"] != two["sha256"]


def test_the_checksum_is_that_of_the_canonical_json_and_survives_a_file() -> None:
    content = split.make("busi-group", "busi", members(), 0)
    again = json.loads(json.dumps(content, indent=3))
    assert split.checksum(again) == content["sha256"]
    again["cases"]["benign-0" if "benign-0" in again["cases"] else next(iter(again["cases"]))]["part"] = (
        "moved"
    )
    assert split.checksum(again) != content["sha256"]


def test_identical_pictures_with_two_labels_are_excluded_with_the_reason() -> None:
    twins = [Member(f"{tag}-999", "twins", tag, "same pixels", 0.1) for tag in ("benign", "malignant")]
    content = split.make("busi-group", "busi", [*members(), *twins], 0)
    assert content["excluded"] == {"benign-999": "label conflict", "malignant-999": "label conflict"}
    assert parts(content)["excluded"] == {"benign-999", "malignant-999"}


def test_identical_pictures_with_one_label_stay() -> None:
    twins = [Member(f"benign-{n}", "twins", "benign", "same pixels", 0.1) for n in (998, 999)]
    assert split.make("busi-group", "busi", [*members(), *twins], 0)["excluded"] == {}


def test_a_case_without_reference_is_excluded_with_the_reason() -> None:
    content = split.make(
        "busi-group", "busi", [*members(), Member("benign-999", "g", "benign", "p", None)], 0
    )
    assert content["excluded"] == {"benign-999": "no reference"}


def test_a_group_across_classes_counts_as_its_majority_and_as_malignant_on_a_tie() -> None:
    made = [
        Member("benign-1", "a", "benign", "1", 0.1),
        Member("malignant-1", "a", "malignant", "2", 0.1),
        Member("benign-2", "b", "benign", "3", 0.1),
        Member("benign-3", "b", "benign", "4", 0.1),
        Member("malignant-2", "b", "malignant", "5", 0.1),
    ]
    assert split._majority(made) == ["malignant", "malignant", "benign", "benign", "benign"]


def test_sizes_are_terciles_of_the_share_of_the_picture_and_none_without_tumour() -> None:
    made = [Member(f"benign-{n}", f"g{n}", "benign", str(n), n / 100) for n in range(1, 31)]
    made += [Member(f"normal-{n}", f"h{n}", "normal", f"n{n}", 0.0) for n in range(1, 11)]
    cases = split.make("busi-group", "busi", made, 0)["cases"]
    assert Counter(row["size"] for row in cases.values()) == {
        "small": 10,
        "medium": 10,
        "large": 10,
        "none": 10,
    }
    assert cases["benign-1"]["size"] == "small"
    assert cases["benign-30"]["size"] == "large"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_cases_for_three_parts_are_refused(count: int) -> None:
    with pytest.raises(DataRefused, match="cannot be split") as refusal:
        split.make("busi-group", "busi", members()[:count], 0)
    assert refusal.value.code == "too_few"


def test_the_splits_that_runs_were_trained_on_are_the_same_as_ever() -> None:
    """Checksums of these 200 cases from before there were folds: another one would orphan every trained run."""
    found = [split.make(name, "busi", members(), 0)["sha256"][:16] for name in ("busi-group", "busi-image")]
    assert found == ["42a2d8fe89662307", "4f2344c2b0263d51"]


def test_five_folds_test_every_case_once_and_part_no_group() -> None:
    made = members()
    contents = [split.make(name, "busi", made, 0) for name in split.FOLDS]
    tested = [case for content in contents for case in parts(content)["test"]]
    assert sorted(tested) == sorted(m.case for m in made)
    for content in contents:
        where = defaultdict(set)
        for m in made:
            where[m.group].add(content["cases"][m.case]["part"])
        assert {len(found) for found in where.values()} == {1}
        assert len(parts(content)["test"]) == pytest.approx(40, abs=4)
        assert len(parts(content)["validation"]) == pytest.approx(32, abs=4)
    assert len({content["sha256"] for content in contents}) == len({c["rule"] for c in contents}) == 5


def test_a_set_too_small_for_five_folds_has_none_of_them_and_still_its_other_splits() -> None:
    few = [Member(f"benign-{n}", f"g{n}", "benign", str(n), 0.1) for n in range(4)]
    assert list(split.make_all(("busi-group", *split.FOLDS), "busi", few, 0)) == ["busi-group"]
    with pytest.raises(DataRefused):
        split.make_all(("busi-group", *split.FOLDS), "busi", few[:2], 0)
