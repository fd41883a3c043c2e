"""The header of a NIfTI file: everything that can be wrong with it, before a voxel is read."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.errors import DataRefused

BYTES = 352
CAP = 3 << 30  # bytes of one volume, unpacked
MAX_OFFSET = BYTES + 65536  # a longer header extension is a bomb
MAX_SPACING = 50.0  # mm
DISPLAY = "LPS"  # axes of the turned array: column to the patient's left, row to the back, slice to the head
UNVERIFIED, DISAGREES = "orientation-unverified", "orientation-codes-disagree"
PLACEHOLDER, BORROWED = "placeholder-geometry", "geometry-of-the-volume"

_TYPES = {2: "u1", 256: "i1", 4: "i2", 512: "u2", 8: "i4", 16: "f4", 64: "f8"}  # by the header's datatype


@dataclass(frozen=True)
class Grid:
    """The grid of a file, so that a mask can go back to it.

    shape       voxels along the three stored axes
    affine      4 x 4, from stored voxel indices to mm to the patient's right, front and head
    axcodes     where the stored axes point, such as "RAS"
    spacing_mm  in display order: (slice, row, column)
    flags       "orientation-unverified": the file does not say how it lies
                "orientation-codes-disagree": it says so twice, differently; the first (sform) is used
                "placeholder-geometry": axes of exactly 1 mm along the body; where a program had nothing to say, it
                writes this, so lengths in mm and the orientation may be wrong
                "geometry-of-the-volume": a segmentation with nothing to say was given the grid of its volume
    """

    shape: tuple[int, int, int]
    affine: tuple[tuple[float, float, float, float], ...]
    axcodes: str
    spacing_mm: tuple[float, float, float]
    flags: tuple[str, ...] = ()

    @property
    def display_shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns) of the array in display orientation."""
        n, rows, columns = (self.shape[axis] for axis in _display_axes(self.axcodes))
        return n, rows, columns


@dataclass(frozen=True)
class Facts:
    """What a header promises: the grid, how voxels are stored, where they begin, how many bytes there must be."""

    grid: Grid
    dtype: np.dtype
    offset: int
    need: int
    slope: float
    intercept: float


def facts(head: bytes, name: str) -> Facts:
    """What the first 352 bytes of a file promise, or DataRefused; ``name`` stands in its message.

    Codes: dicom, truncated, magic, shape, type, offset, slope, too_large, geometry.
    """
    import nibabel

    if head[128:132] == b"DICM":
        advice = "it usually carries patient data. Convert to NIfTI after de-identification and try again"
        raise DataRefused("dicom", f"{name}: DICOM is not accepted: {advice}.")
    if len(head) < BYTES:
        raise DataRefused("truncated", f"{name}: expected a header of {BYTES} bytes, got {len(head)}.")
    if head[344:348] != b"n+1\0":
        raise DataRefused("magic", f"{name}: only single-file NIfTI-1 is read. Save it as .nii or .nii.gz.")
    tools: Any = nibabel
    header = tools.Nifti1Header(head[:348], check=False)
    sizes = [int(size) for size in header["dim"]]
    if int(header["sizeof_hdr"]) != 348 or sizes[0] != 3 or min(sizes[1:4]) < 1:
        raise DataRefused("shape", f"{name}: expected three axes of at least one voxel, got {sizes}.")
    shape = (sizes[1], sizes[2], sizes[3])
    code, bits = int(header["datatype"]), int(header["bitpix"])
    if code not in _TYPES or bits != 8 * np.dtype(_TYPES[code]).itemsize:
        expected = "whole numbers of 8, 16 or 32 bits or decimals of 32 or 64"
        raise DataRefused("type", f"{name}: expected {expected}, got type {code} with {bits} bits.")
    dtype = np.dtype(_TYPES[code]).newbyteorder(header.endianness)
    offset = float(header["vox_offset"])
    if not (BYTES <= offset <= MAX_OFFSET and offset == int(offset)):
        expected = f"the voxels to begin at byte {BYTES} to {MAX_OFFSET}"
        raise DataRefused("offset", f"{name}: expected {expected}, got {offset:g}.")
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or math.isnan(slope):  # how the standard and how nibabel say that there is none
        slope, intercept = 1.0, 0.0
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        got = f"{slope:g} and {intercept:g}"
        raise DataRefused("slope", f"{name}: expected a finite slope and intercept, got {got}.")
    need = int(offset) + math.prod(shape) * dtype.itemsize
    if need > CAP:
        raise DataRefused("too_large", f"{name}: expected at most {CAP:,} bytes unpacked, got {need:,}.")
    with np.errstate(all="ignore"):  # absurd numbers are refused by name, not warned about
        grid = _grid(header, shape, name)
    return Facts(grid, dtype, int(offset), need, slope, intercept)


