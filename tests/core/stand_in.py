"""A training without Keras in the place of ``python -m core``: same lock, status, history, signals and run.json.

What it "learns" in an epoch is a checksum over the one before: a repeated or a left-out epoch changes the weights.
Which mishap befalls it is told by the width: 3 dies by SIGKILL once, 4 ignores SIGTERM, 5 runs out of disk.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import asdict

from core import __main__ as cli
from core import atomic, jobs, places, prepared, runs, settings
from core.errors import TrainingFailed
from core.training.progress import Status, beginning, write_history

EPOCH_S = float(os.environ.get("STAND_IN_EPOCH_S", "0.05"))
COMMAND = (sys.executable, "-m", "tests.core.stand_in")


def dask_setup(worker: object) -> None:
    """Called by a Dask worker that preloads this module: its trainings are those of the stand-in."""
    jobs.COMMAND = COMMAND


def main() -> int:
    """One verb: train as below, anything else as it is."""
    chosen = cli.parser().parse_args()
    if chosen.verb is not cli.verbs.train:
        return cli.main()
    changes = {one.name: getattr(chosen, one.name) for one in settings.list_settings()}
    card = prepared.read_card(chosen.dataset)
    config = settings.training_config(chosen.dataset, chosen.models[0], chosen.recipe, **changes)
    split = prepared.read_split(config.dataset, config.split or card.splits[0])
    name = runs.run_name(config.dataset, config.model, config.seed, config.split)
    asked: list[bool] = []
    try:
        with runs.hold(name) as folder, beginning(folder, name, config.epochs):
            if (folder / "run.json").is_file():
                return 0
            signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
            atomic.write_json(folder / "config.json", {**asdict(config), "backend": "tensorflow"})
            learned, rows = begun(folder, config.sha256)
            status = Status(folder, config.epochs, lambda facts: None)
            status.update(state="running", epoch=len(rows), run=name)
            for epoch in range(len(rows) + 1, config.epochs + 1):
                time.sleep(EPOCH_S)
                if asked and config.width != 4:
                    status.update(state="stopped")
                    return 130
                learned = atomic.sha256(f"{learned} {epoch}".encode())
                rows.append(
                    {"epoch": epoch, "loss": 1 / epoch, "val_dice": 1 - 1 / epoch, "seconds": EPOCH_S}
                )
                atomic.write_json(folder / "checkpoint" / "ep.json", [learned, rows])
                write_history(folder, rows)
                status.update(epoch=epoch, finished_epochs=epoch)
                print(f"epoch {epoch}/{config.epochs}", flush=True)
                if config.width == 3 and not (folder / "died").exists():
                    (folder / "died").touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                if config.width == 5:
                    raise TrainingFailed("disk_full", "The disk is full: nothing fits.")
            (folder / places.WEIGHTS).write_text(learned)
            manifest = {
                "format": runs.FORMAT, "name": name, "dataset": config.dataset, "model": config.model,
                "seed": config.seed, "width": config.width, "recipe": config.recipe,
                "classes": list(card.classes), "config": asdict(config), "config_sha256": config.sha256,
                "split": {"name": split.name, "sha256": split.sha256}, "best_epoch": config.epochs,
                "weights": {"sha256": atomic.sha256(learned.encode()), "bytes": len(learned)},
                "validation": {"val_dice": 0.5}, "date": str(time.time()), "seconds": os.getpid(),
            }  # fmt: skip
            atomic.write_json(folder / "run.json", manifest)
            status.update(state="finished", best_epoch=config.epochs)
            return 0
    except TrainingFailed as error:
        Status(places.run(name), config.epochs, lambda facts: None).update(
            state="failed", reason=error.reason, message=str(error)
        )
        return 1
    except cli.JobBusy:
        return cli.BUSY


def begun(folder, first):
    """What an earlier start had learned."""
    try:
        return tuple(json.loads((folder / "checkpoint" / "ep.json").read_text()))
    except OSError:
        return first, []


if __name__ == "__main__":
    sys.exit(main())
