"""The reader study's page: blinded, complete, resumable, and closed until it is locked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import streamlit.testing.v1.local_script_runner as runner

import core
from core import study_store
from pages.parts import study_owner, study_results_view, study_state, study_view
from tests.core.studies import answers
from tests.pages import small, small_volumes
from tests.pages.blinding import given_away, secrets, unpacked
from tests.pages.small import open_page, said
from tests.pages.test_viewer import unpack

DATASET = "phantom_busi"


@pytest.fixture
def phantoms(artifacts: Path) -> Path:
    """The phantoms with stored predictions; a copy that the test may damage."""
    return shutil.copytree(small.phantoms_only(), artifacts)


@pytest.fixture
def study(phantoms: Path) -> core.Study:
    """A study of three cases and a repeat that nobody has read."""
    return core.create_study(definition())


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every message that a page sends, as its bytes."""
    kept: list[bytes] = []
    parse = runner.parse_tree_from_messages

    def listening(messages):
        kept.extend(message.SerializeToString() for message in messages)
        return parse(messages)

    monkeypatch.setattr(runner, "parse_tree_from_messages", listening)
    return kept


def definition(**changes):
    runs = [f"{DATASET}-{model}-0" for model in small.MODELS]
    whole = {
        "id": "first", "title": "Which outline?", "dataset": DATASET, "runs": runs, "readers": ["ann", "bob"],
        "cases": {"number": 3, "tags": ["benign", "malignant"]},
    }  # fmt: skip
    return {**whole, **changes}


def button(page, label):
    return next(found for found in page.button if found.label.startswith(label))


def begin(page, code="ann"):
    page.text_input[0].input(code)
    return button(page, "Begin").click().run()


def rate(page, position, letters="ABC", **without):
    for letter in letters:
        for question, asked in core.STUDY_QUESTIONS.items():
            if question not in without.get(letter, ()):
                key = f"s-{position}-{letter}-{question}"
                page.segmented_control(key=key).set_value(next(iter(asked.answers)))
    return button(page, "Submit").click().run()


def owner(page):
    return page.segmented_control(key="study-side").set_value("run").run()


def payload(page):
    return page.get("bidi_component")[0].proto.bytes


def test_without_a_study_the_page_says_how_to_make_one(artifacts):
    page = open_page("reader_study")
    assert "Nobody has made a study yet" in said(page)
    assert "python -m core demo" in said(owner(page))
    assert not page.exception


def test_a_practice_study_takes_one_click_and_can_be_read(phantoms):
    page = owner(open_page("reader_study"))
    page.button(key=f"practice-{DATASET}").click().run()
    assert "reader-1, reader-2" in said(page)
    page.segmented_control(key="study-side").set_value("read").run()
    begin(page, "Reader-1 ")  # typed carelessly
    assert not page.exception
    assert [panel["title"] for panel in unpack(payload(page))[0]["panels"]] == [
        "Image", "Outline A", "Outline B", "Outline C",
    ]  # fmt: skip


def test_a_case_is_shown_without_scores_maps_or_a_way_to_save(study):
    header, _ = unpack(payload(begin(open_page("reader_study"))))
    assert header["outlines_only"] is True
    assert header["mode"] == "outline"
    assert header["errors"] == {}
    assert header["reference"] == -1
    assert not header["has_heat"]
    for panel in header["panels"]:
        assert (panel["run"], panel["summary"], panel["heat"], set(panel["probability"])) == (
            "",
            "",
            None,
            {-1},
        )


def test_the_letters_show_what_the_key_says(study):
    header, arrays = unpack(payload(begin(open_page("reader_study"))))
    names = core.study_outlines(study, "ann", 0)
    one = core.read_slice(DATASET, study.orders["ann"][0])
    for panel, name in zip(header["panels"][1:], names, strict=True):
        expected = core.predicted_labels(core.stored_prediction(name, one), one.picture.shape)
        assert (arrays[panel["labels"]][0] == expected).all()


def test_the_reference_is_sent_only_where_the_study_shows_it(phantoms):
    core.create_study(definition(show_reference=True))
    page = begin(open_page("reader_study"))
    header, _ = unpack(payload(page))
    assert header["reference"] >= 0
    assert header["panels"][0]["title"] == "Image + reference"
    assert [box.label for box in page.checkbox] == ["The reference is wrong"]


def test_nothing_that_is_sent_names_a_network_or_a_case(study, phantoms, sent):
    page = open_page("reader_study")
    owner(page)
    page.segmented_control(key="study-side").set_value("read").run()
    begin(page)
    rate(page, 0, B=("edit",))  # refused: an answer is missing
    rate(page, 0)
    shutil.rmtree(phantoms / "cache" / "predictions")
    page.run()
    assert "This case cannot be shown" in said(page)
    assert b"outline a" in unpacked(b"".join(sent))  # the search does see what is sent
    assert given_away(sent, secrets(phantoms, DATASET, study.cases)) == []


