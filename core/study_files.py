"""Reader studies as files: made once and whole, read by the pages; the key apart from what a reader may know.

artifacts/studies/<id>/study.json is what a reader's page may know, key.json which letter hides which network,
ratings.sqlite what happened (``study_store``).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core import atomic, places, runs, study_store
from core.errors import DataRefused, StudyRefused
from core.prepared_index import card_json
from core.study import FORMAT, Key, Study
from core.study_definition import define

STUDY, KEY = "study.json", "key.json"


def create(definition: object) -> Study:
    """Make a study from a definition, see ``study_definition``; StudyRefused (definition, exists)."""
    return keep(*define(definition))


def keep(study: Study, key: Key) -> Study:
    """Put a new study on disk, whole or not at all; returned with the time. StudyRefused (exists)."""
    study = replace(study, created=study_store.now())
    folder = places.study(study.id)
    places.studies().mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=places.studies()))
    try:
        atomic.write_json(making / STUDY, {"format": FORMAT, **asdict(study)})
        atomic.write_json(making / KEY, {"format": FORMAT, **asdict(key)})
        os.chmod(making / KEY, 0o600)
        study_store.make_tables(making / study_store.RATINGS)
        os.chmod(making, 0o755)
        os.rename(making, folder)  # refused by the system where a study of this name is
    except OSError as error:
        shutil.rmtree(making, ignore_errors=True)
        if not folder.exists():
            raise
        raise StudyRefused(
            "exists",
            f"There is a study {study.id} already. Choose another id, or remove {places.shown(folder)}.",
        ) from error
    atomic.sync_folder(places.studies())
    return study


def list_studies() -> tuple[Study, ...]:
    """All studies, the latest first. DataRefused for one that was damaged."""
    found = sorted(places.studies().glob(f"*/{STUDY}")) if places.studies().is_dir() else []
    named = [path.parent.name for path in found if places.NAME.fullmatch(path.parent.name)]
    return tuple(sorted((read(name) for name in named), key=lambda study: study.created, reverse=True))


def read(name: str) -> Study:
    """One study. StudyRefused (missing) when there is none of that name, DataRefused when damaged."""
    if not places.NAME.fullmatch(name) or not (places.study(name) / STUDY).is_file():
        raise StudyRefused("missing", "There is no such study.")
    given = _json(name, STUDY)
    try:
        given["questions"] = tuple(given["questions"])
        given["orders"] = {reader: tuple(order) for reader, order in given["orders"].items()}
        return Study(**given)
    except (KeyError, TypeError, AttributeError):
        raise _damaged(name, STUDY) from None


def studied_cases(dataset: str) -> dict[str, str]:
    """Title of the open study by case, for every case that no other page may show; practice keeps none closed."""
    return {
        case: study.title
        for study in list_studies()
        if study.dataset == dataset and not study.practice and study_store.lock_of(study) is None
        for case in study.cases
    }


def outlines(study: Study, reader: str, position: int) -> tuple[str, ...]:
    """The runs behind A, B, C at one position, for drawing. Never to be sent to a reader's browser.

    StudyRefused (changed) when a network or the prepared data is not what it was when the study was made.
    """
    key = read_key(study)
    names = key.hidden[reader][position]
    for name in names:
        if runs.read_run(name).weights_sha256 != key.weights[name]:
            raise StudyRefused("changed", "A network was trained anew after this study was made.")
    if card_json(study.dataset).get("sha256", "") != study.data:
        raise StudyRefused("changed", "The pictures were prepared anew after this study was made.")
    return names


def read_key(study: Study) -> Key:
    """Which letter hides which network. DataRefused when damaged."""
    given = _json(study.id, KEY)
    try:
        hidden = {reader: tuple(map(tuple, rows)) for reader, rows in given["hidden"].items()}
        return Key(given["seed"], given["weights"], hidden)
    except (KeyError, TypeError, AttributeError):
        raise _damaged(study.id, KEY) from None


def _json(name: str, file: str) -> dict[str, Any]:
    try:
        found = json.loads((places.study(name) / file).read_text("utf-8"))
    except (OSError, ValueError):
        raise _damaged(name, file) from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _damaged(name, file)
    del found["format"]
    return found


def _damaged(name: str, file: str) -> DataRefused:
    return DataRefused(
        "damaged",
        f"artifacts/studies/{name}/{file} cannot be read: expected JSON of format {FORMAT}. Restore the file, or "
        f"remove artifacts/studies/{name}.",
    )
