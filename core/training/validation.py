"""How good a network is on the validation part, and which epoch was best."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from core import weights
from core.prepared import Arrays
from core.records import THRESHOLD
from core.training.batches import Batches
from core.training.config import TrainConfig
from core.training.order import shuffled

CHUNK = 16  # validation images per forward pass
SETTLING = 40  # batches that re-estimate the normalisation after weights were averaged


@dataclass
class Stopper:
    """Which epoch was best so far, and how long nothing improved; its whole state is in the checkpoint."""

    best_epoch: int = 0
    best: float = 0.0
    is_clean: bool = False  # whether the best epoch kept to the share of false alarms
    wait: int = 0

    def improves(self, epoch: int, scores: dict[str, float | None], config: TrainConfig) -> bool:
        """Take in one epoch's scores; whether it is the best so far. Undefined scores never are.

        An epoch with too many false alarms is never better than one without, whatever its score.
        """
        value = scores[config.select]
        is_clean = (scores["val_false_alarm"] or 0.0) <= config.max_false_alarm
        higher = value is not None and (
            value < self.best if config.select == "val_loss" else value > self.best
        )
        better = value is not None and (is_clean > self.is_clean or (is_clean == self.is_clean and higher))
        if better or not self.best_epoch:
            self.best_epoch, self.best, self.is_clean, self.wait = epoch, value or 0.0, is_clean, 0
            return True
        if epoch >= config.start_from:
            self.wait += 1
        return False

    def is_done(self, config: TrainConfig) -> bool:
        """Whether patience has run out."""
        return bool(config.patience) and self.wait >= config.patience


def validate(network: keras.Model, arrays: Arrays, rows: np.ndarray, classes: int) -> dict[str, float | None]:
    """Scores on the validation rows, on the networks' grid; ``classes`` counts background too.

    val_loss         cross-entropy per pixel
    val_dice         mean per-case Dice of the last class (tumour) over cases that have one
    val_whole_dice   the same over all cases: one without a tumour counts 1 where none is drawn, else 0
    val_false_alarm  share of cases without it on which any of it is drawn
    val_pooled_dice  mean over the classes but background of the Dice pooled over all rows; a class counts with
                     those inside it, so liver includes tumour. Steadier than val_dice where cases are few
    None where no case defines the score.
    """
    losses: list[float] = []
    counts: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(3, np.int64))
    pooled = np.zeros((classes - 1, 3), np.int64)
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        labels = np.stack([arrays.labels[row] for row in part])
        probability = network.predict_on_batch(np.stack([arrays.images[row] for row in part]))
        losses.extend(_cross_entropy(probability, labels))
        drawn = _tumour(probability)
        for row, one, truth in zip(part, drawn, labels == classes - 1, strict=True):
            counts[arrays.entries[row].case] += ((one & truth).sum(), one.sum(), truth.sum())
        highest = drawn if classes == 2 else np.asarray(probability).argmax(-1)
        for label in range(1, classes):
            mask, truth = highest >= label, labels >= label
            pooled[label - 1] += ((mask & truth).sum(), mask.sum(), truth.sum())
    found = np.array(list(counts.values()))
    has_one = found[:, 2] > 0
    dice = 2 * found[has_one, 0] / (found[has_one, 1] + found[has_one, 2])
    clean = found[~has_one, 1] == 0
    return {
        "val_loss": float(np.mean(losses)),
        "val_dice": float(dice.mean()) if has_one.any() else None,
        "val_whole_dice": float(np.concatenate([dice, clean]).mean()) if len(found) else None,
        "val_false_alarm": float((~clean).mean()) if len(clean) else None,
        "val_pooled_dice": float((2 * pooled[:, 0] / pooled[:, 1:].sum(axis=1)).mean())
        if pooled[:, 2].all()
        else None,
    }


@contextlib.contextmanager
def as_published(
    network: keras.Model, trained: keras.Model, arrays: Arrays, rows: np.ndarray, config: TrainConfig
) -> Iterator[None]:
    """Within it the network has the weights that a run of this epoch would have; afterwards its own again.

    Those are its own with rounded kernels, or the running average of them where ``config.ema`` says so. The
    optimiser averages trainable weights only, so the normalisation statistics are then estimated anew on
    training images. ``trained`` holds the same layers, the optimiser, and what else is trained with them.
    """
    own = trained.get_weights()
    if config.ema:
        trained.optimizer.finalize_variable_values(trained.trainable_variables)
        rows = shuffled(rows, 0, 0)
        settling = Batches(arrays.images, arrays.labels, rows, batch=config.batch, seed=0, epoch=0, augment=0)
        for number in range(SETTLING):
            network(settling.draw(number % len(settling))[0], training=True)
    weights.round_kernels(network)
    try:
        yield
    finally:
        trained.set_weights(own)


def _tumour(probability: np.ndarray) -> np.ndarray:
    if probability.shape[-1] == 1:
        return probability[..., 0] > THRESHOLD
    return probability.argmax(-1) == probability.shape[-1] - 1


def _cross_entropy(probability: np.ndarray, labels: np.ndarray) -> np.ndarray:
    sure = np.clip(np.asarray(ops.convert_to_numpy(probability), np.float64), 1e-7, 1 - 1e-7)
    if sure.shape[-1] == 1:
        true_class = np.where(labels > 0, sure[..., 0], 1 - sure[..., 0])
    else:
        true_class = np.take_along_axis(sure, labels[..., None].astype(int), -1)[..., 0]
    return -np.log(true_class).mean((1, 2))
