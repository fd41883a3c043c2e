"""Verdicts: what is stored, what counts, and that neither a kill nor a second tab loses one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core import csv_text
from core.errors import DataRefused
from core.verdicts import Verdict, read_verdicts, record_verdict, standing, verdict_counts, verdict_rows

ROOT = Path(__file__).resolve().parents[2]
RUNS = {"busi-unet-0": "a" * 64, "busi-dcunet-0": "b" * 64}
GIVEN = Verdict(
    "AB", "5e55", "busi", "benign-1", None, RUNS, {"busi-unet-0": "accept", "busi-dcunet-0": "reject"}
)
WRITER = """
import sys
from core.verdicts import Verdict, record_verdict
for number in range(int(sys.argv[2])):
    case, runs = f"benign-{number}", {"r": "0" * 64}
    record_verdict(Verdict(sys.argv[1], "s", "busi", case, None, runs, {"r": "minor"}, note="x" * 400))
    print(number, flush=True)
"""


def log_lines(artifacts: Path) -> list[str]:
    return [
        line
        for file in sorted((artifacts / "audit").glob("*.jsonl"))
        for line in file.read_text().splitlines()
    ]


def writer(reader: str, count: int) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, reader, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_verdict_is_read_back_as_it_was_given_with_its_time():
    note = "calliper « 2 » covers the rim\nsecond line"
    stored = record_verdict(replace(GIVEN, index=53, reference_is_wrong=True, note=note))
    assert stored == replace(GIVEN, index=53, reference_is_wrong=True, note=note, time=stored.time)
    assert stored.time.endswith("Z")
    assert read_verdicts("busi") == (stored,)
    assert read_verdicts("busi", "benign-1") == (stored,)
    assert read_verdicts("busi", "benign-2") == ()
    assert read_verdicts("lits") == ()


def test_a_line_of_the_log_holds_these_fields_and_no_others(artifacts):
    record_verdict(GIVEN)
    (line,) = log_lines(artifacts)
    assert set(json.loads(line)) == {
        "action", "case", "dataset", "format", "note", "page", "reader", "reference_is_wrong", "runs", "session",
        "slice", "time", "verdicts",
    }  # fmt: skip


def test_a_reader_who_thinks_again_counts_once_and_both_lines_stay(artifacts):
    record_verdict(GIVEN)
    second = record_verdict(replace(GIVEN, answers={"busi-unet-0": "minor"}))
    assert len(log_lines(artifacts)) == 2
    assert standing(read_verdicts("busi")) == (second,)
    tally, wrong = verdict_counts(read_verdicts("busi"), RUNS)
    assert (tally["busi-unet-0"], tally["busi-dcunet-0"], wrong) == ({"minor": 1}, {}, 0)


def test_readers_and_slices_are_counted_each():
    for reader, index in (("AB", 3), ("AB", 4), ("CD", 3)):
        record_verdict(replace(GIVEN, reader=reader, index=index, reference_is_wrong=True))
    tally, wrong = verdict_counts(read_verdicts("busi"), RUNS)
    assert tally["busi-dcunet-0"] == {"reject": 3}
    assert wrong == 2  # readers, however many slices they looked at


def test_a_verdict_on_other_weights_does_not_count():
    record_verdict(GIVEN)
    tally, _ = verdict_counts(read_verdicts("busi"), RUNS | {"busi-unet-0": "c" * 64})
    assert tally == {"busi-unet-0": {}, "busi-dcunet-0": {"reject": 1}}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reader": "  "}, "reader"),
        ({"reader": "x" * 41}, "reader"),
        ({"reader": "A\nB"}, "reader"),
        ({"note": "x" * 501}, "note"),
        ({"answers": {}, "note": " "}, "empty"),
    ],
)
def test_what_cannot_be_a_verdict_is_refused_and_not_logged(change, code, artifacts):
    with pytest.raises(DataRefused) as refused:
        record_verdict(replace(GIVEN, **change))
    assert refused.value.code == code
    assert log_lines(artifacts) == []


@pytest.mark.parametrize("answers", [{"busi-unet-0": "perfect"}, {"other-unet-0": "accept"}])
def test_an_answer_that_was_not_offered_is_an_error(answers):
    with pytest.raises(ValueError, match="answers: expected"):
        record_verdict(replace(GIVEN, answers=answers))


def test_a_log_that_cannot_be_written_is_said(artifacts):
    artifacts.mkdir()
    (artifacts / "audit").write_text("a file where the folder should be")
    with pytest.raises(DataRefused, match="cannot be written"):
        record_verdict(GIVEN)


def test_the_csv_has_a_row_per_network_and_runs_no_formula():
    record_verdict(replace(GIVEN, note='=HYPERLINK("x")'))
    record_verdict(replace(GIVEN, note="@later"))
    rows = verdict_rows(read_verdicts("busi"))
    assert [(row["run"], row["verdict"], row["stands"]) for row in rows] == [
        ("busi-dcunet-0", "Reject", False),
        ("busi-unet-0", "Accept", False),
        ("busi-dcunet-0", "Reject", True),
        ("busi-unet-0", "Accept", True),
    ]
    text = csv_text(rows)
    assert text.splitlines()[1].endswith('"\'=HYPERLINK(""x"")"')
    assert text.splitlines()[3].endswith("'@later")


def test_a_killed_server_loses_no_confirmed_verdict_and_the_next_one_is_whole(artifacts):
    child = writer("AB", 5000)
    for _ in range(5):
        child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    confirmed = 5 + len(child.stdout.read().splitlines())
    child.wait()
    file = next((artifacts / "audit").glob("*.jsonl"))
    with file.open("a") as log:
        log.write('{"action": "verdict", "case": "ben')  # what a cut in the middle of a line leaves
    last = record_verdict(GIVEN)
    found = read_verdicts("busi")
    assert len(found) - 1 in (confirmed, confirmed + 1)
    assert [one.case for one in found[:confirmed]] == [f"benign-{number}" for number in range(confirmed)]
    assert found[-1] == last


def test_two_tabs_of_two_servers_write_every_line_whole(artifacts):
    children = [writer(reader, 15) for reader in ("AB", "CD")]
    for child in children:
        child.communicate(timeout=120)
    assert [child.returncode for child in children] == [0, 0]
    found = read_verdicts("busi")
    assert sorted((one.reader, one.case) for one in found) == sorted(
        (reader, f"benign-{number}") for reader in ("AB", "CD") for number in range(15)
    )
    assert len(log_lines(artifacts)) == 30
