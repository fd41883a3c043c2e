"""What is chosen: dataset, case, networks. The only writer of the session's state and of the address.

The truth is ``session_state["sel"]``. Widgets are seeded from it before they are made and write to it in
their callbacks. The address is read when it differs from what this session wrote last, and written only when
the reader changes the dataset, the case or the networks, so that each is one step of the browser's Back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from core import DatasetCard, SliceEntry
from pages.parts import cached, choices
from pages.parts.choices import Choice, Selection
from pages.parts.words import plain

ADDRESS = ("ds", "case", "m", "set", "layer", "region", "scale", "cam")  # what Python reads of the address
NAMES = {"ds": "dataset", "case": "case", "set": "training"}
OPTIONS = ("layer", "region", "scale", "cam")
PARTS = {"test": "Test: unseen in training", "validation": "Validation", "train": "Training", "all": "All"}
TAGS = ("benign", "malignant", "normal")


# ---- the selection and the address


def selection() -> Selection:
    """What is chosen in this session."""
    found: Selection = st.session_state.setdefault("sel", Selection())
    return found


def _set(**changes: Any) -> None:
    st.session_state["sel"] = replace(selection(), **changes)


def address(case: str = "", ds: str = "") -> dict[str, Any]:
    """The selection as query parameters, in a fixed order; empty before anything is chosen.

    With ``case`` (and ``ds``): the address of that case with the same networks.
    """
    sel = selection()
    parts = {"ds": ds or sel.ds, "case": case or sel.case, "m": list(sel.m), "set": sel.set}
    return {name: value for name, value in parts.items() if value} if parts["ds"] else {}


def _read_address() -> dict[str, tuple[str, ...]]:
    return {name: tuple(st.query_params.get_all(name))[:8] for name in ADDRESS if name in st.query_params}


def _write_address() -> None:
    st.query_params.from_dict(address())
    st.session_state["address"] = _read_address()


def reported(key: str) -> object:
    """What the viewer with this key reported last in this session, to be checked by ``viewer.settled``."""
    return getattr(st.session_state.get(key), "view", None)


def asked_slice() -> int | None:
    """The slice that the address names; the viewer keeps it there."""
    given = st.query_params.get("k", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 6 else None


def adopt_address() -> None:
    """Take over the address if it is not what this session wrote last. Nothing in it can raise.

    Values that do not exist here are left out, and a line on the page says so.
    """
    asked = _read_address()
    if not asked or asked == st.session_state.get("address"):
        return
    st.session_state["address"] = asked
    unknown: list[str] = []

    def known(name: str, there: Sequence[str] | Mapping[str, Any]) -> str:
        value = asked.get(name, ("",))[0]
        if value and value not in there:
            unknown.append(f"{NAMES[name]} {value[:40]}")
        return value if value in there else ""

    if ds := known("ds", [card.name for card in cached.datasets()] + choices.evaluated()):
        _set(ds=ds, case="", m=(), set="")
    here = selection().ds or choices.opening_dataset()
    if "ds" not in asked or ds:
        if case := known("case", [entry.case for entry in choices.entries(here)]):
            _set(ds=here, case=case, asked=True)
        _set(set=known("set", choices.run_sets(here)))
    _set(
        m=tuple(name for name in choices.networks() if name in asked.get("m", ())),
        options={**selection().options, **{name: asked[name] for name in OPTIONS if name in asked}},
    )
    unknown += [f"network {name[:40]}" for name in asked.get("m", ()) if name not in choices.networks()]
    st.session_state["unknown"] = unknown


def _settle(card: DatasetCard) -> list[SliceEntry]:
    """The matching cases; afterwards the selected case is one of them, or empty when there is none."""
    sel = selection()
    found = choices.matching(sel, card)
    if any(entry.case == sel.case for entry in found):
        return found
    if sel.asked and any(entry.case == sel.case for entry in choices.entries(card.name)):
        _set(part="all", tags=(), flagged=False)
        return choices.matching(selection(), card)
    _set(case=found[0].case if found else "")
    return found


# ---- callbacks


def _took(widget: str, name: str, *, address: bool = False) -> Callable[[], None]:
    """A callback that moves a widget's value into the selection, and into the address where that is due."""

    def callback() -> None:
        value = st.session_state[widget]
        _set(**{name: tuple(value) if isinstance(value, list) else value, "asked": False})
        if name == "ds":
            _set(case="", set="")
        if address:
            if card := choices.prepared(selection().ds):
                _settle(card)
            _write_address()

    return callback


def _took_option(widget: str, name: str) -> Callable[[], None]:
    def callback() -> None:
        _set(options={**selection().options, name: st.session_state[widget]})

    return callback


