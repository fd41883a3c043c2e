"""What a split that deals out slices or images adds to a score, without any network and with one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.metrics import overlap, statistics
from core.metrics.overlap import Counts

LIVER_CT = ("background", "liver", "tumour")
IMAGES = {  # which test images, by whether a near-duplicate was in training
    "with a near-duplicate in training": (True,),
    "without one": (False,),
    "all": (True, False),
}


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


def remembered(
    unseen: Sequence[float], drawn: Sequence[float], groups: Sequence[str], twins: Sequence[bool]
) -> list[dict[str, Any]]:
    """What the same test images score more when a split deals out images: a row for each of ``IMAGES``.

    ``unseen`` and ``drawn`` (n,) are scores of the same images by a network that saw none of their group, and by
    one trained on a split of single images; ``groups`` (n,) their near-duplicate clusters; ``twins`` (n,) whether
    the latter was trained on an image of the same group. Means are over groups; ``difference`` (drawn minus unseen)
    has a 95 % BCa interval over them, NaN below five. Images that are undefined for either are left out.
    Those without a twin are the control: what differs there is not memory.
    """
    made = []
    for name, wanted in IMAGES.items():
        of = [
            at
            for at, twin in enumerate(twins)
            if twin in wanted and not (math.isnan(unseen[at]) or math.isnan(drawn[at]))
        ]
        before, after = ([side[at] for at in of] for side in (unseen, drawn))
        found = _added(before, after, [groups[at] for at in of])
        made.append({"images": name, "n": [len(of), len(of)], **found})
    return made


def same_slices(
    unseen: Mapping[str, Mapping[int, Counts]],
    drawn: Mapping[str, Mapping[int, Counts]],
    groups: Mapping[str, str],
) -> dict[str, Any] | None:
    """What the same slices score more when a split deals out slices: by volume, then by patient.

    ``unseen`` and ``drawn`` hold the counts of one class by volume and slice number: by a network that saw nothing
    of the patient, and by one trained on other slices of the volume. Only slices scored by both count. Dice is
    pooled over them within a volume, volumes of a patient (``groups``) are averaged. ``difference`` (drawn minus
    unseen) has a 95 % BCa interval over patients, NaN below five; ``volumes`` has the lowest and the highest
    difference of a volume, which is no interval: volumes of one patient say nothing about others. Volumes whose
    shared slices have nothing of the class in the reference are left out; None when that is all of them.
    """
    by_case, n = {}, 0
    for case in (case for case in unseen if case in drawn):
        shared = [index for index in unseen[case] if index in drawn[case]]
        sums = [sum((side[case][index] for index in shared), Counts(0, 0, 0, 0)) for side in (unseen, drawn)]
        if sums[0].n_ref:
            by_case[case] = [overlap.dice(counts) for counts in sums]
            n += len(shared)
    if not by_case:
        return None
    before, after = zip(*by_case.values(), strict=True)
    added = [b - a for a, b in by_case.values()]
    return {
        "n": n,
        "n_volumes": len(by_case),
        "volumes": [min(added), max(added)],
        **_added(before, after, [groups[case] for case in by_case]),
    }


def _added(unseen: Sequence[float], drawn: Sequence[float], groups: Sequence[str]) -> dict[str, Any]:
    """Both means over groups, and drawn minus unseen with its interval over them."""
    means = [list(statistics.group_means(side, groups).values()) for side in (unseen, drawn)]
    found = statistics.interval([b - a for a, b in zip(*means, strict=True)])
    return {
        "values": [float(np.mean(side)) if side else math.nan for side in means],
        "n_groups": found.n,
        "difference": found.mean,
        "low": found.low,
        "high": found.high,
        "note": found.note,
    }
