"""DICOM of a reader's own: one uncompressed ultrasound or CT frame, or the files of one CT series.

Runs in the child process of an upload. Of each file only the elements in ``KEPT`` are ever looked at: names, dates,
numbers and private elements do not leave the parser. A series becomes a NIfTI volume in memory and then passes the
same gate as one. Elements and their meaning: DICOM PS3.3 sections C.7.6.1 to C.7.6.3 and C.8.2.1.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core import gate, upload_picture, upload_volume
from core.errors import DataRefused
from core.upload_kinds import Admitted, Report

KEPT = (
    "Modality", "SeriesInstanceUID", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation",
    "PlanarConfiguration", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope",
    "RescaleIntercept", "BurnedInAnnotation", "PixelData",
)  # fmt: skip
PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")  # implicit and explicit little endian
_INDEX = "1.2.840.10008.1.3.10"  # a DICOMDIR
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT")  # lengths of 32 bits
MOST_FILES = 700
REMOVED = (
    "Names, dates, numbers and all other elements of the header are not kept: only pixels and geometry are."
)


@dataclass(frozen=True, eq=False)
class Frame:
    """One file: stored values (rows, columns) or (rows, columns, 3), and where the picture lies in the patient.

    scale      slope and intercept from stored values to HU, None where the file does not say
    cosines    (6,) of the directions along a row and down a column, None without; position_mm (3,) likewise
    full       the largest value that its bits can hold
    """

    modality: str
    series: str
    values: np.ndarray
    full: int
    scale: tuple[float, float] | None
    position_mm: np.ndarray | None
    cosines: np.ndarray | None
    spacing_mm: np.ndarray | None
    thickness_mm: float
    is_inverted: bool
    burned_in: str


def admit(contents: Sequence[bytes], report: Report) -> Admitted:
    """The files of one upload. DataRefused: see ``frame``, ``series``, and the gate of pictures or volumes."""
    if len(contents) > MOST_FILES:
        message = (
            f"Expected at most {MOST_FILES} DICOM files, got {len(contents)}. Send the slices of the liver."
        )
        raise DataRefused("too_large", message)
    frames = [frame(content) for content in contents]
    modalities = sorted({one.modality for one in frames})
    warned = []
    if any(one.burned_in == "YES" for one in frames):
        warned.append("The file says that text is burned into the picture: it may name the patient.")
    if modalities == ["US"] and len(frames) == 1:
        return _ultrasound(frames[0], report, warned)
    if modalities != ["CT"]:
        expected = "one ultrasound frame (US), or CT slices of one series"
        got = f"{len(frames)} of {' and '.join(modalities)}"
        raise DataRefused("modality", f"The DICOM files: expected {expected}, got {got}.")
    volume, further = series(frames)
    kind = (
        f"DICOM series of {len(frames)} CT slices, sorted by position"
        if len(frames) > 1
        else "DICOM CT slice"
    )
    found = upload_volume.admit(volume, report, kind, REMOVED)
    return Admitted(**{**vars(found), "warned": (*found.warned, *warned, *further)})


def frame(content: bytes) -> Frame:
    """One file, parsed and checked. DataRefused: "dicomdir", "compressed", "damaged", "frames", "size", "mode"."""
    import pydicom

    syntax, stored_class = _meta(content)
    if stored_class == _INDEX:
        raise DataRefused(
            "dicomdir", "This is a DICOMDIR, an index of a disc. Choose the image files themselves."
        )
    if syntax not in PLAIN:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            name = pydicom.uid.UID(syntax).name or "no transfer syntax"
        raise DataRefused(
            "compressed",
            f"The DICOM file is stored as {name[:60]}: expected uncompressed (little endian). Export it without "
            "compression, or convert it, for example with dcmdjpeg or gdcmconv --raw.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = pydicom.dcmread(io.BytesIO(content), specific_tags=list(KEPT))
            return _frame(found)
    except DataRefused:
        raise
    except Exception as error:  # a parser of a large format: it fails in many ways, all mean the same
        raise DataRefused("damaged", "The DICOM file is damaged or cut short. Export it again.") from error


def series(frames: Sequence[Frame]) -> tuple[bytes, list[str]]:
    """CT frames of one series as a NIfTI file in memory, sorted by place; and sentences the reader has to see.

    The distance of slices is that of their positions, not the thickness. DataRefused: "series", "shape_mismatch",
    "geometry", "positions", "gap", "scale".
    """
    import nibabel

    first = frames[0]
    _require_one_series(frames)
    cosines, positions = _geometry(frames)
    normal = np.cross(cosines[:3], cosines[3:])
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    further = _check_steps(steps)
    spacing = np.asarray(first.spacing_mm)
    start, end = positions[order[0]], positions[order[-1]]
    step = (end - start) / len(steps) if len(steps) else normal * first.thickness_mm
    affine = np.eye(4)
    affine[:3] = np.stack([cosines[:3] * spacing[1], cosines[3:] * spacing[0], step, start], axis=1)
    affine[:2] *= -1  # DICOM counts to the patient's left and back, NIfTI to the right and front
    rows, columns = first.values.shape
    stored = np.empty((columns, rows, len(frames)), np.int16, order="F")
    for k, place in enumerate(order):
        stored[..., k] = _hounsfield(frames[place]).T
    tools: Any = nibabel
    image = tools.Nifti1Image(stored, affine)
    return image.to_bytes(), further


def _ultrasound(one: Frame, report: Report, warned: list[str]) -> Admitted:
    values = one.values.astype(np.float64) * (255 / one.full)
    pixels = np.rint(255 - values if one.is_inverted else values).astype(np.uint8)
    report("Read", f"DICOM ultrasound frame, {pixels.shape[1]} × {pixels.shape[0]} pixels.")
    return upload_picture.of_pixels(np.atleast_3d(pixels), report, REMOVED, warned)


def _frame(found: Any) -> Frame:
    rows, columns, samples = int(found.Rows), int(found.Columns), int(found.get("SamplesPerPixel", 1))
    frames = int(found.get("NumberOfFrames") or 1)
    if frames != 1:
        message = f"expected one frame per file, got {frames}. Export a still picture, or one file per slice"
        raise DataRefused("frames", f"The DICOM file: {message}.")
    sides = min(rows, columns) >= gate.MIN_SIDE and max(rows, columns) <= gate.MAX_SIDE
    if not sides or rows * columns > gate.MAX_PIXELS:
        expected = f"sides of {gate.MIN_SIDE} to {gate.MAX_SIDE} pixels, at most {gate.MAX_PIXELS:,} in all"
        raise DataRefused("size", f"The DICOM file: expected {expected}, got {columns} × {rows}.")
    bits, stored, high = int(found.BitsAllocated), int(found.BitsStored), int(found.HighBit)
    photometric, sign = str(found.PhotometricInterpretation), int(found.PixelRepresentation)
    is_grey = samples == 1 and photometric in ("MONOCHROME1", "MONOCHROME2")
    is_colour = samples == 3 and photometric == "RGB" and bits == 8
    if not (is_grey or is_colour) or bits not in (8, 16) or not 1 < stored <= bits or high != stored - 1:
        got = f"{photometric[:20]} with {samples} × {stored} of {bits} bits"
        raise DataRefused(
            "mode", f"The DICOM file: expected grey with 8 or 16 bits, or RGB with 8; got {got}."
        )
    raw, need = bytes(found.PixelData), rows * columns * samples * bits // 8
    if not need <= len(raw) <= need + 1:
        raise DataRefused("damaged", f"The DICOM file: expected {need:,} bytes of pixels, got {len(raw):,}.")
    values = np.frombuffer(raw[:need], "u1" if bits == 8 else "<u2")
    values = _signed(values, bits, stored) if sign else values & ((1 << stored) - 1)
    if samples == 1:
        values = values.reshape(rows, columns)
    elif int(found.get("PlanarConfiguration", 0)):
        values = values.reshape(3, rows, columns).transpose(1, 2, 0)
    else:
        values = values.reshape(rows, columns, 3)
    slope, intercept = found.get("RescaleSlope"), found.get("RescaleIntercept")
    return Frame(
        modality=str(found.get("Modality", "unknown"))[:16],
        series=str(found.get("SeriesInstanceUID", "")),
        values=values,
        full=(1 << stored) - 1,
        scale=None if slope is None or intercept is None else (float(slope), float(intercept)),
        position_mm=_numbers(found.get("ImagePositionPatient"), 3),
        cosines=_numbers(found.get("ImageOrientationPatient"), 6),
        spacing_mm=_numbers(found.get("PixelSpacing"), 2),
        thickness_mm=float(found.get("SliceThickness") or 1),
        is_inverted=photometric == "MONOCHROME1",
        burned_in=str(found.get("BurnedInAnnotation", "")).upper(),
    )


def _signed(values: np.ndarray, bits: int, stored: int) -> np.ndarray:
    """Two's complement of the low ``stored`` bits: what stands above them (old overlays) is pushed out."""
    shift = bits - stored
    return np.asarray(np.left_shift(values, shift).view(f"i{bits // 8}") >> shift)


