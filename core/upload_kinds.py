"""What a file is, by its first bytes; and what every kind of upload is turned into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import DataRefused
from core.nifti_header import Grid

Report = Callable[[str, str], None]  # step, sentence

STEPS = ("Read", "Orientation", "Range", "De-identify")
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*")
_OTHERS = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"NRRD", "an NRRD volume"),
    (b"RIFF", "a WebP or a film"),
)


@dataclass(frozen=True, eq=False)
class Admitted:
    """A checked upload.

    layout      the data set whose networks can read it: "busi" (breast ultrasound) or "lits" (liver CT)
    pictures    (n, H, W) uint8, or int16 HU in display orientation
    images      (n, SIZE, SIZE, 1) float32 in 0..1, what the networks see
    spacing_mm  (slice, row, column) of a CT, else None
    grid        of a CT, so that a reference can be laid on it
    warned      sentences that the reader has to see
    """

    layout: str
    pictures: np.ndarray
    images: np.ndarray
    spacing_mm: tuple[float, float, float] | None
    grid: Grid | None = None
    flags: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()


def kind_of(contents: Sequence[bytes]) -> str:
    """ "picture", "volume" or "dicom": what one file, or several files of a series, are by their content.

    DataRefused ("empty", "kind", "several"): nothing that is read here, or files that do not go together.
    """
    if not contents:
        raise DataRefused("empty", "No file was given. Choose a picture, a volume or a DICOM series.")
    kinds = {_kind(content) for content in contents}
    if len(contents) > 1 and kinds != {"dicom"}:
        expected = "one picture or volume, or several DICOM files of one series"
        raise DataRefused("several", f"Expected {expected}, got {len(contents)} files of another kind.")
    return kinds.pop()


def _kind(content: bytes) -> str:
    if not content:
        raise DataRefused("empty", "The file is empty (0 bytes). Copy it again.")
    if content[128:132] == b"DICM":
        return "dicom"
    if content.startswith(_PICTURES):
        return "picture"
    if content.startswith(b"\x1f\x8b") or content[344:348] in (b"n+1\0", b"ni1\0"):
        return "volume"
    if content[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c"):
        raise DataRefused(
            "magic", "The volume is NIfTI-2: only single-file NIfTI-1 is read. Save it as .nii."
        )
    found = next((f": this looks like {title}" for magic, title in _OTHERS if content.startswith(magic)), "")
    expected = "PNG, JPEG or TIFF for ultrasound, NIfTI for CT, or DICOM"
    raise DataRefused("kind", f"The file is of a kind that is not read here{found}. Expected {expected}.")
