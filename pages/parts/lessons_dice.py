"""Lesson: which Dice? The same masks under several rules for empty masks, averages and classes."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import streamlit as st

from core import DataMissing, DataRefused, dice_by_rule
from pages.parts import cached, choices, pickers
from pages.parts.choices import Choice
from pages.parts.lessons import Lesson, Question, Step
from pages.parts.words import number, plain

RULES = {
    "lesion-cases": "Only cases with a lesion",
    "all-cases": "A false alarm counts 0",
    "empty-is-one": "Rightly empty counts 1",
    "empty-is-zero": "Rightly empty counts 0",
}
LIMITS = (0.01, 0.05)  # of the answers about the spread
Found = dict[str, dict[str, tuple[float, int]]]  # by network's title, then rule


def _scores(choice: Choice | None) -> tuple[str, Found, list[dict[str, Any]]]:
    """Class, Dice by network and rule, and the rows they come from: of the chosen training's stored test scores."""
    if choice is None:
        raise DataMissing("No case is chosen. If no images are prepared yet, run: python -m core demo")
    name = choice.card.name
    if problem := cached.results_problem(name):
        raise DataRefused("results", problem)
    stored = cached.results(name)
    if stored is None:
        raise DataMissing(f"No scores of {choice.card.title} are stored. Run: python -m core evaluate {name}")
    sets = choices.scored_sets(stored)
    runs = sets.get(pickers.selection().set) or next(iter(sets.values()), {})
    class_name = stored.header["endpoint"]["class"]
    column = {own: run for run in runs for own in stored.runs[run].get("trainings", [run])}
    rows = [
        row | {"run": column[row["run"]]}  # of all folds together where a network was trained on each
        for row in stored.scores
        if row["class"] == class_name and row["run"] in column
    ]
    found = {title: dice_by_rule([row for row in rows if row["run"] == run]) for run, title in runs.items()}
    if not rows:
        raise DataMissing(f"No scores of single cases are stored. Run: python -m core evaluate {name}")
    return class_name, found, rows


def _case(choice: Choice | None) -> str:
    return "volumes" if choice is not None and choice.card.has_volumes else "images"


def empty(choice: Choice | None) -> Question:
    """How far the rule for empty masks moves the mean."""
    class_name, found, rows = _scores(choice)
    first = [row for row in rows if row["run"] == rows[0]["run"]]
    normal = sum(row["tp"] + row["fn"] == 0 for row in first)
    st.markdown(
        f"The test part has **{len(first)} {_case(choice)}**, **{normal} of them without any "
        f"{plain(class_name)}**. On those, a network that rightly draws nothing has Dice 0 / 0. A rule has to "
        "say what that counts."
    )
    spread = max(_spread(rules) for rules in found.values())
    return Question(
        "The masks stay exactly as they are. How far can the rule alone move a network's mean Dice?",
        (f"Less than {LIMITS[0]}", f"{LIMITS[0]} to {LIMITS[1]}", f"More than {LIMITS[1]}"),
        right=sum(spread >= limit for limit in LIMITS),
        because=f"Here by up to **{spread:.3f}**."
        + ("" if normal else " There is no case without a lesion in this test part, so the rules agree."),
        about=f"{pickers.selection().ds}.{spread:.4f}",
    )


def _spread(rules: dict[str, tuple[float, int]]) -> float:
    known = [rules[rule][0] for rule in RULES if math.isfinite(rules[rule][0])]
    return max(known) - min(known) if known else 0.0


def rules(choice: Choice | None) -> None:
    """The same masks under four rules."""
    class_name, found, _ = _scores(choice)
    table = {
        title: {
            f"{text} ({rule})": f"{number(rows[rule][0])} (n = {rows[rule][1]})"
            for rule, text in RULES.items()
        }
        for title, rows in found.items()
    }
    st.table(pd.DataFrame(table), alt="Mean Dice of each network under four rules for empty masks")
    best = {rule: _winner(found, rule) for rule in RULES}
    winners = dict.fromkeys(best.values())
    if len(winners) > 1:
        st.warning(
            "Even the order changes: "
            + "; ".join(f"{plain(best[rule])} leads under {rule}" for rule in RULES)
            + ".",
            icon=":material/swap_vert:",
        )
    st.caption(f"Mean Dice of {plain(class_name)}, per case, p > 0.5; n is the number of cases in the mean.")


