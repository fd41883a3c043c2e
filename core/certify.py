"""The sanity certificate of a run: random weights, small disturbances and removed pixels, over its test cases.

Every case is stored as soon as it is done, named by all it depends on: a killed start goes on, and a longer one
computes the further cases only.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from core import cache, catalogues, certificates, plans, prepared, results, runs
from core.cards import DatasetCard
from core.errors import CoreError, DataMissing
from core.explain import checks, faithfulness, randomise, targets
from core.explain.baselines import baseline_maps
from core.explain.methods import METHODS
from core.records import Run, Slice, SliceEntry
from core.summary_checks import DEFAULT_METHOD, LIKE_OTHERS, summarise

if TYPE_CHECKING:
    from core.explain.engine import EvidencePass

CASES = 24  # intervals of 20 groups and more are no longer approximate

Report = Callable[[int, int, str], None]
Maps = dict[tuple[str, str, str], np.ndarray]  # by class, layer and method
Row = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """How thorough a certificate is."""

    cases: int = CASES
    shares: tuple[float, ...] = faithfulness.SHARES  # of the pixels, for deletion and insertion
    road: bool = False  # another 18 sparse solves per map
    seed: int = 0


def certify(
    run: str, settings: Settings | None = None, report: Report | None = None
) -> certificates.Certificate:
    """Check the heatmaps of a run on cases of its own test part, and store the certificate.

    A second call with unchanged weights, cases and settings reads what is stored. ``report`` gets (cases done,
    all, text). DataMissing when the test part shows none of the class; RunMissing, RunRefused for the run.
    """
    which, settings = runs.read_run(run), settings or Settings()
    card = prepared.read_card(which.dataset)
    entries = chosen_cases(which, card, settings)
    header = _header(which, card, entries, settings)
    stored = _stored(run)
    if stored is not None and all(stored.header.get(key) == header[key] for key in header if key != "date"):
        return stored
    bench = _Bench.of(which, card, settings)
    rows: list[Row] = []
    maps: list[Maps] = []
    for done, entry in enumerate(entries, start=1):
        slice = prepared.read_slice(entry.dataset, entry.case, entry.index)
        regions = bench.regions(slice)
        maps += bench.maps([slice.image], regions)
        rows += _case(bench, slice, maps[-1], regions)
        if report:
            report(done, len(entries), f"{run}: {entry.case}")
    rows = _beside_others(rows, [entry.key for entry in entries], maps, card.name)
    certificates.write(which, header, summarise(rows), rows)
    return certificates.read_certificate(run)


def chosen_cases(run: Run, card: DatasetCard, settings: Settings) -> list[SliceEntry]:
    """Slices of the run's test part that show the class it is judged by: one of every group, then a second ..."""
    (plan,), _ = plans.plan_all(card, prepared.list_slices(card.name), [run.name])
    label = card.classes.index(plans.endpoint(card))
    by_group: dict[str, list[SliceEntry]] = {}
    drawn = np.random.default_rng(settings.seed).permutation(len(plan.entries))
    for entry in (plan.entries[place] for place in drawn):
        if (entry.class_pixels[label - 1] if entry.class_pixels else entry.reference_pixels or 0) > 0:
            by_group.setdefault(entry.group, []).append(entry)
    rounds = max((len(members) for members in by_group.values()), default=0)
    found = [members[turn] for turn in range(rounds) for members in by_group.values() if turn < len(members)]
    if not found:
        raise DataMissing(
            f"The test part of {card.name} has no {card.classes[label]}: nothing to certify on."
        )
    return found[: settings.cases]


