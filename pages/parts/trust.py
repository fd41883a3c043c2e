"""Whether the heatmaps of each run deserve trust: what its certificate says, in sentences, pictures and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core import (
    BASELINES,
    FOCUS_NUMBERS,
    Certificate,
    CoreError,
    DataMissing,
    csv_text,
    list_methods,
    trust_sentences,
)
from pages.parts import cached, figures, pickers, words
from pages.parts.figures import Dot
from pages.parts.frame import explain

FAITHFUL = {  # numbers and what their axis says
    "deletion": "Deletion: lower is better",
    "insertion": "Insertion: higher is better",
    "road": "ROAD: higher is better",
}
CHECKED = "gradcam"  # deletion and insertion cost hundreds of passes per map: measured for this method alone
WHAT = (
    "A heatmap deserves trust when it depends on what the network learnt, stays put when the image hardly changes, "
    "and names places that the score depends on. Each check asks something else; none is a grade. Read them "
    "against what a map without any insight gets."
)
Row = Mapping[str, Any]
Column = tuple[str, str, Certificate]  # network, its title, what its checks gave


def trust_section(runs: Mapping[str, str], models: Mapping[str, str]) -> None:
    """The section of some runs (name -> title); ``models`` are their networks' names."""
    st.subheader("Can these maps be trusted?", anchor=False)
    st.markdown(WHAT)
    found = _certificates(runs, models)
    if not found:
        return
    head = found[0][2].header
    layers = {name: words.layer(name) for name in head["layers"]}
    methods = {name: list_methods()[name].title for name in head["methods"]}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = pickers.pick_option("Layer of the maps", "trust_layer", layers, next(iter(layers)))
        method = pickers.pick_option("Method of the maps", "trust_method", methods, CHECKED)
        name = head["class"]
        classes = list(dict.fromkeys(row["class"] for row in found[0][2].summary)) or [name]
        if len(classes) > 1:
            titles = {one: one.capitalize() for one in classes}
            name = pickers.pick_option("Class", "trust_class", titles, name)
    at = (name, layer, method)
    for _, title, certificate in found:
        said = trust_sentences(certificate, *at) or ["Nothing could be measured for this kind of map."]
        st.markdown(f"**{words.plain(title)}**\n" + "".join(f"\n- {words.plain(text)}" for text in said))
    if few := words.few(min((own.header for _, _, own in found), key=lambda one: one["n_groups"])):
        st.warning(words.plain(few), icon=":material/group:")
    _weights(found, at)
    _stability(found, at)
    _faithfulness(found, at)
    _files(found)


def _certificates(runs: Mapping[str, str], models: Mapping[str, str]) -> list[Column]:
    """The certificates of some runs; what is missing or refused is said on the page."""
    found: list[Column] = []
    missing: dict[str, str] = {}
    for run, title in runs.items():
        try:
            found.append((models.get(run, run), title, cached.certificate(run)))
        except DataMissing:
            missing[run] = title
        except CoreError as error:
            explain(error)
    if missing:
        st.info(f"Not checked yet: {words.plain(', '.join(missing.values()))}.", icon=":material/info:")
        st.code(f"python -m core certify {' '.join(missing)}", language="bash")
    return found


def _weights(found: Sequence[Column], at: tuple[str, str, str]) -> None:
    columns = []
    for model, title, certificate in found:
        depths = [
            (depth, row)
            for depth in certificate.header["depths"]
            if (row := certificate.find("random_similarity", *at, depth=depth)) and row["mean"] is not None
        ]
        pairs = certificate.find("pairs_similarity", *at)
        level = None if pairs is None else pairs["mean"]
        if depths:
            columns.append((model, title, [_dot(_depth(depth), row) for depth, row in depths], level))
    if not columns:
        return
    st.markdown(
        "**Random weights**: how alike the map stays while the weights are drawn anew, from the output backwards"
    )
    st.plotly_chart(
        figures.cascade(columns, "Structural similarity with the map of the trained network"),
        alt="Similarity of the map with that of random weights, by depth",
    )
    st.caption(
        "Grey line: how alike the maps of two different cases are. A curve that stays above it to the end belongs "
        "to a map that does not depend on what was learnt."
    )


