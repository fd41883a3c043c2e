"""Heatmaps on their way to the screen: scale, unit, words."""

from __future__ import annotations

import numpy as np
import pytest

from core import PAPER_TARGET, Heatmap, Prediction, Target
from pages.parts import maps
from pages.parts.case import Reading

TARGET = Target()


def answer(model: str, values: list[list[float]], state: str = "ok") -> maps.Map:
    array = np.array(values, np.float32)
    found = Heatmap("busi-unet-0", "busi/a/0", "gradcam", "bottleneck", TARGET, array, 1.0, state, 5, 0.9)
    prediction = Prediction("busi-unet-0", "busi/a/0", np.zeros((128, 128, 1), np.float32))
    reading = Reading(model, model, None, prediction, np.zeros((4, 4), np.uint8))
    return maps.Map(reading, maps.Question("gradcam", "bottleneck", TARGET), found, "", {}, "")


ANSWERS = [answer("unet", [[1.0, -5.0]]), answer("dcunet", [[3.0, -1.0]])]


@pytest.mark.parametrize(
    ("shared", "signed", "expected"),
    [
        (True, False, {"unet": 3, "dcunet": 3}),
        (False, False, {"unet": 1, "dcunet": 3}),
        (True, True, {"unet": 5, "dcunet": 5}),
        (False, True, {"unet": 5, "dcunet": 3}),
    ],
)
def test_full_colour_is_the_largest_value_of_all_or_of_each(shared, signed, expected):
    assert maps.limits(ANSWERS, shared=shared, signed=signed) == expected


def test_a_map_without_positive_values_still_has_a_scale():
    assert maps.limits([answer("unet", [[-1.0, -2.0]])], shared=True, signed=False) == {"unet": 2}


def test_a_network_without_a_map_has_no_scale():
    nothing = maps.Map(ANSWERS[0].reading, ANSWERS[0].question, None, "Not computed for this case.", {}, "")
    assert maps.limits([nothing], shared=True, signed=False) == {}


def test_the_whole_image_is_asked_exactly_as_in_the_paper():
    assert maps.target_of("whole_image", "tumour") == PAPER_TARGET
    assert maps.target_of("predicted", "tumour").kind == "log_odds"


def test_an_own_scale_says_that_colours_cannot_be_compared(monkeypatch):
    monkeypatch.setattr(maps, "state_sentence", lambda found: "")
    assert "cannot be compared" in maps.panel(ANSWERS[0], 1.0, shared=False).heat.label
    assert "one scale for all networks" in maps.panel(ANSWERS[0], 3.0, shared=True).heat.label


class Numbers(dict):
    @property
    def why(self) -> dict[str, str]:
        return {"lift": "the case has no expert outline"}


def test_an_undefined_number_says_why():
    assert maps._said("lift", Numbers(lift=float("nan")), "log-odds") == "n/a: the case has no expert outline"
    assert maps._said("pointing_hit", Numbers(pointing_hit=0.0), "log-odds") == "miss"
    assert maps._said("raw_maximum", Numbers(raw_maximum=0.0123456), "log-odds") == "0.0123 log-odds per cell"
