"""What larger or smaller pictures are worth to a network, measured on validation images only.

    python -m tests.bench.sizes

A short training per row, in a process of its own in which pictures have another side; stopped and started again, it
goes on. Scores are on the pictures' own grid, where every side is judged alike. Writes docs/ablation_sizes.csv.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from core import prepared, preprocess, results, runs, weights
from core.records import SIZE, Run, Slice
from core.settings import training_config
from core.training import losses
from core.training.config import TrainConfig
from tests.bench import ablation
from tests.bench.ablation import DATASET, EPOCHS, NETWORK, ROOT, WIDTH

ROWS = {  # side in pixels and epochs; the first is what the others are compared with
    "128 x 128": (SIZE, EPOCHS),
    "64 x 64": (64, EPOCHS),
    "192 x 192": (192, EPOCHS),
    "256 x 256": (256, EPOCHS),
    "128 x 128, four times the epochs": (SIZE, 4 * EPOCHS),
    "256 x 256, four times the epochs": (256, 4 * EPOCHS),
}


def measure(output: Path, *, finished: bool = False) -> list[dict[str, Any]]:
    """A row per training, as ``tests.bench.ablation`` makes them; finished trainings are read.

    ``finished``: those alone, so that an interrupted measurement gives the rows that it has.
    """
    rows: list[dict[str, Any]] = []
    base: dict[str, float] = {}
    for name, (side, epochs) in ROWS.items():
        folder = output / f"{side}-{epochs}"
        scores = folder / "scores.json"
        if not scores.exists():
            if finished:
                continue
            folder.mkdir(parents=True, exist_ok=True)
            asked = [sys.executable, "-m", "tests.bench.sizes", "--output", str(folder)]
            subprocess.run([*asked, "--side", str(side), "--epochs", str(epochs)], check=True, cwd=ROOT)
        values = json.loads(scores.read_text())
        base = base or values["dice"]
        rows.append({"choice": name, **ablation.row(values, base), "best_epoch": values["best_epoch"]})
        print(rows[-1], flush=True)
    return ablation.corrected(rows)


def train_at(side: int, epochs: int, output: Path) -> None:
    """Train on pictures of a side of its own and store the scores; the process is of no other use afterwards."""
    from core.training.fit import train

    stored = prepared.read_arrays(DATASET)
    slices = [prepared.read_slice(DATASET, entry.case) for entry in stored.entries]
    for module in list(sys.modules.values()):  # those that load later take it from these
        if module.__name__.startswith("core.") and hasattr(module, "SIZE"):
            module.SIZE = side  # type: ignore[attr-defined]
    arrays = _at_this_side(slices, stored)
    config = training_config(DATASET, NETWORK, recipe="strong", width=WIDTH, epochs=epochs)
    settings = config.network(1, 1) | {"size": side}
    presence = round(losses.PRESENCE_PIXELS * (side / SIZE) ** 2)  # the same share of the picture
    name = runs.run_name(DATASET, NETWORK, config.seed)
    with (
        ablation.apart(output),
        mock.patch.object(prepared, "read_arrays", return_value=arrays),
        mock.patch.object(TrainConfig, "network", return_value=settings),
        mock.patch.object(losses, "PRESENCE_PIXELS", presence),
        runs.hold(name),
    ):
        run = train(name, config, resume=True, report=lambda facts: None)
        found = _scores(run, slices, arrays)
    (output / "scores.json").write_text(json.dumps(found | {"best_epoch": run.best_epoch}))


def _at_this_side(slices: Sequence[Slice], stored: prepared.Arrays) -> prepared.Arrays:
    images = np.stack([preprocess.network_image(one.picture) for one in slices])
    blank = np.zeros_like(images[0, ..., 0], np.uint8)
    labels = [blank if one.reference is None else preprocess.small_labels(one.reference) for one in slices]
    return prepared.Arrays(images, np.stack(labels), stored.entries)


def _scores(run: Run, slices: Sequence[Slice], arrays: prepared.Arrays) -> dict[str, Any]:
    network = weights.load(run)
    found: dict[str, list[Any]] = {"probability": [], "reference": [], "groups": []}
    for one, image, entry in zip(slices, arrays.images, arrays.entries, strict=True):
        if entry.parts[run.split] == "validation":
            seen = network.predict_on_batch(image[None])[0, ..., 0]
            found["probability"].append(preprocess.enlarge(seen, one.picture.shape))
            found["reference"].append(one.reference > 0)
            found["groups"].append(entry.group)
    return ablation.scores(found)


def main(arguments: Sequence[str]) -> int:
    """Measure and write the table; with ``--side``, one training of it."""
    asked = argparse.ArgumentParser(prog="python -m tests.bench.sizes", description=__doc__)
    asked.add_argument("--output", type=Path, default=ROOT / "tests" / "output" / "sizes")
    asked.add_argument("--finished", action="store_true", help="train nothing: the rows that there are")
    asked.add_argument("--side", type=int, help=argparse.SUPPRESS)
    asked.add_argument("--epochs", type=int, help=argparse.SUPPRESS)
    chosen = asked.parse_args(arguments)
    output = chosen.output.resolve()
    if chosen.side:
        train_at(chosen.side, chosen.epochs, output)
        return 0
    rows = measure(output, finished=chosen.finished)
    results.write_csv(ROOT / "docs" / "ablation_sizes.csv", rows)
    print(ablation.table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
