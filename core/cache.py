"""Computed arrays on disk, named by what they were computed from; safe to delete at any time.

One .npz file per entry under ``artifacts/cache/<kind>/``. A name is a checksum of everything the content
depends on, so an entry is never stale, only unused. A damaged file counts as missing and is written anew.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core import atomic, places

FORMAT = 1  # raise it when a formula or the content of an entry changes: older entries are then never found

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
