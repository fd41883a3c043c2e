"""Fourteen checks on a table of scores before it is read: what cannot be, what is missing, what hints at a trap.

A table is a list of columns, each with its numbers by metric and with what they carry. A finding of severity E
(error) means that the columns must not be called comparable; W is a note. Rules about numbers that contradict
each other are in ``identities``; those about what a table has to state are here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.metrics import identities
from core.metrics.columns import PER_CASE, POOLED, Columns, answer

ERROR, NOTE = "E", "W"
DECIMALS, MANY = 3, 1000  # no more decimals than this below so many cases: the next one is chance
TOO_GOOD = 0.85  # tumour Dice on LiTS at 128 x 128; the best challenge entries have 0.674 to 0.739 per case
MAY_BE_UNDEFINED = (
    "precision",
    "hd95",
    "hd",
    "assd",
    "rmsd",
    "rvd",
    "rvd_challenge",
)  # in a case with an empty mask
CARRIED = {  # field of a column: what L09 calls it
    "split": "split",
    "cases": "case list",
    "rule": "rule for empty masks",
    "threshold": "threshold",
    "grid": "grid",
}


@dataclass(frozen=True)
class Finding:
    """One rule that a table breaks: its id, ERROR or NOTE, and a sentence."""

    rule: str
    severity: str
    sentence: str


@dataclass(frozen=True)
class Linted:
    """What the rules say of a table. ``passed`` are those that had something to check and found nothing."""

    findings: tuple[Finding, ...]
    passed: tuple[str, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep its columns from being called comparable."""
        return tuple(one for one in self.findings if one.severity == ERROR)


Rule = Callable[[Columns], str | None]  # None: nothing to check, "": all is well, else a sentence


def lint(columns: Columns) -> Linted:
    """All rules on one table, in their order."""
    answers = {rule: check(columns) for rule, (_, check) in RULES.items()}
    findings = tuple(Finding(rule, RULES[rule][0], said) for rule, said in answers.items() if said)
    return Linted(findings, tuple(rule for rule, said in answers.items() if said == ""))


# ---- the rules


def not_alike(columns: Columns) -> str | None:
    """L09: columns that do not share split, case list, rule, threshold and grid."""
    if len(columns) < 2:
        return None
    stated = {name: [v for c in columns if (v := getattr(c, name)) is not None] for name in CARRIED}
    if not any(len(values) > 1 for values in stated.values()):
        return None
    bad = [CARRIED[name] for name, values in stated.items() if len(set(values)) > 1]
    return f"The columns differ in: {', '.join(bad)}." if bad else ""


def bare(columns: Columns) -> str | None:
    """L10: numbers without n, rule or interval. Pooled ones need no interval: the mean beside them has it."""
    bad: dict[str, list[str]] = {}
    for c in columns:
        wanted = {"n": c.n, "rule for empty masks": c.rule}
        wanted |= {} if c.aggregation == POOLED else {"interval": c.interval}
        missing = [name for name, value in wanted.items() if value is None]
        if missing:
            bad.setdefault(", ".join(missing), []).append(c.title)
    each = [f"{missing} ({', '.join(titles)})" for missing, titles in bad.items()]
    return answer(columns, each, "Not stated: {}.")


def too_many_digits(columns: Columns) -> str | None:
    """L12: more decimals than n carries; a table that does not state n carries no more than a small one."""
    known = [(c, cell) for c in columns for cell in c.cells.values() if (cell.n or c.n or 0) < MANY]
    bad = dict.fromkeys(c.title for c, cell in known if cell.decimals > DECIMALS)
    return answer(
        known, list(bad), f"More than {DECIMALS} decimals with n below {MANY:,} or not stated: {{}}."
    )


def too_good(columns: Columns) -> str | None:
    """L13: a tumour Dice on LiTS that a split by patient does not give."""
    known = [
        (c, cell)
        for c in columns
        if c.class_name == "tumour" and (c.dataset or "").startswith("lits")
        for name, cell in c.cells.items()
        if name == "dice_128" or (name == "dice" and c.grid == "128 x 128")
    ]
    bad = [f"{c.title} {cell}" for c, cell in known if cell.low > TOO_GOOD]
    return answer(
        known, bad, f"Tumour Dice on LiTS above {TOO_GOOD} at 128 x 128, check the unit of the split: {{}}."
    )


def uncounted(columns: Columns) -> str | None:
    """L14: a mean over the cases where a metric is defined, without the number of the others."""
    known = [(c, m) for c in columns if c.aggregation == PER_CASE for m in c.cells if m in MAY_BE_UNDEFINED]
    bad = [f"{m} ({c.title})" for c, m in known if c.cells[m].undefined is None]
    return answer(known, bad, "Means that do not say how many cases were left out as undefined: {}.")


RULES: dict[str, tuple[str, Rule]] = {
    "L01": (ERROR, identities.out_of_range),
    "L02": (ERROR, identities.iou_above_dice),
    "L03": (ERROR, identities.iou_without_dice),
    "L04": (NOTE, identities.dice_is_not_f1),
    "L05": (NOTE, identities.three_channels),
    "L06": (NOTE, identities.all_equal),
    "L07": (NOTE, identities.no_better_than_background),
    "L08": (NOTE, identities.unlike_prevalence),
    "L09": (ERROR, not_alike),
    "L10": (ERROR, bare),
    "L11": (ERROR, identities.impossible_distances),
    "L12": (NOTE, too_many_digits),
    "L13": (NOTE, too_good),
    "L14": (ERROR, uncounted),
}
