"""The scored rows of a dataset -> summary.json: what every table, interval and test on screen is read from."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import combinations
from typing import Any

from core.cards import DatasetCard
from core.metrics import conventions, overlap, surface, tables
from core.plans import Plan, by_priority, endpoint

SEEDS_FOR_A_CLAIM = 3  # fewer trainings per network compare runs, not architectures
Row = Mapping[str, Any]


def summarise(
    card: DatasetCard,
    plans: Sequence[Plan],
    scores: Sequence[Row],
    inputs: Mapping[str, Any],
    cuts: tuple[float, float],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    """Everything in summary.json but the checksums of its two companions.

    ``scores`` are the rows of scores.csv; ``cuts`` the tercile limits of lesion size in percent of the image.
    """
    rows: dict[str, dict[str, list[Row]]] = {
        plan.run.name: {name: [] for name in card.foreground} for plan in plans
    }
    for row in scores:
        rows[row["run"]][row["class"]].append(row)
    each = [(plan, name, rows[plan.run.name][name]) for plan in plans for name in card.foreground]
    binary = card.outputs == 1
    records = [
        r for p, name, own in each for r in tables.records(own, _about(card, p, name), card.unit, binary)
    ]
    pairs, orders = _compared(card, plans, rows)
    return {
        "inputs": inputs,
        "header": header(card, plans, inputs, cuts, left_out),
        "runs": {plan.run.name: run_facts(plan, rows[plan.run.name][endpoint(card)]) for plan in plans},
        "families": [{"family": f, "runs": members} for f, members in by_priority(card, plans).items()],
        "records": records,
        "intervals": [
            i for p, name, own in each for i in tables.intervals(own, _about(card, p, name), card.unit)
        ],
        "comparisons": pairs,
        "ranks": orders,
        "false_alarms": [{**_about(card, p, name), **tables.false_alarms(own)} for p, name, own in each],
        "subgroups": [s for p, name, own in each for s in tables.subgroups(own, _about(card, p, name))],
        "ceilings": [{**_about(card, p, name), **ceiling(own)} for p, name, own in each],
        "leakage": _leakage(card, plans, records),
        "seeds": seeds(card, plans, records),
        "paper": _paper(card, plans, records),
    }


def _about(card: DatasetCard, plan: Plan, class_name: str) -> dict[str, Any]:
    return {
        "run": plan.run.name,
        "model": plan.run.model,
        "dataset": card.name,
        "class": class_name,
        "threshold": "p>0.5" if card.outputs == 1 else "argmax",
        "split": plan.split or None,
        "split_sha256": plan.split_sha256[:8],
        "part": plan.part,
    }


def header(
    card: DatasetCard,
    plans: Sequence[Plan],
    inputs: Mapping[str, Any],
    cuts: tuple[float, float],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    """What every number carries, once for the whole file."""
    packages = ("numpy", "scipy", "scikit-image")
    return {
        "dataset": card.name,
        "title": card.title,
        "runs": [plan.run.name for plan in plans],
        "synthetic": card.synthetic,
        "external": not card.splits,
        "classes": list(card.classes),
        "endpoint": {"class": endpoint(card), "metric": "dice", "convention": "per_case"},
        "aggregation": "per_case: mean over images; pooled: counts of all images; intervals: mean over groups",
        "rule": overlap.DEFAULT_RULE,
        "rule_text": overlap.RULES[overlap.DEFAULT_RULE],
        "rules": overlap.RULES,
        "threshold": "p > 0.5" if card.outputs == 1 else "argmax",
        "grid": "native",
        "paper_grid": "128 x 128",
        "unit": card.unit,
        "n_unit": "images",
        "group": card.group,
        "splits": {plan.split: plan.split_sha256[:8] for plan in plans if plan.split},
        "weights": {plan.run.name: plan.run.weights_sha256 for plan in plans},
        "data_sha256": inputs["data_sha256"],
        "size_cuts_percent": list(cuts),
        "distances": surface.METHOD,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "left_out": dict(left_out),
    }


def run_facts(plan: Plan, rows: Sequence[Row]) -> dict[str, Any]:
    """One run as the tables head it; counts of cases are those of the endpoint class."""
    run, alarms = plan.run, tables.false_alarms(rows)
    return {
        "model": run.model,
        "seed": run.seed,
        "width": run.width,
        "recipe": run.recipe,
        "trained_on": run.dataset,
        "trained_split": run.split,
        "weights_sha256": run.weights_sha256,
        "split": plan.split or None,
        "split_sha256": plan.split_sha256,
        "part": plan.part,
        "family": plan.family,
        "cases_sha256": plan.cases_sha256,
        "n_images": len(rows),
        "n_with_lesion": alarms["with_lesion"],
        "n_lesion_free": alarms["lesion_free"],
        "n_groups": len({row["group"] for row in rows}),
        "n_groups_with_lesion": len({row["group"] for row in rows if row["n_ref"] > 0}),
        "without_reference": plan.without_reference,
    }


def ceiling(rows: Sequence[Row]) -> dict[str, Any]:
    """What the 128 grid allows: mean best Dice over the cases with a lesion, by size as well."""
    lesions = [row for row in rows if row["n_ref"] > 0]
    mean = overlap.mean_of([row["ceiling_dice"] for row in lesions])
    by_size = {
        level: overlap.mean_of([row["ceiling_dice"] for row in lesions if row["size"] == level]).value
        for level in sorted({row["size"] for row in lesions})
    }
    return {"metric": "ceiling_dice", "value": mean.value, "n": mean.n, "by_size": by_size}


def _compared(
    card: DatasetCard, plans: Sequence[Plan], rows: Mapping[str, Mapping[str, Sequence[Row]]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Paired tests and rank stability inside every family of at least two networks."""
    pairs: list[dict[str, Any]] = []
    orders: list[dict[str, Any]] = []
    name = endpoint(card)
    for family, members in by_priority(card, plans).items():
        if len(members) > 1:
            note = single_run(plans, members)
            about = {"family": family, "dataset": card.name, "class": name}
            tests, order = tables.comparisons({run: rows[run][name] for run in members}, about, note)
            pairs, orders = pairs + tests, [*orders, order]
    return pairs, orders


