"""Small networks for the tests of the engine: width 4, weights random but settled, built once."""

from __future__ import annotations

import functools

import numpy as np
import pytest

LABELS = {1: 1, 3: 2}  # output channels -> the label of the tumour


@functools.cache
def small_pass(model: str, channels: int):
    """A width-4 network of ``channels`` outputs, opened for explaining: (network, EvidencePass)."""
    import keras

    from core.catalogues import network_modules
    from core.explain.engine import EvidencePass
    from tests.bench.published import settle

    keras.utils.set_random_seed(1)
    module = network_modules()[model]
    network = module.build(width=4, classes=channels)
    settle(network, 1)
    return network, EvidencePass(network, module.CARD.layers)


@pytest.fixture
def opened():
    """The function that gives (network, EvidencePass) by architecture and number of output channels."""
    return small_pass


@pytest.fixture(scope="session")
def image():
    """One smooth picture (1, 128, 128, 1) float32 in 0..1: blobs, so that layers see structure."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(3).random((128, 128)), 6)
    return ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)[None, ..., None]
