"""The clock of a study: counts in the browser for how long a case is visible, and keeps the reader's seat."""

from __future__ import annotations

import streamlit as st

from core import STUDY_SIGN_SECONDS, CoreError, Study, attend_study
from pages.parts import study_state

# A hidden page counts no time. Streamlit runs this again for the next case without cleaning up after the last one:
# there is one clock, and whoever comes next stops it.
SCRIPT = """
export default function watch({ data, setStateValue }) {
  const before = globalThis.triptychClock;
  before?.stop();
  const clock = before?.token === data.token ? before : { token: data.token, seconds: 0, since: null };
  globalThis.triptychClock = clock;
  const isVisible = () => document.visibilityState === "visible";
  const count = (isRunning) => {
    const now = performance.now();
    if (clock.since !== null) clock.seconds += (now - clock.since) / 1000;
    clock.since = isRunning ? now : null;
  };
  const sign = () => {
    count(isVisible());
    const seconds = Math.round(10 * clock.seconds) / 10;
    setStateValue("sign", { token: clock.token, seconds, visible: isVisible() });
  };
  if (clock === before) count(isVisible());
  else sign();
  const timer = setInterval(sign, 1000 * data.every);
  document.addEventListener("visibilitychange", sign);
  clock.stop = () => {
    count(false);
    clearInterval(timer);
    document.removeEventListener("visibilitychange", sign);
  };
  return () => {
    clock.stop();
    if (globalThis.triptychClock === clock) delete globalThis.triptychClock;
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
