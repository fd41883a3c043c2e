"""Deep supervision: while a network learns, its coarser decoder levels answer to the reference too.

Each of them gets a 1x1 convolution to logits, enlarged bilinearly to the full grid (Lee et al., Deeply-Supervised
Nets, AISTATS 2015; weights that halve from level to level as in Isensee et al., nnU-Net, Nature Methods 2021).
These heads exist in training only: a published run has the layers of its network and nothing else.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from core.training.losses import Loss

LEVELS = (2, 3)  # decoder levels that answer too, at half and a quarter of the grid
FALLING = 0.5  # weight of a level in that of the next finer one


def deepened(network: keras.Model) -> keras.Model:
    """``network`` with a head at each of ``LEVELS``: (batch, rows, columns, heads * outputs) logits, its own first.

    The same layers are in both models: what one learns the other has.
    """
    logits = network.get_layer("logits").output
    heads = [logits, *(_head(network, level, logits.shape[-1]) for level in LEVELS)]
    return keras.Model(network.input, layers.Concatenate(name="all_heads")(heads))


def over_heads(loss: Loss) -> Loss:
    """``loss`` averaged over all heads of a deepened network."""
    shares = [FALLING**place for place in range(len(LEVELS) + 1)]

    def averaged(reference: Any, found: Any) -> Any:
        each = [loss(reference, part) for part in ops.split(found, len(shares), axis=-1)]
        return sum(share * one for share, one in zip(shares, each, strict=True)) / sum(shares)

    return averaged


def _head(network: keras.Model, level: int, outputs: int) -> keras.KerasTensor:
    coarse = network.get_layer(f"decoder_{level}").output
    made = layers.Conv2D(outputs, 1, dtype="float32", name=f"deep_logits_{level}")(coarse)
    scale = 2 ** (level - 1)
    return layers.UpSampling2D(scale, interpolation="bilinear", dtype="float32", name=f"deep_up_{level}")(
        made
    )
