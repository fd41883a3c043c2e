"""Numbers and states in words, for people who did not train the networks.

Undefined is always words, never NaN. Distances and areas are in pixels where a dataset has no physical scale.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from core import Scores, connected_regions, few_sentence

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


def sentence(text: str) -> str:
    """``text``, not empty, with a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


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
    """A whole number, thousands apart by a narrow space; a small one with a digit behind the point.

    A half is rounded up, as the viewer does: the same area reads the same above and below its picture.
    """
    if 0 < value < 10:
        return f"{value:.1f}"
    return f"{math.floor(value + 0.5):,}".replace(",", "\u202f")


def many(count: int, unit: str) -> str:
    """A count with its unit, which ends in s unless it is one."""
    return f"{count} {unit}{'' if count == 1 else 's'}"


def signed_percent(value: float) -> str:
    """A difference in whole percent with its sign."""
    return f"{value:+.0f}\u00a0%".replace("-", "−")


def pixels(count: int) -> str:
    """A count of pixels with its unit; thousands apart by a narrow space, as a comma is a decimal sign to many."""
    return f"{count:,}".replace(",", "\u202f") + "\u00a0px"


def untouched(mask: np.ndarray, other: np.ndarray) -> tuple[list[int], int]:
    """Pixels of each connected region of ``mask`` without a pixel of ``other``, largest first; and of how many.

    Both are boolean (H, W).
    """
    numbers, sizes = connected_regions(mask)
    touched = set(np.unique(numbers[other]))
    return [size for number, size in enumerate(sizes, start=1) if number not in touched], len(sizes)


def findings(scores: Scores, reference: np.ndarray, labels: np.ndarray, name: str = "tumour") -> list[str]:
    """What one network missed and invented on one slice, in short sentences.

    ``reference`` and ``labels`` are boolean (H, W): the class in the expert's outline and in the prediction.
    """
    n_reference, n_predicted = scores.tp + scores.fn, scores.tp + scores.fp
    if n_reference == 0 and n_predicted == 0:
        return ["no lesion in reference, none predicted"]
    if n_reference == 0:
        alarm = f"false alarm of {pixels(scores.fp)} in {_regions(len(connected_regions(labels)[1]))}"
        return [f"no lesion in reference; {alarm}"]
    if n_predicted == 0:
        return [f"missed the {name} completely ({pixels(scores.fn)})"]
    said = []
    if scores.tp == 0:
        said.append(f"missed the {name} completely ({pixels(scores.fn)})")
    elif scores.fn:
        said.append(f"missed {percent(scores.fn / n_reference)} of the {name} ({pixels(scores.fn)})")
    else:
        said.append(f"covered the whole {name}")
    extra, _ = untouched(labels, reference)
    if extra:
        said.append(f"drew {_regions(len(extra), 'extra ')}, {pixels(sum(extra))}")
    beyond = scores.fp - sum(extra)
    if beyond:
        said.append(f"overran the outline by {pixels(beyond)}")
    overlooked, there = untouched(reference, labels)
    if scores.tp and overlooked:
        said.append(f"overlooked {len(overlooked)} of {there} regions of the reference")
    return said


def _regions(count: int, kind: str = "") -> str:
    return many(count, f"{kind}region")


