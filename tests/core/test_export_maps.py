"""Heatmaps as files: raw arrays with what they are, and NIfTI that lies where the slice lies in its volume."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

import nibabel
import numpy as np
import pytest

from core import export_maps, prepare
from core.prepared import list_slices, read_slice, volume_grid
from core.records import Heatmap, Target
from tests.core import volumes as nifti
from tests.pages import small, small_volumes

CLASSES = ("background", "liver", "tumour")


@pytest.fixture
def ct(artifacts, tmp_path):
    """The small volumes, stored in different orientations, prepared; one run's folder."""
    prepare.prepare("lits", small_volumes.write_volumes(tmp_path / "source"), "lits")
    small.write_run("lits", "unet", CLASSES)


def map_of(slice, values) -> Heatmap:
    target = Target("tumour", "boundary", side="inner")
    shown = np.asarray(values, np.float32)
    return Heatmap(
        "lits-unet-0", slice.key, "gradcam", "bottleneck", target, shown, float("nan"), "ok", 3, 0.5
    )


def files(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


@pytest.mark.parametrize(
    "case", ["volume-201", "volume-202", "volume-203", "volume-204"]
)  # each its orientation
def test_the_nifti_of_a_map_lies_where_its_slice_lies_in_the_volume(ct, case):
    entry = [e for e in list_slices("lits") if e.case == case][7]
    slice = read_slice("lits", case, entry.index)
    values = np.random.default_rng(0).normal(size=slice.picture.shape).astype(np.float32)
    found = files(export_maps.maps_nifti([map_of(slice, values)], slice))
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(found["map_0-lits-unet-0.nii.gz"]))
    codes = dict(zip(small_volumes.TUMOURS, small_volumes.ORIENTATIONS, strict=True))[int(case[-3:])]
    # the same voxel numbers, kept as a marked volume, name the same places in mm
    whole = np.zeros(small_volumes.SHAPE, np.float32)
    whole[entry.index] = values
    stored, affine = nifti.stored_as(whole, codes)
    for at in ([2, 3, 0], [10, 20, 0], [30, 11, 0]):
        row, column = at[1], at[0]
        place = np.argwhere(stored == values[row, column])
        here = np.argwhere(np.asarray(image.dataobj) == values[row, column])
        assert len(place) == len(here) == 1
        mm = affine @ [*place[0], 1]
        np.testing.assert_allclose(image.affine @ [*here[0], 1], mm, atol=1e-3)
    assert image.get_data_dtype() == np.float32
    grid, _ = volume_grid("lits", case)
    np.testing.assert_allclose(image.affine[:3, :3], np.array(grid.affine)[:3, :3], atol=1e-5)


def test_what_the_maps_are_is_said_with_hashes_and_undefined_is_null(ct):
    entry = next(e for e in list_slices("lits") if e.case == "volume-201")
    slice = read_slice("lits", "volume-201", entry.index)
    found = files(export_maps.maps_nifti([map_of(slice, np.ones((8, 8)))], slice))
    told = json.loads(found["maps.json"])
    (one,) = told["maps"]
    assert one["score"] is None
    assert one["layer_grid"] == [8, 8]
    assert one["target"] == "tumour.boundary.log_odds.side=inner"
    assert "do not redistribute" in told["licence"]
    with np.load(io.BytesIO(export_maps.maps_npz([map_of(slice, np.ones((8, 8)))], slice))) as file:
        assert json.loads(str(file["metadata"]))["maps"] == told["maps"]
        assert file["map_0"].shape == (8, 8)
