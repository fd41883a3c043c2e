"""An ultrasound picture of a reader's own: PNG, JPEG or single-frame TIFF, checked and reduced to its grey levels.

Runs in the child process of an upload. PNG goes through the same gate as the data sets. JPEG and TIFF carry no
checksum: a flipped bit in one of them cannot be told from a dark spot.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from core import gate, preprocess
from core.datasets import busi
from core.errors import DataRefused
from core.upload_kinds import Admitted, Report

FEWEST_LEVELS = 16  # grey levels between the darkest and the brightest pixel
MOST_COLOUR = 0.25  # share of coloured pixels; the most coloured of 745 BUSI pictures has 0.05
MOST_GREY = 0.01  # share of a mask's pixels between black and white
_MODES = ("1", "L", "P", "RGB", "RGBA", "I;16", "I;16B")


def admit(content: bytes, report: Report) -> Admitted:
    """One picture file, checked. DataRefused: those of ``gate.png``, and "colour" and "constant"."""
    kind = _format(content)
    pixels = gate.png(content) if kind == "PNG" else _decoded(content, kind)
    height, width = pixels.shape[:2]
    depth = "16-bit" if pixels.dtype == np.uint16 else "8-bit"
    report("Read", f"{kind} picture, {width} × {height} pixels, {depth}.")
    return of_pixels(
        pixels, report, "File names, dates and text in the file are not kept: only its pixels are."
    )


def of_pixels(pixels: np.ndarray, report: Report, removed: str, warned: Sequence[str] = ()) -> Admitted:
    """Pixels (H, W, 1 or 3) uint8 or uint16 of a picture, as the networks take them; the last three steps."""
    report("Orientation", "Shown as stored. The networks expect the skin at the top.")
    share = coloured(pixels)
    if share > MOST_COLOUR:
        raise DataRefused(
            "colour",
            "the picture is a colour photograph or a colour Doppler image: expected grey ultrasound, got colour in "
            f"{share:.0%} of its pixels. Export the grey (B-mode) picture.",
        )
    picture, flags = busi.grey(pixels), busi.picture_flags(pixels)
    low, high = int(picture.min()), int(picture.max())
    if high - low < FEWEST_LEVELS:
        raise DataRefused(
            "constant",
            f"the picture is almost one grey level: expected at least {FEWEST_LEVELS} levels, got {low} to {high}.",
        )
    report("Range", f"Grey levels {low} to {high}, mean {picture.mean():.0f}, of 0 to 255.")
    warned = list(warned)
    if "burned-in-marks" in flags:
        warned.append(
            "Text or calliper marks seem to be drawn into the picture. They may name the patient, and "
            "a network may react to them."
        )
    if "colour-overlay" in flags:
        warned.append("Parts of the picture are coloured: only the mean of the colours is used.")
    report("De-identify", removed)
    image = preprocess.network_image(picture)
    return Admitted("busi", picture[None], image[None], None, flags=tuple(flags), warned=tuple(warned))


def reference(content: bytes, shape: Sequence[int]) -> np.ndarray:
    """A mask as PNG for a picture of ``shape`` (H, W): labels (1, H, W) uint8, 1 where any channel is above 127.

    DataRefused: those of ``gate.png``; "mask_size"; "mask_values" for a picture that is no mask.
    """
    pixels = gate.png(content, "the reference")
    mask, _ = busi.marked(pixels)
    if mask.shape != tuple(shape):
        expected, got = (f"{side[1]} × {side[0]} pixels" for side in (shape, mask.shape))
        raise DataRefused("mask_size", f"the reference: expected {expected} like its picture, got {got}.")
    level = busi.grey(pixels)
    between = float(((level > 8) & (level < 247)).mean())
    if between > MOST_GREY:
        raise DataRefused(
            "mask_values",
            f"the reference: expected black and white, got grey in {between:.0%} of it. Is it the picture itself?",
        )
    return mask[None].astype(np.uint8)


def coloured(pixels: np.ndarray) -> float:
    """The share of pixels whose channels differ by more than a grey picture's do, 0..1."""
    if pixels.shape[2] == 1:
        return 0.0
    difference = pixels.max(axis=2) - pixels.min(axis=2)
    return float((difference > busi.COLOUR_DIFFERENCE).mean())


def _format(content: bytes) -> str:
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    return "TIFF" if content[:4] in (b"II*\0", b"MM\0*") else "PNG"


def _decoded(content: bytes, kind: str) -> np.ndarray:
    """The pixels of a JPEG or TIFF: (H, W, 1 or 3) uint8, or uint16 for 16-bit grey."""
    if len(content) > gate.MAX_BYTES:
        message = f"the picture: expected at most {gate.MAX_BYTES:,} bytes, got {len(content):,}."
        raise DataRefused("too_large", message)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd tags; what matters is checked here
            with Image.open(io.BytesIO(content), formats=(kind,)) as image:
                _check(image)
                image.load()
                return _channels(image)
    except (Image.DecompressionBombError, MemoryError) as error:
        raise DataRefused("size", f"the picture declares far too many pixels. {_LIMITS}") from error
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        KeyError,
        TypeError,
        struct.error,
        zlib.error,
    ) as error:
        message = "the picture is damaged or cut short: its pixels do not unpack. Export it again."
        raise DataRefused("damaged", message) from error


_LIMITS = (
    f"Expected sides of {gate.MIN_SIDE} to {gate.MAX_SIDE} pixels, at most {gate.MAX_PIXELS:,} pixels in all."
)


def _check(image: Image.Image) -> None:
    width, height = image.size
    sides = min(image.size) >= gate.MIN_SIDE and max(image.size) <= gate.MAX_SIDE
    if not sides or width * height > gate.MAX_PIXELS:
        raise DataRefused("size", f"the picture has {width} × {height} pixels. {_LIMITS}")
    if (frames := getattr(image, "n_frames", 1)) != 1:
        raise DataRefused("frames", f"the picture: expected one frame, got {frames}. Export a single one.")
    if image.mode not in _MODES:
        expected = "grey, palette, RGB or RGBA with 8 bits or 16-bit grey"
        raise DataRefused("mode", f"the picture: expected {expected}, got {image.mode}. Export it as PNG.")


def _channels(image: Image.Image) -> np.ndarray:
    if image.mode in ("1", "P"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    pixels = np.atleast_3d(np.asarray(image))[..., :3]
    return np.ascontiguousarray(pixels.astype(np.uint16 if pixels.itemsize > 1 else np.uint8, copy=False))
