"""The command line: python -m core list | demo | prepare | train | evaluate | precompute | certify | claim ...

Every import of a verb's own machinery is inside its function, so that ``list`` stays fast.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core import catalogues
from core.errors import CoreError, JobBusy

BUSY = 75  # exit status of a second start (EX_TEMPFAIL of sysexits.h)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; 0 when it worked, 1 for a named error, 75 when the run is already being trained."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a missing GPU is no error worth alarming anybody
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.verb(chosen) or 0
    except JobBusy as error:
        print(f"Busy: {error}", file=sys.stderr)
        return BUSY
    except CoreError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. What was finished is kept.", file=sys.stderr)
        return 130


def list_all(chosen: argparse.Namespace) -> None:
    """Networks, heatmap methods, datasets and runs that are here."""
    from core import prepared, runs

    print("networks")
    for name, network in catalogues.network_cards().items():
        print(f"  {name:14} {network.title}: {network.paper}")
    print("heatmap methods")
    for name, method in catalogues.methods().items():
        print(f"  {name:14} {method.title}: {method.sentence}")
    print("datasets")
    ready = prepared.dataset_names()
    for name, card in catalogues.dataset_cards().items():
        print(f"  {name:14} {card.title} ({'prepared' if name in ready else 'not prepared'})")
    for name in ready:
        if name not in catalogues.dataset_cards():
            print(f"  {name:14} {prepared.read_card(name).title} (prepared, external test set)")
    print("runs")
    for run in runs.list_runs():
        dice = _score(run.validation.get("val_dice"))
        state = run.problem or f"width {run.width}, epoch {run.best_epoch}, validation Dice {dice}"
        print(f"  {run.name:28} {state}")


def _score(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def demo(chosen: argparse.Namespace) -> None:
    """Draw the phantoms, prepare them, and store predictions and heatmaps so that pages open at once."""
    from core import places, prepare, runs
    from core.datasets import phantom
    from core.precompute import precompute as fill

    for card in phantom.CARDS:
        source = places.phantoms(card.name)
        if not (source / "complete").is_file():
            cases = phantom.CASES[card.layout] if chosen.cases is None else chosen.cases
            print(f"Drawing {cases} phantoms: {card.modality} ...", flush=True)
            phantom.write(source, layout=card.layout, cases=cases, seed=chosen.seed)
            (source / "complete").write_text("All phantoms are drawn.\n")
        print(prepare.prepare(card.layout, source, card.name, report=_bar("prepare")).text)
        usable = [run.name for run in runs.list_runs(card.name) if not run.problem]
        if usable:
            fill(card.name, usable, report=_bar("predict and explain"), explain_all=False)
    print("The phantoms are ready.")


def prepare_folder(chosen: argparse.Namespace) -> None:
    """Bring a downloaded dataset into artifacts/data."""
    from core import prepare

    name = chosen.name or chosen.layout
    groups = Path(chosen.groups) if chosen.groups else None
    source = Path(chosen.source)
    print(prepare.prepare(chosen.layout, source, name, groups=groups, report=_bar("prepare")).text)


def train(chosen: argparse.Namespace) -> None:
    """Train one or several networks on one dataset, one after another."""
    _prepare_backend(chosen.device)
    from core import prepared, runs
    from core.training.config import RECIPES

    card = prepared.read_card(chosen.dataset)
    default = (*card.splits, "")[0]
    prepared.read_split(chosen.dataset, chosen.split or default)  # named errors before Keras is loaded
    split = "" if chosen.split in (None, default) else chosen.split
    asked = "width seed epochs restart draws batch learning_rate augment ema precision"
    changes = {name: getattr(chosen, name) for name in asked.split()}
    for model in chosen.models:
        recipe = RECIPES[chosen.recipe]
        config = recipe(chosen.dataset, model, has_volumes=card.has_volumes, split=split, **changes)
        name = runs.run_name(config.dataset, model, config.seed, config.split)
        with runs.hold(name):  # before Keras is imported: a second start ends at once
            from core.training.fit import train as fit

            print(f"{name}: width {config.width}, {config.epochs} epochs, recipe {config.recipe}", flush=True)
            run = fit(name, config, resume=chosen.resume, device=chosen.device, report=_training_line())
        dice = _score(run.validation["val_dice"])
        print(f"\n{name}: best epoch {run.best_epoch}, validation Dice {dice}", flush=True)


def evaluate(chosen: argparse.Namespace) -> None:
    """Score runs on a dataset's test part (or on a whole external set) and store the tables."""
    from core.evaluate import evaluate as score

    report = None if chosen.json else _bar("evaluate")
    records = score(chosen.dataset, chosen.runs, report=report)
    if chosen.json:
        print(json.dumps(records))
        return
    rules: dict[str, int] = {}
    for record in records:
        rules[record["rule"]] = rules.get(record["rule"], len(rules) + 1)
        value = "undefined" if record["value"] is None else f"{record['value']:.4f}"
        words = (record["run"], record["class"], record["convention"], record["metric"], value)
        note = f"n={record['n']} (rule {rules[record['rule']]})"
        print("{:28} {:8} {:13} {:18} {:>10}".format(*words), note)
    for rule, number in rules.items():
        print(f"rule {number}: {rule}")


