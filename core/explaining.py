"""Heatmaps of one slice: question, evidence, formulas. Looks in the cache first, stores what it computed.

The methods that live on one shared pass are computed and stored together, for all layers. One that needs
passes of its own, or was asked with other options, is computed alone, on demand. ``stored_heatmap`` never
loads Keras. ``run`` is always a run's name, ``mask`` the (SIZE, SIZE) booleans of the region "shared".
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core import atomic, cache, catalogues, preprocess, runs
from core.explain import focus, targets
from core.explain.methods import METHODS
from core.explain.passes import Report, further
from core.records import Evidence, Heatmap, Prediction, Run, Slice, Target

AT_ONCE = 3  # questions per pass; every further number of them would cost seconds of tracing
IMAGE = "image"  # stands for the layer of methods that look at the input itself

Maps = dict[tuple[str, str, Target], Heatmap]  # by method, layer, target


def stored_heatmap(
    run: str, slice: Slice, method: str, layer: str, target: Target,
    mask: np.ndarray | None = None, options: Mapping[str, Any] | None = None,
) -> Heatmap | None:  # fmt: skip
    """One heatmap if it is stored, None otherwise. ValueError for an unknown method, layer, class or option."""
    which, chosen = runs.read_run(run), chosen_options(method, options)
    _check(which, method, layer, target, mask)
    found = _stored(which, slice, target, mask, [(method, layer)], chosen)
    return found[method, layer, target] if found else None


def heatmap(
    run: str, slice: Slice, prediction: Prediction, method: str, layer: str, target: Target,
    mask: np.ndarray | None = None, options: Mapping[str, Any] | None = None, report: Report | None = None,
) -> Heatmap:  # fmt: skip
    """One heatmap: from the cache, else computed and stored, if possible with all that share its pass.

    ``prediction`` must be this run's for this slice (ValueError otherwise): its region is what is explained.
    ``options`` are the method's (see its card). ``report(done, total, text)`` is called after each batch of a
    method with passes of its own; what it raises ends the computation. DataMissing when the reference is asked
    about in a case without an outline.
    """
    found = stored_heatmap(run, slice, method, layer, target, mask, options)
    if found:
        return found
    which, chosen = runs.read_run(run), chosen_options(method, options)
    if _alone(method, layer, chosen):
        return _explain_alone(which, slice, prediction, (method, layer, target), mask, chosen, report)
    return explain(which, [slice], [prediction], [target], mask)[0][method, layer, target]


def heatmaps(
    run: str, slice: Slice, prediction: Prediction, targets: Sequence[Target], mask: np.ndarray | None = None
) -> Maps:
    """All maps that one pass gives, by (method, layer, target): every layer and every method without own passes.

    Several questions share the forward pass. What is stored is read. Errors as in ``heatmap``.
    """
    which = runs.read_run(run)
    found: Maps = {}
    missing = []
    for target in dict.fromkeys(targets):
        known = stored_maps(which, slice, target, mask)
        found |= known or {}
        missing += [] if known else [target]
    return found | explain(which, [slice], [prediction], missing, mask)[0] if missing else found


def explain(
    run: Run, slices: Sequence[Slice], predictions: Sequence[Prediction], asked: Sequence[Target],
    mask: np.ndarray | None = None, *, keep: bool = True,
) -> list[Maps]:  # fmt: skip
    """Every map of every slice that one pass per AT_ONCE questions gives: computed and, if ``keep``, stored."""
    from core.explain import engine

    _check_pairs(run, slices, predictions)
    maps: list[Maps] = [{} for _ in slices]
    images = np.stack([slice.image for slice in slices])
    for start in range(0, len(asked), AT_ONCE):
        part = asked[start : start + AT_ONCE]
        regions = np.stack([
            np.stack([_region(run, s, p, target, _for(target, mask)) for target in part], axis=-1)
            for s, p in zip(slices, predictions, strict=True)
        ])  # fmt: skip
        found = engine.evidence(run, layers_of(run), images, regions, *_labels(run, part))
        for row, (slice, prediction) in enumerate(zip(slices, predictions, strict=True)):
            for slot, target in enumerate(part):
                entry = _entry(run, prediction, target, regions[row, ..., slot], found[row][slot])
                if keep:
                    cache.keep("heatmaps", _key(run, slice, target, _for(target, mask)), *entry)
                for name, values in entry[0].items():
                    one = _heatmap(run.name, slice, name, target, values, entry[1], {})
                    maps[row][one.method, one.layer, target] = one
    return maps


def stored_maps(run: Run, slice: Slice, target: Target, mask: np.ndarray | None = None) -> Maps | None:
    """Every map of the shared pass about one question; None unless all are stored, whole and readable."""
    return _stored(run, slice, target, _for(target, mask), live_maps(run))


def live_maps(run: Run) -> list[tuple[str, str]]:
    """Method and layer of every map of the shared pass."""
    live = [name for name, row in METHODS.items() if row.card.needs != "passes"]
    return [(method, layer) for layer in layers_of(run) for method in live]


def layers_of(run: Run) -> tuple[str, ...]:
    """The layers of a run's network that a heatmap may look at, deepest first."""
    return catalogues.network_cards()[run.model].layers


