"""The scoreboard of CT volumes: overlap, mm and ml, lesions, the paper's Table 3, and a split by slices."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.parts import checks, choices, figures, ranking, subgroups, tables, volume_tables, words
from pages.parts.volume_tables import Columns

TABS = (
    "Scores",
    "Surfaces and volumes",
    "Lesions",
    "Calibration",
    "As published",
    "Leakage",
    "Learning curves",
    "Every volume",
    "Case against case",
    "Worst cases",
    "Download",
)
COPIED = "the reference outline of the nearest training slice of the same volume, copied"


def warn_of_few(stored: Any, run: str) -> None:
    """The line that stands over every table of few patients."""
    if few := stored.runs[run].get("few"):
        st.warning(words.plain(few), icon=":material/group:")


def numbers(stored: Any, runs: dict[str, str], name: str, columns: Columns, what: str) -> None:
    """One table with a definition on every column's heading."""
    config = {
        column: st.column_config.TextColumn(column, help=definition)
        for column, (_, _, definition) in columns.items()
    }
    found = volume_tables.table(stored, runs, name, columns)
    st.dataframe(found, column_config=config, alt=f"{what} of {name} for each network")


def scores(stored: Any, runs: dict[str, str]) -> None:
    """Which network is ahead; overlap by class, false alarms, intervals over patients, paired differences."""
    ranking.ranking_section(stored, runs)
    for name in stored.header["classes"][1:]:
        st.markdown(f"**{name.capitalize()}**" + (", with the tumours in it" if name == "liver" else ""))
        numbers(stored, runs, name, volume_tables.OVERLAP, "Overlap")
        found = volume_tables.false_alarms(stored, runs, name)
        if name == stored.header["endpoint"]["class"]:
            st.dataframe(found, alt=f"Volumes without {name} and volumes in which it was missed")
    st.caption(
        f"Rule for empty masks: {stored.header['rule']}, "
        "mean over the volumes that have the class; a missed one counts 0. "
        f"Slices: {words.plain(stored.header['slices'])}. A heading explains itself when the pointer rests on it."
    )
    checks.stored_section(stored, runs, stored.header["classes"][1:])
    st.subheader("How sure are these means?", anchor=False)
    for name in stored.header["classes"][1:]:
        own = [row for row in stored.summary["intervals"] if row["run"] in runs and row["class"] == name]
        dice = [row for row in own if row["metric"] == "dice"]
        drawn = [
            (r["model"], runs[r["run"]], *map(tables.or_nan, (r["value"], r["low"], r["high"]))) for r in dice
        ]
        chart = figures.intervals(drawn, f"{name.capitalize()} Dice", "patients")
        st.plotly_chart(chart, alt=f"Mean {name} Dice over patients of each network")
        with st.expander(f"All means over patients: {name}"):
            found = tables.interval_rows(stored, runs, name)
            st.dataframe(found, hide_index=True, alt=f"Means over patients of {name}, with intervals")
    compared = tables.comparison_rows(stored, runs)
    if not compared.empty:
        what = stored.header["endpoint"]["class"]
        st.markdown(f"**Paired differences of {what} Dice**")
        st.table(compared.set_index("Comparison"), alt=f"Paired differences of {what} Dice between networks")
        st.caption(
            "Unit: the patient, never the volume or the slice. No interval below 5 patients, no p where it could "
            f"not fall below 0.05. {tables.comparison_caution(stored, runs)}"
        )
    ranking.spread_section(stored, runs)


def surfaces_and_volumes(stored: Any, runs: dict[str, str]) -> None:
    """Distances in mm, volume errors in ml, and the tumour burden."""
    for name in stored.header["classes"][1:]:
        st.markdown(f"**{name.capitalize()}**")
        numbers(stored, runs, name, volume_tables.SURFACE, "Surface distances")
        numbers(stored, runs, name, volume_tables.VOLUME, "Volume errors")
    st.markdown("**Tumour burden**: tumour in percent of the liver that holds it")
    numbers(stored, runs, stored.header["endpoint"]["class"], volume_tables.BURDEN, "Tumour burden errors")
    st.caption(
        "Means over volumes on the grid of the scan. Distances: mean over the volumes where both have the class, "
        "then on how many nothing was drawn (empty), which has no distance. "
        f"Method: {words.plain(stored.header['distances'])}. pp: percentage points."
    )


def lesions(stored: Any, runs: dict[str, str]) -> None:
    """Lesions found and invented."""
    numbers(stored, runs, stored.header["endpoint"]["class"], volume_tables.LESIONS, "Lesions")
    st.caption(f"{volume_tables.LESION_RULE} n: lesions, or volumes for false lesions.")
    st.markdown("**Found by size** (exploratory): diameter of the sphere of the same volume")
    st.dataframe(volume_tables.lesion_sizes(stored, runs), alt="Lesions found by size for each network")


