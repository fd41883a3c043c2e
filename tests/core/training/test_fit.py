"""Starting, stopping and failing a training, each with a name and nothing lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from core import places, runs
from core.errors import JobBusy, RunRefused, TrainingFailed
from core.training.config import TrainConfig
from tests.core.training.conftest import JAX, ROOT, SMALL, finish, start

RUN = "phantom_busi-unet-0"
CONFIG = TrainConfig("phantom_busi", "unet", width=2, epochs=2, batch=4)
pytestmark = pytest.mark.slow


def trained(config=CONFIG, **options):
    from core.training.fit import train

    name = runs.run_name(config.dataset, config.model, config.seed, config.split)
    return train(name, config, report=options.pop("report", lambda facts: None), **options)


@dataclass(frozen=True)
class Once:
    """One training that ended: its folder, what it reported, and the signal handlers before and after it."""

    folder: Path
    seen: list[dict]
    before: list[object]
    after: list[object]


def handlers():
    return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]


@pytest.fixture(scope="module")
def once(phantom_artifacts, tmp_path_factory):
    folder, seen, before = tmp_path_factory.mktemp("once"), [], handlers()
    shutil.copytree(phantom_artifacts / "data", folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
        name = trained(report=lambda facts: seen.append(dict(facts))).name
        return Once(places.run(name), seen, before, handlers())


@pytest.fixture
def finished(phantoms, once):
    """The run of that training in this test's own artifacts folder."""
    shutil.copytree(once.folder, places.run(RUN))
    return runs.read_run(RUN)


def wait_for(path, seconds=120):
    limit = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < limit, f"{path} did not appear"
        time.sleep(0.05)


def test_a_run_is_published_whole_and_its_weights_load(once, finished):
    from core import weights

    run = finished
    assert once.folder.name == RUN
    assert run.problem is None
    assert run.manifest["parameters"] == weights.load(run).count_params()
    assert [row["epoch"] for row in runs.read_history(RUN)] == [1, 2]
    assert json.loads((places.run(RUN) / "status.json").read_text())["state"] == "finished"
    assert {facts["state"] for facts in once.seen} == {"running", "finished"}
    assert run.manifest["split"]["parts"]["test"] > 0
    assert run.manifest["device"].startswith("cpu")


def test_the_best_epoch_reproduces_its_logged_validation_dice(finished):
    from core import prepared, weights
    from core.training.validation import validate

    run = finished
    arrays = prepared.read_arrays(run.dataset)
    held_out = prepared.read_split(run.dataset, run.split).parts["validation"]
    rows = np.array([row for row, entry in enumerate(arrays.entries) if entry.case in held_out])
    again = validate(weights.load(run), arrays, rows, 2)
    assert again["val_dice"] == pytest.approx(run.validation["val_dice"], abs=1e-6)
    assert run.validation["val_dice"] == max(row["val_dice"] for row in runs.read_history(RUN)) or (
        run.validation["val_dice"]
        == pytest.approx(max(r["val_dice"] for r in runs.read_history(RUN)), rel=1e-4)
    )


def test_signals_mean_again_what_they_meant_once_a_training_has_ended(once):
    assert once.after == once.before


def test_a_finished_run_is_never_overwritten(finished):
    before = (places.run(RUN) / "run.json").stat().st_mtime_ns
    assert trained().weights_sha256 == finished.weights_sha256
    assert (places.run(RUN) / "run.json").stat().st_mtime_ns == before


def test_a_calibrated_run_says_its_temperature_and_keeps_its_dice(phantoms):
    from dataclasses import replace

    run = trained(replace(CONFIG, calibrate=True))
    best = runs.read_history(RUN)[run.best_epoch - 1]
    assert run.manifest["temperature"] > 0
    assert run.validation["val_loss"] <= best["val_loss"] + 1e-6
    assert run.validation["val_dice"] == pytest.approx(best["val_dice"], rel=1e-5)


def test_other_settings_in_the_same_folder_are_refused_by_name(finished):
    with pytest.raises(RunRefused, match="other settings"):
        trained(TrainConfig("phantom_busi", "unet", width=2, epochs=3, batch=4))


def test_a_begun_run_is_not_continued_unasked(finished):
    for name in ("run.json", places.WEIGHTS):
        (places.run(RUN) / name).unlink()
    with pytest.raises(RunRefused, match="--resume"):
        trained()


