"""The scored volumes of a dataset -> summary.json, in the shape that ``summary`` gives to pictures and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import runs, summary
from core.cards import DatasetCard
from core.metrics import conventions, statistics, tables, volume_tables
from core.metrics.conventions import Multiclass
from core.metrics.lesions import Lesions
from core.metrics.overlap import Counts
from core.plans import Folds, Plan, endpoint, families
from core.volume_rows import Tally

Row = Mapping[str, Any]
ALL_VOLUMES = "every volume scored once"


@dataclass(frozen=True, eq=False)
class _Scored:
    """One column of the tables: a run, or the trainings of one network over folds.

    rows and liver_bearing by class; lesions by volume
    """

    name: str
    family: str
    plans: tuple[Plan, ...]
    rows: Mapping[str, Sequence[Row]]
    lesions: Sequence[Lesions]
    multiclass: Multiclass
    liver_bearing: Mapping[str, Counts]

    @property
    def by_slice(self) -> bool:
        return self.plans[0].by_slice

    @property
    def split(self) -> str:
        return " + ".join(plan.split for plan in self.plans if plan.split)


def summarise(
    card: DatasetCard,
    plans: Sequence[Plan],
    folded: Sequence[Folds],
    tally: Tally,
    inputs: Mapping[str, Any],
    cuts: tuple[float, float],
    left_out: Mapping[str, str],
    copied: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """Everything in summary.json but the checksums of its companions.

    ``cuts`` are tercile limits of tumour ml; ``copied`` by split, the pooled Dice of copying the nearest training
    slice, for those splits where there is one.
    """
    each = [_scored(card, folds.name, folds.family, folds.plans, tally) for folds in folded]
    each += [_scored(card, plan.run.name, plan.family, (plan,), tally) for plan in plans]
    whole = [one for one in each if not one.by_slice]
    by_class = [(one, name) for one in whole for name in card.foreground]
    records = [record for one in each for record in _records(card, one)]
    pairs, orders = _compared(card, plans, folded, {one.name: one for one in whole})
    sizes = [
        row
        for one in whole
        for row in volume_tables.lesion_sizes(one.lesions, _about(card, one, endpoint(card)))
    ]
    return {
        "inputs": inputs,
        "header": _header(card, plans, each, inputs, cuts, left_out),
        "runs": {one.name: _run(card, one) for one in each},
        "families": [{"family": f, "runs": names} for f, names in families(card, plans, folded).items()],
        "records": records,
        "intervals": [
            row
            for one, name in by_class
            for row in volume_tables.intervals(one.rows[name], _about(card, one, name))
        ],
        "comparisons": pairs,
        "ranks": orders,
        "false_alarms": [
            {**_about(card, one, name), **volume_tables.false_alarms(one.rows[name])}
            for one, name in by_class
        ],
        "subgroups": [
            row
            for one, name in by_class
            for row in tables.subgroups(one.rows[name], _about(card, one, name), ("size",), "patients")
        ],
        "ceilings": [
            {**_about(card, one, name), **summary.ceiling(one.rows[name])} for one, name in by_class
        ],
        "lesion_sizes": sizes,
        "leakage": _leakage(card, each, copied),
        "copy_nearest": copied,
        "seeds": summary.seeds(card, [plan for plan in plans if not plan.by_slice], records),
        "paper": _paper(card, each, records),
    }


def _scored(card: DatasetCard, name: str, family: str, plans: tuple[Plan, ...], tally: Tally) -> _Scored:
    runs = [plan.run.name for plan in plans]
    counts = Counts(0, 0, 0, 0)
    return _Scored(
        name=name,
        family=family,
        plans=plans,
        rows={c: [r for r in tally.scores if r["run"] in runs and r["class"] == c] for c in card.foreground},
        lesions=[found for (run, _), found in tally.lesions.items() if run in runs],
        multiclass=sum((tally.multiclass[run] for run in runs), Multiclass()),
        liver_bearing={
            c: sum((tally.liver_bearing[run, c] for run in runs), counts) for c in card.foreground
        },
    )


def _about(card: DatasetCard, one: _Scored, class_name: str) -> dict[str, Any]:
    plan = one.plans[0]
    return {
        "run": one.name,
        "model": plan.run.model,
        "dataset": card.name,
        "class": class_name,
        "threshold": "argmax",
        "split": one.split or None,
        "split_sha256": " + ".join(p.split_sha256[:8] for p in one.plans),
        "part": plan.part,
    }


def _records(card: DatasetCard, one: _Scored) -> list[dict[str, Any]]:
    made = []
    for name in card.foreground:
        about = _about(card, one, name)
        if one.by_slice:
            n = sum(row["n_slices"] for row in one.rows[name])
            made += [{**about, **r} for r in volume_tables.pooled(one.rows[name], n, volume_tables.SLICES)]
        else:
            matched = one.lesions if name == endpoint(card) else []
            made += volume_tables.records(one.rows[name], about, matched)
    return made + volume_tables.multiclass(one.multiclass, _about(card, one, "all"))


def _header(
    card: DatasetCard,
    plans: Sequence[Plan],
    each: Sequence[_Scored],
    inputs: Mapping[str, Any],
    cuts: tuple[float, float],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    made = summary.header(card, plans, inputs, cuts, left_out)
    del made["size_cuts_percent"]
    unit = "per_case: mean over volumes; pooled: voxels of all volumes; intervals: mean over patients"
    return made | {
        "runs": [one.name for one in each],
        "aggregation": unit,
        "n_unit": volume_tables.VOLUMES,
        "size_cuts_ml": list(cuts),
        "slices": "the stored ones: with liver and up to ten on either side; what is drawn beyond is not counted",
    }


def _run(card: DatasetCard, one: _Scored) -> dict[str, Any]:
    """One column as the tables head it; counts of volumes are those of the endpoint class."""
    rows, (plan, *others) = one.rows[endpoint(card)], one.plans
    made = summary.run_facts(plan, rows)
    patients = len({row["group"] for row in rows})
    made |= {
        "split": one.split or None,
        "split_sha256": " + ".join(p.split_sha256[:8] for p in one.plans) if others else plan.split_sha256,
        "cases_sha256": " + ".join(p.cases_sha256[:8] for p in one.plans) if others else plan.cases_sha256,
        "without_reference": sum(p.without_reference for p in one.plans),
        "by_slice": one.by_slice,
        "n_slices": sum(row["n_slices"] for row in rows),
        "n_patients": patients,
        "few": "" if one.by_slice else statistics.few(patients),
    }
    if not others:
        return made
    note = f"{ALL_VOLUMES}, {len(rows)} volumes, {patients} patients, {len(one.plans)} trainings"
    return made | {
        "family": one.family,
        "trained_split": one.split,
        "trainings": [p.run.name for p in one.plans],
        "weights_sha256": " + ".join(p.run.weights_sha256[:8] for p in one.plans),
        "note": note,
    }


def _compared(
    card: DatasetCard, plans: Sequence[Plan], folded: Sequence[Folds], whole: Mapping[str, _Scored]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Paired tests and rank stability inside every family of whole volumes, patient by patient."""
    pairs: list[dict[str, Any]] = []
    orders: list[dict[str, Any]] = []
    name = endpoint(card)
    for family, members in families(card, plans, folded).items():
        known = [run for run in members if run in whole]
        if len(known) > 1:
            trainings = [plan.run.name for run in known for plan in whole[run].plans]
            note = summary.single_run(plans, trainings)
            about = {"family": family, "dataset": card.name, "class": name}
            tests, order = tables.comparisons(
                {run: whole[run].rows[name] for run in known}, about, note, "patients"
            )
            pairs, orders = pairs + tests, [*orders, order]
    return pairs, orders


