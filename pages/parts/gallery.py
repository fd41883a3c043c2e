"""The worst cases as small pictures with the outlines on them, in an order to choose; each opens in Review."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core import CoreError, Run, SliceEntry, read_verdicts
from pages.parts import cached, cached_previews, case, choices, pickers, volume_tables, words, worst
from pages.parts.panels import WINDOWS
from pages.parts.worst import Listed

TILES, WIDE = 12, 216  # pictures at a time; width of each in pixels: four across, three on a small screen
LIVER_WINDOW = WINDOWS[2][1:]  # portal venous, as most of LiTS: width and level in HU
LINES = {"unet": "blue, solid", "multiresunet": "orange, dashed", "dcunet": "pink, dotted"}
Order = tuple[str, Callable[[], list[Listed]]]


def gallery(stored: Any, runs: Mapping[str, str], *, prepared: bool) -> None:
    """The order to choose, then the worst cases: pictures where they are on this machine, names in any case."""
    found, name = orders(stored, runs), stored.header["endpoint"]["class"]
    titles = {key: title for key, (title, _) in found.items()}
    chosen = pickers.pick_from("Order", "worst_by", titles, next(iter(titles)), width=360)
    listed = found[chosen][1]()
    if not listed:
        st.info(f"No case in this order: {EMPTY.get(chosen, 'nothing to list')}.")
        return
    shown = listed[:TILES]
    st.caption(_legend(stored, runs, name, len(shown), len(listed), prepared=prepared))
    entries = {entry.case: entry for entry in choices.entries(stored.dataset)} if prepared else {}
    lacking = False
    with st.container(horizontal=True, gap="small"):
        for one in shown:
            with st.container(width=WIDE, gap="xxsmall"):
                entry = entries.get(one.case)
                lacking |= entry is not None and _tile(stored, runs, entry, one, name)
                case.link(one.case, "", stored.dataset, prepared=entry is not None, index=one.index)
                st.caption(words.plain(one.said))
    if lacking:
        st.caption("Outlines that are not stored can be computed in Review, or all at once:")
        st.code(f"python -m core precompute {stored.dataset}", language="bash")
    with st.expander(f"All {len(listed)} cases in this order"):
        rows = [{"Case": one.case, "Why": one.said} for one in listed]
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Every case in the chosen order, worst first")


EMPTY = {
    "alarms": "no network draws on a case without a lesion",
    "disagreement": "it is stored for one training of the networks, and takes two of them",
}


def orders(stored: Any, runs: Mapping[str, str]) -> dict[str, Order]:
    """The orders that these results allow, by key: title, and the function that lists the cases."""
    name = stored.header["endpoint"]["class"]
    found: dict[str, Order] = {
        f"dice {run}": (f"Lowest {name} Dice: {title}", lambda run=run: worst.lowest_dice(stored, run, name))
        for run, title in runs.items()
    }
    found["disagreement"] = (
        "Largest disagreement of the networks",
        lambda: worst.disagreement(stored, runs, name),
    )
    found["alarms"] = ("False alarms", lambda: worst.false_alarms(stored, runs, name))
    if volume_tables.is_volumes(stored):
        for run, title in runs.items():
            found[f"volume {run}"] = (
                f"Largest error of {name} volume: {title}",
                lambda run=run: worst.largest_volume_error(stored, run, name),
            )
    if worst.flagged(stored, runs, name):
        found["flagged"] = ("Flagged data", lambda: worst.flagged(stored, runs, name))
    judged = worst.verdicts(stored, runs, cached.runs(), read_verdicts(stored.dataset))
    if judged:
        found["verdicts"] = ("Worst verdicts of readers", lambda: judged)
    return found


def _legend(stored: Any, runs: Mapping[str, str], name: str, shown: int, of: int, *, prepared: bool) -> str:
    said = f"The first {shown} of {of} cases."
    if not prepared:
        return f"{said} Their images are not on this machine: names only."
    lines = [f"{title} {LINES.get(stored.runs[run]['model'], 'green, solid')}" for run, title in runs.items()]
    said += " A name opens the case in Review, a picture does so in a new tab. "
    said += f"Outlines of the {name}: reference white, dashed; {'; '.join(lines)}."
    if volume_tables.is_volumes(stored):
        said += (
            " Of each volume the slice with most pixels that are wrong, or on which the networks differ, by the "
            "order; portal venous window, cut to what is marked."
        )
    return words.plain(said)


def _tile(stored: Any, runs: Mapping[str, str], entry: SliceEntry, one: Listed, name: str) -> bool:
    """The picture of a case, or words for what is not stored or unreadable; true if an outline is missing."""
    is_volume = volume_tables.is_volumes(stored)
    label, window = stored.header["classes"].index(name), LIVER_WINDOW if is_volume else None
    networks = _trained(stored, runs, one.case)
    index = one.index if is_volume and one.index is not None else entry.index
    try:
        png, missing = cached_previews.outlined(entry, index, [run for run, _ in networks], label, window)
    except CoreError as error:
        st.caption(f":material/broken_image: {words.plain(str(error))}")
        return False
    where = f", slice {index}" if is_volume else ""
    alt = f"{one.case}{where}: {one.said}; outlines of the {name}"
    there = case.web_address(one.case, stored.dataset, one.index)
    st.image(png, width="stretch", output_format="PNG", alt=alt, link=there)
    lacking = [title for run, title in networks if run.name in missing]
    if lacking:
        st.caption(f"Outline not stored: {words.plain(', '.join(lacking))}.")
    return bool(lacking)


def _trained(stored: Any, runs: Mapping[str, str], name: str) -> list[tuple[Run, str]]:
    """The networks that were scored on a case and are here with the same weights, each with its title."""
    known = {run.name: run for run in cached.runs() if not run.problem}
    weights = stored.header["weights"]
    scored = {row["run"] for row in stored.scores if row["case"] == name}
    return [
        (known[each], title)
        for run, title in runs.items()
        for each in stored.runs[run].get("trainings", [run])
        if each in scored and each in known and known[each].weights_sha256 == weights.get(each)
    ]
