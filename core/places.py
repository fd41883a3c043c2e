"""Every path under artifacts/, and nowhere else."""

from __future__ import annotations

import os
import re
from pathlib import Path

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
WEIGHTS = "model.weights.h5"  # Keras insists on this ending
GOLDEN = "golden.npy"


def artifacts() -> Path:
    """The artifacts folder: ``TRIPTYCH_ARTIFACTS``, or ``artifacts/`` beside ``core/``."""
    chosen = os.environ.get("TRIPTYCH_ARTIFACTS")
    return Path(chosen) if chosen else Path(__file__).resolve().parent.parent / "artifacts"


def data(dataset: str) -> Path:
    """Prepared slices of one dataset: *.npy, index.csv, card.json, splits/."""
    return artifacts() / "data" / checked(dataset)


def runs() -> Path:
    """The folder that holds one folder per run."""
    return artifacts() / "runs"


def run(name: str) -> Path:
    """One trained network: run.json, weights, history, status, checkpoint/."""
    return runs() / checked(name)


def results(dataset: str) -> Path:
    """Scores and tables of one dataset, as written by ``python -m core evaluate``."""
    return artifacts() / "results" / checked(dataset)


def cache() -> Path:
    """Predictions and heatmaps named by their content key; safe to delete."""
    return artifacts() / "cache"


def studies() -> Path:
    """The folder that holds one folder per reader study."""
    return artifacts() / "studies"


def study(name: str) -> Path:
    """One reader study: study.json, key.json (which letter hides which network), ratings.sqlite."""
    return studies() / checked(name)


def audit() -> Path:
    """The log of verdicts, exports, studies, trainings and uploads: one file per month."""
    return artifacts() / "audit"


def phantoms(dataset: str) -> Path:
    """Where ``python -m core demo`` writes phantoms in the on-disk layout of the real set."""
    return artifacts() / "data" / f"{checked(dataset)}-source"


def shown(path: Path) -> str:
    """A path under artifacts/ as messages print it: never where on the machine that folder is."""
    return f"artifacts/{path.relative_to(artifacts()).as_posix()}"


def checked(name: str) -> str:
    """``name`` itself, or a ValueError when it could leave its folder or break a file system."""
    if not NAME.fullmatch(name):
        raise ValueError(f"name {name!r}: expected lower-case letters, digits, '.', '_', '-', at most 64")
    return name
