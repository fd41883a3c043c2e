"""Preparing volumes is killed: the old state or the new one is there, and what was finished is not read again."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import guarded, places, prepared
from core.prepare import prepare
from tests.core.conftest import content_of, serially, write_volume
from tests.core.test_prepare_killed import _group_lives, child

# In a process of its own, which loads no Keras and so may fork: over nothing, and over a state with one volume
# less, preparing is killed at its k-th rename, flush, link or removal, for every k.
KILLED_AT_EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
from core import guarded, places, prepared
from core.errors import DataMissing
from core.prepare import prepare

read = []

def serially(work, jobs, **_):
    for position, job in enumerate(jobs):
        read.append(job.case.id)
        yield position, work(job)

guarded.each = serially
os.fsync = lambda handle: None  # a killed process loses nothing that the system has; a busy disk costs minutes
less, more, root = map(Path, sys.argv[1:])
place = lambda name: os.environ.__setitem__("TRIPTYCH_ARTIFACTS", str(root / name))

def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

def killed_at(step):
    child = os.fork()
    if child == 0:
        left = [step]
        def counted(function):
            def call(*args, **kwargs):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)
            return call
        for name in ("replace", "fsync", "mkdir", "unlink", "rmdir", "rename", "link"):
            setattr(os, name, counted(getattr(os, name)))
        prepare("lits", more, "lits")
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])

place("new"); prepare("lits", more, "lits"); new = content(places.data("lits"))
place("old"); prepare("lits", less, "lits"); old = content(places.data("lits"))
assert old != new
steps = {"first": 0, "again": 0}
for start in steps:
    step = 0
    while True:
        step += 1
        place("trial")
        shutil.rmtree(root / "trial", ignore_errors=True)
        if start == "again":
            shutil.copytree(root / "old", root / "trial")
        was_killed = killed_at(step)
        try:
            state = content(prepared.folder("lits"))
            assert len(prepared.read_arrays("lits").images) in (12, 24)
            assert prepared.dataset_names() == ("lits",)
        except DataMissing:
            state = {}
        assert state in ((old, new) if start == "again" else ({}, new)), (start, step)
        aside = places.data("lits").with_name(".lits.part") / "volumes"
        finished = {p.parent.name for p in aside.glob("*/volume.json")}
        finished |= {p.parent.name for p in prepared.folder("lits").glob("volumes/*/volume.json")}
        read.clear()
        prepare("lits", more, "lits")
        assert not finished & set(read), (start, step, finished, read)
        assert content(places.data("lits")) == new, (start, step)
        left = sorted(p.name for p in places.data("lits").parent.iterdir())
        assert left in (["lits"], [".lits.lock", "lits"]), left
        if not was_killed:
            break
        steps[start] = step
print(steps["first"], steps["again"])
"""


@pytest.mark.slow
def test_killed_at_any_step_the_next_run_finishes_and_reads_no_finished_volume_again(tmp_path: Path) -> None:
    for number in (1, 2):
        write_volume(tmp_path / "more", number, slices=12, liver=range(1, 11))
    shutil.copytree(tmp_path / "more", tmp_path / "less")  # with the times of the files
    for path in (tmp_path / "less").glob("*-2.nii.gz"):
        path.unlink()
    running = child(KILLED_AT_EVERY_STEP, tmp_path / "less", tmp_path / "more", tmp_path / "killed")
    output, errors = running.communicate(timeout=600)
    assert running.returncode == 0, errors
    first, again = map(int, output.split())
    assert first > 30
    assert again > 30


REPORTING = """
import sys
from pathlib import Path
from core.prepare import prepare
if __name__ == "__main__":
    prepare("lits", Path(sys.argv[1]), "lits", report=lambda done, total, text: print(text, flush=True))
"""


@pytest.mark.slow
def test_killed_at_a_random_moment_no_child_stays_and_the_next_run_goes_on_and_equals_a_clean_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 7):
        write_volume(tmp_path / "livers", number)
    running = child(REPORTING, tmp_path / "livers")
    assert running.stdout is not None
    lines = [running.stdout.readline() for _ in range(int(np.random.default_rng().integers(1, 6)))]
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while _group_lives(running.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _group_lives(running.pid)
    read: list[str] = []

    def watched(work: Any, jobs: Any, **_: object) -> Any:
        read.extend(job.case.id for job in jobs)
        return serially(work, jobs)

    monkeypatch.setattr(guarded, "each", watched)
    prepare("lits", tmp_path / "livers", "lits")
    assert not {line.partition(",")[0] for line in lines} & set(read)
    after_kill = content_of(places.data("lits"))
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(tmp_path / "clean"))
    prepare("lits", tmp_path / "livers", "lits")
    assert content_of(places.data("lits")) == after_kill
    assert prepared.dataset_names() == ("lits",)
