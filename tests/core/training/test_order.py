"""Which slices an epoch shows: tumours often, patients equally, by seed and epoch alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from core.prepared import Arrays
from core.records import SliceEntry
from core.training import order

SLICES = {
    "p1": 200,
    "p2": 40,
    "p3": 20,
}  # stored slices by patient; a fifth with tumour, a tenth with nothing


@pytest.fixture(scope="module")
def arrays():
    entries = []
    for patient, count in SLICES.items():
        for index in range(count):
            tumour, organ = (30 if index % 5 == 0 else 0), (0 if index % 10 == 3 else 500)
            part = "train" if index % 4 else "test"
            entries.append(
                SliceEntry("ct", f"{patient}-v", index, patient, "ct", (), 64, 64, tumour + organ,
                           {"one": part}, (organ, tumour))
            )  # fmt: skip
    empty = np.zeros((len(entries), 1))
    return Arrays(empty, empty, tuple(reversed(entries)))


def drawn(arrays, count=600, seed=1, epoch=1):
    rows = order.rows_of(arrays, "one", "train")
    return rows, [arrays.entries[row] for row in order.balanced(arrays, rows, count, seed, epoch)]


def test_rows_are_those_of_the_part_by_case_and_slice(arrays):
    entries = [arrays.entries[row] for row in order.rows_of(arrays, "one", "train")]
    assert all(entry.index % 4 for entry in entries)
    assert len(entries) == 0.75 * sum(SLICES.values())
    assert entries == sorted(entries, key=lambda entry: (entry.case, entry.index))


def test_the_cohort_leaves_out_slices_that_show_nothing(arrays):
    rows = order.cohort(arrays, order.rows_of(arrays, "one", "train"))
    assert {arrays.entries[row].reference_pixels > 0 for row in rows} == {True}


def test_half_of_the_drawn_slices_show_tumour_and_a_tenth_nothing(arrays):
    entries = drawn(arrays)[1]
    assert len(entries) == 600
    assert sum(entry.class_pixels[-1] > 0 for entry in entries) == 300
    assert sum(entry.reference_pixels == 0 for entry in entries) == 60


def test_patients_are_drawn_equally_whatever_they_have(arrays):
    tumours = Counter(entry.group for entry in drawn(arrays)[1] if entry.class_pixels[-1])
    assert set(tumours.values()) == {100}


def test_a_slice_comes_again_only_after_all_others_of_its_patient(arrays):
    entries = [e for e in drawn(arrays)[1] if e.group == "p1" and e.class_pixels[-1]]
    often = Counter(entry.index for entry in entries)
    assert len(often) == 30
    assert max(often.values()) - min(often.values()) <= 1


def test_the_same_epoch_is_drawn_the_same_and_another_is_not(arrays):
    assert drawn(arrays)[1] == drawn(arrays)[1]
    assert drawn(arrays)[1] != drawn(arrays, epoch=2)[1]


def test_without_empty_slices_the_others_fill_the_epoch(arrays):
    rows = order.cohort(arrays, order.rows_of(arrays, "one", "train"))
    entries = [arrays.entries[row] for row in order.balanced(arrays, rows, 90, 0, 1)]
    assert len(entries) == 90
    assert sum(entry.class_pixels[-1] > 0 for entry in entries) == 50
