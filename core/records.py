"""The nouns of the project: frozen records, checked once when they are made.

Code downstream has no checks of its own. Arrays are set read-only. Those without arrays are in a file of
their own and named here too: all records are imported from here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from core.records_plain import PAPER_TARGET as PAPER_TARGET
from core.records_plain import REGIONS as REGIONS
from core.records_plain import SCORE_KINDS as SCORE_KINDS
from core.records_plain import SIZE as SIZE
from core.records_plain import STATES as STATES
from core.records_plain import THRESHOLD as THRESHOLD
from core.records_plain import Run as Run
from core.records_plain import Scores as Scores
from core.records_plain import SliceEntry as SliceEntry
from core.records_plain import Target as Target
from core.records_plain import require


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice: the picture, what the networks see of it, and the expert's outline.

    picture    (H, W) source intensities, uint8 (ultrasound) or int16 (HU)
    image      (SIZE, SIZE, channels) float32 in 0..1, what the network sees
    reference  (H, W) uint8 labels 0..K-1, or None
    spacing_mm (row, column) of the source grid, or None where there is no physical scale
    """

    dataset: str
    case: str
    index: int
    group: str
    tag: str
    picture: np.ndarray
    image: np.ndarray
    reference: np.ndarray | None
    spacing_mm: tuple[float, float] | None = None
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(self.picture.ndim == 2, "picture", "(H, W)", self.picture.shape)
        shape = self.image.shape
        require(self.image.ndim == 3 and shape[:2] == (SIZE, SIZE), "image", f"({SIZE}, {SIZE}, C)", shape)
        require(self.image.dtype == np.float32, "image", "float32", self.image.dtype)
        low, high = float(self.image.min()), float(self.image.max())
        require(low >= 0 and high <= 1, "image", "values in 0..1", (low, high))
        if self.reference is not None:
            same = self.reference.shape == self.picture.shape
            require(same, "reference", f"shape {self.picture.shape}", self.reference.shape)
            require(self.reference.dtype == np.uint8, "reference", "uint8", self.reference.dtype)
            _frozen(self.reference)
        _frozen(self.picture)
        _frozen(self.image)

    @property
    def key(self) -> str:
        """A short string that names the slice: dataset/case/index."""
        return f"{self.dataset}/{self.case}/{self.index}"

    @property
    def has_reference(self) -> bool:
        """Whether an expert's outline exists (an empty one counts: the case is normal)."""
        return self.reference is not None

    @cached_property
    def image_sha256(self) -> str:
        """Content key of what the network sees."""
        return hashlib.sha256(np.ascontiguousarray(self.image).tobytes()).hexdigest()


@dataclass(frozen=True, eq=False)
class Volume:
    """The stored slices of one CT volume, feet first, memory-mapped; patient right on screen left, anterior up.

    indices     slice numbers in the whole volume (0 is nearest the feet), ascending
    pictures    (n, H, W) int16 HU on the source grid
    images      (n, SIZE, SIZE, 1) float32 in 0..1, what the network sees
    references  (n, H, W) uint8 labels 0..K-1, or None
    spacing_mm  (slice, row, column)
    """

    dataset: str
    case: str
    group: str
    indices: tuple[int, ...]
    pictures: np.ndarray
    images: np.ndarray
    references: np.ndarray | None
    spacing_mm: tuple[float, float, float]
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.indices)
        require(
            self.pictures.ndim == 3 and len(self.pictures) == n,
            "pictures",
            f"({n}, H, W)",
            self.pictures.shape,
        )
        require(self.pictures.dtype == np.int16, "pictures", "int16", self.pictures.dtype)
        shape = self.images.shape
        require(shape[:3] == (n, SIZE, SIZE), "images", f"({n}, {SIZE}, {SIZE}, C)", shape)
        if self.references is not None:
            same = self.references.shape == self.pictures.shape
            require(same, "references", f"shape {self.pictures.shape}", self.references.shape)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one run says about one slice: probability (SIZE, SIZE, outputs) float32 in 0..1."""

    run: str
    slice_key: str
    probability: np.ndarray

    def __post_init__(self) -> None:
        shape = self.probability.shape
        require(len(shape) == 3 and shape[:2] == (SIZE, SIZE), "probability", f"({SIZE}, {SIZE}, K)", shape)
        require(bool(np.isfinite(self.probability).all()), "probability", "finite values", "NaN or infinity")
        _frozen(self.probability)


@dataclass(frozen=True, eq=False)
class Passes:
    """Further passes through the network, for methods that need them; the region asked about stays fixed.

    image    (SIZE, SIZE, channels) float32, what the network saw
    rescore  images (N, SIZE, SIZE, channels) -> scores (N,)
    without  channel numbers of the layer (N,) -> scores (N,), each with that one channel at 0
    slopes   images -> d(score)/d(image), of their shape
    remarks  what the reader should know of how the map was made; methods add to it
    """

    image: np.ndarray
    rescore: Callable[[np.ndarray], np.ndarray]
    without: Callable[[np.ndarray], np.ndarray]
    slopes: Callable[[np.ndarray], np.ndarray]
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a heatmap method may look at, for one layer and one target.

    activations, gradients  (h, w, channels) float32; gradients are d(score)/d(activations)
    score                   the number that is explained, in units of the target's score kind
    passes                  only for methods that need further passes
    """

    activations: np.ndarray
    gradients: np.ndarray
    score: float
    passes: Passes | None = None

    def __post_init__(self) -> None:
        same = self.activations.shape == self.gradients.shape and self.activations.ndim == 3
        require(same, "gradients", f"shape {self.activations.shape}", self.gradients.shape)


@dataclass(frozen=True, eq=False)
class Heatmap:
    """One signed map on its layer's own grid, raw: no ReLU, no enlarging, no scaling.

    values            (h, w) float32, in score units per cell
    score             the number explained (mean over the region of log-odds, logit or probability)
    state             one of STATES; ``notes`` holds further ones that also apply
    region_pixels     size of the region asked about, in pixels of the SIZE x SIZE grid
    mean_probability  mean of the class's probability over that region, NaN when it is empty
    options           of the method, where they are not its defaults
    remarks           how the map was made, in words, where there was something to choose
    """

    run: str
    slice_key: str
    method: str
    layer: str
    target: Target
    values: np.ndarray
    score: float
    state: str
    region_pixels: int
    mean_probability: float
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(self.values.ndim == 2, "values", "(h, w)", self.values.shape)
        require(bool(np.isfinite(self.values).all()), "values", "finite values", "NaN or infinity")
        require(self.state in STATES, "state", f"one of {STATES}", self.state)
        _frozen(self.values)
