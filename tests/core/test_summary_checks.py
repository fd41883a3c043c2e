"""The certificate's summary by hand, and the sentences made from it."""

import math

import pytest

from core.certificates import Certificate, trust_sentences
from core.results import tidy
from core.summary_checks import summarise

AT = ("tumour", "bottleneck", "gradcam")


def row(case, group, method="gradcam", **numbers):
    about = {"case": case, "index": 0, "group": group, "class": "tumour", "layer": "bottleneck"}
    given = {"random_similarity_all": 0.1, "pairs_similarity": 0.5, "stability": 0.3, "deletion": math.nan}
    return about | {"method": method} | given | numbers


def certificate(rows, **header):
    return Certificate("r", "d", {"disturbances": ["noise", "gain"]} | header, tidy(summarise(rows)), rows)


def test_the_mean_is_over_groups_and_undefined_cases_are_counted():
    rows = [row("a", "g1", stability=0.1), row("b", "g1", stability=0.3), row("c", "g2", stability=0.6)]
    rows += [row("d", "g3", stability=math.nan)]
    found = certificate(rows).find("stability", *AT)
    assert found["mean"] == pytest.approx(0.4)
    assert (found["n"], found["undefined"]) == (2, 1)
    assert "points only" in found["note"]


def test_depths_are_told_apart():
    rows = [row("a", "g1", random_rank_logits=0.9, random_rank_all=0.2)]
    made = certificate(rows)
    assert made.find("random_rank", *AT, depth="logits")["mean"] == 0.9
    assert made.find("random_rank", *AT, depth="all")["mean"] == 0.2
    assert made.find("random_rank", *AT) is None


def test_a_map_is_held_against_each_baseline_case_by_case():
    rows = [row(f"c{at}", f"g{at}", deletion=0.1 * at) for at in range(8)]
    rows += [row(f"c{at}", f"g{at}", "baseline edges", deletion=0.1 * at + 0.2) for at in range(8)]
    found = certificate(rows).find("deletion", *AT, against="edges")
    assert found["mean"] == pytest.approx(-0.2)
    assert found["n"] == 8
    assert certificate(rows).find("deletion", *AT, against="uniform") is None


def many(**numbers):
    return [row(f"c{at}", f"g{at}", **{name: value + at / 1000 for name, value in numbers.items()})
            for at in range(8)]  # fmt: skip


@pytest.mark.parametrize(
    ("drawn", "words"),
    [(0.1, "it depends on what was learnt"), (0.9, "it depends too little"), (0.4965, "no clear difference")],
)
def test_the_sentence_about_random_weights_follows_the_interval(drawn, words):
    made = certificate([one | {"pairs_similarity": 0.5} for one in many(random_similarity_all=drawn)])
    assert words in trust_sentences(made, *AT)[0]


def test_few_cases_are_no_verdict():
    made = certificate([row("a", "g1")])
    assert "too few cases" in trust_sentences(made, *AT)[0]


def test_sentences_name_what_was_beaten_whichever_way_is_better():
    rows = many(deletion=0.3, insertion=0.8)
    for name, gap in (("uniform", 0.2), ("probability", -0.2)):
        rows += [one | {"method": f"baseline {name}", "deletion": one["deletion"] + gap,
                        "insertion": one["insertion"] - gap} for one in rows[:8]]  # fmt: skip
    _, stability, deletion, insertion = trust_sentences(certificate(rows), *AT)
    assert "noise, gain" in stability
    for sentence in (deletion, insertion):
        assert "better than even map; worse than probability" in sentence
        assert "n = 8" in sentence


def test_what_was_not_checked_has_no_sentence():
    assert trust_sentences(certificate([row("a", "g1")]), "tumour", "decoder_4", "gradcam") == []