def _go(case: str) -> None:
    _set(case=case)
    _write_address()


def _reset() -> None:
    _set(part="all", tags=(), flagged=False)


def _seed(widget: str, value: Any) -> str:
    st.session_state[widget] = value
    return widget


# ---- widgets


def pick_dataset(names: Sequence[str]) -> str:
    """The selector of the dataset in the sidebar; the chosen name, or empty when there is none at all."""
    if not names:
        return ""
    if selection().ds not in names:
        first = choices.opening_dataset()
        _set(ds=first if first in names else names[0], case="")
    st.sidebar.selectbox(
        "Dataset",
        names,
        format_func=choices.title,
        key=_seed("w_dataset", selection().ds),
        on_change=_took("w_dataset", "ds", address=True),
    )
    if unknown := st.session_state.pop("unknown", []):
        st.caption(plain(f"Not found here and left out: {', '.join(unknown)}."))
    return selection().ds


def pick_networks(sets: Sequence[str]) -> None:
    """The selectors of the networks and, where there is a choice, of their training."""
    titles = choices.networks()
    with st.sidebar:
        st.pills(
            "Networks",
            list(titles),
            format_func=titles.__getitem__,
            selection_mode="multi",
            help="At least one; none means all.",
            key=_seed("w_networks", list(selection().m or titles)),
            on_change=_took("w_networks", "m", address=True),
        )
        if len(sets) > 1:
            st.selectbox(
                "Training",
                sets,
                format_func=lambda name: choices.set_title(name, selection().ds),
                key=_seed("w_set", selection().set if selection().set in sets else sets[0]),
                on_change=_took("w_set", "set", address=True),
            )


def pick_case() -> Choice | None:
    """The sidebar of a page about one case; None when nothing matches, which the page then says in words."""
    name = pick_dataset([card.name for card in cached.datasets()])
    card = choices.prepared(name)
    if card is None:
        return None
    found, order, sel = _settle(card), choices.disagreements(name), selection()
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
            key=_seed("w_case", entry.case),
            on_change=_took("w_case", "case", address=True),
        )
        if not order:
            st.caption(f"Not ordered by disagreement yet: `python -m core evaluate {name}`")
        _step(list(by_case), entry.case)
    pick_networks(list(choices.run_sets(name)))
    runs = choices.chosen_runs(selection(), name)
    with st.sidebar:
        took = _took("w_letters", "letters")
        st.toggle("Letter shortcuts: P, N", key=_seed("w_letters", sel.letters), on_change=took)
    return Choice(card, entry, choices.part_of(entry, card, runs), runs, order.get(entry.case))


def _pick_filter(card: DatasetCard) -> None:
    sel, known = selection(), choices.entries(card.name)
    if any(entry.parts for entry in known):
        key, took = _seed("w_part", sel.part), _took("w_part", "part")
        st.selectbox("Split part", list(PARTS), format_func=PARTS.__getitem__, key=key, on_change=took)
    tags = [tag for tag in TAGS if any(entry.tag == tag for entry in known)]
    if len(tags) > 1:
        st.pills(
            "Kind",
            tags,
            selection_mode="multi",
            key=_seed("w_tags", [tag for tag in sel.tags if tag in tags]),
            on_change=_took("w_tags", "tags"),
        )
    if any(entry.flags for entry in known):
        st.toggle(
            "Flagged only", key=_seed("w_flagged", sel.flagged), on_change=_took("w_flagged", "flagged")
        )


def _step(cases: list[str], case: str) -> None:
    at, letters = cases.index(case), selection().letters
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, step, key in (("Previous", -1, "P"), ("Next", 1, "N")):
            there = at + step
            st.button(
                label,
                key=f"b_{label.lower()}",
                disabled=not 0 <= there < len(cases),
                on_click=_go,
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


def _options(
    widget: Callable[..., Any], label: str, name: str, titles: Mapping[str, str], default: str, **more: Any
) -> list[str]:
    asked = selection().options.get(name) or ()
    asked = (asked,) if isinstance(asked, str) else asked
    chosen = [value for value in titles if value in asked] or [default]
    several = more.get("selection_mode") == "multi"
    key = _seed(f"w_{name}", chosen if several else chosen[0])
    took = _took_option(key, name)
    widget(label, list(titles), format_func=titles.__getitem__, key=key, on_change=took, **more)
    return chosen


def preset(label: str, values: Mapping[str, Any]) -> None:
    """A button that sets all options of the heatmaps page at once; no values: back to the defaults."""
    st.button(label, on_click=lambda: _set(options=dict(values)))
