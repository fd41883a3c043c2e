"""Four small CT volumes in the layout of LiTS, prepared, with runs; pages run on them without TensorFlow."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from core.records import Evidence, Run
from tests.core import volumes as nifti
from tests.pages import small

SHAPE = (26, 48, 40)  # slices, rows, columns
TUMOURS = {201: (10, 13), 202: (12, 18), 203: None, 204: (8, 11)}  # case: slices with tumour
ORIENTATIONS = ("LPS", "RAS", "PLI", "LAS")
HU = (-100, 110, 30)  # background, liver, tumour: dark to the networks, bright, between


def volume(case: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures int16 HU and labels uint8, both ``SHAPE``; a liver on screen left, nothing near the ends."""
    k, y, x = np.indices(SHAPE)
    labels = ((np.hypot(y - 22, x - 13) < 10) & (k > 4) & (k < 22)).astype(np.uint8)
    if (there := TUMOURS[case]) is not None:
        labels[(np.hypot(y - 22, x - 13) < 5) & (k >= there[0]) & (k < there[1])] = 2
    noise = np.random.default_rng(case).normal(0, 6, SHAPE)
    return (np.choose(labels, HU) + noise).astype(np.int16), labels


def write_volumes(folder: Path) -> Path:
    """Volumes and segmentations, stored in different orientations; the last volume has no segmentation."""
    for case, codes in zip(TUMOURS, ORIENTATIONS, strict=True):
        pictures, labels = volume(case)
        for name, shown in (("volume", pictures), ("segmentation", labels)):
            if (name, case) != ("segmentation", 204):
                stored, affine = nifti.stored_as(shown, codes)
                nifti.write(folder / f"{name}-{case}.nii.gz", stored, affine)
    return folder


def stand_in() -> ModuleType:
    """What core.reading asks of the engine: three classes by brightness, a little different per network."""
    engine = ModuleType("core.explain.engine")
    engine.BATCH = 8  # type: ignore[attr-defined]

    def predict(run: Run, layers: Sequence[str], images: np.ndarray) -> np.ndarray:
        level = images[..., 0] + small.MODELS[run.model] / 2
        tumour = np.exp(-(((level - 0.475) / 0.06) ** 2))
        liver = np.exp(-(((level - 0.675) / 0.09) ** 2))
        whole = np.stack([np.full_like(level, 0.05), liver, tumour], axis=-1)
        return np.asarray(whole / whole.sum(axis=-1, keepdims=True), np.float32)

    def evidence(run, layers, images, regions, labels, *asked):  # type: ignore[no-untyped-def]
        made = []
        for at, p in enumerate(predict(run, layers, images)):
            by_label = []
            for slot, label in enumerate(labels):
                region = np.ones((128, 128), bool) if regions is None else regions[at][..., slot]
                by_layer = {}
                for depth, layer in enumerate(layers):
                    side = 8 * 2**depth
                    cells = (
                        p[..., label].reshape(side, 128 // side, side, 128 // side).mean((1, 3))[..., None]
                    )
                    score = float(p[region][:, label].mean()) if region.any() else float("nan")
                    by_layer[layer] = Evidence(cells, np.full_like(cells, 0.1 * region.any()), score)
                by_label.append(by_layer)
            made.append(by_label)
        return made

    engine.predict, engine.evidence = predict, evidence  # type: ignore[attr-defined]
    return engine


@cache
def prepared() -> Path:
    """An artifacts folder with the volumes and three runs, nothing computed; made once per test run."""
    from core import prepare

    folder = Path(tempfile.mkdtemp(prefix="triptych-volumes-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_ARTIFACTS", str(folder / "artifacts"))
        prepare.prepare("lits", write_volumes(folder / "source"), "lits")
        for model in small.MODELS:
            small.write_run("lits", model, ("background", "liver", "tumour"))
    return folder / "artifacts"
