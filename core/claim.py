"""The study's claim, put to the test: does MultiResUNet focus more than the other networks, and why?

Every network is asked about the region that it predicts itself, with every gradient method, in every layer,
on every test case that shows the class. What comes out is stored beside the results of the dataset.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import numpy as np

from core import atomic, cache, catalogues, explaining, plans, prepared, reading, results
from core.cards import DatasetCard
from core.claims import DIFFERENCES, FORMAT, MEANS, ROWS, Claim, read_claim, write
from core.columns import single_run
from core.errors import RunMissing
from core.explain import baselines, focus
from core.explain.methods import METHODS
from core.metrics.overlap import class_values
from core.plans import Plan
from core.records import Run, Slice, SliceEntry, Target
from core.summary_claim import CONTROL, FOCUSED, MATCHED, NUMBERS, differences, means, verdicts

SLICES = 8  # of a volume, per class: neighbours say nearly the same
BESIDE = ("uniform", "probability")

Report = Callable[[int, int, str], None]
Row = dict[str, Any]


def claim(
    dataset: str, names: Sequence[str] | None = None, slices: int = SLICES, report: Report | None = None
) -> Claim:
    """Test the claim on a dataset's test part, and store the answer.

    ``names`` are the runs to compare, by default the family that speaks for the dataset. What is computed for a
    case is kept, so a killed start goes on. ``report`` gets (cases done, all, text). RunMissing without runs of
    MultiResUNet and of another network on the same cases.
    """
    card = prepared.read_card(dataset)
    members = _family(card, names)
    entries = chosen_slices(members[0].entries, card, slices)
    rows: list[Row] = []
    for done, entry in enumerate(entries, start=1):
        slice = prepared.read_slice(entry.dataset, entry.case, entry.index)
        for plan in members:
            rows += _case(plan.run, slice, card)
        if report:
            report(done, len(entries), entry.case)
    models = {plan.run.name: plan.run.model for plan in members}
    found = differences(rows, models)
    header = {
        "format": FORMAT,
        "dataset": dataset,
        "runs": models,
        "weights": {plan.run.name: plan.run.weights_sha256 for plan in members},
        "family": members[0].family,
        "n_slices": len(entries),
        "n_groups": len({entry.group for entry in entries}),
        "group": card.group,
        "matched_within_dice": MATCHED,
        "control_layer": CONTROL,
        "caution": single_run(members, list(models)),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    titles = {model: network.title for model, network in catalogues.network_cards().items()}
    write(dataset, header, verdicts(found, titles), {ROWS: rows, MEANS: means(rows), DIFFERENCES: found})
    return read_claim(dataset)


def _family(card: DatasetCard, names: Sequence[str] | None) -> list[Plan]:
    """The runs to compare: of one family, MultiResUNet first."""
    found, _ = plans.plan_all(card, prepared.list_slices(card.name), names)
    for members in plans.by_priority(card, found).values():
        family = [plan for plan in found if plan.run.name in members]
        family.sort(key=lambda plan: plan.run.model != FOCUSED)
        if len(family) > 1 and family[0].run.model == FOCUSED:
            return family
    raise RunMissing(
        f"No run of MultiResUNet on {card.name} can be compared with another network: expected the same split, "
        f"seed and width. Run: python -m core train {card.name} unet multiresunet dcunet"
    )


def chosen_slices(entries: Sequence[SliceEntry], card: DatasetCard, slices: int) -> list[SliceEntry]:
    """Entries that show a class: every picture; of a volume, so many per class, evenly spaced from feet to head."""
    if not card.has_volumes:
        return [entry for entry in entries if entry.reference_pixels]
    kept: set[str] = set()
    by_case: dict[str, list[SliceEntry]] = {}
    for entry in entries:
        by_case.setdefault(entry.case, []).append(entry)
    for members in by_case.values():
        for name in card.foreground:
            values = class_values(name, card.classes)
            shown = [entry for entry in members if any(entry.class_pixels[value - 1] for value in values)]
            at = np.linspace(0, len(shown) - 1, min(slices, len(shown))).round().astype(int) if shown else ()
            kept |= {shown[place].key for place in at}
    return [entry for entry in entries if entry.key in kept]


def _case(run: Run, slice: Slice, card: DatasetCard) -> list[Row]:
    """The rows of one run and slice: from the cache, else computed and stored."""
    reference = b"" if slice.reference is None else np.ascontiguousarray(slice.reference).tobytes()
    kinds = [f"{method}.{layer}" for method, layer in explaining.live_maps(run)]
    made_of = (run.weights_sha256, slice.image_sha256, atomic.sha256(reference), *kinds)
    key = cache.key("focus", str(FORMAT), *made_of)
    found = cache.read("focus", key, [])
    if found is not None:
        numbers = found[1]["rows"]
    else:
        numbers = results.tidy(_numbers(run, slice, card))
        with suppress(OSError):  # a full or read-only disk costs speed, not the answer
            cache.write("focus", key, {}, {"rows": numbers})
    about = {"case": slice.case, "index": slice.index, "group": slice.group, "run": run.name}
    return [
        about | {name: math.nan if value is None else value for name, value in row.items()} for row in numbers
    ]


def _numbers(run: Run, slice: Slice, card: DatasetCard) -> list[Row]:
    prediction = reading.predict(run.name, slice)
    scores = reading.score(slice, prediction)
    shown = [name for name in card.foreground if np.any(slice.reference == card.classes.index(name))]
    maps = explaining.heatmaps(run.name, slice, prediction, [Target(class_name=name) for name in shown])
    seen = {name: focus.scene(slice, card.classes.index(name), card.classes) for name in shown}
    rows: list[Row] = []
    for (method, layer, target), heatmap in maps.items():
        if METHODS[method].card.needs != "gradients":
            continue  # the same for every class: not an answer to the question
        name = target.class_name
        about = {"class": name, "layer": layer, "dice": scores[name].values["dice"]}
        found = focus.numbers(heatmap, slice, prediction, card.classes, seen[name])
        rows.append({**about, "method": method, "state": heatmap.state, **_kept(found)})
        if method == "gradcam":
            given = (heatmap, slice, prediction, card.classes, seen[name])
            for title, numbers in baselines.baseline_numbers(*given, names=BESIDE).items():
                rows.append(
                    {**about, "method": f"baseline {title}", "state": heatmap.state, **_kept(numbers)}
                )
    return rows


def _kept(numbers: Mapping[str, float]) -> Row:
    return {name: float(f"{numbers[name]:.4g}") for name in NUMBERS}
