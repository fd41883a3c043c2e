"""Review as a desk: the list of cases, verdicts, and what can be taken away."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest
from PIL import Image

from core import list_slices, read_verdicts
from pages.parts import cached, case, case_report, choices, exports, words
from pages.parts.case_report import Shown
from pages.parts.choices import Choice, Selection
from tests.pages import small, small_volumes
from tests.pages.small import open_page, said


@pytest.fixture
def busi(artifacts: Path) -> Path:
    """Phantoms and a set that counts as real; a copy that the test may damage."""
    return shutil.copytree(small.phantoms_and_real(), artifacts)


@pytest.fixture
def ct(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small volumes with all predictions of one of them stored."""
    import sys

    import core.explain
    from core import reading
    from core.prepared import read_slice

    engine = small_volumes.stand_in()
    monkeypatch.setitem(sys.modules, "core.explain.engine", engine)
    monkeypatch.setattr(core.explain, "engine", engine, raising=False)
    folder = shutil.copytree(small_volumes.prepared(), artifacts)
    slices = [read_slice("lits", e.case, e.index) for e in list_slices("lits") if e.case == "volume-202"]
    for model in small.MODELS:
        reading.predict_many(f"lits-{model}-0", slices)
    return folder


def on_screen(dataset: str, name: str = "", index: int | None = None) -> Shown:
    """What Review shows of a case, by default the first of the list."""
    card = choices.prepared(dataset)
    listed = choices.matching(Selection(part="all"), card)
    entry = next((e for e in listed if e.case == name), listed[0])
    runs = choices.chosen_runs(Selection(), dataset)
    choice = Choice(card, entry, choices.part_of(entry, card, runs), runs, None)
    one = cached.one_slice(entry) if index is None else cached.slice_of(entry, index)
    return Shown(choice, one, case.readings(choice, one), (150.0, 30.0) if card.has_volumes else None)


def listed(page) -> list[str]:
    """Cases of the list in order, with the one on screen, as they are labelled."""
    own = page.session_state["sel"].case
    rows = [e for e in page.sidebar if e.type in ("button", "markdown")]
    found = []
    for row in rows:
        if row.type == "button" and (row.key or "").startswith("list-"):
            found.append(row.key.removeprefix("list-"))
        elif row.type == "markdown" and str(row.value).startswith(":small[**"):
            found.append(own)
    return found


def test_the_list_opens_with_the_largest_disagreement_and_a_picture_per_case(busi):
    page = open_page("review")
    in_order = [option.split(" · ")[0] for option in page.selectbox(key="w_case").options][:8]
    assert listed(page) == in_order
    assert len(page.sidebar.get("image")) == len(in_order)


def test_a_click_in_the_list_opens_the_case_and_the_address_names_it(busi):
    page = open_page("review")
    third = listed(page)[2]
    page.button(key=f"list-{third}").click().run()
    assert page.session_state["sel"].case == third
    assert page.query_params["case"] in (third, [third])


def test_the_list_turns_its_page_with_the_case(busi):
    page = open_page("review")
    page.session_state["sel"] = Selection(ds="busi", part="all")
    page.run()
    first = listed(page)
    last = page.selectbox(key="w_case").options[-1]
    page.selectbox(key="w_case").select(last).run()
    assert set(listed(page)).isdisjoint(first)
    assert last.split(" · ")[0] in listed(page)


def test_the_list_is_turned_by_hand_too(busi):
    page = open_page("review")
    page.session_state["sel"] = Selection(ds="busi", part="all")
    page.run()
    cases = [option.split(" · ")[0] for option in page.selectbox(key="w_case").options]
    assert [b.label for b in page.sidebar.button if b.key.startswith("turn-")] == [
        f"9 to {min(16, len(cases))}"
    ]
    page.button(key="turn-after").click().run()
    assert page.session_state["sel"].case == cases[8]
    assert listed(page) == cases[8:16]
    page.button(key="turn-before").click().run()
    assert listed(page) == cases[:8]


def test_a_filter_is_kept_when_stepping_and_shown_on_its_button(busi):
    page = open_page("review")
    page.session_state["sel"] = Selection(ds="busi", part="all", tags=("malignant",))
    page.run()
    page.button(key="b_next").click().run()
    assert page.session_state["sel"].tags == ("malignant",)
    assert all(name.startswith("malignant") for name in listed(page))


