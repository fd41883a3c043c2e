"""The scoreboard's checks, scatter, galleries, subgroups and files, on a small dataset without TensorFlow."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st

from core import DataRefused, Verdict, read_results, read_run, record_verdict, scores_only
from core.metrics.leakage import IMAGES
from core.results import SUMMARY
from pages.parts import (
    board_files,
    cached_previews,
    case,
    checks,
    figures_cases,
    leakage_board,
    pairs,
    subgroups,
)
from pages.parts.figures_cases import Pair
from tests.pages import small
from tests.pages.small import open_page, said

TITLES = {"busi-unet-0": "U-Net", "busi-multiresunet-0": "MultiResUNet", "busi-dcunet-0": "DC-UNet"}


@pytest.fixture
def both(artifacts: Path) -> Path:
    """Artifacts with prepared pictures, runs, scores and predictions; a copy that the test may damage."""
    return shutil.copytree(small.phantoms_and_real(), artifacts)


@pytest.fixture
def board(both):
    return lambda **query: open_page("scoreboard", ds="busi", **query)


def change_summary(folder: Path, change) -> None:
    path = folder / "results" / "busi" / SUMMARY
    summary = json.loads(path.read_text())
    change(summary)
    path.write_text(json.dumps(summary))


def test_the_numbers_are_the_same_once_only_scores_are_kept(both, board):
    before = said(board())
    for name in TITLES:
        scores_only.drop_weights(name)
    st.cache_resource.clear()
    page = board()
    assert not page.exception
    more = [line for line in said(page).splitlines() if line not in before]
    (light,) = [line for line in more if "kept as scores" in line]
    assert "3 trainings (width" in light
    assert "no other page shows what they draw" in light
    more.remove(light)
    assert len(more) == 3  # no maps can be checked: one sentence per network
    assert all("are not kept, its scores are" in line for line in more)
    assert "Not found here" not in said(board(set="busi-0"))
    gone = [line for line in before.splitlines() if line not in said(page).splitlines()]
    assert [line[:16] for line in gone] == ["Not checked yet:", "python -m core c"]


def option(page, label: str):
    """A list to choose from, by the start of its label."""
    return next(box for box in page.selectbox if box.label.startswith(label))


def tiles(page) -> list[str]:
    """What the pictures of the gallery are, for those who do not see them."""
    return [image.proto.imgs[0].alt for image in page.get("image")]


# ---- leakage


def leak(images: str, difference: float, low: float | None, groups: int) -> dict:
    return {
        "model": "unet",
        "class": "tumour",
        "runs": ["busi-multiresunet-0", "busi-unet-0"],
        "splits": ["busi-5fold-1 + busi-5fold-2", "busi-image"],
        "paired": True,
        "images": images,
        "values": [0.6, 0.6 + difference],
        "n": [groups + 1, groups + 1],
        "n_groups": groups,
        "difference": difference,
        "low": low,
        "high": None if low is None else 2 * difference - low,
        "note": "n < 5: points only" if low is None else "",
        "settings": ["epochs 3 and 4"],
    }


def test_without_both_protocols_the_leakage_tab_says_how_to_measure_it(board):
    text = said(board())
    assert "No network was trained under both protocols yet" in text
    assert "not of unseen cases" not in text
    assert "python -m core train busi unet multiresunet dcunet --split busi-image" in text
    phantoms = said(open_page("scoreboard", ds="phantom_busi"))
    assert "python -m core train phantom_busi unet multiresunet dcunet --split busi-image" in phantoms


def test_the_leakage_is_told_for_the_same_images_with_their_control(both, board):
    assert leakage_board.WITH_TWIN in IMAGES
    rows = [leak(leakage_board.WITH_TWIN, 0.2, 0.05, 9), leak("without one", -0.01, None, 4)]
    change_summary(both, lambda summary: summary["leakage"].extend(rows))
    page = board()
    assert not page.exception
    (table,) = [t.value for t in page.table if "Single images dealt out" in t.value.columns]
    assert list(table["Difference"]) == ["+0.200", "-0.010"]
    assert list(table["95 % interval"]) == ["+0.050 to +0.350", "no interval"]
    assert list(table["n"]) == ["10 images, 9 groups", "5 images, 4 groups"]
    text = said(page)
    assert "Not trained alike in every setting: epochs 3 and 4" in text
    assert "are the control" in text
    assert "Networks of width 8." in text
    assert "10 of the test images with a lesion have a near-duplicate in training" in text


@pytest.mark.parametrize(
    ("width", "seed", "names"),
    [
        (8, 0, ["U-Net", "U-Net"]),
        (8, 1, ["U-Net, seed 0", "U-Net, seed 1"]),
        (16, 1, ["U-Net, width 8, seed 0", "U-Net, width 16, seed 1"]),
    ],
)
def test_a_network_trained_twice_is_told_apart_by_what_differs(width, seed, names):
    first, second = {"model": "unet", "width": 8, "seed": 0}, {"model": "unet", "width": width, "seed": seed}
    stored = SimpleNamespace(runs={"folds": first, "one": first, "two": second})
    rows = [{"model": "unet", "runs": ["folds", name]} for name in ("one", "two")]
    assert leakage_board.networks(stored, rows) == names


def test_different_test_images_are_said_to_be_no_paired_comparison(both, board):
    row = leak("all", 0.1, None, 4) | {"paired": False, "splits": ["busi-group", "busi-image"], "n": [57, 56]}
    change_summary(both, lambda summary: summary["leakage"].append(row))
    page = board()
    (table,) = [t.value for t in page.table if "Drawn at random" in t.value.columns]
    assert table.loc["U-Net", "Unseen groups"] == "0.600 (n = 57)"
    assert "no paired comparison" in said(page)


# ---- checks


def test_the_findings_on_table_2_stand_under_it(board):
    text = said(board())
    assert "9 of 14 apply, 3 passed, 6 findings" in text
    for rule in ("L02 error", "L03 error", "L04 note", "L08 note", "L10 error", "L12 note"):
        assert rule in text
    assert "UNet 0.7292 against 0.4657; MultiResUNet 0.7836 against 0.5457" in text


def test_sound_columns_have_the_badge_and_say_how_many_checks_passed(board):
    page = board()
    assert ":material/check: comparable" in said(page)
    (line,) = [block.label for block in page.expander if block.label.startswith("Consistency checks")]
    passed = sum(
        int(count) for count in re.findall(r"apply, (\d+) passed", said(page).split("As published")[0])
    )
    assert passed > 15
    assert line == f"Consistency checks: {passed} passed, no findings"


def test_columns_of_another_split_lose_the_badge_and_say_why(both, board):
    def other_split(summary):
        summary["runs"]["busi-unet-0"]["split_sha256"] = "99" * 32

    change_summary(both, other_split)
    text = said(board())
    assert "not comparable] L09: The columns differ in: split." in text
    assert ":material/check: comparable" not in text


def test_one_column_alone_has_no_badge(board):
    text = said(board(m=["unet"]))
    assert "comparable]" not in text
    assert "per case** · " in text


def test_a_finding_is_one_line_with_its_rule_and_severity():
    linted = SimpleNamespace(findings=(), passed=("L01",), errors=())
    assert checks.counted(linted) == "1 of 14 apply, 1 passed, no findings"
    broken = SimpleNamespace(findings=(1, 2), passed=(), errors=())
    assert checks.headline([linted, broken]) == "Consistency checks: 1 passed, 2 findings"


# ---- galleries


def test_the_worst_cases_are_pictures_with_words_for_those_who_do_not_see_them(board):
    page = board()
    assert len(tiles(page)) == len(cases_with_a_lesion()[:12])
    assert all("Dice 0" in text or "Dice 1" in text for text in tiles(page))
    assert "reference white, dashed; U-Net blue, solid" in said(page)
    assert "Outline not stored" not in said(page)


def cases_with_a_lesion() -> list[dict]:
    """Rows of one network, lowest Dice first."""
    rows = [r for r in read_results("busi").scores if r["run"] == "busi-unet-0" and r["n_ref"] > 0]
    return sorted(rows, key=lambda row: row["dice"])


def test_the_lowest_dice_comes_first_and_its_picture_leads_to_review(board):
    page, worst = board(), cases_with_a_lesion()[0]["case"]
    first = page.get("image")[0].proto
    assert first.imgs[0].alt.startswith(f"{worst}: Dice")
    assert first.link == f"./?ds=busi&case={worst}"


def test_another_order_lists_other_cases(board):
    page = board()
    option(page, "Order").select("Largest disagreement of the networks").run()
    assert not page.exception
    order = sorted(read_results("busi").cases.values(), key=lambda row: -row["disagreement"])
    assert tiles(page)[0].startswith(f"{order[0]['case']}: disagreement")
    assert all("disagreement" in text for text in tiles(page))


def test_verdicts_are_an_order_once_a_reader_has_judged(board):
    assert "Worst verdicts of readers" not in option(board(), "Order").options
    run, judged = read_run("busi-unet-0"), cases_with_a_lesion()[-1]["case"]
    weights = {run.name: run.weights_sha256}
    record_verdict(Verdict("AB", "x", "busi", judged, None, weights, {run.name: "reject"}))
    page = board()
    option(page, "Order").select("Worst verdicts of readers").run()
    assert tiles(page) == [f"{judged}: 1 × reject; outlines of the tumour"]


def test_an_outline_that_is_not_stored_is_said_with_the_command_and_the_rest_is_drawn(both, board):
    shutil.rmtree(both / "cache")
    page = board()
    assert not page.exception
    assert "Outline not stored: U-Net, MultiResUNet, DC-UNet." in said(page)
    assert "python -m core precompute busi" in said(page)
    assert tiles(page)


def test_a_picture_that_cannot_be_read_is_words_and_its_name_stays(board, monkeypatch):
    worst = cases_with_a_lesion()[0]["case"]
    read = cached_previews.read_slice

    def refuse(dataset, case, index):
        if case == worst:
            raise DataRefused("damaged", f"{case} is cut short")
        return read(dataset, case, index)

    monkeypatch.setattr(cached_previews, "read_slice", refuse)
    page = board()
    assert not page.exception
    assert f"{worst} is cut short" in said(page)
    assert len(tiles(page)) == len(cases_with_a_lesion()[:12]) - 1


def test_a_ct_slice_is_cut_to_what_is_marked_and_a_picture_is_not():
    first, other = np.zeros((2, 100, 80), bool)
    first[30, 40], other[60, 20] = True, True
    rows, columns = cached_previews.extent([first, other], (100, 80), is_cut=True)
    assert (rows.start, rows.stop) == (30 - cached_previews.MARGIN, 61 + cached_previews.MARGIN)
    assert (columns.start, columns.stop) == (20 - cached_previews.MARGIN, 41 + cached_previews.MARGIN)
    whole = (slice(None), slice(None))
    assert cached_previews.extent([first], (100, 80), is_cut=False) == whole
    assert cached_previews.extent([np.zeros((100, 80), bool)], (100, 80), is_cut=True) == whole


def test_without_the_pictures_the_names_stay(both, board):
    shutil.rmtree(both / "data" / "busi")
    page = board()
    assert not page.exception
    assert not tiles(page)
    text = said(page)
    assert "Their images are not on this machine: names only." in text
    assert cases_with_a_lesion()[0]["case"] in text
    assert "a point cannot be opened" in text


def test_outlines_of_weights_that_were_not_scored_are_not_drawn(both, board):
    path = both / "runs" / "busi-unet-0" / "run.json"
    path.write_text(path.read_text().replace("04" * 32, "99" * 32))
    page = board()
    assert tiles(page)
    assert "Outline not stored" not in said(page)


# ---- case against case


def chart(page, start: str):
    return next(found.proto for found in page.get("plotly_chart") if found.proto.alt.startswith(start))


def test_every_case_with_a_lesion_is_a_point_that_carries_its_name(board):
    drawn = json.loads(chart(board(), "Tumour Dice: U-Net against MultiResUNet").spec)["data"]
    points = [name for trace in drawn for (name,) in trace.get("customdata", ())]
    assert sorted(points) == sorted(row["case"] for row in cases_with_a_lesion())
    assert {trace["name"].split(" ")[0] for trace in drawn} == {"equal", "benign", "malignant"}
    assert len({trace["marker"]["symbol"] for trace in drawn if "customdata" in trace}) == 2


def test_the_other_network_and_the_sizes_can_be_chosen(board):
    page = board()
    option(page, "Vertical").select("DC-UNet").run()
    drawn = chart(page, "Tumour Dice: U-Net against DC-UNet")
    assert "Dice of DC-UNet" in drawn.spec
    option(page, "Vertical").select("U-Net").run()
    assert "Choose two different networks." in said(page)


def test_one_network_alone_has_nothing_to_be_held_against(board):
    assert "Two networks are needed here" in said(board(m=["unet"]))


POINTS = [
    Pair("a", 0.5, 0.7, "benign"),
    Pair("b", 0.0, 0.4, "benign"),
    Pair("c", 0.0, 0.0, "malignant"),
    Pair("d", 0.9, 0.2, "malignant"),
]


def test_the_scatter_is_counted_in_words_and_misses_apart():
    assert pairs.summary(POINTS, "A", "B", "images", "tumour") == (
        "4 images with a tumour. A is higher on 1, B on 2, equal on 1. "
        "Dice 0: A alone on 1, B alone on 0, both on 1."
    )


def test_the_table_beside_the_scatter_has_the_largest_difference_first():
    table = pairs.as_table(POINTS, "A", "B")
    assert list(table["Case"]) == ["d", "b", "a", "c"]
    assert list(table["Difference"]) == ["+0.700", "-0.400", "-0.200", "+0.000"]


def test_a_click_opens_a_case_that_is_shown_and_no_other(monkeypatch):
    opened = []
    monkeypatch.setattr(case, "open_in_review", lambda name, dataset: opened.append((name, dataset)))

    def click(*customdata):
        points = [{"customdata": list(customdata)}]
        pairs.opened(SimpleNamespace(selection=SimpleNamespace(points=points)), {"a"}, "busi")

    click("a")
    assert opened == [("a", "busi")]
    click("../b")
    click()
    assert opened == [("a", "busi")]


def test_a_name_with_a_link_stays_text_in_the_scatter():
    drawn = figures_cases.pairs([Pair("<a href=x>", 0.1, 0.2, "<b>")], "<i>", "B", "Dice")
    assert "<a" not in drawn.data[1].text[0]
    assert "<b>" not in drawn.data[1].name
    assert "<i>" not in drawn.layout.xaxis.title.text


def test_every_group_has_a_shape_of_its_own():
    drawn = figures_cases.pairs(
        [Pair("a", 0.1, 0.2, name) for name in ("large", "small", "medium")], "A", "B", "D"
    )
    assert [trace.name for trace in drawn.data] == ["equal", "small (1)", "medium (1)", "large (1)"]
    assert len({trace.marker.symbol for trace in drawn.data[1:]}) == 3


# ---- subgroups


def subgroup(level: str, value, low, n: int, run: str = "busi-unet-0") -> dict:
    made = {"run": run, "class": "tumour", "level": level, "value": value, "low": low, "high": low, "n": n}
    return made | {"n_unit": "groups", "cases": n, "note": ""}


def test_subgroups_stand_from_small_to_large_with_their_n_and_points_without_intervals():
    rows = [subgroup("large", 0.8, 0.7, 9), subgroup("benign", 0.6, None, 3), subgroup("small", 0.5, 0.4, 7)]
    stored = SimpleNamespace(summary={"subgroups": rows}, runs={"busi-unet-0": {"model": "unet"}})
    ((model, title, dots),) = subgroups.dots(stored, TITLES, "tumour")
    assert (model, title) == ("unet", "U-Net")
    assert [dot.label for dot in dots] == ["benign, n = 3", "small, n = 7", "large, n = 9"]
    assert dots[0].low != dots[0].low
    table = subgroups.as_table(stored, TITLES, "tumour")
    assert list(table["95 % interval"]) == ["no interval", "0.400 to 0.400", "0.700 to 0.700"]


def test_the_panel_is_called_exploratory_and_has_a_picture_and_a_table(board):
    page = board()
    assert "**Tumour Dice by subgroup** · exploratory, no tests" in said(page)
    assert chart(page, "Mean tumour Dice of each network by kind and size of lesion")
    assert "terciles of all references of the set, cut at" in said(page)


# ---- files


@pytest.fixture
def stored(both):
    return read_results("busi")


def test_the_latex_table_has_every_network_class_and_metric_with_interval_and_n(stored):
    text = board_files.scores_latex(stored, TITLES)
    assert text.count(r"\midrule") == 3  # below the header, and between three networks
    rows = [line for line in text.splitlines() if line.endswith(r"\\")][1:]
    assert len(rows) == len(stored.summary["intervals"])
    first = stored.summary["intervals"][0]
    assert f"& {first['value']:.3f} &" in rows[0]
    assert all(line.count(" & ") == 5 for line in rows)


def test_the_caption_carries_rule_grid_n_split_and_weights(stored):
    text = board_files.scores_latex(stored, TITLES)
    split = stored.runs["busi-unet-0"]["split_sha256"][:8]
    for part in (
        "Rule lesion-cases",
        "native grid",
        f"split {split}",
        "p \\textgreater{} 0.5",
        "n = ",
        "U-Net 04040404",
    ):
        assert part in text
    assert "Research and teaching use only." in text


def test_the_file_of_tables_has_the_findings_on_them(stored):
    found = json.loads(board_files.summary_json(stored))
    key = next(iter(found["checks"]))
    assert "busi-unet-0" in key
    assert key.endswith("tumour, per case")
    assert all(findings == [] for findings in found["checks"].values())
    assert found["records"]


def test_results_that_are_no_longer_sound_say_so_in_the_file(stored):
    row = next(r for r in stored.records if r["convention"] == "pooled" and r["metric"] == "iou")
    row["value"] -= 0.02
    found = json.loads(board_files.summary_json(stored))["checks"]
    assert [one["rule"] for findings in found.values() for one in findings] == ["L03"]


def test_no_name_of_a_dataset_can_be_a_command_of_latex(stored):
    stored.header["title"] = r"\input{/etc/passwd} 5 % & more"
    text = board_files.scores_latex(stored, {"busi-unet-0": r"U\write18{x}"})
    assert r"\input" not in text
    assert r"\write18" not in text
    assert r"5 \% \& more" in text
