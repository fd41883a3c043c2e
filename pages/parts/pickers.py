"""The selectors of the sidebar and of options: dataset, case, networks. What is chosen is kept by ``state``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from core import DatasetCard, SliceEntry
from pages.parts import cached, choices, state
from pages.parts.choices import Choice
from pages.parts.state import address as address
from pages.parts.state import adopt_address as adopt_address
from pages.parts.state import asked_first as asked_first
from pages.parts.state import asked_slice as asked_slice
from pages.parts.state import reported as reported
from pages.parts.state import selection as selection
from pages.parts.words import plain

PARTS = {"test": "Test: unseen in training", "validation": "Validation", "train": "Training", "all": "All"}
TAGS = ("benign", "malignant", "normal")
IN_SIGHT = 26  # characters that a closed list of the sidebar shows; longer names stand below it in full


def _settle(card: DatasetCard) -> list[SliceEntry]:
    """The matching cases; afterwards the selected case is one of them, or empty when there is none."""
    sel = selection()
    found = choices.matching(sel, card)
    if any(entry.case == sel.case for entry in found):
        return found
    if sel.asked and any(entry.case == sel.case for entry in choices.entries(card.name)):
        state.change(part="all", tags=(), flagged=False)
        return choices.matching(selection(), card)
    state.change(case=found[0].case if found else "")
    return found


# ---- callbacks


def _took(widget: str, name: str, *, address: bool = False) -> Callable[[], None]:
    """A callback that moves a widget's value into the selection, and into the address where that is due."""

    def callback() -> None:
        value = state.value_of(widget)
        state.change(**{name: tuple(value) if isinstance(value, list) else value, "asked": False})
        if name == "ds":
            state.change(case="", set="")
        if address:
            if card := choices.prepared(selection().ds):
                _settle(card)
            state.write_address()

    return callback


def go(case: str) -> None:
    """Open another case, for callbacks."""
    state.change(case=case)
    state.write_address()


def _reset() -> None:
    state.change(part="all", tags=(), flagged=False)


# ---- widgets


def pick_dataset(names: Sequence[str]) -> str:
    """The selector of the dataset in the sidebar; the chosen name, or empty when there is none at all."""
    if not names:
        return ""
    if selection().ds not in names:
        first = choices.opening_dataset()
        state.change(ds=first if first in names else names[0], case="")
    st.sidebar.selectbox(
        "Dataset",
        names,
        format_func=choices.title,
        key=state.seed("w_dataset", selection().ds),
        on_change=_took("w_dataset", "ds", address=True),
    )
    if unknown := state.unknown():
        st.caption(plain(f"Not found here and left out: {', '.join(unknown)}."))
    return selection().ds


def pick_networks(widths: Mapping[str, int]) -> None:
    """The selectors of the networks and, where there is a choice, of their training (sets with their width)."""
    titles = choices.networks()
    with st.sidebar:
        st.pills(
            "Networks",
            list(titles),
            format_func=titles.__getitem__,
            selection_mode="multi",
            help="At least one; none means all.",
            key=state.seed("w_networks", list(selection().m or titles)),
            on_change=_took("w_networks", "m", address=True),
        )
        if len(sets := choices.set_titles(widths, selection().ds)) > 1:
            chosen = st.selectbox(
                "Training",
                list(sets),
                format_func=lambda name: sets.get(name, name),
                key=state.seed("w_set", selection().set if selection().set in sets else next(iter(sets))),
                on_change=_took("w_set", "set", address=True),
            )
            if len(sets[chosen]) > IN_SIGHT:
                st.caption(sets[chosen])


def pick_case() -> Choice | None:
    """The sidebar of a page about one case; None when nothing matches, which the page then says in words."""
    name = pick_dataset([card.name for card in cached.datasets()])
    card = choices.prepared(name)
    if card is None:
        return None
    found = _settle(card)
    sets = choices.run_sets(name)
    pick_networks({one: next(iter(trained.values())).width for one, trained in sets.items()})
    runs = choices.chosen_runs(selection(), name)
    order = choices.disagreements(name, runs)
    with st.sidebar:
        _pick_filter(card)
        if not found:
            st.button("Reset filter", on_click=_reset)
            return None
        by_case = {entry.case: entry for entry in found}
        entry = by_case[selection().case]
        ordered = ", by disagreement" if order else ""
        st.selectbox(
            f"Case {list(by_case).index(entry.case) + 1} of {len(by_case)}{ordered}",
            list(by_case),
            format_func=lambda case: choices.label(by_case[case], order.get(case)),
            key=state.seed("w_case", entry.case),
            on_change=_took("w_case", "case", address=True),
        )
        if not order:
            st.caption(_unordered(name))
        _step(list(by_case), entry.case)
    return Choice(card, entry, choices.part_of(entry, card, runs), runs, order.get(entry.case))


