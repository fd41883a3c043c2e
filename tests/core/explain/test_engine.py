"""The evidence engine: against plain tapes, against closed forms, and the laws of what it may return."""

import threading

import numpy as np
import pytest

from core import weights
from core.catalogues import network_modules
from core.errors import CoreError, JobBusy
from core.explain import focus, targets
from core.explain.methods import METHODS, gradcam, hirescam
from core.records import PAPER_TARGET, SCORE_KINDS, Run

MODELS = sorted(network_modules())
TOLERANCE = 1e-5  # float32, relative to the map's maximum

pytestmark = pytest.mark.slow


def regions(count=1):
    """Three regions (3, 128, 128, count): a disc, a strip at the border, the whole image."""
    rows, columns = np.mgrid[:128, :128]
    disc = (rows - 50) ** 2 + (columns - 70) ** 2 < 15**2
    strip = columns > 120
    found = np.stack([disc, strip, np.ones_like(disc)])
    return np.repeat(found[..., None], count, axis=-1)


def explain(one, image, region, label, kind):
    """Evidence by layer of one image, one region (128, 128) and one label."""
    (found,) = one.evidence(image, region[None, ..., None], [label], kind)
    return found[0]


def close(found, expected, tolerance=TOLERANCE):
    return np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def logits_of(network, image):
    import keras

    view = keras.Model(network.input, network.get_layer("logits").output)
    return np.asarray(view(image, training=False))[0].astype(np.float64)


def slope(z, label, kind):
    """d(score per pixel)/d(logits), (H, W, C), by the table of score kinds, in float64."""
    if z.shape[-1] == 1:
        p = 1 / (1 + np.exp(-z))
        return (2 * label - 1) * (p * (1 - p) if kind == "probability" else np.ones_like(z))
    own = np.eye(z.shape[-1])[label] + np.zeros_like(z)
    odds = np.exp(z)
    if kind == "logit":
        return own
    if kind == "log_odds":
        others = odds * (1 - own)
        return own - others / others.sum(-1, keepdims=True)
    p = odds / odds.sum(-1, keepdims=True)
    return p[..., label : label + 1] * (own - p)


def logits_without_features(network):
    """The logits (C,) where the last stage's features are all 0."""
    import keras

    stage, head = network.get_layer("decoder_1"), network.get_layer("logits")
    nothing = np.zeros((1, 1, 1, stage.output.shape[-1]), np.float32)
    if isinstance(stage, keras.layers.BatchNormalization):
        nothing = stage(nothing, training=False)
    return np.asarray(head(nothing))[0, 0, 0].astype(np.float64)


def plain_tape(network, layers, image, region, label, kind):
    """A and G by layer, and the score, from one eager tape and an independent way of writing the score."""
    import keras
    import tensorflow as tf

    from core.explain.engine import last_relu

    taps = [last_relu(network.get_layer(name)) for name in layers]
    view = keras.Model(network.input, [*taps, network.get_layer("logits").output])
    with tf.GradientTape() as tape:
        *activations, z = view(image, training=False)
        if z.shape[-1] == 1:
            z = tf.concat([tf.zeros_like(z), z], axis=-1)  # a sigmoid is a softmax over (0, z)
        others = tf.concat([z[..., :label], z[..., label + 1 :]], axis=-1)
        per_pixel = {
            "log_odds": z[..., label] - tf.reduce_logsumexp(others, axis=-1),
            "logit": z[..., label],
            "probability": tf.nn.softmax(z)[..., label],
        }[kind]
        score = tf.reduce_mean(tf.boolean_mask(per_pixel[0], region))
    gradients = tape.gradient(score, activations)
    arrays = {
        name: (a.numpy()[0], g.numpy()[0]) for name, a, g in zip(layers, activations, gradients, strict=True)
    }
    return arrays, float(score)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("model", MODELS)
