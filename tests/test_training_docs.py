"""docs/training.md holds the tables that were measured, digit by digit."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from statistics import mean

import pytest

from core.catalogues import network_cards
from core.metrics.leakage import IMAGES
from core.metrics.statistics import group_means, paired
from tests.bench import ablation

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MODELS = ("unet", "multiresunet", "dcunet")
PATIENTS = {  # of LiTS, by the name of their group
    "volume-0": "volumes 0 and 1",
    "volume-3": "volume 3",
    "volume-4": "volume 4",
    "volume-6": "volumes 6 to 10",
}


@pytest.mark.parametrize(
    ("name", "choices"), [("training", 16), ("beginning", 4), ("sizes", 5), ("reading", 10)]
)
def test_the_table_in_the_text_is_the_measured_one(name, choices):
    rows = list(csv.DictReader((DOCS / f"ablation_{name}.csv").open(newline="")))
    assert len(rows) == choices
    assert ablation.table(rows) in (DOCS / "training.md").read_text("utf-8")


def test_what_near_duplicates_are_worth_is_what_the_scoreboard_shows():
    summary = json.loads((ROOT / "artifacts" / "results" / "busi" / "summary.json").read_text())
    rows = [row for row in summary["leakage"] if row["paired"]]
    text = (DOCS / "training.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if re.match(r"\| (a near-duplicate|none \(47|all \|)", line)]
    assert len(lines) == len(IMAGES) == len(rows) / 3
    for line, name in zip(lines, IMAGES, strict=True):
        own = {row["model"]: row for row in rows if row["images"] == name}
        cells = ["{difference:+.3f} ({low:+.3f} to {high:+.3f})".format(**own[model]) for model in MODELS]
        assert line.endswith(f"| {' | '.join(cells)} |")


def test_the_table_of_the_shipped_runs_is_what_the_scoreboard_shows():
    summary = json.loads((ROOT / "artifacts" / "results" / "busi" / "summary.json").read_text())
    text = (DOCS / "training.md").read_text("utf-8")
    cells: dict[str, list[str]] = {}
    for run in ablation.SHIPPED:
        manifest = json.loads((ROOT / "artifacts" / "runs" / run / "run.json").read_text())
        about = {"run": run, "metric": "dice"}
        (group,) = [row for row in summary["intervals"] if about.items() <= row.items()]
        about["convention"] = "per_case"
        (case,) = [row for row in summary["records"] if about.items() <= row.items()]
        (empty,) = [row for row in summary["false_alarms"] if row["run"] == run]
        for name, cell in {
            "36, begun on phantoms, presence after 18 (shipped)": f"{manifest['validation']['val_dice']:.3f}",
            "lesion Dice, mean over 57 images": f"{case['value']:.3f}",
            "mean over 44 groups (95 %)": "{value:.3f} ({low:.3f} to {high:.3f})".format(**group),
            "normal images drawn on, of 11": str(empty["drawn_on"]),
            "lesions not touched, of 57 (nothing drawn)": "{not_touched} ({missed})".format(**empty),
        }.items():
            cells.setdefault(name, []).append(cell)
    for name, own in cells.items():
        assert f"| {name} | {' | '.join(own)} |" in text


@pytest.mark.parametrize("seed", [0, 1])
def test_the_table_of_the_folds_is_what_the_scoreboard_shows(seed):
    summary = json.loads((ROOT / "artifacts" / "results" / "busi" / "summary.json").read_text())
    text = (DOCS / "training.md").read_text("utf-8")
    cells: dict[str, list[str]] = {}
    for run in (f"busi-{model}-{seed}-folds" for model in MODELS):
        (dice,) = [r for r in summary["intervals"] if (r["run"], r["metric"]) == (run, "dice")]
        (empty,) = [row for row in summary["false_alarms"] if row["run"] == run]
        (folds,) = [row for row in summary["folds"] if row["run"] == run]
        for name, cell in {
            "lesion Dice": "{value:.3f} ({low:.3f} to {high:.3f})".format(**dice),
            "single folds, per-case mean": " ".join(f"{value:.3f}" for value in folds["values"]),
            "lesions not touched, of 566 (nothing drawn)": "{not_touched} ({missed})".format(**empty),
            "drawn on, of 117 normal images": str(empty["drawn_on"]),
        }.items():
            cells.setdefault(name, []).append(cell)
    for name, own in cells.items():
        assert f"| {name} | {' | '.join(own)} |" in text


def test_what_width_adds_over_the_folds_follows_from_the_stored_scores():
    text = (DOCS / "training.md").read_text("utf-8")
    with (ROOT / "artifacts" / "results" / "busi" / "scores.csv").open(newline="") as file:
        scores = [row for row in csv.DictReader(file) if "5fold" in row["run"] and int(row["n_ref"])]
    for model in MODELS:
        wide = [row for row in scores if row["run"].startswith(f"busi-{model}-1-")]
        cases = {row["case"] for row in wide}
        narrow = [r for r in scores if r["run"].startswith(f"busi-{model}-0-") and r["case"] in cases]
        assert len(narrow) == len(wide) == len(cases)
        means = [
            group_means([float(row["dice"]) for row in rows], [row["group"] for row in rows])
            for rows in (wide, narrow)
        ]
        assert list(means[0]) == list(means[1])
        found = paired(*(list(own.values()) for own in means)).difference
        cells = f"| {found.n} | {found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f}) |"
        title = network_cards()[model].title
        (line,) = [line for line in text.splitlines() if re.match(rf"\| {title} \| 468 \|", line)]
        assert line.endswith(cells)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_leads_of_the_unet_over_the_folds_are_what_the_scoreboard_shows(seed):
    summary = json.loads((ROOT / "artifacts" / "results" / "busi" / "summary.json").read_text())
    text = " ".join((DOCS / "training.md").read_text("utf-8").split())
    pairs = [row for row in summary["comparisons"] if row["a"] == f"busi-unet-{seed}-folds"]
    assert [row["b"] for row in pairs] == [f"busi-{model}-{seed}-folds" for model in MODELS[1:]]
    for row in (found for pair in pairs for found in (pair, pair["with_lesion_free"])):
        assert re.search("{difference:.3f} .{low:.3f} to {high:.3f}[);]".format(**row), text)


def test_what_other_ways_to_choose_the_epoch_would_have_kept_follows_from_the_histories():
    text = (DOCS / "training.md").read_text("utf-8")
    cells: dict[str, list[str]] = {}
    for model in MODELS:
        kept: dict[str, list[dict[str, float]]] = {}
        for folder in (ROOT / "artifacts" / "runs").glob(f"busi-{model}-1-busi-5fold-*"):
            with (folder / "history.csv").open(newline="") as file:
                epochs = [{name: float(cell) for name, cell in row.items()} for row in csv.DictReader(file)]
            best = json.loads((folder / "run.json").read_text())["best_epoch"]
            kept.setdefault("as trained", []).append(epochs[best - 1])
            kept.setdefault("highest Dice over all images", []).append(max(epochs, key=_over_all))
            kept.setdefault("the last epoch", []).append(epochs[-1])
        for way, rows in kept.items():
            assert len(rows) == 5
            dice, alarms = (mean(row[name] for row in rows) for name in ("val_dice", "val_false_alarm"))
            cells.setdefault(way, []).append(f"{dice:.3f}, {alarms:.0%}")
    for way, own in cells.items():
        assert f"| {way} | {' | '.join(own)} |" in text


def _over_all(epoch: dict[str, float]) -> float:
    """Dice with lesion-free images counted, 1 where nothing is drawn: 117 of the 683 images are."""
    return (566 * epoch["val_dice"] + 117 * (1 - epoch["val_false_alarm"])) / 683


def test_the_dice_of_every_patient_unseen_is_what_the_scoreboard_shows():
    folder, text = ROOT / "artifacts" / "results" / "lits", (DOCS / "training.md").read_text("utf-8")
    summary = json.loads((folder / "summary.json").read_text())
    with (folder / "scores.csv").open(newline="") as file:
        scores = [row for row in csv.DictReader(file) if row["unit"] == "volume"]
    for name in ("liver", "tumour"):
        cells: dict[str, list[str]] = {}
        for model in MODELS:
            rows = [row for row in scores if (row["model"], row["class"]) == (model, name)]
            assert len({row["case"] for row in rows}) == len(rows) == 9
            by_patient = {
                said: mean(float(row["dice"]) for row in rows if row["group"] == patient and row["dice"])
                for patient, said in PATIENTS.items()
            }
            about = {"run": f"lits-{model}-0-folds", "class": name, "metric": "dice"}
            (pooled,) = [row["value"] for row in summary["intervals"] if about.items() <= row.items()]
            assert pooled == pytest.approx(mean(by_patient.values()), abs=1e-5)
            for said, dice in (by_patient | {"mean over four patients": pooled}).items():
                cells.setdefault(said, []).append(f"{dice:.3f}")
        for said, own in cells.items():
            assert f"| {name}, {said} | {' | '.join(own)} |" in text


def test_what_neighbouring_slices_are_worth_is_what_the_scoreboard_shows():
    summary = json.loads((ROOT / "artifacts" / "results" / "lits" / "summary.json").read_text())
    text = (DOCS / "training.md").read_text("utf-8")
    for name in ("liver", "tumour"):
        found = {row["model"]: row["same_slices"] for row in summary["leakage"] if row["class"] == name}
        own = [found[model] for model in MODELS]
        assert {(one["n"], one["n_volumes"], one["n_groups"], one["low"]) for one in own} == {
            (130, 9, 4, None)
        }
        for side, said in enumerate(("patient unseen", "other slices of the volume seen")):
            cells = [f"{one['values'][side]:.3f}" for one in own]
            assert f"| {name}, {said} | {' | '.join(cells)} |" in text
        added = ["{:+.3f} ({:+.3f} to {:+.3f})".format(one["difference"], *one["volumes"]) for one in own]
        assert f"| {name}, added | {' | '.join(added)} |" in text


def test_a_cell_without_a_number_is_empty_and_a_tiny_p_is_a_limit():
    row = {"choice": "x", "dice": "0.5", "dice_low": "0.4", "dice_high": "0.6", "change": "", "p": "0.0001"}
    row |= {"change_low": "", "change_high": "", "false_alarms": "0.25", "bce": ""}
    assert ablation.table([row]).splitlines()[-1] == "| x | 0.500 (0.400 to 0.600) |  | < 0.001 | 25% |  |"
