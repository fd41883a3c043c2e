"""The reader's side of a study: choose it, read one case after the other, rate, and be thanked."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core import (
    STUDY_QUESTIONS,
    Study,
    StudyRefused,
    leave_study,
    list_studies,
    read_study,
    sit_down_to_study,
    study_due,
    study_lock,
    submit_to_study,
    write_audit,
)
from pages.parts import study_state, study_view, study_watch
from pages.parts.words import plain

HOW = (
    "You see one case at a time with outlines under letters. Each comes from a different network; which one is "
    "behind a letter changes from case to case. Rate every outline, then go on: a case is final once it is "
    "submitted. Cases come in an order of your own. You may stop at any time and go on later where you left off."
)


def choose() -> None:
    """The studies that are open, and the field for a reader's code."""
    studies = [study for study in list_studies() if study_lock(study) is None]
    if not studies:
        st.info(
            "Nobody has made a study yet, or all are locked. Make one under “Run a study”; a practice study on the "
            "built-in phantoms takes one click.",
            title="No open study",
            icon=":material/rate_review:",
        )
        return
    by_id = {study.id: study for study in studies}
    names = list(by_id)
    at = names.index(study_state.asked()) if study_state.asked() in by_id else 0
    with st.form("study-begin", width=560):
        chosen = st.selectbox("Study", names, index=at, format_func=lambda name: by_id[name].title)
        code = st.text_input(
            "Your reader code", max_chars=64, help="The person who runs the study gave it to you."
        )
        st.markdown(HOW)
        begins = st.form_submit_button("Begin, or go on where you left off", type="primary")
    if begins and chosen:
        study, reader = by_id[chosen], code.strip().lower()
        sit_down_to_study(study, reader, study_state.window(), study_state.is_there)
        study_state.begin(study.id, reader)
        write_audit("study_begun", page="reader_study", study=study.id, reader=reader)
        st.rerun()


def read(name: str, reader: str) -> None:
    """The case that is due for this reader, or the words that say why there is none."""
    study = read_study(name)
    try:
        sit_down_to_study(study, reader, study_state.window(), study_state.is_there)
    except StudyRefused as refused:
        st.warning(plain(str(refused)), icon=":material/block:")
        with st.container(horizontal=True):
            st.button("Try again")
            st.button("Leave", on_click=study_state.end)
        return
    position, total = study_due(study, reader), len(study.orders[reader])
    if position is None:
        st.success(
            f"All {total} cases are rated. Thank you. The results open when the study is locked.",
            icon=":material/task_alt:",
        )
        st.button("Leave", on_click=_leave, args=(study, reader))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(position / total, f"Case {position + 1} of {total} · {plain(study.title)}")
        st.button(
            "Stop for now", on_click=_leave, args=(study, reader), help="Go on later with the same code."
        )
    if told := study_state.told():
        st.caption(plain(told))
    if not study_view.draw(study, reader, position):
        st.error(
            "This case cannot be shown. Tell the person who runs the study: the reason is in the server's log.",
            icon=":material/error:",
        )
        return
    _rate(study, reader, position)
    study_watch.watch(study, reader, position)


def _rate(study: Study, reader: str, position: int) -> None:
    """The form of one case: nothing is chosen beforehand, and nothing is taken until all is answered."""
    with st.form(f"study-{position}", border=False):
        columns = st.columns(len(study.letters))
        answers = {
            letter: _questions(column, study, position, letter)
            for letter, column in zip(study.letters, columns, strict=True)
        }
        with st.container(horizontal=True, vertical_alignment="center"):
            submits = st.form_submit_button("Submit and next", type="primary")
            is_wrong = study.show_reference and st.checkbox(
                "The reference is wrong", key=f"s-{position}-wrong"
            )
            st.caption("All questions need an answer. No feedback, and no way back to a submitted case.")
    if not submits:
        return
    seen = study_state.seen_s(f"{study.id}/{position}")
    window = study_state.window()
    try:
        submit_to_study(
            study, reader, window, position, answers, active_s=seen, is_reference_wrong=bool(is_wrong)
        )
    except StudyRefused as refused:
        if refused.code != "answers":
            study_state.tell(str(refused))
            st.rerun()
        st.error(plain(str(refused)), icon=":material/edit_note:")
        return
    write_audit("study_rated", page="reader_study", study=study.id, reader=reader)
    st.rerun()


def _questions(column: Any, study: Study, position: int, letter: str) -> dict[str, str]:
    found = {}
    with column:
        st.markdown(f"**Outline {letter}** · {study_view.LINES[letter]}")
        for question in study.questions:
            asked, answers = STUDY_QUESTIONS[question], study.answers(question)
            given = st.segmented_control(
                f"{letter} · {asked.text}",  # the letter is part of the name that is read aloud
                list(answers),
                format_func=answers.__getitem__,
                key=f"s-{position}-{letter}-{question}",
                help=asked.help or None,
                width="stretch",
                wrap=True,
            )
            if given is not None:
                found[question] = given
    return found


def _leave(study: Study, reader: str) -> None:
    leave_study(study, reader, study_state.window())
    study_state.end()
