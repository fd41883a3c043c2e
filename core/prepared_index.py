"""Where prepared data are and what their index says, parsed once for each content and kept."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

from core import catalogues, places, split, split_volumes
from core.errors import DataMissing, DataRefused
from core.records import SliceEntry

FORMAT = 1  # of the files in a prepared folder; another number means prepare again
_KEPT = 8  # folders whose index is kept


class Position(NamedTuple):
    """Where the pixels of a slice are: its row in the arrays of the dataset, and in those of its pictures.

    ``picture_at`` and ``reference_at`` (None: no reference) count pixels of the flat arrays of a set of pictures,
    and slices of the volume's arrays of a set of volumes. ``spacing_mm`` is (row, column).
    """

    row: int
    picture_at: int
    reference_at: int | None
    spacing_mm: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Index:
    """All slices of a prepared folder in the order of its arrays, and where each is by (case, index)."""

    entries: tuple[SliceEntry, ...]
    cases: frozenset[str]
    positions: Mapping[tuple[str, int], Position]


def folder(dataset: str) -> Path:
    """Where the prepared files are: the dataset's folder, or the one kept aside while it is being replaced."""
    chosen = places.data(dataset)
    aside = kept_aside(dataset)
    return aside if not chosen.exists() and aside.exists() else chosen


def kept_aside(dataset: str) -> Path:
    """Where the old folder stands for the moment between two renames."""
    return places.data(dataset).with_name(f".{dataset}.old")


def known(dataset: str) -> Path:
    """The folder of a dataset that is prepared; DataMissing names the command that prepares it."""
    if not places.NAME.fullmatch(dataset) or not (folder(dataset) / "card.json").is_file():
        raise DataMissing(f"Nothing prepared for dataset {dataset!r}. {again(dataset)}")
    return folder(dataset)


def again(dataset: str) -> str:
    """The command that prepares ``dataset``."""
    card = catalogues.dataset_cards().get(dataset)
    if card is None:
        return f"Run: python -m core prepare LAYOUT --from FOLDER --as {dataset}"
    return (
        "Run: python -m core demo"
        if card.synthetic
        else f"Run: python -m core prepare {dataset} --from FOLDER"
    )


def card_json(dataset: str) -> dict[str, Any]:
    """The whole of card.json, not to be changed; ``sha256`` is the checksum of the prepared content.

    DataMissing, DataRefused ("format", "damaged").
    """
    path = known(dataset) / "card.json"
    content = _card(dataset, *_version(path, dataset))
    if content.get("format") != FORMAT:
        got = content.get("format")
        raise DataRefused(
            "format", f"{places.shown(path)}: expected format {FORMAT}, got {got}. {again(dataset)}"
        )
    return content


def read_index(dataset: str) -> Index:
    """The index of a prepared dataset. DataMissing, DataRefused ("split" when one was changed by hand)."""
    card_json(dataset)
    return _index(dataset, *_version(known(dataset) / "card.json", dataset))


def split_names(dataset: str) -> tuple[str, ...]:
    """The splits that are stored, the default first."""
    content = card_json(dataset)
    return tuple(sorted(content["splits"], key=content["card"]["splits"].index))


def split_json(dataset: str, name: str) -> dict[str, Any]:
    """The content of a stored split, its checksum verified."""
    path = known(dataset) / "splits" / f"{name}.json"
    content = read_json(path, dataset)
    if content.get("sha256") != split.checksum(content):
        raise DataRefused(
            "split", f"{places.shown(path)}: the checksum does not match its content. {again(dataset)}"
        )
    return content


def read_json(path: Path, dataset: str) -> dict[str, Any]:
    """A JSON object of a prepared folder. DataMissing, DataRefused ("damaged")."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataMissing(f"{places.shown(path)} is missing. {again(dataset)}") from None
    except ValueError:
        raise DataRefused("damaged", f"{places.shown(path)} is not JSON. {again(dataset)}") from None
    if not isinstance(content, dict):
        raise DataRefused("damaged", f"{places.shown(path)}: expected a JSON object. {again(dataset)}")
    return content


def _version(path: Path, dataset: str) -> tuple[Path, int, int]:
    """What tells one prepared content from the next: card.json is replaced, last, whenever anything is."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise DataMissing(f"{places.shown(path)} is missing. {again(dataset)}") from None
    return path, status.st_mtime_ns, status.st_size


@lru_cache(_KEPT)
def _card(dataset: str, path: Path, _changed: int, _size: int) -> dict[str, Any]:
    return read_json(path, dataset)


@lru_cache(_KEPT)
def _index(dataset: str, card: Path, _changed: int, _size: int) -> Index:
    path = card.with_name("index.csv")
    if not path.is_file():
        raise DataMissing(f"{places.shown(path)} is missing. {again(dataset)}")
    parts = {name: _parts(dataset, name) for name in split_names(dataset)}
    shared: dict[tuple[str, ...], dict[str, str]] = {}  # thousands of slices have the same parts
    entries, positions = [], {}
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            case, at = intern(row["case"]), int(row["index"])
            own = tuple(split_volumes.part_of(part, case, at) for part in parts.values())
            entry = _entry(dataset, case, at, row, shared.setdefault(own, dict(zip(parts, own, strict=True))))
            entries.append(entry)
            positions[case, at] = _position(number, row, entry)
    return Index(tuple(entries), frozenset(case for case, _ in positions), positions)


def _parts(dataset: str, name: str) -> dict[str, str]:
    return {unit: row["part"] for unit, row in split_json(dataset, name)["cases"].items()}


def _entry(dataset: str, case: str, index: int, row: dict[str, str], parts: dict[str, str]) -> SliceEntry:
    """``row`` is a line of index.csv; that of a volume has class_pixels instead of reference_pixels."""
    pixels = tuple(int(count) for count in row.get("class_pixels", row.get("reference_pixels", "")).split())
    return SliceEntry(
        dataset=dataset,
        case=case,
        index=index,
        group=intern(row["group"]),
        tag=intern(row["tag"]),
        flags=tuple(intern(flag) for flag in row["flags"].split()),
        height=int(row["height"]),
        width=int(row["width"]),
        reference_pixels=sum(pixels) if pixels else None,
        class_pixels=pixels,
        position_mm=float(row["position_mm"]) if "position_mm" in row else None,
        parts=parts,
    )


def _position(number: int, row: dict[str, str], entry: SliceEntry) -> Position:
    picture_at = int(row.get("picture_at") or row["at"])
    reference_at = None
    if entry.reference_pixels is not None:
        reference_at = int(row.get("reference_at") or row["at"])
    spacing = tuple(float(value) for value in row["spacing_mm"].split())
    return Position(number, picture_at, reference_at, (spacing[0], spacing[1]) if spacing else None)
