"""Outlines of volumes as NIfTI files: on the grid of the source, with what they are beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
import pytest

from core import export, prepared, preprocess, reading, runs
from core.errors import DataMissing, DataRefused
from core.prepare import prepare
from core.records import Prediction, Run, Slice
from tests.core.volumes import anatomy, stored_as, write_case

RUN = "lits-unet-0"
CLASSES = ("background", "liver", "tumour")


def predict_many(run: str, slices: Sequence[Slice]) -> list[Prediction]:
    """A network that has learnt the reference by heart."""
    found = []
    for slice in slices:
        small = preprocess.small_labels(slice.reference)
        found.append(Prediction(run, slice.key, np.eye(3, dtype=np.float32)[small]))
    return found


def a_run(classes: tuple[str, ...] = CLASSES) -> Run:
    return Run(
        RUN, "lits", "unet", 0, 16, "strong", classes, "lits-patient", "5" * 64, "w" * 64, 3, {},
        {"git_commit": "abc"},
    )  # fmt: skip


@pytest.fixture
def volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: None) -> None:
    """Four volumes in LiTS layout, prepared, and a run that knows them."""
    for number, codes in enumerate(("LPS", "RAS", "PLI", "SAR")):
        write_case(tmp_path / "source", number, codes)
    prepare("lits", tmp_path / "source", "lits")
    monkeypatch.setattr(reading, "predict_many", predict_many)
    monkeypatch.setattr(runs, "read_run", lambda name: a_run())


def test_a_mask_stands_on_the_grid_of_its_source_whatever_the_orientation(
    tmp_path: Path, volumes: None
) -> None:
    _, labels = anatomy()
    for number, codes in enumerate(("LPS", "RAS", "PLI", "SAR")):
        path = export.export_volume(RUN, f"volume-{number}", tmp_path / f"mask-{number}.nii.gz")
        image = nibabel.load(path)
        source = nibabel.load(tmp_path / "source" / f"segmentation-{number}.nii.gz")
        np.testing.assert_array_equal(image.affine, source.affine)
        written = np.asanyarray(image.dataobj)
        assert written.dtype == np.uint8
        assert written.shape == source.shape
        stored, _ = stored_as(labels, codes)
        assert (written != stored).mean() < 0.01  # the way over 128 x 128 costs some pixels at the edges
        overlap = 2 * ((written > 0) & (stored > 0)).sum() / ((written > 0).sum() + (stored > 0).sum())
        assert overlap > 0.9


def test_slices_that_are_not_stored_are_background_and_each_other_is_as_on_screen(
    tmp_path: Path, volumes: None
) -> None:
    seen: list[tuple[int, int]] = []
    path = export.export_volume(
        RUN, "volume-1", tmp_path / "mask.nii", report=lambda done, total, text: seen.append((done, total))
    )
    shown = np.asanyarray(nibabel.load(path).dataobj)[::-1, ::-1].transpose(2, 1, 0)  # RAS to the screen
    stored = [entry.index for entry in prepared.list_slices("lits") if entry.case == "volume-1"]
    for index in range(len(shown)):
        if index in stored:
            slice = prepared.read_slice("lits", "volume-1", index)
            (prediction,) = predict_many(RUN, [slice])
            expected = reading.predicted_labels(prediction, slice.picture.shape)
        else:
            expected = np.zeros(shown.shape[1:], np.uint8)
        np.testing.assert_array_equal(shown[index], expected)
    assert seen[-1] == (25, 25)


def test_what_the_mask_is_stands_beside_it(tmp_path: Path, volumes: None) -> None:
    path = export.export_volume(RUN, "volume-0", tmp_path)
    assert path.name == "volume-0-lits-unet-0.nii.gz"
    beside = json.loads((tmp_path / "volume-0-lits-unet-0.json").read_text())
    assert beside["notice"] == (
        "Research and teaching use only. Not a medical device. Not for diagnosis or treatment."
    )
    assert beside["licence"] == "CC BY-NC-ND 4.0: do not redistribute"
    assert (beside["run"], beside["case"], beside["dataset"]) == (RUN, "volume-0", "lits")
    assert (beside["weights_sha256"], beside["split_sha256"]) == ("w" * 64, "5" * 64)
    assert beside["labels"] == {"0": "background", "1": "liver", "2": "tumour"}
    assert beside["slices"]["looked_at"] == sum(beside["slices_by_part_of_the_split"].values()) == 25
    assert (beside["slices"]["first"], beside["slices"]["last"]) == (2, 26)
    assert beside["date"].endswith("+00:00")


def test_nothing_is_replaced_unless_told_so(tmp_path: Path, volumes: None) -> None:
    path = tmp_path / "mask.nii.gz"
    path.write_bytes(b"mine")
    with pytest.raises(DataRefused, match=r"mask\.nii\.gz is there already") as refusal:
        export.export_volume(RUN, "volume-0", path)
    assert refusal.value.code == "exists"
    assert path.read_bytes() == b"mine"
    assert not (tmp_path / "mask.json").exists()
    export.export_volume(RUN, "volume-0", path, force=True)
    assert nibabel.load(path).shape == (24, 20, 30)


def test_a_wrong_name_case_or_network_is_refused(
    tmp_path: Path, volumes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataRefused, match=r"mask\.png: expected a folder, or a name"):
        export.export_volume(RUN, "volume-0", tmp_path / "mask.png")
    with pytest.raises(DataMissing, match="No volume volume-7 in lits"):
        export.export_volume(RUN, "volume-7", tmp_path)
    with pytest.raises(DataRefused, match="busi holds pictures"):
        export.export_volume(RUN, "volume-0", tmp_path, dataset="busi")
    monkeypatch.setattr(runs, "read_run", lambda name: a_run(("background", "tumour")))
    with pytest.raises(DataRefused, match="expected the classes background, liver, tumour of lits"):
        export.export_volume(RUN, "volume-0", tmp_path)
    assert list(tmp_path.glob("*.json")) == []


def test_the_same_mask_is_the_same_file(tmp_path: Path, volumes: None) -> None:
    one, two = (export.export_volume(RUN, "volume-2", tmp_path / f"{n}.nii.gz") for n in (1, 2))
    assert one.read_bytes() == two.read_bytes()
