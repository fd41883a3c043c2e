"""The viewer's geometry, run in the browser, against NumPy and the enlarging that the scores use."""

from pathlib import Path

import numpy as np
import pytest

from core.preprocess import enlarge

SHAPES = Path(__file__).parents[2] / "pages" / "parts" / "viewer_web" / "shapes.js"


@pytest.fixture(scope="module")
def shapes(chromium):
    """A blank page that holds the functions of shapes.js."""
    page = chromium.new_page()
    page.add_script_tag(content=SHAPES.read_text("utf-8"))
    yield page
    page.close()


def loops_of(page, mask):
    call = "([mask, width, height]) => traceLoops(mask, 1, 255, width, height)"
    loops = page.evaluate(call, [mask.astype(int).ravel().tolist(), mask.shape[1], mask.shape[0]])
    return [np.array(loop).reshape(-1, 2) for loop in loops]


def area(loop):
    """Signed area of a closed loop: positive round a region, negative round a hole (y downwards, clockwise)."""
    ahead = np.roll(loop, -1, axis=0)
    return float((loop[:, 0] * ahead[:, 1] - ahead[:, 0] * loop[:, 1]).sum() / 2)


def test_one_pixel_is_outlined_by_its_four_edges(shapes):
    mask = np.zeros((4, 5))
    mask[1, 2] = 1
    (loop,) = loops_of(shapes, mask)
    assert loop.tolist() == [[2, 1], [3, 1], [3, 2], [2, 2]]


def test_two_pixels_that_touch_at_a_corner_have_two_outlines(shapes):
    mask = np.eye(2)
    assert [area(loop) for loop in loops_of(shapes, mask)] == [1, 1]


def test_a_hole_has_an_outline_of_its_own(shapes):
    mask = np.ones((5, 5))
    mask[2, 2] = 0
    assert sorted(area(loop) for loop in loops_of(shapes, mask)) == [-1, 25]


@pytest.mark.parametrize("seed", range(3))
def test_outlines_enclose_every_pixel_and_follow_every_edge_once(shapes, seed):
    mask = np.random.default_rng(seed).random((17, 23)) < 0.5
    loops = loops_of(shapes, mask)
    assert sum(area(loop) for loop in loops) == mask.sum()
    framed = np.pad(mask, 1).astype(int)
    edges = np.abs(np.diff(framed, axis=0)).sum() + np.abs(np.diff(framed, axis=1)).sum()
    lengths = [np.abs(np.roll(loop, -1, axis=0) - loop).sum(axis=1) for loop in loops]
    assert sum(length.sum() for length in lengths) == edges
    assert all((np.roll(loop, -1, axis=0) == loop).any(axis=1).all() for loop in loops)  # no slanted step


def lines_of(page, values, level, extent):
    call = "([values, width, height, level, extent]) => levelLines(values, width, height, level, extent)"
    given = [values.ravel().tolist(), values.shape[1], values.shape[0], level, extent]
    return [np.array(line).reshape(-1, 2) for line in page.evaluate(call, given)]


def test_the_level_line_of_a_cone_is_a_circle(shapes):
    y, x = np.mgrid[:64, :64] + 0.5
    lines = lines_of(shapes, np.hypot(x - 32, y - 32), 20.0, {"width": 128, "height": 128})
    (line,) = lines
    np.testing.assert_allclose(np.hypot(*(line - 64).T), 40, atol=0.05)
    np.testing.assert_array_equal(line[0], line[-1])


def test_the_level_line_of_a_ramp_runs_straight_from_border_to_border(shapes):
    values = np.tile(np.arange(8.0), (6, 1))
    (line,) = lines_of(shapes, values, 2.25, {"width": 80, "height": 60})
    np.testing.assert_allclose(line[:, 0], 27.5)  # value 2.25 lies at centre 2.75 of 8
    assert {line[0, 1], line[-1, 1]} == {0, 60}


@pytest.mark.parametrize(
    ("level", "centres"), [(0.4, [(1.5, 0.5), (0.5, 1.5)]), (0.6, [(0.5, 0.5), (1.5, 1.5)])]
)
def test_a_saddle_is_joined_where_its_middle_is_high(shapes, level, centres):
    values = np.array([[1.0, 0.0], [0.0, 1.0]])
    lines = lines_of(shapes, values, level, {"width": 2, "height": 2})
    found = {centre for centre in centres for line in lines if (np.hypot(*(line - centre).T) < 0.7).all()}
    assert (len(lines), found) == (2, set(centres))  # round the low corners where joined, else round the high


@pytest.mark.parametrize(("small", "large"), [((8, 8), (60, 80)), ((7, 5), (23, 31)), ((1, 3), (4, 9))])
def test_enlarging_agrees_with_the_one_that_scores_use(shapes, small, large):
    values = np.random.default_rng(1).normal(size=small).astype(np.float32)
    call = """([values, width, height, w, h]) => [...enlarge({ values, width, height }, w, h).values]"""
    seen = shapes.evaluate(call, [values.ravel().tolist(), small[1], small[0], large[1], large[0]])
    np.testing.assert_allclose(np.reshape(seen, large), enlarge(values, large), atol=2e-6)
