"""Preparing CT volumes: what is stored, what is done again, what is refused by name."""

from __future__ import annotations

import csv
import errno
import gzip
import os
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import atomic, catalogues, guarded, places, prepare_volumes, prepared
from core.datasets import lits
from core.errors import DataMissing, DataRefused
from core.prepare import prepare
from core.preprocess import network_stack, small_labels
from core.records import Volume
from tests.core.conftest import content_of, serially, write_volume

CASES = tuple(f"volume-{n}" for n in (0, 1, 3, 4, 5))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Volumes are read in this process; which ones, in order."""
    found: list[str] = []

    def watched(work: Any, jobs: Any, **_: object) -> Any:
        found.extend(job.case.id for job in jobs)
        return serially(work, jobs)

    monkeypatch.setattr(guarded, "each", watched)
    return found


def table(name: str) -> list[dict[str, str]]:
    with (places.data("lits") / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("in_process")
def test_what_is_stored_is_what_the_reader_and_the_resizing_give(livers: Path) -> None:
    summary = prepare("lits", livers, "lits")
    assert (summary.cases, summary.refused, summary.is_unchanged) == (5, (), False)
    arrays = prepared.read_arrays("lits")
    assert [(e.case, e.index) for e in arrays.entries] == [(case, k) for case in CASES for k in range(2, 30)]
    for number, case in enumerate(lits.find(livers)):
        raw = lits.read_volume(case)
        volume = prepared.read_volume("lits", case.id)
        assert isinstance(volume, Volume)
        assert (volume.indices, volume.spacing_mm) == (raw.indices, pytest.approx((2.5, 0.7, 0.8)))
        np.testing.assert_array_equal(volume.pictures, raw.pictures)
        assert raw.references is not None
        assert volume.references is not None
        np.testing.assert_array_equal(volume.references, raw.references)
        np.testing.assert_array_equal(volume.images, network_stack(raw.pictures, (-160, 240)))
        np.testing.assert_array_equal(arrays.images[28 * number : 28 * (number + 1)], volume.images)
        for at, index in enumerate(raw.indices):
            one = prepared.read_slice("lits", case.id, index)
            np.testing.assert_array_equal(one.picture, raw.pictures[at])
            np.testing.assert_array_equal(one.reference, raw.references[at])
            np.testing.assert_array_equal(one.image, volume.images[at])
            np.testing.assert_array_equal(arrays.labels[28 * number + at], small_labels(raw.references[at]))
            assert one.spacing_mm == pytest.approx((0.7, 0.8))
        assert prepared.volume_grid("lits", case.id) == (raw.grid, 30)


@pytest.mark.usefixtures("in_process")
def test_entries_count_each_class_alone_and_give_the_height_above_the_lowest_slice(livers: Path) -> None:
    prepare("lits", livers, "lits")
    entries = {entry.index: entry for entry in prepared.list_slices("lits") if entry.case == "volume-3"}
    outline = lits.read_volume(lits.find(livers)[2]).class_pixels
    assert outline is not None
    for index, entry in entries.items():
        assert entry.class_pixels == tuple(outline[index])
        assert entry.reference_pixels == sum(entry.class_pixels)
        assert entry.position_mm == pytest.approx(2.5 * index)
        assert (entry.height, entry.width, entry.tag) == (40, 36, "ct")
    assert entries[2].reference_pixels == 0
    assert entries[14].class_pixels == (165 - 21, 21)


@pytest.mark.usefixtures("in_process")
def test_every_slice_of_every_volume_is_in_the_table_and_the_stored_ones_are_marked(livers: Path) -> None:
    prepare("lits", livers, "lits")
    rows = table("slices.csv")
    assert [(row["case"], row["index"]) for row in rows] == [(c, str(k)) for c in CASES for k in range(30)]
    assert [row["index"] for row in rows[:30] if row["stored"] == "1"] == [str(k) for k in range(2, 30)]
    assert [row["index"] for row in rows[:30] if row["liver_pixels"] != "0"] == [
        str(k) for k in range(12, 20)
    ]
    assert [row["tumour_pixels"] for row in rows[12:20]] == ["0", "0", "12", "12", "12", "0", "0", "0"]
    assert rows[14]["liver_pixels"] == "165"  # with tumour, as liver is scored
    assert rows[4]["position_mm"] == "10.0"


@pytest.mark.usefixtures("in_process")
def test_the_card_counts_volumes_slices_and_patients_and_every_file(livers: Path) -> None:
    summary = prepare("lits", livers, "lits")
    card = prepared.card_json("lits")
    assert (card["cases"], card["slices"], card["groups"]["groups"]) == (5, 140, 4)
    assert card["volumes"] == {"slices": 150, "stored": 140, "with_liver": 40, "with_tumour": 15}
    assert card["splits"]["lits-slice"]["parts"] == {"train": 29, "validation": 7, "test": 4, "excluded": 100}
    for name, row in card["files"].items():
        assert atomic.sha256_file(places.data("lits") / name) == row["sha256"]
    on_disk = {p.relative_to(places.data("lits")).as_posix() for p in places.data("lits").rglob("*.*")}
    assert on_disk - set(card["files"]) == {"card.json", "groups.csv"}
    path = livers / "segmentation-4.nii.gz"
    assert card["source_files"]["segmentation-4.nii.gz"] == {"bytes": path.stat().st_size}
    assert len(card["source_files"]) == 10
    for words in (
        "5 volumes of 4 patients",
        "150 slices read now",
        "40 with liver",
        "140 stored",
        "split lits-slice: 29 train",
    ):
        assert words in summary.text


@pytest.mark.usefixtures("in_process")
def test_the_stored_voxels_have_the_same_checksum_whether_their_files_were_packed_or_not(
    livers: Path,
) -> None:
    prepare("lits", livers, "lits")
    packed = prepared.card_json("lits")
    for path in livers.glob("*.nii.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    prepare("lits", livers, "lits")
    plain = prepared.card_json("lits")
    assert "volume-4.nii" in plain["source_files"]
    assert plain["sha256"] == packed["sha256"]
    (livers / "volume-4.nii").write_bytes((livers / "volume-4.nii").read_bytes()[:-2] + b"\0\0")
    prepare("lits", livers, "lits")
    assert prepared.card_json("lits")["sha256"] != packed["sha256"]


@pytest.mark.usefixtures("in_process")
def test_splits_know_the_patients_that_look_the_same_in_lits_and_nowhere_else(livers: Path) -> None:
    prepare("lits", livers, "lits")
    assert [(row["case"], row["patient"], row["why"]) for row in table("groups.csv")][:3] == [
        ("volume-0", "volume-0", "by appearance"),
        ("volume-1", "volume-0", "by appearance"),
        ("volume-3", "volume-3", ""),
    ]
    assert prepared.read_split("lits", "lits-patient").parts["test"] == ("volume-0", "volume-1")
    entries = prepared.list_slices("lits")
    for name in ("lits-patient", "lits-patient-2", "lits-patient-3", "lits-slice"):
        found = prepared.read_split("lits", name)
        assert {e.case for e in entries if e.parts[name] == "test"} == {
            unit.partition("/")[0] for unit in found.parts["test"]
        }
    prepare("lits", livers, "clinic")
    assert {entry.group for entry in prepared.list_slices("clinic")} == set(CASES)
    assert prepared.list_slices("clinic")[0].parts == {}
    assert prepared.read_card("clinic").window_hu == (-160.0, 240.0)
    with pytest.raises(DataMissing, match="external test set"):
        prepared.read_split("clinic", "lits-patient")


def test_a_second_run_does_nothing_and_says_so(livers: Path, read: list[str]) -> None:
    prepare("lits", livers, "lits")
    before = {p: p.stat().st_mtime_ns for p in places.data("lits").rglob("*")}
    calls: list[str] = []
    summary = prepare("lits", livers, "lits", report=lambda done, total, text: calls.append(text))
    assert summary.is_unchanged
    assert "nothing changed, 5 cases" in summary.text
    assert (calls, read) == ([], list(CASES))
    assert {p: p.stat().st_mtime_ns for p in places.data("lits").rglob("*")} == before
    assert [p.name for p in places.data("lits").parent.iterdir() if p.is_dir()] == ["lits"]


def test_a_volume_that_is_added_or_changed_is_the_only_one_read(livers: Path, read: list[str]) -> None:
    prepare("lits", livers, "lits")
    inode = (places.data("lits") / "volumes" / "volume-1" / "pictures.npy").stat().st_ino
    read.clear()
    write_volume(livers, 8)
    write_volume(livers, 3, slices=34)
    summary = prepare("lits", livers, "lits")
    assert read == ["volume-3", "volume-8"]
    assert (summary.cases, summary.volumes["read_now"]) == (6, 64)
    assert (places.data("lits") / "volumes" / "volume-1" / "pictures.npy").stat().st_ino == inode
    after = content_of(places.data("lits"))
    shutil.rmtree(places.data("lits"))
    prepare("lits", livers, "lits")
    assert content_of(places.data("lits")) == after


def test_a_volume_that_is_gone_is_gone_and_nothing_is_read(livers: Path, read: list[str]) -> None:
    prepare("lits", livers, "lits")
    read.clear()
    for path in livers.glob("*-4.nii.gz"):
        path.unlink()
    assert prepare("lits", livers, "lits").cases == 4
    assert read == []
    assert not (places.data("lits") / "volumes" / "volume-4").exists()


@pytest.mark.parametrize("damage", ["lost array", "short array", "lost volume.json", "broken card", "seed"])
def test_what_is_damaged_is_read_again_and_nothing_else(livers: Path, read: list[str], damage: str) -> None:
    prepare("lits", livers, "lits")
    folder, seed, expected = places.data("lits"), 0, ["volume-3"]
    read.clear()
    if damage == "lost array":
        (folder / "volumes" / "volume-3" / "references.npy").unlink()
    elif damage == "short array":
        os.truncate(folder / "volumes" / "volume-3" / "pictures.npy", 1000)
    elif damage == "lost volume.json":
        (folder / "volumes" / "volume-3" / "volume.json").unlink()
    else:
        expected = []
        if damage == "seed":
            seed = 1
        else:
            (folder / "card.json").write_text("{")
    assert not prepare("lits", livers, "lits", seed=seed).is_unchanged
    assert read == expected
    assert prepare("lits", livers, "lits", seed=seed).is_unchanged


def test_without_links_volumes_are_read_again(
    livers: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    prepare("lits", livers, "lits")
    before = content_of(places.data("lits") / "volumes")
    monkeypatch.setattr(os, "link", no_links)
    read.clear()
    prepare("lits", livers, "lits", seed=1)
    assert read == list(CASES)
    assert content_of(places.data("lits") / "volumes") == before


def test_refused_volumes_cost_themselves_only_and_are_listed_by_name(livers: Path, read: list[str]) -> None:
    content = bytearray((livers / "volume-1.nii.gz").read_bytes())
    content[len(content) // 2] ^= 16
    (livers / "volume-1.nii.gz").write_bytes(content)
    write_volume(livers, 6, liver=range(0))
    (livers / "segmentation-77.nii.gz").write_bytes(b"")
    summary = prepare("lits", livers, "lits")
    assert summary.cases == 4
    assert [(row["case"], row["code"]) for row in summary.refused] == [
        ("volume-1", "damaged"),
        ("volume-6", "no_liver"),
    ]
    assert prepared.card_json("lits")["refused"] == list(summary.refused)
    assert summary.groups["groups"] == 4
    for words in ("refused volume-1 (damaged): volume-1.nii.gz", "segmentation-77.nii.gz"):
        assert words in summary.text
    assert prepare("lits", livers, "lits").is_unchanged
    read.clear()
    write_volume(livers, 1)
    assert prepare("lits", livers, "lits").cases == 5
    assert read == ["volume-1", "volume-6"]


def test_a_volume_whose_process_died_is_listed_and_tried_again_next_time(
    livers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(work: Any, jobs: Any, **_: object) -> Any:
        for position, job in enumerate(jobs):
            yield position, guarded.Lost("crashed") if job.case.id == "volume-4" else work(job)

    monkeypatch.setattr(guarded, "each", dying)
    summary = prepare("lits", livers, "lits")
    assert [(row["case"], row["code"]) for row in summary.refused] == [("volume-4", "crashed")]
    assert "volume-4.nii.gz: reading it ended the process" in summary.text
    monkeypatch.setattr(guarded, "each", serially)
    again = prepare("lits", livers, "lits")
    assert (again.cases, again.volumes["read_now"]) == (5, 30)


@pytest.mark.usefixtures("in_process")
def test_a_file_that_changes_while_it_is_read_is_refused(
    livers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = lits.read_volume

    def overtaken(case: Any) -> Any:
        raw = reading(case)
        os.utime(case.picture, (1, 1))
        return raw

    monkeypatch.setattr(lits, "read_volume", overtaken)
    with pytest.raises(
        DataRefused, match=r"every volume was refused, first volume-0\.nii\.gz: a file changed"
    ):
        prepare("lits", livers, "lits")
    assert prepared.dataset_names() == ()


@pytest.mark.usefixtures("in_process")
def test_a_volume_without_reference_is_kept_whole_and_is_in_no_part(livers: Path) -> None:
    write_volume(livers, 9, is_labelled=False)
    prepare("lits", livers, "lits")
    entries = [entry for entry in prepared.list_slices("lits") if entry.case == "volume-9"]
    assert [entry.index for entry in entries] == list(range(30))
    assert {(entry.reference_pixels, entry.class_pixels) for entry in entries} == {(None, ())}
    assert {part for entry in entries for part in entry.parts.values()} == {"excluded"}
    assert prepared.read_volume("lits", "volume-9").references is None
    assert prepared.read_slice("lits", "volume-9", 3).reference is None
    assert not prepared.read_arrays("lits").labels[-30:].any()
    assert table("slices.csv")[-1]["liver_pixels"] == ""


def test_given_groups_hold_until_others_are_given_and_their_names_are_not_stored(
    livers: Path, tmp_path: Path, read: list[str]
) -> None:
    prepare("lits", livers, "lits")
    read.clear()
    (tmp_path / "groups.csv").write_text("case,patient\nvolume-4,Miller\nvolume-5,Miller\n")
    prepare("lits", livers, "lits", groups=tmp_path / "groups.csv")
    expected = {"volume-0": "volume-0", "volume-1": "volume-1", "volume-5": "volume-4"}
    for _ in range(2):
        group = {entry.case: entry.group for entry in prepared.list_slices("lits")}
        assert {case: group[case] for case in expected} == expected
        prepare("lits", livers, "lits", seed=2)
    assert not any(b"Miller" in content for content in content_of(places.data("lits")).values())
    assert read == []
    (tmp_path / "groups.csv").write_text("case,patient\nvolume-99,a\n")
    with pytest.raises(DataRefused, match=r"groups\.csv, line 2"):
        prepare("lits", livers, "lits", groups=tmp_path / "groups.csv")
    with pytest.raises(DataRefused, match="groups of pictures are found, not given"):
        prepare("busi", livers, "busi", groups=tmp_path / "groups.csv")


Usage = namedtuple("Usage", "total used free")


def test_too_little_room_is_told_before_anything_is_read(
    livers: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1000, 0, 1000))
    with pytest.raises(
        DataRefused, match=r"too full for 5 volumes: about 0\.0 GB needed, 0\.0 GB free"
    ) as refusal:
        prepare("lits", livers, "lits")
    assert refusal.value.code == "disk_full"
    assert read == []


def test_room_that_runs_out_on_the_way_keeps_what_is_finished(
    livers: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([10**9] * 3)  # asked for all of them, for volume-0 and for volume-1
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, next(free, 1000)))
        with pytest.raises(DataRefused, match=r"for volume-3\.nii\.gz: about .* finished volumes are kept"):
            prepare("lits", livers, "lits")
    assert prepared.dataset_names() == ()
    read.clear()
    prepare("lits", livers, "lits")
    assert read == ["volume-3", "volume-4", "volume-5"]


def test_one_child_for_each_core_as_far_as_memory_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    for gigabytes, expected in ((64, 16), (8, 4), (1, 1)):
        pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": (gigabytes << 30) // 4096}
        monkeypatch.setattr(os, "sysconf", pages.__getitem__)
        assert prepare_volumes._workers() == expected


def test_progress_names_the_volume_and_the_speed(livers: Path, read: list[str]) -> None:
    calls: list[tuple[int, int, str]] = []
    prepare("lits", livers, "lits", report=lambda *call: calls.append(call))
    assert [(done, total) for done, total, _ in calls] == [(done, 5) for done in (1, 2, 3, 4, 5, 5)]
    assert calls[2][2].startswith("volume-3, ")
    assert calls[2][2].endswith("slices/s")


@pytest.mark.slow
def test_child_processes_give_the_same_bytes_as_one_process(
    livers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare("lits", livers, "lits")
    by_children = content_of(places.data("lits"))
    monkeypatch.setattr(guarded, "each", serially)
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(livers.parent / "again"))
    prepare("lits", livers, "lits")
    assert content_of(places.data("lits")) == by_children


@pytest.mark.usefixtures("in_process")
def test_a_card_of_phantoms_in_this_layout_groups_nothing_by_appearance(
    livers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantoms = replace(lits.CARDS[0], name="phantom_lits", synthetic=True)
    monkeypatch.setattr(catalogues, "dataset_cards", lambda: {"phantom_lits": phantoms})
    prepare("lits", livers, "phantom_lits")
    assert {entry.group for entry in prepared.list_slices("phantom_lits")} == set(CASES)


@pytest.mark.real
@pytest.mark.usefixtures("in_process")
def test_real_volumes_are_stored_as_scikit_image_resizes_them(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skimage.transform import resize

    cases = lits.find(real_data / "lits")[:2]
    monkeypatch.setattr(lits, "find", lambda folder: cases)
    summary = prepare("lits", real_data / "lits", "lits")
    assert (summary.cases, summary.refused, summary.groups["groups"]) == (2, (), 1)
    assert list(summary.splits) == ["lits-slice"]  # one patient cannot be tested on itself
    for entry in prepared.list_slices("lits")[::20]:
        one = prepared.read_slice("lits", entry.case, entry.index)
        scaled = (np.clip(one.picture.astype(float), -160, 240) + 160) / 400
        expected = resize(scaled, (128, 128), order=1, mode="reflect", anti_aliasing=True)
        np.testing.assert_allclose(one.image[..., 0], expected, atol=1e-5)
