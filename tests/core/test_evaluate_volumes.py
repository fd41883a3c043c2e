"""CT volumes through injected predictions: stacked, scored in mm, pooled over folds, and kept from slices."""

import dataclasses
import math

import numpy as np
import pytest

from core import evaluate as subject
from core import plans, prepared, preprocess, results, runs, volume_rows
from core.cards import DatasetCard
from core.metrics import lesions
from core.nifti import Grid
from core.records import Prediction, Run, SliceEntry, Volume

CLASSES = ("background", "liver", "tumour")
FOLDS = ("toy-patient", "toy-patient-2", "toy-patient-3")
CARD = DatasetCard(
    name="toy",
    title="Toy",
    modality="CT",
    classes=CLASSES,
    channels=1,
    group="patient",
    source="",
    licence="",
    citation="",
    synthetic=True,
    layout="lits",
    splits=(*FOLDS, "toy-slice"),
    unit="mm",
    window_hu=(-160.0, 240.0),
)
SIDE, DEPTH = 128, 8  # enlarging is then exact
SPACING = (5.0, 1.0, 2.0)
PATIENT = {"volume-0": "p0", "volume-1": "p0", "volume-3": "p3", "volume-4": "p4"}
TEST = {
    "toy-patient": ("volume-0", "volume-1"),
    "toy-patient-2": ("volume-3",),
    "toy-patient-3": ("volume-4",),
    "toy-slice": ("volume-0/22", "volume-3/23", "volume-4/24"),
}
SHIFTS = {"unet": 0, "multiresunet": 2, "dcunet": 4}


def reference_of(case):
    """Liver in slices 1 to 6, a tumour in 2 to 4; volume-4 has none."""
    labels = np.zeros((DEPTH, SIDE, SIDE), np.uint8)
    labels[1:7, 20:100, 20:90] = 1
    if case != "volume-4":
        labels[2:5, 40:50, 40:50] = 2
    return labels


def entries():
    made = []
    for case, patient in PATIENT.items():
        for at, labels in enumerate(reference_of(case)):
            pixels = tuple(int((labels == value).sum()) for value in (1, 2))
            made.append(
                SliceEntry(
                    "toy", case, 20 + at, patient, "", (), SIDE, SIDE, sum(pixels),
                    {"toy-slice": part_of(case, 20 + at)}, pixels, 5.0 * at,
                )
            )  # fmt: skip
    return tuple(made)


def part_of(case, index):
    return "test" if f"{case}/{index}" in TEST["toy-slice"] else "train"


def volume_of(dataset, case):
    return Volume(
        dataset=dataset,
        case=case,
        group=PATIENT[case],
        indices=tuple(range(20, 20 + DEPTH)),
        pictures=np.zeros((DEPTH, SIDE, SIDE), np.int16),
        images=np.zeros((DEPTH, SIDE, SIDE, 1), np.float32),
        references=reference_of(case),
        spacing_mm=SPACING,
    )


