"""The questions and states of heatmaps in words."""

import itertools

from core.explain import sentences
from core.records import REGIONS, SCORE_KINDS, STATES, Target


def target(region, kind="log_odds"):
    """A question about tumour, with a rival where it needs one."""
    rival = "liver" if kind == "contrast" or region == "mistaken" else ""
    return Target(region=region, kind=kind, rival=rival)


def test_the_default_question_in_words():
    assert sentences.sentence(Target(), "U-Net") == "Why does U-Net call this area tumour?"


def test_a_contrast_in_words():
    said = sentences.sentence(target("predicted", "contrast"), "U-Net")
    assert said == "Why does U-Net call this area tumour rather than liver?"


def test_every_question_has_its_own_sentence():
    asked = [
        target(*pair) for pair in itertools.product(REGIONS, SCORE_KINDS) if pair != ("mistaken", "contrast")
    ]
    asked += [
        Target(region="component", index=n, of=of) for n in (2, 3, 4) for of in ("predicted", "reference")
    ]
    asked += [Target(region="boundary", side=side) for side in ("inner", "outer")]
    asked += [Target(region="pixel", row=3, column=4)]
    said = {sentences.sentence(one, "DC-UNet") for one in asked}
    assert len(said) == len(asked)
    assert all("DC-UNet" in sentence for sentence in said)


def test_every_state_but_ok_is_said_in_words():
    for region in REGIONS:
        said = [sentences.state_sentence(state, target(region), "U-Net") for state in STATES]
        assert [bool(text) for text in said] == [False, True, True, True, True]


def test_an_empty_region_names_who_left_it_empty():
    def said(region, **more):
        return sentences.state_sentence("empty_region", Target(region=region, **more), "U-Net")

    assert said("predicted") == "Nothing to explain: U-Net predicts no tumour here."
    assert "expert drew no tumour" in said("reference")
    assert "missed none of the expert" in said("missed")
    assert "nothing tumour that the expert did not" in said("invented")
    assert "none of the expert's tumour liver" in said("mistaken", rival="liver")
    assert "reference has fewer" in said("component", index=3, of="reference")
    assert "predicts fewer" in said("component", index=3)
    assert "no outline" in said("boundary")
    assert said("top_percent").startswith("U-Net predicts no tumour here")


def test_every_region_and_kind_has_a_title():
    assert set(sentences.REGION_TITLES) == set(REGIONS)
    assert set(sentences.KIND_TITLES) == set(SCORE_KINDS)
