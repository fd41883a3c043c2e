"""Run folders: what was trained, how, and whether its files are whole. Loads no Keras."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core import places
from core.errors import JobBusy, RunMissing, RunRefused
from core.records import Run

FORMAT = 1
ORDER = ("unet", "multiresunet", "dcunet")  # as in the paper's tables; further networks follow by name


def run_name(dataset: str, model: str, seed: int, split: str = "") -> str:
    """The folder name of a run: dataset-model-seed, and the split where it is not the dataset's default."""
    name = f"{dataset}-{model}-{seed}"
    return places.checked(f"{name}-{split}" if split else name)


def list_runs(dataset: str | None = None, *, scores_only: bool = False) -> tuple[Run, ...]:
    """All finished runs, or those trained on ``dataset``: by dataset, split, seed, then in the paper's order.

    A run whose files are damaged is listed with its ``problem``; a folder without run.json (a training
    under way) is not a run yet. Those whose weights were dropped come with ``scores_only`` alone.
    """
    folders = sorted(places.runs().glob("*/run.json")) if places.runs().is_dir() else []
    found = [_described(path.parent) for path in folders]
    kept = [
        run for run in found if dataset in (None, run.dataset) and (scores_only or not run.is_scores_only)
    ]
    return tuple(sorted(kept, key=_rank))


def read_run(name: str) -> Run:
    """One run by name. RunMissing when there is none, RunRefused when its files cannot be used."""
    run = read_training(name)
    if run.problem:
        raise RunRefused(run.problem)
    return run


def read_training(name: str) -> Run:
    """As ``read_run``, and also a run of which only the scores are kept: it is finished all the same."""
    if not (places.run(name) / "run.json").is_file():
        raise RunMissing(
            f"No trained run named {name} in artifacts/runs. "
            "See the finished ones with: python -m core list. Train one with: python -m core train DATASET MODEL"
        )
    run = described(name)
    if run.is_rejected:
        raise RunRefused(run.problem)
    return run


def described(name: str) -> Run:
    """A finished run as ``list_runs`` shows it: one that cannot be used has its ``problem``, nothing is raised."""
    return _described(places.run(name))


def read_history(name: str) -> list[dict[str, float]]:
    """One row per epoch: epoch, loss, learning_rate, the scores of ``validation.validate``, seconds.

    NaN where a score is undefined. Empty when the run keeps no history.
    """
    path = places.run(name) / "history.csv"
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


@contextmanager
def hold(name: str) -> Iterator[Path]:
    """Hold the one lock of a run folder while training; JobBusy when another process has it.

    The system frees the lock when its process ends, however it ends.
    """
    from filelock import FileLock, Timeout

    folder = places.run(name)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0.5)  # whoever asks ``is_held`` has it for an instant
    except Timeout:
        since = _started(folder)
        raise JobBusy(
            f"Run {name} is already being trained{since}. Expected no other training of the same run. "
            f"Wait for it, or stop it; its progress is in artifacts/runs/{name}/status.json"
        ) from None
    try:
        yield folder
    finally:
        lock.release()


def is_held(name: str) -> bool:
    """Whether a process has the lock of a run folder right now, as far as this machine can tell."""
    import fcntl

    lock = places.run(name) / "lock"
    if not lock.is_file():
        return False
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: any number may ask at once
        except BlockingIOError:
            return True
    return False


def _started(folder: Path) -> str:
    try:
        return f" since {json.loads((folder / 'status.json').read_text())['started']}"
    except (OSError, ValueError, KeyError):
        return ""


def _rank(run: Run) -> tuple[object, ...]:
    place = ORDER.index(run.model) if run.model in ORDER else len(ORDER)
    return (run.dataset, run.split, run.seed, place, run.model)


def _described(folder: Path) -> Run:
    remedy = f"Restore artifacts/runs/{folder.name}, or delete the folder and train again"
    try:
        manifest = json.loads((folder / "run.json").read_text())
        run = _from_manifest(manifest)
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"run.json of {folder.name} cannot be read ({type(error).__name__}). {remedy}."
        return Run(folder.name, "", "", 0, 0, "", (), "", "", "", 0, {}, {}, problem)
    return Run(**{**vars(run), "problem": _problem(folder, run, remedy)})


def _from_manifest(manifest: dict) -> Run:
    return Run(
        name=manifest["name"],
        dataset=manifest["dataset"],
        model=manifest["model"],
        seed=manifest["seed"],
        width=manifest["width"],
        recipe=manifest["recipe"],
        classes=tuple(manifest["classes"]),
        split=manifest["split"]["name"],
        split_sha256=manifest["split"]["sha256"],
        weights_sha256=manifest["weights"]["sha256"],
        best_epoch=manifest["best_epoch"],
        validation=manifest["validation"],
        manifest=manifest,
    )


def _problem(folder: Path, run: Run, remedy: str) -> str | None:
    weights = folder / places.WEIGHTS
    if run.name != folder.name:
        return f"run.json says {run.name}, but its folder is {folder.name}. {remedy}."
    if run.manifest["format"] != FORMAT:
        return f"Run {run.name} has format {run.manifest['format']}, expected {FORMAT}. {remedy}."
    if run.is_scores_only:
        return (
            f"The weights of run {run.name} are not kept, its scores are. Expected a run with weights. "
            f"To have them again, delete artifacts/runs/{run.name} and train with the settings in its config.json."
        )
    if not weights.is_file():
        return f"{places.WEIGHTS} is missing from run {run.name}. {remedy}."
    expected, got = run.manifest["weights"]["bytes"], weights.stat().st_size
    if expected != got:
        return f"{places.WEIGHTS} of run {run.name}: expected {expected} bytes, got {got}. {remedy}."
    return None


def unlike(*several: Run) -> list[str]:
    """Settings in which runs differ, split and seed aside, as "epochs 20 and 48"; none if not recorded."""
    configs = [run.manifest.get("config", {}) for run in several]
    shared = (
        set.intersection(*map(set, configs)) - {"split", "seed", "model", "dataset"} if configs else set()
    )
    values = {name: list(dict.fromkeys(config[name] for config in configs)) for name in sorted(shared)}
    return [f"{name} {' and '.join(map(str, found))}" for name, found in values.items() if len(found) > 1]