def _leakage(
    card: DatasetCard, each: Sequence[_Scored], copied: Mapping[str, Mapping[str, float]]
) -> list[dict[str, Any]]:
    """Each network by patient (over folds where there are) and by slice; ``settings`` that differ are named."""
    made = []
    for one in (one for one in each if one.by_slice):
        run = one.plans[0].run
        alike = ("dataset", "model", "seed", "width", "recipe")
        first = next(
            (
                other
                for other in each  # folds come first
                if not other.by_slice
                and all(getattr(other.plans[0].run, k) == getattr(run, k) for k in alike)
            ),
            None,
        )
        if first is not None and run.dataset == card.name:
            sides = [(x.name, x.split, x.liver_bearing, x.multiclass.slices) for x in (first, one)]
            unlike = runs.unlike(first.plans[0].run, run)
            rows = volume_tables.leakage(run.model, sides, copied.get(one.split))
            made += [row | {"settings": unlike} for row in rows]
    return made


def _paper(card: DatasetCard, each: Sequence[_Scored], records: Sequence[Row]) -> dict[str, Any]:
    """The paper's Table 3 and our figures under its convention.

    ``met`` only where the comparison is one: on the paper's dataset, and on slices drawn at random as it does.
    """
    table = conventions.PAPER_TABLE_3
    same = card.name == table["dataset"]
    rows = []
    for one in each:
        ours = {
            r["metric"]: r["value"]
            for r in records
            if r["run"] == one.name and r["convention"] == table["convention"]
        }
        model = one.plans[0].run.model
        for row in conventions.beside_the_paper(model, ours, table):
            row = row if same and one.by_slice else {key: value for key, value in row.items() if key != "met"}
            rows.append({"run": one.name, "model": model, "split": one.split or None, **row})
    note = "" if same else f"The paper's table is about LiTS, not about {card.title}: not comparable."
    return {**table, "same_data": same, "note": note, "beside": rows}
