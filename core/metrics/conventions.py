"""The study's own way of counting, kept apart and labelled as such: two named conventions, its Tables 2 and 3.

The study (Sarmah, Ramakrishnananda, Katiyar: "Employing Grad-CAM in DL Models for Tumour Segmentation and
Visual Explanation") does not say how its scores were averaged. Both conventions are our inference from the
printed digits. They are computed on the 128 x 128 grid and never stand in a column with other scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.metrics import overlap
from core.metrics.overlap import Counts
from core.records import THRESHOLD

CLIP = 1e-7  # probabilities are kept this far from 0 and 1 before the logarithm

_RATIOS = {  # as both tables name them, in their order
    "accuracy": "Accuracy",
    "recall": "Recall",
    "precision": "Precision",
    "iou": "IoU",
    "dice": "Dice coeff.",
}

PAPER_TABLE_2: dict[str, Any] = {
    "title": "Table 2. Breast Ultrasound Dataset - Test Results",
    "dataset": "busi",
    "convention": "paper-binary",
    "columns": {"unet": "UNet", "multiresunet": "MultiResUNet", "dcunet": "DCUNet"},
    "models": ["unet", "multiresunet", "dcunet"],  # the order of columns and rows, as printed
    "order": [*_RATIOS, "bce"],
    "metrics": {**_RATIOS, "bce": "Binary Cross Entr."},
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

PAPER_TABLE_3: dict[str, Any] = {
    "title": "Table 3. LiTS Dataset - Test Results",
    "dataset": "lits",
    "convention": "paper-multiclass",
    "columns": PAPER_TABLE_2["columns"],
    "models": PAPER_TABLE_2["models"],
    "order": [*_RATIOS, "cce"],
    "metrics": {**_RATIOS, "cce": "Categorical Cross Entr."},
    "values": {  # text, so that the digits stay as printed
        "accuracy": {"unet": "0.9974", "multiresunet": "0.9982", "dcunet": "0.9979"},
        "recall": {"unet": "0.9960", "multiresunet": "0.9973", "dcunet": "0.9969"},
        "precision": {"unet": "0.9962", "multiresunet": "0.9974", "dcunet": "0.9970"},
        "iou": {"unet": "0.9062", "multiresunet": "0.9373", "dcunet": "0.9273"},
        "dice": {"unet": "0.9961", "multiresunet": "0.9973", "dcunet": "0.9969"},
        "cce": {"unet": "0.0096", "multiresunet": "0.0073", "dcunet": "0.0161"},
    },
    "lower_is_better": ["cce"],
    "wording": (
        "As published. Accuracy, precision, recall and Dice behave like averages over all pixels including "
        "background (`paper-multiclass`, our inference). A model that misses every tumour pixel would still "
        "score above 0.99. Do not compare with per-case tumour Dice."
    ),
    "split_wording": (
        "The paper reserves 10 % of images. For LiTS these are slices, so neighbouring slices of one patient "
        "can be in training and test."
    ),
    "entropy_wording": PAPER_TABLE_2["entropy_wording"],
    "misfit": (
        "If the printed IoU is the mean over background, liver and tumour, the tumour Dice behind it is at least "
        "0.836 / 0.896 / 0.878, above the best challenge entries per case (0.674 to 0.739): consistent with a "
        "split by slice and with pooling, not a proof."
    ),
    "network_note": PAPER_TABLE_2["network_note"],
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
    picked = np.take_along_axis(probability, labels[..., None].astype(np.int64), axis=-1)
    return float(-np.mean(np.log(np.clip(picked.astype(np.float64), CLIP, 1 - CLIP))))


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


@dataclass(frozen=True, eq=False)
class Multiclass:
    """Slices counted for ``paper-multiclass``; two can be added, so that volumes are read one at a time.

    micro    pixels of all channels together, each channel thresholded at 0.5
    table    (classes, classes) int64: reference label by argmax label
    iou_sum  sum over slices of the mean IoU of the classes present; entropy_sum over pixels, in nats
    """

    micro: Counts = field(default_factory=lambda: Counts(0, 0, 0, 0))
    table: np.ndarray = field(default_factory=lambda: np.zeros((1, 1), np.int64))
    iou_sum: float = 0.0
    entropy_sum: float = 0.0
    slices: int = 0
    pixels: int = 0

    def __add__(self, other: Multiclass) -> Multiclass:
        return Multiclass(
            self.micro + other.micro,
            self.table + other.table,
            self.iou_sum + other.iou_sum,
            self.entropy_sum + other.entropy_sum,
            self.slices + other.slices,
            self.pixels + other.pixels,
        )


def count_multiclass(labels: np.ndarray, probability: np.ndarray) -> Multiclass:
    """Count slices (n, h, w) with labels 0 .. C-1 against their probabilities (n, h, w, C)."""
    classes = probability.shape[-1]
    called = probability > THRESHOLD
    right = int(np.count_nonzero(called & (labels[..., None] == np.arange(classes))))
    n_pred, n_ref = int(np.count_nonzero(called)), labels.size
    micro = Counts(right, n_pred - right, n_ref - right, called.size - n_pred - n_ref + right)
    each = overlap.confusions(labels, probability.argmax(axis=-1), classes)
    ious = sum(_mean_iou(one) for one in each)
    entropy = cce(probability, labels) * labels.size if labels.size else 0.0
    return Multiclass(micro, each.sum(axis=0), ious, entropy, len(labels), labels.size)


def multiclass_figures(counted: Multiclass) -> dict[str, float]:
    """The reading that fits the paper's Table 3: sums over all pixels and all channels, background included.

    Accuracy, precision, recall and Dice threshold every channel at 0.5; ``iou`` is the mean over classes from
    argmax labels pooled over the test set; ``iou_a`` the mean over slices of the IoUs of the classes present.
    """
    if not counted.pixels:
        raise ValueError("counted: expected at least one slice, got none")
    result = {
        name: overlap.METRICS[name](counted.micro) for name in ("accuracy", "recall", "precision", "dice")
    }
    result |= {"iou": _mean_iou(counted.table), "iou_a": counted.iou_sum / counted.slices}
    return result | {"cce": counted.entropy_sum / counted.pixels}


def paper_multiclass(slices: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """``multiclass_figures`` of (labels (h, w), probability (h, w, C)) on the 128 grid, consumed once."""
    return multiclass_figures(
        sum(
            (count_multiclass(labels[None], probability[None]) for labels, probability in slices),
            Multiclass(),
        )
    )


def _mean_iou(table: np.ndarray) -> float:
    """Mean IoU of the labels present in reference or prediction, background included."""
    each = [overlap.iou(overlap.counts_of(table, (value,))) for value in range(len(table))]
    return float(np.mean([value for value in each if not math.isnan(value)]))


def beside_the_paper(
    model: str, ours: dict[str, float], table: dict[str, Any] = PAPER_TABLE_2
) -> list[dict[str, Any]]:
    """Our figures beside the paper's column for the same network, metric by metric.

    ``met`` is True where ours is at least as good (cross-entropy: at most as large). Empty when the paper has
    no such column.
    """
    rows = []
    for metric, printed in table["values"].items():
        if model not in printed or metric not in ours:
            continue
        published, value = float(printed[model]), ours[metric]
        met = value <= published if metric in table["lower_is_better"] else value >= published
        rows.append({"metric": metric, "published": printed[model], "ours": value, "met": bool(met)})
    return rows
