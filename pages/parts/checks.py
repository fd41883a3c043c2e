"""Consistency checks under a table: how many passed, what was found, and whether its columns may be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core import convention_checks, leakage_checks, published_checks, stored_checks
from pages.parts import choices, words

RULES = 14
SEVERITIES = {
    "E": (":red-badge[:material/error: {}]", "error"),
    "W": (":orange-badge[:material/info: {}]", "note"),
}


def stored_section(stored: Any, runs: Mapping[str, str], classes: Sequence[str]) -> None:
    """Under our own tables: the badge, then the checks of every class and aggregation."""
    found = {
        f"{name}, {aggregation}": linted
        for name in classes
        for aggregation, linted in stored_checks(stored, runs, name).items()
    }
    if len(runs) > 1:
        st.markdown(badge(found))
    with st.expander(headline(list(found.values()))):
        for table, linted in found.items():
            st.markdown(f"**{words.plain(table)}** · {counted(linted)}")
            _findings(linted.findings)
        st.caption(WHAT)


def published_section(table: Mapping[str, Any]) -> None:
    """Under one of the paper's tables: what the checks find in the digits as printed."""
    linted = published_checks(table)
    st.markdown(f"**Consistency checks** · {counted(linted)}")
    _findings(linted.findings)


def convention_section(stored: Any, runs: Mapping[str, str], name: str) -> None:
    """Under our figures in the paper's convention: what the same checks find where the definitions are known."""
    linted = convention_checks(stored, runs, name)
    st.markdown(f"**Consistency checks** · {counted(linted)}")
    _findings(linted.findings)
    st.caption(
        "Every definition is known here: what is found comes from the convention, not from wrong sums."
    )


def leakage_section(stored: Any) -> None:
    """Under both protocols side by side: that they are not comparable, and a Dice too good for unseen patients."""
    linted = leakage_checks(stored, choices.networks(), stored.header["endpoint"]["class"])
    st.markdown(badge({"": linted}))
    _findings([one for one in linted.findings if one not in linted.errors])  # those are beside the badge


WHAT = (
    f"{RULES} checks: values in their range, identities between scores, what a column must state. One that finds "
    "nothing to check is not counted as passed. An error keeps the columns from being called comparable."
)


def badge(found: Mapping[str, Any]) -> str:
    """Whether columns are comparable, which takes equal split, cases, rule, threshold, grid, and no error."""
    errors = {one.sentence: one for linted in found.values() for one in linted.errors}
    if not errors:
        return (
            ":green-badge[:material/check: comparable] Same split, case list, rule, threshold and grid in all "
            "columns; no error among the checks."
        )
    why = " ".join(f"{one.rule}: {words.plain(sentence)}" for sentence, one in errors.items())
    return f":red-badge[:material/block: not comparable] {why}"


def headline(found: Sequence[Any]) -> str:
    """All checks of a block of tables in a line."""
    passed, findings = sum(len(one.passed) for one in found), sum(len(one.findings) for one in found)
    return f"Consistency checks: {passed} passed, {_findings_counted(findings)}"


def counted(linted: Any) -> str:
    """How many checks had something to check, passed, and found something."""
    applied = len(linted.passed) + len(linted.findings)
    return (
        f"{applied} of {RULES} apply, {len(linted.passed)} passed, {_findings_counted(len(linted.findings))}"
    )


def _findings_counted(count: int) -> str:
    return "1 finding" if count == 1 else f"{count or 'no'} findings"


def _findings(findings: Sequence[Any]) -> None:
    lines = []
    for one in findings:
        look, severity = SEVERITIES[one.severity]
        lines.append(f"- {look.format(f'{one.rule} {severity}')} {words.plain(one.sentence)}")
    if lines:
        st.markdown("\n".join(lines))


def as_json(stored: Any) -> dict[str, list[dict[str, str]]]:
    """The findings on every set of columns that may be compared, for the file of tables: empty lists are sound."""
    made = {}
    for family in stored.summary["families"]:
        runs = {run: run for run in family["runs"]}
        for name in stored.header["classes"][1:]:
            for aggregation, linted in stored_checks(stored, runs, name).items():
                key = f"{', '.join(runs)}: {name}, {aggregation}"
                made[key] = [
                    {"rule": one.rule, "severity": one.severity, "sentence": one.sentence}
                    for one in linted.findings
                ]
    return made
