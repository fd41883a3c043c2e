"""The read side of prepared data: what is missing or damaged is named, with the command that mends it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core import places, prepared
from core.errors import DataMissing, DataRefused
from core.prepare import prepare


def test_nothing_prepared_names_the_command_that_mends_it() -> None:
    with pytest.raises(DataMissing, match="Run: python -m core prepare busi --from FOLDER"):
        prepared.list_slices("busi")
    with pytest.raises(DataMissing, match="Run: python -m core demo"):
        prepared.read_arrays("phantom_busi")
    with pytest.raises(DataMissing, match="--as nobody"):
        prepared.read_card("nobody")
    with pytest.raises(DataMissing, match="Nothing prepared"):
        prepared.read_card("../../etc")
    assert prepared.read_card("busi").title == "BUSI breast ultrasound"


@pytest.mark.usefixtures("in_process")
def test_unknown_cases_splits_and_changed_files_are_named(source: Path) -> None:
    prepare("busi", source, "busi")
    with pytest.raises(DataMissing, match="No case benign-99"):
        prepared.read_slice("busi", "benign-99")
    with pytest.raises(DataMissing, match="expected one of busi-group, busi-image"):
        prepared.read_split("busi", "by-eye")
    path = places.data("busi") / "splits" / "busi-group.json"
    content = json.loads(path.read_text())
    content["cases"]["benign-1"]["part"] = "test"
    content["cases"]["benign-2"]["part"] = "test"
    path.write_text(json.dumps(content))
    with pytest.raises(DataRefused, match="checksum does not match"):
        prepared.read_split("busi", "busi-group")


@pytest.mark.usefixtures("in_process")
def test_an_array_cut_short_is_named(source: Path) -> None:
    prepare("busi", source, "busi")
    os.truncate(places.data("busi") / "pictures.npy", 500)
    with pytest.raises(DataRefused, match=r"pictures\.npy is cut short"):
        prepared.read_slice("busi", "benign-1")
