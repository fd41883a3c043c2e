"""The study's own way of counting, kept apart and labelled as such: two named conventions and its Table 2.

The study (Sarmah, Ramakrishnananda, Katiyar: "Employing Grad-CAM in DL Models for Tumour Segmentation and
Visual Explanation") does not say how its scores were averaged. Both conventions are our inference from the
printed digits. They are computed on the 128 x 128 grid and never stand in a column with other scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from core.metrics import overlap
from core.metrics.overlap import Counts
from core.records import THRESHOLD

CLIP = 1e-7  # probabilities are kept this far from 0 and 1 before the logarithm

PAPER_TABLE_2: dict[str, Any] = {
    "title": "Table 2. Breast Ultrasound Dataset - Test Results",
    "dataset": "busi",
    "convention": "paper-binary",
    "columns": {"unet": "UNet", "multiresunet": "MultiResUNet", "dcunet": "DCUNet"},
    "models": ["unet", "multiresunet", "dcunet"],  # the order of columns and rows, as printed
    "order": ["accuracy", "recall", "precision", "iou", "dice", "bce"],
    "metrics": {
        "accuracy": "Accuracy",
        "recall": "Recall",
        "precision": "Precision",
        "iou": "IoU",
        "dice": "Dice coeff.",
        "bce": "Binary Cross Entr.",
    },
    "values": {  # text, so that the digits stay as printed
        "accuracy": {"unet": "0.9536", "multiresunet": "0.9561", "dcunet": "0.9444"},
        "recall": {"unet": "0.3778", "multiresunet": "0.5513", "dcunet": "0.5330"},
        "precision": {"unet": "0.6116", "multiresunet": "0.5423", "dcunet": "0.51207"},
        "iou": {"unet": "0.7292", "multiresunet": "0.7836", "dcunet": "0.7462"},
        "dice": {"unet": "0.4657", "multiresunet": "0.5457", "dcunet": "0.5263"},
        "bce": {"unet": "0.1224", "multiresunet": "0.2413", "dcunet": "0.3834"},
    },
    "lower_is_better": ["bce"],
    "wording": (
        "As published. The paper does not state threshold, averaging, or how images without a lesion count. "
        "The printed IoU exceeds Dice, which is impossible for one class and one averaging. "
        "Best-fitting reading: `paper-binary`. This is our inference, not the authors' statement."
    ),
    "entropy_wording": "Not comparable between models with different output layers.",
    "misfit": (
        "The F1 of mean precision and mean recall normally exceeds the mean Dice by 0.01 to 0.04; "
        "the printed gaps are 0.001, 0.001 and -0.004. "
        "Dividing by 0.83, because about 17 % of the images are normal, the printed Dice implies a "
        "tumour-only mean per image of about 0.56 / 0.66 / 0.63."
    ),
    "network_note": 'The paper\'s "DCUNet" is represented here by DC-UNet.',
}

IOU_NOTE = (
    "The lower of the two readings of the paper's IoU (iou_a: background and tumour averaged per image; "
    "iou_b: from counts summed over all images), so that a comparison is never flattering."
)


def bce(probability: np.ndarray, mask: np.ndarray) -> float:
    """Binary cross-entropy in nats, mean over pixels: probability 0..1 and mask 0/1 of the same shape."""
    p = np.clip(probability.astype(np.float64), CLIP, 1 - CLIP)
    return float(-np.mean(np.where(mask.astype(bool), np.log(p), np.log1p(-p))))


def cce(probability: np.ndarray, labels: np.ndarray) -> float:
    """Categorical cross-entropy in nats, mean over pixels: (..., C) probabilities and (...) labels 0..C-1.

    One channel means two classes with probabilities (1 - p, p); the value is then that of ``bce``.
    """
    if probability.shape[-1] == 1:
        return bce(probability[..., 0], labels == 1)
    picked = np.take_along_axis(probability.astype(np.float64), labels[..., None].astype(np.int64), axis=-1)
    return float(-np.mean(np.log(np.clip(picked, CLIP, 1 - CLIP))))


def two_class_iou(c: Counts) -> float:
    """Mean of the IoU of background and of tumour; a class absent from both masks is left out."""
    both = [overlap.iou(c.swapped()), overlap.iou(c)]
    return float(np.mean([value for value in both if not math.isnan(value)]))


def paper_binary(images: Sequence[Counts], entropies: Sequence[float] = ()) -> dict[str, float]:
    """The reading that fits the paper's Table 2 best, from one row of counts per image (128 grid, p > 0.5).

    All images count, normal ones included. Precision, recall and Dice are means over images with 0/0 = 0.
    Both readings of the IoU are given, and ``iou`` is the lower of the two. ``entropies`` are the images'
    mean binary cross-entropies (equal sizes, so their mean is the mean over pixels); none: no ``bce``.
    """
    if not images:
        raise ValueError("images: expected at least one, got none")
    total = overlap.pooled(images)
    per_image = ("recall", "precision", "dice")
    result = {
        "accuracy": overlap.accuracy(total),
        **{name: overlap.mean_over_cases(name, images, "empty-is-zero").value for name in per_image},
        "iou_a": float(np.mean([two_class_iou(c) for c in images])),
        "iou_b": two_class_iou(total),
    }
    result["iou"] = min(result["iou_a"], result["iou_b"])
    if entropies:
        result["bce"] = float(np.mean(entropies))
    return result


def paper_multiclass(slices: Iterable[tuple[np.ndarray, np.ndarray]], classes: int = 3) -> dict[str, float]:
    """The reading that fits the paper's Table 3: sums over all pixels and all channels, background included.

    ``slices`` gives (labels (h, w), probability (h, w, classes)) on the 128 grid, consumed once. Accuracy,
    precision, recall and Dice threshold every channel at 0.5; ``iou`` is the mean over classes from argmax
    labels pooled over the test set; ``iou_a`` the mean over slices of the IoUs of the classes present.
    """
    micro, table = Counts(0, 0, 0, 0), np.zeros((classes, classes), dtype=np.int64)
    per_slice: list[float] = []
    entropy, pixels = 0.0, 0
    for labels, probability in slices:
        truth = labels[..., None] == np.arange(classes)
        micro += overlap.count(truth, probability > THRESHOLD)
        one = overlap.confusion(labels, probability.argmax(axis=-1), classes)
        per_slice.append(_mean_iou(one))
        table += one
        entropy += cce(probability, labels) * labels.size
        pixels += labels.size
    if not pixels:
        raise ValueError("slices: expected at least one, got none")
    result = {name: overlap.METRICS[name](micro) for name in ("accuracy", "recall", "precision", "dice")}
    return result | {"iou": _mean_iou(table), "iou_a": float(np.mean(per_slice)), "cce": entropy / pixels}


def _mean_iou(table: np.ndarray) -> float:
    """Mean IoU of the labels present in reference or prediction, background included."""
    each = [overlap.iou(overlap.counts_of(table, (value,))) for value in range(len(table))]
    return float(np.mean([value for value in each if not math.isnan(value)]))


def beside_the_paper(model: str, ours: dict[str, float]) -> list[dict[str, Any]]:
    """Our figures beside the paper's column for the same network, metric by metric.

    ``met`` is True where ours is at least as good (binary cross-entropy: at most as large). Empty when the
    paper has no such column.
    """
    rows = []
    for metric, printed in PAPER_TABLE_2["values"].items():
        if model not in printed or metric not in ours:
            continue
        published, value = float(printed[model]), ours[metric]
        met = value <= published if metric in PAPER_TABLE_2["lower_is_better"] else value >= published
        rows.append({"metric": metric, "published": printed[model], "ours": value, "met": bool(met)})
    return rows
