"""Many trainings as one study: every network on every fold with every seed, each a job that is safe to repeat.

A job is one child process ``python -m core train``. A finished one is not trained again, a begun one goes on after
its last whole epoch, one that another process holds is waited for. So a study may be stopped, killed and given anew
at any time, on one machine or on many that share the artifacts folder, and ends with the same weights.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from core import atomic, executors, jobs, prepared, prepared_index, runs, settings
from core.errors import CoreError, RunMissing, RunRefused, TrainingFailed
from core.records import Run
from core.training.config import TrainConfig

BUSY, STOPPED = 75, 130  # exit status of a training that another process is at, and of a stopped one
KILLS = 3  # starts of a training whose process is killed, by lack of memory for example
ASKING_S = 0.5
WHERE_AND_WHEN = ("date", "seconds", "device", "git_commit")  # of run.json: they say nothing of the outcome

Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Training:
    """One cell of a study: the run it makes and its settings."""

    name: str
    config: TrainConfig
    device: str = "auto"


@dataclass(frozen=True)
class Outcome:
    """How a training ended: ``state`` finished, stopped or failed; ``sha256``: of the outcome, when finished."""

    name: str
    state: str
    message: str = ""
    sha256: str = ""


def plan(
    dataset: str,
    models: Sequence[str],
    seeds: int,
    folds: int | None,
    recipe: str = "strong",
    device: str = "auto",
    **changes: Any,
) -> list[Training]:
    """Every network on every fold with seeds 0 to ``seeds`` - 1; all of seed 0 first, so early results are whole.

    ``folds``: 1 for the default split alone; otherwise as many as the dataset has, which None means too.
    DataMissing when the dataset or a fold is not prepared; TrainingFailed ("refused") for settings out of range.
    """
    card = prepared.read_card(dataset)
    splits = _folds(dataset, folds)
    found = []
    for seed in range(seeds):
        for split in splits:
            prepared.read_split(dataset, split)
            for model in models:
                asked = changes | {"seed": seed, "split": "" if split == card.splits[0] else split}
                config = settings.training_config(
                    dataset, model, recipe, has_volumes=card.has_volumes, **asked
                )
                found.append(Training(runs.run_name(dataset, model, seed, config.split), config, device))
    if not found:
        raise TrainingFailed("refused", f"Nothing to train: {seeds} seeds, {len(models)} networks.")
    return found


def _folds(dataset: str, wanted: int | None) -> list[str]:
    """The splits of a cross-validation: those that test every case once between them."""
    splits = prepared.read_card(dataset).splits
    default = (*splits, "")[0]
    prepared.read_split(dataset, default)
    if wanted == 1:
        return [default]
    stored = prepared_index.split_names(dataset)
    found = [name for name in stored if "-5fold-" in name]
    if prepared.read_card(dataset).has_volumes:
        found = [name for name in stored if name == default or name.rpartition("-")[2].isdigit()]
    if wanted not in (None, len(found)) or not found:
        there = f"1 (the default split) or {len(found)}" if len(found) > 1 else "1 (the default split)"
        raise TrainingFailed(
            "refused", f"{dataset} is prepared with other folds: expected {there}, got {wanted}."
        )
    return found


def train_all(
    trainings: Sequence[Training], pool: AbstractContextManager[executors.Pool], report: Report
) -> list[Outcome]:
    """Train what is not finished; one failure stops nothing else. ``report(epochs done, of, what is in hand)``.

    Ctrl-C or SIGTERM (as KeyboardInterrupt) stops all trainings after their batch in hand.
    """
    total = sum(one.config.epochs for one in trainings)
    found: dict[int, Outcome] = {}

    def tick() -> None:
        done = [one.config.epochs if at in found else _epochs(one) for at, one in enumerate(trainings)]
        text = f"{len(found)} of {len(trainings)} trainings over"
        report(min(sum(done), total - 1), total, text)

    for position, answer in executors.answers(pool, train_one, trainings, tick, ASKING_S):
        name = trainings[position].name
        found[position] = answer if isinstance(answer, Outcome) else _failed(name, answer)
    report(total, total, f"{len(found)} of {len(trainings)} trainings over")
    return [found[position] for position in sorted(found)]


def train_one(training: Training, place: executors.Place, is_stopped: Callable[[], bool]) -> Outcome:
    """Bring one training to its end, wherever it had come to; runs on any machine that shares the artifacts."""
    name, config = training.name, training.config
    kills = 0
    while not is_stopped():
        if run := _finished(training):
            return Outcome(name, "finished", sha256=outcome_sha256(run))
        words = ["train", *settings.arguments(config), "--device", training.device, "--resume"]
        code = _watch(jobs.spawn(name, words, place=place, apart=False), is_stopped)
        if code == BUSY:
            while runs.is_held(name) and not is_stopped():
                time.sleep(ASKING_S)
        elif code < 0 and not is_stopped():
            kills += 1
            if kills >= KILLS:
                how = signal.Signals(-code).name
                raise TrainingFailed(
                    "error", f"Its process was ended {kills} times by {how}: too little memory?"
                )
        elif code == STOPPED:  # by itself, from the page or with the verb: the others go on
            break
        elif code != 0:
            job = jobs.read_job(name)
            said = job.message or " ".join(jobs.log_tail(name, 1))
            return Outcome(name, "failed", f"{job.reason or 'error'}: {said}")
    return Outcome(name, "stopped", "Stopped; what was finished is kept.")


def _finished(training: Training) -> Run | None:
    """The run, when it is there; RunRefused when it was trained with other settings or is damaged."""
    try:
        run = runs.read_training(training.name)
    except RunMissing:
        return None
    if names := settings.stored_config(run.manifest["config"]).differing(training.config):
        raise RunRefused(
            f"Run {training.name} is finished with other settings ({', '.join(names)}). Repeat those, or move "
            f"artifacts/runs/{training.name} away."
        )
    return run


def _watch(child: subprocess.Popen[bytes], is_stopped: Callable[[], bool]) -> int:
    """Wait for a training and return its exit status; SIGTERM when the study is stopped, SIGKILL 60 s later."""
    asked_at = None
    try:
        while child.poll() is None:
            if asked_at is None and is_stopped():
                child.terminate()
                asked_at = time.monotonic()
            if asked_at is not None and time.monotonic() > asked_at + jobs.PATIENCE_S:
                child.kill()
            time.sleep(ASKING_S)
    finally:  # whatever ended the waiting, a worker that lost its scheduler for example
        if child.poll() is None:
            child.terminate()
    return int(child.returncode)


def _epochs(training: Training) -> int:
    """Finished epochs of a training, as its run folder tells."""
    try:
        job = jobs.read_job(training.name)
    except RunMissing:
        return 0
    if job.state == "finished":
        return training.config.epochs
    done = int(job.facts.get("finished_epochs") or job.facts.get("resumed_at") or 0)
    return min(done, training.config.epochs)


def _failed(name: str, error: Any) -> Outcome:
    said = str(error) if isinstance(error, CoreError) else f"{type(error).__name__}: {error}"
    return Outcome(name, "failed", said)


def outcome_sha256(run: Run) -> str:
    """Checksum of what a training came to: all of run.json but where, when and how fast it was computed.

    Whether the weights were kept changes nothing. It holds the checksums of settings, data, split, weights and
    network, and the scores on validation.
    """
    told = {key: value for key, value in run.manifest.items() if key not in WHERE_AND_WHEN}
    told["weights"] = {key: value for key, value in told["weights"].items() if key != "kept"}
    return atomic.sha256(atomic.canonical(told))


def checksum(outcomes: Sequence[Outcome]) -> str:
    """Checksum of a whole study: equal wherever its trainings were done."""
    return atomic.sha256(atomic.canonical(sorted([one.name, one.state, one.sha256] for one in outcomes)))
