"""The reviewer's verdict on what is on screen: a drawer to give it, and what has been said so far.

The drawer's own state (who reads, which case it is open on) is kept here: it belongs to no other page.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import streamlit as st

from core import VERDICTS, CoreError, Verdict, record_verdict, verdict_counts
from pages.parts.case_report import Shown
from pages.parts.words import plain

ICONS = {"accept": "check", "minor": "edit", "major": "edit_note", "reject": "close"}
COLOURS = {"accept": "green", "minor": "blue", "major": "orange", "reject": "red"}
NOTE = 500


def button(shown: Shown) -> None:
    """The button that opens the drawer, and the drawer while it is open on this case."""
    st.button("Verdict", icon=":material/rate_review:", on_click=_open, args=(shown.one.key,))
    if st.session_state.get("verdict_on") == shown.one.key:
        _drawer(shown)


def counts(shown: Shown, found: Sequence[Verdict]) -> str:
    """The verdicts on the case in words: per network, of the weights on screen; only each reader's newest count.

    ``found`` are those on its dataset.
    """
    found = [one for one in found if one.case == shown.one.case]
    runs = {r.run.name: r.run.weights_sha256 for r in shown.readings if r.run is not None}
    tally, wrong = verdict_counts(found, runs)
    said = []
    for reading in shown.readings:
        own = tally.get(reading.run.name, {}) if reading.run is not None else {}
        badges = [
            f":{COLOURS[answer]}-badge[:material/{ICONS[answer]}: {own[answer]} × {title.lower()}]"
            for answer, title in VERDICTS.items()
            if own.get(answer)
        ]
        said += [f"{reading.title} {' '.join(badges)}"] if badges else []
    if wrong:
        said.append(f":violet-badge[:material/flag: reference called wrong by {wrong}]")
    if said:
        return " · ".join(said)
    return "No verdict on these networks yet." if found else "No verdict on this case yet."


def session() -> str:
    """A random word for this tab, for the audit log: it names nobody."""
    found: str = st.session_state.setdefault("audit_session", secrets.token_hex(8))
    return found


def _open(key: str) -> None:
    st.session_state["verdict_on"] = key


def _close() -> None:
    st.session_state.pop("verdict_on", None)


@st.dialog("Verdict", position="right", on_dismiss=_close)
def _drawer(shown: Shown) -> None:
    one = shown.one
    st.caption(
        plain(
            f"{shown.choice.card.title} · {one.case}" + (f" · slice {one.index}" if shown.is_volume else "")
        )
    )
    reader = st.text_input(
        "Reader: your initials or a code",
        value=st.session_state.get("reader", ""),
        max_chars=40,
        help="Stored with the verdict. Your newest verdict on a case counts; earlier ones stay in the log.",
    )
    index = one.index if shown.is_volume else None
    if shown.is_volume:
        about = {"slice": f"Slice {one.index}", "case": "Whole volume"}
        judged = st.segmented_control(
            "About", list(about), format_func=about.__getitem__, default="slice", required=True
        )
        index = one.index if judged == "slice" else None
    answers: dict[str, str] = {}
    runs = {
        r.run.name: r.run.weights_sha256 for r in shown.readings if r.run is not None and r.labels is not None
    }
    for reading in shown.readings:
        if reading.run is None or reading.run.name not in runs:
            st.caption(plain(f"{reading.title}: nothing to judge here."))
            continue
        answer = st.segmented_control(
            reading.title,
            list(VERDICTS),
            format_func=VERDICTS.__getitem__,
            key=f"verdict-{reading.model}-{one.key}",
        )
        answers |= {reading.run.name: answer} if answer else {}
    wrong = st.checkbox("The reference is wrong") if one.has_reference else False
    note = st.text_area("Note (no patient details)", max_chars=NOTE, help="Kept as typed, with your verdict.")
    if not st.button("Save", icon=":material/save:", width="stretch"):
        return
    st.session_state["reader"] = reader.strip()
    try:
        record_verdict(Verdict(reader, session(), one.dataset, one.case, index, runs, answers, wrong, note))
    except CoreError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    _close()
    st.rerun()
