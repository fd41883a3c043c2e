"""The scoreboard of CT volumes, from files to the page: prepared, scored by folds and by slices, and shown."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from core import places
from pages.parts import volume_tables
from tests.pages import small, small_volumes
from tests.pages.small import open_page, said

SPLITS = ("lits-patient", "lits-patient-2", "lits-patient-3", "lits-slice")


def trained_on(split: str, model: str) -> None:
    """A copy of a run's folder that says it was trained on another split."""
    from core import prepared, runs

    first = places.run(runs.run_name("lits", model, 0))
    name = runs.run_name("lits", model, 0, split)
    shutil.copytree(first, places.run(name))
    manifest = json.loads((first / "run.json").read_text())
    manifest |= {"name": name, "split": {"name": split, "sha256": prepared.read_split("lits", split).sha256}}
    if split == "lits-slice":
        manifest["config"] = {"epochs": 99}
    (places.run(name) / "run.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifacts folder with prepared volumes, twelve runs and their results."""
    import sys

    import core.explain
    from core import evaluate

    made = tmp_path_factory.mktemp("volumes") / "artifacts"
    shutil.copytree(small_volumes.prepared(), made)
    engine = small_volumes.stand_in()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_ARTIFACTS", str(made))
        patch.setitem(sys.modules, "core.explain.engine", engine)
        patch.setattr(core.explain, "engine", engine, raising=False)
        for split in SPLITS[1:]:
            for model in small.MODELS:
                trained_on(split, model)
        evaluate.evaluate("lits")
    return made


@pytest.fixture
def board(folder, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
    return lambda **query: open_page("scoreboard", ds="lits", **query)


def test_every_volume_scored_once_comes_first_with_its_few_patients(board):
    page = board()
    assert not page.exception
    text = said(page)
    assert "every volume scored once, 3 volumes, 3 patients, 3 trainings" in text
    assert "not trained alike" not in text
    assert "Few patients: 3" in text
    assert "n < 5: points only" in text
    assert "no interval" in text
    assert "nan" not in text.lower().split()


def test_networks_that_were_not_trained_alike_are_named_as_such(folder, board, tmp_path, monkeypatch):
    own = shutil.copytree(folder, tmp_path / "own")
    path = own / "runs" / "lits-unet-0-lits-patient-2" / "run.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"config": manifest.get("config", {}) | {"epochs": 77}}))
    for other in (own / "runs").glob("lits-*-0*/run.json"):
        if other != path:
            content = json.loads(other.read_text())
            other.write_text(json.dumps(content | {"config": {"epochs": 20}}))
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(own))
    assert re.search(r"not trained alike: epochs (20 and 77|77 and 20)", said(board()))


def test_the_sentence_about_the_order_is_silent_where_patients_are_too_few(board):
    text = said(board())
    assert "Which network is ahead?" in text
    assert "too few to rank (n = 2 patients" in text
    assert "Spread over trainings" in text
    assert "3 folds, 1 of them undefined" in text


def test_calibration_of_both_classes_is_on_the_128_grid_and_pooled_over_cases(board):
    text = said(board())
    assert text.count("The drawn curve is pooled over cases") == 2
    assert "grid: 128 x 128" in text
    assert "p(liver) + p(tumour)" in text


def test_numbers_have_their_units_and_what_is_missing_is_said(board):
    text = said(board())
    assert " mm (n = " in text
    assert " ml (n = " in text
    assert " pp (n = " in text
    assert "empty 0" in text
    assert "no such lesion" in text
    assert "1 of 1" in text or "0 of 1" in text  # the volume without tumour: clean or not


def test_every_column_of_numbers_explains_itself(board):
    columns = {}
    for element in board().get("dataframe"):
        for column, config in json.loads(element.proto.columns or "{}").items():
            columns[column] = config.get("help")
    wanted = [*volume_tables.OVERLAP, *volume_tables.SURFACE, *volume_tables.VOLUME, *volume_tables.BURDEN]
    assert all(columns.get(column) for column in [*wanted, *volume_tables.LESIONS])


def test_table_3_stands_in_its_own_block_with_its_wording(board):
    page = board()
    published = [table.value for table in page.table if "0.9373" in table.value.to_string()]
    assert len(published) == 1
    assert list(published[0].columns) == ["UNet", "MultiResUNet", "DCUNet"]
    assert list(published[0].index)[-1] == "Categorical Cross Entr."
    text = said(page)
    assert "A model that misses every tumour pixel would still score above 0.99." in text
    assert "The paper reserves 10 % of images. For LiTS these are slices" in text
    assert "(met)" not in text  # unseen patients are not the paper's test


def test_the_leakage_has_both_protocols_and_the_copied_outline(board):
    text = said(board())
    assert "Copied outline, no network" in text
    assert "On unseen patients there is nothing to copy: n/a" in text
    assert "Unseen patients" in text


def test_the_same_slices_stand_side_by_side_under_both_protocols(board):
    page = board()
    (table,) = [found.value for found in page.table if "Patient unseen" in found.value.columns]
    liver = table[table["Class"] == "liver"]  # a tumour need not be on a shared slice
    assert list(liver.index) == ["U-Net", "MultiResUNet", "DC-UNet"]
    assert set(table["95 % interval"]) == {"no interval"}
    assert set(table["Difference"]) == {"+0.000"}  # the same stand-in network under either name
    assert all(re.fullmatch(r"\d+ slices, \d volumes, \d patients?", text) for text in table["n"])
    assert "volumes of one patient say nothing about other patients" in said(page)


def test_the_lesson_on_leakage_shows_the_same_slices_too(board):
    def step():
        from types import SimpleNamespace

        from core.prepared import read_card
        from pages.parts import lessons_leakage

        lessons_leakage.scores(SimpleNamespace(card=read_card("lits")))

    page = AppTest.from_function(step).run(timeout=60)
    assert not page.exception
    assert ["Patient unseen" in found.value.columns for found in page.table] == [False, True]


def test_the_leakage_names_the_settings_in_which_the_trainings_differ(board):
    assert "slices): epochs 4 and 99." in said(board())


def test_a_split_by_slices_shows_pooled_figures_only(board):
    page = board(set="lits-0-lits-slice")
    assert not page.exception
    text = said(page)
    assert "Slices, not independent" in text
    assert "met)" in text  # here the paper's own way of testing is compared
    assert "HD95" not in text
    assert "Mean over patients" not in text


def test_every_volume_is_listed_once_per_network(board):
    tables = [e.value for e in board().get("dataframe") if "Lesions found" in e.value.columns]
    assert len(tables) == 1
    assert sorted(tables[0]["Volume"]) == sorted(["volume-201", "volume-202", "volume-203"] * 3)


RECORD = {"run": "r", "class": "tumour", "metric": "hd95", "convention": "per_case", "n": 7, "unit": "mm"}
COLUMN = {"HD95": ("hd95", "per_case", "")}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"value": 12.34, "missed": 2}, "12.3 mm (n = 7, empty 2)"),
        ({"value": None, "why": "no case is defined"}, "n/a: no case is defined"),
    ],
)
def test_a_distance_says_on_how_many_nothing_was_drawn_or_why_it_is_undefined(change, text):
    stored = SimpleNamespace(records=[RECORD | change])
    assert volume_tables.table(stored, {"r": "R"}, "tumour", COLUMN).loc["R", "HD95"] == text


