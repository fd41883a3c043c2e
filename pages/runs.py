"""Runs: what was trained, how and how well; one training in detail, live while it runs; the form for another."""

import streamlit as st

from core import list_jobs, training_is_allowed
from pages.parts import job_form, jobs
from pages.parts.frame import frame

with frame("Runs"):
    known = list_jobs()
    if known:
        st.dataframe(
            jobs.registry(known),
            hide_index=True,
            height=min(38 + 35 * len(known), 320),
            placeholder="–",
            alt="Registry of all runs",
        )
        jobs.detail(jobs.pick(known))
    else:
        st.info("No network was trained here yet.", title="Nothing to show yet", icon=":material/info:")
        st.code("python -m core demo\npython -m core train phantom_busi unet", language="bash")
    st.subheader("Start a training", anchor=False)
    if training_is_allowed():
        job_form.form(next((job for job in known if job.is_under_way), None))
    else:
        st.caption(job_form.NOT_ALLOWED)
