"""A network's outline of a CT volume as NIfTI on the grid of the source, with a JSON file that says what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from core import atomic, nifti, places, prepared, reading, runs
from core.cards import NOTICE, DatasetCard
from core.errors import DataMissing, DataRefused
from core.records import Run, SliceEntry

Report = Callable[[int, int, str], None]  # done, total, what

_BATCH = 32  # slices in memory at a time


def export_volume(
    run: str,
    case: str,
    target: Path,
    *,
    dataset: str | None = None,
    report: Report = lambda done, total, text: None,
    force: bool = False,
) -> Path:
    """Write the labels that ``run`` gives to ``case`` on the original grid; returns the path of the NIfTI file.

    ``target`` is a name that ends in .nii or .nii.gz, or a folder that is there; beside it goes a .json file with
    run, checksums, rule, date and the notice. ``dataset`` is that of the run unless another is named. Slices that
    are not stored (far from the liver of the reference) are not looked at and are background.
    ``report(done, total, text)`` counts slices.
    DataRefused: name, exists (without ``force``), not_a_volume, classes, disk. DataMissing, RunMissing, RunRefused.
    """
    which = runs.read_run(run)
    card = prepared.read_card(dataset or which.dataset)
    path, beside = _paths(target, f"{places.checked(case)}-{run}", force)
    if not card.has_volumes:
        raise DataRefused(
            "not_a_volume", f"{card.name} holds pictures: only CT volumes are written as NIfTI."
        )
    if which.classes != card.classes:
        expected, got = ", ".join(card.classes), ", ".join(which.classes)
        raise DataRefused("classes", f"Run {run}: expected the classes {expected} of {card.name}, got {got}.")
    entries = [entry for entry in prepared.list_slices(card.name) if entry.case == case]
    if not entries:
        raise DataMissing(f"No volume {case} in {card.name}. Run: python -m core list")
    grid, _ = prepared.volume_grid(card.name, case)
    labels = np.zeros(grid.display_shape, np.uint8)
    for start in range(0, len(entries), _BATCH):
        part = entries[start : start + _BATCH]
        slices = [prepared.read_slice(card.name, case, entry.index) for entry in part]
        for entry, prediction in zip(part, reading.predict_many(run, slices), strict=True):
            labels[entry.index] = reading.predicted_labels(prediction, labels.shape[1:])
        report(start + len(part), len(entries), f"{run}: {case}")
    try:
        atomic.write_json(beside, _statement(which, card, case, grid, entries, path.name))
        nifti.write_labels(path, labels, grid)
    except OSError as error:
        raise DataRefused("disk", f"{path.name} cannot be written: {error.strerror}.") from error
    return path


def _paths(target: Path, name: str, force: bool) -> tuple[Path, Path]:
    """The NIfTI file and the JSON file beside it."""
    path = target / f"{name}.nii.gz" if target.is_dir() else target
    ending = next((ending for ending in (".nii.gz", ".nii") if path.name.endswith(ending)), "")
    if not ending:
        raise DataRefused("name", f"{path.name}: expected a folder, or a name that ends in .nii.gz or .nii.")
    beside = path.with_name(path.name.removesuffix(ending) + ".json")
    for one in (path, beside):
        if one.exists() and not force:
            message = f"{one.name} is there already. Choose another name, or replace it with --force."
            raise DataRefused("exists", message)
    return path, beside


def _statement(
    run: Run, card: DatasetCard, case: str, grid: nifti.Grid, entries: list[SliceEntry], name: str
) -> dict[str, Any]:
    parts = Counter(entry.parts.get(run.split, "not in the split") for entry in entries)
    return {
        "notice": NOTICE,
        "licence": card.terms,
        "file": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": card.name,
        "case": case,
        "run": run.name,
        "model": run.model,
        "recipe": run.recipe,
        "weights_sha256": run.weights_sha256,
        "git_commit": run.manifest.get("git_commit"),
        "split": run.split,
        "split_sha256": run.split_sha256,
        "slices_by_part_of_the_split": dict(parts)
        if card.name == run.dataset
        else {"external": len(entries)},
        "labels": {str(label): name for label, name in enumerate(run.classes)},
        "rule": "probabilities enlarged bilinearly to the source grid, then the class of the largest",
        "slices": {
            "in_the_volume": grid.display_shape[0],
            "looked_at": len(entries),
            "first": entries[0].index,
            "last": entries[-1].index,
            "order": "counted from the feet, from 0; those not looked at are background",
        },
        "grid": {
            "shape": grid.shape,
            "affine": grid.affine,
            "axes": grid.axcodes,
            "spacing_mm": {key: grid.spacing_mm[k] for k, key in enumerate(("slice", "row", "column"))},
            "flags": grid.flags,
        },
    }
