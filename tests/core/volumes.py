"""NIfTI files written field by field, without the library that reads them: any orientation, any lie."""

from __future__ import annotations

import gzip
import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np

SPACING = (3.0, 0.7, 0.9)  # slice, row, column in mm
CODES = tuple(
    "".join(ends) for axes in itertools.permutations(("LR", "AP", "SI")) for ends in itertools.product(*axes)
)
_FIELDS = {
    "sizeof_hdr": (0, "i"),
    "dim": (40, "8h"),
    "datatype": (70, "h"),
    "bitpix": (72, "h"),
    "pixdim": (76, "8f"),
    "vox_offset": (108, "f"),
    "scl_slope": (112, "f"),
    "scl_inter": (116, "f"),
    "descrip": (148, "80s"),
    "qform_code": (252, "h"),
    "sform_code": (254, "h"),
    "quatern": (256, "3f"),
    "qoffset": (268, "3f"),
    "srow": (280, "12f"),
    "magic": (344, "4s"),
}
_DATATYPES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512}


def content(stored: np.ndarray, affine: np.ndarray, order: str = "<", **lies: Any) -> bytes:
    """A whole uncompressed file of ``stored`` (x, y, z); ``lies`` replace fields of its header."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    fields: dict[str, Any] = {
        "sizeof_hdr": 348,
        "dim": (3, *stored.shape, 1, 1, 1, 1),
        "datatype": _DATATYPES[stored.dtype.str[1:]],
        "bitpix": stored.dtype.itemsize * 8,
        "pixdim": (1, *spacing, 0, 0, 0, 0),
        "vox_offset": 352,
        "sform_code": 1,
        "srow": tuple(affine[:3].ravel()),
        "magic": b"n+1\0",
    } | lies
    head = bytearray(352)
    for name, value in fields.items():
        at, form = _FIELDS[name]
        struct.pack_into(order + form, head, at, *(value if isinstance(value, tuple) else (value,)))
    return bytes(head) + stored.astype(stored.dtype.newbyteorder(order)).tobytes(order="F")


def write(path: Path, stored: np.ndarray, affine: np.ndarray, order: str = "<", **lies: Any) -> Path:
    """The same as a file, compressed if its name says so."""
    raw = content(stored, affine, order, **lies)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(raw, 6, mtime=0) if path.name.endswith(".gz") else raw)
    return path


def stored_as(shown: np.ndarray, codes: str) -> tuple[np.ndarray, np.ndarray]:
    """An array in display orientation as a file with these axes holds it, and the affine of that file."""
    axes = [next(a for a, ends in enumerate(("LR", "PA", "SI")) if code in ends) for code in codes]
    stored = shown.transpose(2, 1, 0).transpose(axes)  # first to the left, back and head, then as they come
    affine = np.eye(4)
    to_mm = np.diag([-SPACING[2], -SPACING[1], SPACING[0]])  # NIfTI counts to the right, front and head
    start = np.array([40.0, 30.0, -100.0])
    for axis, (which, code) in enumerate(zip(axes, codes, strict=True)):
        step = to_mm[:, which]
        if code in "RAI":
            start = start + step * (stored.shape[axis] - 1)
            step = -step
            stored = np.flip(stored, axis)
        affine[:3, axis] = step
    affine[:3, 3] = start
    return stored, affine


def anatomy(shape: tuple[int, int, int] = (30, 20, 24)) -> tuple[np.ndarray, np.ndarray]:
    """HU (slice, row, column) int16 and labels uint8 in display orientation; no two axes or ends look alike.

    The liver is in slices 12 to 16, on screen left.
    """
    rng = np.random.default_rng(5)
    pictures = rng.integers(-200, 300, shape, dtype=np.int16)
    labels = np.zeros(shape, np.uint8)
    labels[12:17, 4:12, 2:11] = 1
    labels[13:15, 5:8, 4:6] = 2
    pictures[labels > 0] = rng.integers(40, 160, np.count_nonzero(labels))
    return pictures, labels


def write_case(folder: Path, number: int, codes: str = "RAS", ending: str = ".nii.gz") -> tuple[Path, Path]:
    """One volume with its segmentation in the file names of LiTS."""
    pictures, labels = anatomy()
    volume = write(folder / f"volume-{number}{ending}", *stored_as(pictures, codes))
    return volume, write(folder / f"segmentation-{number}{ending}", *stored_as(labels, codes))
