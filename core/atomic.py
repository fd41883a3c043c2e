"""Files that others may read: written under a temporary name, flushed to disk, then renamed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


def write(path: Path, fill: Callable[[BinaryIO], object]) -> Path:
    """Let ``fill`` write an open binary file that appears as ``path`` only when it is complete.

    The folder is made when missing. On any error, a full disk included, the old file stays and no
    temporary file is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    """Replace ``path`` by ``content``."""
    return write(path, lambda file: file.write(content))


def write_text(path: Path, text: str) -> Path:
    """Replace ``path`` by ``text`` in UTF-8."""
    return write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> Path:
    """Replace ``path`` by indented JSON; NaN is refused (ValueError), as no JSON reader need accept it."""
    return write_text(path, json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")


def write_array(path: Path, array: np.ndarray) -> Path:
    """Replace ``path`` by one array in .npy format (readable with ``mmap_mode="r"``)."""
    return write(path, lambda file: np.save(file, array, allow_pickle=False))


def write_arrays(path: Path, **arrays: np.ndarray) -> Path:
    """Replace ``path`` by several arrays in compressed .npz format."""
    held = io.BytesIO()
    np.savez_compressed(held, **arrays)  # type: ignore[arg-type]
    return write_bytes(path, held.getvalue())


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def canonical(content: Any) -> bytes:
    """The one JSON form of ``content`` that checksums are taken of."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sha256(content: bytes) -> str:
    """Checksum of bytes, 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Checksum of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
