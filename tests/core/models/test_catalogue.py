"""One contract for every network of the catalogue, and the published parameter counts."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from core import catalogues

NETWORKS = sorted(catalogues.network_modules())
GRIDS = {"bottleneck": 8, "decoder_4": 16, "decoder_3": 32, "decoder_2": 64, "decoder_1": 128}
TOTALS = {  # (network, width, channels_in, classes): parameters, with the plain head
    ("unet", 16, 1, 1): 1_945_233, ("unet", 16, 3, 1): 1_945_521, ("unet", 16, 1, 3): 1_945_267,
    ("unet", 32, 1, 1): 7_768_353, ("unet", 32, 1, 3): 7_768_419, ("unet", 32, 3, 3): 7_768_995,
    ("unet", 64, 1, 1): 31_048_257,
    ("multiresunet", 16, 1, 1): 1_813_753, ("multiresunet", 16, 3, 1): 1_813_875,
    ("multiresunet", 16, 1, 3): 1_813_805, ("multiresunet", 32, 1, 1): 7_262_502,
    ("multiresunet", 32, 1, 3): 7_262_606, ("multiresunet", 32, 3, 3): 7_262_852,
    ("dcunet", 16, 1, 1): 2_511_866, ("dcunet", 16, 3, 1): 2_512_010, ("dcunet", 16, 1, 3): 2_511_918,
    ("dcunet", 32, 1, 1): 10_069_638, ("dcunet", 32, 1, 3): 10_069_742, ("dcunet", 32, 3, 3): 10_070_030,
}  # fmt: skip
NON_TRAINABLE = {("unet", 16): 2_944, ("multiresunet", 16): 12_192, ("dcunet", 16): 14_616}
LAYERS = {"unet": 69, "multiresunet": 239, "dcunet": 320}
pytestmark = pytest.mark.slow


@functools.cache
def small(name: str, classes: int = 1, channels: int = 1):
    import keras

    keras.utils.set_random_seed(2)
    return catalogues.network_modules()[name].build(4, channels, classes)


def call(network, image, layer: str | None = None, training: bool = False):
    import keras

    wanted = network if layer is None else keras.Model(network.input, network.get_layer(layer).output)
    return np.asarray(keras.ops.convert_to_numpy(wanted(image, training=training)))


@pytest.fixture
def image():
    return np.random.default_rng(0).random((2, 128, 128, 1)).astype(np.float32)


@pytest.mark.parametrize(("key", "expected"), TOTALS.items())
def test_parameter_counts_are_those_of_the_publications(key, expected):
    name, width, channels, classes = key
    assert catalogues.network_modules()[name].build(width, channels, classes).count_params() == expected


@pytest.mark.parametrize(("name", "expected"), [("unet", 7_759_521)])
def test_unet_without_normalisation_is_the_usual_literature_figure(name, expected):
    assert catalogues.network_modules()[name].build(32, batch_norm=False).count_params() == expected


@pytest.mark.parametrize(("name", "expected"), [("multiresunet", 7_262_750), ("dcunet", 10_069_928)])
def test_the_repository_head_gives_the_authors_three_channel_builds(name, expected):
    assert catalogues.network_modules()[name].build(32, 3, head="repository").count_params() == expected


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_and_non_trainable_weights_are_counted(name):
    network = catalogues.network_modules()[name].build(16)
    assert len(network.layers) == LAYERS[name]
    assert sum(int(np.prod(w.shape)) for w in network.non_trainable_weights) == NON_TRAINABLE[name, 16]


@pytest.mark.parametrize(
    ("name", "stage", "expected"),
    [
        ("unet", "encoder_1", 2_576), ("unet", "bottleneck", 886_784), ("unet", "decoder_1", 7_040),
        ("multiresunet", "encoder_1", 1_635), ("multiresunet", "bottleneck", 594_696),
        ("multiresunet", "decoder_4", 227_979), ("multiresunet", "respath_1", 12_320),
        ("multiresunet", "respath_4", 272_640), ("multiresunet", "logits", 26),
        ("dcunet", "encoder_1", 2_970), ("dcunet", "bottleneck", 1_004_508), ("dcunet", "decoder_1", 5_202),
        ("dcunet", "up_4", 218_240), ("unet", "up_4", 131_200), ("unet", "logits", 17),
    ],
)  # fmt: skip
def test_parameters_per_block(name, stage, expected):
    network = catalogues.network_modules()[name].build(16)
    mine = [layer for layer in network.layers if layer.name == stage or layer.name.startswith(f"{stage}_")]
    assert sum(layer.count_params() for layer in mine) == expected


@pytest.mark.parametrize("name", NETWORKS)
def test_named_layers_lie_on_their_grids(name):
    network = small(name)
    assert catalogues.network_cards()[name].layers == tuple(GRIDS)
    for layer, side in GRIDS.items():
        assert network.get_layer(layer).output.shape[1:3] == (side, side)
    assert network.get_layer("image").output.shape == (None, 128, 128, 1)


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_probability_is_the_activation_of_the_logits(name, classes, image):
    network = small(name, classes)
    logits, probability = call(network, image, "logits"), call(network, image)
    assert probability.shape == (2, 128, 128, classes)
    assert probability.dtype == np.float32
    if classes == 1:
        expected = 1 / (1 + np.exp(-logits))
    else:
        power = np.exp(logits - logits.max(-1, keepdims=True))
        expected = power / power.sum(-1, keepdims=True)
        assert np.allclose(probability.sum(-1), 1, atol=1e-6)
    assert np.allclose(probability, expected, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_channel_and_class_count_builds(name):
    for channels in (1, 3):
        for classes in (1, 3):
            network = small(name, classes, channels)
            assert network.input.shape == (None, 128, 128, channels)
            assert network.output.shape == (None, 128, 128, classes)


@pytest.mark.parametrize("name", NETWORKS)
def test_saved_and_loaded_weights_give_the_same_output(name, image, tmp_path):
    network = small(name)
    network.save_weights(tmp_path / "model.weights.h5")
    again = catalogues.network_modules()[name].build(4)
    assert not np.array_equal(call(again, image), call(network, image))
    again.load_weights(tmp_path / "model.weights.h5")
    assert np.array_equal(call(again, image), call(network, image))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_gradient_reaches_every_weight(name, image):
    import tensorflow as tf

    network = small(name)
    with tf.GradientTape() as tape:
        score = tf.reduce_sum(network(image, training=True) ** 2)
    gradients = tape.gradient(score, network.trainable_variables)
    assert all(gradient is not None and float(tf.reduce_max(abs(gradient))) > 0 for gradient in gradients)


@pytest.mark.parametrize("name", ["multiresunet", "dcunet"])
def test_pooling_takes_the_block_and_not_the_residual_path(name, image):
    network = small(name)
    before = call(network, image, "encoder_2")
    kernel = network.get_layer("respath_1_1_long_conv").kernel
    kept = np.array(kernel)
    kernel.assign(kept * 3)
    assert np.array_equal(call(network, image, "encoder_2"), before)
    assert not np.array_equal(call(network, image), before)
    kernel.assign(kept)


@pytest.mark.parametrize("name", ["multiresunet", "dcunet"])
def test_the_block_ends_in_normalisation_and_so_goes_below_zero(name, image):
    assert call(small(name), image, "bottleneck", training=True).min() < 0


def test_the_two_channels_of_dcunet_start_with_different_kernels():
    network = small("dcunet")
    first, second = (network.get_layer(f"encoder_1_channel{c}_1_conv").kernel for c in (1, 2))
    assert not np.allclose(np.array(first), np.array(second))


@pytest.mark.parametrize(("argument", "value"), [("size", 120), ("width", 0), ("head", "none")])
@pytest.mark.parametrize("name", NETWORKS)
def test_impossible_sizes_are_refused_by_name(name, argument, value):
    with pytest.raises(ValueError, match=argument):
        catalogues.network_modules()[name].build(**{argument: value})
