"""One epoch, batch by batch; the next batch is drawn while the network learns from this one.

Not ``Model.fit``: it reads through tf.data, whose iterator waits when it is deleted until its autotuner wakes.
That was measured at 20 to 120 s at the end of an epoch of 25 to 60 s.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from core import prepared
from core.training import losses, order, supervision
from core.training.batches import Batches
from core.training.config import TrainConfig


def learn(trained: keras.Model, batches: Batches, after_batch: Callable[[int, float], bool]) -> float | None:
    """Mean loss over all batches; None when ``after_batch(number from 1, loss)`` asks to stop."""
    if not trained.optimizer.built:  # or TensorFlow traces the first step twice: variables were made in it
        trained.optimizer.build(trained.trainable_variables)
    costs = []
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(batches.draw, 0)
        for number in range(1, len(batches) + 1):
            images, labels = coming.result()
            if number < len(batches):
                coming = ahead.submit(batches.draw, number)
            costs.append(float(trained.train_on_batch(images, labels, return_dict=True)["loss"]))
            if after_batch(number, costs[-1]):
                return None
    return float(np.mean(costs))


def epoch_loss(config: TrainConfig, outputs: int, epoch: int) -> losses.Loss:
    """The loss of one epoch, from 1."""
    if config.loss == "cross_entropy":
        loss = losses.cross_entropy(outputs)
    else:
        loss = losses.overlap(outputs, presence=config.asks_presence(epoch))
    return supervision.over_heads(loss) if config.deep_supervision else loss


def shown(arrays: prepared.Arrays, rows: np.ndarray, config: TrainConfig, epoch: int) -> np.ndarray:
    """The rows of one epoch, from 1, in their order."""
    if config.draws:
        return order.balanced(arrays, rows, config.draws, config.seed, epoch)
    return order.shuffled(rows, config.seed, epoch)
