"""The audit log: one line of JSON per verdict, export, study event, training or upload, never changed afterwards.

artifacts/audit/<year>-<month>.jsonl, UTC. Only the fields of ``FIELDS``; never patient names, paths, names of
uploaded files or addresses of clients. A note is kept as it was typed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core import places
from core.errors import DataRefused

FORMAT = 1
FIELDS = (
    "session", "page", "dataset", "case", "slice", "runs", "reader", "verdicts", "reference_is_wrong", "note",
    "study", "kind", "bytes", "run",
)  # fmt: skip
LONGEST = 4000  # characters of a line: what is written at once is never mixed with another line


def append(action: str, **fields: Any) -> dict[str, Any]:
    """Add one line and return it; it is on disk afterwards.

    Values are texts, numbers, truth values, None, or a flat mapping of these (``runs``: weights hash by run).
    ValueError names a field that is not allowed. DataRefused ("disk") when the line cannot be written: what
    belongs on record is not done quietly without it.
    """
    _check(fields)
    line = {"format": FORMAT, "time": _now(), "action": action, **fields}
    text = json.dumps(line, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n"
    if len(text) > LONGEST:
        raise ValueError(f"fields: expected at most {LONGEST} characters in all, got {len(text)}")
    try:
        _write(text.encode(), f"{line['time'][:7]}.jsonl")
    except OSError as error:
        raise DataRefused(
            "disk",
            f"artifacts/audit cannot be written ({error.strerror}), so this was not put on record. Expected a "
            "writable folder on a disk with room.",
        ) from error
    return line


def read(action: str = "", **equal: Any) -> list[dict[str, Any]]:
    """The lines of one action, or of all, whose fields are ``equal``; oldest first.

    A line that a power failure cut short was never confirmed and is left out.
    """
    wanted = {**equal, "action": action} if action else equal
    found = []
    for path in sorted(places.audit().glob("????-??.jsonl")):
        for text in path.read_bytes().split(b"\n"):
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and all(line.get(name) == value for name, value in wanted.items()):
                found.append(line)
    return found


def _write(content: bytes, name: str) -> None:
    """One write to the end of the file, by one process at a time."""
    from filelock import FileLock

    places.audit().mkdir(parents=True, exist_ok=True)
    with FileLock(places.audit() / "lock", timeout=20), (places.audit() / name).open("a+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1))
        is_cut = file.read(1) not in (b"", b"\n")  # the line before was cut short by a power failure
        file.write(b"\n" + content if is_cut else content)
        file.flush()
        os.fsync(file.fileno())


def _check(fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if name not in FIELDS:
            raise ValueError(f"{name}: expected one of {', '.join(FIELDS)}")
        flat = value.values() if isinstance(value, Mapping) else [value]
        if not all(one is None or isinstance(one, str | int | float | bool) for one in flat):
            raise ValueError(f"{name}: expected texts, numbers or truth values, got {value!r}")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
