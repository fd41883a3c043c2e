"""The heatmaps page: every question, state and number in words; addresses; computing; agreement; exports."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import core
from core import Target, list_slices, maps_npz, predict, read_slice, stored_heatmap
from pages.parts import state
from tests.pages import small
from tests.pages.small import answer_for_the_networks, open_page, panels, said

RUNS = [f"busi-{model}-0" for model in small.MODELS]


@pytest.fixture
def both(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small dataset with a stand-in for the networks; a copy that the test may damage."""
    answer_for_the_networks(monkeypatch)
    return shutil.copytree(small.phantoms_and_real(), artifacts)


def lesion(page) -> core.Slice:
    """The slice that a page has opened with."""
    case = page.session_state["sel"].case
    entry = next(entry for entry in list_slices("busi") if entry.case == case)
    return read_slice("busi", case, entry.index)


def in_address(page, name: str) -> list[str]:
    """What the address holds for a name."""
    found = page.query_params[name]
    return [found] if isinstance(found, str) else list(found)


def compute(page):
    next(button for button in page.button if button.label.startswith("Compute")).click().run()
    assert not page.exception
    return page


def test_every_question_can_be_asked_and_is_answered_once_computed(both):
    page = open_page("heatmaps", along="region", region=[*("boundary", "component", "missed", "invented")])
    assert [panel["message"] for panel in panels(page)[1:4]] == ["Not computed for this case."] * 3
    compute(page)
    assert not [button for button in page.button if button.label.startswith("Compute")]
    text = said(page)
    for words in ("What decides the outline", "the largest region it predicts", "What kept", "What misled"):
        assert words in text
    assert len(panels(page)) == 4 * 4


def test_a_method_with_passes_of_its_own_stands_behind_its_own_button_with_its_cost(both):
    page = open_page("heatmaps", cam="scorecam")
    (button,) = [button for button in page.button if button.label.startswith("Compute")]
    assert button.label == "Compute Score-CAM (one forward pass per feature, 64 by default)"
    assert "for each of 3 maps" in said(page)


def test_methods_of_the_image_have_no_layer_and_one_row(both):
    page = open_page("heatmaps", cam="occlusion", layer=["bottleneck", "decoder_2"])
    assert len(panels(page)) == 4
    assert panels(page)[0]["subtitle"] == "Occlusion · tumour · image · predicted"


def test_rows_vary_along_methods_on_request(both):
    page = open_page("heatmaps", along="cam", cam=["gradcam", "hirescam", "layercam"])
    assert [panel["subtitle"].split(" · ")[0] for panel in panels(page)[::4]] == [
        "Grad-CAM",
        "HiResCAM",
        "LayerCAM",
    ]
    assert all(panel["heat"] for at, panel in enumerate(panels(page)) if at % 4)


def test_the_layer_walk_is_one_click_and_ends_with_the_control(both):
    page = open_page("heatmaps")
    next(button for button in page.button if button.label == "Layer walk").click().run()
    shown = panels(page)
    assert [panel["subtitle"].split(" · ")[2] for panel in shown[::4]][:2] == ["Bottleneck", "Decoder 4"]
    assert len(shown) == 5 * 4
    assert [panel["heat"]["redundant"] for panel in shown[17:]] == [True] * 3
    text = said(page)
    assert "The map on its way to the mask" in text
    assert "16 px of 128 (8 × 8 cells)" in text
    assert "Decoder 1 · control" in text
    assert in_address(page, "layer")[-1] == "decoder_1"


def test_the_maps_of_one_network_stand_beside_each_other(both):
    page = open_page("heatmaps", m="unet", layer=["bottleneck", "decoder_4", "decoder_3"])
    assert [panel["title"] for panel in panels(page)] == ["Image + reference", *["U-Net"] * 3]


def test_a_point_waits_for_a_click_and_then_asks_about_the_class_predicted_there(both):
    page = open_page("heatmaps", region="pixel")
    assert [panel["message"][:13] for panel in panels(page)[1:]] == ["Click a place"] * 3
    assert not [button for button in page.button if button.label.startswith("Compute")]
    page = compute(open_page("heatmaps", region="pixel", at="3,5", radius="0"))
    assert "Why does U-Net say background just here, at row 3, column 5?" in said(page)
    one = lesion(page)
    asked = Target("background", "pixel", row=3, column=5, radius=0)
    assert stored_heatmap(RUNS[0], one, "gradcam", "bottleneck", asked).region_pixels == 1


