"""Sanity certificates on disk: whether the heatmaps of a run deserve trust, as ``python -m core certify`` found.

Two files per run beside the results of its dataset, named by the first digits of its weights' checksum: a JSON
with the summary, written last, and a CSV with one row per case, class, layer and map. Reading needs no Keras.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import atomic, places, results, runs
from core.errors import DataMissing, DataRefused
from core.explain.definitions import BASELINES
from core.records import Run

FORMAT = 2  # a change of any formula or column gets a new number
Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Certificate:
    """What the checks of one run's heatmaps gave.

    header   settings, number of cases and groups, checksum of the weights, versions, date
    summary  one row per class, layer, method and number: mean with 95 % interval over groups, n and a note;
             ``depth`` names how far the weights were drawn anew, ``against`` the baseline of a paired difference.
             Undefined values are None
    rows     one per case, class, layer and map, baselines included; NaN where undefined
    """

    run: str
    dataset: str
    header: Row
    summary: Sequence[Row]
    rows: Sequence[Row]

    def find(self, number: str, class_name: str, layer: str, method: str, **more: str) -> Row | None:
        """The summary row of one number; ``more`` may name ``depth`` or ``against``. None when there is none."""
        wanted = {"number": number, "class": class_name, "layer": layer, "method": method}
        wanted |= {"depth": "", "against": ""} | more
        return next((row for row in self.summary if wanted.items() <= row.items()), None)


def folder(dataset: str) -> Path:
    """Where the certificates of a dataset's runs lie."""
    return places.results(dataset) / "certificates"


def read_certificate(run: str) -> Certificate:
    """The certificate of a run's present weights.

    DataMissing when there is none; DataRefused when it was made for other weights ("stale") or is damaged. All
    name the command that mends it.
    """
    which = runs.read_run(run)
    path, again = _path(which, "json"), f"Run: python -m core certify {run}"
    if not path.is_file():
        if any(folder(which.dataset).glob(f"{run}-????????.json")):
            made_for = f"expected one for weights {which.short_hash}"
            raise DataRefused("stale", f"The certificate of {run} is of other weights: {made_for}. {again}")
        raise DataMissing(f"The heatmaps of {run} have not been checked yet. {again}")
    table = _path(which, "csv")
    try:
        content = json.loads(path.read_text("utf-8"))
        text = table.read_bytes()
        header, summary = content["header"], content["summary"]
        sound = atomic.sha256(text) == content["csv_sha256"] and header["format"] == FORMAT
        sound = sound and header["weights_sha256"] == which.weights_sha256
    except (OSError, ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise DataRefused("damaged", f"{places.shown(path)} or its table is damaged or outdated. {again}")
    return Certificate(run, which.dataset, header, summary, results.parse_csv(text.decode("utf-8")))


def write(run: Run, header: Row, summary: Sequence[Row], rows: Sequence[Row]) -> Path:
    """Store a certificate, its JSON last, and remove those of the run's former weights."""
    table = results.write_csv(_path(run, "csv"), rows)
    content = {"header": header, "summary": summary, "csv_sha256": atomic.sha256_file(table)}
    path = atomic.write_json(_path(run, "json"), results.tidy(content))
    for former in folder(run.dataset).glob(f"{run.name}-????????.*"):
        if former.stem != path.stem:
            former.unlink()
    return path


def _path(run: Run, ending: str) -> Path:
    return folder(run.dataset) / f"{run.name}-{run.short_hash}.{ending}"


def trust_sentences(certificate: Certificate, class_name: str, layer: str, method: str) -> list[str]:
    """What the certificate says about one kind of map: a sentence per check, none for what was not checked.

    Never a grade: each check asks something else.
    """
    at = (class_name, layer, method)
    said = [_about_weights(certificate, at), _about_stability(certificate, at)]
    said += [_about_faithfulness(certificate, at, number) for number in ("deletion", "insertion", "road")]
    return [sentence for sentence in said if sentence]


def _about_weights(certificate: Certificate, at: tuple[str, str, str]) -> str:
    drawn = certificate.find("random_similarity", *at, depth="all")
    pairs = certificate.find("pairs_similarity", *at)
    if drawn is None or drawn["mean"] is None:
        return ""
    said = f"Random weights: the map's similarity with that of a network drawn anew is {_told(drawn)}"
    gap = certificate.find("random_similarity", *at, depth="all", against="pairs")
    if pairs is None or pairs["mean"] is None or gap is None:
        return f"{said}."
    verdict = "too few cases to tell whether it depends on what was learnt"
    if gap["low"] is not None:
        verdict = "it depends too little on what was learnt" if gap["low"] > 0 else "no clear difference"
        verdict = "it depends on what was learnt" if gap["high"] < 0 else verdict
    return f"{said}; maps of two different cases have {pairs['mean']:.2f}: {verdict}."


def _about_stability(certificate: Certificate, at: tuple[str, str, str]) -> str:
    found = certificate.find("stability", *at)
    if found is None or found["mean"] is None:
        return ""
    kinds = ", ".join(certificate.header["disturbances"])
    share = f"by up to {_told(found)} of its size"
    return f"Stability: under small changes of the image ({kinds}) the map changes {share}."


def _about_faithfulness(certificate: Certificate, at: tuple[str, str, str], number: str) -> str:
    found = certificate.find(number, *at)
    if found is None or found["mean"] is None:
        return ""
    better = -1 if number == "deletion" else 1
    beaten: list[str] = []
    level: list[str] = []
    lost: list[str] = []
    for name, (title, _) in BASELINES.items():
        gap = certificate.find(number, *at, against=name)
        if gap is None or gap["low"] is None:
            continue
        low, high = sorted((better * gap["low"], better * gap["high"]))
        (beaten if low > 0 else lost if high < 0 else level).append(title.lower())
    said = [
        f"{words} {', '.join(names)}"
        for words, names in (("better than", beaten), ("no different from", level), ("worse than", lost))
        if names
    ]
    name = "ROAD" if number == "road" else number.capitalize()
    return f"{name}: {_told(found)}" + (f"; {'; '.join(said)}." if said else ".")


def _told(row: Row) -> str:
    interval = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row['mean']:.2f}{interval} (n = {row['n']})"
