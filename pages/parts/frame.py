"""What every page is wrapped in: title, research-use notice, menu, and errors as sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from core import NOTICE, CoreError, DataMissing, DataRefused, JobBusy, RunMissing, RunRefused, StudyRefused
from pages.parts import cached, pickers
from pages.parts.words import plain

MENU = {  # file: label and icon, in the order of app.py
    "pages/review.py": ("Review", ":material/compare:"),
    "pages/heatmaps.py": ("Heatmaps", ":material/blur_on:"),
    "pages/scoreboard.py": ("Scoreboard", ":material/table_chart:"),
    "pages/reader_study.py": ("Reader study", ":material/rate_review:"),
    "pages/teach.py": ("Teach", ":material/school:"),
    "pages/try_image.py": ("Try an image", ":material/upload:"),
    "pages/runs.py": ("Runs", ":material/model_training:"),
    "pages/about.py": ("About", ":material/info:"),
}
STUDY_PAGE = "pages/reader_study.py"
HEADLINES = {
    DataMissing: "Nothing to show yet",
    DataRefused: "This file was not read",
    RunMissing: "No trained network here",
    RunRefused: "These weights were rejected",
    JobBusy: "A training is already under way",
    StudyRefused: "The study does not allow this",
}
STYLE = Path(__file__).with_suffix(".css")
COMMAND = re.compile(r"(?:Run: *)?((?:\.venv/bin/)?python -m core [^\n]+|make [a-z]+)\.?")


@contextmanager
def frame(title: str, *, is_blinded: bool = False) -> Iterator[None]:
    """Open a page: its title, the notice and the menu; a CoreError inside becomes a message.

    On a blinded page the menu's links carry no case and no network.

    Works for a page that is run without app.py, as on a deep link to a server just started. Any other
    exception is a mistake of ours: it stays a traceback in the server's log and off the screen.
    """
    # No page icon: Streamlit would fetch it from another host.
    st.set_page_config(page_title=f"{title} · Triptych", layout="wide", initial_sidebar_state=276)
    st.html(STYLE)
    cached.settle()
    pickers.adopt_address()
    menu(is_blinded)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(title, width="content", anchor=False)
        st.badge(NOTICE, icon=":material/gavel:", color="orange")
    try:
        yield
    except CoreError as error:
        explain(error)


def menu(is_blinded: bool = False) -> None:
    """The links to all pages, carrying the case that is chosen; nothing is carried from or to a blinded page."""
    with st.sidebar:
        st.markdown("**Triptych**")
        try:
            with st.container(horizontal=True, gap="xsmall", key="menu"):
                for page, (label, icon) in MENU.items():
                    there = {} if is_blinded or page == STUDY_PAGE else pickers.address()
                    st.page_link(page, label=label, icon=icon, query_params=there)
        except StreamlitPageNotFoundError:
            pass  # run alone, for example by a test: there are no other pages to link to


def explain(error: CoreError) -> None:
    """Show what happened, and the command that mends it."""
    headline = next(
        (text for kind, text in HEADLINES.items() if isinstance(error, kind)), "This cannot be shown"
    )
    message, commands = mend(str(error))
    st.error(plain(message), title=headline, icon=":material/error:")
    for command in commands:
        st.code(command, language="bash")


def mend(message: str) -> tuple[str, list[str]]:
    """A message without its commands, and the commands that it names, in order."""
    commands = [found.strip().rstrip(".") for found in COMMAND.findall(message)]
    return COMMAND.sub("", message).strip(), commands