def _header(run: Run, card: DatasetCard, entries: Sequence[SliceEntry], settings: Settings) -> Row:
    packages = ("numpy", "scipy", "scikit-image", "keras", "tensorflow")
    return {
        "format": certificates.FORMAT,
        "run": run.name,
        "dataset": run.dataset,
        "weights_sha256": run.weights_sha256,
        "split": run.split,
        "class": plans.endpoint(card),
        "settings": results.tidy(asdict(settings)),
        "cases": [entry.key for entry in entries],
        "n_cases": len(entries),
        "n_groups": len({entry.group for entry in entries}),
        "group": card.group,
        "methods": [name for name, _ in gradient_methods()],
        "layers": list(catalogues.network_cards()[run.model].layers),
        "depths": list(randomise.depths(catalogues.network_cards()[run.model].layers)),
        "disturbances": list(checks.KINDS_CT if card.window_hu else checks.KINDS),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _stored(run: str) -> certificates.Certificate | None:
    try:
        return certificates.read_certificate(run)
    except CoreError:
        return None


@dataclass(frozen=True, eq=False)
class _Bench:
    """A network set up for the checks: opened once, its weights exchanged and put back."""

    run: Run
    card: DatasetCard
    settings: Settings
    layers: tuple[str, ...]
    opened: EvidencePass
    trained: list[np.ndarray]
    random: dict[str, list[np.ndarray]]

    @staticmethod
    def of(run: Run, card: DatasetCard, settings: Settings) -> _Bench:
        from core import weights
        from core.explain.engine import EvidencePass

        layers = catalogues.network_cards()[run.model].layers
        opened = EvidencePass(weights.load(run), layers)
        random = randomise.weight_sets(opened.network, layers, settings.seed)
        return _Bench(run, card, settings, layers, opened, opened.network.get_weights(), random)

    def regions(self, slice: Slice) -> np.ndarray:
        """(SIZE, SIZE, foreground classes) booleans: what the trained network predicts, kept for every check."""
        probability = self.opened.predict(slice.image[None])[0]
        labels = range(1, len(self.card.classes))
        return np.stack([targets.predicted_region(probability, label) for label in labels], axis=-1)

    def maps(self, images: Sequence[np.ndarray], regions: np.ndarray) -> list[Maps]:
        """All maps of each image by the network as it is now, over fixed regions; none where a region is empty."""
        names = self.card.foreground
        labels = [label for label in range(1, len(names) + 1) if regions[..., label - 1].any()]
        if not labels:
            return [{} for _ in images]
        asked = regions[..., [label - 1 for label in labels]]
        fixed = np.broadcast_to(asked, (len(images), *asked.shape))
        return [
            {
                (names[label - 1], layer, method): row.formula(evidence)
                for label, by_layer in zip(labels, by_label, strict=True)
                for layer, evidence in by_layer.items()
                for method, row in gradient_methods()
            }
            for by_label in self.opened.evidence(np.stack(images), fixed, labels, "log_odds")
        ]


def gradient_methods() -> list[tuple[str, Any]]:
    """Methods that need no passes of their own, by name."""
    return [(name, row) for name, row in METHODS.items() if row.card.needs == "gradients"]


def _case(bench: _Bench, slice: Slice, maps: Maps, regions: np.ndarray) -> list[Row]:
    """The rows of one case: from the cache, else computed and stored."""
    asked = json.dumps([asdict(bench.settings) | {"cases": 0}, [name for name, _ in gradient_methods()]])
    made_of = (bench.run.weights_sha256, slice.image_sha256, slice.key, asked)
    key = cache.key("certificate", str(certificates.FORMAT), *made_of)
    found = cache.read("certificates", key, [])
    if found is not None:
        return [_with_nan(row) for row in found[1]["rows"]]
    rows = list(_rows(bench, slice, maps, regions))
    with suppress(OSError):  # a full or read-only disk costs speed, not the answer
        cache.write("certificates", key, {}, {"rows": results.tidy(rows)})
    return rows


def _with_nan(row: Mapping[str, Any]) -> Row:
    return {name: math.nan if value is None else value for name, value in row.items()}


def _rows(bench: _Bench, slice: Slice, maps: Maps, regions: np.ndarray) -> Iterator[Row]:
    numbers: dict[tuple[str, str, str], Row] = {at: {} for at in maps}
    for depth, drawn in bench.random.items() if maps else ():
        bench.opened.network.set_weights(drawn)
        try:
            (random,) = bench.maps([slice.image], regions)
        finally:
            bench.opened.network.set_weights(bench.trained)
        for at, values in maps.items():
            ranks, similar = checks.likeness(values, random[at])
            numbers[at] |= {f"random_rank_{depth}": ranks, f"random_similarity_{depth}": similar}
    changed = disturbed(slice, bench.card) if maps else {}
    found = {kind: bench.maps(images, regions) if images else [] for kind, images in changed.items()}
    for at, values in maps.items():
        each = {kind: [one[at] for one in many] for kind, many in found.items()}
        numbers[at]["stability"] = checks.stability(values, list(chain.from_iterable(each.values())))
        numbers[at] |= {f"stability_{kind}": checks.stability(values, many) for kind, many in each.items()}
    for at, more in _faithful(bench, slice, maps, regions).items():
        numbers[at] = numbers.get(at, {}) | more
    columns = dict.fromkeys(name for row in numbers.values() for name in row)
    for (name, layer, method), row in numbers.items():
        about = {"case": slice.case, "index": slice.index, "group": slice.group, "class": name}
        full = {column: row.get(column, math.nan) for column in columns}
        yield {**about, "layer": layer, "method": method, **full}


def disturbed(slice: Slice, card: DatasetCard) -> dict[str, list[np.ndarray]]:
    """Up to ten small changes of a slice's image, by kind, as its modality suffers them."""
    if card.window_hu is None:
        return checks.disturbed_pictures(slice.image)
    beside = []
    for index in (slice.index - 1, slice.index + 1):
        try:
            beside.append(prepared.read_slice(slice.dataset, slice.case, index).image)
        except DataMissing:
            continue  # the first or last slice that is stored
    return checks.disturbed_ct(slice.picture, card.window_hu, beside)


def _faithful(
    bench: _Bench, slice: Slice, maps: Maps, regions: np.ndarray
) -> dict[tuple[str, str, str], Row]:
    """Deletion, insertion and, if asked for, ROAD of the default method and of the baselines beside it.

    The last layer is left out: its map is the prediction by algebra.
    """
    numbers: dict[tuple[str, str, str], Row] = {}
    known: dict[bytes, Row] = {}  # an even map is the same at every layer
    probability = bench.opened.predict(slice.image[None])[0]
    for at, values in maps.items():
        name, layer, method = at
        if method != DEFAULT_METHOD or layer == bench.layers[-1]:
            continue
        label = bench.card.classes.index(name)
        region = regions[..., label - 1]
        likely = targets.class_probability(probability, label)
        drawn = baseline_maps(values.shape[0], slice.image, likely, int(region.sum()))
        for title, one in {method: values, **{f"baseline {key}": drawn[key] for key in drawn}}.items():
            same = faithfulness.ranking(one).tobytes() + bytes([label])
            if same not in known:
                given = (slice.image, one, bench.opened.predict, region, label)
                known[same] = dict(faithfulness.deletion_and_insertion(*given, shares=bench.settings.shares))
                if bench.settings.road:
                    known[same]["road"] = faithfulness.road(*given)
            numbers[name, layer, title] = known[same]
    return numbers


def _beside_others(rows: Sequence[Row], keys: Sequence[str], maps: Sequence[Maps], dataset: str) -> list[Row]:
    """The rows with how alike their map and that of the next case are: what two unrelated maps have in common."""
    after = {key: place for place, key in enumerate(keys)}
    found = []
    for row in rows:
        place = after[f"{dataset}/{row['case']}/{row['index']}"]
        own, other = maps[place], maps[(place + 1) % len(maps)]
        at = row["class"], row["layer"], row["method"]
        alike = (
            checks.likeness(own[at], other[at])[1]
            if at in own and at in other and own is not other
            else math.nan
        )
        found.append({**row, LIKE_OTHERS: alike})
    return found
