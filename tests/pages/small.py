"""A small prepared dataset with runs and stored results, made without TensorFlow, and pages run on it.

The pictures are dark discs on speckle in the folders and names of BUSI. A stand-in for the engine answers for
the networks: the darker, the likelier, with a little offset per network so that they disagree.
"""

from __future__ import annotations

import atexit
import json
import shutil
import struct
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import core.explain
from core import places
from core.records import Evidence, Run

ROOT = Path(__file__).resolve().parents[2]
MODELS = {"unet": 0.0, "multiresunet": 0.06, "dcunet": -0.08}
SIDE = 160
COUNTS = {"benign": 14, "malignant": 12, "normal": 8}


def disc(seed: int, normal: bool) -> tuple[np.ndarray, np.ndarray]:
    """A picture (SIDE, SIDE - 20) uint8 with one dark disc, and the disc's mask; no disc when normal."""
    rng = np.random.default_rng(seed)
    shape = (SIDE, SIDE - 20)
    row, column = np.indices(shape)
    centre, radius = rng.uniform(45, 95, 2), rng.uniform(14, 30)
    mask = np.hypot(row - centre[0], column - centre[1]) < radius
    mask &= not normal
    level = 150 + 20 * np.sin(row / rng.uniform(5, 15)) + rng.normal(0, 14, shape)
    return np.clip(np.where(mask, level - 95, level), 0, 255).astype(np.uint8), mask


def write_pictures(folder: Path) -> Path:
    """Pictures and masks in the layout of BUSI."""
    for at, (tag, count) in enumerate(COUNTS.items()):
        (folder / tag).mkdir(parents=True)
        for number in range(1, count + 1):
            picture, mask = disc(1000 * at + number, tag == "normal")
            Image.fromarray(picture).save(folder / tag / f"{tag} ({number}).png")
            Image.fromarray((mask * 255).astype(np.uint8)).save(folder / tag / f"{tag} ({number})_mask.png")
    return folder


def write_run(dataset: str, model: str, classes: Sequence[str] = ("background", "tumour")) -> None:
    """A run folder whose listing is in order; its weights are a few bytes that nothing can load."""
    from core import prepared, runs

    card = prepared.read_card(dataset)
    split = prepared.read_split(dataset, card.splits[0])
    name = runs.run_name(dataset, model, 0)
    folder = places.run(name)
    folder.mkdir(parents=True)
    content = f"not weights of {name}".encode()
    (folder / places.WEIGHTS).write_bytes(content)
    manifest = {
        "format": runs.FORMAT, "name": name, "dataset": dataset, "model": model, "seed": 0, "width": 8,
        "recipe": "strong", "classes": list(classes), "best_epoch": 3, "config": {"epochs": 4},
        "split": {"name": split.name, "sha256": split.sha256},
        "weights": {"sha256": f"{len(model):x}".rjust(2, "0") * 32, "bytes": len(content)},
        "validation": {"val_dice": 0.7, "val_loss": 0.4, "val_false_alarm": 0.1},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(manifest))
    rows = ["epoch,loss,learning_rate,val_loss,val_dice,val_false_alarm,seconds"]
    rows += [f"{e},{1 / e},0.001,{1.1 / e},{0.7 - 0.3 / e},{0.4 / e},1.5" for e in range(1, 5)]
    (folder / "history.csv").write_text("\n".join(rows) + "\n")


