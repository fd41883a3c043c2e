"""BUSI, breast ultrasound images with outlines of tumours, in the folders and file names it is published in."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from core import gate, split
from core.cards import DatasetCard
from core.datasets._raw import Case, RawSlice
from core.errors import DataRefused

TAGS = ("benign", "malignant", "normal")
SPLITS = ("busi-group", "busi-image", *split.FOLDS)  # the first is the default
COLOUR_DIFFERENCE = 8  # grey levels between channels; more is a colour frame or a drawn mark
MIN_STROKES = 2  # from here on a picture is flagged as carrying text or calliper marks

CARDS = (
    DatasetCard(
        name="busi",
        title="BUSI breast ultrasound",
        modality="breast ultrasound",
        classes=("background", "tumour"),
        channels=1,
        group="near-duplicate cluster",
        source="Dataset_BUSI_with_GT, Baheya Hospital, Cairo, 2018",
        licence="CC BY 4.0",
        citation="Al-Dhabyani et al., Dataset of breast ultrasound images, Data in Brief 28:104863 (2020)",
        synthetic=False,
        layout="busi",
        splits=SPLITS,
        unit="px",
        known_defects=(
            "near-duplicate images, some of them in two classes",
            "burned-in text and calliper marks",
            "images of the axilla and colour frames among the breast images",
            "no patient identifiers: groups are near-duplicate clusters, not patients",
            "no physical scale: distances and areas are in pixels of the source picture",
        ),
    ),
)

_NAME = re.compile(r"(benign|malignant|normal) \((0|[1-9]\d{0,5})\)(_mask(?:_(\d{1,3}))?)?\.png")


def find(folder: Path) -> tuple[Case, ...]:
    """The cases under ``folder`` (Dataset_BUSI_with_GT, or a folder that holds it), by class and number.

    A picture without a mask is a case too. DataRefused ("layout") when there is no class folder or no picture.
    """
    pictures, masks, _ = _scan(folder)
    if not pictures:
        raise DataRefused("layout", f"No pictures named like 'benign (1).png' under {folder}.")
    order = sorted(pictures, key=lambda key: (TAGS.index(key[0]), key[1]))
    return tuple(
        Case(f"{tag}-{number}", tag, pictures[tag, number], tuple(p for _, p in sorted(masks[tag, number])))
        for tag, number in order
    )


def strays(folder: Path) -> tuple[tuple[str, str], ...]:
    """Files under the class folders that belong to no case: (relative name, why), sorted by name."""
    pictures, masks, others = _scan(folder)
    orphans = [
        (_relative(p), "mask without a picture")
        for k, row in masks.items()
        if k not in pictures
        for _, p in row
    ]
    return tuple(sorted(others + orphans))


def read(case: Case) -> Iterator[RawSlice]:
    """The one slice of a BUSI case: grey picture (H, W) uint8 and the OR of its masks as labels 0 and 1.

    Without a mask the reference of a normal case is empty, that of any other is None; both are flagged. Flags:
    no-mask, several-masks, mask-values, colour-overlay, burned-in-marks, empty-lesion-mask, normal-with-tumour.
    DataRefused when a file is refused by the gate, or ("mask_size") when a mask and its picture differ in size.
    """
    pixels = gate.png(gate.file_bytes(case.picture), case.picture.name)
    picture, flags = grey(pixels), picture_flags(pixels)
    merged = np.zeros(picture.shape, dtype=bool)
    for path in case.masks:
        mask, odd = marked(gate.png(gate.file_bytes(path), path.name))
        if mask.shape != picture.shape:
            expected, got = _size(picture), _size(mask)
            raise DataRefused("mask_size", f"{path.name}: expected {expected} like its picture, got {got}.")
        merged |= mask
        flags += ["mask-values"] if odd else []
    yield RawSlice(picture, *_reference(case, merged, flags), spacing_mm=None)


def admit(file: BinaryIO) -> Iterator[RawSlice]:
    """The picture in an untrusted open file, as a slice without reference or tag.

    At most 20 MB are read. DataRefused never names the file.
    """
    pixels = gate.png(file.read(gate.MAX_BYTES + 1))
    yield RawSlice(grey(pixels), None, "", tuple(picture_flags(pixels)))


def upright_strokes(picture: np.ndarray) -> int:
    """How many thin upright bright strokes a grey picture (H, W) uint8 has: parts of letters and calliper crosses.

    A beam is wide: tissue does not rise and fall by 70 grey levels within 3 columns (of a picture 320 pixels wide)
    over 4 rows, drawn marks do. The maker's sign in the upper left corner is left out. Judged by eye on samples of
    30 real pictures: with 2 strokes or more all carried marks, with none none did, with exactly one about half;
    thin dotted lines without a cross go unseen, a specular reflection of a needle could count.
    """
    from scipy import ndimage

    shrink = 320 / max(320, *picture.shape)
    height, width = (max(1, round(side * shrink)) for side in picture.shape)
    small = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
    level = np.pad(np.asarray(small, dtype=np.int16), ((0, 0), (3, 3)), mode="edge")
    stands_out = level[:, 3:-3] - np.maximum(level[:, :-6], level[:, 6:]) > 70
    stands_out[:20, :100] = False
    components, _ = ndimage.label(stands_out, np.ones((3, 3)))
    return sum(rows.stop - rows.start >= 4 for rows, _ in ndimage.find_objects(components))


def _reference(
    case: Case, merged: np.ndarray, flags: list[str]
) -> tuple[np.ndarray | None, str, tuple[str, ...]]:
    if not case.masks:
        flags = [*flags, "no-mask"]
    elif len(case.masks) > 1:
        flags = [*flags, "several-masks"]
    if case.tag == "normal" and merged.any():
        flags = [*flags, "normal-with-tumour"]
    if case.tag != "normal" and case.masks and not merged.any():
        flags = [*flags, "empty-lesion-mask"]
    known = bool(case.masks) or case.tag == "normal"
    return (merged.astype(np.uint8) if known else None), case.tag, tuple(sorted(set(flags)))


def _scan(folder: Path) -> tuple[dict, dict, list[tuple[str, str]]]:
    """Pictures by (tag, number), masks by (tag, number), and what matches neither pattern."""
    root = _root(folder)
    pictures: dict[tuple[str, int], Path] = {}
    masks: dict[tuple[str, int], list[tuple[int, Path]]] = defaultdict(list)
    others: list[tuple[str, str]] = []
    for tag in TAGS:
        for path in sorted((root / tag).iterdir()) if (root / tag).is_dir() else []:
            match = _NAME.fullmatch(path.name)
            if match is None:
                others.append(
                    (_relative(path), "name is not of the pattern 'benign (1).png', 'benign (1)_mask.png'")
                )
            elif match[1] != tag:
                others.append((_relative(path), f"named {match[1]} in the folder {tag}"))
            elif match[3]:
                masks[tag, int(match[2])].append((int(match[4] or 0), path))
            else:
                pictures[tag, int(match[2])] = path
    return pictures, masks, others


def _root(folder: Path) -> Path:
    """The folder that holds the class folders: ``folder`` itself or its only child that does."""
    if not folder.is_dir():
        raise DataRefused(
            "layout", f"There is no folder {folder}. Give the folder of BUSI with --from FOLDER."
        )
    candidates = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    holders = [p for p in candidates if any((p / tag).is_dir() for tag in TAGS)]
    if not holders:
        expected = "the folders benign, malignant and normal (or one folder that holds them)"
        raise DataRefused("layout", f"{folder}: expected {expected}, found none of them.")
    if folder not in holders and len(holders) > 1:
        raise DataRefused(
            "layout", f"{folder}: {len(holders)} data sets in one folder. Give one of them with --from."
        )
    return holders[0]


def grey(pixels: np.ndarray) -> np.ndarray:
    """(H, W) uint8: mean of the channels, rounded; 16-bit values scaled by their full range."""
    channels = _channels(pixels)
    if len(channels) == 1:
        return np.ascontiguousarray(channels[0])
    red, green, blue = (channel.astype(np.uint16) for channel in channels)
    return np.asarray((red + green + blue + 1) // 3, dtype=np.uint8)


def marked(pixels: np.ndarray) -> tuple[np.ndarray, bool]:
    """Foreground where any channel is above 127; and whether there are values other than 0 and 255."""
    channels = _channels(pixels)
    odd = any(bool(((channel != 0) & (channel != 255)).any()) for channel in channels)
    return reduce(np.maximum, channels) > 127, odd


def _channels(pixels: np.ndarray) -> list[np.ndarray]:
    """The channels one by one, uint8: reducing along an axis of three is five times slower."""
    if pixels.dtype != np.uint8:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return [pixels[..., channel] for channel in range(pixels.shape[2])]


def picture_flags(pixels: np.ndarray) -> list[str]:
    """Notes on the quality of a picture (H, W, 1 or 3): colour-overlay, burned-in-marks."""
    channels = _channels(pixels)
    difference = reduce(np.maximum, channels) - reduce(np.minimum, channels)
    colour = int(difference.max()) > COLOUR_DIFFERENCE
    marks = upright_strokes(grey(pixels)) >= MIN_STROKES
    return ["colour-overlay"] * colour + ["burned-in-marks"] * marks


def _relative(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]} x {array.shape[0]}"
