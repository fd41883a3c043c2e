"""Reading prepared volumes and their index: by whole volume, by slice, parsed once; what is missing is named."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import places, prepared, prepared_index, prepared_volumes
from core.errors import DataMissing, DataRefused
from core.prepare import prepare
from tests.core.conftest import write_volume

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.usefixtures("in_process")
def test_a_volume_is_mapped_from_disk_and_cannot_be_written(livers: Path) -> None:
    prepare("lits", livers, "lits")
    volume = prepared.read_volume("lits", "volume-3")
    assert (volume.group, volume.flags, volume.indices) == ("volume-3", (), tuple(range(2, 30)))
    for array in (volume.pictures, volume.images, volume.references):
        assert isinstance(array, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    arrays = prepared.read_arrays("lits")
    assert isinstance(arrays.images, np.memmap)
    assert (arrays.images.dtype, arrays.labels.dtype) == (np.float32, np.uint8)


def test_background_round_an_outline_takes_no_room_on_disk(tmp_path: Path) -> None:
    array = np.zeros((3, 200, 512), np.uint8)
    array[1, 60, 7] = array[2, -1, -1] = 1
    path = tmp_path / "array.npy"
    row = prepared_volumes._write_array(path, array.dtype, array.shape, [array[:2], array[2:]])
    np.save(tmp_path / "plain.npy", array)
    content = (tmp_path / "plain.npy").read_bytes()
    assert path.read_bytes() == content
    assert row == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert path.stat().st_blocks * 512 < len(content) / 2


@pytest.mark.parametrize("shape", [(0, 4, 4), (1, 1, 1), (1, 128, 128), (2, 128, 128)])
def test_an_array_is_written_as_numpy_does_whatever_its_size(tmp_path: Path, shape: tuple[int, ...]) -> None:
    for value in (0, 3):
        array = np.full(shape, value, np.uint8)
        prepared_volumes._write_array(tmp_path / "array.npy", array.dtype, shape, [array])
        np.save(tmp_path / "plain.npy", array)
        assert (tmp_path / "array.npy").read_bytes() == (tmp_path / "plain.npy").read_bytes()


@pytest.mark.usefixtures("in_process")
def test_the_index_is_parsed_once_for_each_content(livers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    reading = Path.open

    def watched(path: Path, *args: object, **kwargs: object) -> object:
        opened.append(path.name)
        return reading(path, *args, **kwargs)  # type: ignore[arg-type]

    prepare("lits", livers, "lits")
    monkeypatch.setattr(Path, "open", watched)
    first = prepared.list_slices("lits")
    for entry in first[:20]:
        prepared.read_slice("lits", entry.case, entry.index)
    assert prepared.list_slices("lits") is first
    assert opened.count("index.csv") == 1
    assert opened.count("card.json") <= 1
    write_volume(livers, 6)
    prepare("lits", livers, "lits")
    assert len(prepared.list_slices("lits")) == len(first) + 28
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(livers.parent / "elsewhere"))
    with pytest.raises(DataMissing):
        prepared.list_slices("lits")


@pytest.mark.usefixtures("in_process")
def test_a_picture_has_one_class_to_count_and_no_place_along_a_body(source: Path) -> None:
    prepare("busi", source, "busi")
    for entry in prepared.list_slices("busi"):
        assert entry.class_pixels == (entry.reference_pixels,)
        assert entry.position_mm is None
    (source / "benign" / "benign (2)_mask.png").unlink()
    prepare("busi", source, "busi")
    bare = next(entry for entry in prepared.list_slices("busi") if entry.case == "benign-2")
    assert (bare.reference_pixels, bare.class_pixels) == (None, ())


@pytest.mark.usefixtures("in_process")
def test_volumes_and_slices_that_are_not_there_are_named(livers: Path, source: Path) -> None:
    prepare("lits", livers, "lits")
    prepare("busi", source, "busi")
    with pytest.raises(DataMissing, match=r"No case volume-3 \(slice 1\) in lits"):
        prepared.read_slice("lits", "volume-3", 1)
    for case in ("volume-2", "../volume-3", ""):
        for reading in (prepared.read_volume, prepared.volume_grid):
            with pytest.raises(DataMissing, match="No volume"):
                reading("lits", case)
    with pytest.raises(DataMissing, match="No volume benign-1 in busi"):
        prepared.read_volume("busi", "benign-1")


@pytest.mark.usefixtures("in_process")
def test_damage_is_named_with_the_command_that_mends_it(livers: Path) -> None:
    prepare("lits", livers, "lits")
    folder = places.data("lits") / "volumes" / "volume-3"
    os.truncate(folder / "pictures.npy", 1000)
    for reading in (
        lambda: prepared.read_volume("lits", "volume-3"),
        lambda: prepared.read_slice("lits", "volume-3", 5),
    ):
        with pytest.raises(
            DataRefused, match=r"volumes/volume-3/pictures\.npy is cut short.*prepare lits --from"
        ):
            reading()
    (folder / "volume.json").write_text("[")
    with pytest.raises(DataRefused, match=r"volume\.json is not JSON"):
        prepared.volume_grid("lits", "volume-3")
    shutil.rmtree(folder)
    with pytest.raises(DataMissing, match=r"volume\.json is missing"):
        prepared.read_volume("lits", "volume-3")


@pytest.mark.usefixtures("in_process")
def test_a_split_that_is_changed_by_hand_is_refused(livers: Path) -> None:
    prepare("lits", livers, "lits")
    path = places.data("lits") / "splits" / "lits-slice.json"
    content = json.loads(path.read_text())
    content["cases"]["volume-3/14"]["part"] = "changed"
    path.write_text(json.dumps(content))
    for reading in (lambda: prepared.list_slices("lits"), lambda: prepared.read_split("lits", "lits-slice")):
        with pytest.raises(DataRefused, match="checksum does not match"):
            reading()


@pytest.mark.usefixtures("in_process")
def test_the_default_split_comes_first_and_unknown_ones_are_named(livers: Path) -> None:
    prepare("lits", livers, "lits")
    names = ("lits-patient", "lits-patient-2", "lits-patient-3", "lits-slice")
    assert prepared_index.split_names("lits") == names
    assert tuple(prepared.list_slices("lits")[0].parts) == names
    with pytest.raises(DataMissing, match="expected one of lits-patient, lits-patient-2"):
        prepared.read_split("lits", "busi-group")


MEASURED = """
import resource, sys
from pathlib import Path
from core import prepare_volumes
from core.prepare import prepare
if __name__ == "__main__":
    prepare_volumes._workers = lambda: 1
    prepare("lits", Path(sys.argv[1]), sys.argv[2])
    print(*(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_volumes(tmp_path: Path) -> None:
    import nibabel

    pictures = np.zeros((300, 300, 60), np.int16) - 1000
    labels = np.zeros(pictures.shape, np.uint8)
    labels[50:100, 50:100] = 1
    for name, count in (("one", 1), ("eight", 8)):
        (tmp_path / name).mkdir()
        for number in range(count):
            for kind, voxels in {"volume": pictures, "segmentation": labels}.items():
                image = nibabel.Nifti1Image(voxels, np.diag([-1, -1, 1, 1]))
                nibabel.save(image, tmp_path / name / f"{kind}-{number}.nii")
    kilobytes = []
    for name in ("one", "eight"):
        command = [sys.executable, "-c", MEASURED, str(tmp_path / name), name]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        kilobytes.append([int(value) for value in done.stdout.split()])
    held = (pictures.nbytes + labels.nbytes) / 1024  # of one volume; eight of them would be 130 MB
    for one, eight in zip(*kilobytes, strict=True):
        assert eight - one < 3 * held