def test_a_click_that_the_viewer_reports_becomes_the_question(both):
    page = open_page("heatmaps", region="pixel", at="3,5")
    token = lesion(page).key

    import streamlit as st

    taken: dict = {}
    reported = SimpleNamespace(target={"token": token, "x": 0.25, "y": 0.9999, "slice": 0})
    given = {"heatmaps": reported}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(st, "session_state", given)
        patch.setattr(state, "choose", lambda **options: taken.update(options))
        state.took_point("heatmaps", token)()
        assert taken == {"region": "pixel", "at": "127,32"}
        for wrong in (
            {"token": "busi/other/0"},
            {"x": 1.0},
            {"x": True},
            {"y": float("nan")},
            {"x": "0.5"},
            {"y": None},
        ):
            taken.clear()
            reported.target = {"token": token, "x": 0.25, "y": 0.5} | wrong
            state.took_point("heatmaps", token)()
            assert taken == {}


def test_contrast_asks_for_one_class_rather_than_the_other(both):
    page = compute(open_page("heatmaps", score="contrast"))
    assert "call this area tumour rather than background?" in said(page)
    assert panels(page)[1]["heat"]["label"].startswith("logit difference per cell")


def test_maps_of_own_regions_are_not_compared_and_the_page_says_how_to(both):
    page = open_page("heatmaps")
    assert "their maps answer different questions" in said(page)
    next(button for button in page.button if button.label == "Ask about one region for all").click().run()
    text = said(compute(page))
    assert "U-Net and MultiResUNet" in text
    assert "Agreement: ranks" in text
    assert in_address(page, "region") == ["shared"]


def test_a_row_shows_where_only_one_network_looks(both):
    page = compute(open_page("heatmaps", region="shared", only="yes"))
    shown = panels(page)
    assert [panel["title"] for panel in shown[5:]] == ["Only U-Net", "Only MultiResUNet", "Only DC-UNet"]
    assert all("more than any other network" in panel["heat"]["label"] for panel in shown[5:])
    text = "Looks nowhere harder than the other networks."
    assert [panel["heat"]["words"] == text for panel in shown[5:]].count(False) >= 1


def test_a_class_predicted_nowhere_offers_its_likeliest_pixels_and_keeps_its_state(both):
    split = json.loads(next((both / "data/busi/splits").glob("*-group.json")).read_text())["cases"]
    normal = next(case for case, row in split.items() if row["part"] == "test" and case.startswith("normal"))
    page = open_page("heatmaps", ds="busi", case=normal)
    next(button for button in page.button if button.label.startswith("Explain the likeliest")).click().run()
    page = compute(page)
    heat = panels(page)[1]["heat"]
    assert heat["drawn"]
    assert heat["words"].startswith("U-Net predicts no tumour here: this explains the 1 % of pixels")


def test_numbers_stand_beside_those_of_the_baselines(both):
    page = open_page("heatmaps")
    (table,) = [one.value for one in page.dataframe if "Energy in reference" in one.value.columns]
    assert list(table.index[:4]) == ["U-Net", "MultiResUNet", "DC-UNet", "Even map"]
    assert table.loc["Even map", "Lift"] == "1.0 × chance"
    assert {"Edges", "Centred blob, U-Net", "Probability, DC-UNet"} <= set(table.index)
    assert table.loc["Even map", "Raw maximum"] == ""
    assert "Deviation from the organ" not in table.columns


def test_beside_the_maps_stands_that_they_were_not_checked_and_the_command(both):
    text = said(open_page("heatmaps"))
    assert "Not checked yet" in text
    assert "python -m core certify busi-unet-0" in text


def test_without_an_outline_questions_about_it_are_not_offered_and_the_page_says_so(both, monkeypatch):
    from dataclasses import replace

    from pages.parts import cached

    plain = cached.one_slice
    monkeypatch.setattr(cached, "one_slice", lambda entry: replace(plain(entry), reference=None))
    page = open_page("heatmaps")
    assert not page.exception
    (regions,) = [one for one in page.selectbox if one.label == "Question about"]
    assert not {"Expert's region", "Missed part", "Invented part"} & set(regions.options)
    assert "No expert outline" in said(page)


