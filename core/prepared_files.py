"""The files of a prepared folder: arrays, index, groups, splits, and the card that is written last."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from core import atomic, duplicates, prepared_index, split
from core.cards import DatasetCard
from core.datasets._raw import Case, RawSlice

Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What is to be prepared, known before any pixel is read. ``key`` is the checksum of all the rest."""

    layout: str
    card: DatasetCard
    cases: tuple[Case, ...]
    strays: tuple[tuple[str, str], ...]
    files: Mapping[str, Mapping[str, Any]]
    decisions: Mapping[str, duplicates.Decision]
    seed: int
    key: str = ""


@dataclass(frozen=True, eq=False)
class Ready:
    """One slice, ready to be stored: as read, on the network's grid, and what duplicates are found by."""

    case: str
    index: int
    raw: RawSlice
    image: np.ndarray
    labels: np.ndarray
    fingerprint: duplicates.Fingerprint


def write_all(folder: Path, plan: Plan, ready: Sequence[Ready], refused: Sequence[Row]) -> dict[str, Any]:
    """Write all files into the new ``folder``, card.json last, and return its content."""
    folder.mkdir()
    images, labels = np.stack([one.image for one in ready]), np.stack([one.labels for one in ready])
    found = duplicates.links([one.fingerprint for one in ready])
    ids = [one.case for one in ready]
    group = duplicates.groups(ids, found, {case: row for case, row in plan.decisions.items() if case in ids})
    rows = _rows(ready, group)
    atomic.write_array(folder / "images.npy", images)
    atomic.write_array(folder / "labels.npy", labels)
    atomic.write(folder / "pictures.npy", partial(_flat, [one.raw.picture for one in ready]))
    known = [one.raw.reference for one in ready if one.raw.reference is not None]
    atomic.write(folder / "references.npy", partial(_flat, known))
    table(folder / "index.csv", rows)
    table(folder / "groups.csv", _group_rows(ids, group, found, plan.decisions))
    members = [
        split.Member(one.case, row["group"], row["tag"], one.fingerprint.exact, _share(one.raw))
        for row, one in zip(rows, ready, strict=True)
    ]
    splits = split.make_all(plan.card.splits, plan.card.name, members, plan.seed)
    for name, content in splits.items():
        atomic.write_json(folder / "splits" / f"{name}.json", content)
    card = _card(folder, plan, rows, refused, splits)
    atomic.write_json(folder / "card.json", card)
    return card


def _flat(arrays: Sequence[np.ndarray], file: BinaryIO) -> None:
    """Write uint8 arrays end to end as one flat .npy, without a second copy in memory."""
    total = sum(array.size for array in arrays)
    header = {"descr": "|u1", "fortran_order": False, "shape": (total,)}
    np.lib.format.write_array_header_1_0(file, header)
    for array in arrays:
        file.write(np.ascontiguousarray(array, dtype=np.uint8).tobytes())


def _rows(ready: Sequence[Ready], group: Sequence[str]) -> list[Row]:
    """Lines of index.csv: one per slice; ``*_at`` are offsets into the flat arrays."""
    size, tags, conflict = Counter(group), defaultdict(set), defaultdict(set)
    for one, name in zip(ready, group, strict=True):
        tags[name].add(one.raw.tag)
        conflict[one.fingerprint.exact].add(one.raw.tag)
    rows, picture_at, reference_at = [], 0, 0
    for one, name in zip(ready, group, strict=True):
        derived = {
            "near-duplicate": size[name] > 1,
            "cross-class-group": len(tags[name]) > 1,
            "label-conflict": len(conflict[one.fingerprint.exact]) > 1,
        }
        flags = sorted({*one.raw.flags, *(flag for flag, holds in derived.items() if holds)})
        reference = one.raw.reference
        rows.append(
            {
                "case": one.case,
                "index": one.index,
                "group": name,
                "tag": one.raw.tag,
                "flags": " ".join(flags),
                "height": one.raw.picture.shape[0],
                "width": one.raw.picture.shape[1],
                "reference_pixels": "" if reference is None else int(np.count_nonzero(reference)),
                "spacing_mm": " ".join(repr(value) for value in one.raw.spacing_mm or ()),
                "picture_at": picture_at,
                "reference_at": "" if reference is None else reference_at,
            }
        )
        picture_at += one.raw.picture.size
        reference_at += 0 if reference is None else reference.size
    return rows


def _group_rows(
    ids: Sequence[str],
    group: Sequence[str],
    found: Sequence[duplicates.Link],
    decisions: Mapping[str, duplicates.Decision],
) -> list[Row]:
    """Lines of groups.csv, for a reviewer: ``decision`` may be given as "cut" or "join CASE"."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for link in found:
        first, second = ids[link.first], ids[link.second]
        reasons[first].append(f"{second}: {link.reason}")
        reasons[second].append(f"{first}: {link.reason}")
    nobody = duplicates.Decision("", "")
    return [
        {
            "image": case,
            "group": name,
            "reason": "; ".join(reasons[case]),
            "reviewer": decisions.get(case, nobody).reviewer,
            "decision": decisions.get(case, nobody).decision,
        }
        for case, name in zip(ids, group, strict=True)
    ]


def _share(raw: RawSlice) -> float | None:
    return None if raw.reference is None else float(np.count_nonzero(raw.reference) / raw.reference.size)


def table(path: Path, rows: Sequence[Row]) -> Path:
    """Write rows of equal keys, at least one, as CSV."""
    held = io.StringIO()
    writer = csv.DictWriter(held, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return atomic.write_text(path, held.getvalue())


def _card(
    folder: Path, plan: Plan, rows: Sequence[Row], refused: Sequence[Row], splits: Mapping[str, Row]
) -> dict[str, Any]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "groups.csv")
    stored = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": atomic.sha256_file(path),
        }
        for path in files
    }
    arrays = {name: row["sha256"] for name, row in stored.items() if name.endswith(".npy")}
    cases = [[row["case"], row["index"], row["tag"]] for row in rows]
    sizes = Counter(row["group"] for row in rows)
    crossing = {row["group"] for row in rows if "cross-class-group" in row["flags"].split()}
    return {
        "format": prepared_index.FORMAT,
        "name": plan.card.name,
        "layout": plan.layout,
        "card": asdict(plan.card),
        "is_external": not plan.card.splits,
        "sha256": atomic.sha256(atomic.canonical([arrays, cases])),
        "inputs": plan.key,
        "seed": plan.seed,
        "cases": len({row["case"] for row in rows}),
        "slices": len(rows),
        "tags": dict(Counter(row["tag"] for row in rows)),
        "flags": dict(sorted(Counter(flag for row in rows for flag in row["flags"].split()).items())),
        "groups": {
            "groups": len(sizes),
            "multi_image": sum(n > 1 for n in sizes.values()),
            "images_in_multi": sum(n for n in sizes.values() if n > 1),
            "largest": max(sizes.values()),
            "cross_class": len(crossing),
        },
        "splits": {
            name: {
                "sha256": content["sha256"],
                "parts": dict(Counter(row["part"] for row in content["cases"].values())),
                "excluded": content["excluded"],
            }
            for name, content in splits.items()
        },
        "refused": list(refused),
        "strays": [{"file": name, "why": why} for name, why in plan.strays],
        "source_files": plan.files,
        "files": stored,
    }
