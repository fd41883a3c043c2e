"""The write side of CT volumes: one child process per volume reads, resizes and stores it; the parent counts.

A volume is finished when its volume.json stands, which is written last. Killed at any moment and started again,
finished volumes are not read again; nor are they when others are added, the seed changes or patients are regrouped:
their files are linked into the new folder. Whether a source file changed is judged by its name, size and time of
last change. What is recorded as proof of origin is the checksum of the voxels that are stored: the same whether
their file was compressed or not, and taken without reading the two thirds of a volume that are not stored. Memory
is that of one volume per child, whatever the number of volumes.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from core import (
    atomic,
    catalogues,
    guarded,
    patients,
    places,
    prepare_folder,
    prepared_index,
    prepared_volumes,
    split_volumes,
)
from core.cards import DatasetCard
from core.datasets._raw import Case, RawVolume
from core.errors import DataRefused
from core.prepare_summary import PrepareSummary, summary
from core.records import SIZE

Report = Callable[[int, int, str], None]

REVISION = 1  # of what is derived from the same files; another number reads them again
SECONDS = 900.0  # for one volume: 1,000 slices on a slow disk
MEMORY = 2 << 30  # bytes a child may need at its peak: int16 voxels of 512 x 512 x 1,000, labels, slack
TRY_AGAIN = ("timeout", "crashed", "memory", "changed")  # refusals that another run may not see
_STORED_SHARE = 0.7  # stored bytes for each of an unpacked volume: 4 slices of 10 with liver, their labels
_PACKED = 3  # how much smaller a .nii.gz is


@dataclass(frozen=True)
class Job:
    """One volume to be read: its files as they were when it was decided, and where its own files go."""

    case: Case
    key: str
    folder: Path
    layout: str
    window_hu: tuple[float, float]


def prepare(
    card: DatasetCard, source: Path, seed: int, groups: Path | None, report: Report
) -> PrepareSummary:
    """Read the volumes under ``source`` and store them as artifacts/data/<name of the card>.

    ``groups`` is a CSV file with the columns case and patient. Without it hold the groups given last time; if none
    were, those the reader knows of (for its own sets), else each volume is a patient of its own.
    DataRefused: layout, groups, no_cases, disk_full. A refused volume is left out and listed. JobBusy.
    """
    started = time.monotonic()
    module = catalogues.dataset_modules()[card.layout]
    with prepare_folder.alone(card.name, resumes=True) as aside:
        cases, strays = module.find(source), module.strays(source)
        patient = _patients(card, module, [case.id for case in cases], groups)
        jobs = [_job(case, card, aside) for case in cases]
        formats = [prepared_index.FORMAT, split_volumes.RULES]
        parts = [formats, asdict(card), [j.key for j in jobs], strays, seed, patient]
        inputs = atomic.sha256(atomic.canonical(parts))
        stored = prepare_folder.stored(card.name)
        if stored is not None and stored["inputs"] == inputs and not _may_work_now(stored):
            prepare_folder.remove(aside)
            return summary(card.name, stored, time.monotonic() - started, is_unchanged=True)
        to_read = _take_over(jobs, aside, places.data(card.name) / "volumes")
        _require_room(to_read, aside)
        refused = _read(to_read, report)
        finished = [job for job in jobs if job.case.id not in refused]
        if not finished:
            first = next(iter(refused.values()))
            raise DataRefused("no_cases", f"{source}: every volume was refused, first {first['message']}")
        report(len(to_read) or 1, len(to_read) or 1, "writing")
        volumes = [prepared_volumes.facts(job.folder) for job in finished]
        refusals = list(refused.values())
        content = prepared_volumes.write_all(aside, card, volumes, patient, seed, inputs, refusals, strays)
        prepare_folder.swap(card.name)
        read_now = sum(v["n_slices"] for v, job in zip(volumes, finished, strict=True) if job in to_read)
    return summary(card.name, content, time.monotonic() - started, read_now=read_now)


def _patients(
    card: DatasetCard, module: ModuleType, cases: Sequence[str], groups: Path | None
) -> dict[str, tuple[str, str]]:
    before = prepared_index.folder(card.name) / "groups.csv"
    given = patients.read(groups, cases) if groups is not None else patients.kept(before, cases)
    is_own = card in module.CARDS  # phantoms and external sets have other volumes under the same numbers
    return patients.of(cases, given, getattr(module, "SAME_PATIENT", ()) if is_own else ())


def _job(case: Case, card: DatasetCard, aside: Path) -> Job:
    if card.window_hu is None:
        raise ValueError(f"card {card.name}: expected window_hu for a set of volumes")
    parts = [REVISION, card.layout, SIZE, card.window_hu, case.tag, _state(case)]
    key = atomic.sha256(atomic.canonical(parts))
    return Job(case, key, aside / "volumes" / case.id, card.layout, card.window_hu)


def _state(case: Case) -> dict[str, list[int]]:
    """Size and time of last change of each file, by name; [] for one that cannot be looked at."""
    state: dict[str, list[int]] = {}
    for path in case.files:
        state[path.name] = []
        with suppress(OSError):
            found = path.stat(follow_symlinks=False)
            state[path.name] = [found.st_size, found.st_mtime_ns]
    return state


def _may_work_now(stored: Mapping[str, Any]) -> bool:
    return any(row["code"] in TRY_AGAIN for row in stored["refused"])


def _take_over(jobs: Sequence[Job], aside: Path, before: Path) -> list[Job]:
    """What is still to do, once the folder aside holds every finished volume, also of ``before``, and no more."""
    for path in aside.iterdir() if aside.is_dir() else ():
        if path.name != "volumes":
            if path.is_dir():
                prepare_folder.remove(path)
            else:
                path.unlink()
    wanted = {job.folder.name: job for job in jobs}
    (aside / "volumes").mkdir(parents=True, exist_ok=True)
    for folder in (aside / "volumes").iterdir():
        if folder.name not in wanted or not prepared_volumes.is_finished(folder, wanted[folder.name].key):
            prepare_folder.remove(folder)
    return [job for job in jobs if not job.folder.is_dir() and not _link(before / job.case.id, job)]


def _link(before: Path, job: Job) -> bool:
    """Whether the files of a finished volume could be linked to their new place; if not, it is read again."""
    if not prepared_volumes.is_finished(before, job.key):
        return False
    try:
        shutil.copytree(before, job.folder, copy_function=os.link)
    except (OSError, shutil.Error):  # not every file system has links
        prepare_folder.remove(job.folder)
        return False
    return True


def _require_room(jobs: Sequence[Job], aside: Path) -> None:
    """DataRefused ("disk_full") when what is to be read will not fit, as far as file sizes tell."""
    needed = 0.0
    for job in jobs:
        packed = _PACKED if job.case.picture.name.endswith(".gz") else 1
        needed += _STORED_SHARE * packed * sum(_state(job.case)[job.case.picture.name][:1])
    free = shutil.disk_usage(aside).free
    if needed > free:
        raise DataRefused("disk_full", _no_room(f"{len(jobs)} volumes", needed, free))


def _no_room(what: str, needed: float, free: int) -> str:
    numbers = f"about {needed / 1e9:.1f} GB needed, {free / 1e9:.1f} GB free"
    return (
        f"The disk is too full for {what}: {numbers}. Make room and prepare again; finished volumes are kept."
    )


def _read(jobs: Sequence[Job], report: Report) -> dict[str, dict[str, str]]:
    """Read all these volumes in child processes; the refused ones by case."""
    refused: dict[str, dict[str, str]] = {}
    began, slices = time.monotonic(), 0
    answers = guarded.each(_volume, jobs, workers=_workers(), seconds=SECONDS)
    for done, (position, answer) in enumerate(answers, start=1):
        case = jobs[position].case
        if isinstance(answer, guarded.Lost):
            reason = f"reading it ended the process that did ({answer.reason})"
            answer = (answer.reason, f"{case.picture.name}: {reason}.")
        if isinstance(answer, int):
            slices += answer
        elif answer[0] == "disk_full":
            raise DataRefused(*answer)
        else:
            refused[case.id] = {"case": case.id, "code": answer[0], "message": answer[1]}
        speed = slices / max(time.monotonic() - began, 1e-9)
        report(done, len(jobs), f"{case.id}, {speed:.0f} slices/s")
    return {case: refused[case] for case in (job.case.id for job in jobs) if case in refused}


def _workers() -> int:
    """One child per core, as far as there is memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(ValueError, OSError, AttributeError):  # not every system tells its memory
        cores = min(cores, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEMORY)
    return max(1, cores)


def _volume(job: Job) -> int | tuple[str, str]:
    """Read and store one volume; its number of slices, or (code, message) of the refusal. In a child process."""
    name, before, needed = job.case.picture.name, _state(job.case), 0
    try:
        raw: RawVolume = catalogues.dataset_modules()[job.layout].read_volume(job.case)
        if _state(job.case) != before:
            return "changed", f"{name}: a file changed while it was read. Prepare again when it is complete."
        needed, free = prepared_volumes.size_of(raw), shutil.disk_usage(job.folder.parent).free
        if needed > free:
            return "disk_full", _no_room(name, needed, free)
        source = {file: {"bytes": state[0]} for file, state in before.items()}
        prepared_volumes.write(job.folder, job.case.id, raw, job.window_hu, job.key, source)
        return raw.n_slices
    except DataRefused as refusal:
        return refusal.code, str(refusal)
    except MemoryError:
        return "memory", f"{name}: not enough memory to read it."
    except OSError as error:
        if error.errno in prepare_folder.FULL:
            return "disk_full", _no_room(name, needed, 0)
        raise