def test_the_list_stays_beside_a_case_without_stored_predictions(busi):
    shutil.rmtree(busi / "cache")
    page = open_page("review")
    assert not page.exception
    assert len(page.sidebar.get("image")) == len(listed(page)) > 1


def judge(page, reader: str = "AB", **answers: str):
    """Fill in the drawer that is open, and save."""
    page.text_input[0].set_value(reader)
    for model, answer in answers.items():
        name = next(
            k for k in (c.key for c in page.get("button_group")) if k and k.startswith(f"verdict-{model}-")
        )
        next(c for c in page.get("button_group") if c.key == name).set_value(answer)
    page.run()
    next(b for b in page.button if b.label == "Save").click()
    return page.run()


def drawer(page):
    next(b for b in page.button if b.label == "Verdict").click()
    return page.run()


def test_a_verdict_is_stored_and_counted_on_the_case(busi):
    page = open_page("review", ds="busi")
    assert "No verdict on this case yet." in said(page)
    judge(drawer(page), unet="minor", dcunet="reject")
    assert not page.exception
    (one,) = read_verdicts("busi")
    assert (one.reader, one.case, one.index) == ("AB", page.session_state["sel"].case, None)
    assert one.answers == {"busi-unet-0": "minor", "busi-dcunet-0": "reject"}
    assert set(one.runs) == {"busi-unet-0", "busi-multiresunet-0", "busi-dcunet-0"}
    assert "U-Net :blue-badge[:material/edit: 1 × minor edit]" in said(page)
    assert "DC-UNet :red-badge[:material/close: 1 × reject]" in said(page)
    assert not page.text_input  # the drawer has closed
    assert ":material/rate_review:**]" in said(page)  # its row of the list


def test_the_drawer_says_what_is_missing_and_stays_open(busi):
    page = judge(drawer(open_page("review", ds="busi")), reader=" ")
    assert "expected initials or a code" in said(page)
    page.text_input[0].set_value("AB").run()
    next(b for b in page.button if b.label == "Save").click()
    page.run()
    assert "Nothing was judged" in said(page)
    assert page.text_input
    assert read_verdicts("busi") == ()


def test_a_wrong_reference_is_a_verdict_of_its_own_and_the_reader_is_remembered(busi):
    page = drawer(open_page("review", ds="busi"))
    page.checkbox[0].check()
    page.text_area[0].set_value("outline too tight")
    judge(page)
    assert "reference called wrong by 1" in said(page)
    assert read_verdicts("busi")[0].note == "outline too tight"
    assert drawer(page).text_input[0].value == "AB"


def test_the_drawer_closes_with_its_case(busi):
    page = drawer(open_page("review", ds="busi"))
    assert page.text_input
    page.button(key="b_next").click().run()
    assert not page.text_input


def test_a_log_that_cannot_be_written_is_said_and_the_drawer_stays(busi):
    page = drawer(open_page("review", ds="busi"))
    (busi / "audit").write_text("a file where the folder should be")
    judge(page, unet="accept")
    assert "cannot be written" in said(page)
    assert page.text_input


def test_a_verdict_on_a_volume_is_about_the_slice_or_the_whole(ct):
    page = open_page("review", ds="lits", case="volume-202", k="14")
    judge(drawer(page), unet="accept")
    assert read_verdicts("lits")[0].index == 14
    drawer(page)
    next(c for c in page.get("button_group") if c.label == "About").set_value("case")
    judge(page, unet="major")
    assert [one.index for one in read_verdicts("lits")] == [14, None]
    assert (
        "U-Net :green-badge[:material/check: 1 × accept] :orange-badge[:material/edit_note: 1 × major"
        in said(page)
    )


def test_the_numbers_have_a_row_per_network_and_undefined_cells_are_empty_with_a_reason(busi):
    tumour = on_screen("busi", "benign-12")
    rows = exports.number_rows(tumour)
    assert [row["run"] for row in rows] == ["busi-unet-0", "busi-multiresunet-0", "busi-dcunet-0"]
    own = rows[0]
    assert own["dice"] == pytest.approx(2 * own["tp_px"] / (own["reference_px"] + own["predicted_px"]))
    assert own["pixel_mm2"] is None
    text = exports.csv_text(exports.number_rows(on_screen("busi", "normal-5")))
    cells = next(csv.DictReader(io.StringIO(text)))
    assert (cells["reference_px"], cells["dice"]) == ("0", "")
    assert "dice: " in cells["why_undefined"]