def _depth(name: str) -> str:
    return {"logits": "Output", "all": "All"}.get(name, f"to {name.replace('_', ' ')}")


def _stability(found: Sequence[Column], at: tuple[str, str, str]) -> None:
    columns = []
    for model, title, certificate in found:
        numbers = {"stability": "All"} | {
            f"stability_{kind}": kind.capitalize() for kind in certificate.header["disturbances"]
        }
        rows = ((label, certificate.find(number, *at)) for number, label in numbers.items())
        if own := [_dot(label, row) for label, row in rows if row and row["mean"] is not None]:
            columns.append((model, title, own))
    if not columns:
        return
    st.markdown("**Stability**: how far the map changes when the image hardly does, by kind of disturbance")
    st.plotly_chart(
        figures.dots(columns, "Largest change, as a share of the map", "lower is better", zero=True),
        alt="Stability of the map under small disturbances",
    )


def _faithfulness(found: Sequence[Column], at: tuple[str, str, str]) -> None:
    st.markdown("**Removed pixels**: does the score depend on the places the map names?")
    if words.is_control(at[1]):
        st.caption("Not measured in the control layer: its map is the prediction by algebra.")
        return
    if at[2] != CHECKED:
        st.caption(
            f"Measured for {list_methods()[CHECKED].title} alone, as it costs hundreds of passes per map."
        )
    name, layer = at[:2]
    rows = {list_methods()[CHECKED].title: CHECKED} | {
        title: f"baseline {key}" for key, (title, _) in BASELINES.items()
    }
    for number, axis in FAITHFUL.items():
        columns = []
        for model, title, certificate in found:
            each = ((label, certificate.find(number, name, layer, method)) for label, method in rows.items())
            own = [
                _dot(label, row, muted=label not in (next(iter(rows)),))
                for label, row in each
                if row and row["mean"] is not None
            ]
            if own:
                columns.append((model, title, own))
        if columns:
            title = FOCUS_NUMBERS[number].title
            st.plotly_chart(
                figures.dots(columns, title, axis), alt=f"{title} of the map and of maps without insight"
            )
            st.caption(words.plain(FOCUS_NUMBERS[number].sentence))
    st.caption(
        "Grey: maps without insight. " + " · ".join(f"{title}: {text}" for title, text in BASELINES.values())
    )


def _dot(label: str, row: Row, *, muted: bool = False) -> Dot:
    low, high = (float("nan") if row[key] is None else row[key] for key in ("low", "high"))
    return Dot(label, row["mean"], low, high, muted)


def table(found: Sequence[Column]) -> pd.DataFrame:
    """Every mean of the certificates, networks side by side."""
    held: dict[tuple[str, ...], dict[str, str]] = {}
    for _, title, certificate in found:
        for row in certificate.summary:
            key = tuple(row[part] for part in ("class", "layer", "method", "number", "depth", "against"))
            held.setdefault(key, {})[title] = words.interval(row)
    names = ("Class", "Layer", "Map", "Number", "Depth", "Minus")
    return pd.DataFrame([dict(zip(names, key, strict=True)) | row for key, row in held.items()])


def _files(found: Sequence[Column]) -> None:
    with st.expander("All numbers of the checks"):
        st.dataframe(table(found), hide_index=True, alt="Means of all checks with intervals")
    with st.container(horizontal=True):
        for _, title, certificate in found:
            st.download_button(
                f"Checks of {title} (CSV)", lambda rows=certificate.rows: csv_text(rows),
                f"triptych_{certificate.run}_checks.csv", "text/csv", key=f"d_{certificate.run}",
                on_click="ignore", icon=":material/download:",
            )  # fmt: skip
    head = found[0][2].header
    cases = f"{head['n_cases']} test cases of {head['n_groups']} groups (group: {head['group']})"
    st.caption(
        words.plain(f"{cases}; intervals over groups. A network that draws nothing has no map in that case.")
    )
