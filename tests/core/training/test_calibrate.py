"""Temperature scaling: the right number is found, and only the sureness changes."""

from __future__ import annotations

import numpy as np
import pytest

from core.prepared import Arrays

pytestmark = pytest.mark.slow  # the module imports Keras


@pytest.fixture(scope="module", params=[1, 3])
def case(request):
    """A network whose logits are exact, and labels drawn from them: (network, arrays, classes)."""
    import keras
    from keras import layers

    outputs = request.param
    rng = np.random.default_rng(4)
    images = rng.normal(0, 2, (6, 32, 32, outputs)).astype(np.float32)
    if outputs == 1:
        labels = (rng.random((6, 32, 32)) < 1 / (1 + np.exp(-images[..., 0]))).astype(np.uint8)
    else:
        noisy = images + rng.gumbel(size=images.shape)  # the Gumbel-max way to draw from a softmax
        labels = noisy.argmax(-1).astype(np.uint8)
    image = keras.Input((None, None, outputs))
    logits = layers.Conv2D(outputs, 1, name="logits")(image)
    network = keras.Model(image, layers.Activation("sigmoid" if outputs == 1 else "softmax")(logits))
    network.get_layer("logits").set_weights([np.eye(outputs)[None, None], np.zeros(outputs)])
    return network, Arrays(images, labels, ())


def test_a_calibrated_network_keeps_its_temperature(case):
    from core.training import calibrate

    assert calibrate.temperature(*case, np.arange(6)) == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("factor", [4.0, 0.25])
def test_an_overconfident_or_timid_network_is_scaled_back(case, factor):
    from core.training import calibrate

    network, arrays = case
    calibrate.fold_in(network, 1 / factor)
    try:
        found = calibrate.temperature(network, arrays, np.arange(6))
        before = network.predict_on_batch(arrays.images)
        assert found == pytest.approx(factor, rel=0.08)
        calibrate.fold_in(network, found)
        after = network.predict_on_batch(arrays.images)
        decided = (np.argmax(p, -1) if p.shape[-1] > 1 else p > 0.5 for p in (before, after))
        assert np.array_equal(*decided)
        assert np.abs(before - after).max() > 0.1
    finally:
        network.get_layer("logits").set_weights(
            [np.eye(before.shape[-1])[None, None], np.zeros(before.shape[-1])]
        )


def test_cross_entropy_of_one_and_of_two_outputs_agree():
    from core.training.calibrate import cross_entropy

    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 3, (50, 1)), rng.integers(0, 2, 50)
    both = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    assert cross_entropy(logits, labels) == pytest.approx(cross_entropy(both, labels))
    assert cross_entropy(np.zeros((4, 3)), np.array([0, 1, 2, 0])) == pytest.approx(np.log(3))
