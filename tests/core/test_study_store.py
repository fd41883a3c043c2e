"""What happens in a study survives two windows, a killed server and a damaged file."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core import DataRefused, StudyRefused, places, study_files, study_store
from tests.core.studies import answers, make, plan, rate_all

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""

    class Clock:
        now = 1_000_000.0

    monkeypatch.setattr(study_store, "clock", lambda: Clock.now)
    return Clock


def refused(code):
    return pytest.raises(StudyRefused, check=lambda error: error.code == code)


def test_a_study_is_read_as_it_was_made():
    study = make()
    assert study_files.read("small") == study
    assert study_files.list_studies() == (study,)
    assert study_files.read_key(study) == plan()[1]


def test_a_second_study_of_the_same_name_is_refused_and_the_first_kept():
    make()
    with refused("exists"):
        make(title="Another")
    assert study_files.read("small").title == "Which one?"
    assert sorted(path.name for path in places.studies().iterdir()) == ["small"]


@pytest.mark.parametrize("name", ["other", "../small", "", "x" * 100])
def test_a_study_that_is_not_there_is_said_to_be_missing(name):
    with refused("missing"):
        study_files.read(name)


def test_a_damaged_study_is_named():
    make()
    (places.study("small") / "study.json").write_text("{")
    with pytest.raises(DataRefused, match=r"artifacts/studies/small/study\.json"):
        study_files.list_studies()


def test_a_reader_goes_through_the_positions_one_by_one():
    study = make()
    assert study_store.due(study, "ann") == 0
    study_store.submit(study, "ann", "w", 0, answers(study))
    assert study_store.due(study, "ann") == 1
    assert study_store.due(study, "bob") == 0
    rate_all(study, "bob")
    assert study_store.due(study, "bob") is None


def test_a_case_is_final_once_it_is_submitted_and_none_can_be_left_out():
    study = make()
    study_store.submit(study, "ann", "w", 0, answers(study))
    for position in (0, 2):
        with refused("rated"):
            study_store.submit(study, "ann", "w", position, answers(study))


def test_an_unknown_reader_is_refused():
    with refused("reader"):
        study_store.sit_down(make(), "eve", "w")


@pytest.mark.parametrize("question", ["acceptability", "extent", "edit", "confidence", "ranking"])
@pytest.mark.parametrize("given", [None, "", "9", 3])
def test_every_question_needs_one_of_its_answers(question, given):
    study = make()
    found = answers(study)
    found["B"][question] = given
    with refused("answers"):
        study_store.submit(study, "ann", "w", 0, found)
    assert study_store.due(study, "ann") == 0


def test_a_letter_left_out_is_missing():
    study = make()
    found = answers(study)
    del found["C"]
    with pytest.raises(StudyRefused, match=r"Missing: Acceptable as it is \(C\)"):
        study_store.submit(study, "ann", "w", 0, found)


def test_the_second_window_of_a_reader_is_refused_until_the_first_is_silent(clock):
    study = make()
    study_store.sit_down(study, "ann", "first")
    clock.now += 30
    study_store.attend(study, "ann", "first", 0)  # a sign of life
    clock.now += 30
    with refused("seat"):
        study_store.sit_down(study, "ann", "second")
    with refused("seat"):
        study_store.submit(study, "ann", "second", 0, answers(study))
    study_store.sit_down(study, "bob", "second")  # another reader has a seat of his own
    clock.now += 16
    study_store.sit_down(study, "ann", "second")
    with refused("seat"):
        study_store.submit(study, "ann", "first", 0, answers(study))


def test_a_window_whose_browser_is_gone_gives_its_seat_at_once(clock):
    study = make()
    study_store.sit_down(study, "ann", "closed")
    study_store.sit_down(study, "ann", "second", lambda window: window != "closed")
    study_store.leave(study, "ann", "second")
    study_store.sit_down(study, "ann", "third")


def test_times_are_counted_over_all_sittings_and_never_more_than_passed(clock):
    study = make()
    study_store.attend(study, "ann", "morning", 0)
    clock.now += 20
    study_store.attend(study, "ann", "morning", 0, active_s=15)
    clock.now += 3600
    study_store.attend(study, "ann", "evening", 0)
    clock.now += 10
    study_store.submit(study, "ann", "evening", 0, answers(study), active_s=1e9)
    study_store.lock(study, "only for this test")
    (rating,) = study_store.ratings(study)
    assert rating["active_s"] == 25  # 15 reported, and at most the 10 that passed
    assert rating["wall_s"] == 3630


def test_ratings_stay_closed_until_the_study_is_locked():
    study = make()
    rate_all(study, "ann")
    with refused("locked"):
        study_store.ratings(study)


def test_locking_needs_all_readers_or_a_written_reason():
    study = make()
    rate_all(study, "ann")
    for reason in ("", "   ", "enough"):
        with refused("locked"):
            study_store.lock(study, reason)
    assert study_store.lock_of(study) is None
    assert study_store.lock(study, "bob fell ill and cannot go on").reason.startswith("bob")
    other = make("second")
    rate_all(other, "ann")
    rate_all(other, "bob")
    assert study_store.lock(other, "not needed").reason == ""


def test_a_locked_study_takes_nothing_more():
    study = make()
    study_store.lock(study, "stopped at once for this test")
    for act in (
        lambda: study_store.sit_down(study, "ann", "w"),
        lambda: study_store.attend(study, "ann", "w", 0),
        lambda: study_store.submit(study, "ann", "w", 0, answers(study)),
        lambda: study_store.lock(study, "once more, with a reason"),
    ):
        with refused("locked"):
            act()


def test_cases_of_an_open_study_are_closed_elsewhere_and_those_of_practice_are_not():
    study = make()
    make("trial", practice=True, groups={"e": "e"})
    assert study_files.studied_cases("set") == dict.fromkeys("abcd", "Which one?")
    assert study_files.studied_cases("other") == {}
    study_store.lock(study, "stopped at once for this test")
    assert study_files.studied_cases("set") == {}


def test_of_many_windows_that_submit_the_same_case_one_wins():
    study = make()
    won, lost = [], []

    def submit() -> None:
        try:
            study_store.submit(study, "ann", "w", 0, answers(study))
            won.append(1)
        except StudyRefused as error:
            lost.append(error.code)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert lost == ["rated"] * 7


CHILD = """
import sys
from core import study_files, study_store
from tests.core.studies import answers
study = study_files.read("small")
at = study_store.due(study, "ann")
while at is not None:
    study_store.submit(study, "ann", "w", at, answers(study, A=at % 5))
    print(at, flush=True)
    at = study_store.due(study, "ann")
