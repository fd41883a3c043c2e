"""Lesson: find the lesion yourself. Five cases, one click each; then the expert's outline and the networks'."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import streamlit as st

from core import CoreError, DataMissing, SliceEntry, score
from pages.parts import case, choices, lessons, lessons_pictures, lessons_scene, viewer
from pages.parts.case import Reading
from pages.parts.choices import Choice
from pages.parts.frame import explain
from pages.parts.lessons import Lesson, Question, Step
from pages.parts.lessons_scene import Scene
from pages.parts.panels import Panel
from pages.parts.words import headline, number, pixels, plain

CASES = 5  # of which one without a lesion, where the test part has one
FOUND, MISSED, RIGHTLY_NONE, ALARM = 3, 2, 1, 0  # what an answer can be, kept as its number
SAID = {FOUND: "found", MISSED: "missed", RIGHTLY_NONE: "rightly none", ALARM: "false alarm"}
YOU = "You"


def drawn_cases(choice: Choice | None) -> list[SliceEntry]:
    """The cases of this round, the same for everybody who chose the same dataset. DataMissing without any."""
    if choice is None:
        raise DataMissing("No case is chosen. If no images are prepared yet, run: python -m core demo")
    listed = lessons_scene.shown_entries(choice.card.name)
    known = [entry for entry in listed if entry.reference_pixels is not None]
    tested = [
        e for e in known if choices.part_of(e, choice.card, choice.runs) in ("test", "external", "mixed")
    ]
    draw = random.Random(choice.card.name)
    with_lesion = [entry for entry in tested if lessons_scene.has_lesion(entry)]
    without = [entry for entry in tested if not lessons_scene.has_lesion(entry)]
    found = draw.sample(with_lesion, min(CASES - bool(without), len(with_lesion)))
    found += draw.sample(without, min(1, len(without)))
    draw.shuffle(found)
    if not found:
        raise DataMissing(f"The test part of {choice.card.title} has no case with an expert outline.")
    return found


def opening(choice: Choice | None) -> None:
    """The first case of a round as a picture without any outline; a line of words where there is none."""
    try:
        scene = lessons_scene.of_entry(choice, drawn_cases(choice)[0]) if choice else None
    except CoreError:
        scene = None
    if scene is None:
        st.caption("No case is prepared on this machine yet; the first steps of Grad-CAM by hand need none.")
    else:
        told = "Where is the lesion? Or is there none?"
        st.image(scene.picture, caption=told, output_format="PNG", alt=scene.caption, width="stretch")


def find(at: int, choice: Choice | None) -> Question | None:
    """One case: the picture alone until the reader has decided, then everybody's answer."""
    entries = drawn_cases(choice)
    if choice is None or at > len(entries):
        st.info(
            "The test part has no further case for this round: go on to the result.", icon=":material/info:"
        )
        return None
    scene = lessons_scene.of_entry(choice, entries[at - 1])
    key = f"find.{at}.{scene.token}"
    if lessons.answer(key) is None:
        _guarded(scene, key)
        raise lessons.Waiting
    _told(scene, key)
    return None


def _guarded(scene: Scene, key: str) -> None:
    """The picture to click in, in a fragment of its own: looking and clicking do not run the page again."""

    def inside() -> None:
        try:
            _look(scene, key)
        except CoreError as error:
            explain(error)

    st.fragment(inside)()


def _look(scene: Scene, key: str) -> None:
    name = plain(scene.name)
    st.markdown(
        f"Is there a **{name}**? Click in the middle of it, or say that there is none. Nobody is watching."
    )
    left, right = st.columns([2, 1])
    with left:
        mark = lessons_pictures.marked(
            scene.picture, scene.token, scene.caption, f"mark-{key.replace('/', '-')}"
        )
    with right:
        st.markdown(
            "No place is marked yet." if mark is None else f"Marked: column {mark[1]}, row {mark[0]}."
        )
        if st.button("This is it", disabled=mark is None, type="primary", icon=":material/my_location:"):
            _decide(scene, key, mark)
        if st.button(f"There is no {scene.name} here", icon=":material/block:"):
            _decide(scene, key, None)


def _decide(scene: Scene, key: str, mark: tuple[int, int] | None) -> None:
    """Keep the answer, and beside it the mark as a pixel number; then show the rest."""
    is_there = bool(scene.inside.any())
    found = FOUND if mark and scene.inside[mark] else MISSED if is_there else ALARM if mark else RIGHTLY_NONE
    lessons.keep(key, found, FOUND if is_there else RIGHTLY_NONE)
    if mark:
        lessons.keep(f"{key}.mark", mark[0] * scene.picture.shape[1] + mark[1], -1)
    st.rerun()


