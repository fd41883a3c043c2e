"""What every test shares: artifacts in a temporary folder, and where real cases are."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for a browser lie among those that compute, long ones first: two workers then keep busy."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting = [path for path in files if path.parent.name == "browser"]
    computing = [path for path in files if path.parent.name != "browser"]
    computing.sort(key=lambda path: -sum("slow" in item.keywords for item in files[path]))
    place = {path: at / len(group) for group in (waiting, computing) for at, path in enumerate(group)}
    items[:] = [item for path in sorted(files, key=place.__getitem__) for item in files[path]]


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty artifacts folder of this test's own: no test touches the real one unless it says so."""
    folder = tmp_path / "artifacts"
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _same_environment() -> Iterator[None]:
    """A training asks TensorFlow by variables for arithmetic of its own: no test after it may inherit them."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    """What a page has cached is of the artifacts of the test before."""
    if streamlit := sys.modules.get("streamlit"):
        streamlit.cache_data.clear()
        streamlit.cache_resource.clear()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real cases: TRIPTYCH_REAL_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("TRIPTYCH_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "busi").is_dir():
        pytest.skip(f"no real cases in {folder}; set TRIPTYCH_REAL_DATA")
    return folder
