"""The write side of prepared data: a folder as published becomes arrays, an index, groups, splits and a card.

Everything is written into a folder aside and put in place by renaming; card.json is written last. Killed at any
moment, a run leaves the old state or the new one, and the next run finishes. Nothing changed: nothing is done.
"""

from __future__ import annotations

import csv
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core import atomic, catalogues, duplicates, gate, guarded, places, prepared, preprocess
from core.cards import DatasetCard
from core.datasets._raw import Case, RawSlice
from core.errors import DataMissing, DataRefused, JobBusy
from core.prepared_files import Plan, Ready, write_all

Report = Callable[[int, int, str], None]

REVISION = 2  # of what is derived from the same files (flags, groups); another number prepares again


@dataclass(frozen=True)
class PrepareSummary:
    """What a preparation found. ``is_unchanged``: the source was the same, nothing was written."""

    dataset: str
    folder: Path
    cases: int
    tags: Mapping[str, int]
    flags: Mapping[str, int]
    groups: Mapping[str, int]
    splits: Mapping[str, Mapping[str, int]]
    refused: tuple[Mapping[str, str], ...]
    strays: tuple[Mapping[str, str], ...]
    seconds: float
    is_unchanged: bool = False

    @property
    def text(self) -> str:
        """The summary in a few lines for a terminal."""
        if self.is_unchanged:
            return f"{self.dataset}: nothing changed, {self.cases} cases in {self.folder}"
        speed = f"{self.cases / max(self.seconds, 1e-9):.0f} per second"
        lines = [
            f"{self.dataset}: {self.cases} cases ({_listed(self.tags)}) in {self.seconds:.1f} s, {speed}",
            f"near-duplicates: {self.groups['images_in_multi']} pictures in {self.groups['multi_image']} groups",
            f"flags: {_listed(self.flags) or 'none'}",
            *(f"split {name}: {_listed(parts)}" for name, parts in self.splits.items()),
            *(f"refused {row['case']} ({row['code']}): {row['message']}" for row in self.refused),
            *(f"not read: {row['file']} ({row['why']})" for row in self.strays),
            f"stored in {self.folder}",
        ]
        return "\n".join(lines)


def prepare(
    layout: str, source: Path, name: str, *, seed: int = 0, report: Report = lambda done, total, text: None
) -> PrepareSummary:
    """Read the folder ``source`` in ``layout`` and store it as artifacts/data/<name>.

    A name without a card of its own is an external test set: no splits, nothing trains on it.
    ``report(done, total, text)`` is called after every case. ``decision`` cells ("cut", "join CASE") in the stored
    groups.csv are kept and honoured. Files are decoded in child processes with limited memory and time.

    DataRefused: name, layout (nothing to read), no_cases, too_few, disk_full. A case whose files are refused is
    left out and listed in card.json and in the summary. JobBusy: another process prepares the same dataset.
    """
    started = time.monotonic()
    card = _card(layout, name)
    with _alone(name), _disk(name):
        plan = _plan(layout, Path(source), card, seed)
        stored = _stored(name)
        if stored is not None and stored["inputs"] == plan.key:
            return _summary(name, stored, started, is_unchanged=True)
        ready, refused = _read(plan, report)
        if not ready:
            raise DataRefused("no_cases", f"{source}: every case was refused, first {refused[0]['message']}")
        report(len(plan.cases), len(plan.cases), "writing")
        content = write_all(_aside(name), plan, ready, refused)
        _swap(name)
    return _summary(name, content, started, is_unchanged=False)


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
    )


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Only one process prepares a dataset; leftovers of a killed one are cleared first."""
    from filelock import FileLock, Timeout

    target, aside, old = places.data(name), _aside(name), prepared.kept_aside(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(target.with_name(f".{name}.lock"), timeout=0):
            if old.exists() and not target.exists():
                os.replace(old, target)
            _remove(old)
            _remove(aside)
            yield
    except Timeout:
        raise JobBusy(f"{name} is being prepared by another process. Wait for it to end.") from None


@contextmanager
def _disk(name: str) -> Iterator[None]:
    """Turn a full or read-only disk into a named refusal and leave nothing half-written."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"The disk is full: {places.data(name)} is as it was. Make room and prepare again."
            raise DataRefused("disk_full", message) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise DataRefused("disk", f"{places.data(name)} cannot be written: {error.strerror}.") from error
        raise
    finally:
        _remove(_aside(name))


def _plan(layout: str, source: Path, card: DatasetCard, seed: int) -> Plan:
    module = catalogues.dataset_modules()[layout]
    cases, strays = module.find(source), module.strays(source)
    files = {_name(path): _checksum(path) for case in cases for path in case.files}
    decisions = _decisions(card.name)
    known = {case.id for case in cases}
    decisions = {case: row for case, row in decisions.items() if case in known}
    plan = Plan(layout, card, cases, strays, files, decisions, seed)
    parts = (
        prepared.FORMAT,
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


def _stored(name: str) -> dict[str, Any] | None:
    """The card of what is prepared already, None when there is nothing or a file is missing or cut short."""
    try:
        content = prepared.card_json(name)
    except (DataMissing, DataRefused):
        return None
    sizes = {file: (places.data(name) / file) for file in content["files"]}
    whole = all(
        path.is_file() and path.stat().st_size == content["files"][f]["bytes"] for f, path in sizes.items()
    )
    return content if whole else None


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


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _swap(name: str) -> None:
    """Put the new folder in place of the old one. Between two renames readers use the one kept aside."""
    target, aside, old = places.data(name), _aside(name), prepared.kept_aside(name)
    if target.exists():
        os.replace(target, old)
    os.replace(aside, target)
    atomic.sync_folder(target.parent)
    _remove(old)


def _aside(name: str) -> Path:
    return places.data(name).with_name(f".{name}.part")


def _remove(folder: Path) -> None:
    """Remove a folder, its card first: half a folder must not look like a whole one."""
    (folder / "card.json").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _summary(name: str, content: Mapping[str, Any], started: float, is_unchanged: bool) -> PrepareSummary:
    return PrepareSummary(
        dataset=name,
        folder=places.data(name),
        cases=content["cases"],
        tags=content["tags"],
        flags=content["flags"],
        groups=content["groups"],
        splits={split: row["parts"] for split, row in content["splits"].items()},
        refused=tuple(content["refused"]),
        strays=tuple(content["strays"]),
        seconds=time.monotonic() - started,
        is_unchanged=is_unchanged,
    )
