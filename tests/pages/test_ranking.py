"""Which network is ahead: the sentence, the cautions beside it, and the spread over trainings."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest

from core import places
from pages.parts import ranking
from tests.pages import small
from tests.pages.small import open_page, said

FOLDS = tuple(f"busi-5fold-{number}" for number in range(1, 6))
RUNS = {"f": "U-Net"}
FACTS = {"model": "unet", "family": "x"}
SPREAD = {
    "values": [0.6, 0.8, None], "mean": 0.7, "low": 0.6, "high": 0.8, "sd": 0.1414, "n": 2, "n_unit": "trainings",
}  # fmt: skip
ORDER = {
    "family": "x", "share": {"f": [1.0]}, "mean_then_rank": "f", "rank_then_mean": None, "tau": 0.5, "left_out": 2,
    "n_unit": "groups", "note": "the two ways of ranking name different winners", "kind": "single run: compares",
}  # fmt: skip


def stored(**summary):
    return SimpleNamespace(runs={"f": FACTS}, summary={"folds": [], "seeds": [], "ranks": [ORDER]} | summary)


def test_both_ways_of_ranking_and_what_was_left_out_stand_beside_the_sentence():
    text = " ".join(ranking.cautions(stored(), ORDER))
    assert "First by mean Dice: U-Net, by mean rank: no single network." in text
    assert "The two ways of ranking name different winners." in text
    assert "2 groups left out" in text
    assert "Single run: compares." in text


def test_the_order_is_that_of_the_family_on_screen():
    assert ranking.order_of(stored(), RUNS) is ORDER
    assert ranking.order_of(stored(ranks=[ORDER | {"family": "other"}]), RUNS) is None


def test_spread_over_folds_and_over_seeds_are_separate_rows_with_their_n():
    seeds = SPREAD | {"runs": ["f", "g", "h"], "seeds": [0, 1, 2]}
    found = ranking.spread_rows(
        stored(folds=[SPREAD | {"run": "f", "folds": ["a", "b", "c"]}], seeds=[seeds]), RUNS
    )
    assert list(found["Over"]) == ["3 folds, 1 of them undefined", "3 seeds, 1 of them undefined"]
    assert list(found.iloc[0][["Network", "Mean Dice", "Lowest", "Highest", "n trainings"]]) == [
        "U-Net", "0.700", "0.600", "0.800", "2"
    ]  # fmt: skip


def test_seeds_of_other_trainings_are_no_row_of_this_column():
    assert ranking.spread_rows(stored(seeds=[SPREAD | {"runs": ["g", "h"], "seeds": [0, 1]}]), RUNS).empty


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The small set of pictures with runs on every fold beside those on the default split, and their results."""
    from core import evaluate, prepared, runs

    made = tmp_path_factory.mktemp("folds") / "artifacts"
    shutil.copytree(small.phantoms_and_real(), made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_ARTIFACTS", str(made))
        small.answer_for_the_networks(patch)
        for split in FOLDS:
            for model in small.MODELS:
                first, name = (
                    places.run(runs.run_name("busi", model, 0)),
                    runs.run_name("busi", model, 0, split),
                )
                shutil.copytree(first, places.run(name))
                manifest = json.loads((first / "run.json").read_text())
                facts = {"name": split, "sha256": prepared.read_split("busi", split).sha256}
                (places.run(name) / "run.json").write_text(
                    json.dumps(manifest | {"name": name, "split": facts})
                )
        evaluate.evaluate("busi")
    return made


@pytest.fixture
def board(folder, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
    return lambda **query: open_page("scoreboard", ds="busi", **query)


def test_all_folds_are_the_first_set_with_every_image_scored_once(board):
    page = board()
    assert not page.exception
    text = said(page)
    assert "every image scored once, 34 images" in text
    assert "5 trainings" in text
    assert "On these cases" in text
    assert "has the best mean tumour Dice with probability" in text
    assert "the paper" in text
    assert "Cases without a tumour: 8; drawn on by U-Net " in text
    assert "5 folds" in text
    labels = page.selectbox(key="w_set").options
    assert labels[0] == "by near-duplicate group, all folds, seed 0"
    assert "by near-duplicate group, seed 0" in labels
    assert "by near-duplicate group, fold 2 of 5, seed 0" in labels
    assert labels[0] in [caption.value for caption in page.sidebar.caption]  # too long for the closed list


def test_every_case_of_all_folds_is_in_the_chart_of_cases(board):
    charts = [json.loads(element.proto.spec) for element in board().get("plotly_chart")]
    boxes = next(one for one in charts if "of every case" in one["layout"]["title"]["text"])["data"]
    assert [len(box["text"]) for box in boxes] == [small.COUNTS["benign"] + small.COUNTS["malignant"]] * 3


def test_the_ranks_are_drawn_in_the_networks_colours_and_patterns(board):
    charts = [json.loads(element.proto.spec) for element in board().get("plotly_chart")]
    chart = next(one for one in charts if "Share of resamples" in one["layout"]["title"]["text"])
    assert [trace["name"] for trace in chart["data"]] == ["U-Net", "MultiResUNet", "DC-UNet"]
    assert len({trace["marker"]["color"] for trace in chart["data"]}) == 3
    assert len({trace["marker"]["pattern"]["shape"] for trace in chart["data"]}) == 3


def test_the_default_split_stays_a_set_of_its_own(board):
    page = board(set="busi-0")
    assert not page.exception
    assert "every image scored once" not in said(page)


def test_review_opens_on_the_trainings_of_the_default_split(folder, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
    page = open_page("review", ds="busi")
    assert not page.exception
    assert page.selectbox(key="w_set").value == "busi-0"


def test_the_lesson_about_dice_counts_the_cases_of_all_folds(folder, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
    page = open_page("teach", ds="busi", lesson="dice", step="1")
    assert not page.exception
    assert "**34 images**, **8 of them without any tumour**" in said(page)
