"""The PNG gate: good files give their pixels, damaged and hostile ones a named refusal, never wrong pixels."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import gate
from core.errors import DataRefused

GREY = np.random.default_rng(0).integers(0, 256, (40, 48), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (40, 48, 3), dtype=np.uint8)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    held = io.BytesIO()
    image.save(held, format=form, **options)
    return held.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    at, found = 8, []
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        found.append((kind, png[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def joined(parts: list[tuple[bytes, bytes]]) -> bytes:
    return gate.SIGNATURE + b"".join(chunk(kind, content) for kind, content in parts)


def header(width: int, height: int, depth: int = 8, colour: int = 0) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)


def claiming(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    """A small file that claims these sizes."""
    return joined(
        [header(width, height, depth, colour), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    )


def with_before_pixels(kind: bytes, content: bytes) -> bytes:
    parts = chunks(encoded(Image.fromarray(GREY)))
    return joined([parts[0], (kind, content), *parts[1:]])


def code_of(content: bytes) -> str:
    with pytest.raises(DataRefused) as refusal:
        gate.png(content)
    return refusal.value.code


PNG = encoded(Image.fromarray(GREY))
PALETTE = Image.fromarray(COLOUR).convert("P", palette=Image.Palette.ADAPTIVE)
SIXTEEN = GREY.astype(np.uint16) * 257 + 3


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(GREY > 127), (GREY > 127)[..., None] * np.uint8(255)),
        (Image.fromarray(GREY), GREY[..., None]),
        (Image.fromarray(COLOUR), COLOUR),
        (Image.fromarray(np.dstack([COLOUR, GREY])), COLOUR),
        (PALETTE, np.asarray(PALETTE.convert("RGB"))),
        (Image.fromarray(SIXTEEN), SIXTEEN[..., None]),
    ],
    ids=["1", "L", "RGB", "RGBA loses its alpha", "P becomes RGB", "I;16"],
)
def test_each_accepted_mode_gives_its_pixels(image: Image.Image, expected: np.ndarray) -> None:
    pixels = gate.png(encoded(image))
    assert pixels.dtype == expected.dtype
    np.testing.assert_array_equal(pixels, expected)


def test_a_palette_with_transparency_gives_its_colours_without_it() -> None:
    pixels = gate.png(encoded(PALETTE, transparency=0))
    np.testing.assert_array_equal(pixels, np.asarray(PALETTE.convert("RGB")))


def test_a_grey_picture_with_a_transparent_level_keeps_that_level() -> None:
    np.testing.assert_array_equal(gate.png(encoded(Image.fromarray(GREY), transparency=7))[..., 0], GREY)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (encoded(Image.fromarray(GREY), "JPEG"), "not_png"),
        (encoded(Image.fromarray(GREY), "GIF"), "not_png"),
        (encoded(Image.fromarray(GREY), "TIFF"), "not_png"),
        (encoded(Image.fromarray(GREY), "BMP"), "not_png"),
        (b"\0" + PNG[1:], "not_png"),
        (b"\0" * 128 + b"DICM" + b"\0" * 64, "not_png"),
        (PNG[:20], "truncated"),
        (PNG[: len(PNG) // 2], "truncated"),
        (PNG[:-5], "truncated"),
        (PNG[:-12], "truncated"),
        (PNG + b"more", "trailing"),
        (claiming(12_000, 12_000), "size"),
        (claiming(14_000, 14_000), "size"),
        (claiming(6_000, 6_000), "size"),
        (claiming(8_193, 40), "size"),
        (claiming(31, 40), "size"),
        (claiming(0, 40), "size"),
        (claiming(2**31 - 1, 2**31 - 1), "size"),
        (claiming(48, 40, 16, 2), "mode"),
        (claiming(48, 40, 8, 4), "mode"),
        (claiming(48, 40, 3, 0), "mode"),
        (encoded(Image.fromarray(COLOUR).convert("LA")), "mode"),
        (with_before_pixels(b"acTL", struct.pack(">II", 2, 0)), "frames"),
        (with_before_pixels(b"IHDR", header(48, 40)[1]), "damaged"),
        (with_before_pixels(b"ABCD", b"unknown and critical"), "damaged"),
        (joined(chunks(PNG)[1:]), "damaged"),
        (joined([header(48, 40), (b"IEND", b"")]), "damaged"),
        (joined([(b"IHDR", b"\0" * 12), *chunks(PNG)[1:]]), "damaged"),
        (joined([header(48, 40, 8, 3), *chunks(PNG)[1:]]), "damaged"),
        (claiming(48, 40), "damaged"),
        (joined([header(48, 40), (b"IDAT", b"no zlib stream"), (b"IEND", b"")]), "damaged"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * gate.MAX_BYTES, "too_large"),
    ],
)
def test_a_bad_file_is_refused_by_name(content: bytes, code: str) -> None:
    assert code_of(content) == code


def test_a_real_animation_is_refused() -> None:
    frames = [Image.fromarray(np.roll(GREY, k, axis=0)) for k in range(3)]
    assert code_of(encoded(frames[0], save_all=True, append_images=frames[1:])) == "frames"


def test_a_refused_dicom_file_says_what_to_do() -> None:
    with pytest.raises(DataRefused, match="DICOM, which usually carries patient data"):
        gate.png(b"\0" * 128 + b"DICM")


def test_a_text_bomb_is_never_unpacked() -> None:
    bomb = with_before_pixels(b"zTXt", b"Comment\0\0" + zlib.compress(b"A" * 50_000_000, 9))
    tracemalloc.start()
    np.testing.assert_array_equal(gate.png(bomb)[..., 0], GREY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_no_single_flipped_bit_of_300_is_accepted() -> None:
    rng = np.random.default_rng(2)
    accepted = 0
    for bit in rng.choice(len(PNG) * 8, 300, replace=False):
        flipped = bytearray(PNG)
        flipped[bit // 8] ^= 1 << (bit % 8)
        try:
            gate.png(bytes(flipped))
            accepted += 1
        except DataRefused:
            continue
    assert accepted == 0


def test_damage_with_repaired_checksums_ends_in_pixels_of_the_right_shape_or_a_refusal() -> None:
    rng = np.random.default_rng(3)
    parts = chunks(PNG)
    refused = 0
    for _ in range(300):
        which = int(rng.integers(0, len(parts) - 1))
        content = bytearray(parts[which][1])
        for _ in range(int(rng.integers(1, 4))):
            content[int(rng.integers(len(content)))] = int(rng.integers(256))
        try:
            pixels = gate.png(
                joined([*parts[:which], (parts[which][0], bytes(content)), *parts[which + 1 :]])
            )
            assert pixels.ndim == 3
            assert pixels.dtype in (np.uint8, np.uint16)
        except DataRefused:
            refused += 1
    assert refused > 100


def test_the_name_of_an_upload_is_in_no_message() -> None:
    with pytest.raises(DataRefused) as refusal:
        gate.png(PNG[:30])
    assert "the picture" in str(refusal.value)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "there.png").write_bytes(PNG)
    (tmp_path / "link.png").symlink_to(tmp_path / "there.png")
    assert gate.file_bytes(tmp_path / "there.png") == PNG
    with pytest.raises(DataRefused, match=r"link\.png is a link"):
        gate.file_bytes(tmp_path / "link.png")


@pytest.mark.parametrize(
    ("name", "code"),
    [("gone.png", "missing"), ("folder", "not_a_file"), ("pipe", "not_a_file"), ("big.png", "too_large")],
)
def test_what_is_no_small_regular_file_is_refused(tmp_path: Path, name: str, code: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "big.png").write_bytes(b"\0" * 101)
    with pytest.raises(DataRefused) as refusal:
        gate.file_bytes(tmp_path / name, limit=100)
    assert refusal.value.code == code
    assert str(tmp_path) not in str(refusal.value)


@pytest.mark.real
def test_every_supplied_busi_file_passes(real_data: Path) -> None:
    files = sorted((real_data / "busi").rglob("*.png"))[::20]
    assert len(files) > 50
    assert all(gate.png(gate.file_bytes(path), path.name).size for path in files)
