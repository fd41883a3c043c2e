"""The nouns of the project: frozen records, checked once when they are made.

Code downstream has no checks of its own. Arrays are set read-only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

SIZE = 128  # side of what the networks see, in pixels (the paper's choice)
THRESHOLD = 0.5  # binary: tumour where probability > THRESHOLD, strictly, as Keras thresholds

STATES = ("ok", "empty_region", "saturated", "no_positive_evidence", "redundant_with_prediction")
REGIONS = ("predicted", "whole_image", "reference")
SCORE_KINDS = ("log_odds", "logit", "probability")


def _require(condition: bool, name: str, expected: str, got: object) -> None:
    if not condition:
        raise ValueError(f"{name}: expected {expected}, got {got}")


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class SliceEntry:
    """One line of a dataset's index: enough to list and filter, no pixels."""

    dataset: str
    case: str
    index: int
    group: str
    tag: str  # benign, malignant, normal
    flags: tuple[str, ...]
    height: int  # of the source picture, pixels
    width: int
    reference_pixels: int | None  # foreground pixels of the reference on the source grid; None: no reference
    parts: Mapping[str, str] = field(
        default_factory=dict
    )  # split name -> train, validation, test or excluded
    class_pixels: tuple[int, ...] = ()  # the same for each label 1, 2 ... alone; empty: no reference
    position_mm: float | None = None  # of the slice along the axis from feet to head; None: not a volume

    @property
    def key(self) -> str:
        """A short string that names the slice: dataset/case/index."""
        return f"{self.dataset}/{self.case}/{self.index}"


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
        _require(self.picture.ndim == 2, "picture", "(H, W)", self.picture.shape)
        shape = self.image.shape
        _require(self.image.ndim == 3 and shape[:2] == (SIZE, SIZE), "image", f"({SIZE}, {SIZE}, C)", shape)
        _require(self.image.dtype == np.float32, "image", "float32", self.image.dtype)
        low, high = float(self.image.min()), float(self.image.max())
        _require(low >= 0 and high <= 1, "image", "values in 0..1", (low, high))
        if self.reference is not None:
            same = self.reference.shape == self.picture.shape
            _require(same, "reference", f"shape {self.picture.shape}", self.reference.shape)
            _require(self.reference.dtype == np.uint8, "reference", "uint8", self.reference.dtype)
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
        _require(
            self.pictures.ndim == 3 and len(self.pictures) == n,
            "pictures",
            f"({n}, H, W)",
            self.pictures.shape,
        )
        _require(self.pictures.dtype == np.int16, "pictures", "int16", self.pictures.dtype)
        shape = self.images.shape
        _require(shape[:3] == (n, SIZE, SIZE), "images", f"({n}, {SIZE}, {SIZE}, C)", shape)
        if self.references is not None:
            same = self.references.shape == self.pictures.shape
            _require(same, "references", f"shape {self.pictures.shape}", self.references.shape)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one run says about one slice: probability (SIZE, SIZE, outputs) float32 in 0..1."""

    run: str
    slice_key: str
    probability: np.ndarray

    def __post_init__(self) -> None:
        shape = self.probability.shape
        _require(len(shape) == 3 and shape[:2] == (SIZE, SIZE), "probability", f"({SIZE}, {SIZE}, K)", shape)
        _require(bool(np.isfinite(self.probability).all()), "probability", "finite values", "NaN or infinity")
        _frozen(self.probability)


@dataclass(frozen=True)
class Target:
    """What a heatmap is asked: which class, over which region, in which kind of score."""

    class_name: str = "tumour"
    region: str = "predicted"
    kind: str = "log_odds"

    def __post_init__(self) -> None:
        _require(self.region in REGIONS, "region", f"one of {REGIONS}", self.region)
        _require(self.kind in SCORE_KINDS, "kind", f"one of {SCORE_KINDS}", self.kind)

    @property
    def key(self) -> str:
        """A short string for cache keys and addresses."""
        return f"{self.class_name}.{self.region}.{self.kind}"


PAPER_TARGET = Target(region="whole_image", kind="probability")  # section 3.4 of the paper


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a heatmap method may look at, for one layer and one target.

    activations, gradients  (h, w, channels) float32; gradients are d(score)/d(activations)
    score                   the number that is explained, in units of the target's score kind
    """

    activations: np.ndarray
    gradients: np.ndarray
    score: float

    def __post_init__(self) -> None:
        same = self.activations.shape == self.gradients.shape and self.activations.ndim == 3
        _require(same, "gradients", f"shape {self.activations.shape}", self.gradients.shape)


@dataclass(frozen=True, eq=False)
class Heatmap:
    """One signed map on its layer's own grid, raw: no ReLU, no enlarging, no scaling.

    values            (h, w) float32, in score units per cell
    score             the number explained (mean over the region of log-odds, logit or probability)
    state             one of STATES; ``notes`` holds further ones that also apply
    region_pixels     size of the region asked about, in pixels of the SIZE x SIZE grid
    mean_probability  mean of the class's probability over that region, NaN when it is empty
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

    def __post_init__(self) -> None:
        _require(self.values.ndim == 2, "values", "(h, w)", self.values.shape)
        _require(bool(np.isfinite(self.values).all()), "values", "finite values", "NaN or infinity")
        _require(self.state in STATES, "state", f"one of {STATES}", self.state)
        _frozen(self.values)


@dataclass(frozen=True)
class Scores:
    """Scores of one class on one slice, on the grid of the reference.

    Ratios are in 0..1; NaN means undefined and ``why`` names the rule for it, by metric.
    """

    class_name: str
    tp: int
    fp: int
    fn: int
    tn: int
    values: Mapping[str, float]  # accuracy, precision, recall, iou, dice
    why: Mapping[str, str] = field(default_factory=dict)
    grid: str = "native"


@dataclass(frozen=True, eq=False)
class Run:
    """One trained network as its run.json describes it. ``problem`` says why it cannot be used, else None."""

    name: str
    dataset: str
    model: str
    seed: int
    width: int
    recipe: str
    classes: tuple[str, ...]
    split: str
    split_sha256: str
    weights_sha256: str
    best_epoch: int
    validation: Mapping[str, float]
    manifest: Mapping[str, Any]  # the whole of run.json
    problem: str | None = None

    @property
    def short_hash(self) -> str:
        """First 8 hex digits of the weights' checksum, as printed on screen."""
        return self.weights_sha256[:8]
