"""Questions about one slice: the region asked about, where a click leads, and both in the reader's words.

Regions are (SIZE, SIZE) booleans on the grid of the networks. Loads no Keras.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core import catalogues, preprocess, runs
from core.explain import sentences, targets
from core.records import SIZE, Heatmap, Prediction, Slice, Target


def target_sentence(run: str, target: Target) -> str:
    """The question in the reader's words, with the network's title."""
    return sentences.sentence(target, _title(run))


def state_sentence(heatmap: Heatmap) -> str:
    """A heatmap's state in the reader's words; empty when there is nothing to say."""
    return sentences.state_sentence(heatmap.state, heatmap.target, _title(heatmap.run))


def target_region(
    slice: Slice, prediction: Prediction, target: Target, mask: np.ndarray | None = None
) -> np.ndarray:
    """The pixels a question is about, maybe none; ``mask`` is the region "shared".

    DataMissing when the reference is asked about in a case without an outline.
    """
    small = None if slice.reference is None else preprocess.small_labels(slice.reference)
    return targets.region(target, _classes(prediction), prediction.probability, small, mask)


def shared_region(slice: Slice, predictions: Sequence[Prediction], class_name: str) -> np.ndarray:
    """One region to ask all networks about: the reference of the class, else what any of them predicts as it."""
    label = targets.label_of(Target(class_name), _classes(predictions[0]))
    if slice.reference is not None:
        drawn = preprocess.small_labels(slice.reference) == label
        if drawn.any():
            return np.asarray(drawn)
    found = [targets.predicted_region(prediction.probability, label) for prediction in predictions]
    return np.asarray(np.logical_or.reduce(found))


def pixel_target(
    prediction: Prediction, row: int, column: int, shape: tuple[int, int], radius: int = 1
) -> Target:
    """What a click asks: why this class just here? ``row`` and ``column`` are on a grid of ``shape``.

    The class is the one predicted there; ``radius`` is in pixels of the networks' grid. ValueError for a
    place outside.
    """
    at = []
    for name, place, side in (("row", row, shape[0]), ("column", column, shape[1])):
        if not 0 <= place < side:
            raise ValueError(f"{name}: expected 0..{side - 1}, got {place}")
        at.append(int((place + 0.5) * SIZE / side))
    return targets.at_pixel(prediction.probability, _classes(prediction), at[0], at[1], radius)


def numbered_components(
    slice: Slice, prediction: Prediction, class_name: str, of: str = "predicted"
) -> tuple[np.ndarray, tuple[int, ...]]:
    """The separate regions of a class: numbers (SIZE, SIZE), 1 is the largest, 0 elsewhere; and their pixels.

    A number is the ``index`` of ``Target(region="component")``; ``of`` is "predicted" or "reference".
    """
    region = Target(class_name, of)
    return targets.components(target_region(slice, prediction, region))


def _classes(prediction: Prediction) -> tuple[str, ...]:
    return runs.read_run(prediction.run).classes


def _title(run: str) -> str:
    return catalogues.network_cards()[runs.read_run(run).model].title
