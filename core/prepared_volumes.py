"""The files of prepared CT volumes: a folder per volume, and over all of them arrays, index, splits and card.

volumes/<case>/  pictures.npy    (n, H, W) int16 HU, the stored slices on the source grid
                 references.npy  (n, H, W) uint8, if there is one
                 images.npy      (n, SIZE, SIZE, 1) float32
                 labels.npy      (n, SIZE, SIZE) uint8
                 volume.json     grid, slices, checksums; written last: with it the volume is finished
images.npy, labels.npy           those of all volumes, end to end, as training reads them
index.csv                        one line per stored slice, in the order of the arrays
slices.csv                       one line per slice of every volume: liver_pixels with tumour, as liver is scored
groups.csv, splits/, card.json   as for pictures
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from core import atomic, prepare_folder, prepared_index, preprocess, split, split_volumes
from core.cards import DatasetCard
from core.datasets._raw import RawVolume
from core.prepared_files import Row, table
from core.records import SIZE

_BLOCK = 16384  # bytes
_SMALL = 5  # bytes per pixel of the network's grid: float32 image, uint8 label


def size_of(raw: RawVolume) -> int:
    """Bytes that the files of a volume will take, its part of the arrays over all volumes included."""
    references = 0 if raw.references is None else raw.references.nbytes
    small = len(raw.indices) * SIZE**2 * _SMALL
    return raw.pictures.nbytes + references + 2 * small


def write(
    folder: Path,
    case: str,
    raw: RawVolume,
    window_hu: tuple[float, float],
    key: str,
    source: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write the files of one volume, volume.json last. ``key`` stands for all that they were made from."""
    n, height, width = raw.pictures.shape
    arrays = {"pictures": raw.pictures, "images": preprocess.network_stack(raw.pictures, window_hu)}
    if raw.references is None:
        arrays["labels"] = np.zeros((n, SIZE, SIZE), np.uint8)
    else:
        arrays |= {"references": raw.references, "labels": preprocess.small_stack(raw.references)}
    files = {}
    for name, array in arrays.items():
        files[f"{name}.npy"] = _write_array(folder / f"{name}.npy", array.dtype, array.shape, [array])
    counts = None if raw.class_pixels is None else raw.class_pixels.tolist()
    content = {
        "case": case,
        "key": key,
        "tag": raw.tag,
        "flags": list(raw.flags),
        "grid": asdict(raw.grid),
        "n_slices": raw.n_slices,
        "shape": [height, width],
        "indices": list(raw.indices),
        "class_pixels": counts,
        "source": source,
        "files": files,
    }
    atomic.write_json(folder / "volume.json", content)


def facts(folder: Path) -> dict[str, Any]:
    """The content of a finished volume's volume.json."""
    content: dict[str, Any] = json.loads((folder / "volume.json").read_text(encoding="utf-8"))
    return content


def is_finished(folder: Path, key: str) -> bool:
    """Whether the volume in ``folder`` was made from what ``key`` stands for and all its files are whole."""
    try:
        content = facts(folder)
    except (OSError, ValueError):
        return False
    files = content["files"]
    return content["key"] == key and all(
        prepare_folder.has_size(folder / name, row["bytes"]) for name, row in files.items()
    )


def write_all(
    folder: Path,
    card: DatasetCard,
    volumes: Sequence[Row],
    patient: Mapping[str, tuple[str, str]],
    seed: int,
    inputs: str,
    refused: Sequence[Row],
    strays: Sequence[tuple[str, str]],
) -> Row:
    """Write what stands over these finished volumes, card.json last, and return its content."""
    arrays = {}
    for name in ("images", "labels"):
        paths = [folder / "volumes" / volume["case"] / f"{name}.npy" for volume in volumes]
        arrays[f"{name}.npy"] = _write_joined(folder / f"{name}.npy", paths)
    rows = [row for volume in volumes for row in _index(volume, patient[volume["case"]][0])]
    everything = list(chain.from_iterable(_every_slice(volume) for volume in volumes))
    groups = [{"case": case, "patient": name, "why": why} for case, (name, why) in patient.items()]
    tables = [table(folder / "index.csv", rows), table(folder / "slices.csv", everything)]
    table(folder / "groups.csv", groups)
    members = [_member(volume, patient[volume["case"]][0]) for volume in volumes]
    splits = split_volumes.make(card.splits, card.name, members, seed)
    tables += [atomic.write_json(folder / "splits" / f"{name}.json", one) for name, one in splits.items()]
    for volume in volumes:
        for name, row in volume["files"].items():
            arrays[f"volumes/{volume['case']}/{name}"] = row
        tables.append(folder / "volumes" / volume["case"] / "volume.json")
    files = arrays | {path.relative_to(folder).as_posix(): _described(path) for path in tables}
    content = {
        "format": prepared_index.FORMAT,
        "name": card.name,
        "layout": card.layout,
        "card": asdict(card),
        "is_external": not card.splits,
        "sha256": _content(arrays, rows),
        "inputs": inputs,
        "seed": seed,
        "cases": len(volumes),
        "slices": len(rows),
        "tags": dict(Counter(row["tag"] for row in rows)),
        "flags": dict(sorted(Counter(chain.from_iterable(v["flags"] for v in volumes)).items())),
        "groups": _groups([patient[volume["case"]][0] for volume in volumes]),
        "volumes": _counts(volumes),
        "splits": {name: _parts(one, rows) for name, one in splits.items()},
        "refused": list(refused),
        "strays": [{"file": name, "why": why} for name, why in strays],
        "source_files": {name: row for volume in volumes for name, row in volume["source"].items()},
        "files": files,
    }
    atomic.write_json(folder / "card.json", content)
    return content


