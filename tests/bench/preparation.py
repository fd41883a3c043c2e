"""How many pictures ``prepare`` brings in per second and core, on phantoms in the layout of BUSI."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path
from unittest import mock

from core.datasets import phantom
from core.prepare import prepare

CASES = 60


def measure(cases: int = CASES) -> dict[str, float]:
    """Images per second of CPU time (child processes included), and wall seconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict(os.environ, TRIPTYCH_ARTIFACTS=folder),
    ):
        source = Path(folder) / "source"
        phantom.write(source, "busi", cases=cases, seed=0)
        cpu, wall = cpu_seconds(), time.perf_counter()
        prepare("busi", source, "bench", seed=0)
        cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    return {
        "images": float(cases),
        "wall_seconds": wall,
        "cpu_seconds": cpu,
        "images_per_second_and_core": cases / cpu,
    }


def cpu_seconds() -> float:
    """CPU time of this process and of the children that have ended, to the microsecond."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
