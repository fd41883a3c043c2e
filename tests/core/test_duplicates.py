"""Near-duplicates: what is linked, what a group is, and what a reviewer can change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from core.duplicates import Decision, Link, fingerprint, groups, links
from core.errors import DataRefused


def picture(seed: int, shape: tuple[int, int] = (200, 240)) -> np.ndarray:
    values = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 8)
    return np.interp(values, (values.min(), values.max()), (0, 255)).astype(np.uint8)


def linked(*pictures: np.ndarray) -> set[tuple[int, int]]:
    return {(link.first, link.second) for link in links([fingerprint(p) for p in pictures])}


def test_different_pictures_are_not_linked() -> None:
    assert linked(picture(1), picture(2), picture(3)) == set()


def test_a_brighter_a_cropped_and_a_smaller_copy_are_linked_to_the_original() -> None:
    original = picture(1)
    brighter = np.clip(original * 0.8 + 40, 0, 255).astype(np.uint8)
    assert linked(original, brighter, original[::2, ::2].copy(), original[2:-2, 2:-2].copy(), picture(2)) == {
        (a, b) for a in range(4) for b in range(a + 1, 4)
    }


def test_an_identical_picture_is_called_identical() -> None:
    found = links([fingerprint(picture(1)), fingerprint(picture(1))])
    assert found == (Link(0, 1, "identical"),)


def test_pictures_of_one_grey_level_do_not_correlate_with_everything() -> None:
    flat = [np.full((100, 100), level, np.uint8) for level in (0, 90)]
    found = links([fingerprint(p) for p in (flat[0], picture(1))])
    assert found == ()


def test_groups_are_all_that_hangs_together_named_after_their_first_case() -> None:
    found = (Link(0, 2, ""), Link(2, 3, ""))
    assert groups(("a-1", "a-2", "a-3", "a-4"), found, {}) == ("a-1", "a-2", "a-1", "a-1")


def test_a_reviewer_cuts_a_case_out_of_its_group() -> None:
    found = (Link(0, 1, ""), Link(1, 2, ""), Link(0, 2, ""))
    assert groups(("a", "b", "c"), found, {"b": Decision("R", "cut")}) == ("a", "b", "a")


def test_a_reviewer_joins_two_cases() -> None:
    assert groups(("a", "b", "c"), (), {"c": Decision("R", "join a")}) == ("a", "b", "a")


@pytest.mark.parametrize("decision", ["keep", "join", "join nobody", "cut it"])
def test_an_unknown_decision_is_refused(decision: str) -> None:
    with pytest.raises(DataRefused, match=r"groups\.csv: .*expected 'cut' or 'join CASE'"):
        groups(("a", "b"), (), {"a": Decision("R", decision)})