def test_the_links_of_the_page_carry_no_network_chosen_elsewhere(study, phantoms, sent):
    page = open_page("review", through_app=True, ds=DATASET, m=["unet"])
    assert given_away(sent, [b"m=unet"])
    sent.clear()
    page.query_params.clear()
    page.switch_page("pages/reader_study.py").run()
    assert "Your reader code" in [box.label for box in page.text_input]
    assert given_away(sent, secrets(phantoms, DATASET, study.cases)) == []


def test_every_question_must_be_answered_before_the_next_case_comes(study):
    page = begin(open_page("reader_study"))
    button(page, "Submit").click().run()
    assert "Please answer everything. Missing: Acceptable as it is (A)" in said(page)
    rate(page, 0, C=("ranking",))
    assert "Missing: Place (C)." in said(page)
    assert core.study_due(study, "ann") == 0
    rate(page, 0)
    assert core.study_due(study, "ann") == 1
    assert unpack(payload(page))[0]["token"] == "first/1"
    assert page.segmented_control(key="s-1-A-edit").value is None


def test_a_reader_who_comes_back_goes_on_at_the_first_open_case(study):
    page = begin(open_page("reader_study"))
    rate(page, 0)
    rate(page, 1)
    button(page, "Stop for now").click().run()
    page = begin(open_page("reader_study", study="first"))
    assert unpack(payload(page))[0]["token"] == "first/2"
    assert page.query_params["study"] in ("first", ["first"])


def test_a_second_window_of_the_same_reader_is_refused(study):
    begin(open_page("reader_study"))
    second = begin(open_page("reader_study"))
    assert "You are reading this study in another window" in said(second)
    assert not second.get("bidi_component")
    assert not begin(open_page("reader_study"), "bob").error


def test_a_window_that_lost_its_seat_is_told_and_can_try_again(study, monkeypatch):
    page = begin(open_page("reader_study"))
    now = study_store.clock()
    monkeypatch.setattr(study_store, "clock", lambda: now + study_store.SEAT_SECONDS + 1)
    study_store.sit_down(study, "ann", "another window")
    page.run()
    assert "You are reading this study in another window" in said(page)
    study_store.leave(study, "ann", "another window")
    button(page, "Try again").click().run()
    assert payload(page)


def test_an_unknown_reader_code_is_refused_in_words(study):
    page = begin(open_page("reader_study"), "eve")
    assert "This study does not know that reader code" in said(page)
    assert not page.exception


def test_a_reader_who_has_finished_is_thanked_and_sees_no_result(study):
    study_store.sit_down(study, "ann", "w")
    for position in range(len(study.orders["ann"])):
        study_store.submit(study, "ann", "w", position, answers(study))
    study_store.leave(study, "ann", "w")
    page = begin(open_page("reader_study"))
    assert "All 4 cases are rated. Thank you." in said(page)
    assert not page.table


def test_a_study_locked_meanwhile_takes_nothing_more(study):
    page = begin(open_page("reader_study"))
    core.lock_study(study, "stopped at once for this test")
    rate(page, 0)
    assert "This study is locked" in said(page)


def test_networks_trained_anew_stop_the_study_without_naming_them(study, phantoms, sent):
    path = phantoms / "runs" / f"{DATASET}-unet-0" / "run.json"
    path.write_text(path.read_text().replace("04" * 32, "99" * 32))
    assert "This case cannot be shown" in said(begin(open_page("reader_study")))
    assert given_away(sent, secrets(phantoms, DATASET)) == []


def test_the_owner_locks_with_a_reason_and_only_then_sees_names_results_and_files(study, phantoms, sent):
    page = begin(open_page("reader_study"))
    rate(page, 0)
    page = owner(open_page("reader_study"))
    assert "1 of 4" in said(page)
    button(page, "Lock the study").click().run()
    assert "have not finished" in said(page)
    assert given_away(sent, secrets(phantoms, DATASET, study.cases)) == []
    page.text_input[0].input("bob fell ill and cannot go on")
    button(page, "Lock the study").click().run()
    assert not page.exception
    assert "bob fell ill" in said(page)
    assert given_away(sent, secrets(phantoms, DATASET)) == []
    page.toggle(key="study-results-first").set_value(True).run()
    text = said(page)
    assert "MultiResUNet" in text
    assert "Fleiss' kappa" in text
    assert [found.label for found in page.download_button] == [
        "Ratings by letter (CSV)",
        "Key to the letters (CSV)",
    ]


