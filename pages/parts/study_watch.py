"""The clock of a study: counts in the browser for how long a case is visible, and keeps the reader's seat."""

from __future__ import annotations

import streamlit as st

from core import STUDY_SIGN_SECONDS, CoreError, Study, attend_study
from pages.parts import study_state

# A hidden page counts no time. Cleaning up stops the clock of the case before.
SCRIPT = """
const counts = new WeakMap();

export default function watch({ data, parentElement, setStateValue }) {
  let count = counts.get(parentElement);
  if (!count || count.token !== data.token) count = { token: data.token, seconds: 0, since: null };
  counts.set(parentElement, count);
  const isVisible = () => document.visibilityState === "visible";
  const sign = () => {
    const now = performance.now();
    if (count.since !== null) count.seconds += (now - count.since) / 1000;
    count.since = isVisible() ? now : null;
    const seconds = Math.round(10 * count.seconds) / 10;
    setStateValue("sign", { token: count.token, seconds, visible: isVisible() });
  };
  if (!count.isKnown) sign();
  count.isKnown = true;
  const timer = setInterval(sign, 1000 * data.every);
  document.addEventListener("visibilitychange", sign);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", sign);
  };
}
"""
_WATCH = st.components.v2.component("triptych_watch", js=SCRIPT)


@st.fragment
def watch(study: Study, reader: str, position: int) -> None:
    """Count the time of the case at ``position``; when another window has taken the seat, the page says so."""
    token = f"{study.id}/{position}"
    data = {"token": token, "every": STUDY_SIGN_SECONDS}
    _WATCH(data=data, key=study_state.WATCH, on_sign_change=study_state.took_sign)
    try:
        attend_study(study, reader, study_state.window(), position, study_state.seen_s(token))
    except CoreError:
        st.rerun()  # the whole page asks for the seat again, and says why it cannot have it