def grid_of(dataset, case):
    affine = ((0.0, -2.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 5.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    return Grid((SIDE, SIDE, 40), affine, "PRS", SPACING, ()), 40


def arrays_of(dataset):
    labels = np.concatenate([preprocess.small_stack(reference_of(case)) for case in PATIENT])
    return prepared.Arrays(np.zeros((*labels.shape, 1), np.float32), labels, entries())


def run_of(model, split):
    name = runs.run_name("toy", model, 0, "" if split == CARD.splits[0] else split)
    return Run(
        name=name, dataset="toy", model=model, seed=0, width=4, recipe="strong", classes=CLASSES, split=split,
        split_sha256=f"{split}-sha".ljust(64, "0"), weights_sha256=f"weights of {name}", best_epoch=1,
        validation={}, manifest={},
    )  # fmt: skip


def predictions(run, slices):
    """Every model draws the reference moved down by its own shift."""
    made = []
    for one in slices:
        moved = np.roll(reference_of(one.case)[one.index - 20], SHIFTS[run.split("-")[1]], axis=0)
        made.append(Prediction(run, one.key, 0.05 + 0.85 * np.eye(3, dtype=np.float32)[moved]))
    return made


@pytest.fixture(autouse=True)
def listed(tmp_path, monkeypatch):
    """A dataset of four small volumes and the runs of three folds and of a split by slices, none on disk."""
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(tmp_path))
    found = [run_of(model, split) for split in CARD.splits for model in SHIFTS]

    def split_of(dataset, name):
        parts = {"train": (), "validation": (), "test": TEST[name], "excluded": ()}
        return prepared.Split(name, dataset, 0, "", f"{name}-sha".ljust(64, "0"), parts)

    monkeypatch.setattr(prepared, "read_card", lambda dataset: CARD)
    monkeypatch.setattr(prepared, "list_slices", lambda dataset: entries())
    monkeypatch.setattr(prepared, "read_volume", volume_of, raising=False)
    monkeypatch.setattr(prepared, "volume_grid", grid_of, raising=False)
    monkeypatch.setattr(prepared, "read_arrays", arrays_of)
    monkeypatch.setattr(prepared, "read_split", split_of)
    monkeypatch.setattr(prepared, "card_json", lambda dataset: {"sha256": f"data of {dataset}"})
    monkeypatch.setattr(runs, "list_runs", lambda dataset=None, *, scores_only=False: tuple(found))
    monkeypatch.setattr(runs, "read_run", lambda name: next(run for run in found if run.name == name))
    return found


def evaluate(names=None, **more):
    return subject.evaluate("toy", names, **({"predict": predictions} | more))


def one(records, **wanted):
    found = [record for record in records if wanted.items() <= record.items()]
    assert len(found) == 1
    return found[0]


def test_a_perfect_network_scores_1_and_a_shifted_one_what_its_overlap_is_worth():
    records = evaluate()
    perfect = one(records, run="toy-unet-0", metric="dice", convention="per_case", **{"class": "tumour"})
    assert (perfect["value"], perfect["n"], perfect["n_unit"]) == (1, 2, "volumes")
    shifted = {"run": "toy-multiresunet-0", "class": "tumour"}
    assert one(records, metric="dice", convention="per_case", **shifted)["value"] == pytest.approx(0.8)
    assert one(records, metric="hd95", convention="per_case", **shifted)["value"] == 2  # rows of 1 mm
    assert one(records, metric="voe", convention="per_case", **shifted)["value"] == pytest.approx(1 / 3)


def test_every_number_is_there_with_its_keys_and_none_is_nan():
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
    assert all(keys | {"threshold", "split", "split_sha256", "part"} <= set(record) for record in records)
    assert all(record["value"] is not None or record["why"] for record in records)
    names = [(r["run"], r["class"], r["metric"], r["convention"]) for r in records]
    assert len(names) == len(set(names))
    found = {(r["metric"], r["convention"]) for r in records if r["run"] == "toy-unet-0-folds"}
    assert {("assd", "per_case"), ("nsd_5mm", "per_case"), ("volume_error_ml", "per_case")} <= found
    assert {("lesion_recall_50", "lesion-wise"), ("burden_rmse", "over volumes")} <= found
    assert {("dice", "pooled"), ("dice", "per_case_128"), ("cce", "paper-multiclass")} <= found


def test_three_trainings_that_score_every_volume_once_are_pooled():
    records = evaluate()
    stored = results.read_results("toy")
    facts = stored.runs["toy-unet-0-folds"]
    assert facts["trainings"] == ["toy-unet-0", "toy-unet-0-toy-patient-2", "toy-unet-0-toy-patient-3"]
    assert facts["note"] == "every volume scored once, 4 volumes, 3 patients, 3 trainings"
    assert (
        one(records, run="toy-unet-0-folds", metric="dice", convention="pooled", **{"class": "liver"})["n"]
        == 4
    )
    assert stored.summary["families"][0]["runs"] == [f"toy-{model}-0-folds" for model in SHIFTS]
    assert {row["run"] for row in stored.scores}.isdisjoint({"toy-unet-0-folds"})


def test_without_the_third_training_nothing_is_pooled(listed):
    listed[:] = [run for run in listed if run.split != FOLDS[2]]
    evaluate()
    assert not any(name.endswith("folds") for name in results.read_results("toy").runs)


def test_a_patient_with_two_volumes_counts_once_in_the_interval_and_few_are_said():
    evaluate()
    stored = results.read_results("toy")
    wanted = {"run": "toy-multiresunet-0-folds", "metric": "dice", "class": "liver"}
    interval = one(stored.summary["intervals"], **wanted)
    assert (interval["n"], interval["n_unit"], interval["note"]) == (3, "patients", "n < 5: points only")
    assert interval["low"] is None
    assert "mean over patients" in interval["heading"]
    assert stored.runs["toy-multiresunet-0-folds"]["few"].startswith("Few patients: 3")
    assert {pair["p"] for pair in stored.summary["comparisons"]} == {None}


def test_volumes_are_in_ml_of_the_affine_and_a_tumour_moved_as_a_whole_keeps_its_volume():
    evaluate()
    row = one(results.read_results("toy").scores, run="toy-dcunet-0", case="volume-1", **{"class": "tumour"})
    assert (row["n_ref"], row["n_pred"], row["voxel_mm3"]) == (300, 300, 10)
    assert (row["volume_ref_ml"], row["volume_error_ml"], row["rvd"]) == (3, 0, 0)
    assert (row["hd_mm"], row["lesions_ref"], row["detected_0"], row["detected_50"]) == (4, 1, 1, 0)
    assert row["burden_ref"] == pytest.approx(100 * 300 / (6 * 80 * 70), rel=1e-5)


def test_a_liver_includes_its_tumours():
    evaluate()
    row = one(results.read_results("toy").scores, run="toy-unet-0", case="volume-0", **{"class": "liver"})
    assert (row["n_ref"], row["dice"], row["lesions_ref"]) == (6 * 80 * 70, 1, None)


def test_a_volume_without_a_tumour_is_a_false_alarm_or_clean_and_in_no_mean():
    evaluate()
    found = results.read_results("toy")
    clean = one(found.summary["false_alarms"], run="toy-dcunet-0-folds", **{"class": "tumour"})
    assert (clean["lesion_free"], clean["clean"], clean["median_false_ml"]) == (1, 1, None)
    row = one(found.scores, run="toy-dcunet-0-toy-patient-3", **{"class": "tumour"})
    assert math.isnan(row["dice"])
    assert row["why"]["dice"] == "neither reference nor prediction has any"
    dice = one(found.records, run="toy-dcunet-0-toy-patient-3", metric="dice", convention="per_case",
               **{"class": "tumour"})  # fmt: skip
    assert (dice["value"], dice["n"]) == (None, 0)


def test_slices_of_a_split_by_slices_are_pooled_and_never_volumes():
    records = evaluate()
    own = [record for record in records if record["run"] == "toy-unet-0-toy-slice"]
    assert {record["convention"] for record in own} == {"pooled", "paper-multiclass"}
    assert {record["n_unit"] for record in own} == {"slices, not independent"}
    assert {record["n"] for record in own} == {3}
    stored = results.read_results("toy")
    rows = [row for row in stored.scores if row["run"] == "toy-unet-0-toy-slice"]
    assert {row["unit"] for row in rows} == {"slices"}
    assert all(math.isnan(row["hd95_mm"]) and row["lesions_ref"] is None for row in rows)
    assert "toy-unet-0-toy-slice" not in {row["run"] for row in stored.summary["intervals"]}
    assert "toy-unet-0-toy-slice" not in {row["run"] for row in stored.slices}
    assert not any("slice" in pair["family"] for pair in stored.summary["comparisons"])


def test_the_leakage_panel_has_both_protocols_and_the_copied_outline():
    evaluate()
    found = results.read_results("toy").summary
    row = one(found["leakage"], model="dcunet", **{"class": "tumour"})
    assert row["runs"] == ["toy-dcunet-0-folds", "toy-dcunet-0-toy-slice"]
    assert row["n"] == [4 * 6, 3]
    assert row["values"] == pytest.approx([0.6, 0.6])
    copied = found["copy_nearest"]["toy-slice"]["tumour"]
    assert row["copy_nearest"] == copied == pytest.approx(2 / 3, abs=1e-5)  # the first tumour slice is missed
    assert len(found["leakage"]) == 6
    assert row["settings"] == []


def test_both_protocols_are_compared_on_the_very_same_slices():
    def drawn(run, slices):
        return predictions(run.replace("dcunet", "unet") if run.endswith("slice") else run, slices)

    evaluate(predict=drawn)
    found = results.read_results("toy").summary["leakage"]
    same = one(found, model="dcunet", **{"class": "tumour"})["same_slices"]
    assert same["values"] == pytest.approx([0.6, 1.0])
    assert same["difference"] == pytest.approx(0.4)
    assert same["volumes"] == pytest.approx([0.4, 0.4])
    assert (same["n"], same["n_volumes"], same["n_groups"]) == (2, 2, 2)  # volume-4 has no tumour
    assert (same["low"], same["high"], same["note"]) == (None, None, "n < 5: points only")
    liver = one(found, model="dcunet", **{"class": "liver"})["same_slices"]
    assert (liver["n"], liver["n_volumes"]) == (3, 3)


def test_the_papers_table_3_is_beside_our_figures_and_not_claimed_for_other_data():
    evaluate()
    paper = results.read_results("toy").summary["paper"]
    assert (paper["convention"], paper["same_data"]) == ("paper-multiclass", False)
    assert {row["metric"] for row in paper["beside"]} == set(paper["order"])
    assert not any("met" in row for row in paper["beside"])
    perfect = one(
        results.read_results("toy").records, run="toy-unet-0", metric="dice", convention="paper-multiclass"
    )
    assert (perfect["value"], perfect["n"], perfect["class"]) == (1, 12, "all")


def test_the_series_of_slices_has_areas_and_what_the_networks_disagree_on():
    evaluate()
    found = results.read_results("toy").slices
    row = one(found, run="toy-multiresunet-0", case="volume-0", index=23)
    assert (row["tumour_ref"], row["tumour_pred"], row["tumour_both"]) == (100, 100, 80)
    assert (row["any_px"], row["disagreement_px"]) == (140, 80)  # rows 40-50, 42-52, 44-54
    assert one(found, run="toy-unet-0", case="volume-0", index=20)["liver_ref"] == 0
    assert len([r for r in found if r["run"] == "toy-unet-0"]) == 2 * DEPTH


def test_a_case_has_its_size_spacing_and_disagreement():
    evaluate()
    case = results.read_results("toy").cases["volume-3"]
    assert (case["tumour_ml"], case["n_slices"], case["first_index"]) == (3, 8, 20)
    assert (case["slice_mm"], case["row_mm"], case["column_mm"]) == SPACING
    assert (case["disagreement_px"], case["n_runs"]) == (3 * 80, 3)
    assert case["disagreement"] == pytest.approx(80 / 140, rel=1e-5)


def test_a_gap_between_stored_slices_keeps_its_millimetres():
    mask = np.ones((2, 1, 1), bool)
    assert volume_rows.whole(mask, (3, 6)).ravel().tolist() == [True, False, False, True]
    assert len(lesions.match(*[volume_rows.whole(mask, (3, 6))] * 2).reference_iou) == 2
    assert volume_rows.whole(mask, (3, 4)) is mask


def test_the_ceiling_of_a_large_square_is_near_1_and_of_nothing_undefined():
    large = np.zeros((2, 512, 512), bool)
    large[:, 100:300, 100:300] = True
    assert volume_rows.ceiling(large) > 0.98
    assert math.isnan(volume_rows.ceiling(np.zeros((1, 512, 512), bool)))


def test_naming_the_trainings_of_a_network_returns_them_and_their_folds():
    evaluate()
    own = [
        run for run in results.read_results("toy").runs if run.startswith("toy-unet") and "folds" not in run
    ]
    assert {record["run"] for record in evaluate(own)} == {*own, "toy-unet-0-folds"}
    assert {record["run"] for record in evaluate(own[:1])} == {own[0]}


def test_a_second_call_predicts_nothing_and_finds_the_same():
    first = evaluate()
    assert evaluate(predict=lambda run, slices: pytest.fail("asked again")) == first
    assert evaluate(force=True) == first


def test_progress_reaches_the_number_of_slices():
    told = []
    evaluate(report=lambda done, total, text: told.append((done, total)))
    assert told[-1] == (3 * (4 * DEPTH + 3),) * 2
    assert told == sorted(told)


def test_the_case_list_of_volumes_names_every_slice():
    plan = plans.plan_all(CARD, entries(), ["toy-unet-0"])[0][0]
    fewer = dataclasses.replace(plan, entries=plan.entries[1:])
    assert plan.cases_sha256 != fewer.cases_sha256
    assert plan.by_slice is False
    assert plans.plan_all(CARD, entries(), ["toy-unet-0-toy-slice"])[0][0].by_slice is True


def test_calibration_of_a_volume_is_on_the_128_grid_with_the_liver_as_the_sum_of_two():
    evaluate()
    stored = results.read_results("toy")
    wanted = {"run": "toy-unet-0", "case": "volume-0"}
    tumour = one(stored.scores, **wanted, **{"class": "tumour"})
    inside = 20 * 20 - 4 * 10  # per slice, 100 of them tumour: 0.9 said; 0.05 round it
    assert tumour["ece"] == pytest.approx((100 * 0.1 + (inside - 100) * 0.05) / inside, rel=1e-5)
    assert tumour["brier"] == pytest.approx((100 * 0.01 + (inside - 100) * 0.0025) / inside, rel=1e-5)
    liver = one(stored.scores, **wanted, **{"class": "liver"})
    inside, own = 90 * 80 - 4 * 10, 80 * 70  # 0.9 + 0.05 said of liver with its tumours; 0.1 round it
    assert liver["ece"] == pytest.approx((own * 0.05 + (inside - own) * 0.1) / inside, rel=1e-5)
    found = stored.summary["calibration"]
    assert found["grid"] == "128 x 128"
    pooled = one(found["curves"], run="toy-unet-0", **{"class": "liver"})
    assert (pooled["n"], pooled["n_unit"], pooled["pixels"]) == (2, "volumes", 2 * 6 * inside)
    folds = {"run": "toy-unet-0-folds", "class": "tumour", "metric": "brier"}
    interval = one(found["intervals"], **folds)
    assert (interval["n"], interval["cases"], interval["undefined"]) == (2, 3, 1)
    assert "brier · mean over patients · all-cases · argmax · 128 x 128 · n=2" in interval["heading"]


def test_slices_of_a_split_by_slices_have_no_calibration():
    evaluate()
    stored = results.read_results("toy")
    rows = [row for row in stored.scores if row["run"] == "toy-unet-0-toy-slice"]
    assert rows
    assert all(math.isnan(row["brier"]) for row in rows)
    assert "toy-unet-0-toy-slice" not in {row["run"] for row in stored.summary["calibration"]["curves"]}


def test_a_network_without_a_region_anywhere_says_why_its_calibration_is_undefined():
    evaluate()
    found = results.read_results("toy").summary["calibration"]
    wanted = {"run": "toy-unet-0-toy-patient-3", "class": "tumour", "metric": "ece"}
    row = one(found["intervals"], **wanted)
    assert (row["value"], row["n"], row["undefined"]) == (None, 0, 1)
    assert row["why"] == "neither reference nor prediction has any: no region"
    curve = one(found["curves"], run=wanted["run"], **{"class": "tumour"})
    assert (curve["n"], curve["pixels"]) == (0, 0)
    assert {point["observed"] for point in curve["points"]} == {None}


def test_spread_over_folds_leaves_out_a_fold_without_the_class_and_counts_the_others():
    evaluate()
    row = one(results.read_results("toy").summary["folds"], run="toy-dcunet-0-folds")
    assert row["values"] == [pytest.approx(0.6), pytest.approx(0.6), None]
    assert (row["n"], row["low"], row["high"]) == (2, pytest.approx(0.6), pytest.approx(0.6))
