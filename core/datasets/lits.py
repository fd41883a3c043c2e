"""LiTS17, CT volumes of the liver with outlines of liver and tumours, in the file names they are published in."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from core import nifti
from core.cards import DatasetCard
from core.datasets._raw import Case, RawSlice, RawVolume
from core.errors import DataRefused
from core.nifti_header import BORROWED

SPLITS = ("lits-patient", "lits-patient-2", "lits-patient-3", "lits-slice")  # the first is the default
MARGIN = 10  # slices kept on either side of the liver
TISSUE_HU = (-50, 300)  # liver, its vessels and tumours, with noise
# Share of an outline that is tissue: 0.993 and more on nine real volumes, 0.92 and less with an axis turned round.
ON_TISSUE = 0.95
DEPTH = 8  # folders: the archive as downloaded nests the batches in media/nas/01_Datasets/CT/LITS
WINDOW_HU = (-160.0, 240.0)  # soft tissue, width 400 at level 40: usual for the liver, the study names none
# Volumes of one patient, by appearance: LiTS publishes no patient identifiers.
SAME_PATIENT = ((0, 1), (6, 7, 8, 9, 10))

CARDS = (
    DatasetCard(
        name="lits",
        title="LiTS17 liver CT",
        modality="liver CT",
        classes=("background", "liver", "tumour"),
        channels=1,
        group="patient",
        source="LiTS, Liver Tumor Segmentation Challenge 2017, training volumes of seven clinical sites",
        licence="CC BY-NC-ND 4.0",
        citation="Bilic et al., The Liver Tumor Segmentation Benchmark, Medical Image Analysis 84:102680 (2023)",
        synthetic=False,
        layout="lits",
        splits=SPLITS,
        unit="mm",
        window_hu=WINDOW_HU,
        known_defects=(
            "no patient identifiers: volumes of one patient are grouped by appearance, some may be missed",
            "volumes are stored in different orientations; only the affine in the file tells",
            "volumes 28 to 47 carry a placeholder for orientation and spacing: their mm are not measured",
            "some segmentations carry a placeholder where their volume has a geometry: they get the volume's",
            "the distance of slices differs from 0.45 to 6 mm between volumes",
            "one outline per volume: no agreement between readers is known",
        ),
    ),
)

_NAME = re.compile(r"(volume|segmentation)-(0|[1-9]\d{0,5})\.nii(?:\.gz)?")
_PATTERN = "name is not of the pattern volume-12.nii, segmentation-12.nii (or .nii.gz)"


def find(folder: Path) -> tuple[Case, ...]:
    """The cases under ``folder`` and its folders (eight levels deep), by number: each volume with its segmentation.

    A volume without a segmentation is a case too. A number that occurs twice is left out and listed by ``strays``.
    DataRefused ("layout") when there is no volume.
    """
    files, _ = _scan(folder)
    volumes = sorted(number for kind, number in files if kind == "volume")
    cases = [number for number in volumes if not _doubles(files, number)]
    if volumes and not cases:
        number = volumes[0]
        raise DataRefused(
            "layout", f"{folder}: every number occurs twice, such as {number}. Keep one of each."
        )
    if not cases:
        raise DataRefused(
            "layout", f"No volumes named like volume-12.nii or volume-12.nii.gz under {folder}."
        )
    return tuple(
        Case(f"volume-{n}", "ct", files["volume", n][0], tuple(files.get(("segmentation", n), ())))
        for n in cases
    )


def strays(folder: Path) -> tuple[tuple[str, str], ...]:
    """Files under ``folder`` that belong to no case: (relative name, why), sorted by name."""
    files, found = _scan(folder)
    for (kind, number), paths in files.items():
        if doubles := _doubles(files, number):
            names = " and ".join(sorted(_relative(path) for path in doubles))
            found += [(_relative(path), f"number {number} twice: {names}; keep one") for path in paths]
        elif kind == "segmentation" and ("volume", number) not in files:
            found += [(_relative(path), "segmentation without a volume") for path in paths]
    return tuple(sorted(found))


def read_volume(case: Case) -> RawVolume:
    """The slices of a case that are kept: those from the first to the last with liver, and MARGIN on either side.

    The segmentation is read first; of the volume only the kept slices are then held. Without a
    segmentation every slice is kept. Flags: those of ``nifti.Scan``; no-mask; liver-not-on-right (the liver's
    centre is on the right half of the screen: the orientation in the file may be wrong); outline-off-tissue (too
    much of the outline lies on fat, gas or bone). DataRefused: see ``nifti.read``; and "no_liver".
    """
    if not case.masks:
        scan = nifti.read(case.picture)
        pictures = hounsfield(scan.voxels)
        n = len(pictures)
        return RawVolume(
            scan.grid, n, None, tuple(range(n)), pictures, None, case.tag, _sorted(*scan.flags, "no-mask")
        )
    name, grid = case.masks[0].name, nifti.read_grid(case.picture)
    outline = nifti.read(case.masks[0], labels=True, like=grid)
    counts = _class_pixels(outline.voxels)
    with_liver = np.flatnonzero(counts.sum(axis=1))
    if not with_liver.size:
        message = f"{name}: expected labels 1 or 2, got only background. Copy the file again."
        raise DataRefused("no_liver", message)
    kept = range(max(0, int(with_liver[0]) - MARGIN), min(len(counts), int(with_liver[-1]) + MARGIN + 1))
    references, flags = outline.voxels[kept.start : kept.stop], outline.flags
    scan = nifti.read(case.picture, slices=kept, like=grid)
    if _on_tissue(scan.voxels, references) < ON_TISSUE:
        if BORROWED in flags:
            message = (
                f"{name}: has no geometry of its own, and in the order of its volume it misses the liver."
            )
            raise DataRefused("affine_mismatch", f"{message} Check that the two files belong together.")
        flags += ("outline-off-tissue",)
    if not _is_on_screen_left(references):
        flags += ("liver-not-on-right",)
    return RawVolume(
        grid=scan.grid,
        n_slices=len(counts),
        class_pixels=counts,
        indices=tuple(kept),
        pictures=hounsfield(scan.voxels),
        references=references,
        tag=case.tag,
        flags=_sorted(*scan.flags, *flags),
    )


def read(case: Case) -> Iterator[RawSlice]:
    """The slices of ``read_volume`` one by one: picture (H, W) int16 HU, spacing (row, column) in mm."""
    volume = read_volume(case)
    _, row, column = volume.grid.spacing_mm
    for k, picture in enumerate(volume.pictures):
        reference = None if volume.references is None else volume.references[k]
        yield RawSlice(picture, reference, volume.tag, volume.flags, (row, column))


def admit(file: BinaryIO) -> Iterator[RawSlice]:
    """Every slice of the CT volume in an untrusted open file (.nii or .nii.gz), without reference or tag.

    At most 200 MB are read. DataRefused never names the file.
    """
    scan = nifti.admit(file)
    _, row, column = scan.grid.spacing_mm
    for picture in hounsfield(scan.voxels):
        yield RawSlice(picture, None, "", _sorted(*scan.flags), (row, column))


def hounsfield(voxels: np.ndarray) -> np.ndarray:
    """(n, H, W) int16, contiguous; decimals are rounded, values beyond int16 set to its ends."""
    if voxels.dtype == np.int16:
        return np.ascontiguousarray(voxels)
    whole = np.empty(voxels.shape, np.int16)
    ends = np.iinfo(np.int16)
    for k, one in enumerate(voxels):
        whole[k] = np.clip(np.rint(one), ends.min, ends.max)
    return whole


def _class_pixels(labels: np.ndarray) -> np.ndarray:
    """Pixels of label 1 and of label 2 in every slice: (n, 2) int64."""
    counts = np.zeros((len(labels), 2), np.int64)
    for count, one in zip(counts, labels, strict=True):
        if outlined := np.count_nonzero(one):
            count[1] = np.count_nonzero(one > 1)
            count[0] = outlined - count[1]
    return counts


def _on_tissue(pictures: np.ndarray, labels: np.ndarray) -> float:
    """The share of the outlined pixels whose HU are those of the liver."""
    low, high = TISSUE_HU
    outlined = [picture[label > 0] for picture, label in zip(pictures, labels, strict=True)]
    inside = sum(np.count_nonzero((values >= low) & (values <= high)) for values in outlined)
    return float(inside / sum(values.size for values in outlined))


def _is_on_screen_left(labels: np.ndarray) -> bool:
    """Whether the centre of the liver lies in the left half of the screen, where the patient's right is."""
    by_column = sum((one > 0).sum(axis=0, dtype=np.uint32) for one in labels)
    columns = np.arange(labels.shape[2])
    return bool(np.average(columns, weights=by_column) < (labels.shape[2] - 1) / 2)


