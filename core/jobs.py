"""Trainings under way: start one as a child process, ask how it is, stop it. Loads no Keras.

The run folder is the only channel, so a training outlives the page, the browser and the server that started it,
and one started in a terminal is seen as well. Whether it lives is told by its lock, which the system frees when
the process ends, however it ends.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import places, runs, settings
from core.errors import JobBusy, RunMissing, RunRefused
from core.records import Run
from core.training.config import TrainConfig
from core.training.progress import born

ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "core")
PATIENCE_S = 60.0  # between asking a training to stop and ending it
START_S = 120.0  # for a child to come up, on a machine under load
UNDER_WAY = ("queued", "running")
TO_RESUME = ("stopped", "failed", "lost")
TAIL_BYTES = 65536

_started: list[subprocess.Popen[bytes]] = []  # kept, so that a child that ended is not left a zombie


@dataclass(frozen=True)
class Job:
    """A run folder as a training: ``facts`` is its status.json, ``config`` its config.json, each empty if absent.

    ``state``: queued (starting), running, stopped, finished, failed (``reason``: disk_full, out_of_memory,
    diverged, refused or error), or lost: ended without a word, by a kill or a power cut.
    """

    name: str
    state: str
    reason: str = ""
    message: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    run: Run | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a process is at work on it."""
        return self.state in UNDER_WAY

    @property
    def can_resume(self) -> bool:
        """Whether it can go on where it ended."""
        return self.state in TO_RESUME and bool(self.config)


def training_is_allowed() -> bool:
    """Whether pages may start and stop trainings: the server was started with TRIPTYCH_ALLOW_TRAINING=1."""
    return os.environ.get("TRIPTYCH_ALLOW_TRAINING") == "1"


def list_jobs() -> tuple[Job, ...]:
    """Every run folder: what is under way, what was never finished, runs in their usual order, scores alone."""
    folders = places.runs().iterdir() if places.runs().is_dir() else ()
    names = sorted(path.name for path in folders if path.is_dir() and places.NAME.fullmatch(path.name))
    order = {run.name: at for at, run in enumerate(runs.list_runs(scores_only=True))}
    found = [job for name in names if (job := _asked(name)) is not None]

    def rank(job: Job) -> tuple[object, ...]:
        is_light = job.run is not None and job.run.is_scores_only
        return (not job.is_under_way, job.run is not None, is_light, order.get(job.name, 0))

    return tuple(sorted(found, key=rank))


def read_job(name: str) -> Job:
    """One training by its run's name. RunMissing when there is none."""
    job = _asked(name)
    if job is None:
        raise RunMissing(f"No training named {name} in artifacts/runs. See: python -m core list")
    return job


def start_training(config: TrainConfig, *, backend: str = "", resume: bool = False) -> Job:
    """Start ``python -m core train`` with these settings as a process of its own; it writes to log.txt.

    Returns once the training holds its lock. JobBusy when the run is being trained; RunRefused when it was begun
    before (unless ``resume``), or when it ended at once, with what it said.
    """
    name = runs.run_name(config.dataset, config.model, config.seed, config.split)
    before = _asked(name)
    if before is not None and before.is_under_way:
        raise JobBusy(f"Run {name} is being trained already. Expected no other training of the same run.")
    if before is not None and not resume:
        raise RunRefused(
            f"Run {name} was begun before ({before.state}). A run folder holds one training: resume that one, or "
            "choose another seed or split."
        )
    child = spawn(name, ["train", *settings.arguments(config), "--resume"], backend)
    limit = time.monotonic() + START_S
    while child.poll() is None and time.monotonic() < limit:
        if _json(places.run(name) / "status.json").get("pid") == child.pid:
            break
        time.sleep(0.1)
    if child.returncode:
        said = log_tail(name, 1)
        raise RunRefused(f"The training of {name} did not begin. It said: {' '.join(said) or 'nothing'}")
    return read_job(name)


