"""Stored results -> cases in an order, the worst first: by score, disagreement, false alarm, volume or verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import VERDICTS, Run, Verdict, verdict_counts
from pages.parts import choices, tables, words

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Listed:
    """A case in an order: ``said`` is what put it there, in words; ``index`` the slice that shows it best."""

    case: str
    said: str
    index: int | None = None


def lowest_dice(stored: Any, run: str, name: str) -> list[Listed]:
    """The cases with a lesion, lowest Dice of one network first; on CT at the slice with most wrong pixels."""
    rows = [row for row in tables.of_cases(stored, run, name).values() if row["n_ref"] > 0]
    at = _slices(
        stored, [run], lambda row: row[f"{name}_ref"] + row[f"{name}_pred"] - 2 * row[f"{name}_both"]
    )
    rows.sort(key=lambda row: row["dice"])
    return [
        Listed(
            row["case"],
            f"Dice {words.number(row['dice'], 2)}" + ("" if row["n_pred"] else ", nothing drawn"),
            at.get(row["case"]),
        )
        for row in rows
    ]


def largest_volume_error(stored: Any, run: str, name: str) -> list[Listed]:
    """The volumes by how far the predicted volume is from the reference, either way."""
    rows = list(tables.of_cases(stored, run, name).values())
    at = _slices(stored, [run], lambda row: abs(row[f"{name}_pred"] - row[f"{name}_ref"]))
    errors = {row["case"]: row["volume_pred_ml"] - row["volume_ref_ml"] for row in rows}
    ordered = sorted(errors, key=lambda case: -abs(errors[case]))
    return [Listed(case, f"{errors[case]:+.1f} ml", at.get(case)) for case in ordered]


def disagreement(stored: Any, runs: Mapping[str, str], name: str) -> list[Listed]:
    """The cases by the share of marked pixels that not all networks mark: all those of the training shown.

    Empty for a training that is not the one whose disagreement is stored.
    """
    shares = choices.stored_disagreements(stored, runs.keys())
    known = {case for run in runs for case in tables.of_cases(stored, run, name)}
    at = _slices(stored, list(runs), lambda row: row["disagreement_px"] or 0)
    ordered = sorted(shares.keys() & known, key=lambda case: (-shares[case], case))
    return [Listed(case, f"disagreement {shares[case]:.2f}", at.get(case)) for case in ordered]


def false_alarms(stored: Any, runs: Mapping[str, str], name: str) -> list[Listed]:
    """The cases without a lesion on which a network draws, the largest first, with what each draws there."""
    drawn: dict[str, dict[str, Row]] = {}
    for run, title in runs.items():
        for case, row in tables.of_cases(stored, run, name).items():
            if row["n_ref"] == 0 and row["n_pred"] > 0:
                drawn.setdefault(case, {})[title] = row
    at = _slices(stored, list(runs), lambda row: row[f"{name}_pred"])
    ordered = sorted(drawn, key=lambda case: -max(row["n_pred"] for row in drawn[case].values()))
    return [
        Listed(case, ", ".join(f"{title} {_drawn(row)}" for title, row in drawn[case].items()), at.get(case))
        for case in ordered
    ]


def _drawn(row: Row) -> str:
    """How much a network draws on a case: ml of a volume, pixels of a picture."""
    return f"{row['volume_pred_ml']:.1f} ml" if "volume_pred_ml" in row else words.pixels(row["n_pred"])


def flagged(stored: Any, runs: Mapping[str, str], name: str) -> list[Listed]:
    """The cases whose data are flagged as odd, those with most flags first, and why."""
    known = {case for run in runs for case in tables.of_cases(stored, run, name)}
    found = {case: row["flags"] for case, row in stored.cases.items() if case in known and row["flags"]}
    ordered = sorted(found, key=lambda case: (-len(found[case]), case))
    return [Listed(case, ", ".join(map(words.flag, found[case]))) for case in ordered]


def verdicts(
    stored: Any, runs: Mapping[str, str], trained: Sequence[Run], given: Sequence[Verdict]
) -> list[Listed]:
    """The cases that readers have judged, most rejected first, then most major edits, then minor ones.

    Only verdicts on the weights that are scored here count, and of each reader the newest.
    """
    own = {each for run in runs for each in stored.runs[run].get("trainings", [run])}
    weights = {run.name: run.weights_sha256 for run in trained if run.name in own}
    shown = {row["case"] for row in stored.scores if row["run"] in own}
    found: list[tuple[tuple[int, ...], Listed]] = []
    for case in dict.fromkeys(one.case for one in given if one.case in shown):
        each = [one for one in given if one.case == case]
        tally, wrong = verdict_counts(each, weights)
        counts = {answer: sum(counted[answer] for counted in tally.values()) for answer in VERDICTS}
        said = [
            f"{counts[answer]} × {VERDICTS[answer].lower()}"
            for answer in reversed(VERDICTS)
            if counts[answer]
        ]
        said += [f"reference called wrong by {wrong}"] if wrong else []
        if said:
            order = tuple(-counts[answer] for answer in reversed(VERDICTS))
            index = next((one.index for one in reversed(each) if one.index is not None), None)
            found.append((order, Listed(case, ", ".join(said), index)))
    return [listed for _, listed in sorted(found, key=lambda one: one[0])]


def _slices(stored: Any, runs: Sequence[str], how_bad: Callable[[Row], float]) -> dict[str, int]:
    """By volume, the slice that is worst; empty for pictures, which have but one."""
    own = {each for run in runs for each in stored.runs[run].get("trainings", [run])}
    worst: dict[str, tuple[float, int]] = {}
    for row in stored.slices:
        if row["run"] in own:
            value = how_bad(row)
            if value > worst.get(row["case"], (-1.0, 0))[0]:
                worst[row["case"]] = (value, row["index"])
    return {case: index for case, (_, index) in worst.items()}
