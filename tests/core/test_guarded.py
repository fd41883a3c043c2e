"""Work in child processes: results come back, a dead or slow child costs its job alone."""

from __future__ import annotations

import operator
import os
import time
from functools import partial

import pytest

from core import guarded
from core.guarded import Lost

pytestmark = pytest.mark.slow  # starts processes


def test_a_child_that_dies_or_dawdles_costs_its_own_job_only() -> None:
    jobs = [
        partial(abs, -1),
        partial(os._exit, 3),
        partial(abs, -2),
        partial(time.sleep, 60),
        partial(abs, -3),
    ]
    found = dict(guarded.each(operator.call, jobs, workers=2, seconds=5))
    assert found == {0: 1, 1: Lost("crashed"), 2: 2, 3: Lost("timeout"), 4: 3}


def test_a_mistake_in_the_work_is_raised_with_its_traceback() -> None:
    with pytest.raises(RuntimeError, match="invalid literal for int"):
        dict(guarded.each(int, ["1", "one"]))


def test_a_child_cannot_take_more_memory_than_it_is_given() -> None:
    with pytest.raises(RuntimeError, match="MemoryError"):
        dict(guarded.each(bytearray, [2 << 30], memory=1 << 30))


def test_nothing_to_do_starts_nothing() -> None:
    assert list(guarded.each(abs, [])) == []
