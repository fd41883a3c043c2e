"""Deep supervision: more heads while learning, the same network afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core import places, runs, weights
from core.training.config import TrainConfig

SETTINGS = {"width": 4, "channels_in": 1, "head": "plain", "bn_momentum": 0.9, "initializer": "he_normal"}


def made(classes):
    network = weights.build("unet", SETTINGS | {"classes": classes})
    picture = np.random.default_rng(0).random((2, 128, 128, 1)).astype(np.float32)
    return network, picture


@pytest.mark.parametrize("classes", [1, 3])
def test_the_loss_is_the_weighted_mean_over_the_heads(classes):
    from core.training import losses, supervision

    network, picture = made(classes)
    plain = losses.overlap(classes)
    model, loss = supervision.deepened(network), supervision.over_heads(plain)
    found = np.asarray(model(picture, training=False))
    reference = np.zeros((2, 128, 128, 1), np.int32)
    reference[0, 40:80, 40:80] = classes - 1 or 1
    heads = [found[..., at : at + classes] for at in range(0, 3 * classes, classes)]
    by_hand = [float(plain(reference, head)) for head in heads]
    assert float(loss(reference, found)) == pytest.approx(np.average(by_hand, weights=[4, 2, 1]), rel=1e-5)
    own = np.asarray(network(picture, training=False))
    assert np.allclose(1 / (1 + np.exp(-heads[0])) if classes == 1 else _softmax(heads[0]), own, atol=1e-5)


def _softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_a_coarse_head_answers_at_the_place_it_is_asked_about():
    """A decoder level that is switched on at one spot moves its own head there, and no other place far away."""
    import keras

    from core.training import supervision

    network, _ = made(1)
    model = supervision.deepened(network)
    head = keras.Model(network.get_layer("decoder_3").output, model.get_layer("deep_up_3").output)
    features = np.zeros((1, 32, 32, 16), np.float32)
    features[0, 8, 20] = 1
    moved = np.abs(np.asarray(head(features)) - np.asarray(head(0 * features)))[0, ..., 0]
    rows, columns = np.nonzero(moved > 1e-6)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 37, 78, 85)


@pytest.mark.slow
def test_the_published_run_has_no_trace_of_the_heads_but_other_weights(phantoms, monkeypatch):
    from core.training import validation
    from core.training.fit import train

    monkeypatch.setattr(validation, "SETTLING", 4)
    plain = TrainConfig("phantom_busi", "unet", width=2, epochs=2, batch=4, ema=0.9)
    found = []
    for config in (replace(plain, deep_supervision=True), plain):
        name = f"run-{len(found)}"
        places.run(name).mkdir(parents=True)
        found.append(train(name, config, report=lambda facts: None))
    assert len({run.manifest["fingerprint"] for run in found}) == 1
    deep, shallow = found
    assert deep.weights_sha256 != shallow.weights_sha256
    assert weights.load(deep).count_params() == shallow.manifest["parameters"]
    assert runs.read_run("run-0").problem is None
