"""What there is to choose from: datasets, cases in order, trained networks that fit. Holds no state."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from core import CoreError, DatasetCard, Run, SliceEntry, list_networks, read_card
from pages.parts import cached

BUILT_IN = ("busi", "lits", "phantom_busi", "phantom_lits")  # on the about page even before they are prepared

PROTOCOLS = {
    "busi-group": "by near-duplicate group",
    "busi-image": "random images, as in the paper",
    **{f"busi-5fold-{number}": f"by near-duplicate group, fold {number} of 5" for number in range(1, 6)},
    "lits-patient": "by patient",
    "lits-patient-2": "by patient, fold 2",
    "lits-patient-3": "by patient, fold 3",
    "lits-slice": "random slices, as in the paper",
    "folds": "all folds",  # by what, the dataset tells
}  # how a split keeps test cases apart from training, in words


@dataclass(frozen=True)
class Selection:
    """What the reader chose. Empty strings and tuples mean: not chosen yet, take the default."""

    ds: str = ""
    case: str = ""
    asked: bool = False  # the case was named by an address: the filter gives way to it
    m: tuple[str, ...] = ()  # network names; empty: all
    set: str = ""  # which trainings: "<trained on>-<seed>"
    part: str = "test"
    tags: tuple[str, ...] = ()
    flagged: bool = False
    letters: bool = True  # P and N as shortcuts
    options: Mapping[str, Any] = field(default_factory=dict)  # of the heatmaps page, by name


@dataclass(frozen=True)
class Choice:
    """One case and the networks to compare on it; ``runs`` has None where a network was never trained."""

    card: DatasetCard
    entry: SliceEntry
    part: str  # test, validation, train, excluded; "external": nothing trained on this set
    runs: Mapping[str, Run | None]  # by network name, in the order of the paper
    disagreement: float | None  # 0 = one outline, 1 = no pixel in common


def networks() -> dict[str, str]:
    """Title of every network by name, in the order in which runs are listed (the paper's), then by name."""
    titles = {name: card.title for name, card in list_networks().items()}
    trained = list(dict.fromkeys(run.model for run in cached.runs() if run.model in titles))
    order = trained if len(trained) == len(titles) else ["unet", "multiresunet", "dcunet"]
    return {name: titles[name] for name in [*order, *titles] if name in titles}


def prepared(dataset: str) -> DatasetCard | None:
    """The card of a dataset that is prepared on this machine, else None."""
    return next((card for card in cached.datasets() if card.name == dataset), None)


def known_cards() -> list[DatasetCard]:
    """Cards of all datasets that are prepared here or that a network was trained on."""
    cards = {card.name: card for card in cached.datasets()}
    for name in (*BUILT_IN, *(run.dataset for run in cached.runs())):
        try:
            cards.setdefault(name, read_card(name))
        except CoreError:
            continue  # an external set that is not on this machine
    return list(cards.values())


def drawn_split(dataset: str) -> str:
    """The split of a dataset that deals out single images or slices, as the study does; empty without one."""
    splits = next((card.splits for card in known_cards() if card.name == dataset), ())
    return next((name for name in splits if name.endswith(("-image", "-slice"))), "")


def title(dataset: str) -> str:
    """A dataset's title, prepared here or not; its name when nothing else is known."""
    try:
        return read_card(dataset).title
    except CoreError:
        return dataset


def evaluated() -> list[str]:
    """Datasets whose results are stored, prepared here or not; those with real images first."""
    names = [card.name for card in cached.datasets()] + [run.dataset for run in cached.runs()]
    found = [name for name in dict.fromkeys(names) if name and cached.has_results(name)]
    return sorted(found, key=lambda name: name.startswith("phantom"))


def entries(dataset: str) -> tuple[SliceEntry, ...]:
    """The cases of a dataset, a volume being one case; empty when it is not prepared here."""
    card = prepared(dataset)
    if card is None:
        return ()
    return cached.volumes(dataset) if card.has_volumes else cached.slices(dataset)


def opening_dataset() -> str:
    """A prepared real dataset, best with networks of its own; else the phantom; empty if none."""
    trained = {run.dataset for run in cached.runs()}
    cards = sorted(
        cached.datasets(), key=lambda c: (c.synthetic, c.name not in trained, not c.splits, c.name)
    )
    return cards[0].name if cards else ""


def run_sets(dataset: str) -> dict[str, dict[str, Run]]:
    """Trainings that fit a dataset: "<trained on>-<seed>" -> {network: run}, its own first.

    A set that nothing was trained on (an external test set) is read by every training whose classes fit,
    those on real images first. A split other than the usual one is part of the name, and comes after it.
    """
    card = prepared(dataset)
    usual = card.splits[0] if card and card.splits else ""
    fitting = [run for run in cached.runs() if run.dataset == dataset]
    fitting.sort(key=lambda run: run.split != usual)
    if not fitting and card is not None:
        same = [run for run in cached.runs() if run.classes == card.classes]
        fitting = sorted(same, key=lambda run: run.dataset.startswith("phantom"))
    found: dict[str, dict[str, Run]] = {}
    for run in fitting:
        found.setdefault(set_name(run.name, run.model), {})[run.model] = run
    return found


def has_set(dataset: str, name: str) -> bool:
    """Whether an address may name this training: one that draws, or one of which only scores are kept."""
    if name in run_sets(dataset):
        return True
    stored = cached.results(dataset)
    return stored is not None and name in scored_sets(stored)


def set_name(run: str, model: str) -> str:
    """What runs trained alike share: their name without the network's."""
    return run.replace(f"-{model}-", "-", 1)


def set_titles(widths: Mapping[str, int], dataset: str) -> dict[str, str]:
    """Sets of trainings in words, their width only where they differ by it."""
    each = {name: set_title(name, dataset) for name in widths}
    if len(set(widths.values())) < 2:
        return each
    return {name: f"{said}, width {widths[name]}" for name, said in each.items()}


def set_title(name: str, dataset: str) -> str:
    """A set of trainings in words: what it was trained on, how patients were kept apart, which seed."""
    found = re.fullmatch(r"(.+?)-(\d+)(?:-(.+))?", name)
    if not found:
        return name
    trained, seed, split = found.groups()
    card = next((card for card in known_cards() if card.name == trained), None)
    protocol = PROTOCOLS.get(split or (card.splits[0] if card and card.splits else ""), split)
    if split == "folds" and card:
        protocol = f"by {'patient' if card.has_volumes else 'near-duplicate group'}, {protocol}"
    said = [title(trained)] if trained != dataset else []
    return ", ".join([*said, *([protocol] if protocol else []), f"seed {seed}"])


def scored_sets(stored: Any) -> dict[str, dict[str, str]]:
    """The trainings in stored results, the comparable ones first: set -> {run: network's title}."""
    titles = networks()
    found: dict[str, dict[str, str]] = {}
    for family in stored.summary["families"]:
        for run in family["runs"]:
            model = stored.runs[run]["model"]
            found.setdefault(set_name(run, model), {})[run] = titles.get(model, model)
    return found


def chosen_runs(sel: Selection, dataset: str) -> dict[str, Run | None]:
    """The chosen networks of the chosen training; None where one was never trained."""
    sets = run_sets(dataset)
    runs = sets.get(sel.set) or next(iter(sets.values()), {})
    return {name: runs.get(name) for name in networks() if not sel.m or name in sel.m}


def part_of(entry: SliceEntry, card: DatasetCard, runs: Mapping[str, Run | None]) -> str:
    """The part of a case in the split that its networks were trained on."""
    own = [run.split for run in runs.values() if run is not None and run.dataset == card.name]
    return next((entry.parts[name] for name in (*own, *card.splits) if name in entry.parts), "external")


def disagreements(dataset: str, runs: Mapping[str, Run | None]) -> dict[str, float]:
    """Stored disagreement per case of the training to which ``runs`` belong; empty where none is stored for it."""
    stored = cached.results(dataset)
    shown = {run.name for run in runs.values() if run is not None}
    return {} if stored is None else stored_disagreements(stored, shown)


def stored_disagreements(stored: Any, shown: Set[str]) -> dict[str, float]:
    """Disagreement per case, 0 to 1, where it is that of the training to which the runs ``shown`` belong."""
    of_shown = [not shown.isdisjoint(family["runs"]) for family in stored.summary["families"]]
    return {
        case: row["disagreement"]
        for case, row in stored.cases.items()
        if row.get("family") is not None and of_shown[row["family"]] and math.isfinite(row["disagreement"])
    }


def matching(sel: Selection, card: DatasetCard) -> list[SliceEntry]:
    """The cases that match the filter, the largest disagreement first."""
    runs = chosen_runs(sel, card.name)
    order = disagreements(card.name, runs)
    found = [
        entry
        for entry in entries(card.name)
        if (sel.part == "all" or part_of(entry, card, runs) in (sel.part, "external", "mixed"))
        and (not sel.tags or entry.tag in sel.tags)
        and (not sel.flagged or entry.flags)
    ]
    return sorted(found, key=lambda entry: -order.get(entry.case, -1.0))


def label(entry: SliceEntry, disagreement: float | None) -> str:
    """A case in a list: its name, kind, disagreement and whether it is flagged."""
    said = (
        [entry.case]
        if entry.case.startswith(entry.tag) or entry.position_mm is not None
        else [entry.case, entry.tag]
    )
    if disagreement is not None:
        said.append(f"{disagreement:.2f}")
    return " · ".join([*said, "flagged"] if entry.flags else said)
