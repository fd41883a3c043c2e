"""What every dataset reader yields: cases found in a folder, and the raw slices of a case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.nifti import Grid


@dataclass(frozen=True)
class Case:
    """The files of one case. ``id`` is the name shown everywhere; files are named by the reader alone."""

    id: str
    tag: str
    picture: Path
    masks: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that belongs to the case, the picture first."""
        return (self.picture, *self.masks)


@dataclass(frozen=True, eq=False)
class RawSlice:
    """One slice as published: picture (H, W), reference (H, W) uint8 labels or None, and notes on its quality."""

    picture: np.ndarray
    reference: np.ndarray | None
    tag: str
    flags: tuple[str, ...] = ()
    spacing_mm: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class RawVolume:
    """What is kept of one CT volume, in display orientation: slice 0 nearest the feet, patient right screen left.

    grid          of the file, so that exports go back to it; spacing in display order
    n_slices      of the whole volume
    class_pixels  (n_slices, 2) int64, pixels of label 1 and of label 2 in every slice, or None without a reference
    indices       the slices kept, ascending
    pictures      (n, H, W) int16 HU
    references    (n, H, W) uint8 labels, or None
    """

    grid: Grid
    n_slices: int
    class_pixels: np.ndarray | None
    indices: tuple[int, ...]
    pictures: np.ndarray
    references: np.ndarray | None
    tag: str = ""
    flags: tuple[str, ...] = ()
