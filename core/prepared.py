"""The read side of prepared data: index, slices, volumes, splits and arrays under artifacts/data/<dataset>."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core import catalogues, nifti, places, split
from core.cards import DatasetCard
from core.errors import DataMissing, DataRefused
from core.prepared_index import (
    Position,
    again,
    known,
    read_index,
    read_json,
    split_json,
    split_names,
)
from core.prepared_index import card_json as card_json
from core.prepared_index import folder as folder
from core.records import Slice, SliceEntry, Volume


@dataclass(frozen=True)
class Split:
    """Which case is in which part. ``parts`` maps train, validation, test and excluded to sorted case ids.

    Of volumes also single slices, "case/index", whose own part goes before that of their case.
    """

    name: str
    dataset: str
    seed: int
    rule: str
    sha256: str
    parts: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Arrays:
    """What training reads, memory-mapped and in the order of ``entries``.

    images (N, 128, 128, C) float32 in 0..1, labels (N, 128, 128) uint8. Labels of a case without reference are 0;
    such cases are excluded from every split.
    """

    images: np.ndarray
    labels: np.ndarray
    entries: tuple[SliceEntry, ...]


def dataset_names() -> tuple[str, ...]:
    """Names of the prepared datasets, sorted."""
    root = places.artifacts() / "data"
    folders = root.iterdir() if root.is_dir() else iter(())
    names = {
        p.name.removeprefix(".").removesuffix(".old") if p.name.startswith(".") else p.name for p in folders
    }
    return tuple(sorted(n for n in names if places.NAME.fullmatch(n) and (folder(n) / "card.json").is_file()))


def read_card(dataset: str) -> DatasetCard:
    """The card of a dataset: as it is built in, or as it was stored with an external set. DataMissing."""
    built_in = catalogues.dataset_cards()
    if dataset in built_in:
        return built_in[dataset]
    fields = card_json(dataset)["card"]
    lists = {key: tuple(fields[key]) for key in ("classes", "splits", "known_defects")}
    window = fields.get("window_hu")
    return DatasetCard(**{**fields, **lists, "window_hu": (window[0], window[1]) if window else None})


def list_slices(dataset: str) -> tuple[SliceEntry, ...]:
    """Every stored slice of a prepared dataset in the order of its arrays: of a volume, those round its liver.

    DataMissing names the command that mends it.
    """
    return read_index(dataset).entries


def read_slice(dataset: str, case: str, index: int = 0) -> Slice:
    """One slice with its picture, image and reference. DataMissing when the dataset or the case is not there.

    ``index`` of a volume's slice counts from the feet in the whole volume.
    """
    entry, at = _found(dataset, case, index)
    if entry.position_mm is None:
        shape = (entry.height, entry.width)
        picture = _part_of(dataset, "pictures", at.picture_at, shape)
        reference = None
        if at.reference_at is not None:
            reference = _part_of(dataset, "references", at.reference_at, shape)
    else:
        picture = _slice_of(dataset, case, "pictures", at.picture_at)
        reference = None
        if at.reference_at is not None:
            reference = _slice_of(dataset, case, "references", at.reference_at)
    return Slice(
        dataset=dataset,
        case=case,
        index=index,
        group=entry.group,
        tag=entry.tag,
        picture=picture,
        image=np.array(_array(dataset, "images")[at.row]),
        reference=reference,
        spacing_mm=at.spacing_mm,
        flags=entry.flags,
    )


def read_volume(dataset: str, case: str) -> Volume:
    """The stored slices of one volume, memory-mapped and read-only. DataMissing, DataRefused."""
    facts = _facts(dataset, case)
    indices = tuple(facts["indices"])
    entry, at = _found(dataset, case, indices[0])
    spacing = facts["grid"]["spacing_mm"]
    return Volume(
        dataset=dataset,
        case=case,
        group=entry.group,
        indices=indices,
        pictures=_array(dataset, f"volumes/{case}/pictures"),
        images=_array(dataset, "images")[at.row : at.row + len(indices)],
        references=None if at.reference_at is None else _array(dataset, f"volumes/{case}/references"),
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
        flags=entry.flags,
    )


def opening_slice(slices: Sequence[SliceEntry]) -> SliceEntry:
    """The slice of a volume to open it with: that with most tumour in the reference, else the middle one."""
    scored = [entry for entry in slices if entry.class_pixels and entry.class_pixels[-1]]
    return max(scored, key=lambda entry: entry.class_pixels[-1], default=slices[len(slices) // 2])


def volume_grid(dataset: str, case: str) -> tuple[nifti.Grid, int]:
    """The grid of a volume's own file, and how many slices the whole volume has. DataMissing."""
    facts = _facts(dataset, case)
    grid = facts["grid"]
    lists = {key: tuple(grid[key]) for key in ("shape", "spacing_mm", "flags")}
    return nifti.Grid(**{**grid, **lists, "affine": tuple(map(tuple, grid["affine"]))}), facts["n_slices"]


