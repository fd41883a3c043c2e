"""A CT volume of a reader's own as NIfTI: checked, turned for display, and within limits that memory can hold.

Runs in the child process of an upload. The gate is that of the data sets; what is added here is asked of uploads
alone: they are held in memory for as long as the reader looks at them.
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from typing import Any

import numpy as np

from core import nifti, nifti_header, preprocess
from core.datasets import lits
from core.errors import DataRefused
from core.nifti_header import PLACEHOLDER, UNVERIFIED, Grid
from core.upload_kinds import Admitted, Report

MOST_VOXELS = 160_000_000  # 610 slices of 512 x 512: 320 MB as int16
MOST_SLICES = 700
CLOSE_MM = 0.01  # between two grids that count as one; converters round
_WARNINGS = {
    nifti_header.UNVERIFIED: "The file does not say how the patient lies: left and right may be exchanged.",
    nifti_header.DISAGREES: "The file says twice how the patient lies, differently: check left and right.",
    nifti_header.PLACEHOLDER: "The geometry in the file is a placeholder: lengths in mm and volumes may be wrong.",
    nifti.OUTLYING: "Some values lie outside the range of CT numbers (metal, or padding round the picture).",
}


def admit(content: bytes, report: Report, kind: str = "NIfTI volume", removed: str = "") -> Admitted:
    """One CT volume, checked. DataRefused: those of ``nifti.admit``; "too_large", "constant"."""
    facts = _facts(content)
    shape, (thick, row, column) = facts.grid.display_shape, facts.grid.spacing_mm
    if math.prod(shape) > MOST_VOXELS or shape[0] > MOST_SLICES:
        raise DataRefused(
            "too_large",
            f"the volume: expected at most {MOST_SLICES} slices and {MOST_VOXELS:,} voxels, got {shape[0]} slices "
            f"and {math.prod(shape):,} voxels. Cut it to the liver and try again.",
        )
    report("Read", f"{kind}, {shape[0]} slices of {shape[2]} × {shape[1]}, {thick:.3g} mm apart.")
    scan = nifti.admit(io.BytesIO(content))
    pictures = lits.hounsfield(scan.voxels)
    report(
        "Orientation",
        f"Stored as {scan.grid.axcodes}; shown with the patient's right on screen left, front up, feet first. "
        f"Pixels of {row:.3g} × {column:.3g} mm.",
    )
    low, high = int(pictures.min()), int(pictures.max())
    if low == high:
        raise DataRefused("constant", f"the volume holds one value only, {low}: expected a CT of a patient.")
    report(
        "Range", f"{low} to {high} HU; the networks see {lits.WINDOW_HU[0]:g} to {lits.WINDOW_HU[1]:g} HU."
    )
    report("De-identify", removed or "Text fields and extensions of the header are not kept.")
    images = preprocess.network_stack(pictures, lits.WINDOW_HU)
    warned = tuple(_WARNINGS[flag] for flag in scan.flags if flag in _WARNINGS)
    return Admitted("lits", pictures, images, scan.grid.spacing_mm, scan.grid, scan.flags, warned)


def reference(content: bytes, grid: Grid) -> np.ndarray:
    """Labels as NIfTI for a volume on ``grid``: (n, H, W) uint8 in display orientation, values 0, 1, 2.

    The file may store its axes in another order than the volume. One without geometry of its own is taken to lie
    as the volume does. DataRefused: those of ``nifti.admit``; "shape_mismatch", "affine_mismatch".
    """
    own = _facts(content, "the reference").grid
    if own.display_shape != grid.display_shape:
        message = f"expected {grid.display_shape} voxels like its volume, got {own.display_shape}"
        raise DataRefused("shape_mismatch", f"the reference: {message}. Do the two files belong together?")
    off = float(np.abs(_shown_affine(own) - _shown_affine(grid)).max())
    if off > CLOSE_MM and not {UNVERIFIED, PLACEHOLDER}.intersection(own.flags):
        message = f"it lies {off:.3g} mm away from its volume"
        raise DataRefused("affine_mismatch", f"the reference: {message}. Do the two files belong together?")
    return nifti.admit(io.BytesIO(content), labels=True).voxels


def _facts(content: bytes, name: str = "the volume") -> nifti_header.Facts:
    """What the header promises, before anything else is unpacked; more dimensions than three in words."""
    head = _head(content, name)
    try:
        return nifti_header.facts(head, name)
    except DataRefused as error:
        if error.code == "shape" and len(head) == nifti_header.BYTES:
            message = f"{error} A series in time or phases has four: save one of its volumes on its own."
            raise DataRefused("shape", message) from error
        raise


def _head(content: bytes, name: str) -> bytes:
    """The first 352 bytes, unpacked."""
    if not content.startswith(b"\x1f\x8b"):
        return content[: nifti_header.BYTES]
    try:
        return gzip.GzipFile(fileobj=io.BytesIO(content)).read(nifti_header.BYTES)
    except (EOFError, OSError, zlib.error) as error:
        message = f"{name}: the content is damaged, it does not unpack. Copy the file again."
        raise DataRefused("damaged", message) from error


def _shown_affine(grid: Grid) -> np.ndarray:
    """From voxel indices in display orientation to mm, 4 x 4."""
    import nibabel.orientations

    tools: Any = nibabel.orientations
    turn = tools.ornt_transform(tools.axcodes2ornt(grid.axcodes), tools.axcodes2ornt(nifti_header.DISPLAY))
    return np.asarray(np.array(grid.affine) @ tools.inv_ornt_aff(turn, grid.shape))
