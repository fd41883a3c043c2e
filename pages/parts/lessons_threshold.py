"""Lesson: the threshold, dragged in the browser; and why the best one on a test slice is not to be reported."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from core import (
    THRESHOLDS,
    Run,
    best_threshold,
    stored_validation_curve,
    threshold_curve,
    threshold_levels,
    validation_curve,
)
from pages.parts import lessons, lessons_pictures, lessons_scene
from pages.parts.case import Reading
from pages.parts.choices import Choice
from pages.parts.lessons import Lesson, Question, Step
from pages.parts.lessons_scene import Scene
from pages.parts.words import number, plain

HALF = THRESHOLDS.index(0.5)
LOW, HIGH = 0.35, 0.65  # limits of the answers about the best threshold


def _seen(choice: Choice | None) -> tuple[Scene, Reading, Run, np.ndarray, tuple[float, ...]]:
    """The slice, a network that draws on it, the levels of its pixels, and Dice at each threshold."""
    scene = lessons_scene.scene(choice)
    run, prediction, reading = lessons_scene.asked(scene)
    levels = threshold_levels(scene.one, prediction, scene.name)
    return scene, reading, run, levels, threshold_curve(levels, scene.inside).values("dice")


def guess(choice: Choice | None) -> Question:
    """The mask at 0.5, and the question which threshold is best here."""
    scene, reading, _, levels, dice = _seen(choice)
    st.markdown(
        f"{plain(reading.title)} gives every pixel a **probability** of {plain(scene.name)}. The mask is what "
        "lies above a threshold. Here it is 0.5, as everywhere in Triptych."
    )
    is_open = lessons.answer(f"threshold.1.{scene.token}.{reading.model}") is None
    best = THRESHOLDS[best_threshold(dice)]
    if is_open:
        lessons_pictures.threshold(scene.picture, levels, scene.inside, scene.token, locked=True)
    return Question(
        "Which threshold gives the best Dice on this slice?",
        (f"Below {LOW}", f"Between {LOW} and {HIGH}", f"Above {HIGH}"),
        right=int(best >= LOW) + int(best > HIGH),
        because=f"On this slice it is {best:.2f}, with Dice {number(max(dice))}; at 0.50 it is "
        f"{number(dice[HALF])}. Drag the slider or the chart: recall falls, precision mostly "
        "rises, and Dice weighs one against the other.",
        about=f"{scene.token}.{reading.model}",
    )


def drag(choice: Choice | None) -> None:
    """The drawing that answers while it is dragged."""
    scene, _, _, levels, dice = _seen(choice)
    best = THRESHOLDS[best_threshold(dice)]
    marks = [{"at": best, "kind": "here", "words": f"best on this slice: {best:.2f}"}]
    lessons_pictures.threshold(scene.picture, levels, scene.inside, scene.token, locked=False, marks=marks)
    if scene.label > 1:
        st.caption(
            "With several classes the scores take the most probable class at each pixel; here the probability "
            "of one class is cut on its own."
        )


def tempted(choice: Choice | None) -> Question:
    """Whether the best threshold may be reported."""
    scene, reading, _, _, dice = _seen(choice)
    best = best_threshold(dice)
    gain = f"{dice[best] - dice[HALF]:+.3f}".replace("-", "−")
    st.markdown(
        f"On {plain(scene.caption)} the threshold {THRESHOLDS[best]:.2f} gives {plain(reading.title)} Dice "
        f"**{number(dice[best])}** instead of {number(dice[HALF])} ({gain})."
    )
    return Question(
        "May that Dice go into a table?",
        (
            "Yes: it is what the network can do",
            "Yes, if the threshold is stated",
            "No: the answer was used to choose it",
        ),
        right=2,
        because="On a new patient nobody knows the outline. A threshold has to be fixed before, on validation "
        "data that the test never sees.",
        about=scene.token,
    )


def validated(choice: Choice | None) -> None:
    """The best threshold on the validation part, and what it gives here."""
    scene, reading, run, levels, dice = _seen(choice)
    curve = stored_validation_curve(run.name, scene.name)
    if curve is None:

        def work(report: lessons.Report) -> None:
            validation_curve(run.name, scene.name, partial(_counted, report))

        lessons.offer(
            f"what {run.name} predicts on its validation part", work, "about a minute the first time"
        )
        return
    here, there = best_threshold(dice), best_threshold(curve.dice)
    marks = [
        {"at": THRESHOLDS[here], "kind": "here", "words": f"best on this slice: {THRESHOLDS[here]:.2f}"},
        {
            "at": THRESHOLDS[there],
            "kind": "validation",
            "words": f"best on validation: {THRESHOLDS[there]:.2f}",
        },
    ]
    lessons_pictures.threshold(
        scene.picture, levels, scene.inside, scene.token, locked=False, marks=marks, validation=curve.dice
    )
    rows = {
        f"{what}: {THRESHOLDS[at]:.2f}": {
            "Dice on this slice": number(dice[at]),
            "Mean Dice on validation": number(curve.dice[at]),
        }
        for what, at in (
            ("Best on this slice", here),
            ("Best on validation", there),
            ("Used everywhere here", HALF),
        )
    }
    st.table(pd.DataFrame(rows).T, alt="Dice on this slice and on validation at three thresholds")
    st.caption(
        f"Validation: {plain(reading.title)} on {curve.n} of {curve.there} validation slices with "
        f"{plain(scene.name)}, mean of the slices; a missed one counts 0."
    )


def _counted(report: lessons.Report, done: int, total: int, text: str) -> None:
    report(f"{text}: {done} of {total}")


LESSON = Lesson(
    name="threshold",
    title="The threshold",
    icon=":material/tune:",
    teaches="Drag the threshold of a real prediction and watch mask, precision, recall and Dice; then resist.",
    minutes=8,
    steps=(
        Step("From probability to mask", guess, drag),
        Step("The best threshold of a test slice", tempted, validated),
    ),
    closing="A threshold chosen on the test case is a result you made yourself.",
    notes="""
**Aim.** To feel that a mask is a decision, and that tuning on the test set is done with the best intentions.

**In class.** Let somebody drag for the best Dice against the clock; then show step 2. Repeat on a second case
from the sidebar: the best threshold is somewhere else.

**Points to make.** A flat curve is good news: the network is sure, and little depends on the choice. Of a
network whose probabilities were calibrated, 0.5 is near the best threshold. Missed lesions pull the mean on
validation down at every threshold.

**Often misunderstood.** Precision need not rise with the threshold: with few pixels left it jumps.
""",
)
