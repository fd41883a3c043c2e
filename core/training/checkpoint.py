"""Checkpoints that survive a kill at any instant: weights first, verified, their JSON marker last.

An epoch counts once its marker parses and the weights file matches the marker's checksum.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from core import atomic
from core.errors import TrainingFailed

KEPT = 2  # newest epochs on disk: if the last is damaged, the one before still serves


def commit(folder: Path, epoch: int, model: keras.Model, state: dict[str, Any]) -> None:
    """Make epoch ``epoch`` (from 1) permanent: weights with optimiser state, then ``state`` as the marker."""
    weights = folder / f"ep-{epoch:04d}.weights.h5"
    checksum = save(model, weights)
    marker = {
        **state,
        "epoch": epoch,
        "file": weights.name,
        "sha256": checksum,
        "bytes": weights.stat().st_size,
    }
    with named_failures(folder):
        atomic.write_json(folder / f"ep-{epoch:04d}.json", marker)
    _forget_old(folder)


def save(model: keras.Model, path: Path) -> str:
    """Write a weights file so that ``path`` is whole or absent; its checksum."""
    temporary = path.with_name(f"part-{path.name}")
    with named_failures(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        _require_space(path.parent, model)
        try:
            model.save_weights(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            checksum = atomic.sha256_file(temporary)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        atomic.sync_folder(path.parent)
    return checksum


def newest(folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """The newest whole checkpoint's marker, or None, and the names of damaged ones, now renamed ``*.bad``."""
    damaged: list[str] = []
    for leftover in folder.glob("part-*"):
        leftover.unlink()
    for marker in sorted(folder.glob("ep-*.json"), reverse=True):
        state = _verified(marker)
        if state:
            return state, damaged
        damaged.append(marker.name)
        for path in (marker, _weights_of(marker)):
            if path.exists():
                path.replace(path.with_name(f"{path.name}.bad"))
    return None, damaged


def restore(model: keras.Model, folder: Path, marker: dict[str, Any]) -> None:
    """Fill ``model`` and its optimiser from the checkpoint.

    The optimiser is built first: without that its state would be dropped without a word.
    """
    model.optimizer.build(model.trainable_variables)
    model.load_weights(folder / marker["file"])


@contextlib.contextmanager
def named_failures(folder: Path) -> Iterator[None]:
    """Turn a full disk into ``disk_full`` with what to do about it."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "No space left" in str(error)
        if full:
            raise TrainingFailed("disk_full", _full(folder)) from error
        raise


def _full(folder: Path) -> str:
    free = shutil.disk_usage(folder).free / 1e6
    return (
        f"The disk is full: a checkpoint needs more than the {free:.0f} MB that are free. Everything up to the "
        "last finished epoch is kept. Free some space, then go on with --resume."
    )


def _require_space(folder: Path, model: keras.Model) -> None:
    needed = 3 * 4 * 3 * model.count_params()  # three checkpoints of float32 weights and two Adam moments
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, "No space left for a checkpoint")


def _weights_of(marker: Path) -> Path:
    return marker.with_name(f"{marker.stem}.weights.h5")


def _verified(marker: Path) -> dict[str, Any] | None:
    try:
        state = json.loads(marker.read_text())
        for part in (state, state["best"]):
            if atomic.sha256_file(marker.parent / part["file"]) != part["sha256"]:
                return None
        return state
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _forget_old(folder: Path) -> None:
    markers = sorted(folder.glob("ep-*.json"))
    for old in markers[:-KEPT]:
        old.unlink()
        _weights_of(old).unlink(missing_ok=True)
    wanted = {json.loads(marker.read_text())["best"]["file"] for marker in markers[-KEPT:]}
    for best in folder.glob("best-*.weights.h5"):
        if best.name not in wanted:
            best.unlink()
