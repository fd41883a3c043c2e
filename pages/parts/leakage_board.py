"""The scoreboard's Leakage tab of pictures: the same test images, unseen and with near-duplicates in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.parts import choices, figures, tables, words
from pages.parts.figures import Dot

Row = Mapping[str, Any]
WITH_TWIN = "with a near-duplicate in training"  # as the stored rows name these images


def pictures(stored: Any) -> None:
    """What a split of single images adds to the score of the same images, or how to measure it."""
    found = stored.summary["leakage"]
    paired = [row for row in found if row.get("paired")]
    if paired:
        same_images(stored, paired)
    elif found:
        st.table(unpaired_rows(stored, found), alt="Dice of each network under both splits")
        st.caption("Different test images: a difference of two figures, no paired comparison.")
    else:
        st.info(
            "No network was trained under both protocols yet: over folds that keep near-duplicates together, and "
            "on a split of single images."
        )
        if drawn := choices.drawn_split(stored.dataset):
            name = stored.dataset
            commands = (
                f"python -m core study {name} --seeds 1\n"
                f"python -m core train {name} unet multiresunet dcunet --split {drawn}\n"
                f"python -m core evaluate {name}"
            )
            st.code(commands, language="bash")
    st.caption("Such pairs are shown side by side in the lesson “What leakage does” on Teach.")


def warning(stored: Any, runs: Mapping[str, str]) -> None:
    """The line over the scores of a split that lets near-duplicates of test images into training; else nothing."""
    counts = {
        row["n"][0]
        for row in stored.summary["leakage"]
        if row.get("paired") and row["runs"][1] in runs and row["images"] == WITH_TWIN
    }
    if counts:
        st.warning(
            f"Single images dealt out at random: {max(counts)} of the test images with a lesion have a "
            "near-duplicate in training. These scores are not of unseen cases; the tab Leakage says what it adds.",
            icon=":material/warning:",
        )


def same_images(stored: Any, rows: Sequence[Row]) -> None:
    """The chart and the table of paired rows."""
    group = stored.header["group"]
    widths = {stored.runs[run]["width"] for row in rows for run in row["runs"]}
    drawn = sorted({row["splits"][1] for row in rows})
    st.markdown(
        f"The study deals out single images at random, as `{', '.join(drawn)}` does: images of one "
        f"{words.plain(group)} then stand in training and in test. Each test image of that split was also scored "
        "by a network trained in the same way that saw none of its near-duplicates. "
        f"Networks of width {' and '.join(map(str, sorted(widths)))}."
    )
    named = list(zip(networks(stored, rows), rows, strict=True))
    columns = [
        (own[0]["model"], name, [_dot(row) for row in own])
        for name in dict.fromkeys(name for name, _ in named)
        if (own := [row for other, row in named if other == name])
    ]
    st.plotly_chart(
        figures.dots(columns, "What it adds to the Dice of the same images", "Dice added", zero=True),
        alt="Dice added with 95 % intervals, by whether a near-duplicate was in training",
    )
    st.table(paired_rows(named), alt="Dice of the same images unseen and under the split of single images")
    st.caption(
        f"Images with a lesion; means and 95 % intervals over groups ({words.plain(group)}). Images without a "
        "near-duplicate in training are the control: what differs there is not memory but the other training set "
        "and chance. One training each, so this compares these trainings."
    )
    if settings := sorted({text for row in rows for text in row["settings"]}):
        st.caption(f"Not trained alike in every setting: {words.plain('; '.join(settings))}.")


def _dot(row: Row) -> Dot:
    low, high = (tables.or_nan(row[key]) for key in ("low", "high"))
    return Dot(row["images"], row["difference"], low, high)


def networks(stored: Any, rows: Sequence[Row]) -> list[str]:
    """The network of each row by its title; its width and seed too where rows differ in them."""
    titles = choices.networks()
    own = [stored.runs[row["runs"][1]] for row in rows]
    apart = [key for key in ("width", "seed") if len({run[key] for run in own}) > 1]
    return [
        ", ".join([titles.get(run["model"], run["model"]), *(f"{key} {run[key]}" for key in apart)])
        for run in own
    ]


def paired_rows(named: Sequence[tuple[str, Row]]) -> pd.DataFrame:
    """A line per network and kind of test image."""
    made = []
    for name, row in named:
        unseen, drawn = (words.number(value) for value in row["values"])
        made.append(
            {
                "Network": name,
                "Test images": row["images"],
                "Unseen": unseen,
                "Single images dealt out": drawn,
                "Difference": tables.difference(row["difference"]),
                "95 % interval": tables.signed_interval(row),
                "n": f"{row['n'][0]} images, {row['n_groups']} groups",
                "Note": row["note"],
            }
        )
    return pd.DataFrame(made).set_index("Network")


def unpaired_rows(stored: Any, rows: Sequence[Row]) -> pd.DataFrame:
    """A line per network: its own test part under either split."""
    made = [
        {
            "Network": name,
            "Class": row["class"],
            **{
                title: f"{words.number(value)} (n = {n})"
                for title, value, n in zip(
                    ("Unseen groups", "Drawn at random"), row["values"], row["n"], strict=True
                )
            },
            "Difference": tables.difference(row["difference"]),
        }
        for name, row in zip(networks(stored, rows), rows, strict=True)
    ]
    return pd.DataFrame(made).set_index("Network")
