"""One slice through: what a run predicts, and how well. Looks in the cache first; why is in ``explaining``.

``stored_prediction`` never loads Keras: a page that only shows what is stored stays light. The others compute
on a miss and store what they computed. ``run`` is always a run's name, such as "busi-unet-0".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from core import cache, catalogues, preprocess, runs
from core.errors import DataMissing
from core.explain import focus
from core.metrics import overlap
from core.records import Heatmap, Prediction, Run, Scores, Slice

Report = Callable[[int, int, str], None]  # done, total, what


def stored_prediction(run: str, slice: Slice) -> Prediction | None:
    """What the run predicts for a slice, if that is stored; None otherwise."""
    found = cache.read("predictions", _prediction_key(runs.read_run(run), slice), ["probability"])
    try:
        return _prediction(run, slice, found[0]["probability"]) if found else None
    except ValueError:
        return None  # readable, but not a prediction: computed anew


def predict(run: str, slice: Slice) -> Prediction:
    """What the run predicts for a slice: from the cache, else computed and stored.

    RunMissing or RunRefused when there is no such run or its files do not match.
    """
    return predict_many(run, [slice])[0]


def predict_many(run: str, slices: Sequence[Slice], report: Report | None = None) -> list[Prediction]:
    """Predictions of many slices, in their order; those not stored are computed in batches.

    ``report(done, total, text)`` is called after each batch that had to be computed.
    """
    which = runs.read_run(run)
    found = [stored_prediction(run, slice) for slice in slices]
    missing = [place for place, prediction in enumerate(found) if prediction is None]
    if missing:
        from core.explain import engine

        layers = catalogues.network_cards()[which.model].layers
        for start in range(0, len(missing), engine.BATCH):
            part = missing[start : start + engine.BATCH]
            images = np.stack([slices[place].image for place in part])
            for place, probability in zip(part, engine.predict(which, layers, images), strict=True):
                name = _prediction_key(which, slices[place])
                cache.keep("predictions", name, {"probability": probability}, {"run": run})
                found[place] = _prediction(run, slices[place], probability)
            if report:
                report(start + len(part), len(missing), f"{run}: predictions")
    return [prediction for prediction in found if prediction is not None]


def heatmap_numbers(heatmap: Heatmap, slice: Slice, prediction: Prediction) -> focus.Numbers:
    """The numbers beside a map (see ``focus.numbers``): a mapping, with ``.why`` for each that is NaN."""
    return focus.numbers(heatmap, slice, prediction, runs.read_run(heatmap.run).classes)


def score(slice: Slice, prediction: Prediction) -> dict[str, Scores]:
    """Scores by foreground class, on the grid of the reference; DataMissing without a reference."""
    if slice.reference is None:
        raise DataMissing(f"{slice.key} has no expert outline, so there is nothing to score against.")
    labels = preprocess.labels_of(prediction.probability, slice.reference.shape)
    return overlap.scores(slice.reference, labels, runs.read_run(prediction.run).classes)


def predicted_labels(prediction: Prediction, shape: tuple[int, int]) -> np.ndarray:
    """The outline a run draws, on a grid of ``shape``: (H, W) uint8 labels; probabilities are enlarged first."""
    return preprocess.labels_of(prediction.probability, shape)


def _prediction(run: str, slice: Slice, probability: np.ndarray) -> Prediction:
    return Prediction(run=run, slice_key=slice.key, probability=probability)


def _prediction_key(run: Run, slice: Slice) -> str:
    return cache.key("prediction", run.weights_sha256, slice.image_sha256)