def test_every_column_of_the_numbers_is_defined(busi):
    shown = on_screen("busi", "benign-12")
    told = json.loads(exports.definitions(shown))
    plain = {"dataset", "case", "slice", "run", "weights_sha256", "class", "why_undefined"}
    assert set(exports.number_rows(shown)[0]) - plain == set(told["columns"])
    assert told["data_sha256"] == cached.card_json("busi")["sha256"]
    assert told["runs"]["busi-unet-0"]["weights_sha256"] == "04" * 32
    assert "Not a medical device" in told["notice"]


def test_a_mask_has_the_pictures_size_and_says_what_made_it(busi):
    shown = on_screen("busi", "benign-12")
    file = Image.open(io.BytesIO(exports.mask(shown, shown.readings[0])))
    assert (np.array(file) == 255 * shown.readings[0].labels).all()
    assert "busi benign-12: mask of busi-unet-0 · 04040404" in file.text["Description"]


def test_the_link_names_dataset_case_networks_and_training(busi):
    shown = on_screen("busi", "benign-12")
    assert exports.address(shown) == [
        ("ds", "busi"),
        ("case", "benign-12"),
        ("m", "unet"),
        ("m", "multiresunet"),
        ("m", "dcunet"),
        ("set", "busi-0"),
    ]


def test_a_taken_export_is_a_line_of_the_audit_log_without_paths(busi):
    shown = on_screen("busi", "benign-12")
    exports.note(shown, "5e55", "Numbers (CSV)")
    text = next((busi / "audit").glob("*.jsonl")).read_text()
    assert json.loads(text)["kind"] == "Numbers (CSV)"
    assert str(busi) not in text


def test_the_report_of_a_picture_holds_outlines_numbers_maps_and_cards(busi):
    listed_case = open_page("review", ds="busi").session_state["sel"].case  # its maps are stored
    text = case_report.report(on_screen("busi", listed_case)).decode()
    for heading in (
        "What the networks drew",
        "Heatmaps: tumour",
        "Cards",
        "Dice",
        "one scale for all networks",
    ):
        assert heading in text
    assert text.count("data:image/png") == 4 + 3 + 1
    assert text.count("busi-unet-0") >= 1
    assert "do not redistribute" not in text
    assert len(text) < 5_000_000


def test_a_report_says_what_is_not_stored_and_why_a_network_is_missing(busi):
    shutil.rmtree(busi / "cache" / "heatmaps")
    shutil.rmtree(busi / "runs" / "busi-dcunet-0")
    text = case_report.report(on_screen("busi")).decode()
    assert text.count("Not computed for this picture.") == 2
    assert "No trained network. Run: python -m core train busi dcunet" in text


def test_the_report_of_a_volume_is_about_the_slice_and_forbids_redistribution(ct):
    text = case_report.report(on_screen("lits", "volume-202", 14)).decode()
    assert "volume-202 · slice 14" in text
    assert "width 150, level 30 HU" in text
    assert "Heatmaps: liver" in text
    assert "mm²" in text
    assert text.count("do not redistribute") == 2  # above and below


def test_a_report_and_the_list_of_verdicts_carry_hostile_notes_as_text(busi):
    page = drawer(open_page("review", ds="busi"))
    page.text_area[0].set_value("<script>alert(1)</script>")
    judge(page, unet="accept")
    text = case_report.report(on_screen("busi", page.session_state["sel"].case)).decode()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert exports.verdict_log("busi").count("<script>") == 3


def test_a_flag_over_a_case_leads_to_its_explanation(busi):
    index = busi / "data" / "busi" / "index.csv"
    head, first, *others = index.read_text().splitlines(keepends=True)
    case_, number, group, tag, _, *rest = first.split(",")
    changed = ",".join([case_, number, group, tag, "burned-in-marks near-duplicate", *rest])
    index.write_text("".join([head, changed, *others]))
    flagged = next(entry for entry in list_slices("busi") if entry.case == case_)
    page = open_page("review", ds="busi", case=case_)
    (line,) = [element.value for element in page.markdown if "weights: " in element.value]
    assert line.count(f"]({words.FLAGS_LINK})") == len(flagged.flags) == 2
    name, _, query = words.FLAGS_LINK.partition("?")
    about = open_page(name, **dict(parse_qsl(query)))
    assert about.subheader[0].value == "Flags of a case"
    assert words.flag(flagged.flags[0]) in said(about)
    plain_about = open_page(name)
    assert [header.value for header in plain_about.subheader].count("Flags of a case") == 1
    assert plain_about.subheader[0].value == "Known limits"
