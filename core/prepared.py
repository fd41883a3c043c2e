"""The read side of prepared data: index, slices, splits and arrays under artifacts/data/<dataset>."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core import catalogues, places, split
from core.cards import DatasetCard
from core.errors import DataMissing, DataRefused
from core.records import Slice, SliceEntry

FORMAT = 1  # of the files in a prepared folder; another number means prepare again


@dataclass(frozen=True)
class Split:
    """Which case is in which part. ``parts`` maps train, validation, test and excluded to sorted case ids."""

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


def folder(dataset: str) -> Path:
    """Where the prepared files are: the dataset's folder, or the one kept aside while it is being replaced."""
    chosen = places.data(dataset)
    aside = kept_aside(dataset)
    return aside if not chosen.exists() and aside.exists() else chosen


def kept_aside(dataset: str) -> Path:
    """Where the old folder stands for the moment between two renames."""
    return places.data(dataset).with_name(f".{dataset}.old")


def card_json(dataset: str) -> dict[str, Any]:
    """The whole of card.json; ``sha256`` is the checksum of the prepared content. DataMissing, DataRefused."""
    path = _known(dataset) / "card.json"
    content: dict[str, Any] = _json(path, dataset)
    if content.get("format") != FORMAT:
        got = content.get("format")
        raise DataRefused(
            "format", f"{places.shown(path)}: expected format {FORMAT}, got {got}. {_again(dataset)}"
        )
    return content


def read_card(dataset: str) -> DatasetCard:
    """The card of a built-in dataset, prepared or not, or that of a set prepared with ``--as``. DataMissing."""
    built_in = catalogues.dataset_cards()
    if dataset in built_in:
        return built_in[dataset]
    fields = card_json(dataset)["card"]
    lists = {key: tuple(fields[key]) for key in ("classes", "splits", "known_defects")}
    return DatasetCard(**{**fields, **lists})


def list_slices(dataset: str) -> tuple[SliceEntry, ...]:
    """Every slice of a prepared dataset in the order of its arrays. DataMissing names the command that mends it."""
    parts = {name: _part_of_case(dataset, name) for name in _split_names(dataset)}
    return tuple(
        SliceEntry(
            dataset=dataset,
            case=row["case"],
            index=int(row["index"]),
            group=row["group"],
            tag=row["tag"],
            flags=tuple(row["flags"].split()),
            height=int(row["height"]),
            width=int(row["width"]),
            reference_pixels=int(row["reference_pixels"]) if row["reference_pixels"] else None,
            parts={name: part[row["case"]] for name, part in parts.items()},
        )
        for row in _rows(dataset)
    )


def read_slice(dataset: str, case: str, index: int = 0) -> Slice:
    """One slice with its picture, image and reference. DataMissing when the dataset or the case is not there."""
    wanted = {"case": case, "index": str(index)}
    lines = [(i, row) for i, row in enumerate(_rows(dataset)) if wanted.items() <= row.items()]
    if not lines:
        raise DataMissing(f"No case {case} (slice {index}) in {dataset}. Run: python -m core list")
    position, row = lines[0]
    shape = int(row["height"]), int(row["width"])
    spacing = tuple(float(v) for v in row["spacing_mm"].split())
    return Slice(
        dataset=dataset,
        case=case,
        index=index,
        group=row["group"],
        tag=row["tag"],
        picture=_part_of(dataset, "pictures", row["picture_at"], shape),
        image=np.array(_array(dataset, "images")[position]),
        reference=_part_of(dataset, "references", row["reference_at"], shape)
        if row["reference_at"]
        else None,
        spacing_mm=(spacing[0], spacing[1]) if spacing else None,
        flags=tuple(row["flags"].split()),
    )


def read_split(dataset: str, name: str) -> Split:
    """A stored split, its checksum verified.

    DataMissing when the dataset is external (nothing may train on it) or has no such split; DataRefused ("split")
    when the file was changed by hand.
    """
    card = read_card(dataset)
    if not card.splits:
        message = f"{dataset} is an external test set: it has no splits and nothing trains on it."
        raise DataMissing(f"{message} Use: python -m core evaluate {dataset}")
    if name not in _split_names(dataset):
        known = ", ".join(_split_names(dataset))
        raise DataMissing(f"No split {name!r} of {dataset}: expected one of {known}. {_again(dataset)}")
    path = _known(dataset) / "splits" / f"{name}.json"
    content = _json(path, dataset)
    if content.get("sha256") != split.checksum(content):
        raise DataRefused(
            "split", f"{places.shown(path)}: the checksum does not match its content. {_again(dataset)}"
        )
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
            "damaged", f"artifacts/data/{dataset}: index and arrays differ ({got}). {_again(dataset)}"
        )
    return Arrays(images, labels, entries)


def _known(dataset: str) -> Path:
    if not places.NAME.fullmatch(dataset) or not (folder(dataset) / "card.json").is_file():
        raise DataMissing(f"Nothing prepared for dataset {dataset!r}. {_again(dataset)}")
    return folder(dataset)


def _again(dataset: str) -> str:
    """The command that prepares ``dataset``."""
    card = catalogues.dataset_cards().get(dataset)
    if card is None:
        return f"Run: python -m core prepare LAYOUT --from FOLDER --as {dataset}"
    return (
        "Run: python -m core demo"
        if card.synthetic
        else f"Run: python -m core prepare {dataset} --from FOLDER"
    )


def _json(path: Path, dataset: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataMissing(f"{places.shown(path)} is missing. {_again(dataset)}") from None
    except ValueError:
        raise DataRefused("damaged", f"{places.shown(path)} is not JSON. {_again(dataset)}") from None
    if not isinstance(content, dict):
        raise DataRefused("damaged", f"{places.shown(path)}: expected a JSON object. {_again(dataset)}")
    return content


def _rows(dataset: str) -> list[dict[str, str]]:
    path = _known(dataset) / "index.csv"
    if not path.is_file():
        raise DataMissing(f"{places.shown(path)} is missing. {_again(dataset)}")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _split_names(dataset: str) -> tuple[str, ...]:
    return tuple(card_json(dataset)["splits"])


def _part_of_case(dataset: str, name: str) -> dict[str, str]:
    parts = read_split(dataset, name).parts
    return {case: part for part, cases in parts.items() for case in cases}


def _array(dataset: str, name: str) -> np.ndarray:
    path = _known(dataset) / f"{name}.npy"
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataMissing(f"{places.shown(path)} is missing. {_again(dataset)}") from None
    except (ValueError, EOFError) as error:
        raise DataRefused(
            "damaged", f"{places.shown(path)} is cut short or not an array. {_again(dataset)}"
        ) from error
    return array


def _part_of(dataset: str, name: str, at: str, shape: tuple[int, int]) -> np.ndarray:
    """A copy of one picture or reference out of the flat array ``name``."""
    start, count = int(at), shape[0] * shape[1]
    flat = _array(dataset, name)[start : start + count]
    if len(flat) != count:
        raise DataRefused("damaged", f"artifacts/data/{dataset}/{name}.npy is too short. {_again(dataset)}")
    return np.array(flat).reshape(shape)
