"""How many pictures ``prepare`` brings in per second and core, on phantoms in the layout of BUSI."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from core.datasets import phantom
from core.prepare import prepare

CASES = 60


def measure(cases: int = CASES) -> dict[str, float]:
    """Images per second of CPU time (child processes included), and wall seconds."""
    before = os.environ.get("TRIPTYCH_ARTIFACTS")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        phantom.write(source, "busi", cases=cases, seed=0)
        os.environ["TRIPTYCH_ARTIFACTS"] = str(Path(folder) / "artifacts")
        try:
            cpu, wall = cpu_seconds(), time.perf_counter()
            prepare("busi", source, "bench", seed=0)
            cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
        finally:
            os.environ.pop("TRIPTYCH_ARTIFACTS")
            if before is not None:
                os.environ["TRIPTYCH_ARTIFACTS"] = before
    return {
        "images": float(cases),
        "wall_seconds": wall,
        "cpu_seconds": cpu,
        "images_per_second_and_core": cases / cpu,
    }


def cpu_seconds() -> float:
    """CPU time of this process and of the children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
