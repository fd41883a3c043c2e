"""The test set through the trained runs, case by case, and what the tables say about it.

Scores are taken on the grid of the reference; the 128 x 128 grid serves the paper's convention only. Every
run is scored on the test part of its own split; on a set it never trained on, on all cases.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from core import evaluate_volumes, prepared, preprocess, results, scores_only
from core.cards import DatasetCard
from core.errors import CoreError
from core.metrics import calibration, conventions, overlap, tables
from core.metrics.calibration import Bins
from core.plans import (
    Folds,
    Plan,
    endpoint,
    families,
    folds_of,
    in_order,
    leading_family,
    plan_all,
    still_valid,
)
from core.records import SIZE, Prediction, Slice, SliceEntry
from core.summary import summarise

CHUNK = 16  # slices in memory at a time

Report = Callable[[int, int, str], None]
Predict = Callable[[str, Sequence[Slice]], list[Prediction]]
Row = dict[str, Any]


def evaluate(
    dataset: str,
    runs: Sequence[str] | None = None,
    report: Report | None = None,
    *,
    force: bool = False,
    predict: Predict | None = None,
) -> list[dict[str, Any]]:
    """Score trained runs on a dataset, store the tables under artifacts/results/ and return the records.

    ``runs`` names them; none: all whose class list fits, on a set with splits those trained on it. Results of
    other runs that are still valid are kept in the files, but only the records of the named are returned. A
    second call with unchanged weights, data and splits reads the stored files, unless ``force``. ``report``
    gets (predictions done, all, run). ``predict`` stands in for ``core.reading.predict_many``.

    DataMissing: not prepared. RunMissing: no run fits. RunRefused: a named run cannot be used here.
    """
    card = prepared.read_card(dataset)
    entries = prepared.list_slices(dataset)
    stored = _stored(dataset)
    recorded = stored.summary["inputs"]["runs"] if stored is not None else {}
    known = scores_only.known_checksums(stored, dataset)
    plans, left_out = plan_all(card, entries, runs, known)
    names = [plan.run.name for plan in plans]
    if runs is not None:
        plans = in_order(plans + still_valid(card, entries, recorded, names, known))
    inputs = {"format": results.FORMAT, "data_sha256": prepared.card_json(dataset)["sha256"]}
    inputs["runs"] = {p.run.name: p.checksums for p in plans}
    if light := [p.run.name for p in plans if p.run.is_scores_only]:
        inputs["scores_only"] = light
    if not force and stored is not None and stored.summary.get("inputs") == inputs:
        return _of(stored, names)
    if card.has_volumes:
        evaluate_volumes.evaluate(card, entries, plans, inputs, left_out, predict, report)
        return _of(results.read_results(dataset), names)
    if predict is None:
        from core.reading import predict_many

        predict = predict_many
    cuts = tables.size_cuts([_percent(e) for e in entries if e.reference_pixels])
    folded = folds_of(entries, plans)
    scores, cases, calibrated = _score(card, plans, folded, cuts, predict, report)
    scores, calibrated = scores_only.as_stored(scores, calibrated)
    if stored is not None:
        scores_only.keep(stored, plans, families(card, plans, folded), scores, cases, calibrated)
    made = summarise(card, entries, plans, folded, scores, calibrated, inputs, cuts, left_out)
    results.write_results(dataset, made, scores, cases)
    return _of(results.read_results(dataset), names)


def _of(stored: results.Results, names: Sequence[str]) -> list[dict[str, Any]]:
    """The records of these runs, and those pooled over folds that are made of them alone."""
    wanted = {run for run, facts in stored.runs.items() if set(facts.get("trainings", [run])) <= set(names)}
    return [record for record in stored.records if record["run"] in wanted]


def _stored(dataset: str) -> results.Results | None:
    try:
        return results.read_results(dataset)
    except CoreError:
        return None


def _percent(entry: SliceEntry) -> float:
    return 100 * (entry.reference_pixels or 0) / (entry.height * entry.width)


def _score(
    card: DatasetCard,
    plans: Sequence[Plan],
    folded: Sequence[Folds],
    cuts: tuple[float, float],
    predict: Predict,
    report: Report | None,
) -> tuple[list[Row], list[Row], dict[tuple[str, str], Bins]]:
    """Rows of scores.csv (by run, case, class) and of cases.csv; by run and class its pixels by probability."""
    groups = families(card, plans, folded)
    plans = [plan for plan in plans if not plan.run.is_scores_only]
    entries = {entry.key: entry for plan in plans for entry in plan.entries}
    testing = {plan.run.name: {entry.key for entry in plan.entries} for plan in plans}
    calibrated: dict[tuple[str, str], Bins] = {}
    rows: dict[str, list[Row]] = {plan.run.name: [] for plan in plans}
    cases: list[Row] = []
    answers = _predictions(plans, predict, report)
    for chunk in _chunks(sorted(entries.values(), key=lambda entry: (entry.case, entry.index))):
        slices = {entry.key: prepared.read_slice(entry.dataset, entry.case, entry.index) for entry in chunk}
        drawn: dict[str, dict[str, np.ndarray]] = {key: {} for key in slices}
        for plan in plans:
            name = plan.run.name
            for entry in (entry for entry in chunk if entry.key in testing[name]):
                prediction = answers.pop((name, entry.key))
                large = preprocess.enlarge(prediction.probability, slices[entry.key].picture.shape)
                labels = preprocess.labels_of(large, large.shape)
                drawn[entry.key][name] = labels
                size = tables.size_name(_percent(entry), cuts)
                shared = {
                    "run": name,
                    "model": plan.run.model,
                    "case": entry.case,
                    "size": size,
                    "part": plan.part,
                }
                scored = score_slice(slices[entry.key], prediction, labels, card, shared)
                for row, (numbers, bins) in zip(
                    scored, _calibration(slices[entry.key], large, labels, card), strict=True
                ):
                    key = name, row["class"]
                    calibrated[key] = calibrated.get(key, Bins()) + bins
                    rows[name].append(row | numbers)
        cases += [_case_row(card, entry, cuts, drawn[entry.key], groups) for entry in chunk]
    return [row for own in rows.values() for row in own], cases, calibrated


def _predictions(
    plans: Sequence[Plan], predict: Predict, report: Report | None
) -> dict[tuple[str, str], Prediction]:
    """What every run draws on its own cases, by run and slice: 64 kB each for two classes.

    Run by run, so that each network is loaded once however many there are.
    """
    found: dict[tuple[str, str], Prediction] = {}
    total = sum(len(plan.entries) for plan in plans)
    for plan in plans:
        for chunk in _chunks(plan.entries):
            slices = [prepared.read_slice(entry.dataset, entry.case, entry.index) for entry in chunk]
            predicted = predict(plan.run.name, slices)
            keys = [(plan.run.name, entry.key) for entry in chunk]
            found.update(zip(keys, predicted, strict=True))
            if report:
                report(len(found), total, plan.run.name)
    return found


def _chunks(entries: Sequence[SliceEntry]) -> Iterator[Sequence[SliceEntry]]:
    for start in range(0, len(entries), CHUNK):
        yield entries[start : start + CHUNK]


def score_slice(
    slice_: Slice, prediction: Prediction, labels: np.ndarray, card: DatasetCard, shared: Row
) -> list[Row]:
    """One row per class: ``shared`` and counts on both grids, ratios, HD95, entropies, resolution ceiling.

    ``labels`` is the prediction on the source grid. Distances are in ``card.unit`` and in percent of the
    image diagonal; NaN where undefined.
    """
    from core.metrics import surface

    reference = slice_.reference
    if reference is None:
        raise ValueError(f"slice_: expected one with a reference, got {slice_.key}")
    small = preprocess.small_labels(reference)
    small_predicted = preprocess.labels_of(prediction.probability, (SIZE, SIZE))
    on_native = overlap.count_classes(reference, labels, card.classes)
    on_small = overlap.count_classes(small, small_predicted, card.classes)
    cce = conventions.cce(prediction.probability, small)
    spacing = slice_.spacing_mm if card.unit == "mm" else None
    diagonal = math.hypot(*(n * s for n, s in zip(reference.shape, spacing or (1.0, 1.0), strict=True)))
    rows = []
    for name, c in on_native.items():
        values = overlap.class_values(name, card.classes)
        mask = np.isin(reference, values)
        hd95 = surface.hd95(surface.surface_distances(mask, np.isin(labels, values), spacing, card.unit))
        s = on_small[name]
        row = {**shared, "index": slice_.index, "class": name, "group": slice_.group, "tag": slice_.tag}
        row |= {"tp": c.tp, "fp": c.fp, "fn": c.fn, "tn": c.tn, "n_ref": c.n_ref, "n_pred": c.n_pred}
        row |= overlap.ratios(c)
        row |= {f"hd95_{card.unit}": hd95, "hd95_percent": 100 * hd95 / diagonal}
        row |= {"ceiling_dice": resolution_ceiling(mask), "tp_128": s.tp, "fp_128": s.fp, "fn_128": s.fn}
        row |= {
            "tn_128": s.tn,
            "bce": conventions.bce(_of_class(prediction.probability, values), np.isin(small, values)),
        }
        rows.append(row | {"cce": cce})
    return rows


def _calibration(
    slice_: Slice, probability: np.ndarray, labels: np.ndarray, card: DatasetCard
) -> Iterator[tuple[dict[str, float], Bins]]:
    """By class the numbers of calibration inside its region, and the pixels of that; all on the source grid."""
    for name in card.foreground:
        values = overlap.class_values(name, card.classes)
        truth = np.isin(np.asarray(slice_.reference), values)
        inside = calibration.region(truth, np.isin(labels, values))
        yield calibration.measure(_of_class(probability, values)[inside], truth[inside])


def _of_class(p: np.ndarray, values: Sequence[int]) -> np.ndarray:
    """Probability (H, W) of the labels ``values`` together, from that of each label (H, W, K)."""
    return p[..., 0] if p.shape[-1] == 1 else np.clip(p[..., list(values)].sum(axis=-1), 0, 1)


def resolution_ceiling(mask: np.ndarray) -> float:
    """The best Dice that a hard 128 x 128 mask can reach against ``mask`` (H, W); NaN when it is empty.

    The mask itself is taken down by nearest neighbour and back up bilinearly, and cut at 0.5.
    """
    small = preprocess.small_labels(mask.astype(np.uint8))
    back = preprocess.enlarge(small.astype(np.float32), mask.shape) >= 0.5
    return overlap.dice(overlap.count(mask, back)) if mask.any() else math.nan


def _case_row(
    card: DatasetCard,
    entry: SliceEntry,
    cuts: tuple[float, float],
    drawn: dict[str, np.ndarray],
    groups: dict[str, list[str]],
) -> Row:
    """What a list of cases needs: size, flags and how far the networks of one family disagree."""
    values = overlap.class_values(endpoint(card), card.classes)
    family, members = leading_family(groups, drawn)
    masks = [np.isin(drawn[name], values) for name in members]
    pixels, share = overlap.disagreement(masks) if masks else (None, math.nan)
    return {
        "case": entry.case,
        "index": entry.index,
        "group": entry.group,
        "tag": entry.tag,
        "flags": ";".join(entry.flags),
        "size": tables.size_name(_percent(entry), cuts),
        "area_percent": _percent(entry),
        "height": entry.height,
        "width": entry.width,
        "disagreement": share,
        "disagreement_px": pixels,
        "n_runs": len(masks),
        "family": family,  # place in the list of families in summary.json
    }
