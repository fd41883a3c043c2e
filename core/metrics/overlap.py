"""Overlap of two label maps: counts once, then every ratio is a one-line formula of the counts.

Formulas: Table 1 of the study that Triptych implements (Sarmah, Ramakrishnananda, Katiyar). An undefined
ratio is NaN and its reason is in ``reasons``; it is never replaced by 0 or 1 outside a named rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.records import Scores

CONTAINS = {"liver": ("tumour",)}  # scored together: a liver includes its tumours

RULES = {
    "lesion-cases": "mean over the cases that show the class; a missed one counts 0",
    "all-cases": "mean over the cases with the class in reference or prediction; a false alarm counts 0",
    "empty-is-one": "mean over all cases; empty reference and empty prediction count 1",
    "empty-is-zero": "mean over all cases; empty reference and empty prediction count 0",
}
DEFAULT_RULE = "lesion-cases"  # the only one whose case list is the same for every model


@dataclass(frozen=True)
class Counts:
    """Pixels of one class: true positives, false positives, false negatives, true negatives."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def n_ref(self) -> int:
        """Pixels of the class in the reference."""
        return self.tp + self.fn

    @property
    def n_pred(self) -> int:
        """Pixels of the class in the prediction."""
        return self.tp + self.fp

    @property
    def total(self) -> int:
        """All pixels."""
        return self.tp + self.fp + self.fn + self.tn

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    def swapped(self) -> Counts:
        """The counts of everything else: the class and its complement exchanged."""
        return Counts(self.tn, self.fn, self.fp, self.tp)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def accuracy(c: Counts) -> float:
    """Share of all pixels labelled rightly, 0..1; high wherever the class is rare."""
    return _ratio(c.tp + c.tn, c.total)


def precision(c: Counts) -> float:
    """Share of the prediction that is right, 0..1; NaN when nothing is predicted."""
    return _ratio(c.tp, c.tp + c.fp)


def recall(c: Counts) -> float:
    """Share of the reference that is found, 0..1; NaN when the reference has none."""
    return _ratio(c.tp, c.tp + c.fn)


def specificity(c: Counts) -> float:
    """Share of the rest that is left alone, 0..1; NaN when the reference fills the picture."""
    return _ratio(c.tn, c.tn + c.fp)


def iou(c: Counts) -> float:
    """Intersection over union, 0..1; NaN when both are empty."""
    return _ratio(c.tp, c.tp + c.fp + c.fn)


def dice(c: Counts) -> float:
    """Twice the intersection over the sum of both sizes, 0..1; NaN when both are empty."""
    return _ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn)


METRICS: dict[str, Callable[[Counts], float]] = {
    "accuracy": accuracy,
    "recall": recall,
    "precision": precision,
    "iou": iou,
    "dice": dice,
    "specificity": specificity,
}


def ratios(c: Counts) -> dict[str, float]:
    """Every metric of the table, NaN where undefined."""
    return {name: formula(c) for name, formula in METRICS.items()}


def reasons(c: Counts) -> dict[str, str]:
    """Why a metric of ``ratios`` is NaN, by metric; the distances too."""
    why: dict[str, str] = {}
    if not c.n_ref and not c.n_pred:
        why = dict.fromkeys(("iou", "dice"), "neither reference nor prediction has any")
    if not c.n_pred:
        why["precision"] = "nothing is predicted"
        why["hd95"] = "undefined (missed)" if c.n_ref else "nothing is predicted, rightly"
    if not c.n_ref:
        why["recall"] = "the reference has none"
        why["hd95"] = "the reference has none"
    if c.n_ref == c.total:
        why["specificity"] = "the reference fills the picture"
    if not c.total:
        why["accuracy"] = "the picture has no pixels"
    return why


def class_values(class_name: str, classes: Sequence[str]) -> tuple[int, ...]:
    """The labels that count as ``class_name``: its own, and those of the classes it contains.

    ("background", "tumour"): tumour = (1,). ("background", "liver", "tumour"): liver = (1, 2), tumour = (2,).
    """
    if class_name not in classes:
        raise ValueError(f"class_name: expected one of {tuple(classes)}, got {class_name!r}")
    names = (class_name, *CONTAINS.get(class_name, ()))
    return tuple(value for value, name in enumerate(classes) if name in names)


def confusion(reference: np.ndarray, labels: np.ndarray, values: int) -> np.ndarray:
    """How often each reference label (row) meets each predicted label (column): (values, values) int64.

    Both arrays have the same shape and integer labels 0 .. values - 1; anything else is a ValueError.
    """
    if reference.shape != labels.shape:
        raise ValueError(f"labels: expected shape {reference.shape}, got {labels.shape}")
    if reference.size and max(int(reference.max()), int(labels.max())) >= values:
        raise ValueError(f"labels: expected 0 to {values - 1}, got {max(reference.max(), labels.max())}")
    kind = np.uint8 if values <= 16 else np.int64  # 16 x 16 pairs fit in a byte: an eighth of the memory
    pairs = (reference.astype(kind) * values + labels.astype(kind)).ravel()
    return np.bincount(pairs, minlength=values * values).reshape(values, values)


