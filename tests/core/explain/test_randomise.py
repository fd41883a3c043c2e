"""Weights drawn anew: each depth adds its stage, and the network comes out as it went in."""

import numpy as np
import pytest

from core.explain import randomise
from tests.core.explain.conftest import small_pass

pytestmark = pytest.mark.slow


def stage_of(path):
    """The stage that a weight of our networks belongs to by its layer's name."""
    layer = path.split("/")[0]
    if layer.startswith("logits"):
        return "logits"
    for level in (1, 2, 3, 4):
        if layer.startswith((f"decoder_{level}", f"up_{level}")):
            return f"decoder_{level}"
    return "" if layer.startswith("respath") else "all"


@pytest.mark.parametrize("model", ["unet", "multiresunet", "dcunet"])
def test_each_depth_draws_one_stage_more(model):
    network, opened = small_pass(model, 1)
    before = [array.copy() for array in network.get_weights()]
    sets = randomise.weight_sets(network, opened.layers)
    assert tuple(sets) == randomise.depths(opened.layers)
    assert tuple(sets) == ("logits", "decoder_1", "decoder_2", "decoder_3", "decoder_4", "all")
    for depth, drawn in enumerate(sets.values()):
        for weight, old, new in zip(network.weights, before, drawn, strict=True):
            assert new.shape == old.shape
            assert new.dtype == old.dtype
            assert np.isfinite(new).all()
            stage = stage_of(weight.path)
            if stage and old.size > 7:  # two or three numbers may be shuffled into their own order
                reached = list(sets).index(stage) <= depth
                assert np.array_equal(old, new) != reached, (weight.path, depth)
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))


def test_normalisations_are_shuffled_and_convolutions_drawn_at_their_own_scale():
    network, opened = small_pass("unet", 1)
    drawn = randomise.weight_sets(network, opened.layers)["all"]
    for weight, new in zip(network.weights, drawn, strict=True):
        old = np.asarray(weight)
        if weight.name in randomise.SHUFFLED:
            assert np.array_equal(np.sort(old), np.sort(new))
        elif weight.name == "kernel" and new.size > 2000:
            # the small network is as it was initialised, but for biases and normalisations
            assert new.std() == pytest.approx(old.std(), rel=0.2)
            assert abs(np.corrcoef(new.ravel(), old.ravel())[0, 1]) < 0.1


def test_the_same_seed_gives_the_same_weights_and_another_one_others():
    network, opened = small_pass("unet", 1)
    one, same, other = (randomise.weight_sets(network, opened.layers, seed)["all"] for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_map_of_the_network_drawn_anew_differs():
    from core.explain import checks
    from core.explain.methods import gradcam

    network, opened = small_pass("unet", 1)
    image = np.random.default_rng(0).random((1, 128, 128, 1)).astype(np.float32)
    region = np.ones((1, 128, 128, 1), bool)
    trained = network.get_weights()
    (before,) = next(opened.evidence(image, region, [1], "log_odds"))
    network.set_weights(randomise.weight_sets(network, opened.layers)["all"])
    try:
        (after,) = next(opened.evidence(image, region, [1], "log_odds"))
    finally:
        network.set_weights(trained)
    (again,) = next(opened.evidence(image, region, [1], "log_odds"))
    for layer in opened.layers:
        assert checks.likeness(gradcam(before[layer]), gradcam(again[layer])) == pytest.approx((1, 1))
        assert abs(checks.likeness(gradcam(before[layer]), gradcam(after[layer]))[0]) < 0.95
