"""The gate for NIfTI volumes: checked voxels in display orientation, or a named refusal. Nothing else opens one.

We read the 352 bytes of the header ourselves and let nibabel look at nothing but those, so that the number of bytes
that must follow is known before any memory is taken. A compressed file is then unpacked once, to its very end: only
there does gzip compare its checksum, and without that one flipped bit gives wrong voxels without a word. Of what
is unpacked only the slices that are asked for are kept. An uncompressed file has no checksum: of it only they are
read, its labels are mapped.
"""

from __future__ import annotations

import gzip
import io
import math
import mmap
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from core import atomic, gate, nifti_header
from core.errors import DataRefused
from core.nifti_header import UNVERIFIED, Facts
from core.nifti_header import Grid as Grid

MAX_UPLOAD = 200_000_000  # bytes, as they come
LABELS = (0, 1, 2)  # background, liver, tumour
CT_RANGE = (-2048, 4096)  # HU, holds 98 of 100 voxels of a CT
OUTLYING = "values-outside-ct-range"

_GZIP = b"\x1f\x8b"
_SLACK = 4096  # bytes that may follow the voxels
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Scan:
    """The voxels of a file in display orientation: slice 0 nearest the feet, patient right is left, anterior up.

    voxels  (n, rows, columns): labels uint8; otherwise HU, int16 where that holds every value exactly, else float32
    flags   those of the grid, and "values-outside-ct-range": a few voxels (metal), or the padding round the field
            of view, lie outside
    """

    grid: Grid
    voxels: np.ndarray
    flags: tuple[str, ...]


def read(path: Path, *, labels: bool = False, slices: range | None = None, like: Grid | None = None) -> Scan:
    """One volume from the data folder, checked in full: the bytes that were checked are those that are returned.

    ``labels``: values must be 0, 1 or 2; otherwise they must look like CT numbers. ``slices`` are those wanted, in
    display order (a range in steps of 1); of an uncompressed file only they are then read, checked and returned.
    ``like``: the grid of its volume, which a segmentation must lie on, see ``nifti_header.like_volume``.
    DataRefused codes: name, damaged, less_than_declared, more_than_declared, values, labels, swapped, picture,
    not_ct, and those of ``gate.opened``, ``nifti_header.facts`` and ``nifti_header.like_volume``.
    Memory: at most twice the unpacked file.
    """
    with gate.opened(path) as file:
        return _scan(file, path.name, _is_gzip(file, path.name), labels, slices, like)


def read_grid(path: Path) -> Grid:
    """The grid of a file in the data folder; its voxels are not looked at. DataRefused: see ``read``."""
    with gate.opened(path) as file:
        stream = _stream(file, _is_gzip(file, path.name))
        return nifti_header.facts(_block(stream, nifti_header.BYTES, path.name), path.name).grid


def admit(file: BinaryIO, *, labels: bool = False) -> Scan:
    """One CT volume, or labels, in an untrusted open file, .nii or .nii.gz, of at most 200 MB; see ``read``.

    DataRefused never names the file.
    """
    content, name = file.read(MAX_UPLOAD + 1), "the reference" if labels else "the volume"
    if len(content) > MAX_UPLOAD:
        raise DataRefused("too_large", f"{name}: expected at most {MAX_UPLOAD:,} bytes, got more.")
    return _scan(io.BytesIO(content), name, content.startswith(_GZIP), labels, None, None)


def write_labels(path: Path, labels: np.ndarray, grid: Grid) -> None:
    """Labels (n, rows, columns) uint8 in display orientation as a NIfTI file on the original grid.

    The header is new: only shape, spacing and affine are those of the original. ``path`` ends in .nii or .nii.gz.
    """
    import nibabel

    if labels.dtype != np.uint8 or labels.shape != grid.display_shape:
        raise ValueError(f"labels: expected uint8 {grid.display_shape}, got {labels.dtype} {labels.shape}")
    affine = np.array(grid.affine)
    tools: Any = nibabel
    stored = nifti_header.turned_back(labels, grid.axcodes)
    image = tools.Nifti1Image(stored, None if UNVERIFIED in grid.flags else affine)
    image.header.set_zooms(np.linalg.norm(affine[:3, :3], axis=0))
    image.header.set_xyzt_units("mm")

    def fill(file: BinaryIO) -> None:
        if path.name.endswith(".gz"):
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:  # same labels, same bytes
                image.to_stream(packed)
        else:
            image.to_stream(file)

    atomic.write(path, fill)