def test_actions_are_on_record_without_the_networks(study):
    page = begin(open_page("reader_study"))
    rate(page, 0)
    lines = core.audit.read(study="first")
    assert [line["action"] for line in lines] == ["study_begun", "study_rated"]
    assert "unet" not in json.dumps(lines)


def test_a_form_makes_a_study(phantoms):
    page = owner(open_page("reader_study"))
    for label, text in (
        ("Short name", "by-form"),
        ("Title that readers see", "Made by form"),
        ("Reader codes, with commas between", "R1, r2"),
    ):
        next(box for box in page.text_input if box.label == label).input(text)
    next(box for box in page.number_input if box.label.startswith("Cases")).set_value(2)
    button(page, "Make the study").click().run()
    assert not page.exception
    made = core.read_study("by-form")
    assert made.readers == ("r1", "r2")
    assert len(made.cases) == 2


def test_a_form_that_does_not_fit_says_which_field(phantoms):
    page = owner(open_page("reader_study"))
    button(page, "Make the study").click().run()
    assert "field 'id': expected lower-case letters" in said(page)
    assert core.list_studies() == ()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"3"])
def test_a_file_that_is_no_definition_is_refused_in_words(content):
    with pytest.raises(core.StudyRefused, match="expected a JSON object"):
        core.create_study(study_owner._parsed(content))


def test_a_damaged_study_is_a_message(study, phantoms):
    (phantoms / "studies" / "first" / "study.json").write_text("{")
    page = open_page("reader_study")
    assert not page.exception
    assert "artifacts/studies/first/study.json cannot be read" in said(page)


def test_volumes_are_read_as_stacks_that_open_in_the_middle(artifacts, monkeypatch):
    import sys

    import core.explain
    from core import reading

    shutil.copytree(small_volumes.prepared(), artifacts)
    engine = small_volumes.stand_in()
    monkeypatch.setitem(sys.modules, "core.explain.engine", engine)
    monkeypatch.setattr(core.explain, "engine", engine, raising=False)
    slices = [core.read_slice("lits", e.case, e.index) for e in core.list_slices("lits")]
    runs = [f"lits-{model}-0" for model in small.MODELS]
    for run in runs:
        reading.predict_many(run, slices)
    cases = sorted({one.case for one in slices})[:2]
    core.create_study(definition(dataset="lits", runs=runs, cases=cases))
    page = begin(open_page("reader_study"))
    assert not page.exception
    block = payload(page)
    length = int.from_bytes(block[:4], "little")
    header = json.loads(block[4 : 4 + length])
    indices = header["slices"]["indices"]
    assert header["slices"]["start"] == indices[len(indices) // 2]
    assert [panel["title"] for panel in header["panels"]] == ["Image", "Outline A", "Outline B", "Outline C"]
    blocks = [found.proto.bytes for found in page.get("bidi_component")]
    assert given_away(blocks, secrets(artifacts, "lits", cases)) == []


def test_letters_have_colours_of_no_network():
    from pages.parts.panels import ERROR_COLOURS, STYLES

    taken = {style.colour for style in STYLES.values()} | set(ERROR_COLOURS.values())
    assert taken.isdisjoint(style.colour for style in study_view.LETTERS.values())


def test_the_time_of_a_case_goes_on_while_its_page_is_visible(monkeypatch):
    now = 100.0
    state = {"study_sign": ({"token": "first/0", "seconds": 8.5, "visible": True}, 90.0)}
    monkeypatch.setattr(study_state.st, "session_state", state)
    monkeypatch.setattr(study_state.time, "monotonic", lambda: now)
    assert study_state.seen_s("first/0") == 18.5
    assert study_state.seen_s("first/1") == 0
    state["study_sign"][0]["visible"] = False
    assert study_state.seen_s("first/0") == 8.5
    for strange in (None, "9", True, -1, float("nan"), 1e9):
        state["study_sign"][0]["seconds"] = strange
        assert study_state.seen_s("first/0") == 0


def test_the_two_files_are_harmless_csv_and_their_export_is_on_record(study):
    study_store.submit(study, "ann", "w", 0, answers(study))
    core.lock_study(study, "only the files are looked at here")
    key = study_results_view._file(study, "key")
    assert key.startswith("study,reader,position,case,letter,run,weights_sha256\n")
    assert len(key.splitlines()) == 1 + 2 * 4 * 3  # two readers, four positions, three letters
    ratings = study_results_view._file(study, "ratings")
    assert ratings.startswith(
        "study,reader,position,case,is_repeat,letter,acceptability,extent,edit,confidence,"
    )
    assert len(ratings.splitlines()) == 1 + 3
    assert [line["kind"] for line in core.audit.read("export")] == ["study key", "study ratings"]
