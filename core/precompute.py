"""Filling the store beforehand: predictions and heatmaps of a whole test part, so that no page waits.

Every slice is stored whole as soon as it is computed, so a start after a stop or a kill goes on where it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core import cache, explaining, prepared, reading, runs
from core.errors import CoreError
from core.records import Prediction, Run, Slice, SliceEntry, Target

CHUNK = 4  # slices at a time: evidence is 8 MB per image, class and network

Work = list[tuple[Run, list[SliceEntry]]]


@dataclass(frozen=True)
class Stored:
    """What there is afterwards: slices over all runs, bytes of the whole store, and its limit."""

    slices: int
    held: int
    limit: int

    @property
    def text(self) -> str:
        """One line for the reader."""
        size, most = self.held / 1e9, self.limit / 1e9
        return f"{self.slices} slices are stored; artifacts/cache holds {size:.2f} of at most {most:g} GB."


def precompute(
    dataset: str,
    names: Sequence[str] | None = None,
    report: reading.Report | None = None,
    part: str = "test",
    *,
    explain_all: bool = True,
) -> Stored:
    """Store predictions, and heatmaps of the predicted region of every class, of a dataset's test part.

    ``names`` are runs; without any, those trained on this dataset, or for an external set all whose classes
    fit. The part is that of each run's own split; an external set has none and is taken whole. Of heatmaps all
    layers and all methods without passes of their own are stored; of volumes, without ``explain_all``, those of
    the slice that each opens with. What is stored already costs next to nothing. ``report(done, total, text)``
    counts slices over all runs. CoreError when the store cannot hold it.
    """
    work = _work(dataset, names, part)
    explained = None if explain_all else _opening(dataset)
    done, total = 0, sum(len(entries) for _, entries in work)
    for run, entries in work:
        for start in range(0, len(entries), CHUNK):
            chunk = entries[start : start + CHUNK]
            slices = [prepared.read_slice(dataset, entry.case, entry.index) for entry in chunk]
            predictions = reading.predict_many(run.name, slices)
            chosen = [
                pair
                for pair in zip(slices, predictions, strict=True)
                if explained is None or pair[0].key in explained
            ]
            _explain(run, chosen)
            if start == 0:
                _require_room(dataset, run, slices[0], total, is_explained=explained is None)
            done += len(slices)
            if report:
                report(done, total, f"{run.name}: predictions and heatmaps")
    return Stored(done, cache.trim(), cache.limit())


def _work(dataset: str, names: Sequence[str] | None, part: str) -> Work:
    """The runs asked, each with the slices it is asked about."""
    if not names:
        classes = prepared.read_card(dataset).classes
        fitting = runs.list_runs(dataset) or [run for run in runs.list_runs() if run.classes == classes]
        names = [run.name for run in fitting if not run.problem]
    chosen = [runs.read_run(name) for name in names]
    entries = prepared.list_slices(dataset)
    return [(run, [e for e in entries if e.parts.get(run.split, part) == part]) for run in chosen]


def _opening(dataset: str) -> set[str]:
    """The slices that a dataset's cases open with."""
    by_case: dict[str, list[SliceEntry]] = {}
    for entry in prepared.list_slices(dataset):
        by_case.setdefault(entry.case, []).append(entry)
    return {prepared.opening_slice(slices).key for slices in by_case.values()}


def _explain(run: Run, pairs: Sequence[tuple[Slice, Prediction]]) -> None:
    asked = [Target(class_name=name) for name in run.classes[1:]]
    lacking = [
        pair for pair in pairs if not all(explaining.stored_maps(run, pair[0], target) for target in asked)
    ]
    if lacking:
        explaining.explain(run, [slice for slice, _ in lacking], [found for _, found in lacking], asked)


def _require_room(dataset: str, run: Run, slice: Slice, total: int, *, is_explained: bool) -> None:
    """CoreError when a slice just computed is not stored, or ``total`` like it exceed the store's limit."""
    again = f"python -m core precompute {dataset}"
    prediction = reading.stored_prediction(run.name, slice)
    classes = run.classes[1:] if is_explained else ()
    maps = [explaining.stored_maps(run, slice, Target(class_name=name)) for name in classes]
    if prediction is None or None in maps:
        raise CoreError(
            "Nothing can be stored in artifacts/cache: the disk is full, the folder is read-only, or "
            f"TRIPTYCH_CACHE_GB allows too little. Make room, then run: {again}"
        )
    one = prediction.probability.nbytes + sum(
        m.values.nbytes for found in maps for m in (found or {}).values()
    )
    if total * one > cache.limit():
        raise CoreError(
            f"{total} slices need {total * one / 1e9:.3g} GB, but artifacts/cache may hold "
            f"{cache.limit() / 1e9:g} GB. Allow more with TRIPTYCH_CACHE_GB={int(total * one / 1e9) + 1}, or "
            f"name fewer runs: {again} --runs {run.name}"
        )
