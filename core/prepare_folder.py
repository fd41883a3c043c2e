"""The folder of a preparation: one process at a time, everything written aside, put in place by renaming."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core import atomic, places, prepared_index
from core.errors import DataMissing, DataRefused, JobBusy

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def alone(name: str, *, resumes: bool = False) -> Iterator[Path]:
    """The folder to write into; only one process prepares a dataset.

    What a killed process left in it is removed first, unless the caller ``resumes`` what was begun.
    """
    from filelock import FileLock, Timeout

    target, aside, old = places.data(name), _aside(name), prepared_index.kept_aside(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(target.with_name(f".{name}.lock"), timeout=0):
            if old.exists() and not target.exists():
                os.replace(old, target)
            remove(old)
            if not resumes:
                remove(aside)
            try:
                with _disk(name):
                    yield aside
            finally:
                if not resumes:
                    remove(aside)
    except Timeout:
        raise JobBusy(f"{name} is being prepared by another process. Wait for it to end.") from None


@contextmanager
def _disk(name: str) -> Iterator[None]:
    """Turn a full or read-only disk into a named refusal."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            message = f"The disk is full: {places.data(name)} is as it was. Make room and prepare again."
            raise DataRefused("disk_full", message) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise DataRefused("disk", f"{places.data(name)} cannot be written: {error.strerror}.") from error
        raise


def stored(name: str) -> dict[str, Any] | None:
    """The card of what is prepared already, None when there is nothing or a file is missing or cut short."""
    try:
        content = prepared_index.card_json(name)
    except (DataMissing, DataRefused):
        return None
    folder = places.data(name)
    whole = all(has_size(folder / file, row["bytes"]) for file, row in content["files"].items())
    return content if whole else None


def has_size(path: Path, size: int) -> bool:
    """Whether this is a file of so many bytes."""
    return path.is_file() and path.stat().st_size == size


def swap(name: str) -> None:
    """Put the new folder in place of the old one. Between two renames readers use the one kept aside."""
    target, aside, old = places.data(name), _aside(name), prepared_index.kept_aside(name)
    if target.exists():
        os.replace(target, old)
    os.replace(aside, target)
    atomic.sync_folder(target.parent)
    remove(old)


def remove(folder: Path) -> None:
    """Remove a folder, its card first: half a folder must not look like a whole one."""
    (folder / "card.json").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _aside(name: str) -> Path:
    return places.data(name).with_name(f".{name}.part")
