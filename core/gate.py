"""The gate for PNG files: checked pixels, or a named refusal. Nothing else opens a foreign picture.

The chunks are walked by us first (signature, lengths, CRC-32, order, end), because a decoder alone turns a flipped
bit into wrong pixels without a word. Only the chunks that hold pixels are then handed on: text, profiles and
transparency never reach a parser. Sizes are checked in the header, before anything is unpacked.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from core.errors import DataRefused

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_BYTES = 20_000_000
MIN_SIDE, MAX_SIDE = 32, 8192  # pixels
MAX_PIXELS = 25_000_000

# bit depths by colour type: 0 grey, 2 RGB, 3 palette, 6 RGBA; 16 bit only for grey, Pillow drops bits of the rest
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8,), 3: (1, 2, 4, 8), 6: (8,)}
_PALETTE = 3
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
# no link is followed, a pipe cannot make us wait; flags that a system lacks are 0
_OPENING = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)
_KNOWN_OTHERS = (
    (b"\xff\xd8", "JPEG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
)


def file_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """The whole content of one regular file of at most ``limit`` bytes, read through one handle.

    Links are not followed. DataRefused (missing, link, not_a_file, too_large) names the file by its base name.
    """
    with opened(path) as file:
        content = file.read(limit + 1)
        size = os.fstat(file.fileno()).st_size
    if len(content) > limit:
        raise DataRefused("too_large", f"{path.name}: expected at most {limit:,} bytes, got {size:,}.")
    return content


def opened(path: Path) -> BinaryIO:
    """One regular file, open for reading; links are not followed. DataRefused (missing, link, not_a_file)."""
    try:
        handle = os.open(path, _OPENING)
    except FileNotFoundError:
        raise DataRefused("missing", f"{path.name} is gone. Restore the file and prepare again.") from None
    except OSError as error:
        if path.is_symlink():
            message = f"{path.name} is a link. Put the file itself into the folder."
            raise DataRefused("link", message) from None
        raise DataRefused("unreadable", f"{path.name} cannot be read: {error.strerror}.") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise DataRefused("not_a_file", f"{path.name} is not a regular file.")
    return os.fdopen(handle, "rb")


def png(content: bytes, name: str = "the picture") -> np.ndarray:
    """Pixels of one PNG file: (H, W, 1) or (H, W, 3), uint8, or uint16 for 16-bit grey.

    Accepts modes 1 (as 0 and 255), L, P (resolved to RGB), RGB, RGBA (alpha dropped) and I;16; sides 32 to 8192,
    at most 25 million pixels, at most 20 MB. ``name`` stands in messages: a base name, or nothing that identifies
    an upload. DataRefused codes: empty, too_large, not_png, truncated, damaged, trailing, frames, size, mode.
    """
    kept = _walk(content, name)
    try:
        with Image.open(io.BytesIO(kept), formats=("PNG",)) as image:
            image.load()
            return _channels(image, name)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise DataRefused(
            "damaged", f"{name}: the pixels do not unpack. Export the picture again."
        ) from error


def _channels(image: Image.Image, name: str) -> np.ndarray:
    if image.mode == "1":
        return np.asarray(image)[..., None].astype(np.uint8) * np.uint8(255)
    if image.mode == "P":
        return np.array(image.convert("RGB"))
    if image.mode in ("L", "I;16"):
        return np.array(image)[..., None]
    if image.mode in ("RGB", "RGBA"):
        return np.array(image)[..., :3]
    raise _mode(name, image.mode)


def _walk(content: bytes, name: str) -> bytes:
    """Check every chunk and return the file reduced to the chunks that hold pixels."""
    if not content:
        raise DataRefused("empty", f"{name} is empty (0 bytes).")
    if len(content) > MAX_BYTES:
        raise DataRefused("too_large", f"{name}: expected at most {MAX_BYTES:,} bytes, got {len(content):,}.")
    if not content.startswith(SIGNATURE):
        raise DataRefused("not_png", f"{name} is not a PNG file{_looks_like(content)}. Export it as PNG.")
    kept, at = [SIGNATURE], len(SIGNATURE)
    seen: list[bytes] = []
    while not seen or seen[-1] != b"IEND":
        if at + 12 > len(content):
            raise DataRefused("truncated", f"{name} ends in the middle. Copy the file again.")
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if end > len(content):
            raise DataRefused("truncated", f"{name} ends in the middle. Copy the file again.")
        if zlib.crc32(content[at + 4 : end - 4]) != struct.unpack_from(">I", content, end - 4)[0]:
            raise DataRefused(
                "damaged", f"{name}: a checksum inside the file does not match. Copy the file again."
            )
        _check_order(kind, seen, name)
        if kind == b"IHDR":
            _check_header(content[at + 8 : end - 4], name)
        if kind in _PIXEL_CHUNKS:
            kept.append(content[at:end])
        seen.append(kind)
        at = end
    if b"IDAT" not in seen or (content[25] == _PALETTE and b"PLTE" not in seen):
        raise DataRefused("damaged", f"{name} holds no pixels, or no colours for them.")
    if at != len(content):
        raise DataRefused("trailing", f"{name}: {len(content) - at:,} bytes follow the end of the picture.")
    return b"".join(kept)


def _check_order(kind: bytes, seen: list[bytes], name: str) -> None:
    if kind in (b"acTL", b"fcTL", b"fdAT"):
        raise DataRefused("frames", f"{name} is an animation: expected one picture, got several frames.")
    if (kind == b"IHDR") == bool(seen) or (kind in (b"PLTE", b"IEND") and kind in seen):
        raise DataRefused("damaged", f"{name}: the parts of the file are out of order.")
    if kind == b"IDAT" and kind in seen and seen[-1] != kind:
        raise DataRefused("damaged", f"{name}: the parts of the file are out of order.")
    if not kind.isalpha() or (kind[:1].isupper() and kind not in _PIXEL_CHUNKS):
        raise DataRefused("damaged", f"{name}: unknown part {kind!r} in the file.")


def _check_header(header: bytes, name: str) -> None:
    if len(header) != 13:
        raise DataRefused("damaged", f"{name}: the header has {len(header)} bytes, expected 13.")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    if not (
        MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE and width * height <= MAX_PIXELS
    ):
        expected = f"sides of {MIN_SIDE} to {MAX_SIDE} pixels, at most {MAX_PIXELS:,} in all"
        raise DataRefused("size", f"{name}: expected {expected}, got {width} x {height}.")
    if depth not in _DEPTHS.get(colour, ()):
        raise _mode(name, f"colour type {colour} with {depth} bits")
    if compression or filtering or interlace > 1:
        raise DataRefused("damaged", f"{name}: unknown compression in the header.")


def _mode(name: str, got: str) -> DataRefused:
    return DataRefused(
        "mode", f"{name}: expected grey, palette, RGB or RGBA with 8 bits or 16-bit grey, got {got}."
    )


def _looks_like(content: bytes) -> str:
    if content[128:132] == b"DICM":
        return " but DICOM, which usually carries patient data and is not accepted"
    return next((f" but {title}" for magic, title in _KNOWN_OTHERS if content.startswith(magic)), "")
