"""Data cards and model cards: what stands in a row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core import catalogues, list_runs
from pages.parts import cards, choices
from tests.pages import small

KNOWN = {card.has_volumes: card for card in choices.known_cards()}


def test_parts_of_pictures_are_images():
    parts = {"train": ["a", "b"], "test": ["c"], "excluded": []}
    assert cards.sizes(KNOWN[False], parts) == "train 2 images, test 1 image, excluded 0 images"


def test_parts_of_volumes_say_what_they_hold():
    parts = {
        "train": ["volume-0", "volume-1"],
        "validation": ["volume-2/40", "volume-2/41", "volume-0/3"],
        "test": ["volume-3", "volume-4/7"],
        "excluded": [],
    }
    said = "train 2 volumes, validation 3 slices, test 1 volume and 1 slice, excluded none"
    assert cards.sizes(KNOWN[True], parts) == said


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "weights drawn at random"),
        (
            {"pretrained": {"run": "phantom_busi-unet-0", "weights_sha256": "ab" * 32}},
            "run phantom_busi-unet-0 (abababab), all but its last layer",
        ),
    ],
)
def test_a_model_card_says_what_the_training_began_with(told, said, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(small.phantoms_and_real()))
    run = list_runs("busi")[0]
    network = catalogues.network_cards()[run.model]
    rows = cards.model_rows(replace(run, manifest=run.manifest | told), network, {})
    assert rows["Began with"] == said
