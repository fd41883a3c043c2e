"""Errors as sentences with the command that mends them."""

from __future__ import annotations

import pytest

from pages.parts.frame import mend


@pytest.mark.parametrize(
    ("message", "sentence", "commands"),
    [
        ("No slices. Run: python -m core demo", "No slices.", ["python -m core demo"]),
        ("Cut short.", "Cut short.", []),
        (
            "Gone. Run: python -m core prepare busi --from FOLDER",
            "Gone.",
            ["python -m core prepare busi --from FOLDER"],
        ),
    ],
)
def test_a_message_is_split_into_what_happened_and_the_command(message, sentence, commands):
    assert mend(message) == (sentence, commands)
