"""All caching of the dashboard.

What is kept: listings for a few seconds, pictures by content. What is computed (predictions, heatmaps) core
keeps on disk, and its engine holds the one lock round the networks. Arrays are read-only, so one copy serves
all sessions.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core import (
    CoreError,
    DataRefused,
    DatasetCard,
    Heatmap,
    Prediction,
    Run,
    RunRefused,
    Slice,
    SliceEntry,
    Target,
    heatmap,
    list_datasets,
    list_runs,
    list_slices,
    predict,
    read_card,
    read_card_json,
    read_history,
    read_results,
    read_slice,
    read_split,
    stored_heatmap,
    stored_prediction,
)

FRESH = 5  # seconds a listing may be old: a command typed in a terminal shows up soon


@st.cache_resource(show_spinner=False)
def settle() -> bool:
    """Tell the garbage collector, once, that all modules stay.

    Streamlit collects after every rerun: 94 ms of CPU before this, 10 ms after.
    """
    gc.collect()
    gc.freeze()
    return True


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=1)
def datasets() -> tuple[DatasetCard, ...]:
    """Cards of the datasets that are prepared on this machine."""
    return tuple(read_card(name) for name in list_datasets())


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=1)
def runs() -> tuple[Run, ...]:
    """Every trained network, in the order of core's listing; broken ones have a ``problem``."""
    return tuple(list_runs())


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=8)
def slices(dataset: str) -> tuple[SliceEntry, ...]:
    """The index of one dataset."""
    return list_slices(dataset)


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=8)
def card_json(dataset: str) -> dict[str, Any]:
    """The prepared dataset's own description: counts, checksums, flags."""
    return read_card_json(dataset)


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=16)
def split(dataset: str, name: str) -> Any:
    """One split of a dataset."""
    return read_split(dataset, name)


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=8)
def results(dataset: str) -> Any:
    """Stored scores of a dataset, or None when there are none that can be read."""
    try:
        return read_results(dataset)
    except CoreError:
        return None


def has_results(dataset: str) -> bool:
    """Whether scores are stored, readable or not: damaged ones are to be said, not hidden."""
    return results(dataset) is not None or bool(results_problem(dataset))


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=8)
def results_problem(dataset: str) -> str:
    """Why stored scores cannot be read; empty when they can or when there are none."""
    try:
        read_results(dataset)
    except DataRefused as error:
        return str(error)
    except CoreError:
        return ""
    return ""


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=16)
def history(run: str) -> list[dict[str, float]]:
    """One row per epoch of a training; empty when none was kept."""
    try:
        return read_history(run)
    except CoreError:
        return []


@st.cache_resource(show_spinner=False, max_entries=64)
def _slice(dataset: str, case: str, index: int, content: str) -> Slice:
    return read_slice(dataset, case, index)


def one_slice(entry: SliceEntry) -> Slice:
    """The slice of an index entry; the dataset's checksum is part of the key, so a new one is read anew."""
    return _slice(entry.dataset, entry.case, entry.index, str(card_json(entry.dataset).get("sha256", "")))


@st.cache_resource(show_spinner=False)
def _refusals() -> dict[tuple[str, str], str]:
    return {}


def refusal(run: Run) -> str:
    """Why a network could not be loaded when it was last tried on this server; empty if it could."""
    return _refusals().get((run.name, run.weights_sha256), "")


def prediction(run: Run, one: Slice) -> Prediction | None:
    """The stored prediction, or None; never loads a network."""
    return stored_prediction(run.name, one)


def stored_map(run: Run, one: Slice, method: str, layer: str, target: Target) -> Heatmap | None:
    """The stored heatmap, or None; never loads a network."""
    return stored_heatmap(run.name, one, method, layer, target)


def compute(
    runs_wanted: Sequence[Run],
    one: Slice,
    report: Callable[[str], None],
    question: tuple[str, str, Sequence[Target]] | None = None,
) -> list[str]:
    """Compute and store what is missing: predictions, and for a question (method, layer, targets) heatmaps.

    Returns a sentence for each network that failed: one that cannot be loaded does not stop the others.
    """
    failed = []
    method, layer, targets = question or ("", "", ())
    for run in runs_wanted:
        key = (run.name, run.weights_sha256)
        try:
            report(f"{run.name}: prediction")
            found = predict(run.name, one)
            for target in targets:
                report(f"{run.name}: evidence for the {target.region.replace('_', ' ')}")
                heatmap(run.name, one, found, method, layer, target)
            _refusals().pop(key, None)
        except CoreError as error:
            if isinstance(error, RunRefused):
                _refusals()[key] = str(error)
            failed.append(f"{run.name}: {error}")
    return failed
