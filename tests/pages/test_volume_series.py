"""Areas per slice from the stored counts of a volume, by hand."""

from __future__ import annotations

import numpy as np

from pages.parts.volume_series import areas

CLASSES = ("liver", "tumour")


def row(run: str, index: int, liver: int, tumour: int, differing: int | None = 7) -> dict:
    """One stored row: the reference has 100 liver and 10 tumour pixels in every slice."""
    drawn = {"liver_pred": liver, "tumour_pred": tumour, "liver_ref": 100, "tumour_ref": 10}
    return {"run": run, "index": index, **drawn, "any_px": differing, "disagreement_px": differing}


ROWS = [row(run, index, 90 + index, index) for run in ("a", "b") for index in (4, 5, 6)]


def test_pixels_become_mm2_by_class_and_slice():
    found = areas(ROWS, ["a", "b"], [4, 6], CLASSES, 0.5)
    np.testing.assert_array_equal(found.networks["a"], [[47, 48], [2, 3]])
    np.testing.assert_array_equal(found.reference, [[50, 50], [5, 5]])


def test_disagreement_is_known_of_the_last_class_alone():
    found = areas(ROWS, ["a", "b"], [4, 5], CLASSES, 2.0)
    np.testing.assert_array_equal(found.disagreement, [[-1, -1], [14, 14]])


def test_disagreement_with_networks_that_are_not_shown_is_not_that_of_those_shown():
    rows = [*ROWS, *(row("c", index, 1, 1) for index in (4, 5, 6))]
    assert areas(rows, ["a", "b"], [4, 5], CLASSES, 1.0).disagreement is None
    assert areas(rows, ["a", "b", "d"], [4, 5], CLASSES, 1.0).disagreement is None
    assert areas(rows, ["a", "b", "c"], [4, 5], CLASSES, 1.0).disagreement is not None


def test_a_run_without_a_row_for_every_slice_has_no_areas():
    found = areas([*ROWS, row("c", 4, 1, 1)], ["a", "c"], [4, 5], CLASSES, 1.0)
    assert set(found.networks) == {"a"}
    assert found.disagreement is None


def test_without_stored_rows_nothing_is_known():
    found = areas([], ["a"], [4, 5], CLASSES, 1.0)
    assert (found.reference, dict(found.networks), found.disagreement) == (None, {}, None)
