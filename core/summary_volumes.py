"""The scored volumes of a dataset -> summary.json, in the shape that ``summary`` gives to pictures and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import runs, summary, summary_calibration
from core.cards import DatasetCard
from core.columns import Column, about, columns_of, compared, facts, over_folds, over_seeds
from core.metrics import conventions, leakage, statistics, tables, volume_tables
from core.metrics.conventions import Multiclass
from core.metrics.lesions import Lesions
from core.metrics.overlap import Counts
from core.plans import Folds, Plan, endpoint, families
from core.volume_rows import Tally

Row = Mapping[str, Any]
PATIENTS = "patients"
CALIBRATED_ON = "128 x 128"  # the networks' own pixels: a sixteenth of those of most scans


@dataclass(frozen=True, eq=False)
class _Scored(Column):
    """A column with what only volumes have: lesions by volume, counts over the slices that bear liver."""

    lesions: Sequence[Lesions]
    multiclass: Multiclass
    liver_bearing: Mapping[str, Counts]


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
    each = [_scored(card, column, tally) for column in columns_of(card, plans, folded, tally.scores)]
    whole = [one for one in each if not one.by_slice]
    by_class = [(one, name) for one in whole for name in card.foreground]
    records = [record for one in each for record in _records(card, one)]
    pairs, orders = compared(card, plans, folded, whole, PATIENTS)
    sizes = [
        row
        for one in whole
        for row in volume_tables.lesion_sizes(one.lesions, about(card, one, endpoint(card)))
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
            for row in volume_tables.intervals(one.rows[name], about(card, one, name))
        ],
        "comparisons": pairs,
        "ranks": orders,
        "false_alarms": [
            {**about(card, one, name), **volume_tables.false_alarms(one.rows[name])} for one, name in by_class
        ],
        "subgroups": [
            row
            for one, name in by_class
            for row in tables.subgroups(one.rows[name], about(card, one, name), ("size",), PATIENTS)
        ],
        "ceilings": [{**about(card, one, name), **summary.ceiling(one.rows[name])} for one, name in by_class],
        "calibration": summary_calibration.summarise(
            card, whole, tally.calibrated, CALIBRATED_ON, volume_tables.VOLUMES, PATIENTS
        ),
        "lesion_sizes": sizes,
        "leakage": _leakage(card, each, copied, tally),
        "copy_nearest": copied,
        "seeds": over_seeds(card, whole, records),
        "folds": over_folds(card, whole, records),
        "paper": _paper(card, each, records),
    }


def _scored(card: DatasetCard, column: Column, tally: Tally) -> _Scored:
    counts = Counts(0, 0, 0, 0)
    return _Scored(
        **vars(column),
        lesions=[found for (run, _), found in tally.lesions.items() if run in column.trainings],
        multiclass=sum((tally.multiclass[run] for run in column.trainings), Multiclass()),
        liver_bearing={
            c: sum((tally.liver_bearing[run, c] for run in column.trainings), counts) for c in card.foreground
        },
    )


def _records(card: DatasetCard, one: _Scored) -> list[dict[str, Any]]:
    made = []
    for name in card.foreground:
        shared = about(card, one, name)
        if one.by_slice:
            n = sum(row["n_slices"] for row in one.rows[name])
            made += [{**shared, **r} for r in volume_tables.pooled(one.rows[name], n, volume_tables.SLICES)]
        else:
            matched = one.lesions if name == endpoint(card) else []
            made += volume_tables.records(one.rows[name], shared, matched)
    return made + volume_tables.multiclass(one.multiclass, about(card, one, "all"))


def _header(
    card: DatasetCard,
    plans: Sequence[Plan],
    each: Sequence[_Scored],
    inputs: Mapping[str, Any],
    cuts: tuple[float, float],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    made = summary.header(card, plans, each, inputs, cuts, left_out)
    del made["size_cuts_percent"]
    unit = "per_case: mean over volumes; pooled: voxels of all volumes; intervals: mean over patients"
    return made | {
        "aggregation": unit,
        "n_unit": volume_tables.VOLUMES,
        "size_cuts_ml": list(cuts),
        "slices": "the stored ones: with liver and up to ten on either side; what is drawn beyond is not counted",
    }


def _run(card: DatasetCard, one: _Scored) -> dict[str, Any]:
    """One column as the tables head it; counts of volumes are those of the endpoint class."""
    rows = one.rows[endpoint(card)]
    made = facts(one, rows, volume_tables.VOLUMES, PATIENTS)
    return made | {
        "by_slice": one.by_slice,
        "n_slices": sum(row["n_slices"] for row in rows),
        "n_patients": made["n_groups"],
        "few": "" if one.by_slice else statistics.few(made["n_groups"]),
    }


def _leakage(
    card: DatasetCard, each: Sequence[_Scored], copied: Mapping[str, Mapping[str, float]], tally: Tally
) -> list[dict[str, Any]]:
    """Each network by patient (over folds where there are) and by slice; ``settings`` that differ are named.

    ``same_slices``: the two on the slices that both are tested on, or None; see ``core.metrics.leakage``.
    """
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
            made += [
                row | {"settings": unlike, "same_slices": _same_slices(first, one, row["class"], tally)}
                for row in rows
            ]
    return made


def _same_slices(first: _Scored, other: _Scored, class_name: str, tally: Tally) -> dict[str, Any] | None:
    unseen, drawn = (
        {case: found for run in one.trainings for case, found in tally.by_slice[run, class_name].items()}
        for one in (first, other)
    )
    groups = {row["case"]: row["group"] for row in first.rows[class_name]}
    return leakage.same_slices(unseen, drawn, groups)


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
        for row in conventions.beside_the_paper(one.model, ours, table):
            row = row if same and one.by_slice else {key: value for key, value in row.items() if key != "met"}
            rows.append({"run": one.name, "model": one.model, "split": one.split or None, **row})
    note = "" if same else f"The paper's table is about LiTS, not about {card.title}: not comparable."
    return {**table, "same_data": same, "note": note, "beside": rows}
