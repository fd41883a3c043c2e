"""A real browser on a real server: headless Chromium driven by playwright, Streamlit on a free port.

``serve(script)`` gives the address of a running server, one per script and environment; ``open_page(address)``
gives a page that records console errors, requests to other hosts and sizes of WebSocket frames.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = "tags => axe.run(document, { runOnly: tags, resultTypes: ['violations'] })"
# What waits for the server is dimmed, and then without contrast.
AT_REST = "() => !document.querySelector('[data-stale=true], [data-test-script-state=running]')"
# Colours that still change from one theme to the other have the contrast of neither.
SETTLED = """() => document.getAnimations().every(
    one => one.playState !== 'running' || one.effect.getComputedTiming().iterations === Infinity
)"""
PATIENCE = 120  # seconds until a server must answer; a busy machine takes its time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """Chromium, started once; a fresh temporary profile."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed: no program called chromium on the path")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serve(chromium: object) -> Iterator[Callable[..., str]]:
    """A function from a script (and further environment variables) to the address of a server that runs it."""
    running: dict[object, tuple[subprocess.Popen, str]] = {}

    def start(script: Path, **environment: str) -> str:
        wanted = (script, tuple(sorted(environment.items())))
        if wanted not in running:
            running[wanted] = start_server(script, environment)
        return running[wanted][1]

    yield start
    for server, _ in running.values():
        server.terminate()
    for server, _ in running.values():
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)
        server.kill()


def start_server(script: Path, environment: dict[str, str]) -> tuple[subprocess.Popen, str]:
    """A Streamlit process on a free port, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    command += [
        "--server.address",
        "127.0.0.1",
        "--server.headless",
        "true",
        "--browser.gatherUsageStats",
        "false",
    ]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | quiet | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
            return server, address
        time.sleep(0.2)
    server.kill()
    raise RuntimeError(f"no server for {script.name} after {PATIENCE} s")


@pytest.fixture(scope="session")
def profile(chromium: object) -> Iterator[object]:
    """One fresh browser profile for all tests, so that Streamlit's own files are fetched once."""
    context = chromium.new_context()
    yield context
    context.close()


@pytest.fixture
def open_page(profile: object) -> Iterator[Callable[..., object]]:
    """A function from an address to an open page; ``page.seen`` holds errors, foreign requests and frame sizes."""
    pages = []

    def opened(address: str, width: int = 1400, height: int = 900, theme: str = "light"):
        page = profile.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)
        page.set_default_timeout(1000 * PATIENCE)
        page.seen = SimpleNamespace(errors=[], foreign=[], sent=[], received=[])
        host = urlsplit(address).netloc
        page.on("pageerror", lambda error: page.seen.errors.append(str(error)))
        page.on("console", lambda line: line.type == "error" and page.seen.errors.append(line.text))
        page.on("request", lambda request: note_foreign(page, request.url, host))
        page.on("websocket", lambda socket: listen(page, socket))
        page.goto(address)
        return page

    yield opened
    for page in pages:
        page.close()


def note_foreign(page, url: str, host: str) -> None:
    parts = urlsplit(url)
    if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != host:
        page.seen.foreign.append(url)


def listen(page, websocket) -> None:
    websocket.on("framesent", lambda frame: page.seen.sent.append(len(frame)))
    websocket.on("framereceived", lambda frame: page.seen.received.append(len(frame)))


@pytest.fixture(scope="session")
def violations():
    """A function from a page to what is serious or critical on it, as "rule (impact): where: element".

    The whole document is looked at, Streamlit's own parts and the viewer's shadow root included.
    """
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe-playwright-python is not installed")

    def found(page) -> list[str]:
        page.wait_for_timeout(1000)
        page.wait_for_function(AT_REST)
        page.wait_for_function(SETTLED)
        page.evaluate(axe.AXE_SCRIPT)
        return [
            f"{rule['id']} ({rule['impact']}): {node['target']}: {node['html'][:160]}"
            for rule in page.evaluate(RUN, RULES)["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    return found
