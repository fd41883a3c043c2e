"""The pages of the dashboard, in the order of the menu."""

import streamlit as st

st.set_page_config(page_title="Triptych", layout="wide")
st.navigation(
    [
        st.Page("pages/review.py", title="Review", default=True),
        st.Page("pages/heatmaps.py", title="Heatmaps"),
        st.Page("pages/scoreboard.py", title="Scoreboard"),
        st.Page("pages/about.py", title="About"),
    ],
    position="hidden",
).run()
