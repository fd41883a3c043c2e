"""Which network is ahead, and how sure that is: a sentence, the share of each rank, spread over trainings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from pages.parts import choices, figures, words

Row = Mapping[str, Any]


def ranking_section(stored: Any, runs: Mapping[str, str]) -> None:
    """The sentence about the family of some columns, and beside it the ranks; nothing for a network alone."""
    order = order_of(stored, runs)
    if order is None:
        return
    left, right = st.columns([3, 2]) if order["share"] else (st.container(), None)
    with left.container(border=True):
        st.markdown(f"**Which network is ahead?** {words.plain(order['sentence'])}")
        if more := order.get("with_lesion_free"):  # stored since lesion-free cases are counted too
            st.markdown(words.plain(more))
        st.caption(words.plain(" ".join(cautions(stored, order))))
    if right is not None:
        titles, shares = choices.networks(), []
        for run, facts in stored.runs.items():
            if run in order["share"]:
                shares.append(
                    (facts["model"], titles.get(facts["model"], facts["model"]), order["share"][run])
                )
        right.plotly_chart(
            figures.ranks(shares, "Share of resamples with each rank"),
            alt="How often each network takes each rank when the groups are drawn again",
        )


def order_of(stored: Any, runs: Mapping[str, str]) -> Row | None:
    """The stored order of the family that these columns belong to."""
    families = {stored.runs[run]["family"] for run in runs}
    return next((row for row in stored.summary["ranks"] if row["family"] in families), None)


def cautions(stored: Any, order: Row) -> list[str]:
    """What must stand beside an order: both ways of ranking, how well it keeps, what was left out."""
    titles = choices.networks()
    winners = {
        way: titles.get(stored.runs[order[key]]["model"], order[key]) if order[key] else "no single network"
        for way, key in (("mean Dice", "mean_then_rank"), ("mean rank", "rank_then_mean"))
    }
    said = []
    if order["share"]:
        said.append("First by " + ", by ".join(f"{way}: {first}" for way, first in winners.items()) + ".")
    if order["share"] and order["note"]:
        said.append(words.sentence(order["note"]))
    if order["tau"] is not None:
        said.append(
            f"The order of the resamples agrees with this one by Kendall's tau {order['tau']:.2f}, 1 at most."
        )
    if order["left_out"]:
        said.append(f"{order['left_out']} {order['n_unit']} left out: not defined for every network.")
    if order["kind"]:
        said.append(words.sentence(order["kind"]))
    return said


def spread_rows(stored: Any, runs: Mapping[str, str]) -> pd.DataFrame:
    """How far the trainings of one network lie apart, over folds and over seeds separately."""
    rows = []
    for row in stored.summary["folds"]:
        if row["run"] in runs:
            rows.append(_spread(runs[row["run"]], f"{len(row['folds'])} folds", row))
    for row in stored.summary["seeds"]:
        own = [run for run in runs if run in row.get("runs", ())]  # not in results stored before
        if own:
            rows.append(_spread(runs[own[0]], f"{len(row['seeds'])} seeds", row))
    return pd.DataFrame(rows)


def _spread(title: str, over: str, row: Row) -> dict[str, str]:
    lost = len(row["values"]) - row["n"]
    return {
        "Network": title,
        "Over": over + (f", {lost} of them undefined" if lost else ""),
        "Mean Dice": words.number(row["mean"]),
        "Lowest": words.number(row["low"]),
        "Highest": words.number(row["high"]),
        "Standard deviation": words.number(row["sd"]),
        "n trainings": str(row["n"]),
    }


def spread_section(stored: Any, runs: Mapping[str, str]) -> None:
    """The table of ``spread_rows``; nothing where every network was trained once."""
    found = spread_rows(stored, runs)
    if found.empty:
        return
    st.markdown("**Spread over trainings**")
    st.table(
        found.set_index("Network"), alt="Spread of the mean Dice over folds and over seeds for each network"
    )
    st.caption(
        "Mean Dice of each training on its own test cases. Over folds the test cases change too; over seeds only "
        "the training does. Fewer than 3 seeds compare runs, not architectures."
    )
