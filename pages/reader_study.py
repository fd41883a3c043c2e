"""Reader study: outlines without names, rated by several readers; opened only when the study is locked."""

import streamlit as st

from pages.parts import study_owner, study_read, study_state
from pages.parts.frame import frame

SIDES = {"read": "Read", "run": "Run a study"}

with frame("Reader study", is_blinded=True):
    if (reading := study_state.reading()) is not None:
        study_read.read(*reading)
    else:
        side = st.segmented_control(
            "What for", list(SIDES), format_func=SIDES.__getitem__, default="read", required=True,
            key="study-side", label_visibility="collapsed",
        )  # fmt: skip
        if side == "run":
            study_owner.show()
        else:
            study_read.choose()
