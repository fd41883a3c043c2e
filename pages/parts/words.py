"""Numbers and states in words, for people who did not train the networks.

Undefined is always words, never NaN. Distances and areas are in pixels where a dataset has no physical scale.
"""

from __future__ import annotations

import math
import re

import numpy as np

from core import Scores

UNDEFINED = "n/a"
PARTS = {
    "test": "test (unseen in training)",
    "validation": "validation (used to choose the epoch)",
    "train": "training (the networks have seen it)",
    "excluded": "excluded from all parts",
    "mixed": "slices of several parts (split by slice: training slices lie beside test slices)",
}
DEFINITIONS = {
    "dice": ("Dice", "2 TP / (2 TP + FP + FN): overlap of prediction and reference, 1 is perfect"),
    "iou": ("IoU", "TP / (TP + FP + FN): stricter than Dice; for one case IoU = Dice / (2 - Dice)"),
    "recall": ("Recall", "TP / (TP + FN): share of the reference that was found"),
    "precision": ("Precision", "TP / (TP + FP): share of the prediction that is in the reference"),
    "accuracy": ("Accuracy", "(TP + TN) / all pixels: high on any small lesion, background counts"),
}
AREAS = {
    "reference": ("Reference area", "pixels in the expert's outline: TP + FN"),
    "predicted": ("Predicted area", "pixels the network marks: TP + FP"),
    "missed": ("Missed", "pixels of the reference the network left out: FN"),
    "extra": ("Extra", "pixels marked outside the reference: FP"),
}
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~$]|:(?=\S)|^[#+-])", re.MULTILINE)


def plain(text: str) -> str:
    """``text`` with every sign that Markdown would act on escaped."""
    return _SPECIAL.sub(r"\\\1", text)


def number(value: float | None, digits: int = 3) -> str:
    """A number with fixed digits; ``n/a`` where it is undefined."""
    return UNDEFINED if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def percent(share: float) -> str:
    """A share 0..1 as whole percent, but never a rounded 0 % or 100 % that is not one."""
    if not math.isfinite(share):
        return UNDEFINED
    if 0 < share < 0.01:
        return "under 1 %"
    if 0.99 < share < 1:
        return "over 99 %"
    return f"{share:.0%}".replace("%", " %")


def thousands(value: float) -> str:
    """A whole number, thousands apart by a narrow space; a small one with a digit behind the point."""
    return f"{value:.1f}" if 0 < value < 10 else f"{value:,.0f}".replace(",", "\u202f")


def signed_percent(value: float) -> str:
    """A difference in whole percent with its sign."""
    return f"{value:+.0f}\u00a0%".replace("-", "−")


def pixels(count: int) -> str:
    """A count of pixels with its unit; thousands apart by a narrow space, as a comma is a decimal sign to many."""
    return f"{count:,}".replace(",", "\u202f") + "\u00a0px"


def regions(mask: np.ndarray) -> list[np.ndarray]:
    """The 8-connected regions of a mask (H, W), each as its flat pixel indices, largest first.

    Joins the runs of neighbouring rows; a page may not import scipy.
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 2), np.int8)
    padded[:, 1:-1] = mask != 0
    edges = np.diff(padded, axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)  # in the same order, one end per start
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    first_of_row = np.searchsorted(rows, np.arange(height + 1))
    for run in range(len(rows)):
        row = rows[run]
        if row == 0:
            continue
        for above in range(first_of_row[row - 1], first_of_row[row]):
            if starts[above] <= ends[run] and starts[run] <= ends[above]:  # touching by a corner counts
                parent[root(run)] = root(above)
    found: dict[int, list[np.ndarray]] = {}
    for run in range(len(rows)):
        line = np.arange(starts[run], ends[run]) + rows[run] * width
        found.setdefault(root(run), []).append(line)
    return sorted((np.concatenate(lines) for lines in found.values()), key=len, reverse=True)


def findings(scores: Scores, reference: np.ndarray, labels: np.ndarray, name: str = "tumour") -> list[str]:
    """What one network missed and invented on one slice, in short sentences.

    ``reference`` and ``labels`` are boolean (H, W): the class in the expert's outline and in the prediction.
    """
    n_reference, n_predicted = scores.tp + scores.fn, scores.tp + scores.fp
    if n_reference == 0 and n_predicted == 0:
        return ["no lesion in reference, none predicted"]
    if n_reference == 0:
        return [
            f"no lesion in reference; false alarm of {pixels(scores.fp)} in {_regions(len(regions(labels)))}"
        ]
    if n_predicted == 0:
        return [f"missed the {name} completely ({pixels(scores.fn)})"]
    said = []
    if scores.tp == 0:
        said.append(f"missed the {name} completely ({pixels(scores.fn)})")
    elif scores.fn:
        said.append(f"missed {percent(scores.fn / n_reference)} of the {name} ({pixels(scores.fn)})")
    else:
        said.append(f"covered the whole {name}")
    inside = reference.ravel()
    extra = [len(region) for region in regions(labels) if not inside[region].any()]
    if extra:
        said.append(f"drew {_regions(len(extra), 'extra ')}, {pixels(sum(extra))}")
    beyond = scores.fp - sum(extra)
    if beyond:
        said.append(f"overran the outline by {pixels(beyond)}")
    overlooked = [len(r) for r in regions(reference) if not labels.ravel()[r].any()]
    if scores.tp and overlooked:
        said.append(f"overlooked {len(overlooked)} of {len(regions(reference))} regions of the reference")
    return said


def _regions(count: int, kind: str = "") -> str:
    return f"{count} {kind}region{'' if count == 1 else 's'}"


RULES = {
    "Per case": "mean over the images with a lesion; a missed lesion counts 0 (rule lesion-cases)",
    "Pooled": "pixels of all images counted together, then the formula once; large lesions dominate",
    "Empty reference, empty prediction": "no Dice; counted as a clean image",
    "Empty reference, something drawn": "no Dice; counted as a false alarm, with its area",
    "Lesion, nothing drawn": "Dice, IoU and recall 0; distances undefined (missed)",
    "Mask": "probability above 0.5, after enlarging it from 128 × 128 to the picture's own pixels",
    "Disagreement of a case": "pixels that some networks mark and others do not, as a share of those any marks",
    "Groups": "intervals and tests count near-duplicate clusters, never single images",
}
FLAGS = {
    "no-mask": "no mask file",
    "several-masks": "several masks, joined",
    "mask-values": "odd values in the mask",
    "colour-overlay": "colour frame or drawn marks",
    "empty-lesion-mask": "filed as a lesion, but the mask is empty",
    "normal-with-tumour": "filed as normal, but a mask is drawn",
    "burned-in-marks": "burned-in text or marks",
    "near-duplicate": "has near-duplicates, kept in one part",
    "cross-class-group": "its near-duplicates are filed under another kind",
    "label-conflict": "identical picture under two labels",
}


def flag(name: str) -> str:
    """A quality flag in words."""
    return FLAGS.get(name, name.replace("-", " "))


def layer(name: str) -> str:
    """A layer in words: its name, and for the last one what it is."""
    return name.replace("_", " ").capitalize() + (" · control" if name == "decoder_1" else "")


def signed(value: float, digits: int = 3) -> str:
    """A number in three significant digits, small ones too; ``n/a`` where undefined."""
    return f"{value:.{digits}g}" if math.isfinite(value) else UNDEFINED


def value_or_why(scores: Scores, metric: str) -> str:
    """A score of one case, or why it is undefined; without a lesion there is nothing to overlap with."""
    if metric in ("dice", "iou") and scores.tp + scores.fn == 0:
        return f"{UNDEFINED}: no lesion in reference"
    value = scores.values.get(metric, math.nan)
    return number(value) if math.isfinite(value) else f"{UNDEFINED}: {scores.why.get(metric, 'undefined')}"


def area(scores: Scores, which: str) -> int:
    """One of the areas of ``AREAS``, in pixels."""
    return {
        "reference": scores.tp + scores.fn,
        "predicted": scores.tp + scores.fp,
        "missed": scores.fn,
        "extra": scores.fp,
    }[which]


def headline(scores: Scores) -> str:
    """Dice with two digits; without a lesion in the reference, what happened instead."""
    if scores.tp + scores.fn == 0:
        return "false alarm" if scores.fp else "rightly empty"
    return f"Dice {scores.values['dice']:.2f}"
