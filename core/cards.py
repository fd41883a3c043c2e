"""What a dataset, a network and a heatmap method are, in words: one frozen card each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# On every page, picture and file.
NOTICE = "Research and teaching use only. Not a medical device. Not for diagnosis or treatment."


@dataclass(frozen=True)
class DatasetCard:
    """What a dataset is. ``classes`` are in label order, background first."""

    name: str
    title: str
    modality: str
    classes: tuple[str, ...]
    channels: int
    group: str  # what one group is: "near-duplicate cluster", "patient"
    source: str
    licence: str
    citation: str
    synthetic: bool
    layout: str  # the module of core.datasets that reads the files
    splits: tuple[str, ...] = ()  # names of its splits, the default first; none for an external test set
    unit: str = "px"  # of distances and areas on screen: "mm" or "px"
    window_hu: tuple[float, float] | None = None  # CT: ends of what the networks see of the HU scale
    known_defects: tuple[str, ...] = ()

    @property
    def foreground(self) -> tuple[str, ...]:
        """The classes that are scored: all but background."""
        return self.classes[1:]

    @property
    def outputs(self) -> int:
        """Channels of a network's output: 1 (sigmoid) for two classes, else one per class (softmax)."""
        return 1 if len(self.classes) == 2 else len(self.classes)

    @property
    def terms(self) -> str:
        """The licence, and where it forbids to pass on parts of the set also that, in words."""
        return self.licence + (": do not redistribute" if "-ND" in self.licence else "")

    @property
    def has_volumes(self) -> bool:
        """Whether a case is a CT volume of many slices; otherwise it is one picture."""
        return self.window_hu is not None


@dataclass(frozen=True)
class NetworkCard:
    """What a network is. ``layers`` are those a heatmap may look at, deepest first."""

    title: str
    paper: str
    layers: tuple[str, ...]
    differs: str  # how our build differs from its paper, and from the study we implement


@dataclass(frozen=True)
class MethodCard:
    """What a heatmap method is, in one sentence for the reader.

    needs    "gradients" or "activations" (made with every other such map, in one pass), or "passes" of its own
    place    "layer": a map on a layer's grid; "image": one on the image's grid, whatever the layers
    cost     what it takes, in words
    options  what can be chosen, by name: the values offered, the default first
    """

    name: str
    title: str
    sentence: str
    paper: str
    needs: str
    place: str = "layer"
    cost: str = "none beyond the pass that all such maps share"
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def has_shared_unit(self) -> bool:
        """Whether values are in score units, comparable between networks; otherwise only an own scale is honest."""
        return self.needs != "activations"
