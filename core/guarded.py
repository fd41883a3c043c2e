"""Work on foreign files in child processes: limited memory and time, and a dead child costs one job, not all.

The children are spawned, and end by themselves when the parent is gone, however it went.
"""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

MEMORY = 6 << 30  # bytes of address space for each child
SECONDS = 120.0  # for one job
_START_SECONDS = 300.0  # for a child to come up, on a machine under load
_STARTING = -1

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Lost:
    """A job without a result: its child died ("crashed") or took too long ("timeout")."""

    reason: str


@dataclass
class _Child(Generic[Job]):
    """One worker process; ``job`` is the position of the job in hand."""

    process: SpawnProcess
    connection: Connection
    deadline: float
    job: int = _STARTING

    def take(self, position: int, job: Job, seconds: float) -> None:
        self.job, self.deadline = position, time.monotonic() + seconds
        with suppress(BrokenPipeError):  # it has died already: the next wait finds out
            self.connection.send(job)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def each(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    workers: int = 2,
    seconds: float = SECONDS,
    memory: int = MEMORY,
) -> Iterator[tuple[int, Result | Lost]]:
    """``(position, work(job))`` for every job, in the order in which they are finished.

    ``work`` must be importable; jobs and results travel between processes. An exception in ``work`` becomes a
    RuntimeError with the child's traceback. No child outlives the iterator.
    """
    waiting = list(range(len(jobs)))[::-1]
    children: list[_Child[Job]] = [_start(work, memory) for _ in range(min(workers, len(jobs)))]
    try:
        while children:
            soonest = min(child.deadline for child in children)
            ready = wait([c.connection for c in children], timeout=max(0.0, soonest - time.monotonic()))
            for child in [c for c in children if c.connection in ready or c.deadline < time.monotonic()]:
                answer = _answer(child, child.connection in ready)
                if child.job != _STARTING:
                    yield child.job, answer
                if isinstance(answer, Lost):
                    children.remove(child)
                    child.end()
                    if len(waiting) > len(children):
                        children.append(_start(work, memory))
                elif waiting:
                    position = waiting.pop()
                    child.take(position, jobs[position], seconds)
                else:
                    children.remove(child)
                    child.end()
    finally:
        for child in children:
            child.end()


def _answer(child: _Child[Any], is_ready: bool) -> Any:
    """What the child sends: its result, or Lost. RuntimeError when ``work`` failed or no worker comes up."""
    try:
        good, answer = child.connection.recv() if is_ready else (True, Lost("timeout"))
    except (EOFError, ConnectionError):
        good, answer = True, Lost("crashed")
    if child.job == _STARTING and isinstance(answer, Lost):
        raise RuntimeError(
            f"a worker process did not come up ({answer.reason}); does the program guard its main?"
        )
    if not good:
        raise RuntimeError(answer)
    return answer


def _start(work: Callable[[Job], Any], memory: int) -> _Child[Job]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, memory), daemon=True)
    process.start()
    theirs.close()
    return _Child(process, ours, time.monotonic() + _START_SECONDS)


def _serve(connection: Connection, work: Callable[[Any], Any], memory: int) -> None:
    """The child: say that it is up, then work off one job after the other until the parent closes or dies."""
    limit_memory(memory)
    connection.send((True, None))
    with suppress(EOFError, ConnectionError, KeyboardInterrupt):
        while True:
            job = connection.recv()
            try:
                answer = (True, work(job))
            except Exception:
                answer = (False, traceback.format_exc())
            connection.send(answer)


def limit_memory(memory: int) -> None:
    """Give this process no more than so many bytes of address space, where the system can do that."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    with suppress(ValueError, OSError):  # nor has every other system
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
