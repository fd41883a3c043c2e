"""Preparing is killed: the old state or the new one is there, never half of it, and the next run finishes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from core import guarded, places, prepared
from core.prepare import prepare
from tests.core.conftest import content_of, serially

ROOT = Path(__file__).resolve().parents[2]


# In a process of its own, which loads no Keras and so may fork: prepare with seed 1 over nothing, and over a state
# of seed 0, is killed at its k-th rename, flush or removal, for every k.
KILLED_AT_EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
from core import guarded, places, prepared, split
from core.errors import DataMissing
from core.prepare import prepare

held = {}  # pictures are read and splits are made once: what is killed here is the writing

def serially(work, jobs, **_):
    for position, job in enumerate(jobs):
        if job not in held:
            held[job] = work(job)
        yield position, held[job]

def once(names, dataset, members, seed, make_all=split.make_all):
    if seed not in held:
        held[seed] = make_all(names, dataset, members, seed)
    return held[seed]

guarded.each, split.make_all = serially, once
source, root = Path(sys.argv[1]), Path(sys.argv[2])
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
        for name in ("replace", "fsync", "mkdir", "unlink", "rmdir", "rename"):
            setattr(os, name, counted(getattr(os, name)))
        prepare("busi", source, "busi", seed=1)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])

place("new"); prepare("busi", source, "busi", seed=1); new = content(places.data("busi"))
place("old"); prepare("busi", source, "busi", seed=0); old = content(places.data("busi"))
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
            state = content(prepared.folder("busi"))
            assert len(prepared.read_arrays("busi").images) == 23 and prepared.dataset_names() == ("busi",)
        except DataMissing:
            state = {}
        assert state in ((old, new) if start == "again" else ({}, new)), (start, step)
        prepare("busi", source, "busi", seed=1)
        assert content(places.data("busi")) == new, (start, step)
        left = sorted(p.name for p in places.data("busi").parent.iterdir())
        assert left in (["busi"], [".busi.lock", "busi"]), left
        if not was_killed:
            break
        steps[start] = step
print(steps["first"], steps["again"])
"""


def child(program: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(
        command,
        start_new_session=True,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_killed_at_any_step_leaves_the_old_or_the_new_state_and_the_next_run_finishes(source: Path) -> None:
    running = child(KILLED_AT_EVERY_STEP, source, source.parent / "killed")
    output, errors = running.communicate(timeout=300)
    assert running.returncode == 0, errors
    first, again = map(int, output.split())
    assert first > 20
    assert again > first


REPORTING = """
import sys
from pathlib import Path
from core.prepare import prepare
prepare("busi", Path(sys.argv[1]), "busi", report=lambda done, total, text: print(done, flush=True))
"""


@pytest.mark.slow
def test_killed_at_a_random_moment_no_child_stays_and_the_next_run_equals_a_clean_one(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = child(REPORTING, source)
    assert running.stdout is not None
    for _ in range(int(np.random.default_rng().integers(1, 20))):
        running.stdout.readline()
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while _group_lives(running.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _group_lives(running.pid)
    assert prepared.dataset_names() == ()
    monkeypatch.setattr(guarded, "each", serially)
    prepare("busi", source, "busi")
    after_kill = content_of(places.data("busi"))
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(source.parent / "clean"))
    prepare("busi", source, "busi")
    assert content_of(places.data("busi")) == after_kill


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
