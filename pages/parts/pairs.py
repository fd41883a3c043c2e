"""Case against case: two networks' scores on every case as a scatter, from which a click opens the case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.parts import case, figures_cases, pickers, tables, words
from pages.parts.figures_cases import Pair

GROUPINGS = {"tag": "Kind of lesion", "size": "Lesion size"}


def pairs_section(stored: Any, runs: Mapping[str, str], classes: Sequence[str], *, prepared: bool) -> None:
    """The choice of two networks, the scatter and what it shows in words; ``prepared``: a click opens Review."""
    if len(runs) < 2:
        st.info("Two networks are needed here: choose another one in the sidebar.")
        return
    titles = dict(runs)
    first, second, name, by = _choices(stored, titles, classes)
    if first == second:
        st.info("Choose two different networks.")
        return
    points = paired(stored, first, second, name, by)
    if not points:
        st.info(f"No case with a {name} is scored for both networks.")
        return
    chart = figures_cases.pairs(points, titles[first], titles[second], "Dice")
    left, right = st.columns([3, 2])
    with left:
        alt = f"{name.capitalize()} Dice: {titles[first]} against {titles[second]}, {len(points)} points"
        # The chart is the same before and after the click: one that changed would lose the click.
        event = st.plotly_chart(
            chart, key="pairs", on_select="rerun" if prepared else "ignore", selection_mode="points", alt=alt
        )
    with right:
        unit = "volumes" if stored.header["n_unit"] == "volumes" else "images"
        st.markdown(words.plain(summary(points, titles[first], titles[second], unit, name)))
        st.caption(
            f"Dice per case on the {stored.header['grid']} grid, rule {words.plain(stored.header['rule'])}. "
            f"A network that touched no pixel of the {name} is at 0: a missed lesion. Above the dashed line "
            f"{words.plain(titles[second])} is better. Single cases, no test: that is in the tab Scores."
        )
        if prepared:
            st.caption("A click on a point opens the case in Review.")
        else:
            st.caption("The images are not on this machine, so a point cannot be opened.")
    with st.expander("The same as a table"):
        found = as_table(points, titles[first], titles[second])
        st.dataframe(
            found, hide_index=True, alt="Dice of both networks on each case, largest difference first"
        )
    if prepared:
        opened(event, {point.case for point in points}, stored.dataset)


def _choices(stored: Any, titles: dict[str, str], classes: Sequence[str]) -> tuple[str, str, str, str]:
    runs = list(titles)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = pickers.pick_from("Horizontal", "pairs_first", titles, runs[0], width=200)
        second = pickers.pick_from("Vertical", "pairs_second", titles, runs[1], width=200)
        name = stored.header["endpoint"]["class"]
        if len(classes) > 1:
            named = {one: one.capitalize() for one in classes}
            name = pickers.pick_option("Class", "pairs_class", named, name)
        offered = {by: said for by, said in GROUPINGS.items() if any(row.get(by) for row in stored.scores)}
        by = next(iter(offered), "size")
        if len(offered) > 1:
            by = pickers.pick_option("Shape and colour", "pairs_by", offered, by)
    return first, second, name, by


def paired(stored: Any, first: str, second: str, name: str, by: str) -> list[Pair]:
    """The cases with a lesion that both columns have scored; ``by`` names the grouping, "tag" or "size"."""
    each = [tables.of_cases(stored, run, name) for run in (first, second)]
    return [
        Pair(found, row["dice"], each[1][found]["dice"], str(row.get(by) or "other"))
        for found, row in each[0].items()
        if found in each[1] and row["n_ref"] > 0
    ]


def summary(points: Sequence[Pair], first: str, second: str, unit: str, name: str) -> str:
    """What the scatter shows, counted."""
    higher = sum(point.first > point.second for point in points)
    lower = sum(point.first < point.second for point in points)
    missed = [
        sum(point.first == 0 and point.second > 0 for point in points),
        sum(point.second == 0 and point.first > 0 for point in points),
        sum(point.first == 0 and point.second == 0 for point in points),
    ]
    return (
        f"{len(points)} {unit} with a {name}. {first} is higher on {higher}, {second} on {lower}, equal on "
        f"{len(points) - higher - lower}. Dice 0: {first} alone on {missed[0]}, {second} alone on {missed[1]}, "
        f"both on {missed[2]}."
    )


def as_table(points: Sequence[Pair], first: str, second: str) -> pd.DataFrame:
    """One row per case, the largest difference first."""
    ordered = sorted(points, key=lambda point: -abs(point.first - point.second))
    return pd.DataFrame(
        [
            {
                "Case": point.case,
                "Group": point.group,
                first: words.number(point.first),
                second: words.number(point.second),
                "Difference": f"{point.first - point.second:+.3f}",
            }
            for point in ordered
        ]
    )


def opened(event: Any, known: set[str], dataset: str) -> None:
    """Go to Review with the case that was clicked; what a browser reports is checked against the cases shown."""
    for point in event.selection.points:
        for value in point.get("customdata") or ():
            if value in known:
                case.open_in_review(value, dataset)
