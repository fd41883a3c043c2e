"""Review and Heatmaps on CT volumes: slice, units, states in words, computing, export."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import struct
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import core
from core import SliceEntry, list_slices, read_run
from pages.parts import cached, payload, volume_notes, volumes
from tests.core import volumes as nifti
from tests.pages import small_volumes
from tests.pages.small import open_page, panels, said


@pytest.fixture
def ct(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small volumes, nothing computed yet, and a stand-in for the networks."""
    import sys

    import core.explain

    engine = small_volumes.stand_in()
    monkeypatch.setitem(sys.modules, "core.explain.engine", engine)
    monkeypatch.setattr(core.explain, "engine", engine, raising=False)
    return shutil.copytree(small_volumes.prepared(), artifacts)


@pytest.fixture
def computed(ct: Path) -> Path:
    """The same with all predictions stored."""
    from core import reading
    from core.prepared import read_slice

    slices = [read_slice("lits", e.case, e.index) for e in list_slices("lits")]
    for model in ("unet", "multiresunet", "dcunet"):
        reading.predict_many(f"lits-{model}-0", slices)
    return ct


def header(page) -> dict:
    block = page.get("bidi_component")[0].proto.bytes
    (length,) = struct.unpack_from("<I", block)
    return json.loads(block[4 : 4 + length])


def open_volume(name: str, case: str = "volume-202", **query):
    page = open_page(name, ds="lits", case=case, **query)
    assert not page.exception
    return page


def test_review_shows_the_volume_with_its_slices_spacing_and_windows(computed):
    told = header(open_volume("review"))
    assert told["token"] == "lits/volume-202"
    assert told["orientation"] is True
    assert told["slices"]["indices"] == list(range(26))
    assert told["slices"]["total"] == 26
    assert told["slices"]["spacing"] == pytest.approx([0.7, 0.9])
    assert told["slices"]["positions"][2] == pytest.approx(6.0)
    assert [one["width"] for one in told["slices"]["windows"]] == [400, 150, 150, 2500, 400]
    assert told["slices"]["windows"][4]["level"] == 40
    assert [panel["title"] for panel in told["panels"]] == [
        "Image + reference",
        "U-Net",
        "MultiResUNet",
        "DC-UNet",
    ]
    assert all(panel["labels"] >= 0 for panel in told["panels"])
    assert "do not redistribute" in told["caption"]


def test_a_volume_opens_with_a_slice_that_has_tumour_and_its_numbers_have_units(computed):
    text = said(open_volume("review"))
    assert "Slice 12" in text
    assert "tumour Dice" in text
    assert "mm²" in text
    assert "not measured" not in text
    assert " px" not in text
    assert "nan" not in text.lower().split()


def test_the_address_names_the_slice_and_nonsense_is_ignored(computed):
    assert "Slice 17" in said(open_volume("review", k="17"))
    assert "Slice 25" in said(open_volume("review", k="9999"))
    for nonsense in ("-3", "1e3", "<b>", "", "٣"):
        assert "Slice 12" in said(open_volume("review", k=nonsense))


def test_an_empty_reference_is_said_in_words_and_has_no_dice(computed):
    text = said(open_volume("review", case="volume-203", k="10"))
    assert "no tumour in reference" in text
    assert "n/a: no lesion in reference" in text
    text = said(open_volume("review", k="0"))
    assert "no liver in reference, none predicted" in text


def test_a_volume_without_a_reference_shows_pictures_and_predictions(computed):
    page = open_volume("review", case="volume-204")
    assert panels(page)[0]["title"] == "Image"
    assert panels(page)[0]["labels"] == -1
    assert panels(page)[1]["labels"] >= 0
    assert "no expert outline" in said(page)


def test_few_patients_and_the_licence_are_said(computed):
    text = said(open_volume("review"))
    assert any(core.few_sentence(patients) in text for patients in range(1, 5))
    assert "CC BY-NC-ND 4.0: do not redistribute" in text


def test_a_volume_that_is_not_stored_is_computed_on_request(ct):
    page = open_volume("review")
    assert panels(page)[1]["message"].startswith("Not computed")
    (button,) = [one for one in page.button if one.label.startswith("Compute this volume")]
    button.click().run()
    assert not page.exception
    assert all(panel["labels"] >= 0 for panel in panels(page))
    assert not [one for one in page.button if one.label.startswith("Compute this volume")]


