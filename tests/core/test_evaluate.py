"""The test set through injected predictions: what is scored, stored, kept, compared and refused."""

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from core import evaluate as subject
from core import plans, prepared, preprocess, results, runs
from core.cards import DatasetCard
from core.errors import RunMissing, RunRefused
from core.records import Prediction, Run, Slice, SliceEntry

CARD = DatasetCard(
    name="toy",
    title="Toy",
    modality="ultrasound",
    classes=("background", "tumour"),
    channels=1,
    group="cluster",
    source="",
    licence="",
    citation="",
    synthetic=True,
    layout="busi",
    splits=("toy-group", "toy-image", "toy-5fold-1", "toy-5fold-2"),
)
EXTERNAL = dataclasses.replace(CARD, name="elsewhere", splits=())
SHAPE = (128, 128)  # enlarging is then exact
CASES = [f"benign-{i}" for i in range(1, 9)] + ["normal-1", "normal-2", "malignant-1", "unmarked-1"]
FOLDS = CARD.splits[2:]
TEST = {
    "toy-group": (*CASES[:4], "normal-1", "unmarked-1"),
    "toy-image": (*CASES[4:8], "normal-2"),
    FOLDS[0]: (*CASES[:3], "normal-1"),
    FOLDS[1]: (*CASES[3:8], "normal-2"),
}
EXCLUDED = dict.fromkeys(FOLDS, "excluded")  # malignant-1 has a reference, but no fold tests it
SHIFTS = {"unet": 0, "multiresunet": 4, "dcunet": 8}


def square(column=30, width=20):
    mask = np.zeros(SHAPE, np.uint8)
    mask[40:60, column : column + width] = 1
    return mask


def reference_of(case):
    if case.startswith("unmarked"):
        return None
    return np.zeros(SHAPE, np.uint8) if case.startswith("normal") else square(width=10 + 2 * int(case[-1]))


def entries_of(card):
    made = []
    for case in CASES:
        reference = reference_of(case)
        pixels = None if reference is None else int(reference.sum())
        group = "twins" if case in ("benign-1", "benign-2") else case
        tag = case.split("-")[0]
        parts = EXCLUDED if case == "malignant-1" else {}
        made.append(SliceEntry(card.name, case, 0, group, tag, ("flag",), *SHAPE, pixels, parts))
    return tuple(made)


def slice_of(dataset, case, index=0):
    entry = next(entry for entry in entries_of(CARD) if entry.case == case)
    picture, image = np.zeros(SHAPE, np.uint8), np.zeros((*SHAPE, 1), np.float32)
    return Slice(dataset, case, index, entry.group, entry.tag, picture, image, reference_of(case))


def run_of(model, split="toy-group", dataset="toy", **more):
    name = runs.run_name(dataset, model, more.get("seed", 0), "" if split == "toy-group" else split)
    fields = {"seed": 0, "width": 4, "recipe": "strong", "classes": CARD.classes, "problem": None} | more
    sha = f"{split}-sha".ljust(64, "0")
    return Run(
        name=name,
        dataset=dataset,
        model=model,
        split=split,
        split_sha256=sha,
        weights_sha256=f"weights of {name}",
        best_epoch=1,
        validation={},
        manifest={},
        **fields,
    )


def predictions(run, slices):
    """Every model draws the reference moved to the right by its own shift; DC-UNet draws on normals too."""
    model = run.split("-")[1]
    made = []
    for s in slices:
        mask = reference_of(s.case)
        if model == "dcunet" and s.case.startswith("normal"):
            mask = square()
        moved = np.roll(mask, SHIFTS[model], axis=1)
        made.append(Prediction(run, s.key, np.where(moved, 0.9, 0.1).astype(np.float32)[..., None]))
    return made


