"""Losses on logits, in keras.ops, so that they run under every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

Loss = Callable[[Any, Any], Any]
SMOOTH = 1.0  # pixels added to both sides of a soft Dice: empty masks stay defined
CROSS_ENTROPY_SHARE = 0.5  # calibrates the probabilities; the overlap terms balance the classes
PRESENCE_SHARE = 0.3
PRESENCE_PIXELS = 16  # the hottest 0.1 % of a 128 x 128 image: the smallest spot that a reader would notice
ABSENCE_WEIGHT = 2.0  # of images without the class, which are one in six of the training part


def overlap(outputs: int, *, presence: bool = True) -> Loss:
    """Cross-entropy plus soft Dice plus presence, for ``outputs`` channels of logits (1: binary).

    The Dice term is the mean of Dice over the whole batch, which normal images cannot break, and the mean of
    Dice per image over images that show the class, which is what the per-case score measures and keeps small
    lesions from drowning in large ones. Background takes no part. The presence term asks the hottest pixels of
    an image whether it shows the class at all: it is what keeps normal images clean. ``presence=False`` leaves
    it out.
    """

    def loss(reference: Any, logits: Any) -> Any:
        logits = ops.cast(logits, "float32")
        hot, probability = _classes(reference, logits, outputs)
        batch_dice = _dice(hot, probability, (0, 1, 2))
        case_dice = _dice(hot, probability, (1, 2))
        present = ops.cast(ops.any(hot > 0, axis=(1, 2)), "float32")
        shown = ops.sum(present, axis=0)
        per_case = ops.sum(case_dice * present, axis=0) / ops.maximum(shown, 1.0)
        # A batch without the class has no per-case Dice: its batch Dice stands in.
        per_case = ops.where(shown > 0, per_case, batch_dice)
        dice = ops.mean(0.5 * batch_dice + 0.5 * per_case)
        entropy = cross_entropy(outputs)(reference, logits)
        total = CROSS_ENTROPY_SHARE * entropy + (1.0 - dice)
        if not presence:
            return total
        return total + PRESENCE_SHARE * _presence(_foreground_logits(logits, outputs), present)

    return loss


def cross_entropy(outputs: int) -> Loss:
    """Mean over pixels of binary (``outputs=1``) or categorical cross-entropy, from logits."""

    def loss(reference: Any, logits: Any) -> Any:
        logits = ops.cast(logits, "float32")
        if outputs == 1:
            target = ops.cast(reference > 0, "float32")
            return ops.mean(ops.binary_crossentropy(target, logits, from_logits=True))
        target = ops.one_hot(ops.cast(reference[..., 0], "int32"), outputs)
        return ops.mean(ops.categorical_crossentropy(target, logits, from_logits=True))

    return loss


def _classes(reference: Any, logits: Any, outputs: int) -> tuple[Any, Any]:
    """Reference and probability of the foreground classes, both (batch, rows, columns, classes)."""
    if outputs == 1:
        return ops.cast(reference > 0, "float32"), ops.sigmoid(logits)
    hot = ops.one_hot(ops.cast(reference[..., 0], "int32"), outputs)
    return hot[..., 1:], ops.softmax(logits)[..., 1:]


def _foreground_logits(logits: Any, outputs: int) -> Any:
    if outputs == 1:
        return logits
    rest = [ops.logsumexp(_without(logits, c, outputs), axis=-1) for c in range(1, outputs)]
    return logits[..., 1:] - ops.stack(rest, axis=-1)


def _without(logits: Any, channel: int, outputs: int) -> Any:
    return ops.stack([logits[..., c] for c in range(outputs) if c != channel], axis=-1)


def _dice(hot: Any, probability: Any, axes: tuple[int, ...]) -> Any:
    both = 2.0 * ops.sum(hot * probability, axis=axes) + SMOOTH
    return both / (ops.sum(hot, axis=axes) + ops.sum(probability, axis=axes) + SMOOTH)


def _presence(log_odds: Any, present: Any) -> Any:
    shape = ops.shape(log_odds)
    flat = ops.reshape(log_odds, (shape[0], shape[1] * shape[2], shape[3]))
    hottest = ops.top_k(ops.transpose(flat, (0, 2, 1)), PRESENCE_PIXELS)[0]
    cost = ops.binary_crossentropy(present, ops.mean(hottest, axis=-1), from_logits=True)
    return ops.mean(cost * (present + ABSENCE_WEIGHT * (1.0 - present)))
