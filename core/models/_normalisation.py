"""Batch normalisation that computes the same as Keras' and trains faster on a CPU."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

FOLD = 16  # neighbouring pixels whose channels make one row: rows long enough for vector instructions


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer over the last axis of (n, height, width, channels); only a training step computes otherwise.

    Keras multiplies and sums along an axis as short as 4 to 50 channels, and its backends keep every step of that
    for the gradient. Here rows of ``FOLD`` pixels are treated at once and the gradient is written out. Values,
    gradients and moving statistics agree with Keras' to rounding; reading an image is Keras' own. Masks, groups
    of replicas and renormalisation are not offered. Source: Ioffe and Szegedy 2015, arXiv 1502.03167, section 3.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalised ``inputs`` of the same shape, in the layer's compute dtype; float32 inside."""
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        x = ops.cast(inputs, "float32")
        gamma = ops.cast(self.gamma, x.dtype) if self.scale else ops.ones((x.shape[-1],), x.dtype)
        normalised, mean, variance = _normalise(self.epsilon)(x, gamma, ops.cast(self.beta, x.dtype))
        for moving, of_batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + ops.stop_gradient(of_batch) * (1 - self.momentum))
        return ops.cast(normalised, self.compute_dtype)


def _normalise(epsilon: float) -> Callable[[Any, Any, Any], tuple[Any, Any, Any]]:
    """(x, gamma, beta) to (gamma * (x - mean) / sqrt(variance + epsilon) + beta, mean, variance).

    Only the first has a gradient. Statistics are over all axes but the last; the variance is that of Keras,
    divided by the number of values.
    """

    def normalise(x: Any, gamma: Any, beta: Any) -> Any:
        channels = x.shape[-1]
        fold = math.gcd(math.prod(x.shape[1:-1]), FOLD)

        def rows(values: Any) -> Any:
            return ops.reshape(values, (-1, fold * channels))

        def each(per_channel: Any) -> Any:
            return ops.tile(per_channel, (fold,))

        def mean_of(values: Any) -> Any:
            return ops.mean(ops.reshape(ops.mean(values, axis=0), (fold, channels)), axis=0)

        flat = rows(x)
        mean = mean_of(flat)
        variance = mean_of(ops.square(flat - each(mean)))
        spread = ops.rsqrt(variance + epsilon)
        slope = gamma * spread
        normalised = ops.reshape(flat * each(slope) + each(beta - mean * slope), ops.shape(x))

        def gradient(*upstream: Any) -> tuple[Any, Any, Any]:
            # One argument for each of the three results under TensorFlow, one tuple of them under JAX.
            arriving = rows(keras.tree.flatten(upstream)[0])
            to_beta = mean_of(arriving)
            to_gamma = (mean_of(arriving * flat) - mean * to_beta) * spread
            back = slope * spread * to_gamma  # x changes the variance too
            to_x = arriving * each(slope) - flat * each(back) + each(mean * back - slope * to_beta)
            number = ops.cast(ops.shape(flat)[0] * fold, "float32")
            return ops.reshape(to_x, ops.shape(x)), to_gamma * number, to_beta * number

        return (normalised, mean, variance), gradient

    return ops.custom_gradient(normalise)  # type: ignore[no-any-return]
