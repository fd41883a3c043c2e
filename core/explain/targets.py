"""The question a heatmap answers: which class, over which region, in which kind of score. Pure NumPy.

Labels count from 0, background first. A binary network has one output channel, the foreground's; its
background is the mirror image: probability 1 - p, logit -z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from core.errors import DataMissing
from core.records import SCORE_KINDS, SIZE, THRESHOLD, Target

BAND = 2  # pixels that the boundary band reaches to either side of the outline
TOP_SHARE = 0.01  # of the pixels, taken where a class is likeliest although it is predicted nowhere


def label_of(target: Target, classes: Sequence[str]) -> int:
    """The label of the target's class; ValueError when the run does not know the class."""
    return _label("class_name", target.class_name, classes)


def rival_of(target: Target, classes: Sequence[str]) -> int | None:
    """The label of the target's rival, None where it has none; ValueError when the run does not know it."""
    return _label("rival", target.rival, classes) if target.rival else None


def _label(field: str, name: str, classes: Sequence[str]) -> int:
    if name not in classes:
        raise ValueError(f"{field}: expected one of {tuple(classes)}, got {name!r}")
    return list(classes).index(name)


def from_key(key: str) -> Target:
    """The target whose ``key`` this is; ValueError for anything else."""
    class_name, region, kind, *extra = [*key.split("."), "", ""]
    defaults = {field.name: field.default for field in fields(Target)[3:]}
    given = {}
    for name, sign, value in (part.partition("=") for part in extra if part):
        if not sign or name not in defaults:
            raise ValueError(f"key: expected fields of a target, got {key!r}")
        given[name] = int(value) if isinstance(defaults[name], int) else value
    return Target(class_name, region, kind, **given)  # type: ignore[arg-type]


def class_probability(probability: np.ndarray, label: int) -> np.ndarray:
    """(..., K) probabilities -> (...) probability of one label, for sigmoid (K = 1) and softmax networks."""
    if probability.shape[-1] == 1:
        channel = probability[..., 0]
        return np.asarray(channel if label == 1 else 1 - channel)
    return np.asarray(probability[..., label])


def predicted_labels(probability: np.ndarray) -> np.ndarray:
    """(..., K) probabilities -> (...) uint8 labels.

    Binary: tumour where p > THRESHOLD, strictly, background elsewhere. Softmax: argmax, the first on a tie.
    """
    if probability.shape[-1] == 1:
        return np.asarray((probability[..., 0] > THRESHOLD).astype(np.uint8))
    return np.asarray(probability.argmax(axis=-1).astype(np.uint8))


def predicted_region(probability: np.ndarray, label: int) -> np.ndarray:
    """(..., K) probabilities -> (...) booleans: where this label is predicted."""
    return np.asarray(predicted_labels(probability) == label)


