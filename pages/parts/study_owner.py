"""The owner's side of the reader studies: make one, follow it, lock it; afterwards the results and the two files.

No network is named here while a study is open: a reader may look over the shoulder, or open this side.
"""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from core import (
    STUDY_QUESTIONS,
    CoreError,
    Study,
    create_study,
    list_studies,
    lock_study,
    practice_study,
    study_lock,
    study_progress,
    study_results,
    write_audit,
)
from pages.parts import cached, choices, study_results_view, study_state
from pages.parts.frame import explain
from pages.parts.words import plain

EXAMPLE = """{
  "id": "first-reading",
  "title": "Which outline would you accept?",
  "dataset": "busi",
  "runs": ["<run>", "<run>", "<run>"],
  "readers": ["r1", "r2", "r3"],
  "cases": {"number": 30, "part": "test", "tags": ["benign", "malignant"]},
  "seed": 1,
  "repeats": 0.1,
  "questions": ["acceptability", "extent", "edit", "confidence", "ranking"],
  "show_reference": false
}"""
LARGEST = 1_000_000  # bytes of a definition


def show() -> None:
    """Studies with their progress, and the ways to make one."""
    told = study_state.told()
    if told:
        st.success(plain(told), icon=":material/check_circle:")
    studies = list_studies()
    st.subheader("Studies", anchor=False)
    if not studies:
        st.info("No study has been made on this machine yet.", icon=":material/rate_review:")
    for study in studies:
        _one(study, is_open=told.startswith(f"{study.title} is locked"))
    st.subheader("Make a study", anchor=False)
    ready = [card for card in cached.datasets() if choices.run_sets(card.name)]
    if not ready:
        st.info("A study needs a prepared dataset and trained networks for it.", icon=":material/info:")
        st.code("python -m core demo", language="bash")
        return
    _practice([card.name for card in ready if card.synthetic])
    with st.expander("With a form", icon=":material/edit_note:"):
        _form([card.name for card in ready])
    with st.expander("From a definition file", icon=":material/upload_file:"):
        _file()


def _one(study: Study, *, is_open: bool) -> None:
    locked, rows = study_lock(study), study_progress(study)
    done, total = sum(row.done for row in rows), sum(row.total for row in rows)
    state = "locked" if locked else f"{done} of {total} ratings"
    label = f"{plain(study.title)} · {plain(study.id)} · {state}"
    with st.expander(label, expanded=is_open, icon=":material/lock:" if locked else ":material/lock_open:"):
        repeats = len(study.orders[study.readers[0]]) - len(study.cases)
        st.caption(
            f"{choices.title(study.dataset)} · {len(study.cases)} cases for each of {len(rows)} readers, {repeats} "
            f"of them twice, unmarked · {len(study.letters)} outlines · reference "
            f"{'shown' if study.show_reference else 'not shown'} · made {_when(study.created)}"
            + (" · practice: its cases stay open on the other pages" if study.practice else "")
        )
        st.table(
            {
                "Reader": [row.reader for row in rows],
                "Rated": [f"{row.done} of {row.total}" for row in rows],
                "Last": [_when(row.last) if row.last else "not begun" for row in rows],
            },
            alt="Cases rated by each reader",
        )
        if locked is None:
            _lock(study, is_finished=done == total)
            return
        early = (
            f" before all had finished: {locked.reason}" if locked.reason else ", all readers had finished"
        )
        st.caption(plain(f"Locked {_when(locked.at)}{early}."))
        if st.toggle("Open the key and show the results", key=f"study-results-{study.id}"):
            with st.spinner("Counting"):
                found = study_results(study)
            study_results_view.show(found)


def _when(time: str) -> str:
    return time.replace("T", " ").replace("Z", " UTC")


def _lock(study: Study, *, is_finished: bool) -> None:
    with st.form(f"study-lock-{study.id}", border=False):
        st.caption(
            "Locking ends the rating for good. Only then the key opens, and results and files appear."
            + ("" if is_finished else " Not everybody has finished: write down why it ends now.")
        )
        reason = "" if is_finished else st.text_input("Reason", max_chars=500)
        if not st.form_submit_button("Lock the study", icon=":material/lock:"):
            return
    try:
        lock_study(study, reason)
    except CoreError as error:
        explain(error)
        return
    write_audit("study_locked", page="reader_study", study=study.id, note=reason)
    study_state.tell(f"{study.title} is locked. Open its key below to see the results.")
    st.rerun()


def _practice(names: list[str]) -> None:
    if not names:
        return
    st.markdown(
        "To try it out: a **practice study** with a few phantoms and the reader codes `reader-1` and `reader-2`."
    )
    with st.container(horizontal=True):
        for name in names:
            if st.button(
                f"Practice: {choices.title(name)}", key=f"practice-{name}", icon=":material/school:"
            ):
                _make(lambda name=name: practice_study(name))


def _form(names: list[str]) -> None:
    dataset = st.selectbox("Dataset", names, format_func=choices.title, key="study-dataset")
    sets = choices.run_sets(dataset)
    with st.form("study-make", border=False):
        training = st.selectbox(
            "Networks", list(sets), format_func=lambda one: choices.set_title(one, dataset)
        )
        left, right = st.columns(2)
        given = {
            "id": left.text_input("Short name", placeholder="first-reading", max_chars=40),
            "title": right.text_input("Title that readers see", max_chars=120),
            "dataset": dataset,
            "runs": [run.name for run in sets.get(training, {}).values()][:3],
            "readers": left.text_input("Reader codes, with commas between", placeholder="r1, r2, r3"),
            "cases": {
                "number": right.number_input("Cases, drawn from the test part", 1, 500, 20),
                "part": "test",
            },
            "seed": left.number_input("Seed of draw, order and letters", 0, 2**31, 1),
            "repeats": right.number_input("Share of unmarked repeats", 0.0, 0.5, 0.1, 0.05),
            "questions": st.pills(
                "Questions",
                list(STUDY_QUESTIONS),
                format_func=lambda name: STUDY_QUESTIONS[name].text,
                selection_mode="multi",
                default=list(STUDY_QUESTIONS),
            ),
            "show_reference": st.checkbox("Show the expert's outline"),
        }
        if st.form_submit_button("Make the study", type="primary"):
            codes = [code.strip().lower() for code in given["readers"].split(",") if code.strip()]
            _make(lambda: {**given, "readers": codes})


def _file() -> None:
    st.caption(
        "JSON with these fields. Names of runs: `python -m core list`. Cases can also be a list of names."
    )
    st.code(EXAMPLE, language="json")
    with st.form("study-file", border=False):
        file = st.file_uploader("Definition", type="json", max_upload_size=1)
        if st.form_submit_button("Make the study") and file is not None:
            _make(lambda: _parsed(file.getvalue()))


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content[:LARGEST].decode("utf-8"))
    except (ValueError, RecursionError):
        return None  # refused by core as no definition at all


def _make(definition: Any) -> None:
    """Make a study from what a function gives; errors are said here, and the page goes on."""
    try:
        with st.spinner("Checking that every outline is stored"):
            study = create_study(definition())
        write_audit("study_made", page="reader_study", study=study.id, dataset=study.dataset)
    except CoreError as error:
        explain(error)
        return
    study_state.tell(
        f"{study.title} is made. Readers begin under “Read” with their codes: {', '.join(study.readers)}."
    )
    st.rerun()
