"""The session's state and the address: what is chosen, and by whom. The only reader and writer of both.

The truth is ``session_state["sel"]``. Widgets are seeded from it before they are made and write to it in
their callbacks. The address is read when it differs from what this session wrote last, and written only when
the reader changes something, so that each change is one step of the browser's Back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from core import SIZE
from pages.parts import cached, choices
from pages.parts.choices import Selection

NAMES = {"ds": "dataset", "case": "case", "set": "training"}
OPTIONS = (  # of the heatmaps page, and whether Review shows a row of heatmaps
    "along", "layer", "cam", "region", "class", "score", "rival", "of", "index", "at", "radius", "side",
    "scale", "sign", "colours", "only", "maps",
)  # fmt: skip
ADDRESS = ("ds", "case", "m", "set", *OPTIONS)  # what Python reads of the address
LESSON = ("lesson", "step")  # where the Teach page is: it stays when the case changes


def selection() -> Selection:
    """What is chosen in this session."""
    found: Selection = st.session_state.setdefault("sel", Selection())
    return found


def change(**changes: Any) -> None:
    """Choose something else. A place or region asked about belongs to its case and goes with it."""
    before = selection()
    after = replace(before, **changes)
    if before.case and after.case != before.case:
        kept = {name: value for name, value in after.options.items() if name not in ("at", "index")}
        after = replace(after, options=kept)
    st.session_state["sel"] = after


def address(case: str = "", ds: str = "") -> dict[str, Any]:
    """The selection as query parameters, in a fixed order; empty before anything is chosen.

    With ``case`` (and ``ds``): the address of that case with the same networks and options.
    """
    sel = selection()
    parts = {"ds": ds or sel.ds, "case": case or sel.case, "m": list(sel.m), "set": sel.set}
    parts |= {name: _listed(sel.options.get(name)) for name in OPTIONS}
    return {name: value for name, value in parts.items() if value} if parts["ds"] else {}


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) and value else list(value or ())


def _read_address() -> dict[str, tuple[str, ...]]:
    return {name: tuple(st.query_params.get_all(name))[:12] for name in ADDRESS if name in st.query_params}


def write_address(*, is_same_case: bool = False) -> None:
    """The selection into the address; of the same case the viewer's own part (slice, window) stays."""
    viewers = {name: st.query_params.get_all(name) for name in st.query_params if name not in ADDRESS}
    stays = viewers if is_same_case else {name: viewers[name] for name in LESSON if name in viewers}
    st.query_params.from_dict({**stays, **address()})
    st.session_state["address"] = _read_address()


def adopt_address() -> None:
    """Take over the address if it is not what this session wrote last. Nothing in it can raise.

    Values that do not exist here are left out, and a line on the page says so.
    """
    asked = _read_address()
    if not asked or asked == st.session_state.get("address"):
        return
    st.session_state["address"] = asked
    unknown: list[str] = []

    def known(name: str, is_there: Callable[[str], bool]) -> str:
        value = asked.get(name, ("",))[0]
        if value and not is_there(value):
            unknown.append(f"{NAMES[name]} {value[:40]}")
            return ""
        return value

    datasets = [card.name for card in cached.datasets()] + choices.evaluated()
    if ds := known("ds", lambda name: name in datasets):
        change(ds=ds, case="", m=(), set="")
    here = selection().ds or choices.opening_dataset()
    if "ds" not in asked or ds:
        if case := known("case", lambda name: any(entry.case == name for entry in choices.entries(here))):
            change(ds=here, case=case, asked=True)
        change(set=known("set", lambda name: choices.has_set(here, name)))
    others = {name: value for name, value in selection().options.items() if name not in OPTIONS}
    change(
        m=tuple(name for name in choices.networks() if name in asked.get("m", ())),
        options=others | {name: asked[name] for name in OPTIONS if name in asked},
    )
    unknown += [f"network {name[:40]}" for name in asked.get("m", ()) if name not in choices.networks()]
    st.session_state["unknown"] = unknown


def unknown() -> list[str]:
    """What an address asked for in vain; told once."""
    found: list[str] = st.session_state.pop("unknown", [])
    return found


def seed(widget: str, value: Any) -> str:
    """Give a widget its value before it is made; returns its key."""
    st.session_state[widget] = value
    return widget


def value_of(widget: str) -> Any:
    """What a widget holds, for its callback."""
    return st.session_state[widget]


# ---- options of the heatmaps page


def option(name: str) -> tuple[str, ...]:
    """What is chosen for an option, as it was given: to be checked by whoever uses it."""
    return tuple(str(value) for value in _listed(selection().options.get(name)))


def choose(**options: Any) -> None:
    """Set options, each a string or several, and put them into the address; an empty one is the default again."""
    change(options={**selection().options, **options})
    if not options.keys().isdisjoint(OPTIONS):
        write_address(is_same_case=True)


def took_option(widget: str, name: str) -> Callable[[], None]:
    """A callback that moves a widget's value into an option."""
    return lambda: choose(**{name: st.session_state[widget]})


def took_switch(widget: str, name: str) -> Callable[[], None]:
    """A callback that moves a switch into an option: "on", or nothing."""
    return lambda: choose(**{name: "on" if st.session_state[widget] else ""})


# ---- what a viewer reports


def reported(key: str) -> object:
    """What the viewer with this key reported last in this session, to be checked by ``viewer.settled``."""
    return getattr(st.session_state.get(key), "view", None)


def asked_slice() -> int | None:
    """The slice that the address names; the viewer keeps it there."""
    given = st.query_params.get("k", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 6 else None


def asked_first() -> str:
    """What the address wants above all else on a long page, by name; "" where it asks for nothing."""
    return str(st.query_params.get("first", ""))


def took_point(key: str, token: str) -> Callable[[], None]:
    """A callback for a click by which the reader asks about a place: it becomes the point asked about.

    Of another case than ``token``, or without a place in the picture, it is no question.
    """

    def callback() -> None:
        given = getattr(st.session_state.get(key), "target", None)
        if not isinstance(given, Mapping) or given.get("token") != token:
            return
        shares = [given.get(name) for name in ("y", "x")]
        if all(type(v) in (int, float) and math.isfinite(v) and 0 <= v < 1 for v in shares):
            choose(region="pixel", at=",".join(str(int(SIZE * share)) for share in shares))

    return callback
