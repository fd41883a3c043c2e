"""Near-duplicates in a prepared set: grouped, flagged, kept together, and open to a reviewer's decision."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from core import places, prepared
from core.prepare import prepare


def copy_as(source: Path, old: str, new: str) -> None:
    for ending in ("", "_mask"):
        old_path = source / old.split("-")[0] / f"{old.replace('-', ' (')}){ending}.png"
        new_path = source / new.split("-")[0] / f"{new.replace('-', ' (')}){ending}.png"
        new_path.write_bytes(old_path.read_bytes())


@pytest.mark.usefixtures("in_process")
def test_twins_are_grouped_flagged_and_excluded_when_their_labels_differ(source: Path) -> None:
    copy_as(source, "benign-1", "benign-20")
    copy_as(source, "benign-2", "malignant-20")
    prepare("busi", source, "busi")
    entries = {entry.case: entry for entry in prepared.list_slices("busi")}
    assert entries["benign-20"].group == entries["benign-1"].group == "benign-1"
    assert entries["benign-20"].flags == ("near-duplicate",)
    assert entries["malignant-20"].flags == ("cross-class-group", "label-conflict", "near-duplicate")
    assert prepared.read_split("busi", "busi-group").parts["excluded"] == ("benign-2", "malignant-20")
    parts = {entries[case].parts["busi-group"] for case in ("benign-1", "benign-20")}
    assert len(parts) == 1


@pytest.mark.usefixtures("in_process")
def test_a_reviewers_decision_in_groups_csv_is_kept_and_honoured(source: Path) -> None:
    copy_as(source, "benign-1", "benign-20")
    prepare("busi", source, "busi")
    path = places.data("busi") / "groups.csv"
    rows = list(csv.DictReader(path.open(newline="")))
    assert list(rows[0]) == ["image", "group", "reason", "reviewer", "decision"]
    twin = next(row for row in rows if row["image"] == "benign-20")
    assert twin["reason"] == "benign-1: identical"
    twin |= {"reviewer": "AB", "decision": "cut"}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert not prepare("busi", source, "busi").is_unchanged
    assert {e.case: e.group for e in prepared.list_slices("busi")}["benign-20"] == "benign-20"
    twin = next(row for row in csv.DictReader(path.open(newline="")) if row["image"] == "benign-20")
    assert (twin["reviewer"], twin["decision"]) == ("AB", "cut")
    assert prepare("busi", source, "busi").is_unchanged


@pytest.mark.real
@pytest.mark.slow
def test_the_supplied_set_has_102_groups_of_near_duplicates_and_no_group_in_two_parts(
    real_data: Path,
) -> None:
    summary = prepare("busi", real_data / "busi", "busi")
    assert summary.cases == 685
    assert summary.refused == ()
    found = ("multi_image", "images_in_multi", "largest", "cross_class")
    assert [summary.groups[key] for key in found] == [102, 231, 6, 6]
    assert summary.flags["colour-overlay"] == 15
    assert summary.flags["several-masks"] == 17
    entries = prepared.list_slices("busi")
    excluded = prepared.read_split("busi", "busi-group").parts["excluded"]
    assert excluded == ("benign-433", "malignant-145")
    kept = [entry for entry in entries if entry.case not in excluded]
    where = {
        group: {e.parts["busi-group"] for e in kept if e.group == group} for group in {e.group for e in kept}
    }
    assert {len(parts) for parts in where.values()} == {1}
    naive = {e.group for e in kept if e.parts["busi-image"] == "train"}
    assert sum(e.group in naive for e in kept if e.parts["busi-image"] == "test") >= 8
