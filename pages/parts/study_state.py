"""The state of a study's page: who reads what in this window, for how long a case was seen, and the address.

A window is one browser tab. It is known by a random word behind its session's number.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

import streamlit as st
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

WATCH = "study-watch"  # key of the component that counts for how long the page is visible


def window() -> str:
    """The name of this window."""
    if "study_window" not in st.session_state:
        ctx = get_script_run_ctx()
        st.session_state["study_window"] = f"{ctx.session_id if ctx else ''} {secrets.token_hex(8)}"
    return str(st.session_state["study_window"])


def is_there(name: str) -> bool:
    """Whether the browser of another window of this server is still connected."""
    return not exists() or bool(get_instance().is_active_session(name.split(" ")[0]))


def reading() -> tuple[str, str] | None:
    """Study and reader of this window, or None before a reader has begun."""
    found: tuple[str, str] | None = st.session_state.get("study_reading")
    return found


def begin(study: str, reader: str) -> None:
    """This window reads a study from now on; the address keeps the study and nothing else."""
    st.session_state["study_reading"] = (study, reader)
    st.query_params.from_dict({"study": study})


def end() -> None:
    """This window reads no more."""
    st.session_state.pop("study_reading", None)


def asked() -> str:
    """The study that the address names; empty if none."""
    return str(st.query_params.get("study", ""))


def tell(text: str) -> None:
    """Keep a sentence for the next run of the page."""
    st.session_state["study_told"] = text


def told() -> str:
    """The sentence that was kept, once."""
    return str(st.session_state.pop("study_told", ""))


def took_sign() -> None:
    """A callback for a sign of life: when it came in is what the seconds after it are counted from."""
    st.session_state["study_sign"] = (_report(), time.monotonic())


def seen_s(token: str) -> float:
    """For how many seconds this window has shown the case of ``token`` on a visible page, up to now."""
    report, came = st.session_state.get("study_sign", ({}, 0.0))
    if report.get("token") != token:
        return 0.0
    since = time.monotonic() - came if report.get("visible") is True else 0.0
    seconds = report.get("seconds")
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < 1e6
    return (float(seconds) if known else 0.0) + since


def _report() -> dict[str, Any]:
    found = getattr(st.session_state.get(WATCH), "sign", None)
    return dict(found) if isinstance(found, dict) else {}
