"""Kill a training anywhere: resumed, it ends with the weights of an uninterrupted one."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from core import atomic
from tests.core.training.conftest import SMALL, finish, start

RUN = "phantom_busi-unet-0"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def final(artifacts: Path) -> tuple[str, list[str]]:
    """Checksum of the published weights, and the history without its timings."""
    folder = artifacts / "runs" / RUN
    rows = (folder / "history.csv").read_text().splitlines()
    return atomic.sha256_file(folder / "model.weights.h5"), [row.rsplit(",", 1)[0] for row in rows]


@pytest.fixture(scope="module")
def uninterrupted(phantom_artifacts: Path, tmp_path_factory: pytest.TempPathFactory):
    artifacts = tmp_path_factory.mktemp("uninterrupted")
    shutil.copytree(phantom_artifacts / "data", artifacts / "data")
    began = time.monotonic()
    code, output = finish(SMALL, artifacts)
    assert code == 0, output
    return artifacts, time.monotonic() - began


def test_ten_kills_at_random_moments_change_nothing(uninterrupted, phantoms):
    whole, seconds = uninterrupted
    rng = random.Random(7)
    for _ in range(10):
        child = start([*SMALL, "--resume"], phantoms)
        moment = time.monotonic() + rng.uniform(0.2, 1.0) * seconds
        while child.poll() is None and time.monotonic() < moment:
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        child.communicate()
    code, output = finish([*SMALL, "--resume"], phantoms)
    assert code == 0, output
    assert final(phantoms) == final(whole)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "marker_cut", "marker_gone"])
def test_a_damaged_newest_checkpoint_is_set_aside_and_the_one_before_serves(uninterrupted, phantoms, damage):
    whole, _ = uninterrupted
    folder = phantoms / "runs" / RUN
    shutil.copytree(whole / "runs" / RUN, folder)
    for name in ("run.json", "model.weights.h5", "golden.npy"):
        (folder / name).unlink()
    weights, marker = (folder / "checkpoint" / f"ep-0004.{end}" for end in ("weights.h5", "json"))
    content = bytearray(weights.read_bytes())
    if damage == "truncated":
        weights.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 2] ^= 8
        weights.write_bytes(content)
    elif damage == "marker_cut":
        marker.write_text(marker.read_text()[:40])
    else:
        marker.unlink()
    code, output = finish([*SMALL, "--resume"], phantoms)
    assert code == 0, output
    assert ("set aside" in output) == (damage != "marker_gone")
    assert final(phantoms) == final(whole)
