"""What is computed on request because it is not stored yet: predictions and heatmaps, one network after the other.

Every function returns a sentence for each network that failed: one that cannot be loaded does not stop the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from core import (
    CoreError,
    Prediction,
    Run,
    RunRefused,
    Slice,
    SliceEntry,
    Target,
    heatmap,
    predict,
    predict_many,
    read_slice,
)
from pages.parts import cached

Progress = Callable[[float, str], None]  # share done, what
Wanted = tuple[str, str, Target, np.ndarray | None]  # method, layer, target, region "shared"


def predictions(runs: Sequence[Run], one: Slice, report: Callable[[str], None]) -> list[str]:
    """Compute and store the predictions of one slice."""

    def work(run: Run) -> None:
        report(f"{run.name}: prediction")
        predict(run.name, one)

    return [sentence for run in runs for sentence in tried(run, lambda run=run: work(run))]


def volume(runs: Sequence[Run], entry: SliceEntry, report: Progress) -> list[str]:
    """Compute and store the predictions of a whole volume, in batches."""
    slices = [read_slice(entry.dataset, entry.case, index) for index in cached.volume(entry).indices]
    failed = []
    for at, run in enumerate(runs):

        def batch(done: int, total: int, text: str, at: int = at) -> None:
            report((at + done / total) / len(runs), f"{text}, slice {done} of {total}")

        failed += tried(run, lambda run=run, batch=batch: predict_many(run.name, slices, batch))
    return failed


def maps(
    runs: Sequence[Run],
    one: Slice,
    wanted: Callable[[Run, dict[str, Prediction]], Sequence[Wanted]],
    report: Progress,
) -> list[str]:
    """Compute and store heatmaps of one slice, and the predictions that they explain.

    ``wanted(run, predictions by run)`` is asked once all networks have predicted: a question may depend on that.
    """
    found: dict[str, Prediction] = {}
    failed: dict[str, list[str]] = {}

    def look(run: Run) -> None:
        found[run.name] = predict(run.name, one)

    def explain(run: Run, at: int) -> None:
        asked = wanted(run, found)
        for place, (method, layer, target, mask) in enumerate(asked):
            before = (at + place / len(asked)) / len(runs)

            def batch(done: int, total: int, text: str, before: float = before, n: int = len(asked)) -> None:
                report(before + done / total / n / len(runs), f"{text}, {done} of {total}")

            report(before, f"{run.name}: {target.region.replace('_', ' ')}")
            heatmap(run.name, one, found[run.name], method, layer, target, mask, report=batch)

    for run in runs:
        report(0.0, f"{run.name}: prediction")
        failed[run.name] = tried(run, lambda run=run: look(run))
    for at, run in enumerate(runs):
        if run.name in found:
            failed[run.name] += tried(run, lambda run=run, at=at: explain(run, at))
    return [sentence for run in runs for sentence in failed[run.name]]


def tried(run: Run, work: Callable[[], object]) -> list[str]:
    """Do the work with a network; a sentence if it failed. A refusal is remembered for this server."""
    key = (run.name, run.weights_sha256)
    try:
        work()
    except CoreError as error:
        if isinstance(error, RunRefused):
            cached.refusals()[key] = str(error)
        return [f"{run.name}: {error}"]
    cached.refusals().pop(key, None)
    return []
