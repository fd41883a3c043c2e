"""What a threshold does: the mask of one slice at every threshold, and the best one on the validation part.

A binary network is cut at one threshold; of a network with several classes the probability of one class is cut
here against all others, which is not the argmax that the scores use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core import cache, prepared, preprocess, reading, runs
from core.errors import DataMissing
from core.metrics import overlap
from core.metrics.overlap import Counts
from core.records import Prediction, Run, Slice, SliceEntry

THRESHOLDS = tuple(round(0.05 + step / 100, 2) for step in range(91))  # 0.05 .. 0.95
MOST = 64  # validation slices, evenly drawn: their mean moves little with more

Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class ThresholdCurve:
    """Scores of one class on one slice at each of THRESHOLDS; NaN where undefined."""

    counts: tuple[Counts, ...]

    def values(self, metric: str) -> tuple[float, ...]:
        """One metric ("dice", "precision", "recall" ...) at each threshold."""
        return tuple(overlap.METRICS[metric](c) for c in self.counts)


@dataclass(frozen=True)
class ValidationCurve:
    """Mean Dice over validation slices that have the class, at each of THRESHOLDS.

    n of ``there`` such slices; per slice, on their own grid; a missed lesion counts 0.
    """

    dice: tuple[float, ...]
    n: int
    there: int


def threshold_levels(slice: Slice, prediction: Prediction, class_name: str) -> np.ndarray:
    """(H, W) uint8 on the source grid: how many of THRESHOLDS the probability of a class exceeds, strictly.

    The mask at threshold number i is ``levels > i``. The probability of a class includes that of the classes
    inside it (liver: liver or tumour).
    """
    classes, p = runs.read_run(prediction.run).classes, prediction.probability
    wanted = list(overlap.class_values(class_name, classes))
    own = p[..., 0] if p.shape[-1] == 1 else p[..., wanted].sum(axis=-1)
    large = preprocess.enlarge(own, slice.picture.shape).astype(np.float64)
    return np.searchsorted(np.array(THRESHOLDS), large, side="left").astype(np.uint8)


def threshold_curve(levels: np.ndarray, inside: np.ndarray) -> ThresholdCurve:
    """The curve of levels (H, W) against the reference, (H, W) booleans."""
    n = len(THRESHOLDS)
    every = np.bincount(levels.ravel(), minlength=n + 1)
    hit = np.bincount(levels[inside], minlength=n + 1)
    predicted, tp = (found[::-1].cumsum()[::-1][1:] for found in (every, hit))
    size, total = int(inside.sum()), levels.size
    return ThresholdCurve(
        tuple(
            Counts(tp=int(t), fp=int(p - t), fn=size - int(t), tn=total - size - int(p - t))
            for t, p in zip(tp, predicted, strict=True)
        )
    )


def best_threshold(dice: Sequence[float]) -> int:
    """The number of the threshold with the highest Dice: of equally good ones the one nearest to 0.5."""
    values = np.nan_to_num(np.array(dice), nan=-1.0)
    best = np.flatnonzero(values >= values.max() - 1e-12)
    return int(best[np.argmin(np.abs(np.array(THRESHOLDS)[best] - 0.5))])


def stored_validation_curve(run: str, class_name: str) -> ValidationCurve | None:
    """The curve if it is stored, None otherwise; never loads Keras."""
    found = cache.read("lessons", _key(runs.read_run(run), class_name), ["dice"])
    if found is None:
        return None
    arrays, facts = found
    return ValidationCurve(tuple(map(float, arrays["dice"])), facts["n"], facts["there"])


def validation_curve(run: str, class_name: str, report: Report | None = None) -> ValidationCurve:
    """Mean Dice by threshold on the run's own validation part: from the store, else computed and stored.

    ``report(done, total, text)`` counts slices. DataMissing when the data it was trained on are not here or no
    validation slice has the class.
    """
    found = stored_validation_curve(run, class_name)
    if found:
        return found
    which = runs.read_run(run)
    there = _validation(which, class_name)
    chosen = [
        there[at] for at in np.unique(np.linspace(0, len(there) - 1, min(MOST, len(there))).astype(int))
    ]
    slices = [prepared.read_slice(which.dataset, entry.case, entry.index) for entry in chosen]
    wanted, rows = overlap.class_values(class_name, which.classes), []
    for slice, prediction in zip(slices, reading.predict_many(run, slices, report), strict=True):
        inside = np.isin(np.asarray(slice.reference), wanted)
        rows.append(threshold_curve(threshold_levels(slice, prediction, class_name), inside).values("dice"))
    dice = np.mean(rows, axis=0)
    facts = {"n": len(rows), "there": len(there)}
    cache.keep("lessons", _key(which, class_name), {"dice": dice}, facts)
    return ValidationCurve(tuple(map(float, dice)), **facts)


def _validation(run: Run, class_name: str) -> list[SliceEntry]:
    """The run's validation slices that have the class."""
    wanted = [value - 1 for value in overlap.class_values(class_name, run.classes)]

    def has_class(entry: SliceEntry) -> bool:
        if len(run.classes) == 2:
            return bool(entry.reference_pixels)
        return any(entry.class_pixels[place] for place in wanted if place < len(entry.class_pixels))

    entries = prepared.list_slices(run.dataset)
    found = [e for e in entries if e.parts.get(run.split) == "validation" and has_class(e)]
    if not found:
        raise DataMissing(f"No validation slice of {run.dataset} under {run.split} has any {class_name}.")
    return found


def _key(run: Run, class_name: str) -> str:
    data = str(prepared.card_json(run.dataset)["sha256"])
    return cache.key("validation curve", run.weights_sha256, data, run.split_sha256, class_name)
