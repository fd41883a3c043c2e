"""The columns of the tables: a run on its own test part, or the trainings of one network over all folds.

What columns share whatever the data: how they are headed, which may be compared, and how far trainings differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import Any

from core import catalogues, runs
from core.cards import DatasetCard
from core.metrics import tables
from core.metrics.comparisons import comparisons
from core.plans import Folds, Plan, endpoint, families
from core.records import Run
from core.summary_ranks import sentence, with_lesion_free

# What trainings share that differ by their seed alone.
ALIKE = ("dataset", "model", "split", "width", "recipe")
SEEDS_FOR_A_CLAIM = 3  # fewer trainings per network compare runs, not architectures
Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Column:
    """A run or, with several ``plans``, folds. ``rows`` of scores.csv by class; ``family``: comparable ones."""

    name: str
    family: str
    plans: tuple[Plan, ...]
    rows: Mapping[str, Sequence[Row]]

    @property
    def model(self) -> str:
        """The network."""
        return self.plans[0].run.model

    @property
    def by_slice(self) -> bool:
        """Whether its split deals out slices of volumes."""
        return self.plans[0].by_slice

    @property
    def trainings(self) -> list[str]:
        """The runs behind it."""
        return [plan.run.name for plan in self.plans]

    @property
    def split(self) -> str:
        """The splits it is scored on; empty on a set without."""
        return " + ".join(plan.split for plan in self.plans if plan.split)


def columns_of(
    card: DatasetCard, plans: Sequence[Plan], folded: Sequence[Folds], scores: Sequence[Row]
) -> list[Column]:
    """Folds, then every run. ``scores`` are the rows of scores.csv."""
    each = [(folds.name, folds.family, folds.plans) for folds in folded]
    each += [(plan.run.name, plan.family, (plan,)) for plan in plans]
    held: dict[tuple[str, str], list[Row]] = {}
    for row in scores:
        held.setdefault((row["run"], row["class"]), []).append(row)
    return [
        Column(
            name,
            family,
            own,
            {c: [row for plan in own for row in held.get((plan.run.name, c), [])] for c in card.foreground},
        )
        for name, family, own in each
    ]


def about(card: DatasetCard, column: Column, class_name: str) -> dict[str, Any]:
    """What every number of a column and class carries."""
    return {
        "run": column.name,
        "model": column.model,
        "dataset": card.name,
        "class": class_name,
        "threshold": "p>0.5" if card.outputs == 1 else "argmax",
        "split": column.split or None,
        "split_sha256": " + ".join(plan.split_sha256[:8] for plan in column.plans),
        "part": column.plans[0].part,
    }


def facts(column: Column, rows: Sequence[Row], items: str, units: str) -> dict[str, Any]:
    """A column as the tables head it; ``rows`` of the endpoint class: one per ``items``, grouped in ``units``."""
    plan, *others = column.plans
    run, alarms = plan.run, tables.false_alarms(rows)
    groups = len({row["group"] for row in rows})
    made = {
        "model": run.model,
        "seed": run.seed,
        "width": run.width,
        "recipe": run.recipe,
        "trained_on": run.dataset,
        "trained_split": run.split,
        "weights_sha256": run.weights_sha256,
        "split": column.split or None,
        "split_sha256": plan.split_sha256,
        "part": plan.part,
        "family": column.family,
        "cases_sha256": plan.cases_sha256,
        "n_images": len(rows),
        "n_with_lesion": alarms["with_lesion"],
        "n_lesion_free": alarms["lesion_free"],
        "n_groups": groups,
        "n_groups_with_lesion": len({row["group"] for row in rows if row["n_ref"] > 0}),
        "without_reference": sum(one.without_reference for one in column.plans),
    }
    if not others:
        return made
    one = items.removesuffix("s")
    counted = f"{len(rows)} {items}, {groups} {units}, {len(column.plans)} trainings"
    return made | {
        "trained_split": column.split,
        "trainings": column.trainings,
        "weights_sha256": " + ".join(one.run.weights_sha256[:8] for one in column.plans),
        "split_sha256": " + ".join(one.split_sha256[:8] for one in column.plans),
        "cases_sha256": " + ".join(one.cases_sha256[:8] for one in column.plans),
        "note": f"every {one} scored once, {counted}",
    }


def compared(
    card: DatasetCard, plans: Sequence[Plan], folded: Sequence[Folds], columns: Sequence[Column], units: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Paired tests and rank stability inside every family of at least two columns, over ``units``."""
    known, name = {column.name: column for column in columns}, endpoint(card)
    titles = {model: network.title for model, network in catalogues.network_cards().items()}
    pairs: list[dict[str, Any]] = []
    orders: list[dict[str, Any]] = []
    for family, names in families(card, plans, folded).items():
        members = [known[run] for run in names if run in known]
        if len(members) > 1:
            note = cautions(plans, [run for column in members for run in column.trainings])
            shared = {"family": family, "dataset": card.name, "class": name}
            rows = {column.name: column.rows[name] for column in members}
            tests, order = comparisons(rows, shared, note, units)
            models = {column.name: column.model for column in members}
            pairs += tests
            orders.append(
                order
                | {
                    "sentence": sentence(order, tests, models, titles),
                    "with_lesion_free": with_lesion_free(order, tests, models, titles),
                }
            )
    return pairs, orders


