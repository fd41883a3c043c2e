"""The results of a locked study: who won, how far readers agree, how long it took; and the two files."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from core import STUDY_QUESTIONS, Study, StudyResults, csv_text, few_sentence, study_tables, write_audit
from pages.parts.words import number, percent, plain

AGREEMENT = (
    "Fleiss' kappa: agreement beyond chance, 1 is full agreement, 0 is what chance gives. ICC(2,1): how far one "
    "reader's points stand for another's, absolute agreement. Both over the outlines that every reader has rated, "
    "without the repeats."
)


def show(results: StudyResults) -> None:
    """Tables of a locked study, and its files."""
    study, cases = results.study, len(set(results.study.groups.values()))
    if not results.n_ratings:
        st.info("Nobody has rated anything.", icon=":material/info:")
    else:
        if warning := few_sentence(cases):
            st.caption(plain(warning.replace("patients", "cases").replace("patient", "case")))
        _wins(results)
        _ratings(results)
        _agreement(results)
    if results.reference_wrong is not None:
        st.caption(
            f"“The reference is wrong” was marked in {results.reference_wrong} of {results.n_ratings} ratings."
        )
    _times(results)
    _files(study)


def _wins(results: StudyResults) -> None:
    if not results.wins:
        return
    st.markdown("**Which outline readers put first**")
    st.table(
        {
            "Network": [row["network"] for row in results.wins],
            "Share of first places": [_interval(row["share"]) for row in results.wins],
            "Cases": [row["share"].n for row in results.wins],
        },
        alt="Share of first places of each network with its 95 % interval",
    )
    st.table(
        {
            "Placed before": [f"{row['first']} before {row['second']}" for row in results.pairs],
            "Share": [_interval(row["share"]) for row in results.pairs],
            "Cases": [row["share"].n for row in results.pairs],
        },
        alt="How often one network was placed before another",
    )
    st.caption(
        "95 % bootstrap intervals over cases (patients or near-duplicate clusters count once; readers are averaged "
        "first). A shared place counts in parts: half a win each in a tie of two. Repeats are left out."
    )


def _ratings(results: StudyResults) -> None:
    rows = results.ratings
    table: dict[str, list[Any]] = {"Network": [row["network"] for row in rows]}
    if "acceptability" in rows[0]:
        table["Acceptability, 1 to 5"] = [_interval(row["acceptability"], is_share=False) for row in rows]
        table["Accepted (4 or 5)"] = [_interval(row["accepted"]) for row in rows]
    for question in ("extent", "edit", "confidence"):
        if question in rows[0]:
            words = STUDY_QUESTIONS[question].answers
            said = [", ".join(_counted(words[a], s) for a, s in row[question].items()) for row in rows]
            table[STUDY_QUESTIONS[question].text] = said
    if len(table) > 1:
        st.markdown("**How the outlines were rated**")
        st.table(table, alt="Ratings of each network")


def _agreement(results: StudyResults) -> None:
    st.markdown("**Agreement**")
    st.table(
        {
            "Question": [row["question"] for row in results.agreement],
            "Measure": [row["measure"] for row in results.agreement],
            "Between readers": [
                row["note"] if row["note"] else number(row["value"], 2) for row in results.agreement
            ],
            "Outlines": [row["outlines"] for row in results.agreement],
        },
        alt="Agreement between readers",
    )
    st.caption(AGREEMENT)
    if not results.repeats:
        st.caption("No repeated case has been rated: agreement of readers with themselves is unknown.")
        return
    st.table(
        {
            "Question": [row["question"] for row in results.repeats],
            "Same answer when met again": [percent(row["equal"]) for row in results.repeats],
            "Outlines": [row["outlines"] for row in results.repeats],
        },
        alt="Agreement of readers with themselves on repeated cases",
    )


def _times(results: StudyResults) -> None:
    st.markdown("**Time for a case**, median")
    st.table(
        {
            "Reader": [row["reader"] for row in results.times],
            "Rated": [row["rated"] for row in results.times],
            "Page visible": [_seconds(row["active_s"]) for row in results.times],
            "From first sight to submission": [_seconds(row["wall_s"]) for row in results.times],
        },
        alt="Median time of each reader for a case",
    )


def _files(study: Study) -> None:
    with st.container(horizontal=True):
        for name, label in (("ratings", "Ratings by letter (CSV)"), ("key", "Key to the letters (CSV)")):
            st.download_button(
                label,
                lambda name=name: _file(study, name),
                file_name=f"{study.id}-{name}.csv",
                mime="text/csv",
                on_click="ignore",
                icon=":material/download:",
                key=f"study-{study.id}-{name}",
            )
    st.caption("Two files, so that whoever analyses the ratings can stay blinded until the end.")


def _file(study: Study, name: str) -> str:
    write_audit("export", page="reader_study", study=study.id, kind=f"study {name}")
    return csv_text(study_tables(study)[name])


def _interval(found: Any, *, is_share: bool = True) -> str:
    def told(value: float) -> str:
        return percent(value) if is_share else number(value, 2)

    if not math.isfinite(found.mean):
        return number(math.nan)
    if not math.isfinite(found.low):
        return f"{told(found.mean)} ({found.note})"
    return f"{told(found.mean)} ({told(found.low)} to {told(found.high)})".replace(" %", "\u00a0%")


def _counted(answer: str, share: float) -> str:
    return f"{answer} {percent(share)}".replace(" ", "\u00a0")


def _seconds(value: float) -> str:
    if not math.isfinite(value):
        return number(math.nan)
    return (
        f"{value:.0f} s"
        if value < 120
        else f"{value / 60:.1f} min"
        if value < 7200
        else f"{value / 3600:.1f} h"
    )
