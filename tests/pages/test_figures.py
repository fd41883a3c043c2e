"""Charts: what is drawn, and that no name can smuggle a link into them."""

from __future__ import annotations

import math

from pages.parts import figures
from pages.parts.panels import STYLES

ROWS = [{"epoch": float(e), "loss": 1 / e, "val_dice": math.nan if e == 1 else e / 10} for e in (1, 2, 3)]


def test_a_curve_has_the_networks_colour_and_a_marker_at_the_kept_epoch():
    curve = figures.curves({"unet": ROWS}, "loss", {"unet": 2}).data[0]
    assert curve.line.color == STYLES["unet"].colour
    assert [size > 0 for size in curve.marker.size] == [False, True, False]


def test_an_epoch_without_a_value_is_left_out_of_the_curve():
    assert list(figures.curves({"unet": ROWS}, "val_dice", {}).data[0].x) == [2, 3]


def test_colour_is_never_the_only_cue():
    drawn = figures.curves(dict.fromkeys(("unet", "multiresunet", "dcunet"), ROWS), "loss", {}).data
    assert len({curve.line.dash for curve in drawn}) == 3
    assert len({curve.marker.symbol for curve in drawn}) == 3


def test_a_case_name_with_a_link_stays_text():
    box = figures.spread({"unet": {"<a href='http://x'>": 0.5}}, "Dice").data[0]
    assert "<a" not in box.text[0]


def test_a_mean_without_an_interval_is_a_point_alone():
    drawn = figures.intervals(
        [("unet", "U-Net", 0.5, math.nan, math.nan), ("dcunet", "DC", 0.5, 0.4, 0.7)], "Dice"
    )
    assert [bar.error_x.visible for bar in drawn.data] == [False, True]
    assert math.isclose(drawn.data[1].error_x.array[0], 0.2)


DOTS = [figures.Dot("<a> one", 0.2, 0.1, 0.4), figures.Dot("two", -0.1, math.nan, math.nan, muted=True)]


def test_dots_without_an_interval_have_bars_of_no_length_and_grey_means_not_counted():
    drawn = figures.dots([("unet", "minus <b>", DOTS), ("dcunet", "DC", DOTS[:1])], "T", "x", zero=True)
    counted, muted = drawn.data[:2]
    assert list(counted.x) == [0.2]
    assert math.isclose(counted.error_x.array[0], 0.2)
    assert math.isclose(counted.error_x.arrayminus[0], 0.1)
    assert counted.marker.color == STYLES["unet"].colour
    assert muted.marker.color == figures.MUTED
    assert list(muted.error_x.array) == [0]
    assert len(drawn.layout.shapes) == 2  # the line of no difference, in either column
    assert "<a>" not in counted.y[0]
    assert "<b>" not in drawn.layout.annotations[0].text


def test_the_columns_of_dots_share_rows_and_scale():
    layout = figures.dots([("unet", "U", DOTS), ("dcunet", "DC", DOTS)], "T", "x").layout
    assert layout.xaxis2.matches == "x"
    assert layout.yaxis2.matches == "y"
    assert len(layout.shapes) == 0


def test_a_cascade_is_drawn_with_the_level_of_two_different_cases():
    drawn = figures.cascade([("unet", "U-Net", DOTS, 0.5)], "T").data
    assert list(drawn[0].y) == [0.2, -0.1]
    assert list(drawn[1].y) == [0.5, 0.5]
    assert drawn[1].line.color == figures.MUTED


POINTS = [
    {"low": 0.0, "high": 0.5, "pixels": 3, "probability": 0.2, "observed": 0.4},
    {"low": 0.5, "high": 1.0, "pixels": 0, "probability": None, "observed": None},
]


def test_a_reliability_curve_leaves_empty_bins_out_and_counts_them_below():
    exact, curve, bars = figures.reliability([("unet", "<b>U", POINTS)], "T").data
    assert (list(exact.x), list(exact.y)) == ([0, 1], [0, 1])
    assert (list(curve.x), list(curve.y), list(curve.customdata)) == ([0.2], [0.4], [3])
    assert (list(bars.x), list(bars.y), bars.yaxis) == ([0.25, 0.75], [3, 0], "y2")
    assert curve.line.color == bars.marker.color == STYLES["unet"].colour
    assert "<b>" not in curve.name


def test_ranks_are_bars_of_shares_in_colours_and_patterns():
    drawn = figures.ranks([("unet", "U", [0.2, 0.8]), ("dcunet", "DC", [0.8, 0.2])], "T").data
    assert (list(drawn[0].x), list(drawn[0].y)) == (["Rank 1", "Rank 2"], [0.2, 0.8])
    assert drawn[0].marker.pattern.shape != drawn[1].marker.pattern.shape
    assert list(drawn[1].text) == ["0.80", "0.20"]
