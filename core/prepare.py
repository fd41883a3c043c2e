"""The write side of prepared data: a folder as published becomes arrays, an index, groups, splits and a card.

Everything is written into a folder aside and put in place by renaming; card.json is written last. Killed at any
moment, a run leaves the old state or the new one, and the next run finishes. Nothing changed: nothing is done.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core import (
    atomic,
    catalogues,
    duplicates,
    gate,
    guarded,
    places,
    prepare_folder,
    prepare_volumes,
    prepared_index,
    preprocess,
)
from core.cards import DatasetCard
from core.datasets._raw import Case, RawSlice
from core.errors import DataRefused
from core.prepare_summary import PrepareSummary, summary
from core.prepared_files import Plan, Ready, write_all

Report = Callable[[int, int, str], None]

REVISION = 2  # of what is derived from the same files (flags, groups); another number prepares again


def prepare(
    layout: str,
    source: Path,
    name: str,
    *,
    seed: int = 0,
    groups: Path | None = None,
    report: Report = lambda done, total, text: None,
) -> PrepareSummary:
    """Read the folder ``source`` in ``layout`` and store it as artifacts/data/<name>.

    A name without a card of its own is an external test set: no splits, nothing trains on it.
    ``report(done, total, text)`` is called after every case. Files are decoded in child processes with limited
    memory and time.

    Pictures: ``decision`` cells ("cut", "join CASE") in the stored groups.csv are kept and honoured.
    Volumes: ``groups`` is a CSV file with the columns case and patient; see ``core.prepare_volumes``.

    DataRefused: name, layout (nothing to read), no_cases, too_few, disk_full, groups. A case whose files are
    refused is left out and listed in card.json and in the summary. JobBusy: another process prepares the dataset.
    """
    started = time.monotonic()
    card = _card(layout, name)
    if hasattr(catalogues.dataset_modules()[layout], "read_volume"):
        return prepare_volumes.prepare(card, Path(source), seed, groups, report)
    if groups is not None:
        raise DataRefused("groups", f"{layout}: groups of pictures are found, not given; see groups.csv.")
    with prepare_folder.alone(name) as aside:
        plan = _plan(layout, Path(source), card, seed)
        stored = prepare_folder.stored(name)
        if stored is not None and stored["inputs"] == plan.key:
            return summary(name, stored, time.monotonic() - started, is_unchanged=True)
        ready, refused = _read(plan, report)
        if not ready:
            raise DataRefused("no_cases", f"{source}: every case was refused, first {refused[0]['message']}")
        report(len(plan.cases), len(plan.cases), "writing")
        content = write_all(aside, plan, ready, refused)
        prepare_folder.swap(name)
    return summary(name, content, time.monotonic() - started)


def _card(layout: str, name: str) -> DatasetCard:
    modules = catalogues.dataset_modules()
    if layout not in modules or not hasattr(modules[layout], "read"):
        known = ", ".join(n for n, module in modules.items() if hasattr(module, "read"))
        raise DataRefused("layout", f"No layout {layout!r}: expected one of {known}.")
    if not places.NAME.fullmatch(name) or "-" in name:
        raise DataRefused(
            "name", f"Name {name!r}: expected lower-case letters, digits, '_' and '.', no hyphen."
        )
    built_in = catalogues.dataset_cards()
    if name in built_in:
        if built_in[name].layout != layout:
            raise DataRefused(
                "name", f"{name} is built in with layout {built_in[name].layout}. Choose another name."
            )
        return built_in[name]
    model = modules[layout].CARDS[0]
    return DatasetCard(
        name=name,
        title=f"{name} (external, in the layout of {model.title})",
        modality=model.modality,
        classes=model.classes,
        channels=model.channels,
        group=model.group,
        source="an external test set: supplied by the reader, nothing trains on it",
        licence="as its owner states; not known here",
        citation="",
        synthetic=False,
        layout=layout,
        splits=(),
        unit=model.unit,
        window_hu=model.window_hu,
    )


def _plan(layout: str, source: Path, card: DatasetCard, seed: int) -> Plan:
    module = catalogues.dataset_modules()[layout]
    cases, strays = module.find(source), module.strays(source)
    files = {_name(path): _checksum(path) for case in cases for path in case.files}
    decisions = _decisions(card.name)
    known = {case.id for case in cases}
    decisions = {case: row for case, row in decisions.items() if case in known}
    plan = Plan(layout, card, cases, strays, files, decisions, seed)
    parts = (
        prepared_index.FORMAT,
        REVISION,
        asdict(card),
        files,
        strays,
        seed,
        {k: asdict(d) for k, d in decisions.items()},
    )
    return replace(plan, key=atomic.sha256(atomic.canonical(parts)))


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _checksum(path: Path) -> dict[str, Any]:
    try:
        content = gate.file_bytes(path)
    except DataRefused as refusal:
        return {"refused": refusal.code}
    return {"bytes": len(content), "sha256": atomic.sha256(content)}


def _decisions(name: str) -> dict[str, duplicates.Decision]:
    path = places.data(name) / "groups.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{key: value or "" for key, value in row.items() if key} for row in csv.DictReader(file)]
    return {
        row.get("image", ""): duplicates.Decision(row.get("reviewer", "").strip(), row["decision"].strip())
        for row in rows
        if row.get("decision", "").strip()
    }


def _read(plan: Plan, report: Report) -> tuple[list[Ready], list[dict[str, str]]]:
    """Every slice in the order of the cases, and the cases that were refused."""
    found: dict[int, Any] = {}
    for position, answer in guarded.each(partial(_slices, plan.layout), plan.cases):
        found[position] = answer
        report(len(found), len(plan.cases), plan.cases[position].id)
    ready, refused = [], []
    for position, case in enumerate(plan.cases):
        answer = found[position]
        if isinstance(answer, guarded.Lost):
            answer = (
                answer.reason,
                f"{case.picture.name}: reading it ended the process that did ({answer.reason}).",
            )
        if isinstance(answer, tuple):
            refused.append({"case": case.id, "code": answer[0], "message": answer[1]})
        else:
            ready += answer
    return ready, refused


def _slices(layout: str, case: Case) -> list[Ready] | tuple[str, str]:
    """All slices of one case, or (code, message) of the refusal; runs in a child process."""
    try:
        slices = catalogues.dataset_modules()[layout].read(case)
        return [_one(case.id, index, raw) for index, raw in enumerate(slices)]
    except DataRefused as refusal:
        return refusal.code, str(refusal)
    except MemoryError:
        return "memory", f"{case.picture.name}: not enough memory to read it."


def _one(case: str, index: int, raw: RawSlice) -> Ready:
    reference = np.zeros(raw.picture.shape, np.uint8) if raw.reference is None else raw.reference
    image, labels = preprocess.network_image(raw.picture), preprocess.small_labels(reference)
    return Ready(case, index, raw, image, labels, duplicates.fingerprint(raw.picture))