def single_run(plans: Sequence[Plan], members: Sequence[str]) -> str:
    """The caution that a comparison carries until every network was trained from three seeds."""
    seeds: dict[str, set[int]] = {plan.run.model: set() for plan in plans if plan.run.name in members}
    for plan in plans:
        if plan.run.model in seeds:
            seeds[plan.run.model].add(plan.run.seed)
    enough = all(len(found) >= SEEDS_FOR_A_CLAIM for found in seeds.values())
    return "" if enough else "single run: compares these runs, not the architectures"


def _dice(records: Sequence[Row], card: DatasetCard, run: str) -> Row:
    """The endpoint's record of one run."""
    wanted = {"run": run, "class": endpoint(card), "metric": "dice", "convention": "per_case"}
    return next(record for record in records if wanted.items() <= record.items())


def _leakage(card: DatasetCard, plans: Sequence[Plan], records: Sequence[Row]) -> list[dict[str, Any]]:
    """The same network trained under two splits of this dataset, each on its own test part."""
    made = []
    for a, b in combinations([plan for plan in plans if plan.run.dataset == card.name], 2):
        same = ("model", "seed", "width", "recipe")
        if a.split == b.split or any(getattr(a.run, key) != getattr(b.run, key) for key in same):
            continue
        first, second = sorted((a, b), key=lambda plan: card.splits.index(plan.split))
        ours, theirs = (_dice(records, card, plan.run.name) for plan in (first, second))
        made.append(
            {
                "model": a.run.model,
                "class": endpoint(card),
                "metric": "dice",
                "rule": overlap.DEFAULT_RULE,
                "runs": [first.run.name, second.run.name],
                "splits": [first.split, second.split],
                "values": [ours["value"], theirs["value"]],
                "n": [ours["n"], theirs["n"]],
                "difference": theirs["value"] - ours["value"],
                "note": "different test images: a difference of means, not a paired comparison",
            }
        )
    return made


def seeds(card: DatasetCard, plans: Sequence[Plan], records: Sequence[Row]) -> list[dict[str, Any]]:
    """Spread over seeds where a network was trained more than once under otherwise equal conditions."""
    found: dict[tuple[Any, ...], list[Plan]] = {}
    for plan in plans:
        run = plan.run
        found.setdefault((run.dataset, run.model, run.split, run.width, run.recipe), []).append(plan)
    made = []
    for (trained_on, model, split, width, recipe), members in found.items():
        if len(members) > 1:
            values = [_dice(records, card, plan.run.name)["value"] for plan in members]
            made.append(
                {
                    "trained_on": trained_on,
                    "model": model,
                    "split": split,
                    "width": width,
                    "recipe": recipe,
                    "metric": "dice",
                    "class": endpoint(card),
                    "seeds": [plan.run.seed for plan in members],
                    "values": values,
                    "mean": sum(values) / len(values),
                    "low": min(values),
                    "high": max(values),
                    "n": len(values),
                    "n_unit": "trainings",
                }
            )
    return made


def _paper(card: DatasetCard, plans: Sequence[Plan], records: Sequence[Row]) -> dict[str, Any]:
    """The paper's Table 2 and our figures under its convention, side by side, for two-class datasets.

    ``same_data`` is False where the images are not those of the paper's table; the figures then only show the
    convention, and ``met`` is left out.
    """
    table = conventions.PAPER_TABLE_2
    if card.outputs != 1:
        return {}
    same = card.name == table["dataset"]
    rows = []
    for plan in plans:
        mine = [r for r in records if r["run"] == plan.run.name and r["convention"] == table["convention"]]
        for row in conventions.beside_the_paper(plan.run.model, {r["metric"]: r["value"] for r in mine}):
            row = row if same else {key: value for key, value in row.items() if key != "met"}
            rows.append({"run": plan.run.name, "model": plan.run.model, "split": plan.split or None, **row})
    note = "" if same else f"The paper's table is about BUSI, not about {card.title}: not comparable."
    return {**table, "same_data": same, "note": note, "beside": rows}
