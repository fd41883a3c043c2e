"""The audit log only grows, one whole line at a time."""

from __future__ import annotations

import json
import threading

import pytest

from core import DataRefused, audit, places


def test_a_line_says_when_and_what_and_is_read_back():
    line = audit.append("verdict", page="review", case="benign-1", runs={"busi-unet-0": "ab"}, note="ßé\n“x”")
    assert audit.read("verdict") == [line]
    assert line["time"].endswith("Z")
    (path,) = places.audit().glob("*.jsonl")
    assert path.name == f"{line['time'][:7]}.jsonl"
    assert len(path.read_text().splitlines()) == 1
    assert json.loads(path.read_text())["note"] == "ßé\n“x”"


def test_lines_are_found_by_action_and_field_in_their_order():
    for case in ("a", "b", "a"):
        audit.append("verdict", case=case)
    audit.append("export", case="a")
    assert [line["case"] for line in audit.read("verdict")] == ["a", "b", "a"]
    assert len(audit.read("verdict", case="a")) == 2
    assert len(audit.read(case="a")) == 3
    assert audit.read("upload") == []


def test_nothing_is_read_where_nothing_was_written():
    assert audit.read() == []


@pytest.mark.parametrize("field", ["patient", "path", "file", "address"])
def test_a_field_that_is_not_allowed_is_a_mistake(field):
    with pytest.raises(ValueError, match=f"{field}: expected one of"):
        audit.append("upload", **{field: "x"})
    assert audit.read() == []


@pytest.mark.parametrize("value", [["a"], {"a": {"b": 1}}, object()])
def test_a_value_that_is_not_plain_is_a_mistake(value):
    with pytest.raises(ValueError, match="note: expected texts"):
        audit.append("verdict", note=value)


def test_eight_at_once_write_eight_whole_lines():
    threads = [
        threading.Thread(target=audit.append, args=("verdict",), kwargs={"note": "x" * 500}) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(audit.read("verdict")) == 8


def test_a_line_cut_short_costs_itself_alone():
    audit.append("verdict", case="a")
    (path,) = places.audit().glob("*.jsonl")
    path.write_bytes(path.read_bytes() + b'{"action": "verdict", "ca')
    audit.append("verdict", case="b")
    assert [line["case"] for line in audit.read("verdict")] == ["a", "b"]


def test_a_log_that_cannot_be_written_is_said(artifacts):
    artifacts.mkdir()
    (artifacts / "audit").write_text("a file where the folder should be")
    with pytest.raises(DataRefused, match="artifacts/audit cannot be written"):
        audit.append("verdict", case="a")
