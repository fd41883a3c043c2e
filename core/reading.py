"""One slice through: what a run predicts, why, and how well. Looks in the cache first.

The ``stored_*`` functions never load Keras: a page that only shows what is stored stays light. The others
compute on a miss and store what they computed. ``run`` is always a run's name, such as "busi-unet-0".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core import atomic, cache, catalogues, prepared, preprocess, runs
from core.errors import CoreError, DataMissing
from core.explain import focus, targets
from core.explain.methods import METHODS
from core.metrics import overlap
from core.records import Evidence, Heatmap, Prediction, Run, Scores, Slice, Target

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
                _store("predictions", name, {"probability": probability}, {"run": run})
                found[place] = _prediction(run, slices[place], probability)
            if report:
                report(start + len(part), len(missing), f"{run}: predictions")
    return [prediction for prediction in found if prediction is not None]


def stored_heatmap(run: str, slice: Slice, method: str, layer: str, target: Target) -> Heatmap | None:
    """One heatmap if it is stored, None otherwise. ValueError for an unknown method, layer or class."""
    which = runs.read_run(run)
    _check(which, method, layer, target)
    name = f"{method}.{layer}"
    found = cache.read("heatmaps", _heatmap_key(which, slice, target), [name])
    try:
        return _heatmap(run, slice, method, layer, target, found[0][name], found[1]) if found else None
    except (ValueError, KeyError, TypeError):
        return None  # readable, but not a heatmap: computed anew


def heatmap(
    run: str, slice: Slice, prediction: Prediction, method: str, layer: str, target: Target
) -> Heatmap:
    """One heatmap: from the cache, else computed and stored, with all layers and gradient methods.

    ``prediction`` must be this run's for this slice (ValueError otherwise): its region is what is explained.
    DataMissing when the reference region is asked of a case without an outline.
    """
    found = stored_heatmap(run, slice, method, layer, target)
    if found:
        return found
    return _explain(runs.read_run(run), [slice], [prediction], target)[0][f"{method}.{layer}"]


def heatmap_numbers(heatmap: Heatmap, slice: Slice, prediction: Prediction) -> focus.Numbers:
    """The numbers beside a map (see ``focus.numbers``): a mapping, with ``.why`` for each that is NaN."""
    return focus.numbers(heatmap, slice, prediction, runs.read_run(heatmap.run).classes)


def target_sentence(run: str, target: Target) -> str:
    """The question in the reader's words, with the network's title."""
    return targets.sentence(target, _title(run))


def state_sentence(heatmap: Heatmap) -> str:
    """A heatmap's state in the reader's words; empty when there is nothing to say."""
    return targets.state_sentence(heatmap.state, heatmap.target, _title(heatmap.run))


def score(slice: Slice, prediction: Prediction) -> dict[str, Scores]:
    """Scores by foreground class, on the grid of the reference; DataMissing without a reference."""
    if slice.reference is None:
        raise DataMissing(f"{slice.key} has no expert outline, so there is nothing to score against.")
    labels = preprocess.labels_of(prediction.probability, slice.reference.shape)
    return overlap.scores(slice.reference, labels, runs.read_run(prediction.run).classes)


def predicted_labels(prediction: Prediction, shape: tuple[int, int]) -> np.ndarray:
    """The outline a run draws, on a grid of ``shape``: (H, W) uint8 labels; probabilities are enlarged first."""
    return preprocess.labels_of(prediction.probability, shape)


def precompute(
    dataset: str, names: Sequence[str] | None = None, report: Report | None = None, part: str = "test"
) -> int:
    """Store predictions and predicted-region heatmaps of a dataset's test part; returns how many slices.

    ``names`` are runs; without any, those trained on this dataset, or for an external set all whose classes
    fit. The part is that of each run's own split; an external set has none and is taken whole. What is
    stored already costs next to nothing. ``report(done, total, text)`` counts slices over all runs.
    CoreError when nothing can be stored.
    """
    if not names:
        classes = prepared.read_card(dataset).classes
        fitting = runs.list_runs(dataset) or [run for run in runs.list_runs() if run.classes == classes]
        names = [run.name for run in fitting if not run.problem]
    chosen = [runs.read_run(name) for name in names]
    entries = prepared.list_slices(dataset)
    work = [(run, [e for e in entries if e.parts.get(run.split, part) == part]) for run in chosen]
    done, total = 0, sum(len(part_entries) for _, part_entries in work)
    for run, part_entries in work:
        for start in range(0, len(part_entries), 8):
            slices = [prepared.read_slice(dataset, e.case, e.index) for e in part_entries[start : start + 8]]
            predictions = predict_many(run.name, slices)
            for name in run.classes[1:]:
                _ensure_heatmaps(run, slices, predictions, Target(class_name=name))
            if stored_prediction(run.name, slices[-1]) is None:
                raise CoreError(
                    "Nothing can be stored in artifacts/cache: the disk is full or the folder is read-only. "
                    f"Make room, then run: python -m core precompute {dataset}"
                )
            done += len(slices)
            if report:
                report(done, total, f"{run.name}: predictions and heatmaps")
    return done


def _ensure_heatmaps(
    run: Run, slices: Sequence[Slice], predictions: Sequence[Prediction], target: Target
) -> None:
    names = [f"{method}.{layer}" for layer in _layers(run) for method in _gradient_methods()]
    missing = [
        place
        for place, slice in enumerate(slices)
        if cache.read("heatmaps", _heatmap_key(run, slice, target), names) is None
    ]
    if missing:
        _explain(run, [slices[p] for p in missing], [predictions[p] for p in missing], target)


def _explain(
    run: Run, slices: Sequence[Slice], predictions: Sequence[Prediction], target: Target
) -> list[dict[str, Heatmap]]:
    """All layers x gradient methods of each slice, by "method.layer": computed and stored."""
    from core.explain import engine

    for slice, given in zip(slices, predictions, strict=True):
        expected, got = (run.name, slice.key), (given.run, given.slice_key)
        if expected != got:
            raise ValueError(f"prediction: expected {expected}, got {got}")
    layers, label = _layers(run), targets.label_of(target, run.classes)
    asked = [
        targets.region(target, run.classes, prediction.probability, _small_reference(slice, target))
        for slice, prediction in zip(slices, predictions, strict=True)
    ]
    images = np.stack([slice.image for slice in slices])
    found = engine.evidence(run, layers, images, np.stack(asked)[..., None], [label], target.kind)
    maps = []
    for slice, prediction, region, (evidence,) in zip(slices, predictions, asked, found, strict=True):
        arrays, facts = _maps(prediction, region, evidence, target, label)
        _store("heatmaps", _heatmap_key(run, slice, target), arrays, {**facts, "run": run.name})
        one = {}
        for name, values in arrays.items():
            method, layer = name.split(".", 1)
            one[name] = _heatmap(run.name, slice, method, layer, target, values, facts)
        maps.append(one)
    return maps


def _maps(
    prediction: Prediction, region: np.ndarray, evidence: dict[str, Evidence], target: Target, label: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    probability = targets.class_probability(prediction.probability, label)
    predicted = targets.predicted_region(prediction.probability, label)
    arrays, states = {}, {}
    for layer, found in evidence.items():
        flat = not found.gradients.any()
        for method in _gradient_methods():
            values = METHODS[method].formula(found).astype(np.float32)
            arrays[f"{method}.{layer}"] = values
            states[f"{method}.{layer}"] = focus.states(
                values, kind=target.kind, region=region, probability=probability,
                predicted=predicted, flat=flat, last=layer == list(evidence)[-1],
            )  # fmt: skip
    return arrays, {
        "score": _or_none(next(iter(evidence.values())).score),
        "states": states,
        "region_pixels": int(region.sum()),
        "mean_probability": _or_none(targets.mean_over(probability, region)),
    }


def _heatmap(
    run: str, slice: Slice, method: str, layer: str, target: Target, values: np.ndarray, facts: dict[str, Any]
) -> Heatmap:
    state, *notes = facts["states"][f"{method}.{layer}"]
    return Heatmap(
        run=run, slice_key=slice.key, method=method, layer=layer, target=target, values=values,
        score=_or_nan(facts["score"]), state=state, region_pixels=facts["region_pixels"],
        mean_probability=_or_nan(facts["mean_probability"]), notes=tuple(notes),
    )  # fmt: skip


def _prediction(run: str, slice: Slice, probability: np.ndarray) -> Prediction:
    return Prediction(run=run, slice_key=slice.key, probability=probability)


def _prediction_key(run: Run, slice: Slice) -> str:
    return cache.key("prediction", run.weights_sha256, slice.image_sha256)


def _heatmap_key(run: Run, slice: Slice, target: Target) -> str:
    small = _small_reference(slice, target)
    reference = "" if small is None else atomic.sha256(np.ascontiguousarray(small).tobytes())
    return cache.key(
        "heatmaps", run.weights_sha256, slice.image_sha256, ",".join(run.classes), target.key, reference
    )


def _small_reference(slice: Slice, target: Target) -> np.ndarray | None:
    if target.region != "reference" or slice.reference is None:
        return None
    return preprocess.small_labels(slice.reference)


def _store(kind: str, name: str, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    try:
        cache.write(kind, name, arrays, facts)
    except OSError:
        return  # a full or read-only disk costs speed, not the answer


def _check(run: Run, method: str, layer: str, target: Target) -> None:
    targets.label_of(target, run.classes)
    for name, value, known in (("method", method, METHODS), ("layer", layer, _layers(run))):
        if value not in known:
            raise ValueError(f"{name}: expected one of {tuple(known)}, got {value!r}")


def _layers(run: Run) -> tuple[str, ...]:
    return catalogues.network_cards()[run.model].layers


def _gradient_methods() -> tuple[str, ...]:
    return tuple(name for name, row in METHODS.items() if row.card.needs == "gradients")


def _title(run: str) -> str:
    return catalogues.network_cards()[runs.read_run(run).model].title


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
