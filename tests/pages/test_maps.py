"""Heatmaps on their way to the screen: scale, unit, state, words."""

from __future__ import annotations

import gzip
import json
import struct
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from core import PAPER_TARGET, Heatmap, Prediction, Target
from pages.parts import map_tables, maps, questions
from pages.parts.case import Reading
from pages.parts.payload import pack
from pages.parts.questions import Question

OWN = Target()


@pytest.fixture(autouse=True)
def _words(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run is on disk: sentences that name its network are left out."""
    monkeypatch.setattr(
        maps, "state_sentence", lambda found: "" if found.state == "ok" else f"It is {found.state}."
    )
    monkeypatch.setattr(maps, "target_sentence", lambda run, target: f"Why {target.class_name}?")


def answer(
    model: str,
    values: list[list[float]],
    state: str = "ok",
    target: Target = OWN,
    method: str = "gradcam",
    **more,
) -> maps.Map:
    array = np.array(values, np.float32)
    run = f"busi-{model}-0"
    found = Heatmap(run, "busi/a/0", method, "bottleneck", target, array, 1.0, state, 5, 0.9, **more)
    prediction = Prediction(run, "busi/a/0", np.zeros((128, 128, 1), np.float32))
    reading = Reading(model, model, None, prediction, np.zeros((4, 4), np.uint8))
    return maps.Map(reading, Question(method, "bottleneck", target), found)


ANSWERS = [answer("unet", [[1.0, -5.0]]), answer("dcunet", [[3.0, -1.0]])]


@pytest.mark.parametrize(
    ("scale", "signed", "expected"),
    [
        ("shared", False, [[3, 3]]),
        ("own", False, [[1, 3]]),
        ("shared", True, [[5, 5]]),
        ("own", True, [[5, 3]]),
    ],
)
def test_full_colour_is_the_largest_value_of_all_or_of_each(scale, signed, expected):
    assert maps.limits([ANSWERS], scale=scale, signed=signed) == expected


def test_rows_share_a_scale_only_on_request():
    rows = [ANSWERS, [answer("unet", [[7.0]]), answer("dcunet", [[2.0]])]]
    assert maps.limits(rows, scale="shared", signed=False) == [[3, 3], [7, 7]]
    assert maps.limits(rows, scale="all", signed=False) == [[7, 7], [7, 7]]


def test_maps_of_different_units_never_share_a_scale():
    rows = [[answer("unet", [[4.0]])], [answer("unet", [[0.1]], target=PAPER_TARGET)]]
    assert maps.limits(rows, scale="all", signed=False) == [[4], [pytest.approx(0.1)]]
    row = [answer("unet", [[4.0]], method="eigencam"), answer("dcunet", [[9.0]], method="eigencam")]
    assert maps.limits([row], scale="shared", signed=False) == [[4, 9]]
    assert "cannot be compared" in maps.panel(row[0], 4.0, scale="shared").heat.label


def test_a_map_without_positive_values_has_a_scale_and_sets_none_for_the_others():
    assert maps.limits([[answer("unet", [[-1.0, -2.0]])]], scale="shared", signed=False) == [[2]]
    row = [answer("unet", [[-90.0]]), answer("dcunet", [[3.0]])]
    assert maps.limits([row], scale="shared", signed=False) == [[3, 3]]


def test_a_network_without_a_map_has_no_scale():
    nothing = maps.Map(ANSWERS[0].reading, ANSWERS[0].question, message="Not computed for this case.")
    assert maps.limits([[nothing, ANSWERS[1]]], scale="shared", signed=False) == [[0, 3]]


def test_an_own_scale_says_that_colours_cannot_be_compared():
    assert "cannot be compared" in maps.panel(ANSWERS[0], 1.0, scale="own").heat.label
    assert "one scale for all networks" in maps.panel(ANSWERS[0], 3.0, scale="shared").heat.label


# ---- what is drawn: the shares of full colour that the browser gets


def pictures(answers: list[maps.Map], scale: str) -> dict[str, np.ndarray]:
    """By network, the values in shares of full colour, as they are read from the bytes that are sent."""
    limits = maps.limits([answers], scale=scale, signed=False)[0]
    panels = [maps.panel(one, limit, scale=scale) for one, limit in zip(answers, limits, strict=True)]
    block = pack(np.zeros((4, 4), np.uint8), panels, token="a", mode="heatmap").view
    start = 4 + struct.unpack_from("<I", block)[0]
    header = json.loads(block[4:start])
    found = {}
    for panel in header["panels"]:
        heat, part = panel["heat"], header["parts"][panel["heat"]["part"]]
        raw = gzip.decompress(block[start + part["offset"] : start + part["offset"] + part["length"]])
        values = np.frombuffer(raw, "<i2").reshape(part["shape"]) / 32767 * heat["peak"]
        found[panel["network"]] = values / heat["limit"]
    return found


def noise(seed: int) -> list[list[float]]:
    return np.random.default_rng(seed).normal(size=(8, 8)).tolist()


def test_swapping_two_networks_weights_swaps_their_pictures_exactly():
    before = pictures([answer("unet", noise(1)), answer("dcunet", noise(2))], "shared")
    after = pictures([answer("unet", noise(2)), answer("dcunet", noise(1))], "shared")
    np.testing.assert_array_equal(after["unet"], before["dcunet"])
    np.testing.assert_array_equal(after["dcunet"], before["unet"])
    assert (before["unet"] != before["dcunet"]).any()


def test_twice_the_logits_change_a_picture_on_the_shared_scale_and_not_on_its_own():
    doubled = (2 * np.array(noise(1))).tolist()  # gradients of the log-odds are proportional to the logits
    once = [answer("unet", noise(1)), answer("dcunet", noise(2))]
    twice = [answer("unet", doubled), answer("dcunet", noise(2))]
    np.testing.assert_array_equal(pictures(once, "own")["unet"], pictures(twice, "own")["unet"])
    shared = pictures(once, "shared"), pictures(twice, "shared")
    assert abs(shared[0]["unet"] - shared[1]["unet"]).max() > 0.1 or (
        abs(shared[0]["dcunet"] - shared[1]["dcunet"]).max() > 0.1
    )
    relation = [one["unet"].max() / one["dcunet"].max() for one in shared]
    assert relation[1] == pytest.approx(2 * relation[0], rel=1e-3)


# ---- states


@pytest.mark.parametrize("state", ["empty_region", "saturated"])
def test_a_state_without_a_map_is_words_and_nothing_is_drawn(state):
    panel = maps.panel(answer("unet", [[0.0]], state), 0.0, scale="shared")
    assert panel.heat.state == state
    assert panel.heat.words == f"It is {state}."
    assert not panel.heat.redundant


def test_a_redundant_map_is_drawn_with_its_badge():
    heat = maps.panel(answer("unet", [[1.0]], "redundant_with_prediction"), 1.0, scale="shared").heat
    assert heat.redundant
    assert heat.state == "ok"
    assert heat.words == ""


def test_a_map_without_positive_evidence_says_so_and_is_still_drawn_signed():
    heat = maps.panel(answer("unet", [[-1.0]], "no_positive_evidence"), 1.0, scale="shared").heat
    assert heat.state == "ok"
    assert heat.words == "It is no_positive_evidence."


def test_of_a_class_predicted_nowhere_the_likeliest_pixels_are_drawn_and_the_state_is_said():
    asked = Target(region="top_percent")
    panel = maps.panel(answer("unet", [[1.0]], "empty_region", asked), 1.0, scale="shared")
    assert panel.heat.state == "ok"
    assert panel.heat.words == "It is empty_region."


def test_a_network_that_failed_has_its_message_and_no_outline():
    reading = replace(ANSWERS[0].reading, message="Weights rejected: cut", prediction=None)
    (failed,) = maps.ask(ANSWERS[0].question, [reading], None)
    panel = maps.panel(failed, 0.0, scale="shared")
    assert panel.message == "Weights rejected: cut"
    assert panel.labels is None
    assert panel.heat is None


def test_the_stamp_names_method_layer_question_score_and_scale():
    told = maps.stamp(ANSWERS[0], 3.0, "shared")
    for part in (
        "Grad-CAM",
        "Bottleneck",
        "Why tumour?",
        "score 1 log-odds",
        "full colour at 3",
        "one scale",
    ):
        assert part in told


def test_under_a_map_stand_score_probability_its_ends_and_where_it_lies():
    numbers = {"energy_in_reference": 0.25, "lift": 2.0, "pointing_hit": 1.0}
    told = " ".join(maps.notes(replace(ANSWERS[0], numbers=numbers)))
    for part in (
        "score 1 log-odds",
        "mean p 0.90",
        "from −5 to 1",
        "25 % in reference",
        "2.0 × chance",
        "point in it",
    ):
        assert part in told


# ---- numbers


class Numbers(dict):
    @property
    def why(self) -> dict[str, str]:
        return {"lift": "the case has no expert outline"}


def test_an_undefined_number_says_why():
    cards = {card.name: card for card in map_tables.cards(has_organ=True)}

    def told(name: str, value: float) -> str:
        return map_tables.said(cards[name], Numbers({name: value}), "log-odds")

    assert told("lift", float("nan")) == "n/a: the case has no expert outline"
    assert told("pointing_hit", 0.0) == "miss"
    assert told("raw_maximum", 0.0123456) == "0.0123 log-odds per cell"
    assert told("deviation_percent", 14.2) == "14 %"
    assert told("deviation_mm", 6.14) == "6.1 mm"


def test_why_numbers_are_undefined_is_said_once_with_the_numbers_it_holds_for():
    found = pd.DataFrame({"A": ["n/a: no outline", "1"], "B": ["n/a: no outline", "n/a: constant"]})
    assert map_tables.reasons(found) == "n/a (A, B): no outline. n/a (B): constant."


def test_without_an_organ_there_is_no_distance_from_it():
    assert not [card for card in map_tables.cards(has_organ=False) if card.family == "organ"]


# ---- questions


CLASSES = ("background", "liver", "tumour")
DETAILS = {
    "score": "usual",
    "at": "",
    "rival": "",
    "of": "predicted",
    "index": "1",
    "radius": "1",
    "side": "both",
}


@pytest.mark.parametrize("region", questions.REGIONS)
@pytest.mark.parametrize("score", questions.SCORES)
def test_every_region_can_be_asked_about_in_every_score(region, score):
    found = questions._target(region, "tumour", CLASSES, DETAILS | {"score": score})
    assert found.region == region
    usual = "probability" if region == "whole_image" else "log_odds"
    assert found.kind == (usual if score == "usual" else score)
    assert found.rival == ("liver" if score == "contrast" or region == "mistaken" else "")


def test_the_whole_image_is_asked_exactly_as_in_the_paper():
    assert questions._target("whole_image", "tumour", CLASSES, DETAILS) == PAPER_TARGET


def test_a_class_is_never_asked_against_itself():
    assert questions._rival("liver", "liver", CLASSES) == "background"
    assert questions._rival("background", "", CLASSES) == "liver"
    assert questions._rival("tumour", "background", CLASSES) == "background"


def test_at_a_point_each_network_is_asked_about_the_class_it_predicts_there(monkeypatch):
    monkeypatch.setattr(
        questions, "pixel_target", lambda p, r, c, shape, radius: Target("liver", "pixel", row=r)
    )
    asked = Question("gradcam", "bottleneck", Target("tumour", "pixel", "contrast", rival="liver", row=7))
    found = questions.target_of(asked, None, CLASSES)
    assert (found.class_name, found.rival, found.row) == ("liver", "background", 7)


@pytest.mark.parametrize(
    ("given", "point"),
    [
        ("64,80", "64,80"),
        ("0,127", "0,127"),
        ("0,128", ""),
        ("-1,3", ""),
        ("1e2,3", ""),
        ("٣,4", ""),
        ("<b>", ""),
    ],
)
def test_a_point_outside_or_no_point_is_left_out(monkeypatch, given, point):
    monkeypatch.setattr(questions.state, "option", lambda name: (given,))
    assert questions.point() == point
