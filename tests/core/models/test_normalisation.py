"""Our batch normalisation against Keras' own: values, gradients, moving statistics."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.slow
SHAPES = [
    (8, 16, 16, 25),
    (7, 8, 8, 13),
    (3, 3, 5, 4),
    (2, 1, 1, 6),
    (5, 6, 6, 1),
]  # rows fold by 16, 16, 1, 1, 4


def both(**settings):
    import keras

    from core.models._normalisation import BatchNormalization

    settings = {"momentum": 0.9, "epsilon": 1e-3} | settings
    return BatchNormalization(**settings), keras.layers.BatchNormalization(**settings)


def values(rng, shape, mean=0.0):
    return (rng.normal(size=shape) * rng.uniform(0.2, 3, shape[-1]) + mean).astype(np.float32)


def step(layer, x, weights, upstream):
    """Output, gradients of x and of the trained weights, and all weights after one training step."""
    import tensorflow as tf

    layer.build(x.shape)
    layer.set_weights(weights)
    x = tf.constant(x)

    @tf.function
    def trained():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(tf.cast(y, "float32") * upstream)
        return y, tape.gradient(loss, [x, *layer.trainable_variables])

    y, gradients = trained()
    return [y.numpy(), *(one.numpy() for one in gradients), *layer.get_weights()]


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("mean", [0.0, 20.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_training_step_equals_that_of_keras(shape, mean, scale):
    rng = np.random.default_rng(7)
    x, upstream = values(rng, shape, mean), values(rng, shape, 0.3)
    gamma, beta, moving, spread = rng.uniform(0.5, 2, (4, shape[-1])).astype(np.float32)
    weights = [gamma, beta, moving, spread] if scale else [beta, moving, spread]
    ours, theirs = (step(layer, x, weights, upstream) for layer in both(scale=scale))
    for one, other in zip(ours, theirs, strict=True):
        size = max(1.0, np.abs(other).max())
        np.testing.assert_allclose(one / size, other / size, atol=2e-4 if mean else 2e-5)


def test_a_constant_channel_gets_no_gradient_but_rounding():
    x = np.full((4, 16, 16, 3), 5.0, np.float32)
    x[..., 1] = 0
    upstream = values(np.random.default_rng(1), x.shape)
    weights = [np.ones(3), np.zeros(3), np.zeros(3), np.ones(3)]
    y, to_x, to_gamma, to_beta, *_ = step(both()[0], x, weights, upstream)
    np.testing.assert_allclose(y, 0, atol=1e-4)
    np.testing.assert_allclose(to_gamma, 0, atol=0.01)  # a sum over 1,024 values; Keras' own is 0.006 off
    np.testing.assert_allclose(to_beta, upstream.sum((0, 1, 2)), rtol=1e-4)
    centred = upstream - upstream.mean((0, 1, 2))
    np.testing.assert_allclose(to_x, centred / np.sqrt(1e-3), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("trainable", [True, False])
def test_reading_is_keras_own_to_the_last_bit(trainable):
    rng = np.random.default_rng(3)
    x = values(rng, (4, 16, 16, 13))
    weights = list(rng.uniform(0.5, 2, (4, 13)).astype(np.float32))
    found = []
    for layer in both():
        layer.trainable = trainable
        layer.build(x.shape)
        layer.set_weights(weights)
        found.append(layer(x, training=not trainable).numpy())  # a frozen layer reads in training as well
        assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), weights, strict=True))
    assert np.array_equal(*found)


def test_in_sixteen_bits_the_statistics_stay_in_32():
    import tensorflow as tf

    rng = np.random.default_rng(5)
    x = tf.constant(values(rng, (4, 16, 16, 5), 300.0))
    ours, theirs = both(dtype="mixed_bfloat16")
    y, wanted = ours(x, training=True), theirs(x, training=True)
    assert y.dtype == wanted.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(y, "float32"), tf.cast(wanted, "float32"), atol=0.05)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=1e-3)
