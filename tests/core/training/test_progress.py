"""The history of a training as it is kept beside the weights."""

from __future__ import annotations

import math

from core import places, runs
from core.training.progress import write_history


def test_a_score_that_no_validation_case_defines_is_kept_as_nan(monkeypatch, tmp_path):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(tmp_path))
    places.run("toy-unet-0").mkdir(parents=True)
    row = {"epoch": 1, "loss": 0.5, "learning_rate": 1e-3, "val_loss": 0.25, "val_dice": 0.75, "seconds": 2.0}
    write_history(places.run("toy-unet-0"), [{**row, "val_false_alarm": None}])
    (read,) = runs.read_history("toy-unet-0")
    assert math.isnan(read["val_false_alarm"])
    assert {key: read[key] for key in row} == row