def _hounsfield(one: Frame) -> np.ndarray:
    if one.scale is None or not all(map(math.isfinite, one.scale)) or one.scale[0] == 0 or one.is_inverted:
        message = "no usable rescale slope and intercept, so the values are not CT numbers. Export it again"
        raise DataRefused("scale", f"The CT slice has {message}.")
    ends = np.iinfo(np.int16)
    return np.clip(np.rint(one.values * one.scale[0] + one.scale[1]), ends.min, ends.max)


def _numbers(given: Any, count: int) -> np.ndarray | None:
    """So many finite numbers of an element, else None."""
    if given is None or len(given) != count:
        return None
    found = np.array([float(value) for value in given])
    return found if np.isfinite(found).all() else None


def _require_one_series(frames: Sequence[Frame]) -> None:
    if (count := len({one.series for one in frames})) > 1:
        raise DataRefused("series", f"Expected the files of one DICOM series, got files of {count}.")
    shapes = sorted({one.values.shape for one in frames})
    if len(shapes) > 1 or len(shapes[0]) != 2:
        got = " and ".join(" × ".join(map(str, shape)) for shape in shapes[:3])
        raise DataRefused("shape_mismatch", f"The CT slices: expected one grey size, got {got}.")


def _geometry(frames: Sequence[Frame]) -> tuple[np.ndarray, np.ndarray]:
    """The shared directions (6,) and every position (n, 3) in mm."""
    first = frames[0]
    if first.cosines is None or first.spacing_mm is None or any(one.position_mm is None for one in frames):
        message = "position, orientation and pixel spacing. Without them left and right are unknown"
        raise DataRefused("geometry", f"The CT slices: expected {message}.")
    cosines = first.cosines
    unit = np.allclose([np.linalg.norm(cosines[:3]), np.linalg.norm(cosines[3:])], 1, atol=0.01)
    if not unit or abs(cosines[:3] @ cosines[3:]) > 0.01 or first.spacing_mm.min() <= 0:
        raise DataRefused("geometry", "The CT slices: the directions or the pixel spacing are impossible.")
    for one in frames:
        alike = one.cosines is not None and np.allclose(one.cosines, cosines, atol=1e-3)
        if (
            not alike
            or one.spacing_mm is None
            or not np.allclose(one.spacing_mm, first.spacing_mm, atol=1e-3)
        ):
            advice = "Leave out the scout view and other reconstructions."
            raise DataRefused("geometry", f"The CT slices lie in different directions or grids. {advice}")
    return cosines, np.stack([np.asarray(one.position_mm) for one in frames])


