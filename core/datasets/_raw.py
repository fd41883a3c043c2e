"""What every dataset reader yields: cases found in a folder, and the raw slices of a case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


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