RULES = {
    "Per case": "mean over the images with a lesion; a missed lesion counts 0 (rule lesion-cases)",
    "Pooled": "pixels of all images counted together, then the formula once; large lesions dominate",
    "Empty reference, empty prediction": "no Dice; counted as a clean image",
    "Empty reference, something drawn": "no Dice; counted as a false alarm, with its area",
    "Lesion, nothing drawn": "Dice, IoU and recall 0; distances undefined (missed), counted as empty beside a mean",
    "Mask": "probability above 0.5, after enlarging it from 128 × 128 to the picture's own pixels",
    "Disagreement of a case": "pixels that some networks mark and others do not, as a share of those any marks",
    "Calibration": "inside the outlines and 5 pixels round them: probabilities against how often they were right",
    "Groups": "intervals and tests count near-duplicate clusters, never single images",
}
FLAGS_LINK = "about?first=flags"  # where About explains them: above all else, without scrolling
FLAGS = {  # on a chip, and how it was found
    "no-mask": (
        "no mask file",
        "There is a picture without a mask: only of a normal one is the reference known.",
    ),
    "several-masks": (
        "several masks, joined",
        "More than one mask file; what any of them marks is the reference.",
    ),
    "mask-values": (
        "odd values in the mask",
        "A mask is not black and white alone; grey above 127 counts as marked.",
    ),
    "colour-overlay": (
        "colour frame or drawn marks",
        "The colour channels differ by more than 8 grey levels somewhere.",
    ),
    "empty-lesion-mask": (
        "filed as a lesion, but the mask is empty",
        "The folder says benign or malignant, and nothing is marked.",
    ),
    "normal-with-tumour": (
        "filed as normal, but a mask is drawn",
        "The folder says normal, and a mask marks something.",
    ),
    "burned-in-marks": (
        "burned-in text or marks",
        "At least two thin upright bright strokes, as letters and callipers have. Dotted lines can go unseen; a "
        "reflection can be taken for a stroke.",
    ),
    "near-duplicate": (
        "has near-duplicates, kept in one part",
        "Other pictures show nearly the same; all of them are in training, in validation or in test together.",
    ),
    "cross-class-group": (
        "its near-duplicates are filed under another kind",
        "Pictures that show nearly the same stand in different folders: benign, malignant or normal.",
    ),
    "label-conflict": (
        "identical picture under two labels",
        "The same pixels are filed under two kinds: in no part of the split.",
    ),
    "orientation-unverified": ("orientation unverified", "The file does not say how the patient lies."),
    "orientation-codes-disagree": (
        "orientation told twice, differently",
        "The file's two descriptions of how the patient lies differ; the full one (sform) was used.",
    ),
    "placeholder-geometry": (
        "placeholder geometry",
        "The file says 1 mm along each axis, as if never set: lengths in mm and volumes may be wrong.",
    ),
    "geometry-of-the-volume": (
        "mask without geometry of its own",
        "The mask was laid on the volume's grid, after a check that it lies on liver-like values.",
    ),
    "values-outside-ct-range": (
        "values outside the range of CT",
        "A few voxels lie outside the range of CT numbers: metal, or padding round the picture.",
    ),
    "outline-off-tissue": (
        "outline partly off the liver",
        "Too much of the outline lies on fat, gas or bone: mask and volume may not belong together.",
    ),
    "liver-not-on-right": (
        "liver not on the patient's right",
        "The liver's centre is on the right half of the screen: the orientation in the file may be wrong.",
    ),
}


def flag(name: str) -> str:
    """A quality flag in words."""
    return FLAGS[name][0] if name in FLAGS else name.replace("-", " ")


def layer(name: str) -> str:
    """A layer in words: its name, and for the last one what it is."""
    return name.replace("_", " ").capitalize() + (" · control" if is_control(name) else "")


def is_control(layer: str) -> bool:
    """Whether maps of a layer repeat the prediction by algebra, being the last one before the output."""
    return layer == "decoder_1"


def few(header: Mapping[str, Any]) -> str:
    """The warning over answers from few groups (patients, near-duplicate clusters); empty from twenty on."""
    said, is_patient = few_sentence(header["n_groups"]), "patient" in header["group"]
    return said if is_patient else said.replace("patients", "groups").replace("patient", "case")


def interval(row: Mapping[str, Any], digits: int = 2) -> str:
    """A stored mean with its 95 % interval, where n is large enough for one, and its n."""
    mean, low, high = (math.nan if row[key] is None else row[key] for key in ("mean", "low", "high"))
    limits = f" [{low:.{digits}f}, {high:.{digits}f}]" if math.isfinite(low) else ""
    return f"{number(mean, digits)}{limits}, n = {row['n']:.0f}"


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


def loss_step(config: Mapping[str, Any]) -> str:
    """Why a loss that falls steps up once; empty where the settings of a training have no such step."""
    if config.get("loss") == "overlap" and config.get("presence_from"):
        return "The training loss steps up where it begins to ask whether there is a tumour at all."
    return ""
