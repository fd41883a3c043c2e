"""CT volumes through the trained runs: slice by slice, put back in order, and scored as one volume on its own grid.

One volume is in memory at a time. A run of a split by slices is counted on its own test slices only: they are no
volume, so they get neither distances nor lesions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from core import catalogues, prepared, preprocess, results, runs, volume_rows
from core.cards import DatasetCard
from core.metrics import conventions, leakage, overlap, tables, volumes
from core.metrics.calibration import Bins
from core.metrics.conventions import Multiclass
from core.metrics.overlap import Counts
from core.plans import Folds, Plan, endpoint, families, folds_of, leading_family
from core.records import SIZE, Prediction, Slice, SliceEntry
from core.summary_volumes import summarise
from core.volume_rows import Opened, Predicted, Tally

CHUNK = 16  # slices given to a network at a time

Report = Callable[[int, int, str], None]
Predict = Callable[[str, Sequence[Slice]], list[Prediction]]
Row = dict[str, Any]


def evaluate(
    card: DatasetCard,
    entries: Sequence[SliceEntry],
    plans: Sequence[Plan],
    inputs: Mapping[str, Any],
    left_out: Mapping[str, str],
    predict: Predict | None = None,
    report: Report | None = None,
) -> None:
    """Score the runs of ``plans`` on volumes and store the tables; see ``core.evaluate.evaluate``."""
    folded, cuts = folds_of(entries, plans), cuts_ml(card, entries)
    tally = score(card, entries, plans, folded, cuts, predict, report)
    made = summarise(card, plans, folded, tally, inputs, cuts, left_out, _copied(card, plans))
    results.write_results(card.name, made, tally.scores, tally.cases, tally.slices)


def _copied(card: DatasetCard, plans: Sequence[Plan]) -> dict[str, dict[str, float]]:
    """By split by slices: what copying the nearest training slice scores on the 128 grid."""
    made: dict[str, dict[str, float]] = {}
    for name in {plan.split for plan in plans if plan.by_slice and plan.run.dataset == card.name}:
        arrays = prepared.read_arrays(card.name)
        parts = np.array([entry.parts[name] for entry in arrays.entries])
        found = leakage.copy_nearest(
            arrays.labels,
            parts == "train",
            [entry.case for entry in arrays.entries],
            test_mask=parts == "test",
            indices=[entry.index for entry in arrays.entries],
            classes=card.classes,
        )
        made |= {name: found} if found else {}
    return made


def score(
    card: DatasetCard,
    entries: Sequence[SliceEntry],
    plans: Sequence[Plan],
    folded: Sequence[Folds],
    cuts: tuple[float, float],
    predict: Predict | None = None,
    report: Report | None = None,
) -> Tally:
    """Score every run on its own test slices, volume by volume; ``cuts`` are the tercile limits of tumour ml.

    ``report`` gets (slices done, all, run); ``predict`` stands in for the networks.
    """
    tally, names = Tally(), [plan.run.name for plan in plans]
    by_case, groups = _by_case(entries), families(card, plans, folded)
    done, total = 0, sum(len(plan.entries) for plan in plans)
    for case in dict.fromkeys(entry.case for plan in plans for entry in plan.entries):
        opened = _open(card, by_case[case], cuts)
        tested = {p.run.name: [e.index for e in p.entries if e.case == case] for p in plans}
        place, members = _leading(groups, plans, folded, tested)
        drawn = np.stack([np.zeros(opened.labels.shape, bool), np.ones(opened.labels.shape, bool)])
        for plan in plans:
            name = plan.run.name
            if not tested[name]:
                continue
            predicted = _predicted(card, plan, opened, tested[name], predict or computed)
            _add(tally, card, opened, predicted)
            if name in members:
                mask = volume_rows.mask_of(predicted.labels, endpoint(card), card.classes)
                drawn[0] |= mask
                drawn[1] &= mask
            done += len(tested[name])
            if report:
                report(done, total, name)
        tally.cases.append(volume_rows.case_row(card, opened, drawn, place, members))
        _add_disagreement(tally, opened, drawn, members)
    tally.scores.sort(key=lambda row: names.index(row["run"]))
    return tally


def cuts_ml(card: DatasetCard, entries: Sequence[SliceEntry]) -> tuple[float, float]:
    """Tercile limits of the tumour volume in ml, over all volumes of the dataset that have one."""
    found = [_tumour_ml(card, own, _voxel_mm3(card, case)) for case, own in _by_case(entries).items()]
    return tables.size_cuts([value for value in found if value > 0])


def computed(run: str, slices: Sequence[Slice]) -> list[Prediction]:
    """Predictions straight from the network, not stored: those of a whole test set of volumes take gigabytes."""
    from core.explain import engine

    which = runs.read_run(run)
    layers = catalogues.network_cards()[which.model].layers
    found = engine.predict(which, layers, np.stack([one.image for one in slices]))
    return [Prediction(run, one.key, probability) for one, probability in zip(slices, found, strict=True)]


def _by_case(entries: Sequence[SliceEntry]) -> dict[str, list[SliceEntry]]:
    found: dict[str, list[SliceEntry]] = {}
    for entry in entries:
        found.setdefault(entry.case, []).append(entry)
    return found


def _tumour_ml(card: DatasetCard, entries: Sequence[SliceEntry], voxel_mm3: float) -> float:
    wanted = overlap.class_values(endpoint(card), card.classes)
    voxels = sum(entry.class_pixels[value - 1] for entry in entries if entry.class_pixels for value in wanted)
    return volumes.ml(voxels, voxel_mm3)


def _voxel_mm3(card: DatasetCard, case: str) -> float:
    grid, _ = prepared.volume_grid(card.name, case)
    return volumes.voxel_mm3(grid.affine)


def _open(card: DatasetCard, entries: Sequence[SliceEntry], cuts: tuple[float, float]) -> Opened:
    case = entries[0].case
    volume, voxel_mm3 = prepared.read_volume(card.name, case), _voxel_mm3(card, case)
    if volume.references is None:
        raise ValueError(f"entries: expected those of a volume with a reference, got {case}")
    labels = np.array(volume.references)
    masks = {name: volume_rows.mask_of(labels, name, card.classes) for name in card.foreground}
    return Opened(
        volume=volume,
        entries={entry.index: entry for entry in entries},
        labels=labels,
        small=preprocess.small_stack(labels),
        masks=masks,
        ceilings={name: volume_rows.ceiling(mask) for name, mask in masks.items()},
        voxel_mm3=voxel_mm3,
        size=tables.size_name(_tumour_ml(card, entries, voxel_mm3), cuts),
    )


def _leading(
    groups: Mapping[str, Sequence[str]],
    plans: Sequence[Plan],
    folded: Sequence[Folds],
    tested: Mapping[str, Sequence[int]],
) -> tuple[int | None, list[str]]:
    """Place of the first family of which two networks read this whole volume, and their runs."""
    trainings = {folds.name: [plan.run.name for plan in folds.plans] for folds in folded}
    is_whole = {plan.run.name for plan in plans if not plan.by_slice and tested[plan.run.name]}
    single = {
        family: [run for name in names for run in trainings.get(name, [name])]
        for family, names in groups.items()
    }
    return leading_family(single, is_whole)


def _predicted(
    card: DatasetCard, plan: Plan, opened: Opened, indices: Sequence[int], predict: Predict
) -> Predicted:
    place = {index: at for at, index in enumerate(opened.volume.indices)}
    positions = np.array(sorted(place[index] for index in indices))
    probability = np.empty((len(positions), SIZE, SIZE, card.outputs), np.float32)
    for start in range(0, len(positions), CHUNK):
        slices = [_slice(opened, at) for at in positions[start : start + CHUNK]]
        for at, prediction in enumerate(predict(plan.run.name, slices), start):
            probability[at] = prediction.probability
    labels = preprocess.labels_stack(probability, opened.labels.shape[1:])
    return Predicted(plan, positions, probability, labels)


def _slice(opened: Opened, at: int) -> Slice:
    volume = opened.volume
    entry = opened.entries[volume.indices[at]]
    return Slice(
        dataset=volume.dataset,
        case=volume.case,
        index=entry.index,
        group=volume.group,
        tag=entry.tag,
        picture=volume.pictures[at],
        image=np.array(volume.images[at]),
        reference=None,
        spacing_mm=volume.spacing_mm[1:],
        flags=volume.flags,
    )


def _add(tally: Tally, card: DatasetCard, opened: Opened, predicted: Predicted) -> None:
    """Add one run on one volume."""
    name, case, k = predicted.plan.run.name, opened.volume.case, len(card.classes)
    native = overlap.confusions(opened.labels[predicted.positions], predicted.labels, k)
    has_liver = native[:, 1:].sum(axis=(1, 2)) > 0
    truth, probability = opened.small[predicted.positions][has_liver], predicted.probability[has_liver]
    counted = conventions.count_multiclass(truth, probability)
    tally.multiclass[name] = tally.multiclass.get(name, Multiclass()) + counted
    small = overlap.confusion(truth, probability.argmax(axis=-1), k)
    for class_name in card.foreground:
        key, values = (name, class_name), overlap.class_values(class_name, card.classes)
        before = tally.liver_bearing.get(key, Counts(0, 0, 0, 0))
        tally.liver_bearing[key] = before + overlap.counts_of(small, values)
        tally.by_slice.setdefault(key, {})[case] = {
            opened.volume.indices[at]: overlap.counts_of(table, values)
            for at, table in zip(predicted.positions, native, strict=True)
        }
    matched = None if predicted.plan.by_slice else volume_rows.match(card, opened, predicted)
    if matched is not None:
        tally.lesions[name, case] = matched
        tally.slices.extend(volume_rows.slice_rows(card, opened, predicted, native))
    scored = volume_rows.score_rows(card, opened, predicted, native, matched)
    found = volume_rows.calibrations(card, opened, predicted, is_volume=matched is not None)
    for row, (numbers, bins) in zip(scored, found, strict=True):
        key = name, row["class"]
        tally.calibrated[key] = tally.calibrated.get(key, Bins()) + bins
        tally.scores.append(row | numbers)


def _add_disagreement(tally: Tally, opened: Opened, drawn: np.ndarray, members: Sequence[str]) -> None:
    """Pixels drawn by any of ``members`` and by not all of them, into their rows of this volume's slices."""
    union, shared = drawn.sum(axis=(2, 3))
    place = {index: at for at, index in enumerate(opened.volume.indices)}
    for row in tally.slices:
        if row["case"] == opened.volume.case and row["run"] in members:
            at = place[row["index"]]
            row |= {"any_px": int(union[at]), "disagreement_px": int(union[at] - shared[at])}
