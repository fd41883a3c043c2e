"""Runs whose weights were dropped after scoring: a study of many trainings is kept as numbers, not as megabytes.

The scores stay in artifacts/results and go through every later evaluation unchanged; nothing is predicted with such
a run any more. Of sets of pictures only: a volume's tables need its predictions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from core import atomic, places, prepared, results, runs
from core.errors import RunRefused
from core.metrics.calibration import Bins
from core.plans import Plan, plan_all
from core.records import Run

Row = dict[str, Any]
UNKNOWN = {"disagreement": math.nan, "disagreement_px": None, "n_runs": 0, "family": None}


def drop_weights(name: str) -> int:
    """Delete the weights of a run whose scores are stored; the bytes that this freed, 0 when it was done before.

    RunMissing: no such run. RunRefused: damaged, of volumes, or its scores on its own dataset are not stored.
    """
    if not runs.described(name).is_scores_only:
        run = runs.read_run(name)
        _require_scored(run)
        told = {**run.manifest, "weights": {**run.manifest["weights"], "kept": False}}
        # Before the files go: a kill in between leaves no run that looks damaged.
        atomic.write_json(places.run(name) / "run.json", told)
    freed = 0
    for file in (places.WEIGHTS, places.GOLDEN):
        path = places.run(name) / file
        freed += path.stat().st_size if path.is_file() else 0
        path.unlink(missing_ok=True)
    return freed


def _require_scored(run: Run) -> None:
    card = prepared.read_card(run.dataset)
    if card.has_volumes:
        raise RunRefused(f"Run {run.name} is of volumes: their scores cannot be kept without its weights.")
    plans, _ = plan_all(card, prepared.list_slices(run.dataset), [run.name])
    known = known_checksums(results.read_results(run.dataset), run.dataset)
    if known.get(run.name) != plans[0].checksums:
        raise RunRefused(
            f"Run {run.name} is not scored with these weights, so nothing would be left of it. "
            f"Run: python -m core evaluate {run.dataset}"
        )


def known_checksums(stored: results.Results | None, dataset: str) -> Mapping[str, list[str]]:
    """Weights, split and case list behind the stored scores that can be kept as they are, by run.

    None when they are of other data; not those whose pixels by probability are not stored (older results).
    """
    if stored is None:
        return {}
    inputs, counted = stored.summary["inputs"], bins_by_run(stored)
    fits = inputs["data_sha256"] == prepared.card_json(dataset)["sha256"]
    return {run: sums for run, sums in inputs["runs"].items() if fits and run in counted}


def as_stored(
    scores: Sequence[Row], calibrated: Mapping[tuple[str, str], Bins]
) -> tuple[list[Row], dict[tuple[str, str], Bins]]:
    """Rows and bins with the digits that the files keep: a table says the same whichever of them it is made of."""
    rows = results.parse_csv(results.csv_text(scores))
    return rows, {
        key: replace(bins, probability=np.array(results.tidy(bins.probability.tolist())))
        for key, bins in calibrated.items()
    }


def keep(
    stored: results.Results,
    plans: Sequence[Plan],
    groups: Mapping[str, Sequence[str]],
    scores: list[Row],
    cases: list[Row],
    calibrated: dict[tuple[str, str], Bins],
) -> None:
    """Add what is stored of the runs without weights to what was computed of the others, in place.

    ``groups`` are run names by family. Where a case's disagreement could not be computed, because fewer than two of
    its networks have weights, it stays that which is stored, as long as all networks behind it are the same.
    """
    names = [plan.run.name for plan in plans]
    light = {plan.run.name for plan in plans if plan.run.is_scores_only}
    if not light:
        return
    scores += [
        {key: value for key, value in row.items() if key != "why"}
        for row in stored.scores
        if row["run"] in light
    ]
    scores.sort(key=lambda row: names.index(row["run"]))
    found = bins_by_run(stored)
    calibrated |= {(run, name): bins for run in sorted(light) for name, bins in found[run].items()}
    tested: dict[str, set[str]] = {}
    for row in scores:
        tested.setdefault(row["case"], set()).add(row["run"])
    computed = {row["case"]: row for row in cases}
    before = stored.summary["inputs"]["runs"]
    same = {plan.run.name for plan in plans if before.get(plan.run.name) == plan.checksums}
    families = [set(family["runs"]) & same for family in stored.summary["families"]]
    for case, own in tested.items():
        if (old := stored.cases.get(case)) is None:
            continue
        row = computed.setdefault(case, {**old, "flags": ";".join(old["flags"])} | UNKNOWN)
        if row["n_runs"] or old["family"] is None:
            continue
        told = families[int(old["family"])] & own
        if len(told) == old["n_runs"]:
            place = next(place for place, names in enumerate(groups.values()) if told <= set(names))
            row |= {key: old[key] for key in UNKNOWN} | {"family": place}
    cases[:] = [computed[case] for case in sorted(computed)]


def bins_by_run(stored: results.Results) -> dict[str, dict[str, Bins]]:
    """Pixels by probability of every run and class, as stored."""
    found: dict[str, dict[str, Bins]] = {}
    for one in stored.summary.get("calibration", {}).get("counts", []):
        pixels, positives = (np.array(one[key], np.int64) for key in ("pixels", "positives"))
        made = Bins(one["cases"], pixels, positives, np.array(one["probability"], np.float64))
        found.setdefault(one["run"], {})[one["class"]] = made
    return found
