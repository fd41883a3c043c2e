"""Runs beside each other."""

from __future__ import annotations

from dataclasses import replace

from core import runs
from core.records import Run

RUN = Run(
    name="lits-unet-0", dataset="lits", model="unet", seed=0, width=4, recipe="strong",
    classes=("background", "liver"), split="lits-patient", split_sha256="a" * 64, weights_sha256="b" * 64,
    validation={}, best_epoch=1, manifest={},
)  # fmt: skip


def trained(**config):
    return replace(RUN, manifest={"config": {"split": "", "epochs": 20, "augment": 1.0} | config})


def test_runs_name_the_settings_in_which_they_differ_but_for_the_split():
    found = runs.unlike(trained(), trained(split="lits-slice", epochs=48))
    assert found == ["epochs 20 and 48"]


def test_runs_without_recorded_settings_differ_in_nothing():
    assert runs.unlike(RUN, trained()) == []


def test_of_several_runs_every_value_of_a_setting_is_named_once():
    several = trained(), trained(epochs=48), trained(epochs=48, augment=0.0)
    assert runs.unlike(*several) == ["augment 1.0 and 0.0", "epochs 20 and 48"]
    assert runs.unlike() == runs.unlike(trained()) == []
