"""What stands beside a heatmap on screen: the numbers of the maps it has to beat."""

from __future__ import annotations

from core import runs
from core.explain import baselines
from core.explain.focus import Numbers
from core.records import Heatmap, Prediction, Slice


def baseline_numbers(heatmap: Heatmap, slice: Slice, prediction: Prediction) -> dict[str, Numbers]:
    """The numbers that each map of ``BASELINES`` would have in this map's place, by name.

    Like those of ``heatmap_numbers``, NaN with a reason where undefined. Equal for all methods of one layer.
    """
    return baselines.baseline_numbers(heatmap, slice, prediction, runs.read_run(heatmap.run).classes)
