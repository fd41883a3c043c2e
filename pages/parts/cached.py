"""All caching of the dashboard.

What is kept: listings for a few seconds, pictures by content. What is computed (predictions, heatmaps) core
keeps on disk, and its engine holds the one lock round the networks. Arrays are read-only, so one copy serves
all sessions.
"""

from __future__ import annotations

import gc
import gzip
from hashlib import sha256
from typing import Any

import numpy as np
import streamlit as st

from core import (
    Certificate,
    Claim,
    CoreError,
    DataRefused,
    DatasetCard,
    Heatmap,
    Prediction,
    Run,
    Slice,
    SliceEntry,
    Target,
    Volume,
    baseline_numbers,
    heatmap_numbers,
    list_datasets,
    list_runs,
    list_slices,
    read_card,
    read_card_json,
    read_certificate,
    read_claim,
    read_history,
    read_results,
    read_slice,
    read_split,
    read_volume,
    stored_heatmap,
    stored_prediction,
    volume_grid,
)
from pages.parts import stacks
from pages.parts.stacks import Answer, Drawn

FRESH = 5  # seconds a listing may be old: a command typed in a terminal shows up soon


@st.cache_resource(show_spinner=False)
def settle() -> bool:
    """Tell the garbage collector, once, that all modules stay.

    Streamlit collects after every rerun: 94 ms of CPU before this, 10 ms after.
    """
    gc.collect()
    gc.freeze()
    return True


@st.cache_resource(show_spinner=False, max_entries=128)
def compressed(name: str, _content: bytes) -> bytes:
    """gzip of bytes, without its time stamp; ``name`` is their checksum, so equal content is packed once."""
    return gzip.compress(_content, 6, mtime=0)


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=1)
def datasets() -> tuple[DatasetCard, ...]:
    """Cards of the datasets that are prepared on this machine."""
    return tuple(read_card(name) for name in list_datasets())


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=1)
def trainings() -> tuple[Run, ...]:
    """Every training, in the order of core's listing, also those of which only the scores are kept."""
    return list_runs(scores_only=True)


def runs() -> tuple[Run, ...]:
    """Every trained network that has weights; broken ones have a ``problem``."""
    return tuple(run for run in trainings() if not run.is_scores_only)


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=8)
def slices(dataset: str) -> tuple[SliceEntry, ...]:
    """The index of one dataset."""
    return list_slices(dataset)


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=8)
def volumes(dataset: str) -> tuple[SliceEntry, ...]:
    """The index of a dataset of volumes with one entry per volume, see ``stacks.merged``."""
    by_case: dict[str, list[SliceEntry]] = {}
    for entry in slices(dataset):
        by_case.setdefault(entry.case, []).append(entry)
    return tuple(stacks.merged(found) for found in by_case.values())


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


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=8)
def claim(dataset: str) -> Claim:
    """The stored answer to the study's claim; errors as of ``read_claim``."""
    return read_claim(dataset)


@st.cache_resource(show_spinner=False, ttl=FRESH, max_entries=16)
def certificate(run: str) -> Certificate:
    """The stored checks of a run's heatmaps; errors as of ``read_certificate``."""
    return read_certificate(run)


@st.cache_resource(show_spinner=False, max_entries=64)
def _slice(dataset: str, case: str, index: int, content: str) -> Slice:
    return read_slice(dataset, case, index)


def slice_of(entry: SliceEntry, index: int) -> Slice:
    """One slice of a volume by its number in the whole volume."""
    return _slice(entry.dataset, entry.case, index, _content(entry))


def one_slice(entry: SliceEntry) -> Slice:
    """The slice of an index entry; the dataset's checksum is part of the key, so a new one is read anew."""
    return _slice(entry.dataset, entry.case, entry.index, _content(entry))


@st.cache_resource(show_spinner=False, max_entries=8)
def _volume(dataset: str, case: str, content: str) -> Volume:
    return read_volume(dataset, case)