def test_one_pass_equals_one_plain_tape_per_score(opened, image, model, channels):
    network, one = opened(model, channels)
    label, region = channels // 2 + channels % 2, regions()[0, ..., 0]
    for kind in SCORE_KINDS:
        found = explain(one, image, region, label, kind)
        expected, score = plain_tape(network, one.layers, image, region, label, kind)
        for layer, (activations, gradients) in expected.items():
            assert close(found[layer].activations, activations), (kind, layer)
            assert close(found[layer].gradients, gradients), (kind, layer)
            assert found[layer].score == pytest.approx(score, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("model", MODELS)
def test_at_the_last_layer_both_maps_follow_from_the_logits(opened, image, model, channels):
    """HiResCAM = sum over j of slope_j (z_j - b0_j); Grad-CAM the same with the mean slope."""
    network, one = opened(model, channels)
    evidence_of_features = logits_of(network, image) - logits_without_features(network)
    label = channels // 2 + channels % 2
    for region in regions()[..., 0]:
        for kind in SCORE_KINDS:
            share = slope(logits_of(network, image), label, kind) * (region / region.sum())[..., None]
            found = explain(one, image, region, label, kind)["decoder_1"]
            assert close(hirescam(found), (share * evidence_of_features).sum(-1)), kind
            assert close(gradcam(found), (share.mean((0, 1)) * evidence_of_features).sum(-1)), kind


@pytest.mark.parametrize("model", MODELS)
def test_hirescam_of_the_last_layer_adds_up_to_the_score(opened, image, model):
    network, one = opened(model, 3)
    for label in range(3):
        found = explain(one, image, regions()[0, ..., 0], label, "logit")["decoder_1"]
        total = hirescam(found).sum(dtype=np.float64)
        assert total == pytest.approx(found.score - logits_without_features(network)[label], rel=TOLERANCE)


@pytest.mark.parametrize("model", MODELS)
def test_paper_mode_at_the_last_layer_is_the_stretched_logit_map(opened, image, model):
    network, one = opened(model, 1)
    found = explain(one, image, np.ones((128, 128), bool), 1, PAPER_TARGET.kind)
    shown = np.maximum(gradcam(found["decoder_1"]), 0)
    expected = np.maximum((logits_of(network, image) - logits_without_features(network))[..., 0], 0)
    assert np.abs(shown / shown.max() - expected / expected.max()).max() < TOLERANCE


@pytest.mark.parametrize("model", ["multiresunet", "dcunet"])
def test_after_the_normalisation_gradcam_is_shifted_by_a_constant(opened, image, model):
    """Why the last ReLU is explained: Grad-CAM after minus before = sum of w_k t_k, the same in every cell."""
    import keras
    import tensorflow as tf

    network, one = opened(model, 1)
    stage, region = network.get_layer("decoder_3"), regions()[0, ..., 0]
    view = keras.Model(network.input, [stage.output, network.get_layer("logits").output])
    with tf.GradientTape() as tape:
        after, z = view(image, training=False)
        score = tf.reduce_mean(tf.boolean_mask(z[0, ..., 0], region))
    weight = tape.gradient(score, after).numpy()[0].mean((0, 1), dtype=np.float64)
    gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in stage.get_weights())
    shift = (weight * (beta - gamma * mean / np.sqrt(variance + stage.epsilon))).sum()
    before = gradcam(explain(one, image, region, 1, "log_odds")["decoder_3"])
    difference = after.numpy()[0] @ weight - before
    assert abs(shift) > 1e-3 * np.abs(before).max()
    assert np.abs(difference - shift).max() <= TOLERANCE * np.abs(before).max() + TOLERANCE * abs(shift)


@pytest.mark.parametrize("model", MODELS)
def test_what_is_explained_is_never_negative(opened, image, model):
    _, one = opened(model, 1)
    found = explain(one, image, regions()[0, ..., 0], 1, "log_odds")
    assert list(found) == ["bottleneck", "decoder_4", "decoder_3", "decoder_2", "decoder_1"]
    assert [e.activations.shape[0] for e in found.values()] == [8, 16, 32, 64, 128]
    for layer, evidence in found.items():
        assert evidence.activations.min() >= 0, layer
        assert evidence.gradients.any(), layer


@pytest.mark.parametrize("model", MODELS)
def test_a_batch_equals_single_images(opened, image, model):
    _, one = opened(model, 1)
    images = np.concatenate([image, image[:, ::-1], 1 - image, image**2, image[:, :, ::-1]])
    asked = np.concatenate([regions(), regions()[:2]])
    batch = list(one.evidence(images, asked, [1], "log_odds"))
    assert len(batch) == 5
    for row in range(5):
        single = explain(one, images[row : row + 1], asked[row, ..., 0], 1, "log_odds")
        for layer in one.layers:
            assert close(batch[row][0][layer].gradients, single[layer].gradients), (row, layer)
    predictions = one.predict(np.concatenate([images, images]))
    assert predictions.shape == (10, 128, 128, 1)
    assert np.abs(predictions[7] - one.predict(images[2:3])[0]).max() < TOLERANCE


@pytest.mark.parametrize("model", MODELS)
def test_the_background_of_a_binary_network_is_the_exact_negative(opened, image, model):
    _, one = opened(model, 1)
    (found,) = one.evidence(image, regions(2)[:1], [1, 0], "log_odds")
    tumour, background = found
    for layer in one.layers:
        assert np.array_equal(background[layer].gradients, -tumour[layer].gradients)
    assert background["bottleneck"].score == -tumour["bottleneck"].score


def test_classes_asked_together_equal_classes_asked_alone(opened, image):
    _, one = opened("unet", 3)
    (together,) = one.evidence(image, regions(3)[:1], [2, 0, 1], "log_odds")
    for slot, label in enumerate([2, 0, 1]):
        alone = explain(one, image, regions()[0, ..., 0], label, "log_odds")
        for layer in one.layers:
            assert close(together[slot][layer].gradients, alone[layer].gradients)


@pytest.mark.parametrize("channels", [1, 3])
def test_no_region_means_the_predicted_region(opened, image, channels):
    _, one = opened("multiresunet", channels)
    probability = one.predict(image)[0]
    sizes = []
    for label in range(max(channels, 2)):
        inside = targets.predicted_region(probability, label)
        sizes.append(int(inside.sum()))
        (found,) = one.evidence(image, None, [label], "log_odds")
        expected = explain(one, image, inside, label, "log_odds")
        for layer in one.layers:
            assert np.array_equal(found[0][layer].gradients, expected[layer].gradients)
            assert found[0][layer].score == pytest.approx(expected[layer].score, nan_ok=True)
    assert sum(sizes) == 128 * 128
    assert max(sizes) < 128 * 128  # at least two labels are predicted


