"""What a split by slices is worth without any network: the outline of the nearest training slice, copied."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.metrics import overlap

LIVER_CT = ("background", "liver", "tumour")


def copy_nearest(
    labels: np.ndarray,
    train_mask: np.ndarray,
    cases: Sequence[str],
    *,
    test_mask: np.ndarray | None = None,
    indices: Sequence[int] | None = None,
    classes: Sequence[str] = LIVER_CT,
) -> dict[str, float] | None:
    """Pooled Dice by class when every test slice gets the labels of the nearest training slice of its volume.

    labels (n, h, w) uint8, train_mask and test_mask (n,) bool (no test_mask: all that is not training), cases
    and indices (n,) the volume of each slice and its number there (no indices: the order given). Of two equally
    near slices the lower one. Test slices of a volume without a training slice are left out; None when that is
    all of them, as it is under a split by patients.
    """
    train = np.asarray(train_mask, dtype=bool)
    test = ~train if test_mask is None else np.asarray(test_mask, dtype=bool)
    number = np.arange(len(labels)) if indices is None else np.asarray(indices)
    volume = np.asarray(cases)
    table = np.zeros((len(classes), len(classes)), np.int64)
    for case in dict.fromkeys(cases):
        known = np.flatnonzero(train & (volume == case))
        for at in np.flatnonzero(test & (volume == case)) if len(known) else ():
            nearest = known[np.argmin(np.abs(number[known] - number[at]))]
            table += overlap.confusion(labels[at], labels[nearest], len(classes))
    if not table.any():
        return None
    return {
        name: overlap.dice(overlap.counts_of(table, overlap.class_values(name, classes)))
        for name in classes[1:]
    }
