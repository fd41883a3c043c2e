"""Review in a real browser: the list, links that open exactly what was on screen, verdicts, a report offline."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.pages import small, small_volumes

PICTURES = ".viewer canvas[role=img]"
CASE = "benign-12"  # of the test part, with everything stored


@pytest.fixture(scope="module")
def artifacts_folder(tmp_path_factory) -> Path:
    """Pictures with stored answers and volumes without, in a folder of these tests' own."""
    folder = tmp_path_factory.mktemp("review") / "artifacts"
    shutil.copytree(small.phantoms_and_real(), folder)
    for part in ("data", "runs"):
        shutil.copytree(small_volumes.prepared() / part, folder / part, dirs_exist_ok=True)
    return folder


@pytest.fixture
def visit(serve, open_page, artifacts_folder):
    """A function that opens Review at an address and waits for the pictures."""

    def opened(query: str = "", **options):
        address = serve(small.ROOT / "app.py", TRIPTYCH_ARTIFACTS=str(artifacts_folder))
        page = open_page(query if query.startswith("http") else f"{address}/{query}", **options)
        ready(page)
        return page

    return opened


def ready(page) -> None:
    page.wait_for_selector(PICTURES)
    page.wait_for_timeout(900)


def link(page) -> str:
    """The link that the export button offers."""
    page.get_by_role("button", name="Export").click()
    page.locator("input[readonly]").wait_for()
    found = page.locator("input[readonly]").input_value()
    page.keyboard.press("Escape")
    page.locator("input[readonly]").wait_for(state="hidden")
    return found


def asked(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


def pressed(page, name: str) -> str:
    return page.locator(".viewer").get_by_role("button", name=name).first.get_attribute("aria-pressed")


def press(page, key: str) -> None:
    page.locator(PICTURES).nth(1).focus()
    page.keyboard.press(key)
    page.wait_for_timeout(700)


def test_a_link_to_a_picture_opens_its_case_networks_mode_and_grey_scale(visit):
    page = visit(f"?ds=busi&case={CASE}&m=unet&m=dcunet")
    press(page, "f")
    press(page, "2")
    address = link(page)
    assert asked(address) == {
        "ds": ["busi"], "case": [CASE], "m": ["unet", "dcunet"], "set": ["busi-0"], "view": ["fill"], "win": ["2"],
    }  # fmt: skip
    other = visit(address)
    assert other.locator(PICTURES).count() == 3
    assert pressed(other, "Fill") == "true"
    assert (
        other.locator(".viewer select").first.input_value()
        == page.locator(".viewer select").first.input_value()
    )
    assert other.get_by_text(CASE).count() >= 1
    assert asked(link(other)) == asked(address)


def test_a_link_to_a_volume_opens_its_slice_window_mode_and_class(visit):
    page = visit("?ds=lits&case=volume-202")
    for key in ("PageDown", "ArrowUp", "3", "b", "m"):
        press(page, key)
    address = link(page)
    told = asked(address)
    assert (told["ds"], told["case"], told["view"], told["win"]) == (
        ["lits"],
        ["volume-202"],
        ["prob"],
        ["3"],
    )
    assert told["cls"] != ["all"]
    other = visit(address)
    assert pressed(other, "Probability") == "true"
    assert asked(link(other)) == told
    said = f"Slice {told['k'][0]}"
    other.get_by_text(said, exact=True).first.wait_for()


def test_a_link_opens_the_same_place_and_the_row_of_heatmaps(visit):
    page = visit(f"?ds=busi&case={CASE}")
    page.get_by_text("Heatmap row").click()
    page.locator(PICTURES).nth(7).wait_for()
    page.wait_for_timeout(900)
    for key in ("+", "+", "]", "y", "Shift+ArrowRight"):
        press(page, key)
    told = asked(link(page))
    assert told["maps"] == ["on"]
    assert {"z", "x", "keys"} <= told.keys()
    other = visit(link(page))
    assert other.locator(PICTURES).count() == 8
    assert pressed(other, "Reference") == "false"
    assert asked(link(other)) == told


def test_what_was_chosen_for_one_case_is_in_the_link_of_the_next(visit):
    page = visit("?ds=busi&case=benign-12")
    press(page, "e")
    page.get_by_role("button", name="Next").click()
    page.wait_for_function("name => !location.search.includes(name)", arg=CASE)
    ready(page)
    told = asked(link(page))
    assert told["view"] == ["error"]
    assert told["case"] != [CASE]


def test_copy_link_puts_it_on_the_clipboard(visit):
    page = visit(f"?ds=busi&case={CASE}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("input[readonly]").input_value()


def test_the_list_shows_pictures_and_opens_cases_and_letters_in_a_note_do_not(visit):
    page = visit("?ds=busi")
    pictures = page.locator("[data-testid=stSidebar] img")
    pictures.first.wait_for()
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-testid=stSidebar] img')].every((i) => i.naturalWidth)"
    )
    assert pictures.count() > 1
    row = page.locator("[data-testid=stSidebar]").get_by_role("button").filter(has_text=" · 0.").first
    name = row.inner_text().split(" · ")[0]
    row.click()
    page.wait_for_url(f"**case={name}**")
    ready(page)
    page.get_by_role("button", name="Verdict").click()
    note = page.get_by_role("textbox", name="Note")
    note.click()
    note.press_sequentially("no pain, normal nipple")
    page.wait_for_timeout(800)
    assert f"case={name}" in page.url
    assert note.input_value() == "no pain, normal nipple"
    assert page.seen.errors == []


def save_verdict(page, reader: str, answer: str) -> None:
    page.get_by_role("button", name="Verdict").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("textbox", name="Reader").fill(reader)
    drawer.get_by_text(answer, exact=True).first.click()
    page.wait_for_timeout(500)
    drawer.get_by_role("button", name="Save").click()
    drawer.wait_for(state="hidden")


def test_verdicts_of_two_tabs_are_both_counted(visit):
    first, second = visit(f"?ds=busi&case={CASE}"), visit(f"?ds=busi&case={CASE}")
    save_verdict(first, "AB", "Accept")
    save_verdict(second, "CD", "Accept")
    second.get_by_text("2 × accept").wait_for()
    first.reload()
    first.get_by_text("2 × accept").wait_for()


def test_the_report_opens_without_a_network_and_prints(visit, chromium, tmp_path):
    page = visit(f"?ds=busi&case={CASE}")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Report of this case").click()
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)
    assert file.stat().st_size < 5_000_000
    context = chromium.new_context(offline=True)
    report = context.new_page()
    seen = []
    report.on("request", lambda request: request.url.startswith("data:") or seen.append(request.url))
    report.on("console", lambda line: seen.append(line.text))
    report.on("pageerror", lambda error: seen.append(str(error)))
    report.goto(file.as_uri())
    assert seen == [file.as_uri()]
    drawn = report.locator("img").evaluate_all("all => all.map((one) => one.naturalWidth)")
    assert len(drawn) == 4 + 3 + 1
    assert all(width > 100 for width in drawn)
    assert report.get_by_role("note").inner_text().startswith("Research and teaching use only.")
    for media, width in (("screen", 1024), ("print", 1040)):
        report.emulate_media(media=media)
        report.set_viewport_size({"width": width, "height": 720})
        assert report.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert report.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    context.close()
