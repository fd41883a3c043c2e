"""What a training says of itself: its history, that it starts, and how it ended."""

from __future__ import annotations

import json
import math
import os

import pytest

from core import places, runs
from core.errors import RunRefused, TrainingFailed
from core.training.progress import Status, beginning, born, write_history


def test_a_score_that_no_validation_case_defines_is_kept_as_nan(monkeypatch, tmp_path):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(tmp_path))
    places.run("toy-unet-0").mkdir(parents=True)
    row = {"epoch": 1, "loss": 0.5, "learning_rate": 1e-3, "val_loss": 0.25, "val_dice": 0.75, "seconds": 2.0}
    write_history(places.run("toy-unet-0"), [{**row, "val_false_alarm": None}])
    (read,) = runs.read_history("toy-unet-0")
    assert math.isnan(read["val_false_alarm"])
    assert {key: read[key] for key in row} == row


def state_of(folder):
    return json.loads((folder / "status.json").read_text())


def test_a_training_says_that_it_starts_before_keras_is_there(tmp_path):
    with beginning(tmp_path, "busi-unet-0", 5):
        told = state_of(tmp_path)
        assert (told["state"], told["run"], told["epochs"]) == ("queued", "busi-unet-0", 5)
        assert (told["pid"], told["born"]) == (os.getpid(), born(os.getpid()))
        assert told["born"]
    assert state_of(tmp_path)["state"] == "queued"


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (RunRefused("other settings"), "failed", "refused"),
        (TrainingFailed("disk_full", "no room"), "failed", "disk_full"),
        (ImportError("no Keras"), "failed", "error"),
        (KeyboardInterrupt(), "stopped", None),
    ],
)
def test_an_end_before_its_first_epoch_is_told_with_its_reason(tmp_path, error, state, reason):
    with pytest.raises(type(error)), beginning(tmp_path, "busi-unet-0", 5):
        raise error
    told = state_of(tmp_path)
    assert (told["state"], told.get("reason")) == (state, reason)
    assert told["message"] == str(error)


def test_an_end_that_the_training_told_itself_is_not_told_again(tmp_path):
    def diverge():
        Status(tmp_path, 5, lambda facts: None).update(state="failed", reason="diverged")
        raise TrainingFailed("diverged", "NaN")

    with pytest.raises(TrainingFailed), beginning(tmp_path, "busi-unet-0", 5):
        diverge()
    assert state_of(tmp_path)["reason"] == "diverged"
    assert "message" not in state_of(tmp_path)


def test_a_finished_run_is_not_said_to_start(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with beginning(tmp_path, "busi-unet-0", 5):
        assert not (tmp_path / "status.json").exists()


def test_a_process_that_is_not_there_was_never_born():
    assert born(2**22 + 1) == ""
