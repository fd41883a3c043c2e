"""What a preparation found, in a few lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import places


@dataclass(frozen=True)
class PrepareSummary:
    """What a preparation found. ``is_unchanged``: the source was the same, nothing was written.

    ``volumes`` is {} for a set of pictures. For CT volumes: slices (of all volumes), stored, with_liver,
    with_tumour, and read_now: slices of the volumes that had not been read before.
    """

    dataset: str
    folder: Path
    cases: int
    tags: Mapping[str, int]
    flags: Mapping[str, int]
    groups: Mapping[str, int]
    splits: Mapping[str, Mapping[str, int]]
    refused: tuple[Mapping[str, str], ...]
    strays: tuple[Mapping[str, str], ...]
    seconds: float
    is_unchanged: bool = False
    volumes: Mapping[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The summary in a few lines for a terminal."""
        if self.is_unchanged:
            return f"{self.dataset}: nothing changed, {self.cases} cases in {self.folder}"
        lines = [
            *(self._of_volumes() if self.volumes else self._of_pictures()),
            f"flags: {_listed(self.flags) or 'none'}",
            *(f"split {name}: {_listed(parts)}" for name, parts in self.splits.items()),
            *(f"refused {row['case']} ({row['code']}): {row['message']}" for row in self.refused),
            *(f"not read: {row['file']} ({row['why']})" for row in self.strays),
            f"stored in {self.folder}",
        ]
        return "\n".join(lines)

    def _of_pictures(self) -> list[str]:
        return [
            f"{self.dataset}: {self.cases} cases ({_listed(self.tags)}) in {self.seconds:.1f} s, "
            f"{self._speed(self.cases)} per second",
            f"near-duplicates: {self.groups['images_in_multi']} pictures in {self.groups['multi_image']} groups",
        ]

    def _of_volumes(self) -> list[str]:
        n = self.volumes
        return [
            f"{self.dataset}: {self.cases} volumes of {self.groups['groups']} patients in {self.seconds:.1f} s; "
            f"{n['read_now']} slices read now, {self._speed(n['read_now'])} per second",
            f"slices: {n['slices']}, {n['with_liver']} with liver, {n['with_tumour']} with tumour; "
            f"{n['stored']} stored",
        ]

    def _speed(self, count: int) -> str:
        return f"{count / max(self.seconds, 1e-9):.0f}"


def summary(
    name: str, content: Mapping[str, Any], seconds: float, *, is_unchanged: bool = False, read_now: int = 0
) -> PrepareSummary:
    """The summary of a prepared folder from its card.json."""
    volumes = content.get("volumes", {})
    return PrepareSummary(
        dataset=name,
        folder=places.data(name),
        cases=content["cases"],
        tags=content["tags"],
        flags=content["flags"],
        groups=content["groups"],
        splits={split: row["parts"] for split, row in content["splits"].items()},
        refused=tuple(content["refused"]),
        strays=tuple(content["strays"]),
        seconds=seconds,
        is_unchanged=is_unchanged,
        volumes={**volumes, "read_now": read_now} if volumes else {},
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
