"""Pictures of real networks: two that swap their weights, and one whose logits are doubled."""

from __future__ import annotations

import numpy as np
import pytest

from core import Target, heatmap, predict, read_run
from pages.parts import maps
from pages.parts.case import Reading
from pages.parts.questions import Question
from tests.bench import published
from tests.pages.test_maps import pictures

pytestmark = pytest.mark.slow

CASE = published.noise_slice()
ASKED = Question("gradcam", "decoder_3", Target())


def doubled(network, seed: int = 0) -> None:
    """Settings as of any published run, and logits twice as large."""
    published_settle(network, seed)
    logits = network.get_layer("logits")
    logits.set_weights([2 * weight for weight in logits.get_weights()])


published_settle = published.settle


@pytest.fixture
def networks(artifacts, monkeypatch):
    """A function from sets of weights ("usual" or "doubled") to their pictures on a scale, as panels A and B."""

    def drawn(dataset: str, weights: tuple[str, str], scale: str) -> list[np.ndarray]:
        answers = []
        for name, kind in zip("AB", weights, strict=True):
            monkeypatch.setattr(published, "settle", doubled if kind == "doubled" else published_settle)
            run = f"{dataset}{name.lower()}-unet-0"
            if not (artifacts / "runs" / run).exists():
                published.publish("unet", 4, dataset=f"{dataset}{name.lower()}")
            prediction = predict(run, CASE)
            found = heatmap(run, CASE, prediction, ASKED.method, ASKED.layer, ASKED.target)
            reading = Reading(name, name, read_run(run), prediction, np.zeros((4, 4), np.uint8))
            answers.append(maps.Map(reading, ASKED, found))
        return list(pictures(answers, scale).values())

    return drawn


def test_swapped_weights_swap_pictures_and_doubled_logits_show_on_the_shared_scale_alone(networks):
    usual, double = networks("first", ("usual", "doubled"), "shared")
    np.testing.assert_array_equal(networks("second", ("doubled", "usual"), "shared"), [double, usual])
    assert abs(usual).max() > 0
    np.testing.assert_allclose(double, 2 * usual, atol=1e-4)
    own = networks("first", ("usual", "doubled"), "own")
    np.testing.assert_allclose(own[0], own[1], atol=1e-4)
