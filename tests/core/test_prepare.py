"""Preparing a folder: what is stored, what is refused by name, and that no kill leaves half a state."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import atomic, guarded, places, prepared
from core.datasets import busi
from core.errors import DataMissing, DataRefused, JobBusy
from core.prepare import prepare
from core.preprocess import network_image, small_labels
from tests.core.conftest import COUNTS, content_of, serially, write_set


@pytest.mark.usefixtures("in_process")
def test_what_is_stored_is_what_the_reader_and_the_resizing_give(source: Path) -> None:
    summary = prepare("busi", source, "busi")
    assert (summary.cases, summary.refused, summary.strays, summary.is_unchanged) == (23, (), (), False)
    arrays = prepared.read_arrays("busi")
    cases = busi.find(source)
    assert [entry.case for entry in arrays.entries] == [case.id for case in cases]
    for position, case in enumerate(cases):
        (raw,) = busi.read(case)
        one = prepared.read_slice("busi", case.id)
        np.testing.assert_array_equal(one.picture, raw.picture)
        np.testing.assert_array_equal(one.reference, raw.reference)
        np.testing.assert_array_equal(one.image, network_image(raw.picture))
        np.testing.assert_array_equal(arrays.images[position], one.image)
        assert raw.reference is not None
        np.testing.assert_array_equal(arrays.labels[position], small_labels(raw.reference))
        entry = arrays.entries[position]
        assert (entry.height, entry.width) == raw.picture.shape
        assert entry.reference_pixels == np.count_nonzero(raw.reference)
        assert (entry.tag, one.spacing_mm) == (case.tag, None)


@pytest.mark.usefixtures("in_process")
def test_arrays_are_mapped_from_disk_and_cannot_be_written(source: Path) -> None:
    prepare("busi", source, "busi")
    arrays = prepared.read_arrays("busi")
    assert isinstance(arrays.images, np.memmap)
    assert (arrays.images.dtype, arrays.labels.dtype) == (np.float32, np.uint8)
    with pytest.raises(ValueError, match="read-only"):
        arrays.images[0] = 0


@pytest.mark.usefixtures("in_process")
def test_the_card_counts_tags_flags_and_files_and_names_source_and_licence(source: Path) -> None:
    prepare("busi", source, "busi")
    card = prepared.card_json("busi")
    assert card["tags"] == COUNTS
    assert card["card"]["licence"] == "CC BY 4.0"
    path = source / "benign" / "benign (3)_mask.png"
    expected = {"bytes": path.stat().st_size, "sha256": atomic.sha256_file(path)}
    assert card["source_files"]["benign/benign (3)_mask.png"] == expected
    assert len(card["source_files"]) == 46
    for name, row in card["files"].items():
        assert atomic.sha256_file(places.data("busi") / name) == row["sha256"]


@pytest.mark.usefixtures("in_process")
def test_every_case_is_in_one_part_of_each_split(source: Path) -> None:
    prepare("busi", source, "busi")
    everyone = {entry.case for entry in prepared.list_slices("busi")}
    for name in ("busi-group", "busi-image"):
        found = prepared.read_split("busi", name)
        assert set().union(*found.parts.values()) == everyone
        assert sum(map(len, found.parts.values())) == 23
        assert all(list(cases) == sorted(cases) for cases in found.parts.values())
        assert {e.parts[name] for e in prepared.list_slices("busi")} <= {"train", "validation", "test"}


@pytest.mark.usefixtures("in_process")
def test_a_second_run_does_nothing_and_says_so(source: Path) -> None:
    prepare("busi", source, "busi")
    before = {p: p.stat().st_mtime_ns for p in places.data("busi").rglob("*")}
    calls: list[str] = []
    summary = prepare("busi", source, "busi", report=lambda done, total, text: calls.append(text))
    assert summary.is_unchanged
    assert "nothing changed" in summary.text
    assert calls == []
    assert {p: p.stat().st_mtime_ns for p in places.data("busi").rglob("*")} == before


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    "damage", ["changed mask", "new case", "lost array", "short array", "broken card", "seed"]
)
def test_whatever_changed_is_prepared_again(source: Path, damage: str) -> None:
    prepare("busi", source, "busi")
    folder, seed = places.data("busi"), 0
    if damage == "changed mask":
        path = source / "benign" / "benign (1)_mask.png"
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    elif damage == "new case":
        write_set(source.parent / "more", {"benign": 13}, seed=1)
        for name in ("benign (13).png", "benign (13)_mask.png"):
            (source.parent / "more" / "benign" / name).rename(source / "benign" / name)
    elif damage == "lost array":
        (folder / "labels.npy").unlink()
    elif damage == "short array":
        os.truncate(folder / "images.npy", 1000)
    elif damage == "broken card":
        (folder / "card.json").write_text("{")
    else:
        seed = 1
    assert not prepare("busi", source, "busi", seed=seed).is_unchanged
    assert prepare("busi", source, "busi", seed=seed).is_unchanged
    assert len(prepared.read_arrays("busi").images) == (24 if damage == "new case" else 23)


@pytest.mark.usefixtures("in_process")
def test_refused_files_cost_their_case_only_and_are_listed_by_name(source: Path) -> None:
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(source / "benign" / "benign (2)_mask.png")
    (source / "benign" / "benign (3).png").write_bytes(b"\xff\xd8 not a PNG")
    (source / "normal" / "normal (9)_mask.png").write_bytes(b"")
    summary = prepare("busi", source, "busi")
    assert summary.cases == 21
    assert [(row["case"], row["code"]) for row in summary.refused] == [
        ("benign-2", "mask_size"),
        ("benign-3", "not_png"),
    ]
    assert prepared.card_json("busi")["refused"] == list(summary.refused)
    assert [row["file"] for row in summary.strays] == ["normal/normal (9)_mask.png"]
    for word in ("refused benign-2 (mask_size)", "benign (3).png is not a PNG", "normal (9)_mask.png"):
        assert word in summary.text


@pytest.mark.usefixtures("in_process")
def test_a_lesion_without_mask_is_kept_without_reference_and_excluded_from_splits(source: Path) -> None:
    (source / "benign" / "benign (2)_mask.png").unlink()
    prepare("busi", source, "busi")
    entry = next(e for e in prepared.list_slices("busi") if e.case == "benign-2")
    assert entry.reference_pixels is None
    assert "no-mask" in entry.flags
    assert prepared.read_slice("busi", "benign-2").reference is None
    assert prepared.read_split("busi", "busi-group").parts["excluded"] == ("benign-2",)
    last = prepared.read_slice("busi", "normal-5")
    assert last.reference is not None


@pytest.mark.usefixtures("in_process")
def test_a_set_with_nothing_readable_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad" / "benign").mkdir(parents=True)
    (tmp_path / "bad" / "benign" / "benign (1).png").write_bytes(b"")
    with pytest.raises(DataRefused, match="every case was refused") as refusal:
        prepare("busi", tmp_path / "bad", "busi")
    assert refusal.value.code == "no_cases"
    assert prepared.dataset_names() == ()


@pytest.mark.usefixtures("in_process")
def test_an_external_set_has_no_splits_and_nothing_trains_on_it(source: Path) -> None:
    summary = prepare("busi", source, "hospital_b")
    card = prepared.read_card("hospital_b")
    assert summary.splits == {}
    assert card.splits == ()
    assert card.classes == ("background", "tumour")
    assert "external" in card.title
    assert "CC BY" not in card.licence
    assert prepared.dataset_names() == ("hospital_b",)
    with pytest.raises(DataMissing, match="external test set: it has no splits and nothing trains on it"):
        prepared.read_split("hospital_b", "busi-group")
    assert prepared.list_slices("hospital_b")[0].parts == {}


@pytest.mark.parametrize("name", ["has-hyphen", "Upper", "../up", "", "a" * 65, "busi/..", "phantom busi"])
def test_a_name_that_run_folders_cannot_hold_is_refused(source: Path, name: str) -> None:
    with pytest.raises(DataRefused) as refusal:
        prepare("busi", source, name)
    assert refusal.value.code == "name"


def test_the_name_of_a_built_in_set_in_another_layout_is_refused(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from core import catalogues

    other = replace(busi.CARDS[0], name="livers", layout="another")
    monkeypatch.setattr(catalogues, "dataset_cards", lambda: {"livers": other})
    with pytest.raises(DataRefused, match="livers is built in with layout another"):
        prepare("busi", source, "livers")


@pytest.mark.parametrize("layout", ["phantom", "nothing"])
def test_a_layout_that_nothing_reads_is_refused(source: Path, layout: str) -> None:
    with pytest.raises(DataRefused, match=f"No layout '{layout}': expected one of busi"):
        prepare(layout, source, "busi")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="There is no folder"):
        prepare("busi", tmp_path / "nowhere", "busi")


@pytest.mark.usefixtures("in_process")
def test_a_full_disk_is_named_and_leaves_the_old_state(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare("busi", source, "busi")
    before = content_of(places.data("busi"))

    def full(path: Path, content: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "write_json", full)
    with pytest.raises(DataRefused, match="The disk is full") as refusal:
        prepare("busi", source, "busi", seed=1)
    assert refusal.value.code == "disk_full"
    assert content_of(places.data("busi")) == before
    assert [p.name for p in (places.data("busi").parent).iterdir() if p.is_dir()] == ["busi"]


@pytest.mark.usefixtures("in_process")
def test_two_preparations_of_one_set_do_not_meet(source: Path) -> None:
    from filelock import FileLock

    places.data("busi").parent.mkdir(parents=True)
    with (
        FileLock(places.data("busi").with_name(".busi.lock")),
        pytest.raises(JobBusy, match="being prepared"),
    ):
        prepare("busi", source, "busi")


@pytest.mark.slow
def test_child_processes_give_the_same_bytes_as_one_process(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, int]] = []
    prepare("busi", source, "busi", report=lambda done, total, text: calls.append((done, total)))
    assert calls[:-1] == [(done, 23) for done in range(1, 24)]
    by_children = content_of(places.data("busi"))
    monkeypatch.setattr(guarded, "each", serially)
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(source.parent / "again"))
    prepare("busi", source, "busi")
    assert content_of(places.data("busi")) == by_children