def stand_in() -> ModuleType:
    """What core.reading asks of the engine, answered from the picture's darkness; loads no TensorFlow."""
    engine = ModuleType("core.explain.engine")
    engine.BATCH = 8  # type: ignore[attr-defined]

    def predict(run: Run, layers: Sequence[str], images: np.ndarray) -> np.ndarray:
        from scipy.ndimage import gaussian_filter

        smooth = np.stack([gaussian_filter(image[..., 0], 3) for image in images])
        return (1 / (1 + np.exp(-40 * (0.42 + MODELS[run.model] - smooth))))[..., None].astype(np.float32)

    def evidence(run, layers, images, regions, labels, *asked):  # type: ignore[no-untyped-def]
        probability = predict(run, layers, images)
        made = []
        for at, p in enumerate(probability):
            region = np.ones((128, 128, 1), bool) if regions is None else regions[at, ..., :1]
            by_layer = {}
            for depth, layer in enumerate(layers):
                side = 8 * 2**depth
                small = p.reshape(side, 128 // side, side, 128 // side).mean((1, 3))[..., None]
                gradient = np.full_like(small, 0.1 * (MODELS[run.model] + 0.2) * region.any())
                score = float(p[region].mean()) if region.any() else float("nan")
                by_layer[layer] = Evidence(small, gradient, score)
            made.append([by_layer for _ in labels])
        return made

    engine.predict, engine.evidence = predict, evidence  # type: ignore[attr-defined]
    return engine


def answer_for_the_networks(patch: pytest.MonkeyPatch) -> ModuleType:
    """Put the stand-in in the place of the engine."""
    engine = stand_in()
    patch.setitem(sys.modules, "core.explain.engine", engine)
    patch.setattr(core.explain, "engine", engine, raising=False)
    return engine


def build(artifacts: Path, pictures: Path, dataset: str) -> None:
    """Prepared data, three runs, their results, and predictions and heatmaps of the whole test part."""
    from core import evaluate, prepare, runs
    from core.precompute import precompute

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_ARTIFACTS", str(artifacts))
        answer_for_the_networks(patch)
        prepare.prepare("busi", pictures, dataset)
        for model in MODELS:
            write_run(dataset, model)
        evaluate.evaluate(dataset, None)
        precompute(dataset, [run.name for run in runs.list_runs(dataset)])


@cache
def phantoms_only() -> Path:
    """An artifacts folder with the phantoms alone, made once per test run."""
    folder = _folder() / "phantoms"
    build(folder, pictures(), "phantom_busi")
    return folder


@cache
def phantoms_and_real() -> Path:
    """The same with a dataset that counts as real beside them."""
    folder = _folder() / "both"
    shutil.copytree(phantoms_only(), folder)
    build(folder, pictures(), "busi")
    return folder


@cache
def pictures() -> Path:
    """The pictures of the small dataset."""
    return write_pictures(_folder() / "pictures")


@cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="triptych-pages-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def open_page(name: str, *, through_app: bool = False, **query: str | list[str]) -> AppTest:
    """A page as a visitor gets it: alone, as on a deep link to a cold server, or through app.py."""
    page = AppTest.from_file(
        str(ROOT / ("app.py" if through_app else f"pages/{name}.py")), default_timeout=15
    )
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    return page.switch_page(f"pages/{name}.py").run() if through_app and name != "review" else page


def said(page: AppTest) -> str:
    """Every text of a page, without Markdown's escapes; tables cell by cell."""
    kinds = (
        "title",
        "header",
        "subheader",
        "markdown",
        "caption",
        "error",
        "info",
        "warning",
        "code",
        "success",
    )
    texts = [str(element.value) for kind in kinds for element in page.get(kind)]
    texts += [button.label for button in page.button]
    for kind in ("table", "dataframe"):
        for element in page.get(kind):
            frame = element.value
            texts += [*map(str, frame.columns), *map(str, frame.index), *map(str, frame.to_numpy().ravel())]
    return "\n".join(texts).replace("\\", "").replace("\u202f", " ").replace("\u00a0", " ")


def block(page: AppTest) -> dict[str, Any]:
    """The header of what the viewer was given."""
    payload = page.get("bidi_component")[0].proto.bytes
    (length,) = struct.unpack_from("<I", payload)
    return json.loads(payload[4 : 4 + length])


def panels(page: AppTest) -> list[dict[str, Any]]:
    """The headers of the panels that the viewer was given."""
    return block(page)["panels"]
