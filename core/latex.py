"""Tables as LaTeX for a manuscript: rules of booktabs, every text escaped, so that none of it can be a command."""

from __future__ import annotations

import re
from collections.abc import Sequence

SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "[": r"{[}",  # after the end of a row a bare one would be read as a length
    "×": r"$\times$",
    "−": r"$-$",
    "·": r"\textperiodcentered{}",
    "\u00a0": "~",
    "\u202f": r"\,",
}


def latex_text(text: str) -> str:
    """``text`` with every sign that LaTeX would act on written out; line breaks and control signs are a space."""
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)
    written = "".join(SIGNS.get(sign, sign) for sign in plain)
    return re.sub(r"-(?=-)", "-{}", written)  # two hyphens in a row would become a dash


def latex_table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str, label: str) -> str:
    """A floating table (UTF-8, needs the package booktabs), rows of one first cell together between rules.

    Texts are plain; they are escaped here. ``label`` keeps its letters, digits, colons and hyphens. ValueError for
    a row that has not as many cells as the header.
    """
    wrong = [row for row in rows if len(row) != len(header)]
    if wrong:
        raise ValueError(f"rows: expected {len(header)} cells each, got {len(wrong[0])}")
    body: list[str] = []
    before: Sequence[str] = ()
    for row in rows:
        is_new = not before or row[0] != before[0]
        if before and is_new:
            body.append(r"\midrule")
        body.append(_line(row if is_new else ["", *row[1:]]))
        before = row
    return "\n".join(
        [
            r"% needs \usepackage{booktabs} in the preamble",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex_text(caption)}}}",
            rf"\label{{{re.sub(r'[^A-Za-z0-9:-]', '-', label)}}}",
            rf"\begin{{tabular}}{{{'l' * len(header)}}}",
            r"\toprule",
            _line(header),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _line(cells: Sequence[str]) -> str:
    return " & ".join(latex_text(cell) for cell in cells) + r" \\"
