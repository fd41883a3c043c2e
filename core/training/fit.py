"""The story of one training, from top to bottom.

Deterministic on a CPU: the same config, data, code and library versions give the same weights, also when the
training was killed and resumed at any point.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from core import atomic, places, prepared, runs, weights
from core.cards import NOTICE, DatasetCard
from core.errors import CoreError, RunRefused, TrainingFailed
from core.records import Run
from core.settings import stored_config
from core.training import calibrate, checkpoint, order, pretrained, supervision
from core.training.batches import CT, ULTRASOUND, Batches
from core.training.config import TrainConfig
from core.training.epoch import epoch_loss, learn, shown
from core.training.optimiser import optimiser
from core.training.progress import SCORES, Report, Status, write_history
from core.training.signals import stop_on_signal
from core.training.validation import Stopper, as_published, validate


def train(
    name: str, config: TrainConfig, *, resume: bool = False, device: str = "auto", report: Report
) -> Run:
    """Train one network and publish it as run ``name``; the caller holds the run's lock.

    A stopped training (SIGTERM or Ctrl-C) raises KeyboardInterrupt after the batch in hand; everything up to
    the last finished epoch is kept and ``resume=True`` goes on from there. TrainingFailed names what went
    wrong. A finished run is returned as it is, never overwritten.
    """
    folder = places.run(name)
    if (folder / "run.json").is_file():
        run = runs.read_training(name)
        if changed := stored_config(run.manifest["config"]).differing(config):
            raise RunRefused(_other_settings(name, changed))
        return run
    _require_continuable(folder, config, resume)
    status = Status(folder, config.epochs, report)
    status.update(state="running", epoch=0, device=_device(device), run=name)
    with stop_on_signal() as stop:
        return _watched(folder, name, config, status, stop)


def _watched(folder: Path, name: str, config: TrainConfig, status: Status, stop: Callable[[], bool]) -> Run:
    """The training, whatever its end is told in the status."""
    try:
        run = _trained(folder, name, config, status, stop)
    except KeyboardInterrupt:
        status.update(state="stopped")
        raise
    except CoreError as error:
        status.update(state="failed", reason=getattr(error, "reason", "refused"), message=str(error))
        raise
    except Exception as error:
        reason = "out_of_memory" if _is_out_of_memory(error) else "error"
        status.update(state="failed", reason=reason, message=f"{type(error).__name__}: {error}"[:500])
        if reason == "out_of_memory":
            raise TrainingFailed(reason, _too_large(config)) from error
        raise
    status.update(state="finished", best_epoch=run.best_epoch)
    return run


def _trained(folder: Path, name: str, config: TrainConfig, status: Status, stop: Callable[[], bool]) -> Run:
    # 1. What to learn from. Test cases are never looked at here.
    card = prepared.read_card(config.dataset)
    split = prepared.read_split(config.dataset, config.split or card.splits[0])
    arrays = prepared.read_arrays(config.dataset)
    rows, held_out = (order.rows_of(arrays, split.name, part) for part in ("train", "validation"))
    if card.has_volumes and not config.draws:
        rows = order.cohort(arrays, rows)
    kind = CT if card.has_volumes else ULTRASOUND

    # 2. The network, and the same layers ending in logits: cross-entropy from probabilities is clipped.
    keras.utils.set_random_seed(config.seed)
    keras.mixed_precision.set_global_policy(config.precision)
    settings = config.network(card.channels, card.outputs)
    network = weights.build(config.model, settings)
    _require_no_random_layers(network)
    if config.deep_supervision:
        trained = supervision.deepened(network)
    else:
        trained = keras.Model(network.input, network.get_layer("logits").output)

    # 3. Where an earlier start had come to, or what this one begins with.
    saved, history, stopper, best, source = folder / "checkpoint", [], Stopper(), {}, None
    marker, damaged = checkpoint.newest(saved)
    first = marker["epoch"] + 1 if marker else 1
    steps = max((config.draws or len(rows)) // config.batch, 1)
    trained.compile(optimiser(config, steps), loss=epoch_loss(config, card.outputs, first))
    if marker:
        checkpoint.restore(trained, saved, marker)
        history, best, source = marker["history"], marker["best"], marker.get("pretrained")
        stopper = Stopper(**marker["stopper"])
    elif config.pretrained:
        source = pretrained.begin(network, config)
    status.update(damaged=damaged, resumed_at=first if marker else None, parameters=network.count_params())

    def after_batch(step: int, loss: float) -> bool:
        status.beat(step=step, steps=steps, loss=loss if math.isfinite(loss) else None)
        return stop()

    # 4. Epoch by epoch: learn, validate, keep the best, commit.
    for epoch in range(first, config.epochs + 1):
        if stopper.is_done(config):
            break
        began = time.monotonic()
        batches = Batches(
            arrays.images, arrays.labels, shown(arrays, rows, config, epoch),
            batch=config.batch, seed=config.seed, epoch=epoch, augment=config.augment, kind=kind,
        )  # fmt: skip
        status.beat(epoch=epoch)
        if epoch > first and config.asks_presence(epoch) != config.asks_presence(epoch - 1):
            trained.compile(trained.optimizer, loss=epoch_loss(config, card.outputs, epoch))
        mean_loss = learn(trained, batches, after_batch)
        if mean_loss is None:
            raise KeyboardInterrupt
        _require_finite(mean_loss, network, epoch)
        with as_published(network, trained, arrays, rows, config):
            scores = validate(network, arrays, held_out, len(card.classes))
            if stopper.improves(epoch, scores, config):
                file = saved / f"best-{epoch:04d}.weights.h5"
                best = {"epoch": epoch, "file": file.name, "sha256": checkpoint.save(network, file), **scores}
        rate = float(ops.convert_to_numpy(trained.optimizer.learning_rate))
        seconds = time.monotonic() - began
        row = {"epoch": epoch, "loss": mean_loss, "learning_rate": rate, **scores, "seconds": seconds}
        history = [*history, row]
        state: dict[str, Any] = {"best": best, "history": history, "stopper": asdict(stopper)}
        state |= {"config": config.sha256, "pretrained": source}
        checkpoint.commit(saved, epoch, trained, state)
        write_history(folder, history)
        status.update(epoch=epoch, finished_epochs=epoch, **scores)

    # 5. The best epoch, calibrated, becomes the run; run.json is written last.
    manifest = _manifest(name, config, settings, card, split, status, history, best)
    if source:
        manifest["pretrained"] = source
    chosen = saved / best["file"]
    if config.calibrate:
        network.load_weights(chosen)
        found = calibrate.temperature(network, arrays, held_out)
        calibrate.fold_in(network, found)
        manifest["temperature"] = found
        manifest["validation"]["val_loss"] = validate(network, arrays, held_out, len(card.classes))[
            "val_loss"
        ]
        chosen = saved / "calibrated.weights.h5"
        checkpoint.save(network, chosen)
    weights.publish(folder, chosen, manifest)
    return runs.read_run(name)


def _manifest(
    name: str,
    config: TrainConfig,
    settings: dict[str, Any],
    card: DatasetCard,
    split: prepared.Split,
    status: Status,
    history: list[dict[str, Any]],
    best: dict[str, Any],
) -> dict[str, Any]:
    parts = {part: len(cases) for part, cases in split.parts.items()}
    return {
        "format": runs.FORMAT,
        "name": name,
        "dataset": config.dataset,
        "model": config.model,
        "seed": config.seed,
        "width": config.width,
        "recipe": config.recipe,
        "classes": list(card.classes),
        "network": settings,
        "config": asdict(config),
        "config_sha256": config.sha256,
        "data_sha256": prepared.card_json(config.dataset)["sha256"],
        "split": {"name": split.name, "sha256": split.sha256, "parts": parts},
        "best_epoch": best["epoch"],
        "epochs_run": len(history),
        "validation": {key: best.get(key) for key in SCORES},
        "seconds": round(sum(row["seconds"] for row in history)),
        "device": status.facts["device"],
        "backend": keras.backend.backend(),
        "versions": {package: _version(package) for package in ("keras", "tensorflow", "jax", "numpy")},
        "python": platform.python_version(),
        "git_commit": _git_commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "use": NOTICE,
    }


def _require_continuable(folder: Path, config: TrainConfig, resume: bool) -> None:
    chosen = folder / "config.json"
    wanted = {**asdict(config), "backend": keras.backend.backend()}
    if not chosen.is_file():
        atomic.write_json(chosen, wanted)
        return
    started = {**asdict(TrainConfig(config.dataset, config.model)), **json.loads(chosen.read_text())}
    if started != wanted:
        changed = sorted(key for key in wanted if started.get(key) != wanted[key])
        raise RunRefused(_other_settings(folder.name, changed))
    if not resume and any((folder / "checkpoint").glob("ep-*.json")):
        raise RunRefused(
            f"Run {folder.name} was begun before and has finished epochs. Add --resume to go on, "
            f"or delete artifacts/runs/{folder.name} to start afresh."
        )


def _other_settings(name: str, changed: list[str]) -> str:
    return (
        f"Run {name} was begun with other settings ({', '.join(changed)}). A run folder holds one training: "
        f"repeat the earlier settings, choose another --seed, or delete artifacts/runs/{name}."
    )


def _device(wanted: str) -> str:
    """The device that will compute, in words; RunRefused when a GPU is asked for and there is none."""
    # Asked for "gpu" alone, the jax backend raises where there is none.
    found = keras.distribution.list_devices() if wanted != "cpu" else []
    gpus = [name for name in found if name.lower().startswith(("gpu", "cuda", "rocm"))]
    if wanted == "gpu" and not gpus:
        raise RunRefused(
            f"No GPU is visible to the {keras.backend.backend()} backend. Expected at least one for --device gpu. "
            "Install its GPU build, or train with --device cpu."
        )
    return gpus[0] if gpus else f"cpu ({os.cpu_count()} cores)"


def _require_no_random_layers(network: keras.Model) -> None:
    """Refuse layers with random state: it is not in the weights file, so a resumed training would differ."""
    if any("seed_generator" in variable.path for variable in network.variables):
        raise TrainingFailed(
            "refused", f"{network.name} has random layers (dropout?); resuming would differ."
        )


def _require_finite(loss: float, network: keras.Model, epoch: int) -> None:
    values = (ops.convert_to_numpy(weight) for weight in network.weights)
    if not math.isfinite(loss) or not all(np.isfinite(value).all() for value in values):
        raise TrainingFailed(
            "diverged",
            f"The loss or a weight became NaN or infinite in epoch {epoch}. Earlier epochs are kept. "
            "Train with a lower learning rate (--learning-rate) or another --seed.",
        )


def _is_out_of_memory(error: Exception) -> bool:
    return (
        isinstance(error, MemoryError)
        or "ResourceExhausted" in type(error).__name__
        or ("RESOURCE_EXHAUSTED" in str(error))
    )


def _too_large(config: TrainConfig) -> str:
    return f"Out of memory with batches of {config.batch}. Try --batch {max(config.batch // 2, 1)}, then --resume."


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    command = ["git", "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
