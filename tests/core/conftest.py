"""Small sets in the layouts of BUSI and LiTS, preparing without child processes, and one small run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from core import guarded
from core.datasets import busi
from tests.bench.published import publish as published_run

COUNTS = {"benign": 12, "malignant": 6, "normal": 5}


def serially(work: Callable[[Any], Any], jobs: Sequence[Any], **_: object) -> Iterator[tuple[int, Any]]:
    """What guarded.each does, without children."""
    yield from ((position, work(job)) for position, job in enumerate(jobs))


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Preparing reads its files in this process."""
    monkeypatch.setattr(guarded, "each", serially)


def write_set(folder: Path, counts: dict[str, int] = COUNTS, seed: int = 0) -> Path:
    """A small set in BUSI's layout; every picture is different."""
    for tag, count in counts.items():
        (folder / tag).mkdir(parents=True)
        for number in range(1, count + 1):
            rng = np.random.default_rng([seed, busi.TAGS.index(tag), number])
            shape = (int(rng.integers(50, 90)), int(rng.integers(60, 100)))
            blurred = gaussian_filter(rng.normal(size=shape), 6)
            picture = np.interp(blurred, (blurred.min(), blurred.max()), (20, 180)).astype(np.uint8)
            mask = np.zeros(shape, np.uint8)
            if tag != "normal":
                mask[15 : 20 + number, 20 : 40 + number] = 255
            Image.fromarray(picture).save(folder / tag / f"{tag} ({number}).png")
            Image.fromarray(mask).save(folder / tag / f"{tag} ({number})_mask.png")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of 23 cases in BUSI's layout."""
    return write_set(tmp_path / "source")


def write_volume(
    folder: Path, number: int, *, slices: int = 30, liver: range = range(12, 20), is_labelled: bool = True
) -> None:
    """A CT volume (slices, 40, 36) of noise with a liver on screen left and some tumour, in LiTS's file names."""
    import nibabel

    rng = np.random.default_rng(number)
    pictures = rng.integers(-1000, 1000, (slices, 40, 36)).astype(np.int16)
    labels = np.zeros(pictures.shape, np.uint8)
    labels[liver.start : liver.stop, 10:25, 4:15] = 1
    labels[liver.start + 2 : max(liver.stop - 3, 0), 12 : 16 + number % 5, 6:9] = 2
    pictures[labels > 0] = pictures[labels > 0] % 100  # HU of soft tissue
    folder.mkdir(parents=True, exist_ok=True)
    affine = np.diag([-0.8, -0.7, 2.5, 1])  # of an array that is stored from left and back to right and front
    for name, voxels in {"volume": pictures, "segmentation": labels}.items():
        if name == "volume" or is_labelled:
            image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), affine)
            nibabel.save(image, folder / f"{name}-{number}.nii.gz")


@pytest.fixture
def livers(tmp_path: Path) -> Path:
    """A folder of five CT volumes in LiTS's layout: 0 and 1 are known as one patient, 3, 4 and 5 as three."""
    for number in (0, 1, 3, 4, 5):
        write_volume(tmp_path / "livers", number)
    return tmp_path / "livers"


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file under ``folder``, by relative name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifacts folder with one published width-4 run, phantom_busi-unet-0."""
    found = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_ARTIFACTS", str(found))
        published_run("unet", 4)
    return found


@pytest.fixture
def run(published: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a run, with an empty cache."""
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(published))
    shutil.rmtree(published / "cache", ignore_errors=True)
    return "phantom_busi-unet-0"


@pytest.fixture
def engine_asleep(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function after which any computation by a network is an error."""

    def refuse(*_: object) -> None:
        raise AssertionError("computed, although it is stored")

    def sleep() -> None:
        from core.explain import engine

        for name in ("predict", "evidence", "patiently"):
            monkeypatch.setattr(engine, name, refuse)

    return sleep
