"""A page with nothing but the viewer on the bench's volume: what a rerun sends is the viewer's own."""

import streamlit as st

from pages.parts import viewer
from tests.bench.viewer import PAYLOAD, SURE, packed


@st.fragment
def drawn() -> None:
    """The viewer, in a fragment as on the pages."""
    viewer.mount(packed(PAYLOAD, 128, sure=SURE), "view")


st.set_page_config(layout="wide")
drawn()
