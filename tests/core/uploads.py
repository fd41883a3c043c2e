"""Files of the kinds that a reader may upload, made in memory: good ones, and ones that must be refused."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from tests.core import volumes as nifti

PATIENT = "Doe^Jane"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
RUN_LENGTH = "1.2.840.10008.1.2.5"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def ultrasound(shape: tuple[int, int] = (150, 190), seed: int = 1) -> np.ndarray:
    """Grey speckle, brighter at the top, with one dark disc: (H, W) uint8."""
    rng = np.random.default_rng(seed)
    row, column = np.indices(shape)
    level = (140 - 110 * row / shape[0]) * rng.normal(1, 0.18, shape)
    inside = np.hypot(row - 0.45 * shape[0], column - 0.5 * shape[1]) < 0.18 * shape[0]
    return np.clip(np.where(inside, 0.2 * level, level), 0, 255).astype(np.uint8)


def lesion(shape: tuple[int, int] = (150, 190)) -> np.ndarray:
    """Where the disc of ``ultrasound`` is: (H, W) bool."""
    row, column = np.indices(shape)
    return np.asarray(np.hypot(row - 0.45 * shape[0], column - 0.5 * shape[1]) < 0.18 * shape[0])


def picture(pixels: np.ndarray, form: str = "PNG", **options: Any) -> bytes:
    """Pixels as a file of one of Pillow's formats."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **options)
    return out.getvalue()


def mask() -> bytes:
    """A reference for ``ultrasound`` as PNG."""
    return picture((lesion() * 255).astype(np.uint8))


def bomb(width: int = 14000, height: int = 14000) -> bytes:
    """A PNG of a few bytes that declares far too many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(100_000)))
        + chunk(b"IEND", b"")
    )


def abdomen(n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """HU (n, 60, 70) int16 and labels uint8 in display orientation; a body on air, the liver on screen left."""
    k, row, column = np.indices((n, 60, 70))
    body = np.hypot((row - 30) / 26, (column - 35) / 31) < 1
    labels = (np.hypot(row - 28, column - 22) < 12).astype(np.uint8)
    labels[(np.hypot(row - 26, column - 20) < 5) & (k > 3) & (k < 9)] = 2
    level = np.where(body, 40, -1000)
    level = np.select([labels == 2, labels == 1], [60, 110], level)
    noise = np.random.default_rng(3).normal(0, 8, level.shape)
    return np.maximum(level + noise, -1024).astype(np.int16), labels


def volume(codes: str = "RAS", *, packed: bool = True, **lies: Any) -> bytes:
    """``abdomen`` as a NIfTI file."""
    return _nifti(abdomen()[0], codes, packed, lies)


def outline(codes: str = "RAS", *, packed: bool = True, **lies: Any) -> bytes:
    """The labels of ``abdomen`` as a NIfTI file."""
    return _nifti(abdomen()[1], codes, packed, lies)


def _nifti(shown: np.ndarray, codes: str, packed: bool, lies: dict[str, Any]) -> bytes:
    stored, affine = nifti.stored_as(shown, codes)
    raw = nifti.content(stored, affine, **lies)
    return gzip.compress(raw, 6, mtime=0) if packed else raw


def dicom(pixels: np.ndarray, modality: str, syntax: str = EXPLICIT, **elements: Any) -> bytes:
    """One DICOM file of pixels (rows, columns[, 3]); ``elements`` replace or add, None takes one away."""
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = elements.pop("storage", "1.2.840.10008.5.1.4.1.1.7")
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = UID(EXPLICIT if syntax not in (IMPLICIT, EXPLICIT) else syntax)
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    grey = pixels.ndim == 2
    bits = 8 * pixels.itemsize
    fields: dict[str, Any] = {
        "PatientName": PATIENT, "PatientID": "4711", "PatientBirthDate": "19700101", "Modality": modality,
        "SeriesInstanceUID": "1.2.3.4", "Rows": pixels.shape[0], "Columns": pixels.shape[1],
        "SamplesPerPixel": 1 if grey else 3, "PhotometricInterpretation": "MONOCHROME2" if grey else "RGB",
        "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"), "PixelData": pixels.tobytes(),
    } | ({} if grey else {"PlanarConfiguration": 0}) | elements  # fmt: skip
    for name, value in fields.items():
        if value is not None:
            setattr(made, name, value)
    out = io.BytesIO()
    pydicom.dcmwrite(out, made, enforce_file_format=True)
    content = out.getvalue()
    if syntax not in (IMPLICIT, EXPLICIT):  # a lie of the same length, so that nothing has to be compressed
        content = content.replace(EXPLICIT.encode() + b"\0", _padded(syntax, len(EXPLICIT) + 1), 1)
    return content


def _padded(uid: str, length: int) -> bytes:
    found = uid.encode().ljust(length, b"\0")
    if len(found) != length:
        raise ValueError(f"uid: expected at most {length} characters, got {len(found)}")
    return found


def ct_slices(n: int = 12, *, spacing: float = 3.0, **elements: Any) -> list[bytes]:
    """``abdomen`` as the files of one series, first slice nearest the feet; stored values are HU + 1024."""
    made = []
    for k, shown in enumerate(abdomen(n)[0]):
        made.append(
            dicom(
                (shown + 1024).astype(np.uint16),
                "CT",
                **{
                    "RescaleSlope": 1,
                    "RescaleIntercept": -1024,
                    "PixelSpacing": [0.7, 0.9],
                    "SliceThickness": 5,
                    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                    "ImagePositionPatient": [-30, -20, -100 + spacing * k],
                }
                | elements,
            )
        )
    return made