def resume_training(name: str) -> Job:
    """Go on with a training that was stopped, failed or was lost, with the settings it was begun with."""
    job = read_job(name)
    if not job.can_resume:
        raise RunRefused(f"Run {name} cannot be resumed: it is {job.state}.")
    config = settings.stored_config(job.config)
    return start_training(config, backend=str(job.config.get("backend", "")), resume=True)


def ask_to_stop(name: str) -> None:
    """Have a process of its own stop a training (``python -m core stop``), so that the page need not wait."""
    job = read_job(name)
    _require_ours(job)
    spawn(name, ["stop", name])


def stop_training(name: str, patience: float = PATIENCE_S) -> Job:
    """Stop a training and wait: SIGTERM, so that it ends after the batch in hand; SIGKILL after ``patience`` s.

    Everything up to the last finished epoch is kept either way. Nothing happens to a training that is over.
    RunRefused when it runs on another machine or cannot be told from another process.
    """
    job = read_job(name)
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        if not job.is_under_way:
            break
        _require_ours(job)
        os.kill(int(job.facts["pid"]), number)
        limit = time.monotonic() + seconds
        while (job := read_job(name)).is_under_way and time.monotonic() < limit:
            time.sleep(0.2)
    return job


def log_tail(name: str, lines: int = 30) -> list[str]:
    """The last lines of a training's log.txt; empty when it has none (a training started in a terminal)."""
    path = places.run(name) / "log.txt"
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
        text = file.read().decode(errors="replace")
    return [line.rpartition("\r")[2] for line in text.removesuffix("\n").split("\n")][-lines:]


def spawn(
    name: str,
    words: list[str],
    backend: str = "",
    place: Mapping[str, str] | None = None,
    *,
    apart: bool = True,
) -> subprocess.Popen[bytes]:
    """``python -m core`` as a child whose output is added to the run's log; ``apart``: it outlives this process.

    ``place``: further environment variables, such as the GPU.
    """
    environment = os.environ | {"TRIPTYCH_ARTIFACTS": str(places.artifacts().resolve()), **(place or {})}
    if backend:
        environment["KERAS_BACKEND"] = backend
    folder = places.run(name)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            [*COMMAND, *words], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=subprocess.STDOUT, start_new_session=apart,
        )  # fmt: skip
    _started[:] = [one for one in _started if one.poll() is None] + [child]
    return child


def _asked(name: str) -> Job | None:
    for child in _started:
        child.poll()
    folder, is_held = places.run(name), runs.is_held(name)
    facts, config = _json(folder / "status.json"), _json(folder / "config.json")
    if (folder / "run.json").is_file() and not is_held:
        run = runs.described(name)
        return Job(
            name, "finished", "", run.problem or "", facts, config or run.manifest.get("config", {}), run
        )
    if not (facts or config or is_held):
        return None
    state = str(facts.get("state", ""))
    if is_held:
        state = state if state in UNDER_WAY else "queued"
    elif state in (*UNDER_WAY, "", "finished"):
        state = "lost"
    reason, message = (
        str(facts.get(key) or "") if state == "failed" else "" for key in ("reason", "message")
    )
    return Job(name, state, reason, message, facts, config)


def _require_ours(job: Job) -> None:
    """Refuse to signal a process that is not certainly the one that trains."""
    facts, here = job.facts, socket.gethostname()
    if not job.is_under_way:
        return
    if facts.get("host") != here:
        where = f"on {facts['host']}" if facts.get("host") else "by a process that does not say which it is"
        raise RunRefused(f"Run {job.name} is being trained {where}. Stop it where it was started (Ctrl-C).")
    if facts.get("born") != born(int(facts.get("pid") or 0)):
        raise RunRefused(f"Run {job.name} has only just begun, or ended. Try again in a moment.")


def _json(path: Path) -> dict[str, Any]:
    """The content of a JSON object, empty when it is absent or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
