"""The answer to the study's claim on disk, as ``python -m core claim`` found it. Reading it loads no Keras."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import atomic, places, results, runs
from core.errors import DataMissing, DataRefused

FORMAT = 1  # a change of any formula or column gets a new number
ROWS, MEANS, DIFFERENCES, CLAIM = "focus.csv", "focus_means.csv", "focus_differences.csv", "claim.json"

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Claim:
    """The answer for one dataset.

    header       runs, weights, cases, groups, caution, date
    verdicts     one per class, number, rival network and ``way`` (raw, matched, adjusted): in how many kinds of map
                 the difference's interval lies on either side of 0, the difference for the default map, and all
                 of it as a ``sentence``
    differences  the same by layer and method: mean with 95 % interval over groups, n; NaN where undefined
    means        by run, class, layer, method and number, two baselines included
    focus_csv    the rows behind it as CSV text: one per case, class, run, layer and map
    """

    dataset: str
    header: Mapping[str, Any]
    verdicts: Sequence[Mapping[str, Any]]
    differences: Sequence[Mapping[str, Any]]
    means: Sequence[Mapping[str, Any]]
    focus_csv: str


def read_claim(dataset: str) -> Claim:
    """The stored answer of one dataset; DataMissing when there is none, DataRefused when stale or damaged."""
    folder, again = places.results(dataset), f"Run: python -m core claim {dataset}"
    if not (folder / CLAIM).is_file():
        raise DataMissing(f"The claim has not been tested on {dataset} yet. {again}")
    try:
        content = json.loads((folder / CLAIM).read_text("utf-8"))
        texts = {name: (folder / name).read_bytes() for name in (ROWS, MEANS, DIFFERENCES)}
        sound = all(atomic.sha256(text) == content["files"][name] for name, text in texts.items())
        sound = sound and content["header"]["format"] == FORMAT
        made_for = content["header"]["weights"]
    except (OSError, ValueError, KeyError, TypeError):
        sound, made_for = False, {}
    if not sound:
        raise DataRefused(
            "damaged", f"{places.shown(folder / CLAIM)} or one of its tables is damaged. {again}"
        )
    for name, sha256 in made_for.items():
        if runs.read_run(name).weights_sha256 != sha256:
            raise DataRefused(
                "stale", f"The claim on {dataset} was tested with other weights of {name}. {again}"
            )
    tables = {name: results.parse_csv(text.decode("utf-8")) for name, text in texts.items() if name != ROWS}
    return Claim(
        dataset,
        content["header"],
        content["verdicts"],
        tables[DIFFERENCES],
        tables[MEANS],
        texts[ROWS].decode("utf-8"),
    )


def write(dataset: str, header: Row, answer: Sequence[Row], tables: Mapping[str, Sequence[Row]]) -> Path:
    """Store an answer: the three tables, then claim.json with the verdicts and their checksums."""
    folder = places.results(dataset)
    files = {name: results.write_csv(folder / name, rows) for name, rows in tables.items()}
    sums = {name: atomic.sha256_file(path) for name, path in files.items()}
    return atomic.write_json(
        folder / CLAIM, results.tidy({"header": header, "verdicts": answer, "files": sums})
    )
