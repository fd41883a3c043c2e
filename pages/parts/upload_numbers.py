"""A reader's own image in words and numbers: cautions first, areas, votes, scores, and what was checked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core import SIZE, Upload, UploadNumbers
from pages.parts import choices, upload_form, volumes, words
from pages.parts.upload_state import Own
from pages.parts.words import plain


def cautions(own: Own) -> None:
    """What must be known before the outlines are looked at."""
    card, upload = own.upload.card, own.upload
    if upload_form.is_phantom(own.runs):
        st.error(upload_form.phantom_words(upload_form.KINDS[upload.layout]), icon=":material/error:")
    for sentence in upload.warned:
        st.warning(plain(sentence), icon=":material/warning:")
    far = [row for row in upload.far if row.is_far]
    if far:
        said = "; ".join(f"{row.title} {row.value:.3g} ({row.low:.3g} to {row.high:.3g})" for row in far)
        st.warning(
            plain(
                f"Far from the training data: {said}. In brackets: what the networks saw in {far[0].images} "
                f"images of {card.title}. Outlines on such an image are guesses."
            ),
            icon=":material/travel_explore:",
        )
    if upload.spacing_mm is not None:
        st.caption(
            "The networks learned from slices that hold liver: what they mark above and below it means nothing."
        )


def numbers(own: Own) -> None:
    """Areas or volumes, votes, and with a reference scores: one column per network, with what each number is."""
    if own.numbers is None:
        return
    upload, titles = own.upload, choices.networks()
    done = [run for run in own.runs.values() if run is not None and own.done(run)]
    whole = "the whole volume" if upload.spacing_mm else "this picture"
    for name, found in own.numbers.items():
        st.subheader(f"{name.capitalize()} in {whole}", anchor=False)
        rows = {"Marked": {titles[run.model]: _amount(found.marked[run.name], upload) for run in done}}
        meaning = {"Marked": "what the network calls so, on the image's own pixels"}
        for key, (title, text) in words.DEFINITIONS.items() if found.scores else ():
            rows[title] = {titles[r.model]: words.value_or_why(found.scores[r.name], key) for r in done}
            meaning[title] = text
        table = pd.DataFrame(rows).T
        table["What it is"] = pd.Series(meaning)
        st.table(table, alt=f"{name.capitalize()}: areas and scores of each network")
        if len(done) > 1:
            st.markdown(plain(_votes(found, upload, len(done))))
    if upload.references is None:
        st.caption(
            "No reference was given: agreement of networks is not correctness. They learned from the same data."
        )
    st.caption("One image proves nothing about a network: see the Scoreboard.")


def _votes(found: UploadNumbers, upload: Upload, networks: int) -> str:
    said = [f"{_amount(found.any_network, upload)} marked by at least one network"]
    said += [f"{_amount(found.most, upload)} by most"] if networks > 2 else []
    said.append(f"{_amount(found.every_network, upload)} by all {networks}")
    apart = f"Disagreement {found.disagreement:.2f} (0: one outline, 1: no pixel in common)."
    return f"Votes: {', '.join(said)}. {apart}"


def _amount(count: int, upload: Upload) -> str:
    if upload.spacing_mm is None:
        return f"{words.pixels(count)} ({words.percent(count / upload.pictures.size)} of the picture)"
    ml = count * float(np.prod(upload.spacing_mm)) / 1000
    doubt = ", not measured" if volumes.mm_note(upload.flags) else ""
    return f"{ml:.1f}\u00a0ml{doubt}"


def checked(own: Own) -> None:
    """The steps that were passed, and every statistic that was compared with the training images."""
    with st.expander("What was checked", icon=":material/checklist:"):
        for step, text in own.steps:
            st.markdown(f":material/check: **{step}** · {plain(text)}")
        if own.upload.far:
            rows = {
                row.title: {
                    "This image": f"{row.value:.3g}",
                    "Training images": f"{row.low:.3g} to {row.high:.3g}",
                    "Far": "far" if row.is_far else "no",
                }
                for row in own.upload.far
            }
            st.table(pd.DataFrame(rows).T, alt="Statistics of the image beside those of the training images")
            st.caption(
                f"Of the {SIZE} × {SIZE} image that the networks see; of a volume the middle value of its slices. "
                f"The last row: 98 of 100 of the {own.upload.far[0].images} training images lie below. Not being "
                "far is no proof that an image is of the right kind."
            )
