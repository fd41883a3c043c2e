"""Damaged NIfTI files: no flipped bit and no cut gives other voxels than those that were written."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from core import nifti
from core.errors import DataRefused
from tests.core.volumes import anatomy, content, stored_as

PICTURES, LABELS = anatomy()
KINDS = {"CT": (PICTURES, False), "labels": (LABELS, True)}


def raw_of(kind: str) -> bytes:
    return content(*stored_as(KINDS[kind][0], "PLI"))


def outcome(path: Path, damaged: bytes, kind: str) -> str:
    """refused, same or wrong: anything but a refusal by name or the voxels as written is wrong."""
    expected, labels = KINDS[kind]
    path.write_bytes(damaged)
    try:
        voxels = nifti.read(path, labels=labels).voxels
    except DataRefused as refusal:
        return "refused" if str(refusal).startswith(path.name) else "wrong"
    return "same" if np.array_equal(voxels, expected) else "wrong"


def flipped(whole: bytes, bit: int) -> bytes:
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


@pytest.mark.parametrize("kind", KINDS)
def test_none_of_300_flipped_bits_in_a_compressed_volume_gives_other_voxels(
    tmp_path: Path, kind: str
) -> None:
    packed = gzip.compress(raw_of(kind), mtime=0)
    bits = np.random.default_rng(0).choice(len(packed) * 8, 300, replace=False)
    outcomes = [outcome(tmp_path / "a.nii.gz", flipped(packed, int(bit)), kind) for bit in bits]
    assert outcomes.count("wrong") == 0
    assert outcomes.count("refused") > 0.8 * len(bits)  # the rest hit bits without meaning, such as the time


@pytest.mark.parametrize("kind", KINDS)
def test_every_flipped_bit_in_the_first_and_last_bytes_of_gzip_is_refused_or_harmless(
    tmp_path: Path, kind: str
) -> None:
    packed = gzip.compress(raw_of(kind), mtime=0)
    bits = [*range(12 * 8), *range((len(packed) - 8) * 8, len(packed) * 8)]
    outcomes = {bit: outcome(tmp_path / "a.nii.gz", flipped(packed, bit), kind) for bit in bits}
    assert "wrong" not in outcomes.values()
    assert [outcomes[bit] for bit in bits[-64:]] == ["refused"] * 64  # checksum and length


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_every_truncation_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    raw = raw_of(kind)
    whole = gzip.compress(raw, mtime=0) if name.endswith(".gz") else raw
    lengths = {0, 1, 2, 9, 10, 18, 351, 352, len(whole) - 9, len(whole) - 8, len(whole) - 1}
    lengths |= set(np.random.default_rng(1).integers(3, len(whole), 60).tolist())
    outcomes = {
        length: outcome(tmp_path / name, whole[:length], kind) for length in lengths if length < len(whole)
    }
    assert set(outcomes.values()) == {"refused"}


@pytest.mark.parametrize("kind", KINDS)
def test_rewritten_bytes_anywhere_in_a_compressed_volume_are_refused(tmp_path: Path, kind: str) -> None:
    packed = gzip.compress(raw_of(kind), mtime=0)
    rng = np.random.default_rng(2)
    for _ in range(100):
        start, length = int(rng.integers(10, len(packed) - 40)), int(rng.integers(1, 40))
        noise = rng.integers(0, 256, length, dtype=np.uint8).tobytes()
        damaged = packed[:start] + noise + packed[start + length :]
        assert outcome(tmp_path / "a.nii.gz", damaged, kind) == ("same" if damaged == packed else "refused")


@pytest.mark.filterwarnings("error")
def test_any_flipped_bit_in_an_uncompressed_header_ends_in_a_refusal_or_a_whole_volume(
    tmp_path: Path,
) -> None:
    raw = raw_of("CT")
    refused = 0
    for bit in np.random.default_rng(3).choice(348 * 8, 600, replace=False):
        (tmp_path / "a.nii").write_bytes(flipped(raw, int(bit)))
        try:
            scan = nifti.read(tmp_path / "a.nii")
        except DataRefused:
            refused += 1
            continue
        assert scan.voxels.shape == scan.grid.display_shape
        assert scan.voxels.dtype in (np.int16, np.float32)
        assert np.isfinite(scan.voxels).all()
    assert refused > 50