def test_a_half_computed_volume_is_not_shown_as_whole(computed):
    store = computed / "cache" / "predictions"
    stored = sorted(path for path in store.rglob("*") if path.is_file())
    for path in stored[: len(stored) // 2]:
        path.unlink()
    page = open_volume("review")
    assert any(panel["message"].startswith("Not computed") for panel in panels(page)[1:])
    assert [one for one in page.button if one.label.startswith("Compute this volume")]


def test_a_network_never_trained_says_so_and_the_others_work(computed):
    shutil.rmtree(computed / "runs" / "lits-dcunet-0")
    shown = panels(open_volume("review"))
    assert shown[3]["message"] == "No trained network. Run: python -m core train lits dcunet"
    assert shown[1]["labels"] >= 0


def test_the_finer_picture_is_offered(computed):
    page = open_volume("review")
    assert [one.label for one in page.toggle if one.label.startswith("Finer")] == ["Finer picture: 256 × 256"]
    next(one for one in page.toggle if one.label.startswith("Finer")).set_value(True).run()
    assert not page.exception


def test_a_volume_too_large_for_the_finer_picture_is_shown_on_the_usual_grid(computed, monkeypatch):
    monkeypatch.setattr(volumes, "SIZE", 20)
    monkeypatch.setattr(volumes, "FINE", 40)
    page = open_volume("review")
    sizes = [len(part.proto.bytes) for part in page.get("bidi_component")]
    monkeypatch.setattr(payload, "LARGEST_CASE", sum(sizes) + 1000)
    next(one for one in page.toggle if one.label.startswith("Finer")).set_value(True).run()
    assert not page.exception
    assert "too large for the finer picture: it is shown at 20 × 20" in said(page)
    told = header(page)
    assert told["parts"][told["picture"][0]]["shape"] == [26, 20, 20]
    assert told["parts"][told["panels"][1]["labels"]]["shape"] == [26, 20, 20]


def test_the_caption_names_the_grid_that_is_drawn(computed, monkeypatch):
    monkeypatch.setattr(volumes, "SIZE", 20)
    assert "20 × 20" in said(open_volume("review"))


def rows_of(case: str, runs) -> list[dict]:
    """Stored counts of all slices of a small volume: 50 and 5 pixels by every network, 60 and 6 by the expert."""
    counts = {"liver_pred": 50, "tumour_pred": 5, "liver_ref": 60, "tumour_ref": 6}
    told = {"case": case, **counts, "any_px": 9, "disagreement_px": 3}
    return [{"run": run, "index": k, **told} for run in runs for k in range(26)]


def test_the_strip_comes_from_stored_scores_without_any_prediction(ct, monkeypatch):
    runs = [f"lits-{model}-0" for model in ("unet", "multiresunet", "dcunet")]
    stored = SimpleNamespace(
        slices=rows_of("volume-202", runs),
        scores=[],
        cases={},
        records=[],
        header={},
        runs={},
        summary={"families": []},
    )
    monkeypatch.setattr(cached, "results", lambda dataset: stored)
    page = open_volume("review")
    told = header(page)
    assert [panel["labels"] >= 0 for panel in told["panels"]] == [True, False, False, False]
    assert all(panel["areas"] >= 0 for panel in told["panels"])
    assert told["disagreement"] >= 0
    block = page.get("bidi_component")[0].proto.bytes
    part = told["parts"][told["panels"][1]["areas"]]
    start = 4 + struct.unpack_from("<I", block)[0] + part["offset"]
    found = np.frombuffer(gzip.decompress(block[start : start + part["length"]]), "<f4").reshape(2, 26)
    np.testing.assert_allclose(found, np.repeat([[50 * 0.63], [5 * 0.63]], 26, axis=1), rtol=1e-5)


def test_a_placeholder_geometry_stands_beside_every_length(computed, monkeypatch):
    monkeypatch.setattr(volumes, "NO_GEOMETRY", "flag-of-this-test")
    for kept in ("slices", "slice_of"):
        asked = getattr(cached, kept)
        monkeypatch.setattr(cached, kept, flagged(asked))
    page = open_volume("review")
    text = said(page)
    assert "Mm not measured: the file's geometry is a placeholder." in text
    assert re.findall(r"mm²(?! \(not measured\))", text.replace(" and ml.", "")) == ["mm²"]  # the note's own
    assert header(page)["slices"]["mm_note"] == "mm not measured: the file's geometry is a placeholder"


def flagged(asked):
    """The same answers with a flag on each slice."""

    def answered(*given):
        found = asked(*given)
        if isinstance(found, tuple):
            return tuple(replace(one, flags=("flag-of-this-test",)) for one in found)
        return replace(found, flags=("flag-of-this-test",))

    return answered


def test_heatmaps_of_a_volume_ask_for_classes_and_belong_to_the_settled_slice(computed):
    page = open_volume("heatmaps", k="14")
    told = header(page)
    assert told["mode"] == "heatmap"
    assert told["slices"]["heat"] == 14
    assert all(panel["heat"] is None for panel in told["panels"])
    assert told["panels"][1]["message"] == "Not computed for this slice."
    (button,) = [one for one in page.button if one.label.startswith("Compute (")]
    button.click().run()
    assert not page.exception
    assert [panel["heat"] is not None for panel in header(page)["panels"]] == [False, True, True, True]
    assert "Energy in reference" in said(page)


def test_a_row_of_heatmaps_on_review_belongs_to_the_settled_slice(computed):
    assert header(open_volume("review", k="14"))["slices"]["heat"] == -1
    page = open_volume("review", k="14", maps="on")
    told = header(page)
    assert (told["mode"], told["slices"]["heat"]) == ("outline", 14)
    assert [panel["mode"] for panel in told["panels"]] == [""] * 5 + ["heatmap"] * 3
    assert all(panel["labels"] >= 0 for panel in told["panels"])
    (button,) = [one for one in page.button if one.label.startswith("Compute (")]
    button.click().run()
    assert all(panel["heat"]["label"].startswith("log-odds") for panel in header(page)["panels"][5:])


def test_heatmaps_can_ask_about_every_class(computed):
    page = open_volume("heatmaps")
    (classes,) = [one for one in page.button_group if one.label.startswith("Class")]
    assert classes.options == ["Background", "Liver", "Tumour"]
    classes.set_value(["liver", "tumour"]).run()
    assert not page.exception
    assert len(panels(page)) == 8
    assert panels(page)[1]["subtitle"].startswith("liver · ")


def test_a_case_is_listed_once_and_the_filter_knows_its_part(computed):
    page = open_volume("review")
    (case,) = [one for one in page.selectbox if one.label.startswith("Case")]
    assert len(case.options) == len(set(case.options)) <= 4
    assert all("volume-" in option for option in case.options)


def test_the_mask_is_written_on_the_original_grid(computed):
    entry = next(e for e in list_slices("lits") if e.case == "volume-202")
    block = gzip.decompress(volume_notes.nifti("lits-unet-0", entry))
    shape = struct.unpack_from("<8h", block, 40)[1:4]
    _, affine = nifti.stored_as(np.zeros(small_volumes.SHAPE, np.uint8), "RAS")
    assert shape == (40, 48, 26)
    np.testing.assert_allclose(
        np.reshape(struct.unpack_from("<12f", block, 280), (3, 4)), affine[:3], rtol=1e-5
    )
    (offset,) = struct.unpack_from("<f", block, 108)
    assert set(np.frombuffer(block, np.uint8, offset=int(offset))) <= {0, 1, 2}


def test_volumes_in_words_carry_millilitres_and_undefined_is_said(monkeypatch):
    rows = [
        {"class": "liver", "n_ref": 1000, "n_pred": 900, "dice": 0.9},
        {"class": "tumour", "n_ref": 0, "n_pred": 50, "dice": 0.0},
        {"class": "tumour", "n_ref": 40, "n_pred": 0, "dice": 0.0},
        {"class": "tumour", "n_ref": 0, "n_pred": 0, "dice": float("nan")},
    ]
    rows = [{"run": "r", "case": "volume-1", "voxel_mm3": 100.0, "unit": "volume"} | row for row in rows]

    class Stored:
        scores = rows

    class Chosen:
        class card:
            name = "lits"

        entry = SliceEntry("lits", "volume-1", 0, "p", "ct", (), 4, 4, 0)

    class Trained:
        name = "r"

    monkeypatch.setattr(volume_notes.cached, "results", lambda dataset: Stored)
    assert [text.replace("\u00a0", " ") for text in volume_notes.volume_words(Chosen, Trained)] == [
        "liver Dice 0.90 (90.0 ml, reference 100.0 ml, −10 %)",
        "no tumour in reference; false positive 5.0 ml",
        "missed the tumour completely (4.0 ml)",
        "no tumour in reference, none predicted",
    ]


def test_the_runs_of_the_small_volumes_are_in_order(ct):
    assert read_run("lits-unet-0").classes == ("background", "liver", "tumour")