def region(
    target: Target,
    classes: Sequence[str],
    probability: np.ndarray,
    reference: np.ndarray | None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """The pixels the question is about: (SIZE, SIZE) booleans on the grid of the logits, maybe none.

    reference  the expert's label map brought to that grid (``core.preprocess.small_labels``); DataMissing
               where the question needs one and there is none
    mask       (SIZE, SIZE) booleans, the region called "shared", which only the caller knows (ValueError)
    """
    if (target.region == "shared") != (mask is not None):
        raise ValueError(f"mask: expected one for the region shared alone, got {target.region}")
    label, rival = label_of(target, classes), rival_of(target, classes)
    predicted = predicted_labels(probability)
    drawn = np.full_like(predicted, 255) if reference is None else reference
    if target.needs_reference and reference is None:
        raise DataMissing(
            "This case has no expert outline, so nothing can be asked about the reference region. "
            "Choose the predicted region or the whole image."
        )
    own, expert = predicted == label, drawn == label
    match target.region:
        case "predicted":
            found = own
        case "whole_image":
            found = np.ones(own.shape, bool)
        case "reference":
            found = expert
        case "missed":
            found = expert & ~own
        case "invented":
            found = own & ~expert
        case "mistaken":
            found = expert & (predicted == rival)
        case "component":
            found = component(own if target.of == "predicted" else expert, target.index)
        case "pixel":
            found = square(target.row, target.column, target.radius)
        case "boundary":
            found = band(own, target.side)
        case "top_percent":
            found = highest(class_probability(probability, label))
        case _:
            found = _checked(mask)
    return np.asarray(found)


def _checked(mask: np.ndarray | None) -> np.ndarray:
    if mask is None or mask.shape != (SIZE, SIZE) or mask.dtype != bool:
        got = None if mask is None else (mask.shape, mask.dtype)
        raise ValueError(f"mask: expected ({SIZE}, {SIZE}) booleans, got {got}")
    return mask


def components(inside: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """8-connected pieces of (H, W) booleans: numbers (H, W), 1 is the largest, 0 outside; and their sizes.

    Of two equally large ones the upper comes first.
    """
    from scipy.ndimage import label

    numbers, count = label(inside, structure=np.ones((3, 3)))
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    rank = np.zeros(count + 1, np.int32)
    rank[order + 1] = np.arange(1, count + 1)
    return rank[numbers], tuple(int(size) for size in sizes[order])


def component(inside: np.ndarray, index: int) -> np.ndarray:
    """The ``index``-th largest of the ``components``, as booleans; empty when there are fewer."""
    return np.asarray(components(inside)[0] == index)


def square(row: int, column: int, radius: int) -> np.ndarray:
    """(SIZE, SIZE) booleans: the pixels at most ``radius`` rows and columns away, cut at the border."""
    places = np.arange(SIZE)
    return (abs(places - row) <= radius)[:, None] & (abs(places - column) <= radius)


def band(inside: np.ndarray, side: str) -> np.ndarray:
    """The pixels within BAND rows and columns of the outline of ``inside``: "both", "inner" or "outer" side.

    The border of the image is no outline.
    """
    from scipy.ndimage import binary_dilation, binary_erosion

    reach = np.ones((2 * BAND + 1, 2 * BAND + 1), bool)
    wide = inside if side == "inner" else binary_dilation(inside, reach)
    narrow = inside if side == "outer" else binary_erosion(inside, reach, border_value=1)
    return np.asarray(wide & ~narrow)


def highest(probability: np.ndarray) -> np.ndarray:
    """The TOP_SHARE of the pixels with the highest probability; among equals the first in raster order."""
    count = round(TOP_SHARE * probability.size)
    found = np.zeros(probability.size, bool)
    found[np.argsort(-probability.ravel(), kind="stable")[:count]] = True
    return found.reshape(probability.shape)


def at_pixel(
    probability: np.ndarray, classes: Sequence[str], row: int, column: int, radius: int = 1
) -> Target:
    """Why this class just here? The target of a click at a pixel of the SIZE x SIZE grid."""
    name = classes[int(predicted_labels(probability)[row, column])]
    return Target(name, "pixel", row=row, column=column, radius=radius)


def score_map(logits: np.ndarray, label: int, kind: str, rival: int | None = None) -> np.ndarray:
    """What is averaged over the region: (..., C) logits -> (...) float64, in the unit of the kind.

    Log-odds are log p/(1 - p) = z_c - log sum of exp z_j over the other classes; for a binary network that is
    the logit itself. Computed from the logits, so that nothing is lost where the network is sure. A contrast
    is z_label - z_rival; with two classes that is the log-odds.
    """
    z = np.asarray(logits, np.float64)
    if kind not in SCORE_KINDS:
        raise ValueError(f"kind: expected one of {SCORE_KINDS}, got {kind!r}")
    if kind == "contrast" and rival is None:
        raise ValueError("rival: expected a label for a contrast, got none")
    if z.shape[-1] == 1:
        own = odds = against = z[..., 0] if label == 1 else -z[..., 0]
    else:
        own = z[..., label]
        others = np.delete(z, label, axis=-1)
        top = others.max(axis=-1)
        odds = own - top - np.log(np.exp(others - top[..., None]).sum(axis=-1))
        against = own if rival is None else own - z[..., rival]
    if kind == "probability":
        return np.asarray(np.exp(-np.logaddexp(0, -odds)))  # 1 / (1 + exp(-odds)), never an overflow
    return np.asarray({"logit": own, "log_odds": odds, "contrast": against}[kind])


def mean_over(values: np.ndarray, inside: np.ndarray) -> float:
    """Mean of (H, W) ``values`` over the pixels of ``inside``; NaN when there are none."""
    return float(values[inside].mean(dtype=np.float64)) if inside.any() else float("nan")
