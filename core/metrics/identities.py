"""Checks on the numbers of a table against each other: ranges, identities between scores, what they imply.

Each answers None where a table gives it nothing to check, "" where all is well, else a sentence. Numbers are
compared as intervals: a printed 0.466 may be anything from 0.4655 to 0.4665.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import product

from core.metrics.columns import PER_CASE, POOLED, Cell, Column, Columns, answer

OFF_BORDER = 0.95  # HD95 does not see the last 5 % of a border, so it may be 0 at a Dice just below 1
THREE_CHANNELS = 1e-4  # how close accuracy has to be to 1 - 2/3 (1 - Dice)
SHARES = (
    "accuracy",
    "recall",
    "precision",
    "specificity",
    "iou",
    "iou_a",
    "iou_b",
    "dice",
    "dice_128",
    "voe",
)
FROM_ZERO = ("bce", "cce", "hd95", "hd", "assd", "rmsd", "abs_volume_error_ml", "abs_volume_error_percent")
RELATIVE = ("rvd", "rvd_challenge")  # to a volume that is not negative, so at least -1
NSD = re.compile(r"nsd_(\d+)(mm|px)")


def out_of_range(columns: Columns) -> str | None:
    """L01: a value that its metric cannot take."""
    known = [(c, m, *ends) for c in columns for m in c.cells if (ends := _range(m))]
    bad = [
        f"{m} {c.cells[m]} ({c.title})"
        for c, m, low, high in known
        if not (math.isfinite(c.cells[m].value) and c.cells[m].high >= low and c.cells[m].low <= high)
    ]
    return answer(known, bad, "Outside the range of the metric: {}.")


def iou_above_dice(columns: Columns) -> str | None:
    """L02: IoU above Dice, which no single class can have in any averaging."""
    known = [c for c in columns if {"iou", "dice"} <= c.cells.keys()]
    bad = [_pair(c, "iou", "dice") for c in known if c.cells["iou"].low > c.cells["dice"].high]
    return answer(known, bad, "IoU is above Dice, which is impossible for one class and one averaging: {}.")


def iou_without_dice(columns: Columns) -> str | None:
    """L03: a mean IoU outside [D / (2 - D), D] (Jensen), or a pooled one that is not D / (2 - D)."""
    known = [c for c in columns if {"iou", "dice"} <= c.cells.keys() and _same_n(c, "iou", "dice")]
    bad = []
    for c in known:
        iou, dice = c.cells["iou"], c.cells["dice"]
        least = dice_to_iou(dice.low)
        most = dice_to_iou(dice.high) if c.aggregation == POOLED else dice.high
        if iou.high < least or iou.low > most:
            bad.append(f"{c.title} {iou}, possible are {least:.3f} to {most:.3f}")
    return answer(known, bad, "IoU does not fit Dice: {}.")


def dice_is_not_f1(columns: Columns) -> str | None:
    """L04: a pooled Dice that is not 2PR / (P + R). A mean over cases need not be."""
    names = ("precision", "recall", "dice")
    known = [c for c in columns if c.aggregation != PER_CASE and _positive(c, names)]
    bad = []
    for c in known:
        precision, recall, dice = (c.cells[name] for name in names)
        least, most = (_f1(*ends) for ends in ((precision.low, recall.low), (precision.high, recall.high)))
        if dice.high < least or dice.low > most:
            f1 = _f1(precision.value, recall.value)
            bad.append(f"{c.title} {dice} where precision and recall give {f1:.{dice.decimals}f}")
    return answer(
        known, bad, "Dice is not 2PR / (P + R), so the three are not of the same summed counts: {}."
    )


def three_channels(columns: Columns) -> str | None:
    """L05: accuracy = 1 - 2/3 (1 - Dice), an identity of argmax output summed over three channels."""
    known = [c for c in columns if {"accuracy", "dice"} <= c.cells.keys() and 0 < c.cells["dice"].value < 1]
    bad = [
        c.title
        for c in known
        if abs(c.cells["accuracy"].value - 1 + 2 / 3 * (1 - c.cells["dice"].value)) <= THREE_CHANNELS
    ]
    said = "Accuracy is 1 - 2/3 (1 - Dice): an average over all pixels of three channels, background included: {}."
    return answer(known, bad, said)


def all_equal(columns: Columns) -> str | None:
    """L06: precision = recall = Dice, as in a sum over all channels of argmax output; 0 and 1 say nothing."""
    names = ("precision", "recall", "dice")
    known = [c for c in columns if _positive(c, names) and c.cells["dice"].value < 1]
    bad = [f"{c.title} {c.cells['dice']}" for c in known if len({str(c.cells[name]) for name in names}) == 1]
    return answer(known, bad, "Precision, recall and Dice are equal, as in a sum over all classes: {}.")


def no_better_than_background(columns: Columns) -> str | None:
    """L07: an accuracy that a network reaches by drawing nothing."""
    known = [(c, c.prevalence) for c in columns if c.prevalence is not None and "accuracy" in c.cells]
    bad = [
        f"{c.title} {c.cells['accuracy']}, drawing nothing {1 - prevalence:.3f}"
        for c, prevalence in known
        if c.cells["accuracy"].high <= 1 - prevalence
    ]
    return answer(known, bad, "Accuracy is no better than that of drawing nothing: {}.")


def unlike_prevalence(columns: Columns) -> str | None:
    """L08: columns of one test set whose accuracy, precision and recall imply different shares of the class.

    tp = (1 - A) / (1/P + 1/R - 2) of all pixels, prevalence = tp / R; exact for pooled counts.
    """
    names = ("accuracy", "precision", "recall")
    known = [c for c in columns if c.aggregation != PER_CASE and _positive(c, names)]
    if len(known) < 2 or len({c.cases for c in known}) > 1:
        return None
    ends = [_implied_prevalence(*(c.cells[name] for name in names)) for c in known]
    if max(low for low, _ in ends) <= min(high for _, high in ends):
        return ""
    each = [f"{c.title} {sum(found) / 2:.4f}" for c, found in zip(known, ends, strict=True)]
    return f"One test set, but the columns imply different shares of the class: {', '.join(each)}."


def impossible_distances(columns: Columns) -> str | None:
    """L11: distances that contradict each other or the overlap."""
    known, bad = 0, []
    for c in columns:
        found = list(_contradictions(c))
        known += len(found)
        bad += [f"{said} ({c.title})" for said, is_wrong in found if is_wrong]
    return answer(range(known), bad, "Distances contradict each other: {}.")


# ---- what they share


def dice_to_iou(dice: float) -> float:
    """The IoU that belongs to a Dice of the same counts."""
    return dice / (2 - dice)


def _range(metric: str) -> tuple[float, float] | None:
    if metric in SHARES or NSD.fullmatch(metric):
        return 0.0, 1.0
    if metric in FROM_ZERO:
        return 0.0, math.inf
    return (-1.0, math.inf) if metric in RELATIVE else None


def _pair(c: Column, first: str, second: str) -> str:
    return f"{c.title} {c.cells[first]} against {c.cells[second]}"


def _same_n(c: Column, *metrics: str) -> bool:
    """Whether means are over the same cases, as far as that is stated."""
    return len({c.cells[m].n for m in metrics} - {None}) < 2


def _positive(c: Column, metrics: Sequence[str]) -> bool:
    return all(m in c.cells and c.cells[m].low > 0 for m in metrics)


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall)


def _implied_prevalence(accuracy: Cell, precision: Cell, recall: Cell) -> tuple[float, float]:
    """The least and the most; monotone in each of the three, so its ends lie at corners."""
    corners = product(*((cell.low, cell.high) for cell in (accuracy, precision, recall)))
    found = []
    for a, p, r in corners:
        errors = r * (1 / p + 1 / r - 2)
        found.append((1 - a) / errors if errors > 0 else math.inf)
    return min(found), max(found)


def _contradictions(c: Column) -> Iterator[tuple[str, bool]]:
    """Each comparison of distances that a column allows, in words, and whether it comes out wrong."""
    cells = c.cells
    for name in ("hd95", "assd"):
        if {name, "hd"} <= cells.keys() and _same_n(c, name, "hd"):
            yield f"{name} {cells[name]} above hd {cells['hd']}", cells[name].low > cells["hd"].high
    if {"hd95", "dice"} <= cells.keys() and not cells["hd95"].undefined:
        is_wrong = cells["hd95"].value == 0 and cells["dice"].high < OFF_BORDER
        yield f"hd95 0 with dice {cells['dice']}", is_wrong
    for name, cell in cells.items():
        tolerance = NSD.fullmatch(name)
        if tolerance and "hd" in cells and _same_n(c, name, "hd"):
            is_wrong = cell.value == 1 and cells["hd"].low > float(tolerance[1])
            yield f"{name} 1 with hd {cells['hd']}", is_wrong
