"""The BUSI reader: every oddity of the published files is read, flagged or refused by name, never dropped."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.datasets import busi
from core.errors import DataRefused
from core.records import SliceEntry

SHAPE = (60, 80)
GREY = np.random.default_rng(0).integers(40, 100, SHAPE, dtype=np.uint8)


def save(folder: Path, name: str, pixels: np.ndarray, mode: str | None = None) -> Path:
    path = folder / name.split(" ")[0] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)
    return path


def disc(row: int = 30, column: int = 40, radius: int = 12) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (np.hypot(rows - row, columns - column) < radius).astype(np.uint8) * np.uint8(255)


def only(folder: Path) -> busi.RawSlice:
    (case,) = busi.find(folder)
    (raw,) = busi.read(case)
    return raw


def test_cases_come_in_natural_order_with_all_their_masks(tmp_path: Path) -> None:
    for name in ("benign (10)", "benign (2)", "normal (1)", "malignant (3)"):
        save(tmp_path, f"{name}.png", GREY)
    for ending in ("_mask", "_mask_1", "_mask_10", "_mask_2"):
        save(tmp_path, f"benign (2){ending}.png", disc())
    cases = busi.find(tmp_path)
    assert [case.id for case in cases] == ["benign-2", "benign-10", "malignant-3", "normal-1"]
    assert [path.stem for path in cases[0].masks] == [f"benign (2)_mask{e}" for e in ("", "_1", "_2", "_10")]


def test_the_folder_may_be_one_above(tmp_path: Path) -> None:
    save(tmp_path / "Dataset_BUSI_with_GT", "benign (1).png", GREY)
    assert busi.find(tmp_path) == busi.find(tmp_path / "Dataset_BUSI_with_GT")


@pytest.mark.parametrize("made", ["nothing", "empty", "two"])
def test_a_folder_in_another_layout_is_refused(tmp_path: Path, made: str) -> None:
    if made == "two":
        save(tmp_path / "one", "benign (1).png", GREY)
        save(tmp_path / "two", "benign (1).png", GREY)
    elif made == "empty":
        (tmp_path / "benign").mkdir()
    with pytest.raises(DataRefused) as refusal:
        busi.find(tmp_path)
    assert refusal.value.code == "layout"


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
def test_a_mask_of_any_mode_gives_the_same_reference(tmp_path: Path, mode: str) -> None:
    save(tmp_path, "benign (1).png", GREY)
    save(tmp_path, "benign (1)_mask.png", disc(), mode)
    raw = only(tmp_path)
    assert raw.reference is not None
    np.testing.assert_array_equal(raw.reference, disc() // 255)
    assert raw.flags == ()


def test_several_masks_are_merged_by_or_and_flagged(tmp_path: Path) -> None:
    save(tmp_path, "benign (1).png", GREY)
    save(tmp_path, "benign (1)_mask.png", disc(20, 20))
    save(tmp_path, "benign (1)_mask_1.png", disc(40, 60))
    raw = only(tmp_path)
    assert raw.reference is not None
    np.testing.assert_array_equal(raw.reference, (disc(20, 20) | disc(40, 60)) // 255)
    assert set(np.unique(raw.reference)) == {0, 1}
    assert raw.flags == ("several-masks",)


def test_grey_values_in_a_mask_are_thresholded_above_127_and_flagged(tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[0, :4] = (127, 128, 254, 1)
    save(tmp_path, "benign (1).png", GREY)
    save(tmp_path, "benign (1)_mask.png", mask)
    raw = only(tmp_path)
    assert raw.reference is not None
    assert raw.reference[0, :4].tolist() == [0, 1, 1, 0]
    assert raw.flags == ("mask-values",)


def test_a_mask_in_one_channel_counts(tmp_path: Path) -> None:
    mask = np.zeros((*SHAPE, 3), np.uint8)
    mask[..., 1] = disc()
    save(tmp_path, "benign (1).png", GREY)
    save(tmp_path, "benign (1)_mask.png", mask)
    raw = only(tmp_path)
    assert raw.reference is not None
    np.testing.assert_array_equal(raw.reference, disc() // 255)


def test_a_lesion_without_mask_has_no_reference_and_a_normal_one_an_empty_one(tmp_path: Path) -> None:
    save(tmp_path / "a", "benign (1).png", GREY)
    save(tmp_path / "b", "normal (1).png", GREY)
    assert only(tmp_path / "a").reference is None
    reference = only(tmp_path / "b").reference
    assert reference is not None
    assert not reference.any()
    assert only(tmp_path / "a").flags == only(tmp_path / "b").flags == ("no-mask",)


def test_empty_lesion_masks_and_tumours_in_normal_cases_are_flagged(tmp_path: Path) -> None:
    save(tmp_path / "a", "malignant (1).png", GREY)
    save(tmp_path / "a", "malignant (1)_mask.png", disc() * 0)
    save(tmp_path / "b", "normal (1).png", GREY)
    save(tmp_path / "b", "normal (1)_mask.png", disc())
    assert only(tmp_path / "a").flags == ("empty-lesion-mask",)
    assert only(tmp_path / "b").flags == ("normal-with-tumour",)


def test_a_mask_of_another_size_is_refused_by_name(tmp_path: Path) -> None:
    save(tmp_path, "benign (1).png", GREY)
    save(tmp_path, "benign (1)_mask.png", disc()[:, :-1])
    with pytest.raises(
        DataRefused, match=r"benign \(1\)_mask\.png: expected 80 x 60 like its picture, got 79 x 60"
    ):
        only(tmp_path)


def test_a_colour_frame_is_flagged_and_small_differences_are_not(tmp_path: Path) -> None:
    for name, value in (("a", 9), ("b", 8)):
        picture = np.stack([GREY] * 3, axis=2)
        picture[5, 5] = (100, 100, 100 + value)
        save(tmp_path / name, "normal (1).png", picture)
        save(tmp_path / name, "normal (1)_mask.png", disc() * 0)
    assert only(tmp_path / "a").flags == ("colour-overlay",)
    assert only(tmp_path / "b").flags == ()


def test_grey_is_the_rounded_mean_of_the_channels(tmp_path: Path) -> None:
    picture = np.zeros((*SHAPE, 3), np.uint8)
    picture[0, :3] = [(10, 11, 13), (10, 11, 12), (255, 255, 255)]
    save(tmp_path, "normal (1).png", picture)
    raw = only(tmp_path)
    assert raw.picture.dtype == np.uint8
    assert raw.picture[0, :3].tolist() == [11, 11, 255]


def test_sixteen_bit_pictures_are_scaled_by_their_full_range(tmp_path: Path) -> None:
    levels = np.zeros(SHAPE, np.uint16)
    levels[0, :3] = (0, 32768, 65535)
    save(tmp_path, "normal (1).png", levels)
    assert only(tmp_path).picture[0, :3].tolist() == [0, 128, 255]


def test_burned_in_crosses_are_flagged_and_bright_lines_across_the_beam_are_not(tmp_path: Path) -> None:
    tissue = np.full((200, 260), 60, np.uint8)
    tissue[50:53] = 250
    save(tmp_path / "lines", "normal (1).png", tissue)
    marked = tissue.copy()
    for row, column in ((90, 100), (130, 180)):
        marked[row - 4 : row + 5, column] = marked[row, column - 4 : column + 5] = 255
    save(tmp_path / "crosses", "normal (1).png", marked)
    assert "burned-in-marks" not in only(tmp_path / "lines").flags
    assert "burned-in-marks" in only(tmp_path / "crosses").flags


def test_files_that_belong_to_no_case_are_listed_with_the_reason(tmp_path: Path) -> None:
    save(tmp_path, "benign (1).png", GREY)
    save(tmp_path, "benign (7)_mask.png", disc())
    (tmp_path / "benign" / "Thumbs.db").write_bytes(b"")
    (tmp_path / "benign" / "malignant (1).png").write_bytes(b"")
    (tmp_path / "benign" / "benign (01).png").write_bytes(b"")
    pattern = "name is not of the pattern 'benign (1).png', 'benign (1)_mask.png'"
    assert busi.strays(tmp_path) == (
        ("benign/Thumbs.db", pattern),
        ("benign/benign (01).png", pattern),
        ("benign/benign (7)_mask.png", "mask without a picture"),
        ("benign/malignant (1).png", "named malignant in the folder benign"),
    )


def test_an_upload_is_a_slice_without_reference_and_its_refusal_names_no_file() -> None:
    held = io.BytesIO()
    Image.fromarray(GREY).save(held, format="PNG")
    held.seek(0)
    (raw,) = busi.admit(held)
    np.testing.assert_array_equal(raw.picture, GREY)
    assert raw.reference is None
    with pytest.raises(DataRefused, match="the picture is not a PNG file"):
        list(busi.admit(io.BytesIO(b"GIF89a" + bytes(100))))


def test_every_case_id_is_a_name_that_a_path_may_hold() -> None:
    assert SliceEntry("busi", "benign-433", 0, "g", "benign", (), 1, 1, 0).key == "busi/benign-433/0"


@pytest.mark.real
def test_the_supplied_set_has_685_cases_and_17_of_them_several_masks(real_data: Path) -> None:
    cases = busi.find(real_data / "busi")
    assert len(cases) == 685
    assert sum(len(case.masks) > 1 for case in cases) == 17
    assert busi.strays(real_data / "busi") == ()


@pytest.mark.real
def test_the_native_pictures_with_several_masks_are_read_whole(real_data: Path) -> None:
    cases = [case for case in busi.find(real_data / "busi_native") if len(case.masks) > 1]
    assert len(cases) == 17
    for case in cases[:6]:
        (raw,) = busi.read(case)
        parts = [
            busi.marked(np.atleast_3d(np.asarray(Image.open(p).convert("L"))))[0].sum() for p in case.masks
        ]
        assert raw.reference is not None
        assert max(parts) <= raw.reference.sum() <= sum(parts)
        assert "several-masks" in raw.flags
