"""The path of a first visit, as docs/first_visit.md tells it: every step is there, in under two minutes."""

from __future__ import annotations

import re
import shutil

from tests.browser import first_visit
from tests.pages import small


def test_a_first_visit_ends_with_a_verdict_in_under_two_minutes(serve, open_page, tmp_path):
    folder = shutil.copytree(small.phantoms_only(), tmp_path / "artifacts")
    address = serve(small.ROOT / "app.py", TRIPTYCH_ARTIFACTS=str(folder))
    page, seen = open_page("about:blank", width=1440, height=900), []
    times = first_visit.walk(page, address, seen.append)
    assert seen == ["which", "where", "why", "always", "verdict", "saved"]
    assert 0 < times["pictures"] < times["which"] < times["saved"] < 120
    assert page.seen.errors == []


def test_every_picture_that_is_shown_is_there_small_and_made_by_the_walk():
    text = (small.ROOT / "docs" / "first_visit.md").read_text("utf-8")
    shown = re.findall(r"\]\(first_visit/(\w+)\.png\)", text)
    assert shown
    assert sorted(shown) == sorted(path.stem for path in first_visit.TO.glob("*"))
    assert all(path.stat().st_size < first_visit.LARGEST for path in first_visit.TO.glob("*"))
    assert "(docs/first_visit.md)" in (small.ROOT / "README.md").read_text("utf-8")