def test_a_signed_error_has_its_sign_and_counts_what_is_undefined():
    row = RECORD | {"metric": "volume_error_ml", "unit": "ml", "value": 3.0, "undefined": 1}
    columns = {"Error": ("volume_error_ml", "per_case", "")}
    found = volume_tables.table(SimpleNamespace(records=[row]), {"r": "R"}, "tumour", columns)
    assert found.loc["R", "Error"] == "+3.0 ml (n = 7, undefined 1)"


def tiles(page) -> list[str]:
    return [image.proto.imgs[0].alt for image in page.get("image")]


def store_predictions(patch: pytest.MonkeyPatch) -> None:
    """What every training predicts for the volumes it was scored on, stored as ``precompute`` does."""
    import sys

    import core.explain
    from core import list_slices, predict_many, read_results, read_slice

    engine = small_volumes.stand_in()
    patch.setitem(sys.modules, "core.explain.engine", engine)
    patch.setattr(core.explain, "engine", engine, raising=False)
    for run, case in {(row["run"], row["case"]) for row in read_results("lits").scores}:
        entries = [entry for entry in list_slices("lits") if entry.case == case]
        predict_many(run, [read_slice("lits", case, entry.index) for entry in entries])


def test_the_worst_volumes_are_pictures_of_one_slice_which_their_links_open(board, monkeypatch):
    assert "Outline not stored: U-Net, MultiResUNet, DC-UNet." in said(board())
    store_predictions(monkeypatch)
    page = board()
    assert "Outline not stored" not in said(page)
    assert sorted(text.split(",")[0] for text in tiles(page)) == ["volume-201", "volume-202"]
    slices = [re.search(r", slice (\d+): Dice", text)[1] for text in tiles(page)]
    links = [image.proto.link for image in page.get("image")]
    assert [link.endswith(f"&k={at}") for at, link in zip(slices, links, strict=True)] == [True, True]


def test_volumes_can_be_ordered_by_their_error_in_ml_and_false_alarms(board):
    page = board()
    order = next(box for box in page.selectbox if box.label == "Order")
    assert "Largest error of tumour volume: U-Net" in order.options
    assert "False alarms" in order.options


def test_volumes_are_points_by_size_for_either_class(board):
    page = board()
    drawn = [
        found.proto for found in page.get("plotly_chart") if found.proto.alt.startswith("Tumour Dice: U-Net")
    ]
    names = [trace["name"] for trace in json.loads(drawn[0].spec)["data"]]
    assert sum(int(name.split("(")[1][0]) for name in names if "(" in name) == 2
    assert "2 volumes with a tumour." in said(page)


def test_the_checks_stand_under_table_3_and_the_protocols_are_not_comparable(board):
    text = said(board())
    assert "9 of 14 apply, 5 passed, 4 findings" in text
    assert "not comparable] L09: The columns differ in: split, case list." in text
    assert ":material/check: comparable" in text  # the networks with each other, on the same patients
