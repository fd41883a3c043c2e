"""A training from the browser: started, stopped, resumed, found again by another server, killed, resumed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from core import jobs, places, prepare, runs
from core.datasets import phantom
from tests.browser.conftest import start_server

ROOT = Path(__file__).parents[2]
RUN = "phantom_busi-unet-7"
FURTHER = re.compile(r"Epoch ([2-9]|\d\d+) of 400")  # an epoch may be over before the page asks again
KEPT = "It was stopped. Everything up to the last finished epoch is kept"
PATIENCE_MS = 300_000  # Keras is loaded three times; a busy machine takes its time
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def begun(artifacts, chromium):
    """Artifacts with 20 phantoms, and a function that starts a server on them; nothing outlives the test."""
    phantom.write(artifacts / "source", layout="busi", cases=20, seed=5)
    prepare.prepare("busi", artifacts / "source", "phantom_busi")
    shutil.rmtree(artifacts / "source")
    servers = []

    def server() -> str:
        allowed = {"TRIPTYCH_ARTIFACTS": str(artifacts), "TRIPTYCH_ALLOW_TRAINING": "1"}
        process, address = start_server(ROOT / "app.py", allowed)
        servers.append(process)
        return f"{address}/runs"

    yield server, servers
    for process in servers:
        process.kill()
        process.wait()
    for job in jobs.list_jobs():
        if job.is_under_way:
            os.kill(job.facts["pid"], signal.SIGKILL)


def fill(page, label: str, value: int) -> None:
    page.get_by_role("spinbutton", name=label, exact=True).fill(str(value))
    page.keyboard.press("Tab")


def wait_for_epoch(number: int, seconds: int = 300) -> None:
    """Until the training has finished so many epochs since the beginning."""
    limit = time.monotonic() + seconds
    while len(runs.read_history(RUN)) < number:
        assert time.monotonic() < limit, jobs.log_tail(RUN)
        time.sleep(0.2)


def stop_of_training(page):
    """The page's own button: while a script runs, Streamlit shows one of the same name in the header."""
    return page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop", exact=True)


def test_a_training_is_started_stopped_resumed_found_again_killed_and_resumed(begun, open_page):
    server, servers = begun
    page = open_page(server())
    page.get_by_text("No network was trained here yet.").wait_for()
    for label, value in {"Width": 2, "Epochs": 400, "Seed": 7, "Batch": 4}.items():
        fill(page, label, value)
    page.get_by_role("button", name="Start the training").click()
    stop_of_training(page).wait_for(timeout=PATIENCE_MS)
    page.get_by_role("button", name=f"Wait: {RUN} is under way").wait_for()
    page.get_by_text(FURTHER).first.wait_for(timeout=PATIENCE_MS)
    first = jobs.read_job(RUN).facts["pid"]

    stop_of_training(page).click()
    page.get_by_text(KEPT).wait_for(timeout=PATIENCE_MS)
    assert not runs.is_held(RUN)
    kept = len(runs.read_history(RUN))
    assert kept >= 1

    page.get_by_role("button", name="Resume").click()
    stop_of_training(page).wait_for(timeout=PATIENCE_MS)
    wait_for_epoch(kept + 1)
    second = jobs.read_job(RUN).facts["pid"]
    assert second != first

    servers[0].kill()
    servers[0].wait()
    page.close()
    assert jobs.read_job(RUN).is_under_way
    page = open_page(server())
    stop_of_training(page).wait_for(timeout=PATIENCE_MS)
    page.get_by_text("of 400, step").first.wait_for(timeout=PATIENCE_MS)
    assert jobs.read_job(RUN).facts["pid"] == second

    os.kill(second, signal.SIGKILL)
    page.get_by_text("Its process ended without saying why").wait_for(timeout=PATIENCE_MS)
    assert not (places.run(RUN) / "run.json").exists()
    kept = len(runs.read_history(RUN))
    page.get_by_role("button", name="Resume").click()
    stop_of_training(page).wait_for(timeout=PATIENCE_MS)
    wait_for_epoch(kept + 1)
    rows = [int(row["epoch"]) for row in runs.read_history(RUN)]
    assert rows == list(range(1, len(rows) + 1))
    stop_of_training(page).click()
    page.get_by_text(KEPT).wait_for(timeout=PATIENCE_MS)
    assert [
        error for error in page.seen.errors if "404" not in error
    ] == []  # Streamlit's own, on a deep link
    assert page.seen.foreign == []
