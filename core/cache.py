"""Computed arrays on disk, named by what they were computed from; safe to delete at any time.

One .npz file per entry under ``artifacts/cache/<kind>/``. A name is a checksum of everything the content
depends on, so an entry is never stale, only unused. A damaged file counts as missing and is written anew.
What has not been used for longest goes when the limit is reached.
"""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core import atomic, places
from core.errors import CoreError

FORMAT = 1  # raise it when a formula or the content of an entry changes: older entries are then never found

LIMIT_GB = 20.0  # where TRIPTYCH_CACHE_GB says nothing: a test part of 5,000 CT slices and three networks
ROOM = 0.9  # share of the limit that is kept when it is reached
CHECK_EVERY = 0.02  # share of the limit written between two looks at the disk
FRESH = 3600  # seconds for which a use is not noted again, and an unfinished file may still be written

_written = 0  # bytes since this process last looked

# what reading a cut or flipped .npz can raise; zipfile checks the CRC-32 of every array that is read
DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    OverflowError,
)


def key(*parts: str) -> str:
    """The name of an entry: a checksum of the parts it depends on, in order, and of the format."""
    return atomic.sha256(atomic.canonical([FORMAT, *parts]))


def path(kind: str, name: str) -> Path:
    """Where an entry lies: two levels, so that no folder holds tens of thousands of files."""
    return places.cache() / places.checked(kind) / name[:2] / f"{name}.npz"


def read(kind: str, name: str, arrays: Iterable[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """The named arrays of an entry and its facts; None when it is missing, damaged or lacks one of them."""
    try:
        with zipfile.ZipFile(path(kind, name)) as file:
            facts = json.loads(file.read("facts.json"))
            found = {
                array: np.lib.format.read_array(io.BytesIO(file.read(f"{array}.npy")), allow_pickle=False)
                for array in arrays
            }
    except DAMAGE:
        return None
    if not isinstance(facts, dict) or facts.pop("name", None) != name:
        return None  # a file that was moved or copied to another name
    _note_use(path(kind, name))
    return found, facts


def write(kind: str, name: str, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Store an entry whole or not at all; OSError when the disk is full or read-only.

    ``facts`` is what JSON can hold, without NaN.
    """
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as file:
        # a fixed date (the default of ZipInfo), so that the same content gives the same bytes
        file.writestr(zipfile.ZipInfo("facts.json"), atomic.canonical({**facts, "name": name}))
        for array, content in arrays.items():
            one = io.BytesIO()
            np.lib.format.write_array(one, np.ascontiguousarray(content), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{array}.npy"), one.getvalue())
    atomic.write_bytes(path(kind, name), held.getvalue())
    _count(held.getbuffer().nbytes)


def keep(kind: str, name: str, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """``write``, but a full or read-only disk costs speed, not the answer."""
    try:
        write(kind, name, arrays, facts)
    except OSError:
        return


def limit() -> int:
    """How many bytes all entries together may take: TRIPTYCH_CACHE_GB, or LIMIT_GB. CoreError for no number."""
    asked = os.environ.get("TRIPTYCH_CACHE_GB", "")
    try:
        return int(float(asked or LIMIT_GB) * 1e9)
    except (ValueError, OverflowError):
        raise CoreError(f"TRIPTYCH_CACHE_GB: expected a number of gigabytes, got {asked!r}.") from None


def trim() -> int:
    """Remove what was not used for longest until the entries are well within the limit; bytes that remain.

    Also what a killed process left unfinished. Safe beside others that read and write.
    """
    found = []
    for file in places.cache().glob("*/*/*"):
        try:
            state = file.stat()
            if file.suffix == ".npz":
                found.append((state.st_mtime, state.st_size, file))
            elif time.time() - state.st_mtime > FRESH:
                file.unlink()
        except OSError:
            continue  # removed by somebody else meanwhile
    held = sum(size for _, size, _ in found)
    goal = limit() if held <= limit() else ROOM * limit()
    for _, size, file in sorted(found):
        if held <= goal:
            break
        file.unlink(missing_ok=True)
        held -= size
    return held


def _note_use(file: Path) -> None:
    """Set the time of last use, at most once an hour."""
    try:
        if time.time() - file.stat().st_mtime > FRESH:
            os.utime(file)
    except OSError:
        return


def _count(size: int) -> None:
    global _written
    _written += size
    if _written > CHECK_EVERY * limit():
        _written = 0
        trim()
