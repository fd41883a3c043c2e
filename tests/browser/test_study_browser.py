"""The reader study in a real browser: what travels to it, resuming, two windows, visible time, a killed server."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

import core
from core import study_store
from pages.parts import study_watch
from tests.browser.conftest import PATIENCE, start_server
from tests.pages import small
from tests.pages.blinding import given_away, secrets, unpacked

DATASET = "phantom_busi"
PICTURES = ".viewer canvas[role=img]"
READERS = ["ann", "bob", "eve", "joy", "kim", "lou"]  # one for each test


@pytest.fixture(scope="module")
def desk(tmp_path_factory, serve):
    """An artifacts folder with one open study, and a server on it."""
    folder = tmp_path_factory.mktemp("study") / "artifacts"
    shutil.copytree(small.phantoms_only(), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
        study = core.create_study(
            {
                "id": "first", "title": "Which outline?", "dataset": DATASET, "readers": READERS,
                "runs": [f"{DATASET}-{model}-0" for model in small.MODELS],
                "cases": {"number": 3, "tags": ["benign", "malignant"]},
            }
        )  # fmt: skip
    address = serve(small.ROOT / "app.py", TRIPTYCH_ARTIFACTS=str(folder))
    return SimpleNamespace(folder=folder, study=study, address=address)


@pytest.fixture(autouse=True)
def _same_folder(desk, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(desk.folder))


@pytest.fixture
def window(profile, desk):
    """A function that opens a window on the study; ``page.frames_in`` holds every frame that came in."""
    pages = []

    def opened(address: str = ""):
        page = profile.new_page()
        pages.append(page)
        page.set_default_timeout(1000 * PATIENCE)
        page.set_viewport_size({"width": 1440, "height": 900})
        page.frames_in, page.errors = [], []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: keep(page, frame)))
        page.goto(f"{address or desk.address}/reader_study?study=first")
        page.get_by_role("textbox", name="Your reader code").wait_for()
        return page

    yield opened
    for page in pages:
        page.close()


def keep(page, frame) -> None:
    page.frames_in.append(frame if isinstance(frame, bytes) else frame.encode())


def begin(page, reader: str) -> None:
    page.get_by_role("textbox", name="Your reader code").fill(reader)
    page.get_by_role("button", name="Begin").click()


def wait_for_case(page, number: int) -> None:
    page.get_by_text(f"Case {number} of 4").wait_for()
    page.wait_for_selector(f".viewer[data-token='first/{number - 1}']")
    page.wait_for_selector(PICTURES)
    page.wait_for_timeout(1000)


def rate(page, position: int) -> None:
    for letter in "ABC":
        for question in core.STUDY_QUESTIONS:
            page.locator(f".st-key-s-{position}-{letter}-{question} [role=radio]").first.click()
    page.get_by_role("button", name="Submit and next").click()


def visible_s(page) -> float:
    """For how many seconds the page's own clock has seen the case up to now."""
    return page.evaluate(
        "() => triptychClock.seconds + (performance.now() - (triptychClock.since ?? performance.now())) / 1000"
    )


def test_no_frame_names_a_network_a_colour_of_one_or_a_case(window, desk):
    page = window()
    begin(page, "ann")
    wait_for_case(page, 1)
    picture = page.locator(PICTURES).nth(1)
    picture.click()
    for key in ("e", "f", "b", "g", "s", "+", "x", "x", "?"):
        page.keyboard.press(key)
    page.wait_for_timeout(800)
    page.get_by_role("button", name="Submit and next").click()
    page.get_by_text("Please answer everything").wait_for()
    rate(page, 0)
    wait_for_case(page, 2)
    words = secrets(desk.folder, DATASET, desk.study.cases)
    assert b"outline a" in unpacked(b"".join(page.frames_in))  # the search does see what is sent
    assert b"triptych_viewer" in unpacked(b"".join(page.frames_in))  # the scripts among it
    assert given_away(page.frames_in, words) == []
    assert given_away([page.content().encode()], words) == []
    assert page.url.endswith("/reader_study?study=first")
    assert page.errors == []


def test_a_reader_sees_outlines_alone_and_cannot_save_them(window, violations):
    page = window()
    begin(page, "lou")
    wait_for_case(page, 1)
    assert violations(page) == []
    viewer = page.locator(".viewer")
    for name in ("Save", "Fill", "Error", "Probability", "Votes", "Heatmap"):
        assert viewer.get_by_role("button", name=name).count() == 0
    page.locator(PICTURES).nth(1).click()
    page.keyboard.press("e")
    page.wait_for_timeout(500)
    assert "outline view" in page.locator(PICTURES).nth(1).get_attribute("aria-label")