def _unordered(name: str) -> str:
    """Why a list of cases is in no order of disagreement."""
    if cached.results(name) is None:
        return f"Not ordered by disagreement yet: `python -m core evaluate {name}`"
    return "Not ordered by disagreement: it is stored of another training, or of no two networks."


def _pick_filter(card: DatasetCard) -> None:
    """Which cases are listed, and whether P and N step through them; behind one button, as they seldom change."""
    sel, known = selection(), choices.entries(card.name)
    tags = [tag for tag in TAGS if any(entry.tag == tag for entry in known)]
    chosen = [tag for tag in sel.tags if tag in tags]
    said = [sel.part] if any(entry.parts for entry in known) else []
    said += [*chosen, *(["flagged"] if sel.flagged else [])]
    with st.popover(f"Filter: {', '.join(said) or 'all'}", icon=":material/filter_alt:", width="stretch"):
        if any(entry.parts for entry in known):
            key, took = state.seed("w_part", sel.part), _took("w_part", "part")
            st.selectbox("Split part", list(PARTS), format_func=PARTS.__getitem__, key=key, on_change=took)
        if len(tags) > 1:
            key, took = state.seed("w_tags", chosen), _took("w_tags", "tags")
            st.pills("Kind", tags, selection_mode="multi", key=key, on_change=took)
        if any(entry.flags for entry in known):
            key, took = state.seed("w_flagged", sel.flagged), _took("w_flagged", "flagged")
            st.toggle("Flagged only", key=key, on_change=took)
        key, took = state.seed("w_letters", sel.letters), _took("w_letters", "letters")
        st.toggle("Letter shortcuts: P, N", key=key, on_change=took)


def _step(cases: list[str], case: str) -> None:
    at, letters = cases.index(case), selection().letters
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, step, key in (("Previous", -1, "P"), ("Next", 1, "N")):
            there = at + step
            st.button(
                label,
                key=f"b_{label.lower()}",
                disabled=not 0 <= there < len(cases),
                on_click=go,
                args=(cases[there % len(cases)],),
                shortcut=key if letters else None,
                width="stretch",
            )


def pick_option(
    label: str, name: str, titles: Mapping[str, str], default: str, help: str | None = None
) -> str:
    """A row of buttons of which one is chosen; returns its key in ``titles``."""
    return _options(st.segmented_control, label, name, titles, default, help=help, required=True)[0]


def pick_options(label: str, name: str, titles: Mapping[str, str], default: str) -> list[str]:
    """A row of buttons of which at least one is chosen; returns their keys in the order of ``titles``."""
    return _options(st.pills, label, name, titles, default, selection_mode="multi")


def pick_from(label: str, name: str, titles: Mapping[str, str], default: str, width: int = 300) -> str:
    """A list of which one is chosen, ``width`` pixels wide; returns its key in ``titles``."""
    return _options(st.selectbox, label, name, titles, default, width=width)[0]


def _options(
    widget: Callable[..., Any], label: str, name: str, titles: Mapping[str, str], default: str, **more: Any
) -> list[str]:
    asked = state.option(name)
    chosen = [value for value in titles if value in asked] or [default]
    several = more.get("selection_mode") == "multi"
    key = f"w_{name}_several" if several else f"w_{name}"
    state.seed(key, chosen if several else chosen[0])
    took = state.took_option(key, name)
    widget(label, list(titles), format_func=titles.__getitem__, key=key, on_change=took, **more)
    return chosen


def switch(label: str, name: str, help: str) -> None:
    """A switch for an option, which is "on" or empty."""
    key = state.seed(f"w_{name}", state.option(name) == ("on",))
    st.toggle(label, key=key, on_change=state.took_switch(key, name), help=help)


def offer(label: str, **options: Any) -> None:
    """A button that changes some options of the heatmaps page."""
    st.button(label, on_click=lambda: state.choose(**options))


def preset(label: str, values: Mapping[str, Any]) -> None:
    """A button that sets all options of the heatmaps page at once; no values: back to the defaults."""
    st.button(label, on_click=lambda: state.choose(**{**dict.fromkeys(state.OPTIONS, ()), **values}))
