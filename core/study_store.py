"""What happens in a reader study: seats, times, ratings and the lock, in one SQLite file per study.

Every change is one transaction (write-ahead log, synced): a rating that was confirmed
outlives a killed server, and of two windows one wins.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core import atomic, places
from core.errors import DataRefused, StudyRefused
from core.study import QUESTIONS, Study

RATINGS = "ratings.sqlite"
SEAT_SECONDS = 45.0  # without a sign of life after which another window may go on; signs come every 10 s
SIGN_SECONDS = 10
TABLES = """
CREATE TABLE ratings (
  reader TEXT, position INTEGER, submitted TEXT NOT NULL, active_s REAL NOT NULL, wall_s REAL NOT NULL,
  answers TEXT NOT NULL, PRIMARY KEY (reader, position)
);
CREATE TABLE sittings (
  reader TEXT, position INTEGER, window TEXT, started REAL NOT NULL, active_s REAL NOT NULL,
  PRIMARY KEY (reader, position, window)
);
CREATE TABLE seats (reader TEXT PRIMARY KEY, window TEXT NOT NULL, seen REAL NOT NULL);
CREATE TABLE lock (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), at TEXT NOT NULL, reason TEXT NOT NULL);
"""
clock = time.time


@dataclass(frozen=True)
class Lock:
    """When a study was locked (UTC), and why although somebody had not finished; empty when all had."""

    at: str
    reason: str


@dataclass(frozen=True)
class Progress:
    """How far one reader is: cases rated of all, and the time of the last one (UTC; empty before the first)."""

    reader: str
    done: int
    total: int
    last: str


def lock_of(study: Study) -> Lock | None:
    """When and why the study was locked; None while it is open."""
    with _transaction(study) as db:
        row = db.execute("SELECT at, reason FROM lock").fetchone()
    return Lock(*row) if row else None


def sit_down(
    study: Study, reader: str, window: str, is_there: Callable[[str], bool] = lambda _: True
) -> None:
    """Take the reader's only seat for this window, or keep it: to be called again as a sign of life.

    ``is_there`` says whether another window still has its browser. StudyRefused: reader (unknown code), locked, or
    seat when another window of the same reader is at work.
    """
    _known(study, reader)
    with _transaction(study) as db:
        _need_open(db)
        _take_seat(db, reader, window, is_there)


def leave(study: Study, reader: str, window: str) -> None:
    """Give the seat back; nothing if it is another window's."""
    with _transaction(study) as db:
        db.execute("DELETE FROM seats WHERE reader = ? AND window = ?", (reader, window))


def due(study: Study, reader: str) -> int | None:
    """The reader's first open position; None when all is rated."""
    _known(study, reader)
    with _transaction(study) as db:
        done = {at for (at,) in db.execute("SELECT position FROM ratings WHERE reader = ?", (reader,))}
    return next((at for at in range(len(study.orders[reader])) if at not in done), None)


def attend(study: Study, reader: str, window: str, position: int, active_s: float = 0.0) -> None:
    """Note that the case of this position is on this window's screen, and for how long it has been visible.

    ``active_s`` is counted by the browser since the window showed this case. Keeps the seat, or refuses as
    ``sit_down`` does.
    """
    with _transaction(study) as db:
        _need_open(db)
        _take_seat(db, reader, window, lambda _: True)
        _attend(db, reader, window, position, active_s)


def submit(
    study: Study,
    reader: str,
    window: str,
    position: int,
    answers: Mapping[str, Mapping[str, str]],
    *,
    active_s: float = 0.0,
    is_reference_wrong: bool = False,
) -> None:
    """Rate the case of one position, once and for all: {letter: {question: answer}}.

    StudyRefused: answers (one is missing or unknown), seat, locked, or rated when it has been rated before.
    """
    _known(study, reader)
    _check(study, answers)
    content = {"outlines": {letter: dict(answers[letter]) for letter in study.letters}}
    if study.show_reference:
        content["is_reference_wrong"] = is_reference_wrong  # type: ignore[assignment]
    with _transaction(study) as db:
        _need_open(db)
        _take_seat(db, reader, window, lambda _: True)
        done = {at for (at,) in db.execute("SELECT position FROM ratings WHERE reader = ?", (reader,))}
        if position in done or position != len(done):
            raise StudyRefused("rated", "This case has been rated already; the next open one follows.")
        _attend(db, reader, window, position, active_s)
        rows = db.execute(
            "SELECT min(started), sum(active_s) FROM sittings WHERE reader = ? AND position = ?",
            (reader, position),
        ).fetchone()
        wall_s = max(0.0, clock() - rows[0])
        text = atomic.canonical(content).decode()
        row = (reader, position, now(), min(rows[1], wall_s), wall_s, text)
        db.execute("INSERT INTO ratings VALUES (?, ?, ?, ?, ?, ?)", row)


