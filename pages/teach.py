"""Teach: short lessons that ask first and compute in front of the reader."""

import streamlit as st

from pages.parts import lessons, lessons_find, pickers
from pages.parts.frame import frame
from pages.parts.lessons_all import LESSONS


def teach() -> None:
    """The list of lessons, or one step of one."""
    chosen = pickers.pick_case()
    lesson, at = lessons.place(LESSONS)
    if lesson is None:
        lessons.overview(LESSONS, lambda: lessons_find.opening(chosen))
        return
    following = LESSONS.index(lesson) + 1
    lessons.run(lesson, at, chosen, LESSONS[following] if following < len(LESSONS) else None)
    with st.sidebar:
        st.caption("A lesson takes the case chosen here, where it has a lesion.")


with frame("Teach"):
    teach()
