"""The pages of the dashboard, in the order of the menu."""

import streamlit as st

st.set_page_config(page_title="Triptych", layout="wide")
st.navigation(
    [
        st.Page("pages/review.py", title="Review", default=True),
        st.Page("pages/heatmaps.py", title="Heatmaps"),
        st.Page("pages/scoreboard.py", title="Scoreboard"),
        st.Page("pages/reader_study.py", title="Reader study"),
        st.Page("pages/teach.py", title="Teach"),
        st.Page("pages/try_image.py", title="Try an image"),
        st.Page("pages/runs.py", title="Runs"),
        st.Page("pages/about.py", title="About"),
    ],
    position="hidden",
).run()