def progress(study: Study) -> list[Progress]:
    """How far every reader is."""
    with _transaction(study) as db:
        rows = db.execute("SELECT reader, count(*), max(submitted) FROM ratings GROUP BY reader").fetchall()
    done = {reader: (count, last) for reader, count, last in rows}
    return [
        Progress(r, done.get(r, (0, ""))[0], len(study.orders[r]), done.get(r, (0, ""))[1])
        for r in study.readers
    ]


def lock(study: Study, reason: str = "") -> Lock:
    """End the rating. Needs all readers to have finished, or a written reason; a locked study stays locked."""
    unfinished = [one.reader for one in progress(study) if one.done < one.total]
    reason = reason.strip()[:500]
    if unfinished and len(reason) < 10:
        raise StudyRefused(
            "locked",
            f"{len(unfinished)} of {len(study.readers)} readers have not finished: write down why it ends now.",
        )
    with _transaction(study) as db:
        _need_open(db)
        made = Lock(now(), reason if unfinished else "")
        db.execute("INSERT INTO lock VALUES (1, ?, ?)", (made.at, made.reason))
    return made


def ratings(study: Study) -> list[dict[str, Any]]:
    """Every rating, by reader and position: answers by letter, times in seconds. StudyRefused until locked."""
    if lock_of(study) is None:
        raise StudyRefused("locked", "The ratings open when the study is locked.")
    with _transaction(study) as db:
        rows = db.execute("SELECT * FROM ratings ORDER BY reader, position").fetchall()
    names = ("reader", "position", "submitted", "active_s", "wall_s")
    return [{**dict(zip(names, row, strict=False)), **json.loads(row[5])} for row in rows]


def _check(study: Study, answers: Mapping[str, Mapping[str, str]]) -> None:
    missing = [
        f"{QUESTIONS[question].text.rstrip('?')} ({letter})"
        for letter in study.letters
        for question in study.questions
        if answers.get(letter, {}).get(question) not in study.answers(question)
    ]
    if missing:
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        raise StudyRefused("answers", f"Please answer everything. Missing: {', '.join(missing[:4])}{more}.")


def _known(study: Study, reader: str) -> None:
    if reader not in study.orders:
        raise StudyRefused("reader", "This study does not know that reader code. Ask the person who runs it.")


def _need_open(db: sqlite3.Connection) -> None:
    if db.execute("SELECT 1 FROM lock").fetchone():
        raise StudyRefused("locked", "This study is locked: nothing more can be rated.")


def _take_seat(db: sqlite3.Connection, reader: str, window: str, is_there: Callable[[str], bool]) -> None:
    row = db.execute("SELECT window, seen FROM seats WHERE reader = ?", (reader,)).fetchone()
    left = SEAT_SECONDS - (clock() - row[1]) if row else 0
    if row and row[0] != window and left > 0 and is_there(row[0]):
        raise StudyRefused(
            "seat",
            "You are reading this study in another window. Go on there; or close it, and go on here in "
            f"{max(1, round(left))} s.",
        )
    db.execute("REPLACE INTO seats VALUES (?, ?, ?)", (reader, window, clock()))


def _attend(db: sqlite3.Connection, reader: str, window: str, position: int, active_s: float) -> None:
    at = (reader, position, window)
    db.execute("INSERT OR IGNORE INTO sittings VALUES (?, ?, ?, ?, 0)", (*at, clock()))
    db.execute(
        "UPDATE sittings SET active_s = max(active_s, min(?, ? - started))"
        " WHERE reader = ? AND position = ? AND window = ?",
        (active_s, clock(), *at),
    )


@contextmanager
def _transaction(study: Study) -> Iterator[sqlite3.Connection]:
    """One connection, one transaction; whatever fails inside undoes all of it. DataRefused for a damaged file."""
    address = f"{(places.study(study.id) / RATINGS).absolute().as_uri()}?mode=rw"
    try:
        db = sqlite3.connect(address, uri=True, timeout=20, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        finally:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")  # refused after a commit: there is nothing to undo
            db.close()
    except sqlite3.Error as error:
        raise DataRefused(
            "damaged",
            f"artifacts/studies/{study.id}/{RATINGS} cannot be used ({error}). Expected a writable database of "
            "ratings on a disk with room. Restore it from a copy, or free some space.",
        ) from error


def make_tables(path: Path) -> None:
    """A new, empty file of ratings."""
    db = sqlite3.connect(path)
    db.execute(
        "PRAGMA journal_mode = WAL"
    )  # kept in the file; where a disk cannot, SQLite's own journal does
    db.executescript(TABLES)
    db.close()


def now() -> str:
    """The time as it is stored: UTC, to the second."""
    return datetime.fromtimestamp(clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