def confusions(reference: np.ndarray, labels: np.ndarray, values: int) -> np.ndarray:
    """``confusion`` of each slice of two stacks (n, H, W): (n, values, values) int64."""
    each = [confusion(ours, theirs, values) for ours, theirs in zip(reference, labels, strict=True)]
    return np.stack(each) if each else np.zeros((0, values, values), np.int64)


def counts_of(table: np.ndarray, wanted: Sequence[int]) -> Counts:
    """The counts of the labels ``wanted`` out of a table made by ``confusion``."""
    inside = np.isin(np.arange(len(table)), wanted)
    return Counts(
        tp=int(table[np.ix_(inside, inside)].sum()),
        fp=int(table[np.ix_(~inside, inside)].sum()),
        fn=int(table[np.ix_(inside, ~inside)].sum()),
        tn=int(table[np.ix_(~inside, ~inside)].sum()),
    )


def count(reference: np.ndarray, labels: np.ndarray, wanted: int | Sequence[int] = 1) -> Counts:
    """Counts of one class, given by its label or labels, in two label maps (or masks) of the same shape."""
    chosen = (wanted,) if isinstance(wanted, int) else tuple(wanted)
    return counts_of(confusion(np.isin(reference, chosen), np.isin(labels, chosen), 2), (1,))


def count_classes(reference: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Counts]:
    """Counts of every class but background, by name, from one pass over the pixels."""
    return _counts_by_class(confusion(reference, labels, len(classes)), classes)


def scores(
    reference: np.ndarray, labels: np.ndarray, classes: Sequence[str], grid: str = "native"
) -> dict[str, Scores]:
    """Scores of every class but background: counts, ratios (0..1 or NaN) and the reason for each NaN.

    ``reference`` and ``labels`` have the same shape and labels 0 .. len(classes) - 1; ``grid`` names it.
    """
    return scores_of(confusion(reference, labels, len(classes)), classes, grid)


def scores_of(table: np.ndarray, classes: Sequence[str], grid: str = "native") -> dict[str, Scores]:
    """``scores`` from a table made by ``confusion``, or from the sum of those of many slices."""
    return {
        name: Scores(name, c.tp, c.fp, c.fn, c.tn, values=ratios(c), why=_reasons_for_ratios(c), grid=grid)
        for name, c in _counts_by_class(table, classes).items()
    }


def _counts_by_class(table: np.ndarray, classes: Sequence[str]) -> dict[str, Counts]:
    return {name: counts_of(table, class_values(name, classes)) for name in classes[1:]}


def _reasons_for_ratios(c: Counts) -> dict[str, str]:
    return {name: text for name, text in reasons(c).items() if name in METRICS}


def under_rule(metric: str, c: Counts, rule: str = DEFAULT_RULE) -> float:
    """What one case adds to the mean of ``metric`` under a named rule for empty masks; NaN: not in the mean.

    The rules decide about cases whose reference is empty. Where it is not, the value is the metric's own,
    a missed lesion giving Dice = IoU = recall = 0 and no precision (0 under ``empty-is-zero``).
    """
    if rule not in RULES:
        raise ValueError(f"rule: expected one of {tuple(RULES)}, got {rule!r}")
    value = METRICS[metric](c)
    if c.n_ref == 0 and rule == "lesion-cases":
        return math.nan
    if math.isnan(value) and rule == "empty-is-zero":
        return 0.0
    if c.n_ref == 0 and c.n_pred == 0 and rule == "empty-is-one":
        return 1.0
    if c.n_ref == 0 and c.n_pred > 0 and rule in ("all-cases", "empty-is-one"):
        return 0.0 if math.isnan(value) else value
    return value


@dataclass(frozen=True)
class Mean:
    """A mean over cases with its own n. NaN when no case is defined; ``left_out`` cases are not in it."""

    value: float
    median: float
    quartiles: tuple[float, float]
    n: int
    left_out: int
    rule: str


def mean_of(values: Sequence[float], rule: str = DEFAULT_RULE) -> Mean:
    """Mean, median and quartiles of the values that are defined, with the number of those that are not."""
    defined = np.array([v for v in values if not math.isnan(v)], dtype=float)
    n, left_out = len(defined), len(values) - len(defined)
    if not n:
        return Mean(math.nan, math.nan, (math.nan, math.nan), 0, left_out, rule)
    low, middle, high = np.percentile(defined, (25, 50, 75))
    return Mean(float(defined.mean()), float(middle), (float(low), float(high)), n, left_out, rule)


def mean_over_cases(metric: str, cases: Sequence[Counts], rule: str = DEFAULT_RULE) -> Mean:
    """The mean of ``metric`` over cases under a named rule for empty masks."""
    return mean_of([under_rule(metric, c, rule) for c in cases], rule)


def pooled(cases: Sequence[Counts]) -> Counts:
    """The counts summed over cases: large lesions weigh more than in a mean over cases."""
    return sum(cases, Counts(0, 0, 0, 0))


def disagreement(masks: Sequence[np.ndarray]) -> tuple[int, float]:
    """How far the masks of several runs differ: |union| - |intersection| in pixels, and its share of the union.

    (0, 0.0) when the union is empty or there are fewer than two masks.
    """
    if len(masks) < 2:
        return 0, 0.0
    stack = np.stack([mask.astype(bool) for mask in masks])
    union, shared = int(stack.any(axis=0).sum()), int(stack.all(axis=0).sum())
    return union - shared, (union - shared) / union if union else 0.0