class Counting:
    """Injected predictions that remember which runs were asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, run, slices):
        self.asked.append(run)
        return predictions(run, slices)


@pytest.fixture(autouse=True)
def listed(tmp_path, monkeypatch):
    """A dataset of twelve cases and three runs, none of them on disk; the list of runs may be changed."""
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(tmp_path))
    found = [run_of("unet"), run_of("multiresunet"), run_of("dcunet")]
    cards = {"toy": CARD, "elsewhere": EXTERNAL}

    def split_of(dataset, name):
        parts = {"train": (), "validation": (), "test": TEST[name], "excluded": ()}
        return prepared.Split(name, dataset, 0, "", f"{name}-sha".ljust(64, "0"), parts)

    def described(name):
        for run in found:
            if run.name == name:
                return run
        raise RunMissing(name)

    def read_run(name):
        run = described(name)
        if run.problem:
            raise RunRefused(run.problem)
        return run

    monkeypatch.setattr(prepared, "read_card", lambda dataset: cards[dataset])
    monkeypatch.setattr(prepared, "list_slices", lambda dataset: entries_of(cards[dataset]))
    monkeypatch.setattr(prepared, "read_slice", slice_of)
    monkeypatch.setattr(prepared, "read_split", split_of)
    monkeypatch.setattr(prepared, "card_json", lambda dataset: {"sha256": f"data of {dataset}"})

    def list_runs(dataset=None, *, scores_only=False):
        return tuple(r for r in found if dataset in (None, r.dataset) and scores_only >= r.is_scores_only)

    monkeypatch.setattr(runs, "list_runs", list_runs)
    monkeypatch.setattr(runs, "read_run", read_run)
    monkeypatch.setattr(runs, "described", described)
    return found


def evaluate(dataset="toy", names=None, **more):
    return subject.evaluate(dataset, names, **({"predict": predictions} | more))


def one(records, **wanted):
    found = [record for record in records if wanted.items() <= record.items()]
    assert len(found) == 1
    return found[0]


def test_a_perfect_run_scores_1_and_a_shifted_one_what_its_overlap_is_worth():
    records = evaluate()
    perfect = one(records, model="unet", metric="dice", convention="per_case")
    assert (perfect["value"], perfect["n"], perfect["class"]) == (1, 4, "tumour")
    widths = [12, 14, 16, 18]
    shifted = one(records, model="multiresunet", metric="dice", convention="per_case")
    assert shifted["value"] == pytest.approx(np.mean([(w - 4) / w for w in widths]), abs=1e-5)
    pooled = one(records, model="multiresunet", metric="dice", convention="pooled")
    assert pooled["value"] == pytest.approx(sum(w - 4 for w in widths) / sum(widths), abs=1e-5)
    assert (pooled["n"], shifted["n"]) == (5, 4)
    assert one(records, model="multiresunet", metric="hd95", convention="per_case")["value"] == 4


def test_every_record_has_its_keys_and_no_value_is_nan():
    records = evaluate()
    keys = {
        "run",
        "model",
        "dataset",
        "class",
        "metric",
        "convention",
        "value",
        "n",
        "n_unit",
        "rule",
        "grid",
    }
    keys |= {"threshold", "split", "split_sha256", "part"}
    assert all(keys <= set(record) for record in records)
    assert {record["convention"] for record in records} == {"per_case", "pooled", "paper-binary"}
    assert all(record["value"] is not None or record["why"] for record in records)
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    seven = {"accuracy", "recall", "precision", "iou", "dice", "cce", "bce"}
    for convention in ("per_case", "pooled"):
        assert seven <= {r["metric"] for r in records if r["convention"] == convention}
    paper = {r["metric"] for r in records if r["convention"] == "paper-binary"}
    assert paper == (seven - {"cce"}) | {"iou_a", "iou_b"}


def test_a_record_is_named_once_per_run_metric_and_convention():
    records = evaluate()
    names = [(r["run"], r["class"], r["metric"], r["convention"]) for r in records]
    assert len(names) == len(set(names))


def test_drawing_on_the_only_normal_image_is_a_false_alarm_rate_of_1():
    records = evaluate()
    alarm = one(records, model="dcunet", metric="false_alarm_rate")
    assert (alarm["value"], alarm["n"], alarm["median_false_pixels"]) == (1, 1, 400)
    assert one(records, model="unet", metric="false_alarm_rate")["value"] == 0


def test_the_paper_convention_counts_a_clean_normal_image_as_dice_0():
    records = evaluate()
    paper = one(records, model="unet", metric="dice", convention="paper-binary")
    assert (paper["value"], paper["n"], paper["rule"]) == (0.8, 5, "empty-is-zero")
    assert one(records, model="unet", metric="iou_a", convention="paper-binary")["value"] == 1
    assert one(records, model="unet", metric="bce", convention="paper-binary")["value"] == pytest.approx(
        -math.log(0.9), abs=1e-6
    )


def test_a_case_without_reference_is_left_out_and_counted():
    evaluate()
    found = results.read_results("toy")
    assert {row["without_reference"] for row in found.runs.values()} == {1}
    assert "unmarked-1" not in found.cases
    assert {row["n_images"] for row in found.runs.values()} == {5}


def test_twins_count_as_one_group_in_the_interval_and_as_two_cases_in_the_mean():
    records = evaluate()
    found = results.read_results("toy")
    interval = one(found.summary["intervals"], model="multiresunet", metric="dice")
    groups = [np.mean([8 / 12, 10 / 14]), 12 / 16, 14 / 18]
    assert (interval["n"], interval["n_unit"]) == (3, "groups")
    assert interval["value"] == pytest.approx(np.mean(groups), abs=1e-5)
    assert (interval["low"], interval["note"]) == (None, "n < 5: points only")
    assert "n=3 groups · split toy-grou" in interval["heading"]
    assert one(records, model="multiresunet", metric="dice", convention="per_case")["n"] == 4


def test_scores_and_cases_are_stored_with_counts_on_both_grids():
    evaluate()
    found = results.read_results("toy")
    assert len(found.scores) == 15
    row = one(found.scores, run="toy-dcunet-0", case="benign-4")
    assert (row["tp"], row["fp"], row["fn"], row["n_ref"], row["n_pred"]) == (200, 160, 160, 360, 360)
    assert (row["tp_128"], row["fp_128"]) == (200, 160)
    assert (row["hd95_px"], row["ceiling_dice"]) == (8, 1)
    assert row["hd95_percent"] == pytest.approx(100 * 8 / math.hypot(*SHAPE), abs=1e-4)
    assert list(found.runs) == ["toy-unet-0", "toy-multiresunet-0", "toy-dcunet-0"]


def test_disagreement_is_what_not_all_models_draw_over_what_any_draws():
    evaluate()
    found = results.read_results("toy").cases
    width = 12  # benign-1: columns 30-42, 34-46 and 38-50
    union, shared = width + 8, width - 8
    assert found["benign-1"]["disagreement"] == pytest.approx((union - shared) / union)
    assert found["benign-1"]["disagreement_px"] == 20 * (union - shared)
    assert found["normal-1"]["disagreement"] == 1
    assert found["benign-1"]["n_runs"] == 3


def test_a_second_call_returns_the_stored_records_without_predicting(tmp_path):
    first = evaluate()
    asked = Counting()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "results" / "toy").iterdir()}
    assert evaluate(predict=asked) == first
    assert asked.asked == []
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "results" / "toy").iterdir()} == before


def test_force_computes_again_and_finds_the_same():
    first = evaluate()
    asked = Counting()
    assert evaluate(predict=asked, force=True) == first
    assert set(asked.asked) == {"toy-unet-0", "toy-multiresunet-0", "toy-dcunet-0"}


def test_changed_weights_changed_data_or_a_damaged_table_are_scored_again(tmp_path, listed, monkeypatch):
    evaluate()
    listed[0] = dataclasses.replace(listed[0], weights_sha256="other")
    evaluate(predict=(asked := Counting()))
    assert "toy-unet-0" in asked.asked
    monkeypatch.setattr(prepared, "card_json", lambda dataset: {"sha256": "other"})
    evaluate(predict=(asked := Counting()))
    assert asked.asked
    (tmp_path / "results" / "toy" / results.SCORES).write_text("run\n")
    evaluate(predict=(asked := Counting()))
    assert asked.asked
    assert len(results.read_results("toy").scores) == 15


def test_naming_one_run_returns_its_records_and_keeps_the_stored_others():
    evaluate()
    named = evaluate(names=["toy-unet-0"], predict=(asked := Counting()))
    assert {record["run"] for record in named} == {"toy-unet-0"}
    assert asked.asked == []
    assert len(results.read_results("toy").runs) == 3


def test_a_new_run_joins_those_already_stored_in_the_listed_order():
    evaluate(names=["toy-multiresunet-0", "toy-dcunet-0"])
    evaluate(names=["toy-unet-0"])
    assert list(results.read_results("toy").runs) == ["toy-unet-0", "toy-multiresunet-0", "toy-dcunet-0"]


def test_a_stored_run_whose_weights_changed_is_dropped_when_another_is_named(listed):
    evaluate()
    listed[1] = dataclasses.replace(listed[1], weights_sha256="other")
    evaluate(names=["toy-unet-0"])
    assert list(results.read_results("toy").runs) == ["toy-unet-0", "toy-dcunet-0"]


def test_an_external_set_is_scored_whole_by_every_run_whose_classes_fit(listed):
    listed.append(run_of("unet", dataset="liver", classes=("background", "liver", "tumour")))
    records = evaluate("elsewhere")
    assert {record["run"] for record in records} == {"toy-unet-0", "toy-multiresunet-0", "toy-dcunet-0"}
    dice = one(records, model="unet", metric="dice", convention="per_case")
    assert (dice["n"], dice["part"], dice["split"]) == (9, "all", None)
    found = results.read_results("elsewhere")
    assert found.header["external"] is True
    assert "split none" in one(found.summary["intervals"], model="unet", metric="dice")["heading"]


def test_a_run_of_other_classes_is_refused_by_name(listed):
    listed.append(run_of("unet", dataset="liver", classes=("background", "liver", "tumour")))
    with pytest.raises(RunRefused, match="background, liver, tumour"):
        evaluate("elsewhere", ["liver-unet-0"])


def test_each_run_is_scored_on_the_test_part_of_its_own_split(listed):
    listed.append(run_of("unet", "toy-image"))
    records = evaluate()
    naive = one(records, run="toy-unet-0-toy-image", metric="dice", convention="per_case")
    assert (naive["n"], naive["split"]) == (4, "toy-image")
    found = results.read_results("toy")
    cases = {row["case"] for row in found.scores if row["run"] == "toy-unet-0-toy-image"}
    assert cases == set(TEST["toy-image"])
    assert found.header["splits"] == {"toy-group": "toy-grou", "toy-image": "toy-imag"}


def test_runs_of_two_splits_are_never_compared_but_their_difference_is_shown_as_leakage(listed):
    listed.append(run_of("unet", "toy-image"))
    evaluate()
    summary = results.read_results("toy").summary
    assert not any("toy-image" in (pair["a"] + pair["b"]) for pair in summary["comparisons"])
    leak = summary["leakage"]
    assert [row["splits"] for row in leak] == [["toy-group", "toy-image"]]
    assert (leak[0]["difference"], leak[0]["n"]) == (0, [4, 4])


def test_three_runs_make_three_pairs_and_two_widths_make_none(listed):
    evaluate()
    pairs = results.read_results("toy").summary["comparisons"]
    assert [(p["a"], p["b"]) for p in pairs] == [
        ("toy-unet-0", "toy-multiresunet-0"),
        ("toy-unet-0", "toy-dcunet-0"),
        ("toy-multiresunet-0", "toy-dcunet-0"),
    ]
    assert all(p["p"] is None and "no p" in p["note"] and "single run" in p["kind"] for p in pairs)
    assert pairs[0]["difference"] > 0
    listed[:] = [dataclasses.replace(run, width=width) for width, run in enumerate(listed, start=4)]
    evaluate(force=True)
    assert results.read_results("toy").summary["comparisons"] == []


def without_weights(run):
    return dataclasses.replace(
        run, manifest={"weights": {"kept": False}}, problem="The weights are not kept."
    )


def test_scores_of_runs_whose_weights_were_dropped_go_through_an_evaluation_unchanged(listed):
    """All figures come out as before, though nothing can be predicted with them: single runs, folds, cases."""
    for split in FOLDS:
        listed.extend(run_of(model, split) for model in SHIFTS)
    records = evaluate()
    before = results.read_results("toy")
    assert before.cases["benign-6"]["disagreement"] > 0  # tested in the second fold alone
    listed[3:] = [without_weights(run) for run in listed[3:]]
    assert evaluate(predict=(asked := Counting())) == records
    assert set(asked.asked) == {"toy-unet-0", "toy-multiresunet-0", "toy-dcunet-0"}
    after = results.read_results("toy")
    assert after.scores == before.scores
    assert by_family(after) == by_family(before)
    assert unordered(after.summary) == unordered(before.summary)


def by_family(stored):
    """The cases with the runs of their family for its place."""
    families = [family["runs"] for family in stored.summary["families"]]
    return {case: {**row, "family": families[row["family"]]} for case, row in stored.cases.items()}


def unordered(summary):
    """A summary without its date, its families and what is told of each in any order."""
    told = {key: value for key, value in summary.items() if key != "files"}
    told["header"] = {key: value for key, value in told["header"].items() if key != "date"}
    told["inputs"] = {key: value for key, value in told["inputs"].items() if key != "scores_only"}
    return told | {key: sorted(told[key], key=str) for key in ("families", "comparisons", "ranks")}


def apart(case):
    """How far the networks behind the stored disagreement of a case differ, and their names."""
    stored = results.read_results("toy")
    row = stored.cases[case]
    runs_ = [] if row["family"] is None else stored.summary["families"][row["family"]]["runs"]
    return row["disagreement"], row["disagreement_px"], row["n_runs"], runs_


def test_the_disagreement_of_networks_without_weights_stays_when_a_single_one_joins_and_goes(listed):
    listed += [run_of(model, FOLDS[1]) for model in SHIFTS]
    evaluate()
    before = apart("benign-6")
    assert before[2] == 3
    listed[3:] = [without_weights(run) for run in listed[3:]]
    for model in ("unet", "multiresunet"):
        listed.append(run_of(model, FOLDS[1], seed=1))
        evaluate()
        assert apart("benign-6") == before
        listed[-1] = without_weights(listed[-1])
        evaluate()
        assert apart("benign-6") == before


def test_a_disagreement_with_a_network_that_was_trained_again_is_not_known(listed):
    listed += [run_of(model, FOLDS[1]) for model in ("unet", "dcunet")]
    evaluate()
    listed[3:] = [without_weights(listed[3]), dataclasses.replace(listed[4], weights_sha256="other")]
    evaluate()
    value, pixels, *nobody = apart("benign-6")
    assert math.isnan(value)
    assert (pixels, *nobody) == (None, 0, [])


def test_a_case_that_one_network_reads_has_no_disagreement_rather_than_none_at_all(listed):
    listed.append(run_of("unet", FOLDS[1]))
    evaluate()
    assert math.isnan(apart("benign-6")[0])
    assert apart("benign-1")[0] > 0


def test_what_is_kept_as_scores_alone_leads_no_table_while_there_are_networks_that_draw(listed):
    with_folds(listed)
    evaluate()
    pooled = [f"toy-{model}-0-folds" for model in SHIFTS]
    shown = [f"toy-{model}-0" for model in SHIFTS]
    assert [one["runs"] for one in families_of("toy")][:2] == [pooled, shown]
    listed[3:] = [without_weights(run) for run in listed[3:]]
    evaluate()
    assert [one["runs"] for one in families_of("toy")][:2] == [shown, pooled]
    assert len(families_of("toy")) == 4


def families_of(dataset):
    return results.read_results(dataset).summary["families"]


def test_scores_without_weights_are_kept_when_another_run_is_named_or_joins(listed):
    evaluate()
    listed[1] = without_weights(listed[1])
    evaluate(names=["toy-unet-0"], force=True)
    listed.append(run_of("unet", "toy-image"))
    evaluate()
    assert set(results.read_results("toy").runs) == {run.name for run in listed}
    named = evaluate(names=["toy-multiresunet-0"])
    assert {record["run"] for record in named} == {"toy-multiresunet-0"}


def test_other_runs_are_scored_again_when_one_is_named_on_changed_data(monkeypatch):
    evaluate()
    monkeypatch.setattr(prepared, "card_json", lambda dataset: {"sha256": "other"})
    evaluate(names=["toy-unet-0"], predict=(asked := Counting()))
    assert set(asked.asked) == {"toy-unet-0", "toy-multiresunet-0", "toy-dcunet-0"}
    assert len(results.read_results("toy").runs) == 3


def test_scores_without_weights_of_older_results_are_left_out_by_name(tmp_path, listed):
    """Results from before the pixels by probability were stored cannot be gone on with."""
    evaluate()
    path = tmp_path / "results" / "toy" / results.SUMMARY
    summary = json.loads(path.read_text())
    del summary["calibration"]["counts"]
    path.write_text(json.dumps(summary))
    listed[1] = without_weights(listed[1])
    evaluate(force=True)
    assert "toy-multiresunet-0" in results.read_results("toy").header["left_out"]


def test_scores_without_weights_are_left_out_by_name_once_the_data_changed(listed, monkeypatch):
    evaluate()
    listed[1] = without_weights(listed[1])
    monkeypatch.setattr(prepared, "card_json", lambda dataset: {"sha256": "other"})
    evaluate()
    left_out = results.read_results("toy").header["left_out"]
    assert "are not stored, or for other cases" in left_out["toy-multiresunet-0"]
    with pytest.raises(RunRefused, match="not kept"):
        evaluate(names=["toy-multiresunet-0"])


def test_a_split_that_changed_since_training_refuses_the_run(listed):
    listed[0] = dataclasses.replace(listed[0], split_sha256="f" * 64)
    with pytest.raises(RunRefused, match="may have been trained on"):
        evaluate(names=["toy-unet-0"])
    assert "toy-unet-0" not in {record["run"] for record in evaluate()}
    assert "toy-unet-0" in results.read_results("toy").header["left_out"]


def test_a_damaged_run_is_left_out_with_its_problem_and_no_run_at_all_is_an_error(listed):
    listed[2] = dataclasses.replace(listed[2], problem="weights are missing")
    evaluate()
    assert results.read_results("toy").header["left_out"] == {"toy-dcunet-0": "weights are missing"}
    listed.clear()
    with pytest.raises(RunMissing, match="python -m core train toy"):
        evaluate()


def test_progress_reaches_the_number_of_predictions():
    told = []
    evaluate(report=lambda done, total, text: told.append((done, total)))
    assert told[-1] == (15, 15)
    assert told == sorted(told)


def test_the_papers_figures_are_beside_ours_but_not_claimed_for_other_images():
    evaluate()
    paper = results.read_results("toy").summary["paper"]
    assert paper["same_data"] is False
    assert len(paper["beside"]) == 18
    assert not any("met" in row for row in paper["beside"])
    assert paper["values"]["iou"]["unet"] == "0.7292"


def test_the_papers_figures_are_met_or_not_on_its_own_data(monkeypatch, listed):
    busi = dataclasses.replace(CARD, name="busi", synthetic=False)
    monkeypatch.setattr(prepared, "read_card", lambda dataset: busi)
    monkeypatch.setattr(prepared, "list_slices", lambda dataset: entries_of(busi))
    listed[:] = [run_of("unet", dataset="busi")]
    evaluate("busi")
    beside = {row["metric"]: row["met"] for row in results.read_results("busi").summary["paper"]["beside"]}
    assert beside == dict.fromkeys(("accuracy", "recall", "precision", "iou", "dice", "bce"), True)


def test_sizes_are_terciles_of_all_references_of_the_dataset():
    evaluate()
    found = results.read_results("toy")
    assert [found.cases[f"benign-{i}"]["size"] for i in range(1, 5)] == ["small", "small", "medium", "medium"]
    assert found.cases["normal-1"]["size"] == "none"
    groups = [s for s in found.summary["subgroups"] if s["model"] == "unet" and s["by"] == "size"]
    assert {s["level"]: s["cases"] for s in groups} == {"small": 2, "medium": 2}


def test_the_family_that_speaks_for_a_dataset_was_trained_on_it_under_its_default_split(listed):
    listed.insert(0, run_of("unet", "toy-image"))
    listed.insert(0, run_of("multiresunet", "toy-image"))
    evaluate()
    families = results.read_results("toy").summary["families"]
    assert families[0]["runs"] == ["toy-unet-0", "toy-multiresunet-0", "toy-dcunet-0"]
    assert plans.endpoint(CARD) == "tumour"


def test_a_large_square_survives_the_128_grid_and_a_small_lesion_may_vanish():
    large = np.zeros((512, 512), bool)
    large[100:300, 100:300] = True
    assert subject.resolution_ceiling(large) > 0.98
    assert math.isnan(subject.resolution_ceiling(np.zeros((512, 512), bool)))


@pytest.mark.parametrize(("side", "lost"), [(2, 12), (3, 7), (4, 0)])
def test_of_16_positions_a_square_lesion_vanishes_at_12_7_or_0(side, lost):
    gone = 0
    for row in range(4):
        for column in range(4):
            mask = np.zeros((512, 512), np.uint8)
            mask[200 + row : 200 + row + side, 200 + column : 200 + column + side] = 1
            gone += not preprocess.small_labels(mask).any()
    assert gone == lost


def test_three_classes_are_scored_per_class_with_the_liver_holding_its_tumours():
    card = dataclasses.replace(CARD, classes=("background", "liver", "tumour"))
    labels = np.zeros(SHAPE, np.uint8)
    labels[20:100, 20:100] = 1
    labels[40:60, 40:60] = 2
    s = Slice("x", "a", 0, "a", "", np.zeros(SHAPE, np.uint8), np.zeros((*SHAPE, 1), np.float32), labels)
    called = np.eye(3, dtype=np.float32)[np.minimum(labels, 1)]
    prediction = Prediction("r", s.key, called)
    drawn = preprocess.labels_of(called, SHAPE)
    liver, tumour = subject.score_slice(s, prediction, drawn, card, {"run": "r", "case": "a"})
    assert (liver["class"], liver["dice"], liver["n_ref"]) == ("liver", 1, 6400)
    assert (tumour["class"], tumour["dice"], tumour["n_ref"]) == ("tumour", 0, 400)
    assert math.isnan(tumour["hd95_px"])


def test_reading_results_loads_no_scipy_and_no_keras():
    loaded = (
        "import sys; import core.results; print({'scipy', 'keras', 'skimage', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def with_folds(listed, *seeds):
    listed += [
        run_of(model, split, seed=seed) for seed in seeds or (0,) for split in FOLDS for model in SHIFTS
    ]
    return listed


def test_trainings_that_score_every_image_once_are_pooled_beside_that_on_the_default_split(listed):
    with_folds(listed)
    records = evaluate()
    stored = results.read_results("toy")
    facts = stored.runs["toy-unet-0-folds"]
    assert facts["trainings"] == ["toy-unet-0-toy-5fold-1", "toy-unet-0-toy-5fold-2"]
    assert facts["note"] == "every image scored once, 10 images, 9 groups, 2 trainings"
    assert (facts["n_images"], facts["n_groups"], facts["split"]) == (10, 9, "toy-5fold-1 + toy-5fold-2")
    assert facts["weights_sha256"].count(" + ") == 1
    assert one(records, run="toy-unet-0-folds", metric="dice", convention="per_case")["n"] == 8
    shifted = one(records, run="toy-multiresunet-0-folds", metric="dice", convention="per_case")
    assert shifted["value"] == pytest.approx(np.mean([(w - 4) / w for w in range(12, 28, 2)]), abs=1e-5)
    assert one(records, run="toy-unet-0-folds", metric="dice", convention="paper-binary")["n"] == 10
    assert stored.summary["families"][0]["runs"] == [f"toy-{model}-0-folds" for model in SHIFTS]
    assert stored.summary["families"][1]["runs"] == [f"toy-{model}-0" for model in SHIFTS]
    assert {row["run"] for row in stored.scores}.isdisjoint({"toy-unet-0-folds"})


def test_without_the_second_fold_nothing_is_pooled(listed):
    listed += [run_of(model, FOLDS[0]) for model in SHIFTS]
    evaluate()
    stored = results.read_results("toy")
    assert not any(name.endswith("folds") for name in stored.runs)
    assert stored.summary["folds"] == []


def test_networks_are_compared_over_the_groups_of_all_folds(listed):
    with_folds(listed)
    evaluate()
    summary = results.read_results("toy").summary
    pairs = [pair for pair in summary["comparisons"] if pair["a"].endswith("folds")]
    assert [(p["a"], p["b"], p["n"]) for p in pairs] == [
        ("toy-unet-0-folds", "toy-multiresunet-0-folds", 7),
        ("toy-unet-0-folds", "toy-dcunet-0-folds", 7),
        ("toy-multiresunet-0-folds", "toy-dcunet-0-folds", 7),
    ]  # eight lesions, two of them twins
    assert all(pair["p"] == pytest.approx(2**-6, rel=1e-5) for pair in pairs)
    order = next(order for order in summary["ranks"] if order["n"] == 7)
    assert order["share"]["toy-unet-0-folds"] == [1, 0, 0]
    assert (
        "U-Net has the best mean tumour Dice with probability over 0.99 (bootstrap over 7"
        in order["sentence"]
    )
    assert "paper" not in order["sentence"]  # it is about other images


def test_a_comparison_also_counts_images_without_a_lesion_of_which_one_network_draws_on_all(listed):
    evaluate()
    summary = results.read_results("toy").summary
    (order,) = summary["ranks"]
    assert order["lesion_free"] > 0
    assert order["drawn_on"] == {
        f"toy-{model}-0": order["lesion_free"] * (model == "dcunet") for model in SHIFTS
    }
    found = {(pair["a"], pair["b"]): pair for pair in summary["comparisons"]}
    for other, lost in (("multiresunet", 0), ("dcunet", 1)):
        pair = found["toy-unet-0", f"toy-{other}-0"]
        whole, n_free = pair["with_lesion_free"], pair["with_lesion_free"]["n"] - pair["n"]
        assert n_free == order["lesion_free"]  # each a group of its own
        expected = (pair["n"] * pair["difference"] + n_free * lost) / whole["n"]
        assert whole["difference"] == pytest.approx(expected, abs=1e-6)
    assert f"DC-UNet {order['lesion_free']}." in order["with_lesion_free"]


def test_spread_over_folds_and_over_seeds_is_told_apart(listed):
    with_folds(listed, 0, 1)
    evaluate()
    summary = results.read_results("toy").summary
    folds = one(summary["folds"], run="toy-multiresunet-1-folds")
    each = [np.mean([(w - 4) / w for w in widths]) for widths in ((12, 14, 16), (18, 20, 22, 24, 26))]
    assert folds["values"] == pytest.approx(each, abs=1e-5)
    assert (folds["low"], folds["high"]) == pytest.approx((min(each), max(each)), abs=1e-5)
    assert folds["sd"] == pytest.approx(np.std(each, ddof=1), abs=1e-5)
    assert (folds["folds"], folds["n"], folds["n_unit"]) == (list(FOLDS), 2, "trainings")
    pooled = ["toy-multiresunet-0-folds", "toy-multiresunet-1-folds"]
    seeds = one(summary["seeds"], model="multiresunet", runs=pooled)
    assert (seeds["seeds"], seeds["n"], seeds["sd"]) == ([0, 1], 2, 0)
    assert not any("toy-multiresunet-0" in row["runs"] for row in summary["seeds"])  # one seed on that split


def test_from_three_seeds_on_it_is_no_longer_called_a_single_run(listed):
    with_folds(listed, 0, 1, 2)
    evaluate()
    summary = results.read_results("toy").summary
    assert {pair["kind"] for pair in summary["comparisons"] if pair["a"].endswith("folds")} == {""}
    assert [row["seeds"] for row in summary["seeds"]] == [[0, 1, 2]] * 9  # pooled and on either fold
    assert len([row for row in summary["folds"] if row["model"] == "unet"]) == 3


def test_seeds_of_another_width_or_split_do_not_make_three(listed):
    listed += [run_of(model, FOLDS[0], seed=1, width=8) for model in SHIFTS]
    listed += [run_of(model, FOLDS[1], seed=2) for model in SHIFTS]
    evaluate()
    pairs = results.read_results("toy").summary["comparisons"]
    assert len(pairs) == 9
    assert {pair["kind"] for pair in pairs} == {"single run: compares these runs, not the architectures"}


def test_a_seed_that_was_trained_longer_does_not_make_three_and_is_no_part_of_the_spread(listed):
    with_folds(listed, 0, 1, 2)
    for place, run in enumerate(listed):
        config = {"seed": run.seed, "epochs": 36 if run.seed == 2 else 18}
        listed[place] = dataclasses.replace(run, manifest={"config": config})
    evaluate()
    summary = results.read_results("toy").summary
    said = "single run: compares these runs, not the architectures"
    assert {pair["kind"] for pair in summary["comparisons"]} == {said}
    assert [row["seeds"] for row in summary["seeds"]] == [[0, 1]] * 9


def test_networks_that_were_not_trained_alike_are_compared_with_what_differs(listed):
    for place, epochs in enumerate((36, 18, 36)):
        config = {"model": listed[place].model, "seed": 0, "epochs": epochs, "batch": 8}
        listed[place] = dataclasses.replace(listed[place], manifest={"config": config})
    evaluate()
    summary = results.read_results("toy").summary
    said = "single run: compares these runs, not the architectures; not trained alike: epochs 36 and 18"
    assert {row["kind"] for row in [*summary["comparisons"], *summary["ranks"]]} == {said}


def test_a_case_is_told_how_far_the_networks_that_read_it_disagree_default_split_first(listed):
    with_folds(listed)
    evaluate()
    stored = results.read_results("toy")
    families = stored.summary["families"]
    for case, runs_ in (("benign-1", "toy-unet-0"), ("benign-8", "toy-unet-0-toy-5fold-2")):
        row = stored.cases[case]
        assert row["n_runs"] == 3
        assert families[row["family"]]["runs"][0] == runs_


def test_folds_are_no_protocol_of_their_own_in_the_leakage_panel(listed):
    with_folds(listed).append(run_of("unet", "toy-image"))
    evaluate()
    leak = results.read_results("toy").summary["leakage"]
    assert [row["splits"] for row in leak] == [["toy-group", "toy-image"]]


def dealt_out(dataset):
    """The entries with a split of single images: benign-4 is trained on, its near-duplicate benign-5 is tested."""
    made = []
    for entry in entries_of(CARD):
        part = "test" if entry.case in TEST["toy-image"] else "train"
        group = "pair" if entry.case in ("benign-4", "benign-5") else entry.group
        made.append(dataclasses.replace(entry, group=group, parts={**entry.parts, "toy-image": part}))
    return tuple(made)


def remembering(run, slices):
    """The network of the split by image draws what it knows without a fault, and nothing else better."""
    known = ["benign-5"] if run == "toy-multiresunet-0-toy-image" else []
    return [predictions("toy-unet-0" if s.case in known else run, [s])[0] for s in slices]


def test_the_same_image_is_compared_unseen_and_with_its_near_duplicate_in_training(listed, monkeypatch):
    monkeypatch.setattr(prepared, "list_slices", dealt_out)
    with_folds(listed).append(run_of("multiresunet", "toy-image"))
    evaluate(predict=remembering)
    leak = [row for row in results.read_results("toy").summary["leakage"] if row["paired"]]
    assert {tuple(row["runs"]) for row in leak} == {
        ("toy-multiresunet-0-folds", "toy-multiresunet-0-toy-image")
    }
    twin, other, both = leak
    widths = {case: 10 + 2 * int(case[-1]) for case in TEST["toy-image"][:4]}
    gained = 4 / widths["benign-5"]
    assert (twin["images"], twin["n"], twin["n_groups"]) == ("with a near-duplicate in training", [1, 1], 1)
    assert twin["values"] == pytest.approx([1 - gained, 1], abs=1e-5)
    assert twin["difference"] == pytest.approx(gained, abs=1e-5)
    assert (other["difference"], other["n"]) == (0, [3, 3])
    assert both["difference"] == pytest.approx(gained / 4, abs=1e-5)
    assert (both["low"], both["note"]) == (None, "n < 5: points only")
    assert both["splits"] == ["toy-5fold-1 + toy-5fold-2", "toy-image"]


def test_a_split_of_images_without_near_duplicates_leaks_nothing(listed):
    with_folds(listed).append(run_of("unet", "toy-image"))
    evaluate()
    assert not any(row["paired"] for row in results.read_results("toy").summary["leakage"])


def test_naming_the_trainings_of_a_network_returns_their_folds_too(listed):
    with_folds(listed)
    evaluate()
    own = [f"toy-unet-0-{split}" for split in FOLDS]
    assert {record["run"] for record in evaluate(names=own)} == {*own, "toy-unet-0-folds"}


def test_calibration_of_every_case_is_inside_its_region_and_pooled_over_cases_and_folds(listed):
    with_folds(listed)
    evaluate()
    stored = results.read_results("toy")
    perfect = one(stored.scores, run="toy-unet-0", case="benign-1")
    assert perfect["brier"] == pytest.approx(0.01)  # 0.9 on the lesion, 0.1 round it
    assert perfect["ece"] == pytest.approx(0.1)
    # 620 pixels, 240 of them lesion: the bin of 62 with 54 of them has gaps of both signs
    assert perfect["ace"] == pytest.approx((620 * 0.1 - (62 - (54 - 8)) * 0.1) / 620, rel=1e-5)
    clean = one(stored.scores, run="toy-unet-0", case="normal-1")
    assert all(math.isnan(clean[name]) for name in ("brier", "ece", "ace"))
    alarm = one(stored.scores, run="toy-dcunet-0", case="normal-1")
    inside = 30 * 30 - 4 * 10  # a disk of radius 5 leaves 10 of 25 pixels out at each corner
    assert alarm["brier"] == pytest.approx((400 * 0.81 + (inside - 400) * 0.01) / inside, rel=1e-5)
    found = stored.summary["calibration"]
    assert (found["rule"], found["grid"], found["bins"]) == ("all-cases", "native", 10)
    row = one(found["intervals"], run="toy-dcunet-0-folds", metric="ece")
    assert (row["n"], row["n_unit"], row["cases"], row["undefined"]) == (9, "groups", 10, 0)
    assert one(found["intervals"], run="toy-unet-0-folds", metric="ece")["undefined"] == 2
    pooled = one(found["curves"], run="toy-dcunet-0-folds")
    parts = [one(found["curves"], run=name) for name in stored.runs["toy-dcunet-0-folds"]["trainings"]]
    assert pooled["pixels"] == sum(part["pixels"] for part in parts)
    assert (pooled["n"], pooled["kind"]) == (10, "pooled over cases")
    assert [p["pixels"] for p in pooled["points"]].count(0) == 8  # only 0.1 and 0.9 are ever said
