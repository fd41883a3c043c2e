"""The records that hold no arrays: a line of an index, a run, scores, and the question a heatmap is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

SIZE = 128  # side of what the networks see, in pixels (the paper's choice)
THRESHOLD = 0.5  # binary: tumour where probability > THRESHOLD, strictly, as Keras thresholds

STATES = ("ok", "empty_region", "saturated", "no_positive_evidence", "redundant_with_prediction")
REGIONS = (
    "predicted", "whole_image", "reference", "missed", "invented", "mistaken", "component", "pixel", "boundary",
    "top_percent", "shared",
)  # fmt: skip
SCORE_KINDS = ("log_odds", "logit", "probability", "contrast")
DETAILS = {  # which fields of a target its region uses beside the class
    "component": ("index", "of"), "pixel": ("row", "column", "radius"), "boundary": ("side",),
}  # fmt: skip


def require(condition: bool, name: str, expected: str, got: object) -> None:
    """ValueError that names the field, what was expected of it and what it got."""
    if not condition:
        raise ValueError(f"{name}: expected {expected}, got {got}")


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


@dataclass(frozen=True)
class Target:
    """What a heatmap is asked: which class, over which region, in which kind of score.

    rival        the class argued against in a contrast, or named instead of the right one in ``mistaken``
    index, of    which component: 1 is the largest of those "predicted" or in the "reference"
    row, column  a pixel of the SIZE x SIZE grid; ``radius`` 0..4 widens it to a square of 2 radius + 1
    side         of the boundary: "both", "inner" or "outer"

    A field that is not used keeps its default, so that one question has one ``key``.
    """

    class_name: str = "tumour"
    region: str = "predicted"
    kind: str = "log_odds"
    rival: str = ""
    index: int = 1
    of: str = "predicted"
    row: int = 0
    column: int = 0
    radius: int = 1
    side: str = "both"

    def __post_init__(self) -> None:
        require(self.region in REGIONS, "region", f"one of {REGIONS}", self.region)
        require(self.kind in SCORE_KINDS, "kind", f"one of {SCORE_KINDS}", self.kind)
        has_rival = self.kind == "contrast" or self.region == "mistaken"
        sides, at = ("both", "inner", "outer"), (self.row, self.column)
        for name, good, expected in (
            ("rival", bool(self.rival) == has_rival, "a class in a contrast or mistaken region, else none"),
            ("rival", self.rival != self.class_name, "another class"),
            ("index", self.index >= 1, "at least 1"),
            ("of", self.of in ("predicted", "reference"), "predicted or reference"),
            ("row", min(at) >= 0 and max(at) < SIZE, f"row and column in 0..{SIZE - 1}"),
            ("radius", 0 <= self.radius <= 4, "0..4"),
            ("side", self.side in sides, f"one of {sides}"),
        ):
            require(good, name, expected, getattr(self, name))
        for name in self.details:
            used = name == "rival" or name in DETAILS.get(self.region, ())
            require(used, name, f"its default, as the region {self.region} has none", getattr(self, name))

    @property
    def details(self) -> dict[str, Any]:
        """Fields beyond class, region and kind that are not at their defaults."""
        given = ((each.name, getattr(self, each.name), each.default) for each in fields(self)[3:])
        return {name: value for name, value, default in given if value != default}

    @property
    def key(self) -> str:
        """A short string for cache keys and addresses; ``core.explain.targets.from_key`` reads it."""
        extra = [f"{name}={value}" for name, value in self.details.items()]
        return ".".join([self.class_name, self.region, self.kind, *extra])

    @property
    def needs_reference(self) -> bool:
        """Whether the question can only be asked of a case with an expert's outline."""
        return "reference" in (self.region, self.of) or self.region in ("missed", "invented", "mistaken")


PAPER_TARGET = Target(region="whole_image", kind="probability")  # section 3.4 of the paper


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

    @property
    def is_scores_only(self) -> bool:
        """Whether the weights were dropped on purpose once the run was scored; it predicts nothing any more."""
        return not self.manifest.get("weights", {}).get("kept", True)

    @property
    def is_rejected(self) -> bool:
        """Whether something is wrong with its files; weights that were dropped on purpose are not wrong."""
        return bool(self.problem) and not self.is_scores_only
