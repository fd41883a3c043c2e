"""Every page as a visitor gets it: alone and through app.py, with everything, with something, with nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import small
from tests.pages.small import MODELS, ROOT, answer_for_the_networks, open_page, panels, said

NOTICE = "Research and teaching use only. Not a medical device. Not for diagnosis or treatment."
PAGES = ("review", "heatmaps", "scoreboard", "reader_study", "teach", "try_image", "runs", "about")
WORDING = (
    "As published. The paper does not state threshold, averaging, or how images without a lesion count. "
    "The printed IoU exceeds Dice, which is impossible for one class and one averaging. Best-fitting reading: "
    "`paper-binary`. This is our inference, not the authors' statement."
)
HOSTILE = "<img src=x onerror=alert(1)>"

every_page = pytest.mark.parametrize("name", PAGES)


@pytest.fixture
def phantoms(artifacts: Path) -> Path:
    """Artifacts with the phantoms alone; a copy that the test may damage."""
    return shutil.copytree(small.phantoms_only(), artifacts)


@pytest.fixture
def both(artifacts: Path) -> Path:
    """Artifacts with the phantoms and with a dataset that counts as real; a copy too."""
    return shutil.copytree(small.phantoms_and_real(), artifacts)


def first_normal(folder: Path, dataset: str) -> str:
    """A lesion-free case of the test part."""
    split = next((folder / "data" / dataset / "splits").glob("*-group.json"))
    cases = json.loads(split.read_text())["cases"]
    return next(case for case, row in cases.items() if row["part"] == "test" and case.startswith("normal"))


def one_of(folder: Path, dataset: str, part: str) -> str:
    """Some case of a part of the default split."""
    split = next((folder / "data" / dataset / "splits").glob("*-group.json"))
    return next(c for c, row in json.loads(split.read_text())["cases"].items() if row["part"] == part)


@every_page
@pytest.mark.parametrize("through_app", [False, True], ids=["alone", "through app.py"])
@pytest.mark.parametrize("there", ["both", "phantoms", "artifacts"])
def test_a_page_shows_the_notice_and_never_fails(name, through_app, there, request):
    request.getfixturevalue(there)  # "artifacts": nothing at all is prepared
    page = open_page(name, through_app=through_app)
    assert not page.exception
    assert NOTICE in said(page)
    assert "Traceback" not in said(page)


def test_with_nothing_prepared_review_names_the_two_commands():
    text = said(open_page("review"))
    assert "python -m core demo" in text
    assert "python -m core prepare busi --from FOLDER" in text


def test_with_nothing_evaluated_the_scoreboard_names_the_command():
    assert "python -m core evaluate phantom_busi" in said(open_page("scoreboard"))


def test_review_opens_on_the_real_test_case_with_the_largest_disagreement(both):
    rows = [line.split(",") for line in (both / "results/busi/cases.csv").read_text().splitlines()]
    at = rows[0].index("disagreement")
    largest = max(rows[1:], key=lambda row: float(row[at]))[0]
    page = open_page("review")
    assert page.session_state["sel"].ds == "busi"
    assert page.session_state["sel"].case == largest
    assert "test (unseen in training)" in said(page)


def test_with_phantoms_alone_review_shows_one_and_the_steps_to_real_images(phantoms):
    text = said(open_page("review"))
    assert "computer-drawn phantom" in text
    assert "python -m core prepare busi --from FOLDER" in text


def test_review_shows_the_reference_and_three_networks_with_their_findings(both):
    page = open_page("review")
    assert [panel["title"] for panel in panels(page)] == [
        "Image + reference",
        "U-Net",
        "MultiResUNet",
        "DC-UNet",
    ]
    assert said(page).count("of the tumour (") + said(page).count("covered the whole tumour") >= 3


def test_a_case_without_a_lesion_has_words_and_no_dice(both):
    text = said(open_page("review", ds="busi", case=first_normal(both, "busi")))
    assert "no lesion in reference" in text
    assert "nan" not in text.lower().split()


def test_a_network_that_was_never_trained_says_so_and_the_others_work(both):
    shutil.rmtree(both / "runs" / "busi-dcunet-0")
    page = open_page("review")
    messages = [panel["message"] for panel in panels(page)]
    assert messages[3] == "No trained network. Run: python -m core train busi dcunet"
    assert panels(page)[1]["labels"] >= 0


def test_weights_cut_short_are_rejected_in_their_panel_alone(both):
    weights = next((both / "runs" / "busi-unet-0").glob("*.h5"))
    weights.write_bytes(b"cut")
    page = open_page("review")
    assert panels(page)[1]["message"].startswith("Weights rejected: ")
    assert panels(page)[2]["labels"] >= 0
    assert "Weights rejected: " in said(open_page("about"))


def test_networks_of_different_splits_are_not_to_be_compared(both):
    path = both / "runs" / "busi-unet-0" / "run.json"
    told = json.loads(path.read_text())
    told["split"]["sha256"] = "ab" * 32
    path.write_text(json.dumps(told))
    assert "do not compare their scores" in said(open_page("review"))


@every_page
@pytest.mark.parametrize(
    "query",
    [
        {"ds": "nowhere", "case": "benign-1", "m": ["unet", "resnet"]},
        {"ds": HOSTILE, "case": HOSTILE, "m": [HOSTILE]},
        {"case": "../../etc/passwd"},
        {
            "ds": "busi",
            "case": "",
            "m": [],
            "set": "busi-99",
            "layer": "logits",
            "region": HOSTILE,
            "scale": "0",
        },
        {"ds": "busi", "case": "x" * 5000},
    ],
)
def test_an_address_that_leads_nowhere_is_left_out_and_nothing_fails(name, query, both):
    page = open_page(name, **query)
    assert not page.exception
    assert NOTICE in said(page)


def test_what_an_address_asked_for_in_vain_is_said_in_one_line(both):
    assert "Not found here and left out: dataset nowhere" in said(open_page("review", ds="nowhere"))


def test_an_address_opens_its_case_and_networks_even_outside_the_filter(both):
    case = one_of(both, "busi", "train")
    page = open_page("review", ds="busi", case=case, m=["unet", "dcunet"])
    assert page.session_state["sel"].case == case
    assert page.session_state["sel"].part == "all"
    assert [panel["title"] for panel in panels(page)[1:]] == ["U-Net", "DC-UNet"]
    assert "training (the networks have seen it)" in said(page)


def test_next_goes_to_the_case_with_the_next_smaller_disagreement_and_writes_the_address(both):
    page = open_page("review")
    second = page.selectbox(key="w_case").options[1].split(" · ")[0]
    page.button(key="b_next").click().run()
    assert page.session_state["sel"].case == second
    assert page.query_params["case"] in (second, [second])


def test_the_first_case_has_no_previous_and_the_last_no_next(both):
    page = open_page("review")
    assert page.button(key="b_previous").disabled
    last = page.selectbox(key="w_case").options[-1]
    page.selectbox(key="w_case").select(last).run()
    assert page.button(key="b_next").disabled


def test_changing_the_dataset_starts_at_its_own_first_case(both):
    page = open_page("review")
    page.selectbox(key="w_dataset").select("phantom_busi").run()
    assert not page.exception
    assert page.session_state["sel"].ds == "phantom_busi"
    assert page.query_params["ds"] in ("phantom_busi", ["phantom_busi"])


def test_a_filter_that_leaves_nothing_says_so_and_can_be_reset(both):
    page = open_page("review")
    page.session_state["sel"] = type(page.session_state["sel"])(ds="busi", tags=("benign",), flagged=True)
    page.run()
    assert "No case matches the filter" in said(page)
    next(button for button in page.button if button.label == "Reset filter").click().run()
    assert panels(page)


def test_a_case_that_is_not_stored_offers_to_compute_and_then_shows_the_result(both, monkeypatch):
    answer_for_the_networks(monkeypatch)
    page = open_page("review", ds="busi", case=one_of(both, "busi", "train"))
    assert panels(page)[1]["message"] == "Not computed for this case."
    button = next(b for b in page.button if b.label.startswith("Compute"))
    assert button.label == "Compute (loads TensorFlow, about 20 s the first time)"
    button.click().run()
    assert not page.exception
    assert all(panel["labels"] >= 0 for panel in panels(page)[1:])
    assert not [b for b in page.button if b.label.startswith("Compute")]


def test_a_network_refused_at_loading_says_so_and_the_others_are_computed(both, monkeypatch):
    from core import RunRefused

    engine = answer_for_the_networks(monkeypatch)
    answer = engine.predict

    def predict(run, layers, images):
        if run.model == "unet":
            raise RunRefused("weights of busi-unet-0: golden output differs")
        return answer(run, layers, images)

    monkeypatch.setattr(engine, "predict", predict)
    page = open_page("review", ds="busi", case=one_of(both, "busi", "train"))
    next(b for b in page.button if b.label.startswith("Compute")).click().run()
    page.run()
    assert panels(page)[1]["message"] == "Weights rejected: weights of busi-unet-0: golden output differs"
    assert panels(page)[2]["labels"] >= 0


def test_a_map_of_an_empty_prediction_is_words_and_not_a_picture(both):
    page = open_page("heatmaps", ds="busi", case=first_normal(both, "busi"))
    words = "Nothing to explain: U-Net predicts no tumour here."
    assert panels(page)[1]["heat"]["words"] == words
    assert panels(page)[1]["heat"]["drawn"] is False
    assert words in said(page)


def test_the_last_layer_is_labelled_as_repeating_the_prediction(both):
    page = open_page("heatmaps", layer="decoder_1")
    assert all(panel["heat"]["redundant"] for panel in panels(page)[1:])
    assert "Repeats the prediction" in said(page)
    assert "Decoder 1 · control" in said(page)


def test_the_three_networks_share_one_scale_until_their_own_is_asked_for(both):
    limits = {panel["heat"]["limit"] for panel in panels(open_page("heatmaps"))[1:]}
    assert len(limits) == 1
    page = open_page("heatmaps", scale="own")
    assert len({panel["heat"]["limit"] for panel in panels(page)[1:]}) == 3
    assert "own scale: colours cannot be compared" in panels(page)[1]["heat"]["label"]


def test_a_map_comes_with_the_outline_and_probability_it_explains(both):
    for panel in panels(open_page("heatmaps"))[1:]:
        assert panel["labels"] >= 0
        assert panel["probability"][-1] >= 0


def test_one_row_of_panels_for_each_layer_and_question(both):
    assert len(panels(open_page("heatmaps", layer=["bottleneck", "decoder_2"]))) == 2 * 4
    page = open_page("heatmaps", along="region", region=["predicted", "reference", "missed"])
    assert len(panels(page)) == 3 * 4


def test_evidence_that_is_not_stored_is_computed_on_request_and_kept(both, monkeypatch):
    answer_for_the_networks(monkeypatch)
    page = open_page("heatmaps", region="whole_image")
    assert panels(page)[1]["message"] == "Not computed for this case."
    next(b for b in page.button if b.label.startswith("Compute")).click().run()
    assert not page.exception
    assert panels(page)[1]["heat"]["label"].startswith("probability per cell")
    assert "Paper mode" in said(page)


def test_the_box_says_what_a_heatmap_is_not(both):
    text = said(open_page("heatmaps"))
    assert "no proof" in text
    assert "arXiv 2008.02766" in text


def test_the_scoreboard_prints_what_every_number_carries(both):
    text = said(open_page("scoreboard"))
    for part in ("tumour", "per case and pooled", "lesion-cases", "p > 0.5", "native grid", "n = ", "split "):
        assert part in text
    assert "single run" in text.lower()


def test_a_small_n_has_points_and_no_p(both):
    text = said(open_page("scoreboard"))
    assert "n < 5: points only" in text
    assert "no p: n = " in text


def test_the_papers_table_never_shares_a_table_with_our_numbers(both):
    page = open_page("scoreboard")
    with_published = [table.value for table in page.table if "0.51207" in table.value.to_string()]
    assert len(with_published) == 1
    assert list(with_published[0].columns) == ["UNet", "MultiResUNet", "DCUNet"]
    assert WORDING in said(page)


def test_scores_are_shown_where_the_pictures_are_not_with_the_command(both):
    shutil.rmtree(both / "data" / "busi")
    page = open_page("scoreboard", ds="busi")
    assert not page.exception
    assert "python -m core prepare busi --from FOLDER" in said(page)
    assert "DC-UNet, pooled" in said(page)


def test_scores_of_other_weights_are_marked_as_out_of_date(both):
    path = both / "runs" / "busi-unet-0" / "run.json"
    path.write_text(path.read_text().replace("04" * 32, "99" * 32))
    text = said(open_page("scoreboard", ds="busi"))
    assert "the network here has 99999999" in text
    assert "python -m core evaluate busi" in text


def test_damaged_results_are_a_message_and_review_still_works(both):
    (both / "results" / "busi" / "scores.csv").write_text("cut")
    page = open_page("scoreboard", ds="busi")
    assert not page.exception
    assert "This file was not read" in [error.proto.title for error in page.error]
    assert panels(open_page("review", ds="busi"))


def test_a_run_that_cannot_be_read_at_all_hides_no_page(both):
    (both / "runs" / "busi-unet-0" / "run.json").write_text("{")
    for name in PAGES:
        assert not open_page(name).exception


def test_about_has_a_card_for_each_dataset_and_network(both):
    text = said(open_page("about"))
    assert "Al-Dhabyani" in text
    assert text.count("not reported") >= len(MODELS)
    assert "outline, fill, error, probability, votes" in text
    assert "Multiple" not in text


def test_every_page_in_the_menu_is_in_app_py():
    from pages.parts.frame import MENU

    listed = re.findall(r'st\.Page\("(pages/\w+\.py)"', (ROOT / "app.py").read_text())
    assert listed == list(MENU)
    assert sorted(listed) == sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))


def test_no_page_loads_tensorflow_while_everything_shown_is_stored(both):
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.pages.small import open_page\n"
        f"for name in {PAGES}:\n"
        "    assert not open_page(name).exception\n"
        "print([m for m in ('tensorflow', 'keras', 'scipy.stats', 'sklearn') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr
