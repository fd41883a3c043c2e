"""What the page offers beside the maps: to compute those that are missing, and ways out of an empty state."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import Prediction, Run, Slice, list_methods, shared_region
from pages.parts import case, computing, pickers
from pages.parts.maps import Map
from pages.parts.questions import Question, target_of
from pages.parts.words import plain


def missing(rows: Sequence[Sequence[Map]], one: Slice) -> None:
    """A button for what one pass gives, and one for each method that needs more, with its cost in words."""
    lacking = [answer for answers in rows for answer in answers if answer.lacks]
    cheap, dear = [], dict[str, list[Map]]()
    for answer in lacking:
        card = list_methods()[answer.question.method]
        if card.needs == "passes":
            dear.setdefault(card.title, []).append(answer)
        else:
            cheap.append(answer)
    if cheap:
        titles = ", ".join(dict.fromkeys(answer.reading.title for answer in cheap))
        told = f"Not stored yet for this case: {titles}. It is computed once and kept."
        _button(f"Compute ({case.COST})", told, cheap, one)
    for title, answers in dear.items():
        count = len(answers)
        cost = list_methods()[answers[0].question.method].cost
        each = "map" if count == 1 else f"of {count} maps"
        told = f"{title} needs {cost}, for each {each}: minutes on a small machine. It is computed once and kept."
        _button(f"Compute {title} ({cost})", told, answers, one)


def _button(label: str, told: str, answers: Sequence[Map], one: Slice) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.button(label, icon=":material/calculate:", key=f"compute {answers[0].question.method}")
        st.caption(plain(told))
    if not asked:
        return
    runs = {a.reading.run.name: a.reading.run for a in answers if a.reading.run is not None}
    questions = {name: [a.question for a in answers if _is_of(a, name)] for name in runs}
    bar = st.progress(0.0, "Loading the networks")

    def wanted(run: Run, predictions: dict[str, Prediction]) -> list[computing.Wanted]:
        return [_wanted(question, run, predictions, answers, one) for question in questions[run.name]]

    failed = computing.maps(
        list(runs.values()), one, wanted, lambda share, text: bar.progress(min(share, 1.0), plain(text))
    )
    for sentence in failed:
        st.error(plain(sentence), icon=":material/error:")
    if not failed:
        st.rerun()


def _is_of(answer: Map, run: str) -> bool:
    return answer.reading.run is not None and answer.reading.run.name == run


def _wanted(
    question: Question, run: Run, predictions: dict[str, Prediction], answers: Sequence[Map], one: Slice
) -> computing.Wanted:
    """The question of one network, now that all have predicted."""
    mask = next((a.mask for a in answers if a.question == question and a.mask is not None), None)
    if question.target.region == "shared" and mask is None:
        mask = shared_region(one, list(predictions.values()), question.target.class_name)
    target = target_of(question, predictions[run.name], run.classes)
    return question.method, question.layer, target, mask


def ways_out(rows: Sequence[Sequence[Map]], *, signed: bool) -> None:
    """For maps that say nothing as they were asked: a button that asks in a way that can be answered."""
    shown = [answer for answers in rows for answer in answers if answer.heatmap is not None]
    first = {(answer.question.target.region, answer.heatmap.state) for answer in shown}
    drawn = {s for a in shown if not a.is_silent for s in (a.heatmap.state, *a.heatmap.notes)}
    offers = {
        "Explain the likeliest 1 % of the pixels": (
            ("predicted", "empty_region") in first,
            {"region": "top_percent"},
        ),
        "Ask in log-odds": ("saturated" in {state for _, state in first}, {"score": "log_odds"}),
        "Show evidence for and against": (
            "no_positive_evidence" in drawn and not signed,
            {"sign": "signed"},
        ),
    }
    if not any(is_due for is_due, _ in offers.values()):
        return
    with st.container(horizontal=True):
        for label, (is_due, options) in offers.items():
            if is_due:
                pickers.offer(label, **options)
