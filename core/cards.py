"""What a dataset, a network and a heatmap method are, in words: one frozen card each."""

from __future__ import annotations

from dataclasses import dataclass

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
    """What a heatmap method is, in one sentence for the reader."""

    name: str
    title: str
    sentence: str
    paper: str
    needs: str  # "gradients" or "activations"
