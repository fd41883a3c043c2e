"""Which run is scored on which cases, and which runs may be compared with each other."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import atomic, prepared, runs
from core.cards import DatasetCard
from core.errors import CoreError, DataMissing, RunMissing, RunRefused
from core.records import Run, SliceEntry


@dataclass(frozen=True)
class Plan:
    """One run and the cases it is scored on. ``split_sha256`` is "" on a set without splits."""

    run: Run
    entries: tuple[SliceEntry, ...]
    split: str
    split_sha256: str
    part: str
    without_reference: int
    by_slice: bool = False  # the split deals out slices of CT volumes, not volumes: the paper's protocol

    @property
    def cases_sha256(self) -> str:
        """Checksum of the case list: equal ones are the first condition for comparing two runs."""
        names = [e.case if e.position_mm is None else _slice_name(e) for e in self.entries]
        return atomic.sha256(atomic.canonical(names))

    @property
    def checksums(self) -> list[str]:
        """What a stored score depends on: weights, split and case list."""
        return [self.run.weights_sha256, self.split_sha256, self.cases_sha256]

    @property
    def family(self) -> str:
        """What must be equal to compare networks: training set, split, seed, width, recipe and cases."""
        run = self.run
        trained = f"{run.dataset} {run.split}" if run.split else run.dataset
        what = f"{trained} · seed {run.seed} · width {run.width} · {run.recipe}"
        return f"{what} · split {run.split_sha256[:8]} · {self.part} cases {self.cases_sha256[:8]}"


@dataclass(frozen=True)
class Folds:
    """Trainings of one network, each on its own fold, that together score every case exactly once."""

    name: str
    plans: tuple[Plan, ...]

    @property
    def family(self) -> str:
        """What must be equal to compare networks over folds."""
        run, splits = self.plans[0].run, " + ".join(plan.split for plan in self.plans)
        hashes = ", ".join(f"{plan.split_sha256[:8]}" for plan in self.plans)
        return f"{run.dataset} {splits} · seed {run.seed} · width {run.width} · {run.recipe} · split {hashes}"


def folds_of(entries: Sequence[SliceEntry], plans: Sequence[Plan]) -> list[Folds]:
    """The trainings of each network on the folds of one cross-validation, where those test every case once.

    Cases without a reference and those that the folds exclude count as no case.
    """
    alike: dict[tuple[Any, ...], list[Plan]] = {}
    for plan in plans:
        run, folds = plan.run, unnumbered(plan.split)
        if plan.part == "test" and not plan.by_slice:
            key = (run.dataset, run.model, run.seed, run.width, run.recipe, folds)
            alike.setdefault(key, []).append(plan)
    found = []
    for (dataset, model, seed, *_), members in alike.items():
        every = {
            entry.case
            for entry in entries
            if entry.reference_pixels is not None
            and any(entry.parts.get(plan.split) != "excluded" for plan in members)
        }
        tested = [{entry.case for entry in plan.entries} for plan in members]
        is_once = sum(map(len, tested)) == len(every)
        if len(members) > 1 and is_once and set().union(*tested) == every:
            found.append(Folds(runs.run_name(dataset, model, seed, "folds"), tuple(members)))
    return found


def unnumbered(split: str) -> str:
    """What the folds of one cross-validation share: the name of a split without its number."""
    return re.sub(r"-\d+$", "", split)


def plan_all(
    card: DatasetCard,
    entries: Sequence[SliceEntry],
    wanted: Sequence[str] | None,
    known: Mapping[str, Sequence[str]] | None = None,
) -> tuple[list[Plan], dict[str, str]]:
    """Which run is scored on what; runs that fit but cannot be used, with the reason.

    ``known`` are the checksums behind scores that can be kept as they are, by run; one without weights needs them.
    """
    known = known or {}
    if wanted is not None:
        return in_order(
            [_plan(_usable(name, known), card, entries, known) for name in dict.fromkeys(wanted)]
        ), {}
    plans, left_out = [], {}
    for run in runs.list_runs(card.name if card.splits else None, scores_only=True):
        if run.is_rejected or run.classes != card.classes:
            if run.is_rejected and run.classes in (card.classes, ()):
                left_out[run.name] = str(run.problem)
            continue
        try:
            plans.append(_plan(run, card, entries, known))
        except RunRefused as refused:
            left_out[run.name] = str(refused)
    if not plans:
        trainable = card.name if card.splits else "DATASET"
        again = f"Run: python -m core train {trainable} unet multiresunet dcunet"
        reasons = "".join(f" {text}" for text in left_out.values())
        raise RunMissing(f"No trained run can be evaluated on {card.name}.{reasons} {again}")
    return plans, left_out


def _usable(name: str, known: Mapping[str, Sequence[str]]) -> Run:
    """A run that has weights or stored scores; RunMissing or RunRefused otherwise."""
    run = runs.described(name) if name in known else None
    return run if run is not None and run.is_scores_only else runs.read_run(name)


def _plan(
    run: Run, card: DatasetCard, entries: Sequence[SliceEntry], known: Mapping[str, Sequence[str]]
) -> Plan:
    if run.classes != card.classes:
        expected, got = ", ".join(card.classes), ", ".join(run.classes)
        raise RunRefused(
            f"Run {run.name} knows the classes {got}; {card.name} has {expected}. Name another run."
        )
    name = run.split if run.dataset == card.name else next(iter(card.splits), "")
    split = prepared.read_split(card.name, name) if name else None
    if split is not None and run.dataset == card.name and split.sha256 != run.split_sha256:
        raise RunRefused(
            f"Run {run.name} was trained on split {name} {run.split_sha256[:8]}; the prepared one is "
            f"{split.sha256[:8]}, so its test cases may have been trained on. "
            f"Prepare {card.name} as before (python -m core prepare), or train again."
        )
    members = set(split.parts["test"]) if split is not None else {entry.case for entry in entries}
    chosen = [entry for entry in entries if entry.case in members or _slice_name(entry) in members]
    scored = tuple(entry for entry in chosen if entry.reference_pixels is not None)
    if not scored:
        raise RunRefused(f"Run {run.name}: no case of {card.name} to score it on has a reference.")
    sha256 = split.sha256 if split is not None else ""
    part, by_slice = "test" if split is not None else "all", any("/" in member for member in members)
    plan = Plan(run, scored, name, sha256, part, len(chosen) - len(scored), by_slice)
    if run.is_scores_only and list(known.get(run.name, ())) != plan.checksums:
        raise RunRefused(f"{run.problem} Its scores on {card.name} are not stored, or for other cases.")
    return plan


def _slice_name(entry: SliceEntry) -> str:
    """How a split by slices names a slice of a volume."""
    return f"{entry.case}/{entry.index}"


def still_valid(
    card: DatasetCard,
    entries: Sequence[SliceEntry],
    recorded: Mapping[str, Sequence[str]],
    names: Sequence[str],
    known: Mapping[str, Sequence[str]],
) -> list[Plan]:
    """Plans of the ``recorded`` runs that were not asked for and have not changed; ``known`` as in ``plan_all``."""
    kept = []
    for name in (name for name in recorded if name not in names):
        try:
            plan = _plan(_usable(name, known), card, entries, known)
        except CoreError:
            continue
        if plan.run.weights_sha256 == recorded[name][0]:
            kept.append(plan)
    return kept


def in_order(plans: Sequence[Plan]) -> list[Plan]:
    """Plans in the order in which runs are listed everywhere."""
    names = [run.name for run in runs.list_runs(scores_only=True)]
    return sorted(plans, key=lambda plan: names.index(plan.run.name))


def by_priority(card: DatasetCard, plans: Sequence[Plan]) -> dict[str, list[str]]:
    """Run names by family, the family that speaks for the dataset first.

    Trained on this set before other sets, real before synthetic, the default split first, then the family
    with most networks.
    """
    found: dict[str, list[Plan]] = {}
    for plan in plans:
        found.setdefault(plan.family, []).append(plan)

    def rank(members: list[Plan]) -> tuple[Any, ...]:
        run, split = members[0].run, members[0].split
        place = card.splits.index(split) if split in card.splits else len(card.splits)
        return (
            run.dataset != card.name,
            _is_synthetic(run.dataset),
            place,
            -len(members),
            run.seed,
            -run.width,
        )

    return {members[0].family: [p.run.name for p in members] for members in sorted(found.values(), key=rank)}


def families(card: DatasetCard, plans: Sequence[Plan], folded: Sequence[Folds] = ()) -> dict[str, list[str]]:
    """``by_priority``, with networks pooled over folds first: those have scored every case once.

    What is kept as scores alone comes last, pooled or not: a reader sees what the other networks draw, and takes
    the first figures for theirs.
    """
    light = {plan.run.name for plan in plans if plan.run.is_scores_only}
    found: dict[str, list[str]] = {}
    for folds in folded:
        found.setdefault(folds.family, []).append(folds.name)
        if any(plan.run.is_scores_only for plan in folds.plans):
            light.add(folds.name)
    found |= by_priority(card, plans)
    return dict(sorted(found.items(), key=lambda family: set(family[1]) <= light))


def leading_family(
    groups: Mapping[str, Sequence[str]], present: Container[str]
) -> tuple[int | None, list[str]]:
    """Place of the first family with two runs among those ``present``, and these runs; None and none without."""
    for place, names in enumerate(groups.values()):
        members = [name for name in names if name in present]
        if len(members) > 1:
            return place, members
    return None, []


def _is_synthetic(dataset: str) -> bool:
    try:
        return prepared.read_card(dataset).synthetic
    except DataMissing:
        return True


def endpoint(card: DatasetCard) -> str:
    """The class that runs are compared on: tumour where there is one."""
    return "tumour" if "tumour" in card.foreground else card.foreground[-1]