def test_an_empty_region_has_gradients_of_exactly_zero(opened, image):
    _, one = opened("multiresunet", 1)
    found = explain(one, image, np.zeros((128, 128), bool), 1, "log_odds")
    for evidence in found.values():
        assert not evidence.gradients.any()
        assert np.isnan(evidence.score)
        for row in METHODS.values():
            assert not row.formula(evidence).any()


def test_a_sure_network_is_saturated_in_probability_and_not_in_log_odds(image):
    import keras

    from core.explain.engine import EvidencePass

    keras.utils.set_random_seed(3)
    module = network_modules()["unet"]
    network = module.build(width=4)
    kernel, bias = network.get_layer("logits").get_weights()
    network.get_layer("logits").set_weights([kernel, bias + 200])
    one, region = EvidencePass(network, module.CARD.layers), regions()[0, ..., 0]
    p = one.predict(image)[0, ..., 0]
    assert (p == 1).all()
    for kind, state in (("probability", "saturated"), ("log_odds", "ok")):
        found = explain(one, image, region, 1, kind)["decoder_4"]
        flat = not found.gradients.any()
        assert flat == (kind == "probability")
        values = np.abs(gradcam(found))  # the sign of random weights is not the matter here
        given = {"kind": kind, "region": region, "probability": p, "predicted": p > 0.5}
        assert focus.states(values, **given, flat=flat, last=False)[0] == state


def test_a_vector_added_to_every_class_changes_the_logit_maps_alone(image):
    import keras

    from core.explain.engine import EvidencePass

    keras.utils.set_random_seed(2)
    module = network_modules()["unet"]
    network = module.build(width=4, classes=3)
    one = EvidencePass(network, module.CARD.layers)
    region = regions()[0, ..., 0]
    before = {kind: explain(one, image, region, 2, kind)["decoder_2"] for kind in SCORE_KINDS}
    predicted = one.predict(image)
    kernel, bias = network.get_layer("logits").get_weights()
    extra = np.random.default_rng(0).normal(size=(1, 1, kernel.shape[2], 1)).astype(np.float32)
    network.get_layer("logits").set_weights([kernel + extra, bias])
    assert np.abs(one.predict(image) - predicted).max() < 1e-5
    for kind in SCORE_KINDS:
        after = gradcam(explain(one, image, region, 2, kind)["decoder_2"])
        unchanged = close(after, gradcam(before[kind]), 1e-4)
        assert unchanged == (kind != "logit"), kind


def test_regions_of_the_wrong_shape_are_named(opened, image):
    _, one = opened("unet", 1)
    with pytest.raises(ValueError, match="regions: expected shape"):
        next(one.evidence(image, regions(2)[:1], [1], "log_odds"))


def test_another_backend_is_refused_in_words(monkeypatch):
    import keras

    from core.explain.engine import EvidencePass

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(CoreError, match="KERAS_BACKEND=tensorflow"):
        EvidencePass(None, ())


def run_named(name):
    classes = ("background", "tumour")
    return Run(name, "d", "unet", 0, 4, "strong", classes, "s", "", name, 1, {}, {})


def test_a_network_is_opened_once_and_the_oldest_is_closed(monkeypatch, image):
    from core.explain import engine

    loaded = []

    def load(run):
        loaded.append(run.name)
        return network_modules()["unet"].build(width=1)

    monkeypatch.setattr(weights, "load", load)
    monkeypatch.setattr(engine, "KEPT", 2)
    monkeypatch.setattr(engine, "_OPENED", engine.OrderedDict())
    monkeypatch.setattr(engine.EvidencePass, "warm", lambda self: None)
    layers = network_modules()["unet"].CARD.layers
    for name in ("a", "a", "b", "a", "c", "a", "b"):
        engine.predict(run_named(name), layers, image)
    assert loaded == ["a", "b", "c", "b"]
    assert len(engine._OPENED) == 2


def test_the_third_in_the_queue_is_told_to_try_again(image):
    from core.explain import engine

    for _ in range(engine.WAITING):
        assert engine._TURNS.acquire(blocking=False)
    try:
        with pytest.raises(JobBusy, match="Try again"):
            engine.predict(run_named("a"), (), image)
    finally:
        for _ in range(engine.WAITING):
            engine._TURNS.release()


def test_readers_at_the_same_time_get_the_same_answers(monkeypatch, opened, image):
    from core.explain import engine

    _, one = opened("unet", 1)
    run = run_named("shared")
    monkeypatch.setitem(engine._OPENED, (run.name, run.weights_sha256), one)
    expected = one.predict(image)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(engine.predict(run, one.layers, image)))
        for _ in range(engine.WAITING)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == engine.WAITING
    assert all(np.array_equal(answer, expected) for answer in found)
