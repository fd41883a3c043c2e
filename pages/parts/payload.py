"""One case of the viewer as bytes: what every panel shows, checked and packed. A picture is a stack of one.

A block is a u32 little-endian length, a JSON header with sorted keys, then gzip parts. The same input gives the
same bytes (gzip without its time stamp), so that Streamlit sends a rerun as a reference of 76 bytes. The parts of
a volume travel in feeds of their own, named by their content: what did not change is not sent again.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from core import NOTICE
from pages.parts import cached
from pages.parts.panels import (
    CLASS_COLOURS,
    COLOUR_MAPS,
    ERROR_COLOURS,
    SIGNED_MAP,
    STYLES,
    UNDRAWN,
    VOTE_COLOURS,
    HeatLayer,
    Panel,
    Stack,
    require,
)

FORMAT = 3
LARGEST = 8_000_000  # bytes of one block; a 1000 x 800 picture with three networks takes about 0.8 MB
LARGEST_CASE = 24_000_000  # bytes of all blocks of a case
CHUNK = 7_900_000  # raw bytes of pictures in one part: it fits into a block even if it does not get smaller
MODES = ("outline", "fill", "error", "probability", "votes", "heatmap")
PEAK = 32767  # heatmap values travel as int16 of value / largest magnitude


class TooLarge(ValueError):
    """A case with more bytes than are sent; a coarser grid may do."""


@dataclass(frozen=True)
class Packed:
    """One case: the block of the view, and those of its feeds (none for a single picture)."""

    view: bytes
    feeds: tuple[bytes, ...]


def pack(
    picture: np.ndarray,
    panels: Sequence[Panel],
    *,
    token: str,
    stack: Stack | None = None,
    mode: str = "outline",
    columns: int | None = None,
    orientation: bool = False,
    reference: np.ndarray | None = None,
    colour_map: str = "cividis",
    signed: bool = False,
    caption: str = "",
    classes: Sequence[str] = ("tumour",),
    outlines_only: bool = False,
    asks: str = "",
    compress: Callable[[str, bytes], bytes] = cached.compressed,
) -> Packed:
    """One case as bytes.

    picture      (H, W) uint8, or (n, H, W) uint8 or int16 (HU) with ``stack``; label maps are on the same grid
    stack        which slices these are, and the windows of a CT
    columns      fixes the grid of panels; default: one row from 1100 px, 2 x 2 below, one column below 520
    orientation  whether the letters R L A P are drawn (never on ultrasound)
    reference    labels drawn on the other panels too; default those of the reference panel
    signed       heatmaps with both signs, blue to orange, instead of the positive part in ``colour_map``
    caption      the case in words, printed on exported pictures; default the token
    classes      names of the label values from 1 up
    asks         whether a marked place can be asked about: "", by "button", or by every "click"
    outlines_only  for a blinded study: no other mode, no saving, nothing in the address
    compress     gzip of the content of a part, by its checksum; default: kept for all sessions

    Equal arrays travel once. ValueError names the argument that does not fit; TooLarge: more bytes than are sent.
    """
    known_dtype = picture.dtype in (np.uint8, np.int16)
    require(picture.ndim in (2, 3) and picture.size > 0, "picture", "(H, W) or (n, H, W)", picture.shape)
    require(known_dtype, "picture", "uint8 or int16", picture.dtype)
    require(0 < len(panels) <= 24, "panels", "1 to 24 panels", len(panels))
    require(bool(token), "token", "a name of the case", "nothing")
    require(mode in MODES, "mode", f"one of {MODES}", mode)
    require(colour_map in COLOUR_MAPS, "colour_map", f"one of {tuple(COLOUR_MAPS)}", colour_map)
    require(columns is None or 1 <= columns <= 8, "columns", "1 to 8 or None", columns)
    if reference is None:
        reference = next((panel.labels for panel in panels if panel.is_reference), None)
    for panel in panels:
        require(panel.mode in ("", *MODES), "mode", f"empty or one of {MODES}", panel.mode)
    for labels in (reference, *(panel.labels for panel in panels)):
        fits = labels is None or (labels.shape == picture.shape and labels.max() <= len(classes))
        require(fits, "labels", f"{picture.shape} with values 0..{len(classes)}", "another shape or value")
    pictures = picture if picture.ndim == 3 else picture[None]
    slices = stack or Stack(indices=tuple(range(len(pictures))), source=pictures.shape[1:])
    require(
        len(slices.indices) == len(pictures), "stack", f"{len(pictures)} slice numbers", len(slices.indices)
    )
    parts = _Parts(compress, feeding=len(pictures) > 1)
    area = 1.0 if slices.spacing_mm is None else slices.spacing_mm[0] * slices.spacing_mm[1]
    header = {
        "format": FORMAT,
        "token": token,
        "caption": caption or token,
        "notice": NOTICE,
        "mode": mode,
        "columns": columns or 0,
        "asks": asks,
        "orientation": orientation,
        "classes": [{"name": name, "colour": CLASS_COLOURS.get(name, "#009E73")} for name in classes],
        "outlines_only": outlines_only,
        "errors": {} if outlines_only else dict(ERROR_COLOURS),
        "votes": list(VOTE_COLOURS),
        "map": {
            "name": "blue to orange" if signed else colour_map,
            "signed": signed,
            "stops": (SIGNED_MAP if signed else COLOUR_MAPS[colour_map]).split(),
        },
        "reference_style": {"colour": STYLES["reference"].colour, "dash": list(STYLES["reference"].dash)},
        "slices": _slices_header(slices),
        "picture": [parts.add("image", chunk, "pictures") for chunk in _chunks(pictures)],
        "reference": parts.add("labels", _stacked(reference), "pictures"),
        "disagreement": parts.add("series", _disagreement(panels, slices, len(classes), area)),
        "panels": [_panel_header(panel, parts, (len(classes), len(pictures)), area) for panel in panels],
        "has_heat": slices.heat_slice is not None or any(panel.heat is not None for panel in panels),
        "parts": parts.headers,
    }
    view = _block(header, parts.inline)
    feeds = tuple(_block({"parts": heads}, blocks) for heads, blocks in parts.feeds.values())
    sizes = [len(block) for block in (view, *feeds)]
    if max(sizes) > LARGEST:
        raise TooLarge(f"picture: expected at most {LARGEST} bytes in one block, got {max(sizes)}")
    if sum(sizes) > LARGEST_CASE:
        raise TooLarge(f"picture: expected at most {LARGEST_CASE} bytes in all, got {sum(sizes)}")
    return Packed(view, feeds)


def areas(labels: np.ndarray, n_classes: int, area: float) -> np.ndarray:
    """Area per class and slice of labels (n, H, W): (classes, n) float32; liver = label >= 1, tumour = 2."""
    found = [(labels >= value).sum(axis=(1, 2)) * area for value in range(1, n_classes + 1)]
    return np.array(found, dtype="<f4")


def _disagreement(panels: Sequence[Panel], slices: Stack, n_classes: int, area: float) -> np.ndarray | None:
    """The disagreement that is given, and where there is none (below 0) the one that is counted."""
    counted = _counted_disagreement(panels, n_classes, area)
    if slices.disagreement is None:
        return counted
    given = _series(slices.disagreement, (n_classes, len(slices.indices)))
    return given if counted is None else np.where(given < 0, counted, given)


def _counted_disagreement(panels: Sequence[Panel], n_classes: int, area: float) -> np.ndarray | None:
    """Area of (union - intersection) of the networks' masks, (classes, n) float32; None below two of each."""
    drawn = {id(p.labels): _stacked(p.labels) for p in panels if p.labels is not None and not p.is_reference}
    if len(drawn) < 2 or any(len(labels) < 2 for labels in drawn.values()):
        return None
    masks = np.stack(list(drawn.values()))
    apart = [
        ((masks >= value).any(0) & ~(masks >= value).all(0)).sum(axis=(1, 2)) * area
        for value in range(1, n_classes + 1)
    ]
    return np.array(apart, dtype="<f4")


