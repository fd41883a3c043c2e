"""What every page is wrapped in: title, research-use notice, menu, and errors as sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from core import NOTICE, CoreError, DataMissing, DataRefused, JobBusy, RunMissing, RunRefused
from pages.parts import cached, pickers
from pages.parts.words import plain

MENU = {  # file: label and icon, in the order of app.py
    "pages/review.py": ("Review", ":material/compare:"),
    "pages/heatmaps.py": ("Heatmaps", ":material/blur_on:"),
    "pages/scoreboard.py": ("Scoreboard", ":material/table_chart:"),
    "pages/about.py": ("About", ":material/info:"),
}
HEADLINES = {
    DataMissing: "Nothing to show yet",
    DataRefused: "This file was not read",
    RunMissing: "No trained network here",
    RunRefused: "These weights were rejected",
    JobBusy: "A training is already under way",
}
COMMAND = re.compile(r"(?:Run: *)?((?:\.venv/bin/)?python -m core [^\n]+|make [a-z]+)\.?")


@contextmanager
def frame(title: str) -> Iterator[None]:
    """Open a page: its title, the notice and the menu; a CoreError inside becomes a message.

    Works for a page that is run without app.py, as on a deep link to a server just started. Any other
    exception is a mistake of ours: it stays a traceback in the server's log and off the screen.
    """
    # No page icon: Streamlit would fetch it from another host.
    st.set_page_config(page_title=f"{title} · Triptych", layout="wide", initial_sidebar_state=276)
    cached.settle()
    pickers.adopt_address()
    menu()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(title, width="content", anchor=False)
        st.badge(NOTICE, icon=":material/gavel:", color="orange")
    try:
        yield
    except CoreError as error:
        explain(error)


def menu() -> None:
    """The links to all pages, carrying the case that is chosen."""
    with st.sidebar:
        st.markdown("**Triptych**")
        try:
            with st.container(horizontal=True, gap="xsmall"):
                for page, (label, icon) in MENU.items():
                    st.page_link(page, label=label, icon=icon, query_params=pickers.address())
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
