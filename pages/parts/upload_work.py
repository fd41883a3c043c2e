"""The networks at work on a reader's own image: slice by slice, shown as it goes, stopped at any time."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import CoreError, Run, Target, explain_upload, predict_upload, upload_numbers
from pages.parts import choices, upload_state
from pages.parts.case import COST
from pages.parts.frame import mend
from pages.parts.upload_state import Own
from pages.parts.words import plain

EVERY = 8  # slices between two reports: a batch of the networks


def finish(own: Own) -> None:
    """Ask the networks that have not answered, if they are to be asked; or offer to go on.

    Every report is a place where Streamlit ends this run when the reader presses Stop or Forget now: what is done
    by then is kept, or dropped with the rest.
    """
    if not own.is_asked:
        if own.waiting or own.failed or own.numbers is None:
            done = sum(len(found) for found in own.found.values())
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button(
                    f"Go on ({COST})",
                    type="primary",
                    icon=":material/play_arrow:",
                    on_click=upload_state.go_on,
                )
                st.caption(f"{done} of {own.upload.count * len(_usable(own))} slices done.")
        return
    st.button("Stop", icon=":material/stop:", on_click=upload_state.stop)
    titles = choices.networks()
    with st.status("Predict", expanded=True) as status:
        for step, text in own.steps:
            st.markdown(f":material/check: **{step}** · {plain(text)}")
        bar = st.progress(0.0, "Loading the first network")
        for run in own.waiting:
            status.update(label=f"Predict: {titles[run.model]}", expanded=True)
            _predict(own, run, bar)
        if any(own.done(run) for run in own.runs.values()):
            _count(own, bar)
        status.update(label="Done", state="complete")
    own.is_asked = False
    st.rerun()


def explain(own: Own, index: int, targets: Sequence[Target]) -> list[str]:
    """Compute the maps of one slice that are not there yet; a sentence for each network that failed."""
    failed = []
    with st.status("Explain", expanded=True) as status:
        for run in _usable(own):
            for target in targets:
                if own.done(run) and (run.name, index, target) not in own.maps:
                    status.update(label=f"Explain: {choices.networks()[run.model]}", expanded=True)
                    try:
                        prediction = own.found[run.name][index]
                        maps = explain_upload(run.name, own.upload, index, prediction, target)
                    except CoreError as error:
                        failed.append(f"{run.name}: {error}")
                        continue
                    own.maps[run.name, index, target] = maps
        status.update(
            label="Not everything worked" if failed else "Done", state="error" if failed else "complete"
        )
        for sentence in failed:
            st.error(plain(sentence), icon=":material/error:")
    return failed


def _usable(own: Own) -> list[Run]:
    return [run for run in own.runs.values() if run is not None and not run.problem]


def _predict(own: Own, run: Run, bar: st.delta_generator.DeltaGenerator) -> None:
    found, count = own.found.setdefault(run.name, []), own.upload.count
    title = choices.networks()[run.model]
    try:
        for prediction in predict_upload(run.name, own.upload, start=len(found)):
            found.append(prediction)
            if len(found) % EVERY == 0 or len(found) == count:
                bar.progress(len(found) / count, f"{title}: slice {len(found)} of {count}")
    except CoreError as error:
        own.failed[run.name] = mend(str(error))[0]


def _count(own: Own, bar: st.delta_generator.DeltaGenerator) -> None:
    done = {run.name: own.found[run.name] for run in _usable(own) if own.done(run)}
    own.numbers = upload_numbers(
        own.upload,
        done,
        lambda at, total: bar.progress(at / total, f"Areas and votes: slice {at} of {total}"),
    )
