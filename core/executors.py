"""Where work is done: child processes of this machine, or the workers of a Dask scheduler. The only scale code.

Work is file in, file out and safe to repeat, so the answer is the same wherever it is done and whoever died.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from core.errors import CoreError

RETRIES = 2  # of work that raised, on another worker where there is one
SECONDS = 30.0  # until a scheduler must answer

Place = Mapping[str, str]  # environment variables of a place to work, such as its GPU
Work = Callable[[Any, Place, Callable[[], bool]], Any]  # (job, place, was it asked to stop?) -> answer


@dataclass(frozen=True)
class Pool:
    """``submit(work, job)`` gives a future (``done()``, ``result()``); ``stop()`` asks all work to end."""

    submit: Callable[[Work, Any], Any]
    stop: Callable[[], None]


def answers(
    pool: AbstractContextManager[Pool],
    work: Work,
    jobs: Sequence[Any],
    tick: Callable[[], object] = lambda: None,
    pause: float = 0.5,
) -> Iterator[tuple[int, Any]]:
    """Position and answer of each job as it ends; an exception that work ended with is its answer.

    ``tick`` is called every ``pause`` seconds. Ctrl-C asks all work to stop and waits for it; twice ends at once.
    """
    with pool as at:
        waiting = {at.submit(work, job): position for position, job in enumerate(jobs)}
        is_stopped = False
        while waiting:
            try:
                for future in [one for one in waiting if one.done()]:
                    yield waiting.pop(future), _answer(future)
                tick()
                time.sleep(pause if waiting else 0)
            except KeyboardInterrupt:
                if is_stopped:
                    raise
                is_stopped = True
                at.stop()


def _answer(future: Any) -> Any:
    try:
        return future.result()
    except Exception as error:  # of any kind: it is told apart by whoever asked for the work
        return error


@contextmanager
def local(jobs: int | None = None) -> Iterator[Pool]:
    """``jobs`` at a time on this machine; without a number one, or one on each GPU."""
    from concurrent.futures import ThreadPoolExecutor

    found = gpus()
    free: queue.SimpleQueue[Place] = queue.SimpleQueue()
    for number in range(jobs or max(len(found), 1)):
        free.put({"CUDA_VISIBLE_DEVICES": found[number % len(found)]} if found else {})
    stopped = threading.Event()

    def somewhere(work: Work, job: Any) -> Any:
        place = free.get()
        try:
            return work(job, place, stopped.is_set)
        finally:
            free.put(place)

    with ThreadPoolExecutor(free.qsize()) as threads:
        try:
            yield Pool(lambda work, job: threads.submit(somewhere, work, job), stopped.set)
        finally:
            stopped.set()


@contextmanager
def dask(address: str | None) -> Iterator[Pool]:
    """The workers of the scheduler at ``address``; a job of a dead worker is done again by another.

    Workers share the artifacts folder and were started with --nthreads 1, for one job at a time.
    Those that offer the resource GPU are the only ones used, if there are any.
    CoreError when Dask is not installed or no scheduler answers.
    """
    distributed = _distributed()
    if not address:
        raise CoreError("Expected the address of a Dask scheduler: --scheduler tcp://HOST:8786")
    try:
        client = distributed.Client(address, timeout=SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise CoreError(f"No Dask scheduler answers at {address} ({type(error).__name__}).") from error
    with client:
        asked = distributed.Event(f"stop-{uuid.uuid4()}", client=client)
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        has_gpus = any("GPU" in worker["resources"] for worker in workers)

        def submit(work: Work, job: Any) -> Any:
            needs = {"GPU": 1} if has_gpus else None
            return client.submit(
                _remotely, work, job, asked.name, retries=RETRIES, pure=False, resources=needs
            )

        try:
            yield Pool(submit, asked.set)
        finally:
            asked.set()


def _remotely(work: Work, job: Any, name: str) -> Any:
    """On a worker: its own environment is its place, and the study's event tells when to stop."""
    return work(job, {}, _distributed().Event(name).is_set)


def _distributed() -> Any:
    try:
        return import_module("distributed")
    except ImportError:
        raise CoreError("Dask is not installed. Run: pip install -r requirements-dask.txt") from None


def gpus() -> list[str]:
    """The GPUs of this machine that may be used, by the names that CUDA_VISIBLE_DEVICES takes; loads nothing."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return [str(number) for number, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]
