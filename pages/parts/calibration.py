"""Calibration on screen: what the networks' probabilities are worth, as curves with counts and as means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from pages.parts import figures, words

Row = Mapping[str, Any]
WHAT = (
    "Where a network says 0.9, nine pixels in ten should be of the class. On the dashed line they are; below it "
    "the network is too sure, above it too careful."
)
WHY_A_REGION = (
    "Counted inside a region alone, as over a whole image the many right zeros of the background hide every error. "
    "The region holds all of the reference, so pixels of missed lesions lift the left end of a curve."
)


def calibration_section(stored: Any, runs: Mapping[str, str]) -> None:
    """The tab of some columns (name -> title): per class the curve, the counts, and the table."""
    found = stored.summary["calibration"]
    st.markdown(WHAT)
    for name in stored.header["classes"][1:]:
        curves = {row["run"]: row for row in found["curves"] if row["run"] in runs and row["class"] == name}
        st.markdown(f"**{name.capitalize()}**" + (", with the tumours in it" if name == "liver" else ""))
        drawn = [(row["model"], runs[run], row["points"]) for run, row in curves.items() if row["pixels"]]
        left, right = st.columns([3, 2])
        if drawn:
            chart = figures.reliability(drawn, f"{name.capitalize()}: reliability, pixels per bin below it")
            left.plotly_chart(chart, alt=f"Reliability curve of {name} for each network, with bin counts")
        else:
            left.info(f"Nothing to draw: no case has any {name}, in reference or prediction.")
        said = "".join(f"\n- {words.plain(pooled(row, runs[run]))}" for run, row in curves.items())
        right.markdown(f"The drawn curve is pooled over cases:\n{said}")
        right.caption(f"{WHY_A_REGION} The lower chart has a logarithmic scale.")
        st.dataframe(
            table(found, runs, name),
            column_config={
                one["title"]: st.column_config.TextColumn(one["title"], help=one["definition"])
                for one in found["metrics"].values()
            },
            alt=f"Calibration of {name} for each network",
        )
    st.caption(words.plain(carried(found)))


def pooled(row: Row, title: str) -> str:
    """What one curve is made of."""
    if not row["pixels"]:
        return f"{title}: {words.UNDEFINED}, no case with a region"
    return f"{title}: {words.pixels(row['pixels'])} of {row['n']} {row['n_unit']}"


def table(found: Row, runs: Mapping[str, str], name: str) -> pd.DataFrame:
    """One row per network: every number with its interval, n, and how many cases have no region."""
    rows: dict[str, dict[str, str]] = {}
    beside: dict[str, dict[str, str]] = {}
    for row in found["intervals"]:
        if row["run"] in runs and row["class"] == name:
            title = runs[row["run"]]
            rows.setdefault(title, {})[found["metrics"][row["metric"]]["title"]] = _said(row)
            cases = f"{row['cases']} of {row['cases'] + row['undefined']}"
            beside[title] = {f"n {row['n_unit']}": str(row["n"]), "Cases with a region": cases}
            beside[title] |= {"Note": row["note"]} if row["note"] else {}
    return pd.DataFrame({title: own | beside[title] for title, own in rows.items()}).T.fillna("")


def _said(row: Row) -> str:
    if row["value"] is None:
        return f"{words.UNDEFINED}: {row.get('why', row['note'])}"
    limits = "" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]"
    return words.number(row["value"]) + limits


def carried(found: Row) -> str:
    """What every number of the tab carries: region, grid, rule, interval, and when columns cannot be compared."""
    units = {row["n_unit"] for row in found["intervals"]}
    said = [
        f"Region: {found['region']}; grid: {found['grid']}; {found['bins']} bins.",
        f"Probability: {found['probability']}.",
        f"Means over {' and '.join(units)} with 95 % BCa bootstrap intervals; lower is better.",
        f"Rule {found['rule']}: {found['rule_text'].split(';')[0]}.",
        "So a case without the class counts for the network that draws on it and not for one that leaves it clean: "
        "where n differs, the cases do too.",
        "A heading explains itself when the pointer rests on it.",
    ]
    return " ".join(said)
