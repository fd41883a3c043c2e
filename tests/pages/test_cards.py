"""Data cards and model cards: what stands in a row."""

from __future__ import annotations

from pages.parts import cards, choices

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