def cautions(plans: Sequence[Plan], members: Sequence[str]) -> str:
    """What a comparison of networks carries: few seeds, unequal training; "" where there is nothing to say."""
    differing = runs.unlike(*(plan.run for plan in plans if plan.run.name in members))
    unequal = f"not trained alike: {', '.join(differing)}" if differing else ""
    return "; ".join(filter(None, [single_run(plans, members), unequal]))


def single_run(plans: Sequence[Plan], members: Sequence[str]) -> str:
    """The caution that a comparison carries until every network was trained from three seeds, all else equal."""
    own = (
        {plan.run.seed for plan in plans if differ_by_seed_alone(plan.run, member.run)}
        for member in plans
        if member.run.name in members
    )
    enough = all(len(found) >= SEEDS_FOR_A_CLAIM for found in own)
    return "" if enough else "single run: compares these runs, not the architectures"


def differ_by_seed_alone(one: Run, other: Run) -> bool:
    """Whether nothing but the seed, if that, tells two trainings apart."""
    is_alike = all(getattr(one, key) == getattr(other, key) for key in ALIKE)
    return is_alike and not runs.unlike(one, other)


def dice_of(records: Sequence[Row], card: DatasetCard, run: str) -> Row:
    """The endpoint's record of one column."""
    wanted = {"run": run, "class": endpoint(card), "metric": "dice", "convention": "per_case"}
    return next(record for record in records if wanted.items() <= record.items())


def over_seeds(card: DatasetCard, columns: Sequence[Column], records: Sequence[Row]) -> list[dict[str, Any]]:
    """Spread over seeds where a network was trained more than once and nothing but the seed differs."""
    found: list[list[Column]] = []
    for column in columns:
        members = next((own for own in found if _is_another_seed(own[0], column)), None)
        if members is None:
            found.append(members := [])
        members.append(column)
    return [
        {
            "runs": [column.name for column in members],
            "model": members[0].model,
            "seeds": [column.plans[0].run.seed for column in members],
            **_spread(card, records, [column.name for column in members]),
        }
        for members in found
        if len(members) > 1
    ]


def _is_another_seed(one: Column, other: Column) -> bool:
    """Whether the trainings behind two columns, fold by fold, differ by their seed alone."""
    pairs = zip(one.plans, other.plans, strict=False)
    return len(one.plans) == len(other.plans) and all(differ_by_seed_alone(a.run, b.run) for a, b in pairs)


def over_folds(card: DatasetCard, columns: Sequence[Column], records: Sequence[Row]) -> list[dict[str, Any]]:
    """Spread over the folds of one network and seed: trainings differ, and so do the cases they are tested on."""
    return [
        {
            "run": column.name,
            "model": column.model,
            "seed": column.plans[0].run.seed,
            "folds": [plan.split for plan in column.plans],
            **_spread(card, records, column.trainings),
        }
        for column in columns
        if len(column.plans) > 1
    ]


def _spread(card: DatasetCard, records: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    """Mean endpoint Dice of each training, and how far these means lie apart; NaN where none is defined."""
    values = [dice_of(records, card, name)["value"] for name in names]
    defined = [value for value in values if not math.isnan(value)] or [math.nan]
    return {
        "metric": "dice",
        "class": endpoint(card),
        "values": values,
        "mean": sum(defined) / len(defined),
        "low": min(defined),
        "high": max(defined),
        "sd": stdev(defined) if len(defined) > 1 else math.nan,
        "n": sum(not math.isnan(value) for value in values),
        "n_unit": "trainings",
    }
