"""Everything on the scoreboard as files: CSV of cases, JSON of tables with their checks, LaTeX for a manuscript."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from core import NOTICE, csv_text, latex_table
from pages.parts import checks, tables, volume_tables


def download(stored: Any, runs: Mapping[str, str]) -> None:
    """The buttons; a file is made when its button is pressed."""
    with st.container(horizontal=True):
        st.download_button(
            "Scores per case (CSV)", lambda: scores_csv(stored), f"triptych_{stored.dataset}_scores.csv",
            "text/csv", on_click="ignore", icon=":material/download:",
        )  # fmt: skip
        st.download_button(
            "Tables, definitions and hashes (JSON)", lambda: summary_json(stored),
            f"triptych_{stored.dataset}_tables.json", "application/json", on_click="ignore",
            icon=":material/download:",
        )  # fmt: skip
        if any(row["run"] in runs for row in stored.summary["intervals"]):
            st.download_button(
                "Means and intervals (LaTeX)", lambda: scores_latex(stored, runs),
                f"triptych_{stored.dataset}_scores.tex", "application/x-tex", on_click="ignore",
                icon=":material/download:",
            )  # fmt: skip
    st.caption(
        f"CSV: a row per run, case and class. The others carry rule, grid, n, split and weights hashes. {NOTICE}"
    )


def scores_csv(stored: Any) -> str:
    """All scores per run, case and class; text cells that a spreadsheet could run are made harmless."""
    return csv_text([{k: v for k, v in row.items() if k != "why"} for row in stored.scores])


def summary_json(stored: Any) -> str:
    """Everything else: header with rules, hashes and versions, records, intervals, tests, and the table lint."""
    found = {"notice": NOTICE, "checks": checks.as_json(stored), **stored.summary}
    return json.dumps(found, indent=1, ensure_ascii=False)


def scores_latex(stored: Any, runs: Mapping[str, str]) -> str:
    """Network x class x metric with mean, 95 % interval and n, as on screen, and all that the numbers carry."""
    unit = "patients" if stored.header["n_unit"] == "volumes" else "groups"
    header = ["Network", "Class", "Metric", f"Mean over {unit}", "95 % interval", f"n {unit}"]
    rows = []
    for run, title in runs.items():
        for name in stored.header["classes"][1:]:
            found = tables.interval_rows(stored, {run: title}, name)
            for row in found.to_dict("records"):
                rows.append([title, name, *(str(row[column]) for column in header[2:])])
    return latex_table(header, rows, caption(stored, runs), f"tab:{stored.dataset}-scores")


def caption(stored: Any, runs: Mapping[str, str]) -> str:
    """What the numbers of the table carry: rule, threshold, grid, n, split and weights hashes, and the notice."""
    head, about = stored.header, stored.runs[next(iter(runs))]
    is_volumes = volume_tables.is_volumes(stored)
    kind, unit = ("volumes", "patients") if is_volumes else ("images", "groups")
    groups = about["n_patients"] if is_volumes else about["n_groups"]
    split = about["split_sha256"] if "trainings" in about else about["split_sha256"][:8]
    said = [
        f"{head['title']}: means over {unit} ({head['group']}) with 95 % bootstrap intervals (BCa).",
        f"Rule {head['rule']}: {head['rule_text']}. Threshold {head['threshold']}, {head['grid']} grid.",
        f"n = {about['n_images']} {kind}, {about['n_with_lesion']} with a lesion, {groups} {unit};",
        f"{about['part']} part, split {split or 'none'}.",
        "Distances are over the cases where both outlines exist.",
        f"Method: {head['distances']}.",
    ]
    weights = [f"{title} {stored.runs[run]['weights_sha256'][:8]}" for run, title in runs.items()]
    return " ".join([*said, f"Weights: {', '.join(weights)}.", NOTICE])