def volume(entry: SliceEntry) -> Volume:
    """The volume of a case, memory-mapped."""
    return _volume(entry.dataset, entry.case, _content(entry))


@st.cache_resource(show_spinner=False, max_entries=64)
def _slices_in(dataset: str, case: str, content: str) -> int:
    return volume_grid(dataset, case)[1]


def slices_in(entry: SliceEntry) -> int:
    """How many slices the whole volume has, stored or not."""
    return _slices_in(entry.dataset, entry.case, _content(entry))


@st.cache_resource(show_spinner=False, max_entries=8)
def _drawn(dataset: str, case: str, side: int, content: str) -> Drawn:
    return stacks.drawn(_volume(dataset, case, content), side)


def drawn(entry: SliceEntry, side: int) -> Drawn:
    """The slices of a volume on the grid they are drawn on."""
    return _drawn(entry.dataset, entry.case, side, _content(entry))


@st.cache_resource(show_spinner=False)
def too_large() -> set[tuple[str, int]]:
    """Volumes, with the side of the grid, that were found to have more bytes than are sent."""
    return set()


class _Missing(Exception):
    """Not every slice of a volume is stored; an exception, so that this is not kept."""


@st.cache_resource(show_spinner=False, max_entries=24)
def _answer(run: str, weights: str, dataset: str, case: str, side: int, content: str) -> Answer:
    grid = _drawn(dataset, case, side, content)
    probabilities = []
    for index in grid.indices:
        found = stored_prediction(run, read_slice(dataset, case, index))
        if found is None:
            raise _Missing
        probabilities.append(found.probability)
    return stacks.answer(probabilities, (grid.pictures.shape[1], grid.pictures.shape[2]))


def answer(run: Run, entry: SliceEntry, side: int) -> Answer | None:
    """What a network drew on a whole volume, or None while a slice of it is not stored; loads no network."""
    try:
        return _answer(run.name, run.weights_sha256, entry.dataset, entry.case, side, _content(entry))
    except _Missing:
        return None


def _content(entry: SliceEntry) -> str:
    """The checksum of the prepared data: part of every key, so that a new preparation is read anew."""
    return str(card_json(entry.dataset).get("sha256", ""))


@st.cache_resource(show_spinner=False)
def refusals() -> dict[tuple[str, str], str]:
    """Why networks could not be loaded when they were last tried on this server, by run and weights."""
    return {}


def refusal(run: Run) -> str:
    """Why a network could not be loaded when it was last tried on this server; empty if it could."""
    return refusals().get((run.name, run.weights_sha256), "")


def prediction(run: Run, one: Slice) -> Prediction | None:
    """The stored prediction, or None; never loads a network."""
    return stored_prediction(run.name, one)


def stored_map(
    run: Run, one: Slice, method: str, layer: str, target: Target, mask: np.ndarray | None = None
) -> Heatmap | None:
    """The stored heatmap, or None; never loads a network. ``mask`` is the region "shared"."""
    return stored_heatmap(run.name, one, method, layer, target, mask)


@st.cache_resource(show_spinner=False, max_entries=512)
def _map_numbers(
    names: tuple[str, ...], _found: Heatmap, _one: Slice, _prediction: Prediction, baselines: bool
) -> Any:
    make = baseline_numbers if baselines else heatmap_numbers
    return make(_found, _one, _prediction)


def map_numbers(
    run: Run, one: Slice, found: Heatmap, prediction: Prediction, mask: np.ndarray | None = None,
    *, baselines: bool = False,
) -> Any:  # fmt: skip
    """The numbers beside a map, or with ``baselines`` those of the maps it has to beat, by name."""
    region = "" if mask is None else sha256(mask.tobytes()).hexdigest()
    names = (
        run.name,
        run.weights_sha256,
        one.key,
        one.image_sha256,
        found.method,
        found.layer,
        found.target.key,
    )
    return _map_numbers((*names, region), found, one, prediction, baselines)