"""


def test_a_rating_that_was_confirmed_outlives_a_killed_server(artifacts):
    cases = tuple(f"case-{number}" for number in range(400))
    study = make(orders={"ann": cases}, groups=dict.fromkeys(cases, "g"))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TRIPTYCH_ARTIFACTS": str(artifacts)}
    confirmed = -1
    for kills in range(1, 4):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        while confirmed < 7 * kills:
            confirmed = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        rest = child.stdout.read().split()
        child.wait()
        confirmed = max([confirmed, *map(int, rest)])
        due = study_store.due(study, "ann")
        assert due in (confirmed + 1, confirmed + 2)  # the last one may be stored and not yet confirmed
    study_store.lock(study, "the server was killed three times")
    ratings = study_store.ratings(study)
    assert [rating["position"] for rating in ratings] == list(range(due))
    assert all(rating["outlines"] == answers(study, A=at % 5) for at, rating in enumerate(ratings))
    with sqlite3.connect(places.study("small") / "ratings.sqlite") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"no database" * 500), Path.unlink])
def test_a_damaged_file_of_ratings_is_named(damage):
    study = make()
    damage(places.study("small") / "ratings.sqlite")
    with pytest.raises(DataRefused, match=r"artifacts/studies/small/ratings\.sqlite"):
        study_store.due(study, "ann")


def test_whatever_fails_inside_a_transaction_undoes_all_of_it():
    study = make()

    def fail() -> str:
        raise RuntimeError("the power is gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_store, "now", fail)  # asked for after the time has been counted
        with pytest.raises(RuntimeError, match="power"):
            study_store.submit(study, "ann", "w", 0, answers(study), active_s=1)
    assert study_store.due(study, "ann") == 0
    with sqlite3.connect(places.study("small") / "ratings.sqlite") as db:
        assert db.execute("SELECT count(*) FROM sittings").fetchone() == (0,)


def test_outlines_that_changed_since_are_refused_without_a_name(artifacts, monkeypatch):
    study = make()
    monkeypatch.setattr(
        study_files.runs, "read_run", lambda name: type("Run", (), {"weights_sha256": "cd" * 32})
    )
    with refused("changed") as found:
        study_files.outlines(study, "ann", 0)
    assert "unet" not in str(found.value)


def test_the_file_of_a_reader_and_the_key_share_nothing(artifacts):
    make()
    whole = json.loads((places.study("small") / "study.json").read_text())
    assert "hidden" not in whole
    assert "weights" not in whole
