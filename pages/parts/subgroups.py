"""The subgroup panel: Dice by kind and size of the lesion, as means with intervals; exploratory, without tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from pages.parts import figures, tables, words
from pages.parts.figures import Dot

ORDER = ("benign", "malignant", "normal", "small", "medium", "large")


def subgroup_panel(stored: Any, runs: Mapping[str, str], name: str) -> None:
    """Picture, table and what they are; nothing where there is no subgroup."""
    columns = dots(stored, runs, name)
    if not columns:
        return
    st.markdown(f"**{name.capitalize()} Dice by subgroup** · exploratory, no tests")
    unit = "patients" if stored.header["n_unit"] == "volumes" else "groups"
    chart = figures.dots(columns, f"Mean over {unit}, 95 % interval", "Dice")
    chart.update_xaxes(range=[0, 1])
    st.plotly_chart(chart, alt=f"Mean {name} Dice of each network by kind and size of lesion, with intervals")
    table = as_table(stored, runs, name)
    st.dataframe(table, hide_index=True, height="content", alt=f"{name.capitalize()} Dice by subgroup")
    st.caption(words.plain(_caption(stored, name, unit)))


def _rows(stored: Any, runs: Mapping[str, str], name: str) -> list[Mapping[str, Any]]:
    """The stored subgroups of a class: by network, then kind, then size from small to large."""
    own = [row for row in stored.summary["subgroups"] if row["run"] in runs and row["class"] == name]
    order, columns = {level: place for place, level in enumerate(ORDER)}, list(runs)
    return sorted(own, key=lambda row: (columns.index(row["run"]), order.get(row["level"], len(ORDER))))


def as_table(stored: Any, runs: Mapping[str, str], name: str) -> pd.DataFrame:
    """Mean Dice with its interval and n, one row per network and subgroup."""
    rows = []
    for row in _rows(stored, runs, name):
        known = row["low"] is not None
        rows.append(
            {
                "Network": runs[row["run"]],
                "Group": f"{row['level']} lesions",
                "Mean Dice": words.number(tables.or_nan(row["value"])),
                "95 % interval": f"{row['low']:.3f} to {row['high']:.3f}" if known else "no interval",
                f"n {row['n_unit']}": str(row["n"]),
                "Cases": str(row["cases"]),
                "Note": row["note"],
            }
        )
    return pd.DataFrame(rows)


def dots(stored: Any, runs: Mapping[str, str], name: str) -> list[tuple[str, str, list[Dot]]]:
    """Columns for ``figures.dots``, one per network; a row is a subgroup with its n, one row for all networks."""
    rows = _rows(stored, runs, name)
    sizes: dict[str, dict[int, None]] = {}
    for row in rows:
        sizes.setdefault(row["level"], {})[row["n"]] = None
    found = {}
    for row in rows:
        if row["value"] is not None:
            ends = (tables.or_nan(row[key]) for key in ("value", "low", "high"))
            label = f"{row['level']}, n = {' or '.join(map(str, sizes[row['level']]))}"
            found.setdefault(row["run"], []).append(Dot(label, *ends))
    return [(stored.runs[run]["model"], runs[run], each) for run, each in found.items()]


def _caption(stored: Any, name: str, unit: str) -> str:
    """What the subgroups are, where they are cut, and what they cannot show."""
    head = stored.header
    key, what = (
        ("size_cuts_ml", f"ml of {name}")
        if "size_cuts_ml" in head
        else ("size_cuts_percent", "percent of the image")
    )
    cuts = [words.number(cut, 1) for cut in head.get(key, ())]
    said = f"n: {unit} with a {name}; cases without one have no Dice and are counted as false alarms. "
    if len(cuts) == 2:
        said += f"Size: terciles of all references of the set, cut at {cuts[0]} and {cuts[1]} {what}. "
    return (
        said + "No interval below n = 5. Subgroups were not planned to be tested: differences may be chance."
    )