def precompute(chosen: argparse.Namespace) -> None:
    """Store predictions and heatmaps of a test part, so that no page has to wait for TensorFlow."""
    from core.precompute import precompute as fill

    print(fill(chosen.dataset, chosen.runs, report=_bar("predict and explain")).text)


def certify(chosen: argparse.Namespace) -> None:
    """Check whether the heatmaps of runs deserve trust, on cases of their test part; a killed start goes on."""
    from core import certificates
    from core.certify import Settings, certify

    for run in chosen.runs:
        made = certify(run, Settings(chosen.cases, road=chosen.road), _bar("certify"))
        at = made.header["class"], made.header["layers"][0], made.header["methods"][0]
        print(f"{run}: {made.header['n_cases']} cases. About {', '.join(at)}:")
        for sentence in certificates.trust_sentences(made, *at):
            print(f"  {sentence}")


def claim(chosen: argparse.Namespace) -> None:
    """Does MultiResUNet focus more than the other networks? Asked of every kind of map on a test part."""
    from core.claim import claim as test

    for verdict in test(chosen.dataset, chosen.runs, report=_bar("claim")).verdicts:
        print(verdict["sentence"])


def export(chosen: argparse.Namespace) -> None:
    """Write the mask that a run draws on a volume as NIfTI on the volume's own grid."""
    from core.export import export_volume

    target, options = Path(chosen.target), {"dataset": chosen.dataset, "force": chosen.force}
    print(export_volume(chosen.run, chosen.case, target, report=_bar("export"), **options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m core", description="Three segmentation networks, compared."
    )
    verbs = parser.add_subparsers(required=True, metavar="verb")
    networks = list(catalogues.network_modules())

    def verb(name: str, act: Callable[[argparse.Namespace], Any]) -> argparse.ArgumentParser:
        summary = (act.__doc__ or "").splitlines()[0]
        made = verbs.add_parser(name, help=summary, description=summary)
        made.set_defaults(verb=act)
        return made

    verb("list", list_all)
    shown = verb("demo", demo)
    shown.add_argument("--cases", type=int, help="of each kind (default: 60 pictures, 6 volumes)")
    shown.add_argument("--seed", type=int, default=0)
    made = verb("prepare", prepare_folder)
    made.add_argument("layout", help="busi or lits")
    made.add_argument("--from", dest="source", required=True, metavar="DIR", help="the downloaded folder")
    made.add_argument(
        "--as", dest="name", metavar="NAME", help="prepare as an external test set of this name"
    )
    made.add_argument("--groups", metavar="FILE", help="CSV with the columns case and patient, for volumes")
    taught = verb("train", train)
    taught.add_argument("dataset")
    taught.add_argument("models", nargs="+", metavar="model", choices=networks, help=", ".join(networks))
    taught.add_argument("--width", type=int, help="filters of level 1 (16 compact, 32 as published)")
    taught.add_argument("--recipe", choices=("strong", "paper"), default="strong")
    taught.add_argument("--seed", type=int)
    taught.add_argument("--epochs", type=int)
    taught.add_argument(
        "--restart", type=int, help="epoch after which the learning rate rises anew, 0: never"
    )
    taught.add_argument("--draws", type=int, help="slices drawn per epoch of a set of volumes, 0: each once")
    taught.add_argument("--batch", type=int)
    taught.add_argument("--learning-rate", type=float)
    taught.add_argument("--augment", type=float, help="strength of the disturbances, 0 to 1")
    taught.add_argument("--ema", type=float, help="decay of averaged weights, 0: off")
    taught.add_argument("--precision", choices=("float32", "mixed_float16", "mixed_bfloat16"))
    taught.add_argument("--split", help="a split by name (default: the dataset's first)")
    taught.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    taught.add_argument("--resume", action="store_true", help="go on after the last finished epoch")
    scored = verb("evaluate", evaluate)
    scored.add_argument("--json", action="store_true", help="print one JSON list of records, nothing else")
    for each in (scored, verb("precompute", precompute), verb("claim", claim)):
        each.add_argument("dataset")
        each.add_argument("--runs", nargs="+")
    checked = verb("certify", certify)
    checked.add_argument("runs", nargs="+", metavar="run")
    checked.add_argument("--cases", type=int, default=24, help="of the test part, one per group first")
    checked.add_argument("--road", action="store_true", help="also ROAD, which doubles the time")
    given = verb("export", export)
    given.add_argument("run")
    given.add_argument("case", help="a volume, such as volume-12")
    given.add_argument(
        "--to", dest="target", required=True, metavar="FILE", help="a .nii.gz file, or a folder"
    )
    given.add_argument("--dataset", help="the dataset of the case (default: that of the run)")
    given.add_argument("--force", action="store_true", help="replace a file that is there")
    return parser


def _prepare_backend(device: str) -> None:
    """Ask for repeatable arithmetic, and hide GPUs for ``cpu``: backends read these before they are imported."""
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        os.environ["JAX_PLATFORMS"] = "cpu"


def _bar(title: str) -> Callable[[int, int, str], None]:
    """A progress line on the error stream: title, done of total, what is in hand, time left."""
    began = time.monotonic()

    def report(done: int, total: int, text: str) -> None:
        left = (time.monotonic() - began) / done * (total - done) if done else 0
        end = "\n" if done >= total else "\r"
        line = f"{title}: {done}/{total} {text[:40]:40} {left:4.0f} s left"
        if sys.stderr.isatty() or done >= total:
            print(line, end=end, file=sys.stderr, flush=True)

    return report


def _training_line() -> Callable[[dict[str, Any]], None]:
    """A progress line for training: the epoch in hand on a terminal, one line per finished epoch elsewhere."""
    seen: dict[str, Any] = {"epoch": 0}

    def once(name: str, text: str) -> None:
        if name not in seen:
            seen[name] = True
            print(text, flush=True)

    def report(facts: dict[str, Any]) -> None:
        once("device", f"computing on {facts['device']}")
        if facts.get("resumed_at"):
            once("resumed", f"going on with epoch {facts['resumed_at']}")
        for name in facts.get("damaged") or ():
            once(name, f"checkpoint {name} was damaged and is set aside")
        if sys.stderr.isatty() and facts.get("steps"):
            share = f"{facts.get('step', 0)}/{facts['steps']}"
            text = (
                f"\repoch {facts['epoch']}/{facts['epochs']} step {share} loss {facts.get('loss') or 0:.4f} "
            )
            print(text, end="", file=sys.stderr, flush=True)
        if facts.get("finished_epochs", 0) > seen["epoch"]:
            seen["epoch"] = facts["finished_epochs"]
            scores = [
                f"{key} {facts[key]:.4f}"
                for key in ("val_loss", "val_dice", "val_pooled_dice", "val_false_alarm")
                if facts.get(key) is not None
            ]
            print(f"epoch {facts['epoch']}/{facts['epochs']}", *scores, flush=True)

    return report


if __name__ == "__main__":
    sys.exit(main())
