"""Areas per slice of a CT volume from the stored scores: the slice strip needs no prediction then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Areas:
    """Per class and slice, (classes, n) float64 in mm2, counted on the volume's own grid.

    reference     None where no network was scored on all of these slices
    networks      by run, those that were
    disagreement  below 0 for classes on which networks are not compared; None where these were not compared
    """

    reference: np.ndarray | None
    networks: Mapping[str, np.ndarray]
    disagreement: np.ndarray | None


def areas(
    rows: Sequence[Mapping[str, Any]],
    runs: Sequence[str],
    indices: Sequence[int],
    classes: Sequence[str],
    pixel_mm2: float,
) -> Areas:
    """What the stored rows of one volume (``read_results(...).slices``) say about these runs and slices.

    A run counts only if every slice has a row. Networks are compared on the last class, all of a family at once:
    their disagreement holds for these runs only if no other run took part.
    """
    by_run: dict[str, dict[int, Mapping[str, Any]]] = {}
    for row in rows:
        by_run.setdefault(row["run"], {})[row["index"]] = row
    whole = {run: by_run[run] for run in runs if run in by_run and set(indices) <= set(by_run[run])}

    def counted(found: Mapping[int, Mapping[str, Any]], column: str) -> np.ndarray:
        return np.array([[found[k][f"{name}_{column}"] for k in indices] for name in classes]) * pixel_mm2

    networks = {run: counted(found, "pred") for run, found in whole.items()}
    reference = counted(next(iter(whole.values())), "ref") if whole else None
    compared = {row["run"] for row in rows if row.get("disagreement_px") is not None}
    if len(whole) < 2 or compared != set(whole) or set(runs) != set(whole):
        return Areas(reference, networks, None)
    differing = np.full((len(classes), len(indices)), -1.0)
    found = next(iter(whole.values()))
    differing[-1] = [(found[k]["disagreement_px"] or 0) * pixel_mm2 for k in indices]
    return Areas(reference, networks, differing)
