"""How a lesson runs: its steps, a question before each answer, the way back and on, what the instructor says.

Where the reader is stands in the address (?lesson=..&step=..) and nowhere else, so that every step can be linked
to and the browser's Back works. Answers are kept for the session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from core import CoreError
from pages.parts import case, pickers
from pages.parts.choices import Choice
from pages.parts.frame import explain
from pages.parts.words import plain

LETTERS = "ABCDEFGH"

Report = Callable[[str], None]  # says what is being done


@dataclass(frozen=True)
class Question:
    """What the reader decides before the answer appears.

    right    place of the right one in ``options``; -1 where there is none: then nothing is scored
    because  one or two sentences that appear with the answer (Markdown)
    about    what the answer depends on beside the step, such as a case: another one is asked anew
    """

    text: str
    options: tuple[str, ...]
    right: int
    because: str = ""
    about: str = ""


@dataclass(frozen=True)
class Step:
    """One screen: what is shown first, with the question it leads to; and what is shown once that is answered."""

    title: str
    show: Callable[[Choice | None], Question | None]
    reveal: Callable[[Choice | None], None] | None = None


@dataclass(frozen=True)
class Lesson:
    """One lesson: ``teaches`` in one sentence, its steps, what it comes down to, and notes for the instructor."""

    name: str
    title: str
    icon: str
    teaches: str
    minutes: int
    steps: tuple[Step, ...]
    closing: str
    notes: str


class Waiting(Exception):
    """Something has to be computed first; the offer to do so is on the page."""


# ---- where the reader is, and what was answered


def place(lessons: Sequence[Lesson]) -> tuple[Lesson | None, int]:
    """The lesson and step (from 1) that the address names; None and 0 for the list of lessons."""
    asked, at = st.query_params.get("lesson", ""), st.query_params.get("step", "")
    found = next((lesson for lesson in lessons if lesson.name == asked), None)
    if found is None:
        if asked:
            st.caption(plain(f"There is no lesson called {asked[:40]}. These are the lessons:"))
        return None, 0
    step = int(at) if at.isascii() and at.isdigit() and len(at) < 4 else 1
    return found, min(max(step, 1), len(found.steps))


def go(lesson: str = "", step: int = 1) -> None:
    """Open a step, or without a lesson the list; one step of the browser's Back. For callbacks."""
    there = {"lesson": lesson, "step": str(step)} if lesson else {}
    st.query_params.from_dict({**pickers.address(), **there})


def _answers() -> dict[str, tuple[int, int]]:
    """By question: the option chosen and the right one."""
    found: dict[str, tuple[int, int]] = st.session_state.setdefault("lesson_answers", {})
    return found


def answer(key: str) -> int | None:
    """The option that was chosen for a question; None while it is open."""
    return _answers().get(key, (None, -1))[0]


def keep(key: str, chosen: int, right: int) -> None:
    """Keep an answer."""
    _answers()[key] = (chosen, right)


def score(lesson: Lesson) -> tuple[int, int]:
    """Right answers so far, and how many were given to questions that have a right one."""
    given = [pair for key, pair in _answers().items() if key.startswith(f"{lesson.name}.") and pair[1] >= 0]
    return sum(chosen == right for chosen, right in given), len(given)


def _again(lesson: Lesson) -> None:
    for key in [key for key in _answers() if key.startswith(f"{lesson.name}.")]:
        del _answers()[key]
    go(lesson.name)


# ---- on the page


def overview(lessons: Sequence[Lesson], opening: Callable[[], object]) -> None:
    """All lessons as cards, the first beside a picture that ``opening`` draws."""
    first, *lessons = lessons
    with st.container(border=True):
        left, right = st.columns([2, 3], vertical_alignment="center")
        with left:
            opening()
        with right:
            st.markdown(
                "Short lessons that compute in front of you, on the case chosen in the sidebar. Each asks first "
                "and answers afterwards; each step has its own address, to be put on a slide."
            )
            _card(first)
    for start in range(0, len(lessons), 3):
        for column, lesson in zip(st.columns(3), lessons[start : start + 3], strict=False):
            with column.container(border=True, height="stretch"):
                _card(lesson)


