"""Work in local threads or on Dask: the same answers, failures as answers, and an end when it is asked for."""

from __future__ import annotations

import threading
import time

import pytest

from core import executors
from core.errors import CoreError


def double(job, place, is_stopped):
    if job == "bad":
        raise ValueError("no double of it")
    return job * 2


def test_every_job_has_its_answer_and_a_failure_is_one():
    found = dict(executors.answers(executors.local(2), double, [3, "bad", "ab"], pause=0))
    assert (found[0], found[2]) == (6, "abab")
    assert isinstance(found[1], ValueError)


def test_no_more_jobs_at_a_time_than_asked_for():
    together, most, lock = 0, [], threading.Lock()

    def count(job, place, is_stopped):
        nonlocal together
        with lock:
            together += 1
            most.append(together)
        time.sleep(0.02)
        with lock:
            together -= 1

    list(executors.answers(executors.local(2), count, range(6), pause=0))
    assert max(most) == 2


def test_ctrl_c_asks_the_work_to_stop_and_waits_for_its_answers():
    ticks = []

    def tick():
        ticks.append(1)
        if len(ticks) == 2:
            raise KeyboardInterrupt

    def patient(job, place, is_stopped):
        while not is_stopped():
            time.sleep(0.01)
        return "stopped"

    found = dict(executors.answers(executors.local(1), patient, [0, 1, 2], tick, 0.01))
    assert found == {0: "stopped", 1: "stopped", 2: "stopped"}


def test_each_job_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    barrier = threading.Barrier(2, timeout=20)

    def where(job, place, is_stopped):
        barrier.wait()  # only two at once get past it: one on each GPU
        return place["CUDA_VISIBLE_DEVICES"]

    found = dict(executors.answers(executors.local(), where, range(4), pause=0))
    assert sorted(found.values()) == ["0", "0", "3", "3"]


@pytest.mark.parametrize(
    ("told", "names"), [("", []), ("-1", []), ("2", ["2"]), ("GPU-a,GPU-b", ["GPU-a", "GPU-b"])]
)
def test_gpus_are_those_that_the_environment_allows(told, names, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
    assert executors.gpus() == names


def test_a_machine_without_the_tool_of_the_driver_has_no_gpu(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", "")
    assert executors.gpus() == []


@pytest.mark.parametrize("address", [None, "tcp://127.0.0.1:1", "nonsense"])
def test_a_scheduler_that_is_not_there_is_named(address, monkeypatch):
    pytest.importorskip("distributed", reason="Dask is not installed: requirements-dask.txt")
    monkeypatch.setattr(executors, "SECONDS", 1.0)
    with pytest.raises(CoreError, match=r"Dask scheduler"), executors.dask(address):
        pass


def test_without_dask_the_message_says_how_to_install_it(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(executors, "import_module", absent)
    with pytest.raises(CoreError, match=r"requirements-dask\.txt"), executors.dask("tcp://127.0.0.1:1"):
        pass
