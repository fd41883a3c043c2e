"""Heatmaps of one slice as files that other programs read: raw arrays (.npz), NIfTI on the grid of the volume."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from core import nifti_header, prepared, runs
from core.cards import NOTICE
from core.explain import sentences
from core.nifti_header import UNVERIFIED, Grid
from core.preprocess import enlarge
from core.records import Heatmap, Slice


def maps_npz(heatmaps: Sequence[Heatmap], slice: Slice) -> bytes:
    """The raw maps as an .npz archive: ``map_0``, ``map_1``, ... (h, w) float32 on their layers' own grids.

    ``metadata`` holds JSON text: what every map is, and the notice. The same maps give the same arrays.
    """
    content = io.BytesIO()
    arrays = {f"map_{at}": one.values for at, one in enumerate(heatmaps)}
    np.savez_compressed(content, metadata=np.array(_statement(heatmaps, slice)), **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def maps_nifti(heatmaps: Sequence[Heatmap], slice: Slice) -> bytes:
    """A .zip of one .nii.gz per map: float32, signed, enlarged bilinearly to the source grid of the slice's volume.

    Every file holds the one slice it belongs to, where it lies in the volume: the affine is that of the source
    file, moved along the axis of the slices. Beside them ``maps.json`` says what they are. ValueError for a slice
    of no volume; DataMissing.
    """
    card = prepared.read_card(slice.dataset)
    if not card.has_volumes:
        raise ValueError(f"slice: expected one of a CT volume, got {slice.key}")
    grid, _ = prepared.volume_grid(slice.dataset, slice.case)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as file:
        for at, one in enumerate(heatmaps):
            values = enlarge(one.values, slice.picture.shape)
            file.writestr(f"map_{at}-{one.run}.nii.gz", _one_slice(values, slice.index, grid))
        file.writestr("maps.json", _statement(heatmaps, slice))
    return content.getvalue()


def _one_slice(values: np.ndarray, index: int, grid: Grid) -> bytes:
    """(rows, columns) in display orientation as a packed NIfTI file of one slice."""
    import nibabel

    axis = next(axis for axis in range(3) if grid.axcodes[axis] in "SI")
    stored_at = index if grid.axcodes[axis] == "S" else grid.shape[axis] - 1 - index
    affine = np.array(grid.affine)
    affine[:3, 3] += stored_at * affine[:3, axis]
    tools: Any = nibabel
    stored = nifti_header.turned_back(values.astype(np.float32)[None], grid.axcodes)
    image = tools.Nifti1Image(stored, None if UNVERIFIED in grid.flags else affine)
    image.header.set_zooms(np.linalg.norm(affine[:3, :3], axis=0))
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), 6, mtime=0)


def _statement(heatmaps: Sequence[Heatmap], slice: Slice) -> str:
    card = prepared.read_card(slice.dataset)
    content = {
        "notice": NOTICE,
        "licence": card.terms,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "dataset": slice.dataset,
        "case": slice.case,
        "slice": slice.index,
        "values": "raw and signed, in score units per cell: no ReLU, no scaling",
        "maps": [_facts(at, one) for at, one in enumerate(heatmaps)],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def _facts(at: int, one: Heatmap) -> Mapping[str, Any]:
    run = runs.read_run(one.run)
    numbers = {"score": one.score, "mean_probability": one.mean_probability}
    return {
        "name": f"map_{at}",
        "run": run.name,
        "model": run.model,
        "weights_sha256": run.weights_sha256,
        "method": one.method,
        "options": dict(one.options),
        "layer": one.layer,
        "layer_grid": list(one.values.shape),
        "target": one.target.key,
        "question": sentences.sentence(one.target, run.model),
        "score_kind": one.target.kind,
        **{name: None if np.isnan(value) else value for name, value in numbers.items()},
        "region_pixels": one.region_pixels,
        "state": one.state,
        "further_states": list(one.notes),
        "remarks": list(one.remarks),
    }