def _told(scene: Scene, key: str) -> None:
    """What the reader, the expert and the networks say, side by side."""
    readings = lessons_scene.readings(scene)
    mark = lessons.answer(f"{key}.mark")
    st.markdown(_sentence(scene, lessons.answer(key), mark))
    panels = [_marked(scene, mark)]
    rows = {YOU: {"Says": SAID[lessons.answer(key) or ALARM], "Dice": "a mark has none"}}
    for reading in readings:
        panels.append(lessons_scene.panel(reading, scene))
        told = _answer_of(scene, reading)
        dice = "n/a"
        if reading.prediction is not None and scene.one.reference is not None:
            dice = headline(score(scene.one, reading.prediction)[scene.name])
        rows[reading.title] = {"Says": SAID[told], "Dice": dice}
    picture = scene.picture
    if mark is not None:
        picture = lessons_pictures.ringed(picture, *divmod(mark, picture.shape[1]))
    viewer.show(
        picture, panels, token=scene.token, key=f"told-{key.replace('/', '-')}", columns=len(panels),
        reference=scene.inside.astype(np.uint8), caption=scene.caption, classes=(scene.name,),
        orientation=scene.choice.card.has_volumes,
    )  # fmt: skip
    st.table(pd.DataFrame(rows).T, alt="Who found the lesion on this case")


def _marked(scene: Scene, mark: int | None) -> Panel:
    """The expert's outline, and where the reader's mark is."""
    said = [] if mark is None else ["ring: your mark"]
    if scene.inside.any():
        return lessons_scene.reference_panel(scene, " · ".join(["expert's outline", *said]))
    return lessons_scene.blank_panel(scene, " · ".join(["nothing outlined by the expert", *said]))


def _sentence(scene: Scene, answer: int | None, mark: int | None) -> str:
    name = plain(scene.name)
    if answer == FOUND:
        return f":material/check_circle: **Found.** Your mark is inside the expert's outline of the {name}."
    if answer == RIGHTLY_NONE:
        return f":material/check_circle: **Right.** There is no {name} here."
    if answer == ALARM:
        return f":material/error: **A false alarm.** The expert sees no {name} here."
    if mark is None:
        return f":material/error: **Missed.** There is a {name} of {pixels(int(scene.inside.sum()))}."
    row, column = divmod(mark, scene.picture.shape[1])
    rows, columns = np.nonzero(scene.inside)
    away = float(np.hypot(rows - row, columns - column).min())
    side = 100 * away / float(np.hypot(*scene.picture.shape))
    return f":material/error: **Missed**, by {away:.0f} px ({number(side, 0)} % of the diagonal)."


def _answer_of(scene: Scene, reading: Reading) -> int:
    """What a network's mask amounts to: found if it touches the lesion."""
    drawn = np.zeros_like(scene.inside) if reading.labels is None else reading.labels == scene.label
    if not scene.inside.any():
        return ALARM if drawn.any() else RIGHTLY_NONE
    return FOUND if (drawn & scene.inside).any() else MISSED


def _verdict(answer: int | None) -> str:
    return {FOUND: "found", MISSED: "missed", RIGHTLY_NONE: "rightly none", ALARM: "false alarm"}.get(
        answer or 0, ""
    )


def result(choice: Choice | None) -> Question | None:
    """Who found what over the round."""
    entries = drawn_cases(choice)
    if choice is None:
        return None
    rows: dict[str, list[int]] = {}
    open_cases = 0
    for at, entry in enumerate(entries, 1):
        scene = lessons_scene.of_entry(choice, entry)
        mine = lessons.answer(f"find.{at}.{scene.token}")
        if mine is None:
            open_cases += 1
            continue
        rows.setdefault(YOU, []).append(mine)
        for reading in case.readings(scene.choice, scene.one):
            if reading.labels is not None:
                rows.setdefault(reading.title, []).append(_answer_of(scene, reading))
    if not rows:
        st.markdown("No case is decided yet: go back to the first one.")
        raise lessons.Waiting
    if open_cases:
        st.caption(f"{open_cases} of {len(entries)} cases are still open; they are not counted.")
    table = {
        who: {
            "Lesions found": f"{told.count(FOUND)} of {told.count(FOUND) + told.count(MISSED)}",
            "Missed": str(told.count(MISSED)),
            "False alarms": str(told.count(ALARM)),
        }
        for who, told in rows.items()
    }
    st.table(
        pd.DataFrame(table).T, alt="Lesions found, missed and false alarms, of the reader and each network"
    )
    st.caption(
        "Found: your mark inside the outline; a network's mask touching it, which is easier. Five cases prove "
        "nothing about anybody."
    )
    return None


def _case_step(at: int) -> Step:
    return Step(f"Case {at} of {CASES}", lambda choice: find(at, choice))


LESSON = Lesson(
    name="find",
    title="Find it yourself",
    icon=":material/my_location:",
    teaches="Five test cases without any outline: find the lesion first, then see expert and networks.",
    minutes=6,
    steps=(*(_case_step(at) for at in range(1, CASES + 1)), Step("Who found what", result)),
    closing="Look first, then look at the overlay: what you have not seen yourself you cannot judge.",
    notes="""
**Aim.** Readers commit to a finding before any overlay appears, as they should in practice.

**In class.** One person clicks, the others have decided on paper. Discuss every case that a network found and
the class missed, and the other way round. One of the five may be normal.

**Points to make.** An outline seen first draws the eye: in a reading study a heatmap with a graph lengthened
reading and shifted gaze (doi 10.1007/s10278-026-01975-3). To touch a lesion is not to outline it: compare
*found* with Dice.

**Practical.** The round is the same for everybody on one dataset. *Start this lesson again* clears the
answers.
""",
)
