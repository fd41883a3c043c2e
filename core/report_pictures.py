"""Pictures of a case as PNG files, drawn without a screen: outlines, heatmaps, masks and small previews.

Colours are "#RRGGBB". Nothing but pixels and the words given here goes into a file: no text of a source is copied.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.records import Prediction, Slice

SMALL = 96  # longer side of a preview, in pixels: it is shown at half of that, for sharp screens
DASH = (5, 5)  # pixels of line, then of gap, in a dashed outline
DISPUTED = (
    240,
    228,
    66,
)  # where some networks mark and others do not: a colour of no network, class or error


@dataclass(frozen=True, eq=False)
class Outline:
    """An outline to draw: labels (H, W) uint8 on the picture's grid; label v stands for all values from v up.

    ``dash`` are the pixels of line and of gap of a dashed one.
    """

    labels: np.ndarray
    colour: str
    is_dashed: bool = False
    dash: tuple[int, int] = DASH


@dataclass(frozen=True, eq=False)
class Overlay:
    """A heatmap to draw: values (h, w), clear at 0 and of full colour at ``limit``; ``stops`` are its colours."""

    values: np.ndarray
    limit: float
    stops: Sequence[str]


def grey_levels(picture: np.ndarray, window: tuple[float, float] | None = None) -> np.ndarray:
    """A picture as (H, W) uint8: as it is, or HU through a window (width, level)."""
    if window is None:
        return picture.astype(np.uint8)
    width, level = window
    return np.rint(255 * np.clip((picture - level) / width + 0.5, 0, 1)).astype(np.uint8)


def picture_png(
    picture: np.ndarray, outlines: Sequence[Outline] = (), side: int = 480, overlay: Overlay | None = None
) -> bytes:
    """A grey picture (H, W) uint8 as PNG, its longer side ``side`` pixels, with overlay and outlines on it.

    Each outline has a black casing, so that it reads on any grey; labels below the last are drawn thin.
    """
    shape = fitted(picture.shape, side)
    canvas = np.repeat(_resized(picture, shape)[..., None], 3, axis=2).astype(np.float32)
    if overlay is not None and overlay.limit > 0:
        share = np.clip(_resized(overlay.values, shape) / overlay.limit, 0, 1)
        opacity = 0.85 * share[..., None]
        canvas = (1 - opacity) * canvas + opacity * coloured(share, overlay.stops)
    for outline in outlines:
        labels = _resized(outline.labels, shape, is_labels=True)
        top = int(labels.max())
        for value in range(1, top + 1):
            _draw_line(canvas, labels >= value, outline, is_thick=value == top)
    return png(np.rint(canvas).astype(np.uint8))


def _draw_line(canvas: np.ndarray, mask: np.ndarray, outline: Outline, *, is_thick: bool) -> None:
    inner = mask & ~_shrunk(mask)
    line = _grown(inner) & ~_shrunk(_shrunk(mask)) if is_thick else inner
    canvas[_grown(line)] = 0
    if outline.is_dashed:
        rows, columns = np.indices(line.shape)
        line = line & ((rows + columns) % sum(outline.dash) < outline.dash[0])
    canvas[line] = rgb(outline.colour)


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask with its four neighbours of every pixel."""
    wide = np.pad(mask, 1)
    beside = wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    return np.asarray(mask | beside)


def _shrunk(mask: np.ndarray) -> np.ndarray:
    return ~_grown(~mask)


def coloured(share: np.ndarray, stops: Sequence[str]) -> np.ndarray:
    """Shares 0..1 of any shape as colours (..., 3) float32, by evenly spaced stops."""
    colours = np.array([rgb(stop) for stop in stops], np.float32)
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(share, at, colours[:, k]) for k in range(3)], axis=-1).astype(np.float32)


def colour_bar_png(stops: Sequence[str], width: int = 240, height: int = 14) -> bytes:
    """The colours of a heatmap from 0 (left) to full colour (right) as PNG."""
    bar = coloured(np.linspace(0, 1, width), stops)
    return png(np.repeat(np.rint(bar).astype(np.uint8)[None], height, axis=0))


def preview_png(one: Slice, predictions: Sequence[Prediction], label: int) -> bytes:
    """A small PNG of what the networks saw: white round what all of them mark, yellow where they differ.

    ``label`` is the class drawn (with those above it). Longer side SMALL pixels, in the picture's own proportions.
    """
    shape = fitted(one.picture.shape, SMALL)
    canvas = np.repeat(255 * _resized(one.image[..., 0], shape)[..., None], 3, axis=2)
    if predictions:
        marked = [_marked(found.probability, label) for found in predictions]
        some = _resized(np.any(marked, axis=0).astype(np.uint8), shape, is_labels=True) > 0
        every = _resized(np.all(marked, axis=0).astype(np.uint8), shape, is_labels=True) > 0
        disputed = some & ~every
        canvas[disputed] = 0.35 * canvas[disputed] + 0.65 * np.array(DISPUTED)
        canvas[every & ~_shrunk(every)] = 255
    return png(np.rint(np.clip(canvas, 0, 255)).astype(np.uint8))


def _marked(probability: np.ndarray, label: int) -> np.ndarray:
    """Where a network marks ``label`` or a class above it, on the grid of its output."""
    if probability.shape[2] == 1:
        return np.asarray(probability[..., 0] > 0.5)
    return np.asarray(probability.argmax(axis=2) >= label)


def mask_png(labels: np.ndarray, said: Mapping[str, str]) -> bytes:
    """A mask (H, W) as PNG at its own size: 255 where it is not 0; ``said`` goes into the file's text fields."""
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    for name, text in said.items():
        texts.add_itxt(name, text)
    return png(np.where(labels != 0, 255, 0).astype(np.uint8), pnginfo=texts)


def png(pixels: np.ndarray, **more: Any) -> bytes:
    """Pixels (H, W) or (H, W, 3) uint8 as PNG; the same pixels give the same bytes."""
    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(pixels).save(
        held, "PNG", compress_level=3, **more
    )  # as small as 7 on speckle, 5 times faster
    return held.getvalue()


def fitted(shape: Sequence[int], side: int) -> tuple[int, int]:
    """``shape`` (rows, columns) scaled so that the longer of both is ``side``; never below one pixel."""
    scale = side / max(shape[:2])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def rgb(colour: str) -> tuple[int, int, int]:
    """ "#RRGGBB" as three numbers 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _resized(values: np.ndarray, shape: tuple[int, int], *, is_labels: bool = False) -> np.ndarray:
    """Another grid, half-pixel centres: labels take the nearest value, the rest is bilinear (means, going down)."""
    from PIL import Image

    way = Image.Resampling.NEAREST if is_labels else Image.Resampling.BILINEAR
    source = np.ascontiguousarray(values, np.uint8 if is_labels else np.float32)
    return np.asarray(Image.fromarray(source).resize((shape[1], shape[0]), way))
