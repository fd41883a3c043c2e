"""Lesson: what leakage does. Each test slice beside the training slice most like it, under two splits."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import streamlit as st

from core import DataMissing, DatasetCard, Neighbour, nearest_training_slices, studied_cases
from pages.parts import cached, leakage_board, lessons_scene, volume_board
from pages.parts.choices import Choice
from pages.parts.lessons import Lesson, Question, Step
from pages.parts.words import number, plain, signed

PAIRS = 4  # shown side by side
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
SPLITS = {
    "lits": ("lits-slice", "lits-patient"),
    "busi": ("busi-image", "busi-group"),
}  # by layout: item, group


def _splits(choice: Choice | None) -> tuple[DatasetCard, str, str]:
    """The dataset with its split by item and its split by group. DataMissing where it has not both."""
    if choice is None:
        raise DataMissing("No case is chosen. If no images are prepared yet, run: python -m core demo")
    card = choice.card
    by_item, by_group = SPLITS.get(card.layout, ("", ""))
    if not {by_item, by_group} <= set(card.splits):
        raise DataMissing(
            f"{card.title} is an external test set: nothing was trained on it, so nothing can leak."
        )
    return card, by_item, by_group


def _words(card: DatasetCard) -> tuple[str, str]:
    return ("slice", "patient") if card.has_volumes else ("image", "near-duplicate cluster")


def _neighbours(card: DatasetCard, split: str) -> tuple[Neighbour, ...]:
    found = nearest_training_slices(card.name, split, card.foreground[-1])
    if not found:
        raise DataMissing(f"The split {split} of {card.title} has no test or no training part.")
    return found


def chance(choice: Choice | None) -> Question:
    """How likely it is that a drawn split keeps a volume apart."""
    card, by_item, _ = _splits(choice)
    item, group = _words(card)
    entries = cached.slices(card.name)
    parts = [entry.parts.get(by_item, "excluded") for entry in entries]
    used = len(parts) - parts.count("excluded")
    share = parts.count("test") / max(1, used)
    groups: dict[str, int] = {}
    for entry, part in zip(entries, parts, strict=True):
        groups[entry.group] = groups.get(entry.group, 0) + (part != "excluded")
    size = (
        round(float(np.median([n for n in groups.values() if n])))
        if card.has_volumes
        else max(groups.values())
    )
    st.markdown(
        f"{plain(card.title)}: **{used} {item}s** of {sum(n > 0 for n in groups.values())} {group}s. A split "
        f"draws **{share:.0%}** of the {item}s at random as test, as the study did."
    )
    power = size * math.log10(share) if share > 0 else -math.inf
    typical = "A typical" if card.has_volumes else "The largest"
    odds = "10" + f"{-power:.0f}".translate(RAISED) if power < -2.5 else f"{10**-power:.0f}"
    told = (
        f"{share:.2f} to the power of {size}: about 1 in {odds}. Otherwise the same {group} is on both sides."
    )
    if size == 1:
        told = (
            f"But every {group} here has one {item} only, so nothing can leak. For more, choose a CT dataset."
        )
    items = f"{size} {item}{'s' if size > 1 else ''}"
    return Question(
        f"{typical} {group} has {items}. How likely is it that all of them are drawn as test?",
        ("About 1 in 10", "About 1 in 1000", "Practically never"),
        right=0 if power > -2 else 1 if power > -4 else 2,
        because=told,
        about=f"{card.name}.{size}",
    )


def twins(choice: Choice | None) -> Question:
    """Test slices of the split by item beside the training slices most like them."""
    card, by_item, _ = _splits(choice)
    found, (item, group) = _neighbours(card, by_item), _words(card)
    st.markdown(
        f"Split by {item}. Above a **test** {item}, below it the **training** {item} that is most like it, "
        "found by comparing it with every one."
    )
    _pairs(card, _shown(found))
    same = sum(one.is_same_group for one in found)
    share = same / len(found)
    return Question(
        f"Of how many test {item}s is the most similar training {item} of the same {group}?",
        ("Nearly none", "Some", "Nearly all"),
        right=0 if share < 0.05 else 2 if share > 0.9 else 1,
        because=f"Of **{same} of {len(found)}**.",
        about=f"{card.name}.{by_item}",
    )


def apart(choice: Choice | None) -> None:
    """The same under the split by group, and what copying would score."""
    card, by_item, by_group = _splits(choice)
    _, group = _words(card)
    st.markdown(f"**The same with whole {group}s kept apart:**")
    _pairs(card, _shown(_neighbours(card, by_group)))
    rows = {}
    for title, split in ((f"By {_words(card)[0]}", by_item), (f"By {group}", by_group)):
        found = _neighbours(card, split)
        copied = [one.copied_dice for one in found if math.isfinite(one.copied_dice)]
        rows[title] = {
            "Most similar one is of the same "
            + group: f"{sum(one.is_same_group for one in found)} of {len(found)}",
            "Mean correlation with it": number(float(np.mean([one.correlation for one in found])), 2),
            "Dice of copying its outline, no network": number(float(np.mean(copied)) if copied else math.nan),
        }
    st.table(pd.DataFrame(rows), alt="Both splits: nearest training neighbours and what copying them scores")
    st.caption(
        "Correlation of the images at 32 × 32. Dice per slice on the 128 × 128 grid, where either has a lesion."
    )


def _shown(found: tuple[Neighbour, ...]) -> list[Neighbour]:
    """The most similar pairs with a lesion, of different groups as far as there are."""
    closed = studied_cases(found[0].test.dataset)
    free = [one for one in found if not {one.test.case, one.nearest.case} & closed.keys()]
    ordered = sorted(free, key=lambda one: (not lessons_scene.has_lesion(one.test), -one.correlation))
    groups: dict[str, Neighbour] = {}
    for one in ordered:
        groups.setdefault(one.test.group, one)
    first = list(groups.values())[:PAIRS]
    return (first + [one for one in ordered if one not in first])[:PAIRS]


def _pairs(card: DatasetCard, found: list[Neighbour]) -> None:
    for column, one in zip(st.columns(PAIRS), found, strict=False):
        with column:
            for role, entry in (("test", one.test), ("training", one.nearest)):
                picture = lessons_scene.grey(cached.slice_of(entry, entry.index).picture)
                name = f"{entry.case} slice {entry.index}" if card.has_volumes else entry.case
                st.image(
                    picture,
                    caption=plain(f"{role}: {name}"),
                    output_format="PNG",
                    alt=f"{role} {name}",
                    width="stretch",
                )
            told = f"correlation **{signed(one.correlation, 2)}**"
            if math.isfinite(one.copied_dice):
                told += f"  \nits outline copied: Dice **{number(one.copied_dice, 2)}**"
            st.markdown(told)


def guessed(choice: Choice | None) -> Question:
    """The same network under both splits."""
    card, _, _ = _splits(choice)
    item, group = _words(card)
    st.markdown(
        f"Now the same network, trained twice: once with {item}s drawn at random, once with whole {group}s "
        "kept apart. Each is scored on what it was not trained on."
    )
    return Question(
        f"Which score tells what to expect from the next {group if card.has_volumes else 'patient'}?",
        (f"The one from random {item}s: more varied training", f"The one from unseen {group}s", "Their mean"),
        right=1,
        because="The other one also measures how well the network remembers.",
        about=card.name,
    )


def scores(choice: Choice | None) -> None:
    """The stored scores of both trainings, or what is missing."""
    card, by_item, by_group = _splits(choice)
    stored = cached.results(card.name)
    rows = [row for row in stored.summary["leakage"] if by_item in row["splits"]] if stored else []
    if not rows:
        trained = {run.split for run in cached.runs() if run.dataset == card.name and not run.problem}
        lacking = [split for split in (by_group, by_item) if split not in trained]
        st.info(
            "The scores of one network under both splits are not stored here yet"
            + (f": nothing is trained under {plain(' and '.join(lacking))}." if lacking else "."),
            icon=":material/inventory_2:",
        )
        for split in lacking:
            st.code(f"python -m core train {card.name} unet --split {split}", language="bash")
        st.code(f"python -m core evaluate {card.name}", language="bash")
        return
    paired = [row for row in rows if row.get("paired")]
    if paired:
        leakage_board.same_images(stored, paired)
        return
    st.table(leakage_board.unpaired_rows(stored, rows), alt="Dice of each network under both splits")
    st.caption("Different test parts: a difference of two figures, no paired comparison.")
    volume_board.same_slices(stored)


LESSON = Lesson(
    name="leakage",
    title="What leakage does",
    icon=":material/water_drop:",
    teaches="Why neighbouring slices on both sides of a split turn a test into a game of memory.",
    minutes=8,
    steps=(
        Step("How likely is a clean split by chance?", chance),
        Step("A test slice and its twin", twins, apart),
        Step("What it does to the score", guessed, scores),
    ),
    closing="Neighbouring slices are the same patient: split by patient.",
    notes="""
**Aim.** One question to ask of every paper: what was the unit of the split?

**In class.** Cover the captions of step 2 and let the class say which row is the test row. Nobody can.

**Points to make.** A split by slice needs no network: copying the outline of the neighbour scores well. The
score under a split by patient is lower and true. Ultrasound sets have near-duplicates of the same lesion; no
patient numbers exist, so clusters of similar pictures are the best that can be kept apart.

**Often misunderstood.** "But the slices are different images." The network is asked about patients it has not
met.
""",
)