def _scan(
    file: BinaryIO, name: str, is_gzip: bool, labels: bool, slices: range | None, like: Grid | None
) -> Scan:
    content = _content_size(file, is_gzip)
    stream = _stream(file, is_gzip)
    head = _block(stream, nifti_header.BYTES, name)
    facts = nifti_header.facts(head, name)
    grid = facts.grid if like is None else nifti_header.like_volume(facts.grid, like, name)
    is_across = grid.axcodes[2] in "SI"  # slices lie one after the other in the file
    planes = _planes(grid, slices) if is_across and slices is not None else range(grid.shape[2])
    shape = (*grid.shape[:2], len(planes))
    start = facts.offset + math.prod(grid.shape[:2]) * planes.start * facts.dtype.itemsize
    stop = start + math.prod(shape) * facts.dtype.itemsize
    held: memoryview | np.ndarray
    if is_gzip or isinstance(file, io.BytesIO):
        held = _unpacked(stream, facts, start, stop, name, content)
    else:
        held = (_mapped if labels else _loaded)(file, facts, start, stop, name)
    flat = np.frombuffer(held, facts.dtype, math.prod(shape))
    view = nifti_header.turned(flat.reshape(shape, order="F"), grid.axcodes)
    if slices is not None and not is_across:
        view = view[slices.start : slices.stop]
    if abs(view.strides[0]) < max(abs(stride) for stride in view.strides):
        view = np.ascontiguousarray(view)  # else each slice would be gathered from the whole file
    if labels:
        return Scan(grid, _labels(view, facts, name), grid.flags)
    voxels = _values(view, facts, name)
    return Scan(grid, voxels, grid.flags + _ct_flags(voxels, name))


def _planes(grid: Grid, slices: range) -> range:
    """Where ``slices``, in display order, stand along the last stored axis."""
    wanted = range(grid.shape[2])[slices.start : slices.stop]
    if grid.axcodes[2] == "S":
        return wanted
    return range(grid.shape[2] - wanted.stop, grid.shape[2] - wanted.start)


def _is_gzip(file: BinaryIO, name: str) -> bool:
    """Whether the content is gzip; DataRefused ("name") unless the name says the same."""
    is_gzip = file.read(2) == _GZIP
    file.seek(0)
    if not name.endswith(".nii.gz" if is_gzip else ".nii"):
        got = "is" if is_gzip else "is not"
        expected = "a name that ends in .nii.gz if the content is gzip, else in .nii"
        raise DataRefused("name", f"{name}: expected {expected}; the content {got} gzip.")
    return is_gzip


def _content_size(file: BinaryIO, is_gzip: bool) -> int:
    """Bytes of the content, unpacked: of gzip what it says itself (RFC 1952, for one of its members only).

    That is a claim, to take memory in one piece by; deflate packs no more than 1,032 bytes into one.
    """
    size = file.seek(0, os.SEEK_END)
    if is_gzip:
        file.seek(max(0, size - 4))
        size = min(int.from_bytes(file.read(4), "little"), 1032 * size)
    file.seek(0)
    return size


def _stream(file: BinaryIO, is_gzip: bool) -> Any:
    from isal import igzip  # as Python's gzip, three times as fast

    unpack: Any = igzip.IGzipFile
    return unpack(fileobj=file, mode="rb") if is_gzip else file


def _mapped(file: BinaryIO, facts: Facts, start: int, stop: int, name: str) -> memoryview:
    """Bytes ``start`` to ``stop`` of an uncompressed file, in the place where the system holds them."""
    size = os.fstat(file.fileno()).st_size
    _require_size(size, facts.need, name)
    return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))[start:stop]


def _loaded(file: BinaryIO, facts: Facts, start: int, stop: int, name: str) -> np.ndarray:
    """Bytes ``start`` to ``stop`` of an uncompressed file, read once."""
    _require_size(os.fstat(file.fileno()).st_size, facts.need, name)
    file.seek(start)
    held = np.fromfile(file, np.uint8, stop - start)
    _require_size(start + held.size, stop, name)
    return held


def _unpacked(stream: Any, facts: Facts, start: int, stop: int, name: str, content: int) -> np.ndarray:
    """Bytes ``start`` to ``stop`` of the content, which is unpacked to its end and follows a header already read.

    They take no more than ``content`` bytes, and from there grow with what comes, whatever the header says.
    """
    held, filled, at = np.empty(min(stop - start, content), np.uint8), 0, nifti_header.BYTES
    while at <= facts.need + _SLACK and (block := _block(stream, _BLOCK, name)):
        part = np.frombuffer(block, np.uint8)[max(start - at, 0) : max(stop - at, 0)]
        if filled + part.size > held.size:
            held.resize(min(stop - start, 2 * held.size + _BLOCK), refcheck=False)
        held[filled : filled + part.size] = part
        filled, at = filled + part.size, at + len(block)
    _require_size(at, facts.need, name)
    return held