def read_split(dataset: str, name: str) -> Split:
    """A stored split, its checksum verified.

    DataMissing when the dataset is external (nothing may train on it) or has no such split; DataRefused ("split")
    when the file was changed by hand.
    """
    card = read_card(dataset)
    if not card.splits:
        message = f"{dataset} is an external test set: it has no splits and nothing trains on it."
        raise DataMissing(f"{message} Use: python -m core evaluate {dataset}")
    if name not in split_names(dataset):
        stored = ", ".join(split_names(dataset))
        raise DataMissing(f"No split {name!r} of {dataset}: expected one of {stored}. {again(dataset)}")
    content = split_json(dataset, name)
    parts: dict[str, list[str]] = {part: [] for part in split.PARTS}
    for case, row in content["cases"].items():
        parts[row["part"]].append(case)
    return Split(
        name=name,
        dataset=dataset,
        seed=content["seed"],
        rule=content["rule"],
        sha256=content["sha256"],
        parts={part: tuple(sorted(cases)) for part, cases in parts.items()},
    )


def read_arrays(dataset: str) -> Arrays:
    """Images and labels of the whole dataset, memory-mapped and read-only. DataMissing, DataRefused."""
    entries = list_slices(dataset)
    images, labels = _array(dataset, "images"), _array(dataset, "labels")
    if not len(images) == len(labels) == len(entries):
        got = f"{len(images)} images, {len(labels)} labels, {len(entries)} lines"
        raise DataRefused(
            "damaged", f"artifacts/data/{dataset}: index and arrays differ ({got}). {again(dataset)}"
        )
    return Arrays(images, labels, entries)


def _found(dataset: str, case: str, number: int) -> tuple[SliceEntry, Position]:
    found = read_index(dataset)
    at = found.positions.get((case, number))
    if at is None:
        raise DataMissing(f"No case {case} (slice {number}) in {dataset}. Run: python -m core list")
    return found.entries[at.row], at


def _facts(dataset: str, case: str) -> dict[str, Any]:
    """The volume.json of a stored volume."""
    if case not in read_index(dataset).cases or not read_card(dataset).has_volumes:
        raise DataMissing(f"No volume {case} in {dataset}. Run: python -m core list")
    return read_json(known(dataset) / "volumes" / case / "volume.json", dataset)


def _array(dataset: str, name: str) -> np.ndarray:
    path = known(dataset) / f"{name}.npy"
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataMissing(f"{places.shown(path)} is missing. {again(dataset)}") from None
    except (ValueError, EOFError) as error:
        raise DataRefused(
            "damaged", f"{places.shown(path)} is cut short or not an array. {again(dataset)}"
        ) from error
    return array


def _part_of(dataset: str, name: str, start: int, shape: tuple[int, int]) -> np.ndarray:
    """A copy of one picture or reference out of the flat array ``name``."""
    count = shape[0] * shape[1]
    flat = _array(dataset, name)[start : start + count]
    if len(flat) != count:
        raise DataRefused("damaged", f"artifacts/data/{dataset}/{name}.npy is too short. {again(dataset)}")
    return np.array(flat).reshape(shape)


def _slice_of(dataset: str, case: str, name: str, at: int) -> np.ndarray:
    """A copy of one picture or reference out of an array of a volume."""
    return np.array(_array(dataset, f"volumes/{case}/{name}")[at])
