"""Our maps against other libraries at work; each is optional, see requirements-oracles.txt."""

import numpy as np
import pytest

from core.explain.controls import integrated_gradients, occlusion
from core.explain.methods import gradcam, layercam
from core.records import Evidence, Passes

pytestmark = pytest.mark.slow

TOLERANCE = 1e-5  # float32, relative to the map's maximum
ROUNDED = 1e-3  # the same at decoder_1: their mean of 16,384 equal float32 gradients is itself off by 2e-4
LAYERS = ("bottleneck", "decoder_4", "decoder_3", "decoder_2", "decoder_1")
ABSENT = "not installed: pip install --no-deps -r requirements-oracles.txt"


def close(found, expected, tolerance=TOLERANCE):
    return np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def disc():
    rows, columns = np.mgrid[:128, :128]
    return (rows - 50) ** 2 + (columns - 70) ** 2 < 15**2


def to_logits(network):
    """The network up to its logits, and for each layer the name of the layer whose output we explain."""
    import keras

    from core.explain.graph import last_relu

    view = keras.Model(network.input, network.get_layer("logits").output)
    names = {name: last_relu(network.get_layer(name))._keras_history.operation.name for name in LAYERS}
    return view, names


@pytest.mark.parametrize("model", ["unet", "multiresunet", "dcunet"])
def test_gradcam_and_layercam_equal_tf_keras_vis(opened, image, model):
    pytest.importorskip("tf_keras_vis", reason=ABSENT)
    import tensorflow as tf
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.layercam import Layercam

    network, one = opened(model, 3)
    region, (view, names) = disc(), to_logits(network)
    (found,) = one.evidence(image, region[None, ..., None], [2], "logit")
    options = {"seek_penultimate_conv_layer": False, "expand_cam": False, "normalize_cam": False}
    for layer, name in names.items():
        for theirs, ours in ((Gradcam, gradcam), (Layercam, layercam)):
            made = theirs(view, clone=False)(
                lambda z: tf.reduce_mean(tf.boolean_mask(z[..., 2], region[None])),
                image, penultimate_layer=name, activation_modifier=None, **options,
            )  # fmt: skip
            tolerance = ROUNDED if layer == "decoder_1" else TOLERANCE
            assert close(ours(found[0][layer]), np.asarray(made)[0], tolerance), (layer, theirs.__name__)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("model", ["unet", "multiresunet", "dcunet"])
def test_gradcam_of_the_predicted_region_equals_medicai(opened, image, model, channels):
    cam = pytest.importorskip("medicai.utils.cam", reason=ABSENT, exc_type=ImportError)
    network, one = opened(model, channels)
    label, (view, names) = min(channels, 2), to_logits(network)
    (found,) = one.evidence(image, None, [label], "logit")
    labels = one.predict(image)[0]
    inside = labels[..., 0] > 0.5 if channels == 1 else labels.argmax(-1) == label
    assert inside.any()
    shown = 0
    for layer, name in names.items():
        theirs = cam.GradCAM(view, name).compute_heatmap(
            image, label if channels > 1 else None, mask_type="object", normalize_heatmap=False,
            resize_heatmap=False,
        )  # fmt: skip
        ours, made = np.maximum(gradcam(found[0][layer]), 0), theirs[0, ..., 0] / inside.sum()
        shown += bool(made.any())
        tolerance = ROUNDED if layer == "decoder_1" else TOLERANCE
        assert close(ours, made, tolerance) or not (ours.any() or made.any()), layer
    assert shown


def test_gradcam_equals_saliency_on_our_evidence(opened, image):
    saliency = pytest.importorskip("saliency.core", reason=ABSENT)
    _, one = opened("dcunet", 1)
    (found,) = one.evidence(image, disc()[None, ..., None], [1], "log_odds")
    for layer, evidence in found[0].items():

        def ours(*_, evidence=evidence, **__):
            return {
                saliency.CONVOLUTION_LAYER_VALUES: evidence.activations[None],
                saliency.CONVOLUTION_OUTPUT_GRADIENTS: evidence.gradients[None],
            }

        theirs = saliency.GradCam().GetMask(image[0], ours, should_resize=False, three_dims=False)
        assert close(np.maximum(gradcam(evidence), 0), theirs), layer


def test_integrated_gradients_equal_saliency(opened, image):
    saliency = pytest.importorskip("saliency.core", reason=ABSENT)
    _, one = opened("unet", 1)
    region, asked = disc(), (disc(), 1, "logit")

    def slopes(images, **_):
        found = one.slopes(np.asarray(images, np.float32), *asked)
        return {saliency.INPUT_OUTPUT_GRADIENTS: found}

    nodes = np.linspace(0, 1, 32)[:, None, None, None]
    ours = image[0] * one.slopes((nodes * image).astype(np.float32), *asked).mean(0)
    theirs = saliency.IntegratedGradients().GetMask(image[0], slopes, x_steps=32, batch_size=8)
    assert close(ours, theirs)
    passes = Passes(image[0], lambda i: one.rescore(i, *asked), None, lambda i: one.slopes(i, *asked))
    evidence = Evidence(image[0], image[0], one.rescore(image, region, 1, "logit")[0], passes)
    midpoints = integrated_gradients(evidence)
    assert np.corrcoef(midpoints.ravel(), theirs.ravel())[0, 1] > 0.99


def test_occlusion_equals_saliency_times_the_squares_over_a_pixel():
    saliency = pytest.importorskip("saliency.core", reason=ABSENT)
    rng = np.random.default_rng(0)
    picture, weights = rng.random((24, 24, 1)), rng.normal(size=(24, 24, 1))

    def score(images):
        return np.tanh((images * weights).sum(axis=(1, 2, 3)))

    def answer(images, **_):
        return {saliency.OUTPUT_LAYER_VALUES: score(images)}

    theirs = saliency.Occlusion().GetMask(picture, answer, size=8, value=0)[..., 0]
    evidence = Evidence(picture, picture, score(picture[None])[0], Passes(picture, score, None, None))
    ours = occlusion(evidence, fill="zero", patch=8, step=1)
    along = np.convolve(np.ones(17), np.ones(8))
    assert close(ours * along[:, None] * along, theirs, 1e-12)