def _block(stream: Any, size: int, name: str) -> bytes:
    from isal import igzip_lib

    unpacking: Any = igzip_lib.error
    try:
        content: bytes = stream.read(size)
    except (EOFError, OSError, zlib.error, unpacking) as error:
        message = f"{name}: the content is damaged, it does not unpack. Copy the file again."
        raise DataRefused("damaged", message) from error
    return content


def _require_size(count: int, need: int, name: str) -> None:
    if count > need + _SLACK:
        message = f"{name}: more bytes than the {need:,} that the header declares. Copy or convert it again."
        raise DataRefused("more_than_declared", message)
    if count < need:
        message = f"{name}: expected {need:,} bytes, got {count:,}. Copy the file again."
        raise DataRefused("less_than_declared", message)


def _labels(view: np.ndarray, facts: Facts, name: str) -> np.ndarray:
    labels = np.zeros(view.shape, np.uint8)  # a slice that is never written takes no memory
    for k, stored in enumerate(view):
        values = _scaled(stored, facts)
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= LABELS[-1]):
            is_ct = low < -100 or high > 255
            advice = "These look like CT numbers: are the two files swapped?" if is_ct else ""
            message = f"{name}: expected labels {LABELS}, got {low:g} to {high:g}. {advice}"
            raise DataRefused("swapped" if is_ct else "labels", message.strip())
        if high > 0:
            labels[k] = values
        if values.dtype.kind == "f" and (labels[k] != values).any():
            raise DataRefused("labels", f"{name}: expected labels {LABELS}, got values between them.")
    return labels


def _values(view: np.ndarray, facts: Facts, name: str) -> np.ndarray:
    """HU, int16 where exact, else float32. What is int16 already is not copied."""
    slope, intercept = facts.slope, facts.intercept
    if view.dtype.kind == "i" and view.dtype.itemsize == 2 and (slope, intercept) == (1, 0):
        return view.astype(np.int16, copy=False)
    ends = np.iinfo(np.int16)
    is_exact = view.size > 0 and view.dtype.kind in "iu" and slope % 1 == 0 and intercept % 1 == 0
    if is_exact:
        extremes = [float(value) * slope + intercept for value in (view.min(), view.max())]
        is_exact = ends.min <= min(extremes) and max(extremes) <= ends.max
    values = np.empty(view.shape, np.int16 if is_exact else np.float32)
    for k, stored in enumerate(view):
        with np.errstate(over="ignore"):
            values[k] = _scaled(stored, facts)
        if not is_exact and not np.isfinite(values[k]).all():
            raise DataRefused("values", f"{name}: expected finite values, got NaN or infinity.")
    return values


def _scaled(stored: np.ndarray, facts: Facts) -> np.ndarray:
    if (facts.slope, facts.intercept) == (1, 0):
        return stored
    with np.errstate(over="ignore", invalid="ignore"):  # what comes out is checked
        return np.asarray(stored * np.float64(facts.slope) + facts.intercept)


def _ct_flags(voxels: np.ndarray, name: str) -> tuple[str, ...]:
    """Whether these are CT numbers: most within the range, and neither labels nor the grey levels of a picture."""
    if not voxels.size:
        return ()
    low, high = float(voxels.min()), float(voxels.max())
    if low >= 0 and high <= LABELS[-1]:
        advice = "These look like labels: are the two files swapped?"
        raise DataRefused("swapped", f"{name}: expected CT numbers, got only {low:g} to {high:g}. {advice}")
    if low >= 0 and high <= 255:
        message = (
            "looks like a picture, not CT numbers: all values are 0 to 255. Convert it from the CT again."
        )
        raise DataRefused("picture", f"{name}: {message}")
    if low >= CT_RANGE[0] and high <= CT_RANGE[1]:
        return ()
    # scanners fill the corners outside the field of view with one very low value: not counted
    below = sum(np.count_nonzero((one < CT_RANGE[0]) & (one != low)) for one in voxels)
    above = sum(np.count_nonzero(one > CT_RANGE[1]) for one in voxels)
    if max(below, above) > 0.01 * voxels.size:
        expected = f"98 of 100 values in {CT_RANGE[0]} to {CT_RANGE[1]} HU"
        raise DataRefused("not_ct", f"{name}: expected {expected}, got {low:g} to {high:g}.")
    return (OUTLYING,)