def test_closing_the_browser_and_coming_back_goes_on_at_the_first_open_case(window):
    page = window()
    begin(page, "bob")
    wait_for_case(page, 1)
    rate(page, 0)
    wait_for_case(page, 2)
    page.close()
    page = window()
    begin(page, "bob")
    wait_for_case(page, 2)


def test_the_second_window_of_a_reader_is_refused_while_the_first_is_open(window):
    first, second = window(), window()
    begin(first, "eve")
    wait_for_case(first, 1)
    begin(second, "eve")
    second.get_by_text("You are reading this study in another window").wait_for()
    assert second.locator(PICTURES).count() == 0
    first.close()
    second.wait_for_timeout(1500)
    begin(second, "eve")
    wait_for_case(second, 1)


def test_time_is_counted_while_the_page_is_visible_and_no_longer(window, desk):
    page = window()
    begin(page, "kim")
    wait_for_case(page, 1)
    page.evaluate(
        "Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' });"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.wait_for_timeout(6000)
    page.evaluate("delete document.visibilityState; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(500)
    rate(page, 0)
    wait_for_case(page, 2)
    with study_store._transaction(desk.study) as db:
        active, wall = db.execute("SELECT active_s, wall_s FROM ratings WHERE reader = 'kim'").fetchone()
    assert 1 < active < wall - 4


def test_the_clock_of_the_case_before_is_stopped(open_page, desk):
    page = open_page(desk.address)
    signs = page.evaluate(
        """async (script) => {
          const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
          const { default: watch } = await import(url);
          const signs = [];
          const setStateValue = (_, sign) => signs.push(sign);
          const tell = (token) => watch({ data: { token, every: 0.05 }, setStateValue });
          for (const token of ["first", "second", "third"]) tell(token);
          signs.length = 0;
          await new Promise((resolve) => setTimeout(resolve, 500));
          tell("third")();  // once more, as after a change of theme, and then it is taken down
          const last = signs.length;
          await new Promise((resolve) => setTimeout(resolve, 300));
          return { signs, last };
        }""",
        study_watch.SCRIPT,
    )
    assert {sign["token"] for sign in signs["signs"]} == {"third"}
    assert len(signs["signs"]) == signs["last"] >= 3
    assert signs["signs"][-1]["seconds"] >= 0.3


def test_cases_rated_one_after_the_other_each_have_their_time(window, desk):
    page = window()
    begin(page, "joy")
    seen = []
    for position in range(3):
        wait_for_case(page, position + 1)
        page.wait_for_timeout(6000 if position == 2 else 0)  # past the next sign of the first case, at 10 s
        seen.append(visible_s(page))
        rate(page, position)
    wait_for_case(page, 4)
    with study_store._transaction(desk.study) as db:
        times = db.execute(
            "SELECT active_s, wall_s FROM ratings WHERE reader = 'joy' ORDER BY position"
        ).fetchall()
    assert len(times) == 3
    assert seen[2] > 6
    # The server hears of a case after the browser has shown it: on a machine under load, some seconds after.
    assert all(at_least / 2 < active <= wall for at_least, (active, wall) in zip(seen, times, strict=True))


def test_a_server_killed_between_two_cases_loses_no_rating(window, desk, tmp_path):
    folder = shutil.copytree(desk.folder, tmp_path / "artifacts")
    server, address = start_server(small.ROOT / "app.py", {"TRIPTYCH_ARTIFACTS": str(folder)})
    try:
        page = window(address)
        begin(page, "lou")
        page.wait_for_timeout(500)
        wait_for_case(page, 1)
        rate(page, 0)
        wait_for_case(page, 2)
    finally:
        server.kill()
        server.wait()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
        assert core.study_due(desk.study, "lou") == 1
        core.leave_study(desk.study, "lou", window_of(desk.study, "lou"))  # else its seat is kept for 45 s
    server, address = start_server(small.ROOT / "app.py", {"TRIPTYCH_ARTIFACTS": str(folder)})
    try:
        page = window(address)
        begin(page, "lou")
        wait_for_case(page, 2)
    finally:
        server.kill()
        server.wait()


def window_of(study, reader: str) -> str:
    with study_store._transaction(study) as db:
        return db.execute("SELECT window FROM seats WHERE reader = ?", (reader,)).fetchone()[0]