def as_published(stored: Any, runs: dict[str, str]) -> None:
    """The study's Table 3 in its own block, and our figures under its convention beside it."""
    paper = stored.summary["paper"]
    left, right = st.columns(2)
    with left.container(border=True):
        st.markdown(f":gray[**As published: {paper['title']}**]")
        st.table(tables.published(paper), alt="The paper's Table 3, digits as printed")
        st.caption(paper["wording"])
        checks.published_section(paper)
    with right.container(border=True):
        st.markdown(f"**Our networks under `{paper['convention']}`**")
        st.table(tables.ours(stored, runs, "all"), alt="Our figures under the paper's convention")
        about = stored.runs[next(iter(runs))]
        counted = tables.records(stored, next(iter(runs)), paper["convention"], "all")
        n = next(iter(counted.values()))["n"] if counted else 0
        st.caption(
            f"128 × 128 grid, {n} test slices with liver of {words.plain(about['split'] or 'an external set')}; "
            "all pixels and all three channels, background included."
        )
        if not about["by_slice"]:
            st.caption(
                "The paper tests on random slices: choose the training on the split by slices to compare."
            )
        if paper["note"]:
            st.warning(words.plain(paper["note"]), icon=":material/warning:")
        checks.convention_section(stored, runs, "all")
    said = f"{paper['misfit']} {paper['network_note']} Entropy: {paper['entropy_wording']} {paper['split_wording']}"
    st.caption(words.plain(said))


def leakage(stored: Any) -> None:
    """The same network under both protocols: the number that a split by slices hides."""
    copied = stored.summary["copy_nearest"]
    for split, found in copied.items():
        first, second = (words.number(found.get(name)) for name in ("liver", "tumour"))
        st.markdown(
            f"Without any network: {COPIED}, scores pooled Dice **liver {first}, tumour {second}** on the "
            f"test slices of `{split}`. On unseen patients there is nothing to copy: n/a."
        )
    table = volume_tables.leakage(stored)
    if table.empty:
        st.info(
            "No network was trained under both protocols yet: by patient and by slice. "
            f"`python -m core train {stored.dataset} unet --split {choices.drawn_split(stored.dataset)}`"
        )
        return
    help_ = {
        "Unseen patients": "trained and tested by patient: no slice of a test patient was in training",
        "Random slices": "trained and tested on random slices: neighbours of a test slice were in training",
        "Difference": "what testing on slices of known patients adds; different test slices, no paired comparison",
        "Copied outline, no network": COPIED,
    }
    config = {column: st.column_config.TextColumn(column, help=text) for column, text in help_.items()}
    st.dataframe(table, hide_index=True, column_config=config, alt="Each network by patient and by slice")
    st.caption(
        "Pooled Dice over the test slices that have liver, on the 128 × 128 grid. n counts slices, which are not "
        "independent: no interval and no test. Read a score from random slices as one of known patients."
    )
    checks.leakage_section(stored)
    same_slices(stored)
    settings = {text for row in stored.summary["leakage"] for text in row["settings"]}
    if settings:
        st.caption(
            "Not trained alike in every setting, which may be part of the difference (unseen patients, random "
            f"slices): {words.plain('; '.join(sorted(settings)))}."
        )


def same_slices(stored: Any) -> None:
    """The two protocols on the very same slices: what the first table cannot tell apart."""
    table = volume_tables.same_slices(stored)
    if table.empty:
        return
    st.markdown(
        "**The same slices, by a network that saw nothing of their patient and by one that saw other slices of it**"
    )
    st.table(table.set_index("Network"), alt="Dice of the same slices under both protocols")
    st.caption(
        "Test slices of both splits, on the scan's own grid; Dice pooled within a volume, then averaged over "
        "volumes and patients. “Of single volumes” are the lowest and the highest difference of a volume, no "
        "interval: volumes of one patient say nothing about other patients. An interval needs five patients."
    )


def every_volume(stored: Any, runs: dict[str, str]) -> None:
    """Each volume of each network, and the subgroups."""
    found = volume_tables.every_volume(stored, runs, choices.networks())
    st.dataframe(found, hide_index=True, alt="Scores of every volume and network, lowest tumour Dice first")
    st.caption("Best at 128: the Dice that the reference itself keeps through a 128 × 128 mask.")
    subgroups.subgroup_panel(stored, runs, stored.header["endpoint"]["class"])


def only_slices(stored: Any, runs: dict[str, str]) -> None:
    """What may be said of a split by slices: pooled figures under their own heading, and nothing per patient."""
    st.warning(
        "Slices, not independent. These networks were tested on random slices of volumes whose other slices they "
        "were trained on. There are no volumes to score, so no distances, lesions, intervals or tests, and no "
        "comparison with results on unseen patients but in the tab Leakage.",
        icon=":material/warning:",
    )
    columns = {"Dice global": volume_tables.OVERLAP["Dice global"]}
    for name in stored.header["classes"][1:]:
        st.markdown(f"**{name.capitalize()}**")
        numbers(stored, runs, name, columns, "Pooled overlap on slices")
    checks.stored_section(stored, runs, stored.header["classes"][1:])