def _series(given: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    require(given.shape == shape, "areas", f"(classes, slices) = {shape}", given.shape)
    return given.astype("<f4")


class _Parts:
    """Arrays on their way into blocks; an array that is already there is not added again."""

    def __init__(self, compress: Callable[[str, bytes], bytes], *, feeding: bool) -> None:
        self.compress, self.feeding = compress, feeding
        self.headers: list[dict[str, Any]] = []
        self.inline: list[bytes] = []
        self.feeds: dict[str, tuple[list[dict[str, Any]], list[bytes]]] = {}
        self._known: dict[str, int] = {}

    def add(self, kind: str, array: np.ndarray | None, feed: str = "") -> int:
        """The part's position, -1 for None. With a feed's name it travels in that feed if the case has feeds."""
        if array is None:
            return -1
        raw = np.ascontiguousarray(array)
        dtype = {"|u1": "uint8", "<i2": "int16", "<f4": "float32"}[raw.dtype.str]
        if kind == "image" and dtype == "int16":  # low bytes, then high bytes: 16 % smaller
            raw = raw.view(np.uint8).reshape(-1, 2).T
        content = raw.tobytes()
        facts = {"kind": kind, "dtype": dtype, "shape": list(array.shape)}
        name = sha256(json.dumps(facts, sort_keys=True).encode() + content).hexdigest()
        if name not in self._known:
            block = self.compress(name, content)
            self._known[name] = len(self.headers)
            place = {"hash": name[:32], "length": len(block)}
            if self.feeding and feed:
                heads, blocks = self._open_feed(feed, len(block))
                heads.append(place | {"offset": sum(map(len, blocks))})
                blocks.append(block)
                self.headers.append(facts | place | {"offset": -1})
            else:
                self.headers.append(facts | place | {"offset": sum(map(len, self.inline))})
                self.inline.append(block)
        return self._known[name]

    def _open_feed(self, feed: str, length: int) -> tuple[list[dict[str, Any]], list[bytes]]:
        heads, blocks = self.feeds.setdefault(feed, ([], []))
        if sum(map(len, blocks)) + length > LARGEST - 10_000 and blocks:  # room for the header
            return self._open_feed(f"{feed}+", length)
        return heads, blocks


def _block(header: Mapping[str, Any], blocks: Sequence[bytes]) -> bytes:
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    return struct.pack("<I", len(text)) + text + b"".join(blocks)


def _stacked(array: np.ndarray | None) -> np.ndarray | None:
    return array if array is None or array.ndim == 3 else array[None]


def _chunks(pictures: np.ndarray) -> list[np.ndarray]:
    step = max(1, CHUNK // pictures[0].nbytes)
    return [pictures[at : at + step] for at in range(0, len(pictures), step)]


def _slices_header(stack: Stack) -> dict[str, Any]:
    return {
        "indices": list(stack.indices),
        "positions": [round(float(mm), 2) for mm in stack.positions_mm],
        "total": stack.total or stack.indices[-1] + 1,
        "start": stack.start,
        "spacing": list(stack.spacing_mm or ()),
        "source": list(stack.source),
        "heat": -1 if stack.heat_slice is None else stack.heat_slice,
        "mm_note": stack.mm_note,
        "windows": [{"name": name, "width": width, "level": level} for name, width, level in stack.windows],
    }


def _panel_header(panel: Panel, parts: _Parts, shape: tuple[int, int], area: float) -> dict[str, Any]:
    feed, (n_classes, n) = panel.network or panel.title, shape
    labels = _stacked(panel.labels)
    series = None if labels is None or n == 1 else areas(labels, n_classes, area)
    if panel.areas is not None:
        series = _series(panel.areas, shape)
    return {
        "title": panel.title,
        "subtitle": panel.subtitle,
        "run": panel.run,
        "notes": list(panel.notes),
        "network": panel.network or panel.title,
        "colour": panel.colour,
        "dash": list(panel.dash),
        "message": panel.message,
        "mode": panel.mode,
        "summary": panel.summary,
        "is_reference": panel.is_reference,
        "labels": parts.add("labels", labels, feed),
        "areas": parts.add("series", series),
        "probability": _probability_parts(panel.probability, n_classes, parts, feed),
        "heat": None if panel.heat is None else _heat_header(panel.heat, parts),
    }


def _probability_parts(given: np.ndarray | None, n_classes: int, parts: _Parts, feed: str) -> list[int]:
    """One part per class, -1 where there is none; (h, w) and (n, h, w) are of the last class."""
    if given is None:
        return [-1] * n_classes
    each = given if given.ndim == 4 else np.asarray(_stacked(given))[None]
    each = each if each.dtype == np.uint8 else np.rint(each.astype(np.float64) * 255).astype(np.uint8)
    return [-1] * (n_classes - len(each)) + [parts.add("probability", one, feed) for one in each]


def _heat_header(heat: HeatLayer, parts: _Parts) -> dict[str, Any]:
    peak = float(np.abs(heat.values).max())
    steps = (
        np.zeros(heat.values.shape) if peak == 0 else np.rint(heat.values.astype(np.float64) / peak * PEAK)
    )
    return {
        "part": parts.add("heat", steps.astype("<i2")),
        "peak": peak,
        "limit": float(heat.limit),
        "label": heat.label,
        "words": heat.words,
        "drawn": heat.state not in UNDRAWN,
        "redundant": heat.redundant,
        "stamp": heat.stamp,
    }
