"""The question a heatmap answers: which class, over which region, in which kind of score. Pure NumPy.

Labels count from 0, background first. A binary network has one output channel, the foreground's; its
background is the mirror image: probability 1 - p, logit -z.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.errors import DataMissing
from core.records import THRESHOLD, Target

KIND_TITLES = {
    "log_odds": "log-odds",  # the same unit in every dataset: +1 means odds times 2.7
    "logit": "logit",
    "probability": "probability",
}
REGION_TITLES = {
    "predicted": "predicted region",
    "whole_image": "whole image (paper mode)",
    "reference": "reference region",
}


def label_of(target: Target, classes: Sequence[str]) -> int:
    """The label of the target's class; ValueError when the run does not know the class."""
    if target.class_name not in classes:
        raise ValueError(f"class_name: expected one of {tuple(classes)}, got {target.class_name!r}")
    return list(classes).index(target.class_name)


def class_probability(probability: np.ndarray, label: int) -> np.ndarray:
    """(..., K) probabilities -> (...) probability of one label, for sigmoid (K = 1) and softmax networks."""
    if probability.shape[-1] == 1:
        channel = probability[..., 0]
        return channel if label == 1 else 1 - channel
    return probability[..., label]


def predicted_region(probability: np.ndarray, label: int) -> np.ndarray:
    """(..., K) probabilities -> (...) booleans: where this label is predicted.

    Binary: tumour where p > THRESHOLD, strictly, background elsewhere. Softmax: argmax, the first on a tie.
    """
    if probability.shape[-1] == 1:
        labels = (probability[..., 0] > THRESHOLD).astype(np.uint8)
    else:
        labels = probability.argmax(axis=-1)
    return np.asarray(labels == label)


def region(
    target: Target, classes: Sequence[str], probability: np.ndarray, reference: np.ndarray | None
) -> np.ndarray:
    """The pixels the question is about: (SIZE, SIZE) booleans on the grid of the logits, maybe none.

    ``reference`` is the expert's label map brought to that grid (``core.preprocess.small_labels``), needed by
    the reference region only: DataMissing without it.
    """
    label = label_of(target, classes)
    if target.region == "whole_image":
        return np.ones(probability.shape[:2], bool)
    if target.region == "predicted":
        return predicted_region(probability, label)
    if reference is None:
        raise DataMissing(
            "This case has no expert outline, so nothing can be asked about the reference region. "
            "Choose the predicted region or the whole image."
        )
    return np.asarray(reference == label)


def score_map(logits: np.ndarray, label: int, kind: str) -> np.ndarray:
    """What is averaged over the region: (..., C) logits -> (...) float64 log-odds, logits or probabilities.

    Log-odds are log p/(1 - p) = z_c - log sum of exp z_j over the other classes; for a binary network that is
    the logit itself. Computed from the logits, so that nothing is lost where the network is sure.
    """
    z = np.asarray(logits, np.float64)
    if z.shape[-1] == 1:
        own = z[..., 0] if label == 1 else -z[..., 0]
        odds = own
    else:
        own = z[..., label]
        others = np.delete(z, label, axis=-1)
        top = others.max(axis=-1)
        odds = own - top - np.log(np.exp(others - top[..., None]).sum(axis=-1))
    if kind == "logit":
        return np.asarray(own)
    if kind == "log_odds":
        return np.asarray(odds)
    if kind == "probability":
        return np.exp(-np.logaddexp(0, -odds))  # 1 / (1 + exp(-odds)), never an overflow
    raise ValueError(f"kind: expected log_odds, logit or probability, got {kind!r}")


def mean_over(values: np.ndarray, inside: np.ndarray) -> float:
    """Mean of (H, W) ``values`` over the pixels of ``inside``; NaN when there are none."""
    return float(values[inside].mean(dtype=np.float64)) if inside.any() else float("nan")


def sentence(target: Target, network_title: str) -> str:
    """The question in the reader's words, such as "Why does U-Net call this area tumour?"."""
    name, who = target.class_name, network_title
    if target.region == "predicted":
        asked, usual = f"Why does {who} call this area {name}?", "log_odds"
    elif target.region == "reference":
        asked = f"What speaks for and against {name}, to {who}, where the expert drew it?"
        usual = "log_odds"
    else:
        asked = (
            f"What raises {who}'s mean {name} {KIND_TITLES[target.kind]} over the whole image? (paper mode)"
        )
        usual = target.kind
    return asked if target.kind == usual else f"{asked} (score: {KIND_TITLES[target.kind]})"


def state_sentence(state: str, target: Target, network_title: str) -> str:
    """A heatmap's state in the reader's words; empty for ``ok``."""
    if state == "empty_region":
        missing = f"{network_title} predicts no {target.class_name} here."
        if target.region == "reference":
            missing = f"the expert drew no {target.class_name} here."
        return f"Nothing to explain: {missing}"
    return {
        "ok": "",
        "saturated": "Saturated: the probability is at its limit; ask in log-odds.",
        "no_positive_evidence": "No positive evidence: nothing in this layer raises the score.",
        "redundant_with_prediction": "Repeats the prediction: this map says nothing new about where.",
    }[state]
