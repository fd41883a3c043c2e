"""Trainings as processes of their own: started, asked, stopped, killed, resumed. With a stand-in for Keras."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from core import jobs, places, runs, settings
from core.errors import JobBusy, RunMissing, RunRefused
from core.training.progress import born
from tests.core.stand_in import COMMAND
from tests.core.training.conftest import phantom_artifacts as phantom_artifacts
from tests.core.training.conftest import phantoms as phantoms

RUN = "phantom_busi-unet-0"


@pytest.fixture
def stand_in(phantoms: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Artifacts with 20 phantoms, on which trainings are those of the stand-in; none outlives the test."""
    monkeypatch.setattr(jobs, "COMMAND", COMMAND)
    yield phantoms
    for job in jobs.list_jobs():
        if job.is_under_way:
            os.kill(job.facts["pid"], signal.SIGKILL)


def config(**changes):
    return settings.training_config("phantom_busi", "unet", **{"width": 2, "epochs": 3, **changes})


def wait_for(wanted, name=RUN, seconds=90):
    """The training once it is in a state of ``wanted`` (and, of those running, has finished an epoch)."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        job = jobs.read_job(name)
        if job.state in wanted and (job.state != "running" or job.facts.get("finished_epochs")):
            return job
        time.sleep(0.05)
    raise AssertionError(f"{name} is {job.state}, expected {wanted}: {jobs.log_tail(name)}")


def test_a_training_runs_as_a_process_of_its_own_to_its_end(stand_in):
    job = jobs.start_training(config())
    assert job.state in ("queued", "running", "finished")
    assert job.facts["pid"] != os.getpid()
    assert wait_for({"finished"}).run.best_epoch == 3
    assert jobs.log_tail(RUN)[-3:] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert [job.name for job in jobs.list_jobs()] == [RUN]


def test_its_process_leads_a_session_of_its_own_so_that_no_server_takes_it_along(stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN_EPOCH_S", "0.3")
    job = jobs.start_training(config(epochs=500))
    assert os.getsid(job.facts["pid"]) == job.facts["pid"] != os.getsid(0)


def test_a_stopped_training_keeps_its_epochs_and_resumes_to_the_weights_of_an_unbroken_one(
    stand_in, monkeypatch
):
    monkeypatch.setenv("STAND_IN_EPOCH_S", "0.2")
    jobs.start_training(config(epochs=12))
    wait_for({"running"})
    assert jobs.stop_training(RUN).state == "stopped"
    assert not (places.run(RUN) / "run.json").exists()
    assert jobs.read_job(RUN).can_resume
    monkeypatch.setenv("STAND_IN_EPOCH_S", "0")
    jobs.resume_training(RUN)
    broken = wait_for({"finished"}).run.weights_sha256
    shutil.rmtree(places.run(RUN))
    jobs.start_training(config(epochs=12))
    assert wait_for({"finished"}).run.weights_sha256 == broken


def test_a_killed_training_is_lost_and_can_be_resumed(stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN_EPOCH_S", "0.2")
    pid = jobs.start_training(config(epochs=300)).facts["pid"]
    wait_for({"running"})
    os.kill(pid, signal.SIGKILL)
    job = wait_for({"lost"})
    assert job.can_resume
    assert job.facts["state"] == "running"
    assert jobs.resume_training(RUN).facts["pid"] != pid
    assert wait_for({"running"}).facts["state"] == "running"


def test_what_ignores_the_first_signal_is_killed_after_its_time(stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN_EPOCH_S", "0.2")
    jobs.start_training(config(width=4, epochs=300))
    wait_for({"running"})
    assert jobs.stop_training(RUN, patience=0.6).state == "lost"


def test_the_page_stops_a_training_without_waiting(stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN_EPOCH_S", "0.2")
    jobs.start_training(config(epochs=300))
    wait_for({"running"})
    jobs.ask_to_stop(RUN)
    wait_for({"stopped"})


def test_a_named_failure_is_told_with_its_reason(stand_in):
    jobs.start_training(config(width=5))
    job = wait_for({"failed"})
    assert (job.reason, job.message) == ("disk_full", "The disk is full: nothing fits.")
    assert job.can_resume


def test_a_run_that_is_being_trained_is_not_started_again(stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN_EPOCH_S", "0.2")
    jobs.start_training(config(epochs=300))
    with pytest.raises(JobBusy, match="is being trained"):
        jobs.start_training(config(epochs=300))
    with pytest.raises(RunRefused, match="cannot be resumed"):
        jobs.resume_training(RUN)


def test_a_run_that_was_begun_is_resumed_and_not_started(stand_in):
    jobs.start_training(config())
    wait_for({"finished"})
    with pytest.raises(RunRefused, match="choose another seed"):
        jobs.start_training(config(epochs=9))


def test_a_start_that_ends_at_once_is_a_refusal_with_its_last_words(stand_in):
    shutil.rmtree(stand_in / "data")
    with pytest.raises(RunRefused, match=r"did not begin.*python -m core demo"):
        jobs.start_training(config())


def test_the_lock_tells_life_from_death_whatever_the_status_says(artifacts):
    folder = places.run(RUN)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model": "unet"}))
    for state in ("queued", "running"):
        (folder / "status.json").write_text(json.dumps({"state": state, "pid": os.getpid()}))
        assert jobs.read_job(RUN).state == "lost"
        with runs.hold(RUN):
            assert jobs.read_job(RUN).state == state
    (folder / "status.json").write_text("{")
    assert jobs.read_job(RUN).state == "lost"


@pytest.mark.parametrize("facts", [{"host": "elsewhere"}, {"born": "0"}, {}])
def test_a_process_that_is_not_certainly_the_training_is_never_signalled(artifacts, facts, monkeypatch):
    import socket

    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("signalled"))
    mine = {"state": "running", "pid": os.getpid(), "host": socket.gethostname(), "born": born(os.getpid())}
    told = {**mine, **facts} if facts else {"state": "running", "pid": os.getpid()}
    with runs.hold(RUN) as folder:
        (folder / "status.json").write_text(json.dumps(told))
        with pytest.raises(RunRefused):
            jobs.stop_training(RUN)


def test_an_unknown_run_is_missing_and_an_empty_folder_is_no_training(artifacts):
    places.run(RUN).mkdir(parents=True)
    assert jobs.list_jobs() == ()
    with pytest.raises(RunMissing):
        jobs.read_job(RUN)


def test_the_log_ends_with_its_last_lines_and_a_progress_bar_shows_its_last_state(artifacts):
    assert jobs.log_tail(RUN) == []
    places.run(RUN).mkdir(parents=True)
    (places.run(RUN) / "log.txt").write_bytes(b"x" * 70000 + b"\nfirst\nstep 1\rstep 2\nl\xffst\n")
    assert jobs.log_tail(RUN, 3) == ["first", "step 2", "l\ufffdst"]


def test_a_page_may_start_trainings_only_where_the_server_says_so(monkeypatch):
    monkeypatch.delenv("TRIPTYCH_ALLOW_TRAINING", raising=False)
    assert not jobs.training_is_allowed()
    monkeypatch.setenv("TRIPTYCH_ALLOW_TRAINING", "1")
    assert jobs.training_is_allowed()
