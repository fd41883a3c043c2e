"""Tables as LaTeX: the rules of booktabs, and no text that could become a command."""

from __future__ import annotations

import re

import pytest

from core.latex import latex_table, latex_text

HOSTILE = '\\input{/etc/passwd} & 5 % $x_1^2$ # ~ <b> | "q" `w` -- [2cm]\n\\end{table}'


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("95 % of A & B", r"95 \% of A \& B"),
        ("phantom_busi", r"phantom\_busi"),
        ("p > 0.5", r"p \textgreater{} 0.5"),
        ("{a}", r"\{a\}"),
        ("$5 #3", r"\$5 \#3"),
        ("\\write18{rm}", r"\textbackslash{}write18\{rm\}"),
        ("a~b^c", r"a\textasciitilde{}b\textasciicircum{}c"),
        ("128 × 128", r"128 $\times$ 128"),
        ("one\ntwo\x00three", "one two three"),
        ("12\u202f345\u00a0px", r"12\,345~px"),
        ("a--b", "a-{}-b"),
        ("plain text, 0.712", "plain text, 0.712"),
    ],
)
def test_a_sign_that_latex_acts_on_is_written_out(text, written):
    assert latex_text(text) == written


def without_our_own(text: str) -> str:
    """Escaped text without the commands that the escaping itself writes."""
    return re.sub(r"\\text[a-z]+\{\}|\\[{}$&#%_,]|\$\\times\$|\$-\$|\{\[\}|~|(?<=-)\{\}", "", text)


def test_nothing_of_a_hostile_text_is_left_for_latex_to_act_on():
    written = latex_text(HOSTILE)
    assert "--" not in written
    assert not re.search(r"[\\{}$&#%_~^<>|\"`\[\n]", without_our_own(written))


def test_every_text_of_a_table_is_escaped():
    table = latex_table([HOSTILE], [[HOSTILE]], HOSTILE, HOSTILE)
    assert table.count(r"\end{table}") == 1
    assert table.count(r"\begin{tabular}") == 1
    assert "\\input" not in table
    assert re.search(r"\\label\{[A-Za-z0-9:-]+\}", table)


def test_a_table_has_the_rules_of_booktabs_and_its_networks_apart():
    rows = [["U-Net", "Dice", "0.712"], ["U-Net", "IoU", "0.600"], ["DC-UNet", "Dice", "0.650"]]
    table = latex_table(["Network", "Metric", "Mean"], rows, "What it is.", "tab:scores")
    inside = table[table.index(r"\toprule") : table.index(r"\bottomrule")]
    assert inside.splitlines() == [
        r"\toprule",
        r"Network & Metric & Mean \\",
        r"\midrule",
        r"U-Net & Dice & 0.712 \\",
        r" & IoU & 0.600 \\",
        r"\midrule",
        r"DC-UNet & Dice & 0.650 \\",
    ]
    assert r"\begin{tabular}{lll}" in table
    assert r"\caption{What it is.}" in table
    assert r"\label{tab:scores}" in table


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="expected 2 cells"):
        latex_table(["a", "b"], [["1"]], "", "")
