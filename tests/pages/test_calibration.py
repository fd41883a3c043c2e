"""The tab Calibration: what is drawn and said, with every n and every undefined number in words."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from pages.parts import calibration
from tests.pages import small
from tests.pages.small import open_page, said

METRICS = {"brier": {"title": "Brier score", "definition": "d"}, "ece": {"title": "ECE", "definition": "d"}}
ROW = {
    "run": "r", "class": "tumour", "metric": "brier", "value": 0.2221, "low": 0.1698, "high": 0.2945, "n": 44,
    "n_unit": "groups", "note": "", "cases": 57, "undefined": 11,
}  # fmt: skip
NONE = {
    "value": None,
    "low": None,
    "high": None,
    "n": 0,
    "cases": 0,
    "undefined": 3,
    "note": "no group is defined",
}


def table(*rows):
    return calibration.table({"metrics": METRICS, "intervals": rows}, {"r": "R"}, "tumour").loc["R"]


def test_a_mean_stands_with_its_interval_its_n_and_the_cases_without_a_region():
    row = table(ROW, ROW | {"metric": "ece", "value": 0.1, "low": None, "high": None})
    assert row["Brier score"] == "0.222 [0.170, 0.294]"
    assert row["ECE"] == "0.100"
    assert (row["n groups"], row["Cases with a region"]) == ("44", "57 of 68")


def test_an_undefined_number_is_its_reason():
    why = {"why": "neither reference nor prediction has any: no region"}
    assert (
        table(ROW | NONE | why)["Brier score"] == "n/a: neither reference nor prediction has any: no region"
    )


@pytest.mark.parametrize(
    ("pixels", "text"), [(1234, "R: 1\u202f234\u00a0px of 3 volumes"), (0, "R: n/a, no case with a region")]
)
def test_a_curve_says_what_it_is_made_of(pixels, text):
    assert calibration.pooled({"pixels": pixels, "n": 3, "n_unit": "volumes"}, "R") == text


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(small.phantoms_and_real()))
    return open_page("scoreboard", ds="busi")


def test_the_tab_says_that_the_curve_is_pooled_and_what_every_number_carries(page):
    assert not page.exception
    text = said(page)
    for part in (
        "The drawn curve is pooled over cases",
        "(reference or prediction) dilated by 5 native pixels",
        "grid: native",
        "Rule all-cases",
        "BCa bootstrap",
    ):
        assert part in text
    assert "nan" not in text.lower().split()


def test_every_number_of_the_tab_explains_itself_at_its_heading(page):
    helps = {}
    for element in page.get("dataframe"):
        for column, config in json.loads(element.proto.columns or "{}").items():
            helps[column] = config.get("help")
    assert all(helps[title] for title in ("Brier score", "ECE", "ACE"))


def test_the_diagram_has_a_line_and_bars_for_each_network(page):
    charts = [json.loads(element.proto.spec) for element in page.get("plotly_chart")]
    chart = next(one for one in charts if "reliability" in one["layout"]["title"]["text"])
    assert [trace["type"] for trace in chart["data"]].count("bar") == 3
    assert {"perfect", "U-Net", "MultiResUNet", "DC-UNet"} <= {trace.get("name") for trace in chart["data"]}


def test_where_there_is_nothing_to_draw_it_is_said(monkeypatch):
    shown = []
    stand_in = SimpleNamespace(
        plotly_chart=None, info=shown.append, markdown=shown.append, caption=shown.append
    )
    columns = lambda spec: (stand_in, stand_in)  # noqa: E731
    for name, value in {"columns": columns, "markdown": shown.append, "dataframe": lambda *_, **__: None,
                        "caption": shown.append}.items():  # fmt: skip
        monkeypatch.setattr(calibration.st, name, value)
    curve = {
        "run": "r",
        "model": "unet",
        "class": "tumour",
        "pixels": 0,
        "n": 0,
        "n_unit": "images",
        "points": [],
    }
    about = {"region": "", "grid": "", "bins": 10, "rule": "", "rule_text": "", "probability": ""}
    found = {"metrics": METRICS, "intervals": [ROW | NONE], "curves": [curve], **about}
    stored = SimpleNamespace(summary={"calibration": found}, header={"classes": ["background", "tumour"]})
    calibration.calibration_section(stored, {"r": "R"})
    assert any("Nothing to draw: no case has any tumour" in text for text in shown)