def _check_steps(steps: np.ndarray) -> list[str]:
    """Distances (n - 1,) between neighbouring slices in mm: none doubled, none missing; uneven ones are told."""
    if not len(steps):
        return []
    usual = float(np.median(steps))
    if steps.min() < 0.01:
        raise DataRefused(
            "positions", "Two CT slices lie at the same place: send one phase of the series only."
        )
    if steps.max() > 1.5 * usual:
        message = (
            f"slices are usually {usual:.3g} mm apart, but once {steps.max():.3g} mm. Send the whole series"
        )
        raise DataRefused("gap", f"A CT slice is missing: {message}.")
    if steps.max() - steps.min() > 0.1 * usual:
        return [
            f"The slices are unevenly spaced ({steps.min():.3g} to {steps.max():.3g} mm): volumes are rough."
        ]
    return []


def _meta(content: bytes) -> tuple[str, str]:
    """Transfer syntax and class of what is stored, from the header's first group; empty where they are missing.

    Read by ourselves, since a deflated file would be unpacked by the parser whatever it grows to.
    """
    found, at = {}, 132
    while content[at : at + 2] == b"\x02\0" and at + 8 <= len(content):
        element = int.from_bytes(content[at + 2 : at + 4], "little")
        wide = content[at + 4 : at + 6] in _LONG
        start = at + (12 if wide else 8)
        length = int.from_bytes(content[at + 8 : start] if wide else content[at + 6 : start], "little")
        found[element] = content[start : start + length]
        at = start + length
    return tuple(found.get(one, b"").rstrip(b"\0 ").decode("ascii", "replace") for one in (0x10, 0x02))  # type: ignore[return-value]
