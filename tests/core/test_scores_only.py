"""Dropping the weights of a scored run: what is freed, what stays, what is refused."""

from __future__ import annotations

import argparse
import shutil

import pytest

from core import places, prepared, results, runs, scores_only, verbs
from core.errors import DataMissing, RunMissing, RunRefused
from core.evaluate import evaluate
from tests.pages import small

RUN = "phantom_busi-unet-0"


@pytest.fixture
def scored(artifacts):
    """Prepared pictures and three scored runs, a copy of this test's own."""
    return shutil.copytree(small.phantoms_only(), artifacts)


def test_the_weights_go_the_scores_stay_and_a_second_time_does_nothing(scored):
    before = results.read_results("phantom_busi")
    size = (places.run(RUN) / places.WEIGHTS).stat().st_size
    assert scores_only.drop_weights(RUN) == size
    assert not (places.run(RUN) / places.WEIGHTS).exists()
    assert scores_only.drop_weights(RUN) == 0
    assert [run.name for run in runs.list_runs()] == ["phantom_busi-multiresunet-0", "phantom_busi-dcunet-0"]
    assert runs.list_runs(scores_only=True)[0].is_scores_only
    with pytest.raises(RunRefused, match="not kept, its scores are"):
        runs.read_run(RUN)
    evaluate("phantom_busi")  # everything that is known is stored: nothing is computed
    assert results.read_results("phantom_busi").scores == before.scores


def test_the_list_of_runs_says_whose_weights_are_not_kept(scored, capsys):
    scores_only.drop_weights(RUN)
    verbs.list_all(argparse.Namespace())
    marked = {
        line.split()[0]: line for line in capsys.readouterr().out.splitlines() if "validation Dice" in line
    }
    assert marked[RUN].endswith("; scores kept, weights not")
    assert "not" not in marked["phantom_busi-dcunet-0"]
    assert len(marked) == 3


def test_a_run_that_is_not_scored_with_these_weights_keeps_them(scored):
    shutil.rmtree(places.results("phantom_busi"))
    with pytest.raises(DataMissing, match="python -m core evaluate phantom_busi"):
        scores_only.drop_weights(RUN)
    assert runs.read_run(RUN).problem is None


def test_a_run_of_other_weights_than_the_scored_ones_is_refused(scored):
    path = places.run(RUN) / "run.json"
    path.write_text(path.read_text().replace(runs.read_run(RUN).weights_sha256, "f" * 64))
    with pytest.raises(RunRefused, match="is not scored with these weights"):
        scores_only.drop_weights(RUN)
    assert (places.run(RUN) / places.WEIGHTS).exists()


def test_a_run_of_volumes_and_one_that_is_not_there_are_refused(scored, monkeypatch):
    with pytest.raises(RunMissing):
        scores_only.drop_weights("nobody-unet-0")
    assert not places.run("nobody-unet-0").exists()
    from core.datasets import lits

    monkeypatch.setattr(prepared, "read_card", lambda dataset: lits.CARDS[0])
    with pytest.raises(RunRefused, match="of volumes"):
        scores_only.drop_weights(RUN)
