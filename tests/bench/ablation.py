"""What every choice of the recipe is worth, one changed at a time, measured on validation images only.

    python -m tests.bench.ablation training    a short training per choice; stopped and started again, it goes on
    python -m tests.bench.ablation beginning   the same for how a training of pictures begins
    python -m tests.bench.ablation reading     the shipped runs, read in other ways
    python -m tests.bench.ablation seeds       trainings that differ by their seed, read together

Each writes a table into docs/, with which docs/training.md is compared by its test. The unit of every interval is
the group of near-duplicates. The epoch of a training is chosen on the same images, so the scores are a little
flattering, for every row alike; differences are what to look at.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from core import places, prepared, results, runs
from core.columns import differ_by_seed_alone
from core.metrics import statistics
from core.records import THRESHOLD, Run
from core.settings import training_config
from core.thresholds import THRESHOLDS, best_threshold
from core.training import config

ROOT = Path(__file__).resolve().parents[2]
DATASET, NETWORK, WIDTH, EPOCHS = "busi", "unet", 8, 12
SHIPPED = ("busi-unet-0", "busi-multiresunet-0", "busi-dcunet-0")
BASE = "the recipe"
CHOICES: dict[str, dict[str, Any]] = {
    BASE: {},
    "the paper's recipe": {"recipe": "paper"},
    "cross-entropy alone": {"loss": "cross_entropy"},
    "no presence term in the loss": {},
    "no disturbances": {"augment": 0.0},
    "disturbances at full strength": {"augment": 1.0},
    "constant step size": {"warmup": 0.0, "final_rate": 1e-3},
    "batches of 16": {"batch": 16},
    "no normalisation": {"batch_norm": False},
    "normalisation with momentum 0.99": {"bn_momentum": 0.99},
    "averaged weights (EMA 0.99)": {"ema": 0.99},
    "deep supervision": {"deep_supervision": True},
    "half the epochs": {"epochs": EPOCHS // 2},
    "twice the epochs": {"epochs": 2 * EPOCHS},
    "width 12": {"width": 12},
    "another seed": {"seed": 1},
}
FROM_START, LATE = {"presence_from": 0.0}, {"presence_from": config.LATE}
ON_PHANTOMS = {"pretrained": "phantom_busi"}
BEGINNINGS: dict[str, dict[str, Any]] = {
    "from chance, presence asked from the start": FROM_START,
    "from chance, presence asked late": LATE,
    "from the run on phantoms, presence asked from the start": FROM_START | ON_PHANTOMS,
    "from the run on phantoms, presence asked late": LATE | ON_PHANTOMS,
}
TRAININGS = {
    "training": {name: FROM_START | changes for name, changes in CHOICES.items()},
    "beginning": BEGINNINGS,
}
CONSTANTS = {"no presence term in the loss": {"PRESENCE_SHARE": 0.0}}  # of core.training.losses


def training(
    choices: Mapping[str, dict[str, Any]], output: Path, *, finished: bool = False
) -> list[dict[str, Any]]:
    """One training per choice, the first of which the others are compared with; finished ones are read.

    ``finished``: those alone, so that an interrupted measurement gives the rows that it has.
    """
    rows: list[dict[str, Any]] = []
    base: dict[str, float] = {}
    for name, changes in choices.items():
        if finished and not list(_folder(name, output).glob(f"runs/{DATASET}-*/run.json")):
            continue
        run, values = _trained(name, changes, output)
        base = base or values["dice"]
        rows.append({"choice": name, **row(values, base), "best_epoch": run.best_epoch})
        print(rows[-1], flush=True)
    return corrected(rows)


def reading() -> list[dict[str, Any]]:
    """The shipped runs as they are, averaged over a mirrored image, at a chosen threshold, and together."""
    rows = []
    seen = [_looked_at(runs.read_run(name)) for name in SHIPPED]
    mirrored = [_looked_at(runs.read_run(name), mirror=True) for name in SHIPPED]
    for name, plain, flipped in zip(SHIPPED, seen, mirrored, strict=True):
        base = scores(plain)["dice"]
        both = plain | {"probability": (plain["probability"] + flipped["probability"]) / 2}
        ways = {"as shipped": plain, "mean with the mirrored image": both}
        for way, found in ways.items():
            rows.append({"run": name, "way": way, **row(scores(found), base)})
        rows.append({"run": name, "way": "threshold from the other half", **row(_cross_fitted(plain), base)})
    together = seen[0] | {"probability": np.mean([one["probability"] for one in seen], axis=0)}
    best = max(seen, key=lambda one: float(np.mean(list(scores(one)["dice"].values()))))
    against = SHIPPED[[one is best for one in seen].index(True)]
    rows.append(
        {
            "run": "mean of the three",
            "way": f"against {against}",
            **row(scores(together), scores(best)["dice"]),
        }
    )
    return corrected(rows)


def seeds() -> list[dict[str, Any]]:
    """Of each network with several seeds: one of them, on average, and the mean of what all of them say."""
    rows = []
    for shipped in SHIPPED:
        first = runs.read_run(shipped)
        usable = (run for run in runs.list_runs(DATASET) if not run.is_rejected)
        own = [run for run in usable if differ_by_seed_alone(run, first)]
        if len(own) == 1:
            continue
        seen = [_looked_at(run) for run in own]
        alone = [scores(one) for one in seen]
        average = {key: float(np.mean([one[key] for one in alone])) for key in ("false_alarms", "bce")}
        base = {group: float(np.mean([one["dice"][group] for one in alone])) for group in alone[0]["dice"]}
        together = seen[0] | {"probability": np.mean([one["probability"] for one in seen], axis=0)}
        ways = {"one seed, on average": average | {"dice": base}, f"mean of {len(own)}": scores(together)}
        rows += [{"run": first.model, "way": way, **row(found, base)} for way, found in ways.items()]
    return corrected(rows)


def _trained(name: str, changes: dict[str, Any], output: Path) -> tuple[Run, dict[str, Any]]:
    settings: dict[str, Any] = {"recipe": "strong", "width": WIDTH, "epochs": EPOCHS, **changes}
    chosen = training_config(DATASET, NETWORK, **settings)
    from core.training import losses
    from core.training.fit import train

    with apart(_folder(name, output)), contextlib.ExitStack() as patched:
        for constant, value in CONSTANTS.get(name, {}).items():
            patched.enter_context(mock.patch.object(losses, constant, value))
        made = runs.run_name(DATASET, NETWORK, chosen.seed)
        with runs.hold(made):
            run = train(made, chosen, resume=True, report=lambda facts: None)
        return run, scores(_looked_at(run))


def _folder(name: str, output: Path) -> Path:
    return output / name.replace(" ", "-").replace("'", "")


@contextlib.contextmanager
def apart(folder: Path) -> Iterator[None]:
    """An artifacts folder of its own that has the prepared data and the runs on phantoms of the real one."""
    shared = [places.data(DATASET), *places.runs().glob("phantom_*")]
    for found in shared:
        link = folder / found.relative_to(places.runs().parent)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(found.resolve())
    with mock.patch.dict(os.environ, TRIPTYCH_ARTIFACTS=str(folder)):
        yield


def _looked_at(run: Run, *, mirror: bool = False) -> dict[str, Any]:
    """Probability (n, rows, columns) of the tumour and its reference on validation images, with their groups."""
    from core import weights

    arrays = prepared.read_arrays(DATASET)
    split = prepared.read_split(DATASET, run.split).name
    rows = [at for at, entry in enumerate(arrays.entries) if entry.parts[split] == "validation"]
    images = np.stack([arrays.images[row] for row in rows])
    network = weights.load(run)
    turned = images[:, :, ::-1] if mirror else images
    parts = [network.predict_on_batch(turned[start : start + 16]) for start in range(0, len(rows), 16)]
    found = np.concatenate(parts)[..., 0]
    return {
        "probability": found[:, :, ::-1] if mirror else found,
        "reference": np.stack([arrays.labels[row] for row in rows]) > 0,
        "groups": [arrays.entries[row].group for row in rows],
    }


def scores(found: dict[str, Any], threshold: float = THRESHOLD) -> dict[str, Any]:
    """Dice by group over images with a tumour, the share of the others on which any is drawn, cross-entropy.

    ``probability`` and ``reference`` hold an array per image, on any grid; cross-entropy is the mean over images.
    """
    dice, drawn_on, entropies = [], [], []
    for probability, reference in zip(found["probability"], found["reference"], strict=True):
        drawn = probability > threshold
        size, true = int(drawn.sum()), int(reference.sum())
        dice.append(2 * int((drawn & reference).sum()) / (size + true) if true else np.nan)
        if not true:
            drawn_on.append(size > 0)
        sure = np.clip(probability.astype(np.float64), 1e-7, 1 - 1e-7)
        entropies.append(-np.log(np.where(reference, sure, 1 - sure)).mean())
    return {
        "dice": statistics.group_means(dice, found["groups"]),
        "false_alarms": float(np.mean(drawn_on)),
        "bce": float(np.mean(entropies)),
    }


def _cross_fitted(found: dict[str, Any]) -> dict[str, Any]:
    """Each half of the groups at the threshold that is best on the other half, so that none judges itself."""
    groups = np.array(found["groups"])
    half = np.isin(groups, sorted(set(found["groups"]))[::2])
    probability = found["probability"].copy()
    for own in (half, ~half):
        other = {
            key: value[~own] if key != "groups" else groups[~own].tolist() for key, value in found.items()
        }
        means = [float(np.mean(list(scores(other, level)["dice"].values()))) for level in THRESHOLDS]
        chosen = THRESHOLDS[best_threshold(means)]
        probability[own] = np.where(probability[own] > chosen, 1.0, 0.0)
    return scores(found | {"probability": probability}) | {"bce": float("nan")}


def row(values: dict[str, Any], base: dict[str, float]) -> dict[str, Any]:
    """A row of a table: the mean over groups with its interval, and its change against ``base``, by group."""
    names = sorted(base)
    own = statistics.interval([values["dice"][name] for name in names])
    made: dict[str, Any] = {"n_groups": own.n, "dice": own.mean, "dice_low": own.low, "dice_high": own.high}
    if values["dice"] != base:
        paired = statistics.paired([values["dice"][name] for name in names], [base[name] for name in names])
        change = asdict(paired.difference)
        made |= {"change": change["mean"], "change_low": change["low"], "change_high": change["high"]}
        made |= {"p": paired.p}
    else:
        made |= dict.fromkeys(("change", "change_low", "change_high", "p"), float("nan"))
    return made | {"false_alarms": values["false_alarms"], "bce": values["bce"]}


def corrected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with their p after Holm over the whole table."""
    tested = [row for row in rows if not np.isnan(row["p"])]
    for row, p in zip(tested, statistics.holm([row["p"] for row in tested]), strict=True):
        row["p"] = p
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table in Markdown; cells may be numbers or the text of a CSV."""
    lines = [
        "| | lesion Dice (95 %) | change (95 %) | p | false alarms | cross-entropy |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        name = row["choice"] if "choice" in row else f"{row['run']}, {row['way']}"
        dice = _said(row, "dice", "{:.3f}")
        change = _said(row, "change", "{:+.3f}")
        p = (
            ""
            if _number(row["p"]) is None
            else f"{float(row['p']):.3f}"
            if float(row["p"]) >= 0.001
            else "< 0.001"
        )
        alarms, bce = _number(row["false_alarms"]), _number(row["bce"])
        told = [name, dice, change, p, f"{alarms:.0%}", "" if bce is None else f"{bce:.3f}"]
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines)


def _said(row: Mapping[str, Any], name: str, form: str) -> str:
    values = [_number(row[key]) for key in (name, f"{name}_low", f"{name}_high")]
    if values[0] is None:
        return ""
    texts = [form.format(value) for value in values if value is not None]
    return texts[0] if len(texts) < 3 else f"{texts[0]} ({texts[1]} to {texts[2]})"


def _number(cell: Any) -> float | None:
    value = float(cell) if str(cell) else float("nan")
    return None if np.isnan(value) else value


READINGS = {"reading": reading, "seeds": seeds}


def main(arguments: Sequence[str]) -> int:
    """Measure one of the tables and write it."""
    asked = argparse.ArgumentParser(prog="python -m tests.bench.ablation", description=__doc__)
    asked.add_argument("table", choices=(*TRAININGS, *READINGS))
    asked.add_argument("--output", type=Path, default=ROOT / "tests" / "output" / "ablation")
    asked.add_argument("--finished", action="store_true", help="train nothing: the rows that there are")
    chosen = asked.parse_args(arguments)
    read = READINGS.get(chosen.table)
    rows = read() if read else training(TRAININGS[chosen.table], chosen.output, finished=chosen.finished)
    path = ROOT / "docs" / f"ablation_{chosen.table}.csv"
    results.write_csv(path, rows)
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
