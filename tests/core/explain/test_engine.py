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
    """Evidence by layer of one image, one region (128, 128) and one label; contrasts are to the background."""
    (found,) = one.evidence(image, region[None, ..., None], [label], kind, [rival(kind)])
    return found[0]


def rival(kind):
    return 0 if kind == "contrast" else None


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
    if kind == "contrast":
        return own - np.eye(z.shape[-1])[0]
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
            "contrast": z[..., label] - z[..., 0],
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
        assert one.rescore(image, region, label, kind, rival(kind)) == pytest.approx(
            score, rel=1e-4, abs=1e-6
        )


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


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("model", MODELS)
def test_slopes_of_the_image_equal_one_plain_tape(opened, image, model, channels):
    import keras
    import tensorflow as tf

    network, one = opened(model, channels)
    label, region = channels // 2 + channels % 2, regions()[0, ..., 0]
    view, given = keras.Model(network.input, network.get_layer("logits").output), tf.constant(image)
    with tf.GradientTape() as tape:
        tape.watch(given)
        z = view(given, training=False)[0]
        score = tf.reduce_mean(tf.boolean_mask(z[..., 0] if channels == 1 else z[..., label], region))
    found = one.slopes(np.concatenate([image, image]), region, label, "logit")
    assert found.shape == (2, 128, 128, 1)
    expected = tape.gradient(score, given).numpy()[0]
    # all but a few pixels: rounding may open or close a ReLU that is nearly 0, which shows round that pixel
    assert np.quantile(np.abs(found[1] - expected), 0.99) <= TOLERANCE * np.abs(expected).max()
    assert np.corrcoef(found[1].ravel(), expected.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("model", MODELS)
def test_a_channel_switched_off_changes_nothing_else(opened, image, model):
    """The tail on all channels is the network, and a dead channel makes no difference."""
    _, one = opened(model, 3)
    region = regions()[0, ..., 0]
    whole = one.rescore(image, region, 2, "log_odds")[0]
    evidence = explain(one, image, region, 2, "log_odds")
    for layer in ("bottleneck", "decoder_2"):  # all skips join later, and one
        found = evidence[layer]
        dead = np.flatnonzero(~found.activations.any(axis=(0, 1)))
        beyond = np.array([*dead, found.activations.shape[-1]])  # a number no channel has: all stay on
        assert one.without(layer, image[0], beyond, region, 2, "log_odds") == pytest.approx(whole, rel=1e-5)
        scores = one.without(layer, image[0], np.arange(3), region, 2, "log_odds")
        assert np.ptp([*scores, whole]) > 0


@pytest.mark.parametrize("model", MODELS)
def test_switching_off_a_channel_of_the_last_layer_takes_its_share_of_the_logit(opened, image, model):
    """z is linear in the last layer's channels there, so w_k = V_k mean of A_k over the region."""
    _, one = opened(model, 3)
    region = regions()[0, ..., 0]
    found = explain(one, image, region, 2, "logit")["decoder_1"]
    numbers = np.arange(found.activations.shape[-1])
    falls = found.score - one.without("decoder_1", image[0], numbers, region, 2, "logit")
    assert close(falls, (found.gradients * found.activations).sum(axis=(0, 1), dtype=np.float64))


@pytest.mark.parametrize("model", MODELS)
def test_gradients_are_the_slopes_of_the_score_in_double_precision(opened, image, model):
    """Central differences along random directions in A, with the tail rebuilt in float64."""
    import keras

    from core.explain.graph import joining, last_relu

    network, one = opened(model, 3)
    region = regions()[0, ..., 0]
    try:
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        exact = network_modules()[model].build(width=4, classes=3)
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    exact.set_weights(network.get_weights())
    kernel, bias = (w.astype(np.float64) for w in network.get_layer("logits").get_weights())
    rng = np.random.default_rng(0)
    for layer, found in list(explain(one, image, region, 2, "log_odds").items())[:-1]:
        start = last_relu(exact.get_layer(layer))
        entries, features = [start, *joining(exact, start)], exact.get_layer("decoder_1").output
        before, after = keras.Model(exact.input, entries), keras.Model(entries, features)
        given = before(image.astype(np.float64), training=False)
        own, *others = [np.asarray(one) for one in (given if isinstance(given, list) else [given])]

        def score(activations, after=after, others=others):
            last = np.asarray(after([activations, *others], training=False))[0]
            return targets.score_map(last @ kernel[0, 0] + bias, 2, "log_odds")[region].mean()

        assert own.dtype == np.float64
        direction = rng.normal(size=own.shape) * (own > 0)  # a dead feature has two slopes
        step = 1e-5 / np.sqrt((direction**2).mean())
        slope_along = (score(own + step * direction) - score(own - step * direction)) / (2 * step)
        expected = (found.gradients * direction[0]).sum(dtype=np.float64)
        scale = np.abs(found.gradients * direction[0]).sum(dtype=np.float64)
        assert abs(slope_along - expected) <= 1e-5 * scale, layer


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
            if row.card.needs == "gradients":
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


def test_questions_of_several_kinds_share_one_pass(opened, image):
    _, one = opened("unet", 3)
    kinds = ["log_odds", "probability", "contrast"]
    (together,) = one.evidence(image, regions(3)[:1], [2, 2, 2], kinds, [None, None, 0])
    for found, kind in zip(together, kinds, strict=True):
        alone = explain(one, image, regions()[0, ..., 0], 2, kind)
        assert found["bottleneck"].score == pytest.approx(alone["bottleneck"].score)
        for layer in one.layers:
            assert close(found[layer].gradients, alone[layer].gradients), (kind, layer)


def test_rescoring_keeps_the_region_and_the_order(opened, image):
    _, one = opened("unet", 1)
    images = np.concatenate([image * share for share in np.linspace(0, 1, 11)]).astype(np.float32)
    inside = regions()[0, ..., 0]
    scores = one.rescore(images, inside, 1, "probability")
    expected = [float(p[inside].mean(dtype=np.float64)) for p in one.predict(images)[..., 0]]
    assert scores == pytest.approx(expected, rel=1e-4)
    nothing = np.zeros((128, 128), bool)
    assert np.isnan(one.rescore(images, nothing, 1, "probability")).all()
    assert np.isnan(one.without("bottleneck", image[0], np.arange(9), nothing, 1, "logit")).all()


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