def _write_joined(path: Path, paths: Sequence[Path]) -> Row:
    """Write the arrays in ``paths``, of equal shape but for their length, end to end as one .npy."""
    parts = [np.load(part, mmap_mode="r", allow_pickle=False) for part in paths]
    shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
    # each is dropped when it is written: pages of a mapped file count as memory
    return _write_array(path, parts[0].dtype, shape, (parts.pop(0) for _ in paths))


def _write_array(path: Path, dtype: np.dtype, shape: tuple[int, ...], parts: Iterable[np.ndarray]) -> Row:
    """Write contiguous ``parts`` as one .npy; its size and checksum, taken of what is written on the way."""
    head, digest = io.BytesIO(), hashlib.sha256()
    described = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, described)

    def fill(file: BinaryIO) -> None:
        for part in chain([head.getbuffer()], (part.data for part in parts)):
            _write_thin(file, part)
            digest.update(part)
        file.truncate()

    atomic.write(path, fill)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _write_thin(file: BinaryIO, part: memoryview) -> None:
    """Write ``part``, but leave a hole where a block is all 0: most of an outline is, and a hole takes no room."""
    content = np.frombuffer(part, np.uint8)
    count = len(content) // _BLOCK
    is_full: np.ndarray = np.any(content[: count * _BLOCK].reshape(count, _BLOCK), axis=1)
    turns = np.flatnonzero(is_full[1:] != is_full[:-1]) + 1
    for start, stop in pairwise([0, *turns.tolist(), count]):
        if count and is_full[start]:
            file.write(content[start * _BLOCK : stop * _BLOCK].data)
        else:
            file.seek((stop - start) * _BLOCK, os.SEEK_CUR)
    file.write(content[count * _BLOCK :].data)


def _described(path: Path) -> Row:
    return {"bytes": path.stat().st_size, "sha256": atomic.sha256_file(path)}


def _content(arrays: Mapping[str, Row], rows: Sequence[Row]) -> str:
    """Checksum of all pixels and of what they are called."""
    pixels = {name: row["sha256"] for name, row in arrays.items()}
    return atomic.sha256(atomic.canonical([pixels, [[r["case"], r["index"], r["tag"]] for r in rows]]))


def _index(volume: Row, patient: str) -> list[Row]:
    """Lines of index.csv; ``at`` is the position in the volume's own arrays."""
    spacing, counts = volume["grid"]["spacing_mm"], volume["class_pixels"]
    height, width = volume["shape"]
    shared = {
        "group": patient,
        "tag": volume["tag"],
        "flags": " ".join(volume["flags"]),
        "height": height,
        "width": width,
        "spacing_mm": " ".join(repr(value) for value in spacing[1:]),
    }
    return [
        {"case": volume["case"], "index": index, "at": at}
        | shared
        | {"position_mm": round(index * spacing[0], 3)}
        | {"class_pixels": "" if counts is None else " ".join(map(str, counts[index]))}
        for at, index in enumerate(volume["indices"])
    ]


def _every_slice(volume: Row) -> list[Row]:
    """Lines of slices.csv."""
    counts, stored = volume["class_pixels"], set(volume["indices"])
    rows = []
    for index in range(volume["n_slices"]):
        row = {"case": volume["case"], "index": index}
        row["position_mm"] = round(index * volume["grid"]["spacing_mm"][0], 3)
        row["liver_pixels"] = "" if counts is None else sum(counts[index])
        row["tumour_pixels"] = "" if counts is None else counts[index][1]
        rows.append(row | {"stored": int(index in stored)})
    return rows


def _member(volume: Row, patient: str) -> split_volumes.Member:
    counts, indices = volume["class_pixels"], tuple(volume["indices"])
    if counts is None:
        return split_volumes.Member(volume["case"], patient, None, indices, (False,) * len(indices))
    affine = np.array(volume["grid"]["affine"])[:3, :3]
    ml = sum(row[1] for row in counts) * abs(float(np.linalg.det(affine))) / 1000
    return split_volumes.Member(volume["case"], patient, ml, indices, tuple(any(counts[i]) for i in indices))


def _groups(patients: Sequence[str]) -> dict[str, int]:
    sizes = Counter(patients).values()
    several = [size for size in sizes if size > 1]
    return {
        "groups": len(sizes),
        "multi_image": len(several),
        "images_in_multi": sum(several),
        "largest": max(sizes),
        "cross_class": 0,
    }


def _counts(volumes: Sequence[Row]) -> dict[str, int]:
    counts = [row for volume in volumes for row in volume["class_pixels"] or ()]
    return {
        "slices": sum(volume["n_slices"] for volume in volumes),
        "stored": sum(len(volume["indices"]) for volume in volumes),
        "with_liver": sum(any(row) for row in counts),
        "with_tumour": sum(row[1] > 0 for row in counts),
    }


def _parts(content: Row, rows: Sequence[Row]) -> Row:
    """A split in the card: its checksum, and how many stored slices each part has."""
    units = {unit: row["part"] for unit, row in content["cases"].items()}
    parts = Counter(split_volumes.part_of(units, row["case"], row["index"]) for row in rows)
    in_order = {part: parts[part] for part in split.PARTS if parts[part]}
    return {"sha256": content["sha256"], "parts": in_order, "excluded": content["excluded"]}
