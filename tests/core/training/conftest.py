"""A dataset of 20 phantoms, prepared once, and the smallest training that still has every part."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core import prepare
from core.datasets import phantom

ROOT = Path(__file__).resolve().parents[3]
SMALL = ["train", "phantom_busi", "unet", "--width", "2", "--epochs", "4", "--batch", "4"]
# XLA without its optimisations compiles in half the time what a test runs a few times.
JAX = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
}


@pytest.fixture(scope="session")
def phantom_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifacts folder that holds 20 prepared phantoms and nothing else."""
    folder = tmp_path_factory.mktemp("phantoms")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
        phantom.write(folder / "source", layout="busi", cases=20, seed=5)
        prepare.prepare("busi", folder / "source", "phantom_busi")
    return folder


@pytest.fixture
def phantoms(phantom_artifacts: Path, artifacts: Path) -> Path:
    """This test's own artifacts folder with the 20 phantoms in it."""
    shutil.copytree(phantom_artifacts / "data", artifacts / "data")
    return artifacts


def start(arguments: list[str], artifacts: Path, **variables: str) -> subprocess.Popen[str]:
    """``python -m core`` as a child process on ``artifacts``."""
    environment = {**os.environ, "TRIPTYCH_ARTIFACTS": str(artifacts), **variables}
    command = [sys.executable, "-m", "core", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(arguments: list[str], artifacts: Path, **variables: str) -> tuple[int, str]:
    """Exit status and output of ``python -m core``."""
    child = start(arguments, artifacts, **variables)
    output = child.communicate(timeout=300)[0]
    return child.returncode, output
