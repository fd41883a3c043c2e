"""Reports and their pictures: nothing is fetched, nothing runs, every text stays text, pixels by hand."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from core import report, report_pictures
from core.cards import NOTICE
from core.errors import DataRefused
from core.records import Prediction, Slice
from core.report import Figure, Section, Table, report_html
from core.report_pictures import Outline, Overlay

HOSTILE = "<script>alert(1)</script><img src=http://x/y onerror=alert(1)>\"'&"
DOT = report_pictures.png(np.zeros((2, 2), np.uint8))


def opened(content: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(content)))


class Reader(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, content: bytes):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(content.decode())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def hostile_report() -> bytes:
    section = Section(
        HOSTILE,
        [HOSTILE],
        [Figure(HOSTILE, DOT, HOSTILE), Figure(HOSTILE, None, HOSTILE)],
        (DOT, HOSTILE),
        [Table(HOSTILE, [HOSTILE], {HOSTILE: [HOSTILE]}), Table("", ["a"], {"b": ["c"]}, is_card=True)],
        [HOSTILE],
    )
    return report_html(HOSTILE, {HOSTILE: HOSTILE}, lambda side: [section], HOSTILE)


def test_every_text_stays_text():
    page = Reader(hostile_report())
    assert {tag for tag, _ in page.elements} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "dl", "dt", "dd", "section", "div",
        "figure", "b", "img", "figcaption", "table", "thead", "tbody", "tr", "th", "td", "footer",
    }  # fmt: skip
    assert not any(name.startswith("on") for _, given in page.elements for name in given)
    assert page.text.count(HOSTILE) == 17


def test_nothing_is_fetched_and_a_browser_is_told_so():
    page = Reader(hostile_report())
    sources = [
        value for _, given in page.elements for name, value in given.items() if name in ("src", "href")
    ]
    assert len(sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert b64decode(sources[0].partition(",")[2]) == DOT
    policy = next(given["content"] for _, given in page.elements if "http-equiv" in given)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert not re.search(r"url\(|@import", hostile_report().decode())


def test_the_notice_stands_above_and_below():
    assert Reader(hostile_report()).text.count(NOTICE) == 2


def test_pictures_get_smaller_until_the_report_is_small_enough(monkeypatch):
    monkeypatch.setattr(report, "LARGEST", 60_000)
    asked = []

    def sections(side):
        asked.append(side)
        return [Section("s", figures=[Figure("f", bytes(side * 120))])]

    assert len(report_html("t", {}, sections, "l")) <= 60_000
    assert asked == [480, 400, 320]
    monkeypatch.setattr(report, "LARGEST", 1000)
    with pytest.raises(DataRefused) as refused:
        report_html("t", {}, sections, "l")
    assert refused.value.code == "size"


def test_a_window_of_400_at_40_is_black_at_minus_160_and_white_at_240():
    picture = np.array([[-1000, -160, 40, 240, 3000]], np.int16)
    assert report_pictures.grey_levels(picture, (400, 40)).tolist() == [[0, 0, 128, 255, 255]]
    assert report_pictures.grey_levels(np.array([[7]], np.uint8)).tolist() == [[7]]


def test_a_picture_keeps_its_proportions_and_its_longer_side_is_as_asked():
    picture = np.full((50, 100), 90, np.uint8)
    drawn = opened(report_pictures.picture_png(picture, side=200))
    assert drawn.shape == (100, 200, 3)
    assert (drawn == 90).all()


def test_an_outline_runs_along_the_border_in_its_colour_with_a_black_casing():
    labels = np.zeros((40, 40), np.uint8)
    labels[10:30, 10:30] = 1
    drawn = opened(
        report_pictures.picture_png(np.full((40, 40), 90, np.uint8), [Outline(labels, "#E69F00")], 40)
    )
    row = [tuple(pixel) for pixel in drawn[20, 6:15].tolist()]
    grey, black, orange = (90, 90, 90), (0, 0, 0), (230, 159, 0)
    assert row == [grey, grey, black, orange, orange, orange, black, grey, grey]
    assert (drawn[20, 20] == 90).all()


def test_a_dashed_outline_has_gaps_of_casing_where_a_solid_one_has_colour():
    labels = np.zeros((60, 60), np.uint8)
    labels[20:40, 20:40] = 1
    picture = np.full((60, 60), 90, np.uint8)
    solid, dashed = (
        opened(report_pictures.picture_png(picture, [Outline(labels, "#FFFFFF", is_dashed)], 60))
        for is_dashed in (False, True)
    )
    on, off = (np.all(drawn == 255, axis=2) for drawn in (solid, dashed))
    assert 0.3 < off.sum() / on.sum() < 0.7
    assert (dashed[on & ~off] == 0).all()


def test_a_dash_has_the_length_of_line_and_gap_that_is_asked_for():
    labels = np.zeros((60, 60), np.uint8)
    labels[20:40, 20:40] = 1
    outline = Outline(labels, "#FFFFFF", is_dashed=True, dash=(6, 2))
    drawn = opened(report_pictures.picture_png(np.full((60, 60), 90, np.uint8), [outline], 60))
    side = np.all(drawn[20, 22:38] == 255, axis=1)  # the upper edge: row + column 42 to 57, modulo 8 below 6
    assert side.tolist() == [(20 + column) % 8 < 6 for column in range(22, 38)]


def test_the_last_class_is_drawn_thicker_than_the_one_around_it():
    labels = np.zeros((60, 60), np.uint8)
    labels[10:50, 10:50] = 1
    labels[25:35, 25:35] = 2
    drawn = opened(
        report_pictures.picture_png(np.full((60, 60), 90, np.uint8), [Outline(labels, "#FFFFFF")], 60)
    )
    row = np.all(drawn[30] == 255, axis=1)
    assert row[5:15].sum() == 1
    assert row[20:30].sum() == 3


def test_a_heatmap_is_clear_at_0_and_mostly_its_colour_at_the_limit():
    picture = np.full((8, 8), 100, np.uint8)
    stops = ("#000000", "#FF0000")
    for value, expected in (
        (0.0, (100, 100, 100)),
        (-3.0, (100, 100, 100)),
        (2.0, (232, 15, 15)),
        (9.0, (232, 15, 15)),
    ):
        overlay = Overlay(np.full((2, 2), value), 2.0, stops)
        drawn = opened(report_pictures.picture_png(picture, side=8, overlay=overlay))
        assert tuple(drawn[4, 4].tolist()) == expected


def test_a_colour_bar_runs_from_the_first_stop_to_the_last():
    bar = opened(report_pictures.colour_bar_png(("#00224E", "#FEE838")))
    assert bar.shape == (14, 240, 3)
    assert tuple(bar[0, 0]) == (0, 0x22, 0x4E)
    assert tuple(bar[-1, -1]) == (0xFE, 0xE8, 0x38)


def test_a_mask_keeps_its_size_and_carries_only_the_words_given():
    labels = np.zeros((3, 5), np.uint8)
    labels[1, 2] = 1
    file = Image.open(io.BytesIO(report_pictures.mask_png(labels, {"Description": "busi benign-1 · ü"})))
    assert np.array(file).tolist() == [[0] * 5, [0, 0, 255, 0, 0], [0] * 5]
    assert file.text == {"Description": "busi benign-1 · ü"}


def make_slice() -> Slice:
    image = np.full((128, 128, 1), 0.5, np.float32)
    return Slice("d", "c", 0, "g", "benign", np.zeros((60, 120), np.uint8), image, None)


def answer(rows: slice) -> Prediction:
    probability = np.zeros((128, 128, 1), np.float32)
    probability[rows, 32:96] = 0.9
    return Prediction("r", "d/c/0", probability)


def test_a_preview_is_yellow_where_networks_differ_and_white_round_what_all_mark():
    drawn = opened(
        report_pictures.preview_png(make_slice(), [answer(slice(20, 80)), answer(slice(40, 100))], 1)
    )
    assert drawn.shape == (48, 96, 3)
    assert tuple(drawn[10, 48]) == (201, 193, 88)  # rows 20 to 40 of 128: one network alone
    assert tuple(drawn[22, 48]) == (128, 128, 128)  # both
    assert tuple(drawn[15, 48]) == (255, 255, 255)  # the border of what both mark
    assert tuple(drawn[2, 2]) == (128, 128, 128)


def test_a_preview_without_predictions_is_the_picture_alone():
    drawn = opened(report_pictures.preview_png(make_slice(), [], 1))
    assert (drawn == 128).all()
