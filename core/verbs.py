"""What each verb of ``python -m core`` does. A verb's own machinery is imported inside its function."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core import catalogues, settings
from core.records import Run


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
    for run in sorted(runs.list_runs(scores_only=True), key=lambda run: run.is_scores_only):
        print(f"  {run.name:30} {_state(run)}")


def _state(run: Run) -> str:
    if run.is_rejected:
        return str(run.problem)
    dice = _score(run.validation.get("val_dice"))
    kept = "; scores kept, weights not" if run.is_scores_only else ""
    return f"width {run.width}, epoch {run.best_epoch}, validation Dice {dice}{kept}"


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
    from core.training.progress import beginning

    has_volumes = prepared.read_card(chosen.dataset).has_volumes
    changes = _changes(chosen)
    changes["split"] = _split_of(chosen.dataset, chosen.split)
    for model in chosen.models:
        config = settings.training_config(
            chosen.dataset, model, chosen.recipe, has_volumes=has_volumes, **changes
        )
        name = runs.run_name(config.dataset, model, config.seed, config.split)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the training listens itself
        with runs.hold(name) as folder, beginning(folder, name, config.epochs):  # before Keras is imported
            from core.training.fit import train as fit

            print(f"{name}: width {config.width}, {config.epochs} epochs, recipe {config.recipe}", flush=True)
            run = fit(name, config, resume=chosen.resume, device=chosen.device, report=_training_line())
        dice = _score(run.validation["val_dice"])
        print(f"\n{name}: best epoch {run.best_epoch}, validation Dice {dice}", flush=True)


def _changes(chosen: argparse.Namespace) -> dict[str, Any]:
    """The settings that were asked for; None where the recipe decides."""
    return {setting.name: getattr(chosen, setting.name, None) for setting in settings.list_settings()}


def _split_of(dataset: str, asked: str | None) -> str:
    """The split of that name, empty for the default; named errors before Keras is loaded."""
    from core import prepared

    default = (*prepared.read_card(dataset).splits, "")[0]
    prepared.read_split(dataset, asked or default)
    return "" if asked in (None, default) else asked or ""


def stop(chosen: argparse.Namespace) -> None:
    """Stop a training on this machine after its batch in hand; what does not answer in 60 s is ended."""
    from core import jobs

    job = jobs.stop_training(chosen.run)
    print(f"{chosen.run}: {job.state}. Everything up to the last finished epoch is kept.", flush=True)


def study(chosen: argparse.Namespace) -> int:
    """Train every network on every fold with every seed; what is finished is not trained again."""
    from core import executors, trainings

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    models = chosen.models or list(catalogues.network_modules())
    device, changes = chosen.device, _changes(chosen)
    plan = trainings.plan(
        chosen.dataset, models, chosen.seeds, chosen.folds, chosen.recipe, device, **changes
    )
    is_dask = chosen.executor == "dask"
    pool = executors.dask(chosen.scheduler) if is_dask else executors.local(chosen.jobs)
    outcomes = trainings.train_all(plan, pool, _bar("study"))
    for one in outcomes:
        print(f"{one.name:36} {one.state:9} {one.sha256[:16] or one.message}", flush=True)
    finished = sum(one.state == "finished" for one in outcomes)
    print(f"{finished} of {len(plan)} finished. Checksum of the study: {trainings.checksum(outcomes)[:16]}")
    if any(one.state == "stopped" for one in outcomes):
        raise KeyboardInterrupt
    return int(finished < len(plan))


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


def drop_weights(chosen: argparse.Namespace) -> None:
    """Delete the weights of scored runs and keep their scores: for studies of many trainings."""
    from core import scores_only

    for name in chosen.runs:
        freed = scores_only.drop_weights(name) / 1e6
        print(f"{name}: {freed:.1f} MB freed. Its scores stay; it can be shown no more.", flush=True)


def _prepare_backend(device: str) -> None:
    """Ask for repeatable arithmetic, and hide GPUs for ``cpu``: backends read these before they are imported.

    Without AVX-512 TensorFlow leaves oneDNN off, which saves a training a quarter to a third there. Only trainings
    ask for it: with it the gradients of a batch and of its single images differ on such a processor.
    """
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
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
                for key in ("val_loss", "val_dice", "val_whole_dice", "val_pooled_dice", "val_false_alarm")
                if facts.get(key) is not None
            ]
            print(f"epoch {facts['epoch']}/{facts['epochs']}", *scores, flush=True)

    return report