def _card(lesson: Lesson) -> None:
    right, given = score(lesson)
    told = f" · {right} of {given} right so far" if given else ""
    st.markdown(f"**{lesson.icon} {lesson.title}**  \n{lesson.teaches}")
    st.caption(f"{len(lesson.steps)} steps, about {lesson.minutes} minutes{told}")
    st.button(
        "Go on" if given else "Start", key=f"b_start_{lesson.name}", on_click=go, args=(lesson.name,),
        icon=":material/school:",
    )  # fmt: skip


def run(lesson: Lesson, at: int, choice: Choice | None, after: Lesson | None) -> None:
    """One step of a lesson. What is missing on this machine is said in its place; the way on stays open."""
    step = lesson.steps[at - 1]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{lesson.icon} {lesson.title}** · step {at} of {len(lesson.steps)}", width="stretch")
        st.button("All lessons", key="b_lessons", on_click=go, type="tertiary", icon=":material/apps:")
    st.progress(at / len(lesson.steps))
    st.subheader(step.title, anchor=False)
    try:
        question = step.show(choice)
        if question is None or ask(f"{lesson.name}.{at}", question):
            if step.reveal is not None:
                step.reveal(choice)
            if at == len(lesson.steps):
                _close(lesson, after)
    except Waiting:
        pass
    except CoreError as error:
        explain(error)
    _ways(lesson, at)
    with st.expander("For the instructor", icon=":material/co_present:"):
        st.markdown(lesson.notes)
        st.caption("The address of this page opens this very step, on this case: put it on a slide.")


def ask(name: str, question: Question) -> bool:
    """The question, or once it is answered the answer with its reason; whether it is answered."""
    key = f"{name}.{question.about}"
    chosen = answer(key)
    with st.container(border=True):
        st.markdown(f"**{question.text}**")
        if chosen is not None:
            _verdict(question, chosen)
            return True
        for at, option in enumerate(question.options):
            st.button(
                f"{LETTERS[at]}   {plain(option)}", key=f"b_answer_{at}", on_click=keep,
                args=(key, at, question.right), width="stretch",
            )  # fmt: skip
        st.caption("Decide first; the answer appears afterwards.")
    return False


def _verdict(question: Question, chosen: int) -> None:
    said, why = plain(question.options[chosen]), question.because
    if question.right < 0:
        st.info(f"You said: {said}. {why}", icon=":material/chat:")
    elif chosen == question.right:
        st.success(f"Yes: {said}. {why}", icon=":material/check_circle:")
    else:
        right = plain(question.options[question.right])
        st.warning(f"You said: {said}. It is: **{right}**. {why}", icon=":material/lightbulb:")


def _close(lesson: Lesson, after: Lesson | None) -> None:
    right, given = score(lesson)
    with st.container(border=True):
        st.markdown(f"#### {lesson.closing}")
        if given:
            st.markdown(f"You had **{right} of {given}** right.")
        with st.container(horizontal=True):
            st.button("Start this lesson again", key="b_again", on_click=_again, args=(lesson,))
            if after is not None:
                st.button(f"Next lesson: {after.title}", key="b_after", on_click=go, args=(after.name,))


def _ways(lesson: Lesson, at: int) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for label, there, icon in (("Back", at - 1, "arrow_back"), ("Next", at + 1, "arrow_forward")):
            st.button(
                label, key=f"b_step_{label.lower()}", on_click=go, args=(lesson.name, there),
                disabled=not 1 <= there <= len(lesson.steps), icon=f":material/{icon}:",
                type="primary" if label == "Next" else "secondary",
            )  # fmt: skip


def offer(what: str, work: Callable[[Report], object], cost: str = case.COST) -> None:
    """A button that computes what a step needs, and Waiting; afterwards the page runs again from what is stored.

    ``work`` gets a function that says what is being done; its CoreError is shown.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.button(f"Compute ({cost})", key="b_compute", icon=":material/calculate:")
        st.caption(plain(f"Not stored yet: {what}. It is computed once and kept."))
    if asked:
        with st.status("Computing", expanded=True) as status:
            try:
                work(lambda text: status.update(label=plain(text)))
            except CoreError as error:
                explain(error)
                status.update(label="That did not work", state="error")
                raise Waiting from None
            status.update(label="Done", state="complete")
        st.rerun()
    raise Waiting