def test_an_address_carries_every_choice_and_opens_the_same_page(both):
    page = open_page("heatmaps")
    page.selectbox(key="w_cam").select("layercam").run()
    page.button_group(key="w_scale").set_value("own").run()
    page.button_group(key="w_sign").set_value("signed").run()
    page.button_group(key="w_colours").set_value("magma").run()
    asked = {name: in_address(page, name) for name in page.query_params}
    assert {name: asked[name] for name in ("cam", "scale", "sign", "colours")} == {
        "cam": ["layercam"],
        "scale": ["own"],
        "sign": ["signed"],
        "colours": ["magma"],
    }
    again = open_page("heatmaps", **asked)
    assert again.get("bidi_component")[0].proto.bytes == page.get("bidi_component")[0].proto.bytes


@pytest.mark.parametrize(
    "query",
    [
        {"along": "<b>", "layer": "logits", "cam": "x", "region": "nowhere", "score": "0", "rival": "liver"},
        {"region": "component", "index": "99", "of": "nobody"},
        {"region": "pixel", "at": "999,1", "radius": "9"},
        {"region": ["pixel", "pixel"], "at": ["1,1", "2,2"], "side": "x", "only": "x", "class": "kidney"},
    ],
)
def test_an_address_with_choices_that_do_not_exist_fails_nowhere(both, query):
    page = open_page("heatmaps", **query)
    assert not page.exception
    assert panels(page)


def test_another_case_forgets_the_point_and_keeps_the_rest(both):
    page = open_page("heatmaps", region="pixel", at="3,5", scale="own")
    page.button(key="b_next").click().run()
    assert "at" not in page.query_params
    assert in_address(page, "scale") == ["own"]


def test_every_drawn_map_carries_what_an_exported_picture_must_say(both):
    for panel in panels(open_page("heatmaps"))[1:]:
        for part in (
            "Grad-CAM",
            "Bottleneck",
            "call this area tumour?",
            "score",
            "full colour at",
            "one scale",
        ):
            assert part in panel["heat"]["stamp"]
        assert "·" in panel["run"]


def test_raw_arrays_come_with_what_they_are(both):
    one = lesion(open_page("heatmaps"))
    found = [stored_heatmap(run, one, "gradcam", "decoder_4", Target()) for run in RUNS]
    with np.load(io.BytesIO(maps_npz(found, one)), allow_pickle=False) as file:
        told = json.loads(str(file["metadata"]))
        np.testing.assert_array_equal(file["map_1"], found[1].values)
    assert told["notice"] == core.NOTICE
    assert [each["run"] for each in told["maps"]] == RUNS
    assert told["maps"][0]["layer_grid"] == [16, 16]
    assert len(told["maps"][0]["weights_sha256"]) == 64


def test_a_network_that_fails_while_computing_is_named_and_the_others_are_stored(both, monkeypatch):
    from core import RunRefused

    engine = answer_for_the_networks(monkeypatch)
    answer = engine.evidence

    def evidence(run, *asked):
        if run.model == "unet":
            raise RunRefused("weights of busi-unet-0: golden output differs")
        return answer(run, *asked)

    monkeypatch.setattr(engine, "evidence", evidence)
    page = open_page("heatmaps", region="boundary")
    next(button for button in page.button if button.label.startswith("Compute")).click().run()
    assert "busi-unet-0: weights of busi-unet-0: golden output differs" in said(page)
    page.run()
    assert panels(page)[1]["message"].startswith("Weights rejected: ")
    assert panels(page)[2]["heat"] is not None


def test_a_prediction_must_be_there_before_a_region_can_be_found(both):
    split = json.loads(next((both / "data/busi/splits").glob("*-group.json")).read_text())["cases"]
    case = next(case for case, row in split.items() if row["part"] == "train" and case.startswith("benign"))
    page = compute(open_page("heatmaps", ds="busi", case=case, region="shared"))
    one = lesion(page)
    predictions = [predict(run, one) for run in RUNS]
    mask = core.shared_region(one, predictions, "tumour")
    assert stored_heatmap(RUNS[2], one, "gradcam", "bottleneck", Target(region="shared"), mask) is not None
    assert all(panel["heat"] for panel in panels(page)[1:])


def test_a_zip_of_maps_is_not_made_of_a_picture(both):
    one = lesion(open_page("heatmaps"))
    with pytest.raises(ValueError, match="CT volume"):
        core.maps_nifti([], one)
    assert zipfile.is_zipfile(io.BytesIO(maps_npz([], one)))