def _scan(folder: Path) -> tuple[dict[tuple[str, int], list[Path]], list[tuple[str, str]]]:
    """Files by (volume or segmentation, number), and NIfTI files whose names do not match."""
    if not folder.is_dir():
        raise DataRefused(
            "layout", f"There is no folder {folder}. Give the folder of LiTS with --from FOLDER."
        )
    files: dict[tuple[str, int], list[Path]] = defaultdict(list)
    others: list[tuple[str, str]] = []
    for place, folders, names in os.walk(folder):
        is_deep = len(Path(place).relative_to(folder).parts) >= DEPTH
        folders[:] = [] if is_deep else sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            match = _NAME.fullmatch(name)
            if match:
                files[match[1], int(match[2])].append(Path(place, name))
            elif name.lower().endswith((".nii", ".nii.gz", ".hdr", ".img", ".dcm")):
                others.append((_relative(Path(place, name)), _PATTERN))
    return files, others


def _doubles(files: dict[tuple[str, int], list[Path]], number: int) -> list[Path]:
    """The files that claim the same number, when there are several volumes or several segmentations of it."""
    found = [files.get((kind, number), []) for kind in ("volume", "segmentation")]
    return [path for paths in found if len(paths) > 1 for path in paths]


def _relative(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _sorted(*flags: str) -> tuple[str, ...]:
    return tuple(sorted(set(flags)))