def turned(stored: np.ndarray, axcodes: str) -> np.ndarray:
    """A view of an array as stored in display orientation: (slice, row, column)."""
    import nibabel.orientations

    tools: Any = nibabel.orientations
    turn = tools.ornt_transform(tools.axcodes2ornt(axcodes), tools.axcodes2ornt(DISPLAY))
    return np.asarray(tools.apply_orientation(stored, turn)).transpose(2, 1, 0)


def turned_back(shown: np.ndarray, axcodes: str) -> np.ndarray:
    """A view of an array in display orientation with its axes as they are stored: ``turned`` undone."""
    import nibabel.orientations

    tools: Any = nibabel.orientations
    turn = tools.ornt_transform(tools.axcodes2ornt(DISPLAY), tools.axcodes2ornt(axcodes))
    return np.asarray(tools.apply_orientation(shown.transpose(2, 1, 0), turn))


def like_volume(grid: Grid, volume: Grid, name: str) -> Grid:
    """The grid of a segmentation of ``volume``: its own where both are the same within 1e-3 (mm).

    Of equal shape but without geometry of its own (unverified or placeholder) it gets the volume's: its voxels are
    then taken to be in the same order, and the caller has to check that against the picture.
    DataRefused: shape_mismatch, affine_mismatch.
    """
    advice = "Check that the two files belong together."
    if grid.shape != volume.shape:
        message = f"{name}: expected {volume.shape} voxels like its volume, got {grid.shape}. {advice}"
        raise DataRefused("shape_mismatch", message)
    off = float(np.abs(np.subtract(grid.affine, volume.affine)).max())
    if off <= 1e-3:
        return grid
    if {UNVERIFIED, PLACEHOLDER}.intersection(grid.flags):
        return replace(volume, flags=(*volume.flags, BORROWED))
    message = f"{name}: its affine and that of its volume differ by up to {off:.3g}. {advice}"
    raise DataRefused("affine_mismatch", message)


def _grid(header: Any, shape: tuple[int, int, int], name: str) -> Grid:
    """Where the voxels lie: the sform, without one the qform, without both the spacing alone."""
    import nibabel.orientations
    from nibabel.spatialimages import HeaderDataError

    if header["pixdim"][0] == 0:
        header["pixdim"][0] = 1  # the standard: 0 counts as 1
    has_sform, has_qform = int(header["sform_code"]) > 0, int(header["qform_code"]) > 0
    try:
        affine = np.array(header.get_best_affine(), dtype=np.float64)
        disagrees = has_sform and has_qform and not np.allclose(affine, header.get_qform(), atol=0.01)
    except (HeaderDataError, ValueError) as error:
        raise _geometry(name, "no usable orientation") from error
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    spacings = [*lengths.tolist(), *(float(value) for value in header["pixdim"][1:4])]
    if not np.isfinite(affine).all() or not all(0 < value <= MAX_SPACING for value in spacings):
        raise _geometry(name, ", ".join(f"{value:g}" for value in spacings))
    if abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3:
        raise _geometry(name, "axes that lie in one plane")
    tools: Any = nibabel.orientations
    axcodes = "".join(tools.aff2axcodes(affine))
    spacing = lengths[_display_axes(axcodes)].tolist()
    flags = [UNVERIFIED] * (not has_sform and not has_qform) + [DISAGREES] * bool(disagrees)
    flags += [PLACEHOLDER] * np.array_equal(affine[:3, :3], np.eye(3))
    rows = tuple((row[0], row[1], row[2], row[3]) for row in affine.tolist())
    return Grid(shape, rows, axcodes, (spacing[0], spacing[1], spacing[2]), tuple(flags))


def _display_axes(axcodes: str) -> list[int]:
    """Which stored axis is the slice, the row and the column."""
    return [next(axis for axis in range(3) if axcodes[axis] in ends) for ends in ("SI", "PA", "LR")]


def _geometry(name: str, got: str) -> DataRefused:
    expected = f"a finite affine with axes of 0 to {MAX_SPACING:g} mm per voxel"
    return DataRefused("geometry", f"{name}: expected {expected}, got {got}.")
