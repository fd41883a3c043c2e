"""What one rerun of a page reads when everything is stored, against computing it live; three runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from unittest import mock

from core import explaining, places, reading
from core.records import Target
from tests.bench.published import noise_slice, publish

MODELS = ("unet", "multiresunet", "dcunet")
QUESTION = ("gradcam", "bottleneck", Target())

COLD = """
import time
start = time.process_time()
from core import reading
from tests.bench import pages
pages.{way}()
import sys
assert ("tensorflow" in sys.modules) == ({way!r} == "live")
print(time.process_time() - start)
"""


def names() -> list[str]:
    """The three runs that are read."""
    return [f"phantom_busi-{model}-0" for model in MODELS]


def stored() -> None:
    """Three predictions and three heatmaps from the cache."""
    slice = noise_slice()
    for run in names():
        prediction = reading.stored_prediction(run, slice)
        heatmap = explaining.stored_heatmap(run, slice, *QUESTION)
        if prediction is None or heatmap is None:
            raise RuntimeError(f"{run}: nothing stored")


def live() -> None:
    """Three predictions and three heatmaps computed, and stored, with an empty cache."""
    shutil.rmtree(places.cache(), ignore_errors=True)
    slice = noise_slice()
    for run in names():
        explaining.heatmap(run, slice, reading.predict(run, slice), *QUESTION)


def measure(width: int = 16) -> dict[str, float]:
    """Seconds and ratios, warm (everything loaded) and cold (CPU seconds of a new process, imports included)."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict(os.environ, TRIPTYCH_ARTIFACTS=folder),
    ):
        for model in MODELS:
            publish(model, width)
        live()  # loads and traces
        warm_live = _best(live, 3)
        warm_stored = _best(stored, 20)
        cold_stored, cold_live = _cold("stored"), _cold("live")
    return {
        "width": float(width),
        "warm_live_seconds": warm_live,
        "warm_stored_seconds": warm_stored,
        "cold_live_cpu_seconds": cold_live,
        "cold_stored_cpu_seconds": cold_stored,
        "live_over_stored_warm": warm_live / warm_stored,
        "live_over_stored_cold": cold_live / cold_stored,
    }


def _cold(way: str) -> float:
    answer = subprocess.run(
        [sys.executable, "-c", COLD.format(way=way)], check=True, capture_output=True, text=True
    )
    return float(answer.stdout.split()[-1])


def _best(work: Callable[[], None], times: int) -> float:
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)
