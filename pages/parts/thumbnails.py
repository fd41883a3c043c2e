"""The case list: the cases that match the filter, the largest disagreement first, each with a small picture."""

from __future__ import annotations

import streamlit as st

from core import CoreError, SliceEntry, read_verdicts, studied_cases
from pages.parts import cached_previews, choices, pickers
from pages.parts.choices import Choice
from pages.parts.words import plain

ROWS = 8  # pictures at a time: a page of the list


def case_list(choice: Choice) -> None:
    """The page of the list that holds the case on screen; a click opens another.

    For the end of a page's script, so that the case itself is drawn first.
    """
    found = choices.matching(pickers.selection(), choice.card)
    order = choices.disagreements(choice.card.name, choice.runs)
    at = next((place for place, entry in enumerate(found) if entry.case == choice.entry.case), 0)
    first = at - at % ROWS
    last = min(first + ROWS, len(found))
    hidden, judged = studied_cases(choice.card.name), {one.case for one in read_verdicts(choice.card.name)}
    with st.sidebar:
        st.caption(f"Cases {first + 1} to {last}. White: all networks agree; yellow: they differ.")
        with st.container(gap="xxsmall"):
            for entry in found[first:last]:
                if entry.case in hidden:
                    st.caption(f":material/visibility_off: {plain(entry.case)} · in an open study")
                else:
                    _row(entry, choice, _label(entry, order.get(entry.case), entry.case in judged))
        _turn([entry.case for entry in found], first)


def _turn(cases: list[str], first: int) -> None:
    """Buttons to the pages before and after: each opens the first case there."""
    pages = {"before": (first - ROWS, "arrow_upward"), "after": (first + ROWS, "arrow_downward")}
    with st.container(horizontal=True):
        for name, (at, icon) in pages.items():
            if 0 <= at < len(cases):
                st.button(
                    f"{at + 1} to {min(at + ROWS, len(cases))}",
                    key=f"turn-{name}",
                    type="tertiary",
                    icon=f":material/{icon}:",
                    on_click=pickers.go,
                    args=(cases[at],),
                    help=f"The cases {name} these: opens the first of them.",
                )


def _label(entry: SliceEntry, disagreement: float | None, is_judged: bool) -> str:
    said = plain(entry.case) + ("" if disagreement is None else f" · {disagreement:.2f}")
    return said + " :material/flag:" * bool(entry.flags) + " :material/rate_review:" * is_judged


def _row(entry: SliceEntry, choice: Choice, label: str) -> None:
    runs = [run for run in choice.runs.values() if run is not None and not run.problem]
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall"):
        try:
            png = cached_previews.preview(entry, runs, len(choice.card.classes) - 1)
            st.image(png, width=48, output_format="PNG", alt="")
        except CoreError:
            st.markdown(":material/broken_image:", width="content")
        if entry.case == choice.entry.case:
            st.markdown(f":small[**{label}**]", width="content")
        else:
            st.button(
                label, key=f"list-{entry.case}", type="tertiary", on_click=pickers.go, args=(entry.case,)
            )