def chosen_options(method: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Those options that are not the method's defaults; ValueError for a name or a value it does not offer."""
    if method not in METHODS:
        raise ValueError(f"method: expected one of {tuple(METHODS)}, got {method!r}")
    offered = METHODS[method].card.options
    for name, value in (options or {}).items():
        if value not in offered.get(name, ()):
            raise ValueError(f"options: expected {name} in {offered.get(name, 'none')}, got {value!r}")
    return {name: value for name, value in sorted((options or {}).items()) if value != offered[name][0]}


def _explain_alone(
    run: Run, slice: Slice, prediction: Prediction, question: tuple[str, str, Target],
    mask: np.ndarray | None, options: dict[str, Any], report: Report | None,
) -> Heatmap:  # fmt: skip
    from core.explain import engine

    _check_pairs(run, [slice], [prediction])
    method, layer, target = question
    row, layers = METHODS[method], layers_of(run)
    region = _region(run, slice, prediction, target, mask)
    labels, kinds, rivals = _labels(run, [target])
    found = engine.evidence(
        run, layers, slice.image[None], region[None, ..., None], labels, kinds, rivals
    )[0][0]  # fmt: skip
    evidence, remarks = found[layers[0] if layer == IMAGE else layer], []
    if row.card.needs == "passes":
        passes = further(run, layers, layer, slice.image, (region, labels[0], kinds[0], rivals[0]), report)
        evidence, remarks = dataclasses.replace(evidence, passes=passes), passes.remarks
    if region.any() or row.card.needs != "passes":
        values = row.formula(evidence, **options)
    else:  # nothing to ask the network about
        values = np.zeros(slice.image.shape[:2] if layer == IMAGE else evidence.activations.shape[:2])
    entry = _entry(run, prediction, target, region, {layer: evidence}, {f"{method}.{layer}": values})
    entry[1]["remarks"] = remarks
    cache.keep("heatmaps", _key(run, slice, target, mask, _alone(method, layer, options)), *entry)
    name, (arrays, facts) = f"{method}.{layer}", entry
    return _heatmap(run.name, slice, name, target, arrays[name], facts, options)


def _stored(
    run: Run, slice: Slice, target: Target, mask: np.ndarray | None, wanted: Sequence[tuple[str, str]],
    options: Mapping[str, Any] | None = None,
) -> Maps | None:  # fmt: skip
    """The wanted maps (method, layer) of one entry; None unless it holds them all and they can be read."""
    names = [f"{method}.{layer}" for method, layer in wanted]
    alone = _alone(*wanted[0], options or {})
    found = cache.read("heatmaps", _key(run, slice, target, mask, alone), names)
    try:
        arrays, facts = found or ({}, {})
        maps = [_heatmap(run.name, slice, n, target, arrays[n], facts, options or {}) for n in names]
        return {(one.method, one.layer, target): one for one in maps}
    except (ValueError, KeyError, TypeError):
        return None  # readable, but not heatmaps: computed anew


def _entry(
    run: Run, prediction: Prediction, target: Target, region: np.ndarray, evidence: Mapping[str, Evidence],
    computed: Mapping[str, np.ndarray] | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:  # fmt: skip
    """What is stored for one question: maps by "method.layer" (all live ones unless ``computed``), and facts."""
    label = targets.label_of(target, run.classes)
    probability = targets.class_probability(prediction.probability, label)
    predicted = targets.predicted_region(prediction.probability, label)
    found = computed or {f"{m}.{layer}": METHODS[m].formula(evidence[layer]) for m, layer in live_maps(run)}
    arrays, states = {name: values.astype(np.float32) for name, values in found.items()}, {}
    for name, values in arrays.items():
        layer = name.split(".", 1)[1]
        states[name] = list(focus.states(
            values, kind=target.kind, region=region, probability=probability, predicted=predicted,
            flat=not evidence[layer].gradients.any(), last=layer == layers_of(run)[-1],
        ))  # fmt: skip
        if target.region == "top_percent" and not predicted.any():
            # what is shown is no answer to "why this prediction?": the state of the case stays
            states[name] = ["empty_region", *(state for state in states[name] if state != "ok")]
    return arrays, {
        "score": _or_none(next(iter(evidence.values())).score),
        "states": states,
        "region_pixels": int(region.sum()),
        "mean_probability": _or_none(targets.mean_over(probability, region)),
        "run": run.name,
    }


def _heatmap(
    run: str, slice: Slice, name: str, target: Target, values: np.ndarray, facts: dict[str, Any],
    options: Mapping[str, Any],
) -> Heatmap:  # fmt: skip
    method, layer = name.split(".", 1)
    state, *notes = facts["states"][name]
    return Heatmap(
        run=run, slice_key=slice.key, method=method, layer=layer, target=target, values=values,
        score=_or_nan(facts["score"]), state=state, region_pixels=facts["region_pixels"],
        mean_probability=_or_nan(facts["mean_probability"]), notes=tuple(notes),
        options=options, remarks=tuple(facts.get("remarks", ())),
    )  # fmt: skip


def _labels(run: Run, asked: Sequence[Target]) -> tuple[list[int], list[str], list[int | None]]:
    """Labels, kinds and rivals of some questions, as the engine takes them."""
    labels = [targets.label_of(target, run.classes) for target in asked]
    return labels, [t.kind for t in asked], [targets.rival_of(t, run.classes) for t in asked]


def _region(
    run: Run, slice: Slice, prediction: Prediction, target: Target, mask: np.ndarray | None
) -> np.ndarray:
    return targets.region(target, run.classes, prediction.probability, _small(slice, target), mask)


def _small(slice: Slice, target: Target) -> np.ndarray | None:
    """The expert's label map on the network's grid, where the question needs it and there is one."""
    if not target.needs_reference or slice.reference is None:
        return None
    return preprocess.small_labels(slice.reference)


def _for(target: Target, mask: np.ndarray | None) -> np.ndarray | None:
    return mask if target.region == "shared" else None


def _alone(method: str, layer: str, options: Mapping[str, Any]) -> str:
    """What tells the entry of a map that is computed alone; empty for those of the shared pass."""
    if METHODS[method].card.needs != "passes" and not options:
        return ""
    return atomic.canonical([method, layer, options]).decode()


def _key(run: Run, slice: Slice, target: Target, mask: np.ndarray | None, alone: str = "") -> str:
    hashes = [
        "" if array is None else atomic.sha256(np.ascontiguousarray(array).tobytes())
        for array in (_small(slice, target), mask)
    ]
    more = [text for text in (hashes[1], alone) if text]
    parts = run.weights_sha256, slice.image_sha256, ",".join(run.classes), target.key, hashes[0]
    return cache.key("heatmaps", *parts, *more)


def _check(run: Run, method: str, layer: str, target: Target, mask: np.ndarray | None) -> None:
    targets.label_of(target, run.classes)
    targets.rival_of(target, run.classes)
    if (target.region == "shared") != (mask is not None):
        raise ValueError(f"mask: expected one for the region shared alone, got {target.region}")
    known = (IMAGE,) if METHODS[method].card.place == "image" else layers_of(run)
    if layer not in known:
        raise ValueError(f"layer: expected one of {known}, got {layer!r}")


def _check_pairs(run: Run, slices: Sequence[Slice], predictions: Sequence[Prediction]) -> None:
    for slice, given in zip(slices, predictions, strict=True):
        expected, got = (run.name, slice.key), (given.run, given.slice_key)
        if expected != got:
            raise ValueError(f"prediction: expected {expected}, got {got}")


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