def test_a_loss_that_is_not_a_number_stops_the_training_and_says_so(phantoms):
    from dataclasses import replace

    with pytest.raises(TrainingFailed, match="NaN") as failed:
        trained(replace(CONFIG, learning_rate=1e30, clip=0.0, warmup=0.0))
    assert failed.value.reason == "diverged"
    status = json.loads((places.run(RUN) / "status.json").read_text())
    assert (status["state"], status["reason"]) == ("failed", "diverged")
    assert not (places.run(RUN) / "run.json").exists()


def test_a_full_disk_is_named_and_leaves_no_half_file(phantoms, monkeypatch):
    import keras

    def full(self, path, **options):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keras.Model, "save_weights", full)
    with pytest.raises(TrainingFailed, match="disk is full") as failed:
        trained()
    assert failed.value.reason == "disk_full"
    assert list((places.run(RUN) / "checkpoint").iterdir()) == []


def test_a_gpu_that_is_not_there_is_refused_by_name(phantoms):
    import keras

    if any(name.lower().startswith(("gpu", "cuda")) for name in keras.distribution.list_devices()):
        pytest.skip("this machine has a GPU")
    with pytest.raises(RunRefused, match="No GPU is visible"):
        trained(device="gpu")


def test_a_second_start_of_the_same_run_ends_with_75_and_loads_no_keras(phantoms):
    with runs.hold(RUN):
        began = time.monotonic()
        code, output = finish(SMALL, phantoms)
        assert code == 75, output
        assert "already being trained" in output
        with pytest.raises(JobBusy):
            runs.hold(RUN).__enter__()
        assert time.monotonic() - began < 60


def test_sigterm_stops_between_batches_and_keeps_what_is_finished(phantoms):
    child = start([*SMALL[:-4], "--epochs", "200", "--batch", "4"], phantoms)
    wait_for(phantoms / "runs" / RUN / "checkpoint" / "ep-0001.json")
    os.kill(child.pid, signal.SIGTERM)
    output = child.communicate(timeout=60)[0]
    assert child.returncode == 130, output
    assert json.loads((phantoms / "runs" / RUN / "status.json").read_text())["state"] == "stopped"
    assert not (phantoms / "runs" / RUN / "run.json").exists()


def test_an_external_set_is_never_trained_on(phantoms):
    from core import prepare

    source = phantoms.parent / "hospital"
    from core.datasets import phantom

    phantom.write(source, layout="busi", cases=6, seed=9)
    prepare.prepare("busi", source, "hospital_b")
    code, output = finish(["train", "hospital_b", "unet"], phantoms)
    assert code == 1
    assert "external test set" in output


def test_the_same_code_trains_under_jax_and_the_weights_serve_tensorflow(phantoms):
    pytest.importorskip("jax", reason="jax is not installed")
    from core import weights

    small = ["train", "phantom_busi", "unet", "--width", "2", "--epochs", "1", "--batch", "4"]
    code, output = finish(small, phantoms, **JAX)
    assert code == 0, output
    run = runs.read_run(RUN)
    assert run.manifest["backend"] == "jax"
    assert weights.load(run).name == "unet"  # the golden output was computed by jax


def test_two_backends_draw_the_same_loss_curve_from_the_same_weights(tmp_path):
    pytest.importorskip("jax", reason="jax is not installed")
    curves = {}
    for backend, variables in {"tensorflow": {"KERAS_BACKEND": "tensorflow"}, "jax": JAX}.items():
        command = [sys.executable, "-m", "tests.core.training.curve", str(tmp_path / "first.weights.h5")]
        environment = {**os.environ, **variables}
        child = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert child.returncode == 0, child.stderr
        curves[backend] = np.array(json.loads(child.stdout.splitlines()[-1]))
    assert len(curves["jax"]) == 16
    assert curves["jax"][-1] < curves["jax"][0]
    assert np.allclose(curves["tensorflow"], curves["jax"], rtol=5e-3)
    assert np.allclose(curves["tensorflow"][0], curves["jax"][0], rtol=1e-5)


def test_averaged_weights_and_early_stopping_survive_in_one_training(phantoms, monkeypatch):
    from dataclasses import replace

    from core.training import validation

    monkeypatch.setattr(validation, "SETTLING", 4)
    run = trained(replace(CONFIG, epochs=6, ema=0.9, patience=1, learning_rate=1e-6, final_rate=1e-7))
    assert run.manifest["epochs_run"] <= 6
    assert run.manifest["config"]["ema"] == 0.9