def _winner(found: Found, rule: str) -> str:
    return max(found, key=lambda title: -1.0 if math.isnan(found[title][rule][0]) else found[title][rule][0])


def averaged(choice: Choice | None) -> Question:
    """Per case against pooled."""
    class_name, found, rows = _scores(choice)
    st.markdown(
        f"Two ways to average the Dice of {plain(class_name)}: **per case**, every {_case(choice)[:-1]} counts "
        "the same; or **pooled**, the pixels of all are counted together, then the formula once."
    )
    higher = sum(r["pooled"][0] > r["lesion-cases"][0] for r in found.values())
    right = 0 if higher == len(found) else 1 if not higher else 2
    return Question(
        "Which one is higher here?",
        ("Pooled, for every network", "Per case, for every network", "It depends on the network"),
        right=right,
        because="Pooled figures are ruled by large lesions, which are easier; per case a small missed lesion "
        "weighs as much as a large one that is found.",
        about=f"{pickers.selection().ds}.{len(rows)}",
    )


def pooled(choice: Choice | None) -> None:
    """Both averages, and how unequal the lesions are."""
    _, found, rows = _scores(choice)
    table = {
        title: {"Per case": number(r["lesion-cases"][0]), "Pooled": number(r["pooled"][0])}
        for title, r in found.items()
    }
    st.table(pd.DataFrame(table), alt="Dice per case and pooled of each network")
    sizes = sorted((row["tp"] + row["fn"] for row in rows if row["run"] == rows[0]["run"]), reverse=True)
    tenth = max(1, len(sizes) // 10)
    share = sum(sizes[:tenth]) / max(1, sum(sizes))
    st.caption(f"The largest {tenth} of {len(sizes)} references hold {share:.0%} of all lesion pixels.")


def classes(choice: Choice | None) -> Question:
    """With and without the background."""
    _scores(choice)
    st.markdown(
        "A paper reports *mean Dice* of a network that finds one class. Nothing says whether the "
        "**background**, nearly all of the picture, was averaged in as a second class."
    )
    return Question(
        "What does averaging in the background do to the figure?",
        ("Nothing: it cancels", "It raises it", "It lowers it"),
        right=1,
        because="Nearly everything is background, and nearly all of that is right: a Dice near 1 joins in.",
        about=pickers.selection().ds,
    )


def background(choice: Choice | None) -> None:
    """The same masks, with and without the background."""
    class_name, found, _ = _scores(choice)
    table = {
        title: {
            f"{class_name.capitalize()} alone": number(r["lesion-cases"][0]),
            "Mean with background": number(r["with background"][0]),
        }
        for title, r in found.items()
    }
    st.table(pd.DataFrame(table), alt="Dice with and without background of each network")
    st.caption(
        "With background: per case the mean of both classes, a class that is nowhere left out; all cases."
    )


LESSON = Lesson(
    name="dice",
    title="Which Dice?",
    icon=":material/rule:",
    teaches="The same masks, the same test part, and three decisions that move the number more than the network.",
    minutes=8,
    steps=(
        Step("When there is nothing to find", empty, rules),
        Step("Per case or pooled", averaged, pooled),
        Step("With or without the background", classes, background),
    ),
    closing="Ask for class, aggregation and empty rule before you believe a Dice.",
    notes="""
**Aim.** No bare number: a Dice without class, aggregation and rule for empty masks is not comparable with
anything.

**In class.** Collect guesses as numbers, not words, before each table. Then open the Scoreboard: every header
there carries the three answers.

**Points to make.** The rule can decide the order of networks, not just the level. In the study that Triptych
re-examines the printed IoU exceeds Dice, which is impossible for one class and one average: two rules were
mixed.

**Often misunderstood.** "All cases" is no more honest than "lesion cases": it hides false alarms in a mean.
They deserve a figure of their own.
""",
)
