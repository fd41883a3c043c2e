"""What a training says of itself: status.json while it runs, history.csv per epoch."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core import atomic
from core.errors import CoreError

HEARTBEAT_S = 15.0  # a reader calls a training lost after 60 s without a sign
SCORES = ("val_loss", "val_dice", "val_whole_dice", "val_false_alarm", "val_pooled_dice")
COLUMNS = ("epoch", "loss", "learning_rate", *SCORES, "seconds")
Report = Callable[[dict[str, Any]], None]  # gets the status after every change


class Status:
    """The state of one training, replaced by rename at every change: never torn, never half.

    States: queued (Keras is being loaded), running, stopped, finished, failed (with ``reason``). ``host``,
    ``pid`` and ``born`` name the process: it is signalled only if all three still hold.
    """

    def __init__(self, folder: Path, epochs: int, report: Report):
        self.path, self.report = folder / "status.json", report
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.facts: dict[str, Any] = {"pid": os.getpid(), "started": now, "epochs": epochs, "counter": 0}
        self.facts |= {"host": socket.gethostname(), "born": born(os.getpid())}
        self.written = 0.0

    def update(self, **facts: Any) -> None:
        """Take over ``facts`` and write them now."""
        self.facts.update(facts)
        self.facts["counter"] += 1
        self.facts["time"] = datetime.now(UTC).isoformat(timespec="seconds")
        atomic.write_json(self.path, self.facts)
        self.written = time.monotonic()
        self.report(self.facts)

    def beat(self, **facts: Any) -> None:
        """Take over ``facts``; write them only if the last sign of life is old."""
        self.facts.update(facts)
        if time.monotonic() - self.written >= HEARTBEAT_S:
            self.update()
        else:
            self.report(self.facts)


@contextmanager
def beginning(folder: Path, name: str, epochs: int) -> Iterator[None]:
    """Say that a training starts, before Keras is loaded; and how it ended, if it ends before it says so itself.

    A finished run says nothing: it is not trained again.
    """
    if (folder / "run.json").is_file():
        yield
        return
    status = Status(folder, epochs, lambda facts: None)
    status.update(state="queued", run=name)
    try:
        yield
    except BaseException as error:
        if json.loads(status.path.read_text())["state"] == "queued":
            refused = getattr(error, "reason", "refused") if isinstance(error, CoreError) else "error"
            is_stop = isinstance(error, KeyboardInterrupt)
            how = {"state": "stopped"} if is_stop else {"state": "failed", "reason": refused}
            status.update(**how, message="" if is_stop else f"{error}"[:500])
        raise


def born(pid: int) -> str:
    """When a process of this machine began, in its system's words; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        if Path("/proc/self").exists():
            return ""
    asked = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()


def write_history(folder: Path, rows: list[dict[str, float | None]]) -> None:
    """Replace history.csv by ``rows``, one per epoch; a score that is undefined (None) is written as nan."""
    held = io.StringIO()
    writer = csv.DictWriter(held, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        values = {key: row.get(key) for key in COLUMNS}
        writer.writerow({key: "nan" if value is None else f"{value:.6g}" for key, value in values.items()})
    atomic.write_text(folder / "history.csv", held.getvalue())
