"""Pictures that show the same thing: exact and near duplicates, linked into groups that no split may part.

Two pictures are linked when they are pixel-identical, when their perceptual hashes differ in at most 20 of 256
bits, or when they correlate above 0.95 at 128 x 128. A group is everything that is linked, directly or through
others. No patient is known from this: a group is a cluster of near-duplicates, never a patient.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import DataRefused

HASH_SIDE = 16  # of the perceptual hash: 16 x 16 = 256 bits
MAX_BITS = 20
MIN_CORRELATION = 0.95
COMPARED_SIDE = 128  # pixels, for the correlation


@dataclass(frozen=True)
class Link:
    """One pair of pictures, by position, first < second, and why they are linked."""

    first: int
    second: int
    reason: str


@dataclass(frozen=True)
class Decision:
    """What a reviewer decided about one case: ``cut`` (a group of its own) or ``join CASE``."""

    reviewer: str
    decision: str


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What two pictures are compared by.

    exact  checksum of pixels and shape; bits (256,) bool, the perceptual hash; small (128, 128) uint8, the picture
    reduced with Pillow's bilinear filter
    """

    exact: str
    bits: np.ndarray
    small: np.ndarray


def fingerprint(picture: np.ndarray) -> Fingerprint:
    """The fingerprint of a grey picture (H, W) uint8."""
    import imagehash
    from PIL import Image

    exact = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()
    image = Image.fromarray(picture)
    bits = np.asarray(imagehash.phash(image, hash_size=HASH_SIDE).hash, dtype=bool).ravel()
    small = image.resize((COMPARED_SIDE, COMPARED_SIDE), Image.Resampling.BILINEAR)
    return Fingerprint(exact, bits, np.array(small))


def links(prints: Sequence[Fingerprint]) -> tuple[Link, ...]:
    """Every linked pair among these pictures, in order. A picture of one grey level correlates with nothing."""
    exact = np.asarray([one.exact for one in prints])
    signs = np.stack([one.bits for one in prints]).astype(np.float32) * 2 - 1
    differing = np.rint((signs.shape[1] - signs @ signs.T) / 2).astype(int)
    flat = np.stack([one.small.ravel() for one in prints]).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    flat /= np.where(norm > 0, norm, 1)
    correlation = flat @ flat.T
    same = exact[:, None] == exact[None, :]
    linked = np.triu(same | (differing <= MAX_BITS) | (correlation > MIN_CORRELATION), k=1)
    found = []
    for first, second in np.argwhere(linked):
        reason = f"{differing[first, second]} of 256 bits, correlation {correlation[first, second]:.3f}"
        found.append(Link(int(first), int(second), "identical" if same[first, second] else reason))
    return tuple(found)


def groups(cases: Sequence[str], found: Sequence[Link], decisions: Mapping[str, Decision]) -> tuple[str, ...]:
    """The group of each case, named after the first case in it.

    A case that a reviewer cut keeps no link; ``join CASE`` adds one. DataRefused ("decision") for other words and
    for unknown cases.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    position = {case: i for i, case in enumerate(cases)}
    cut, pairs = set(), []
    for case, row in decisions.items():
        _, _, other = row.decision.partition("join ")
        if case in position and row.decision == "cut":
            cut.add(position[case])
        elif case in position and other in position:
            pairs.append((position[case], position[other]))
        else:
            expected = "expected 'cut' or 'join CASE' with cases that exist"
            raise DataRefused("decision", f"groups.csv: {case}: {expected}, got {row.decision!r}.")
    pairs += [(link.first, link.second) for link in found if not {link.first, link.second} & cut]
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    graph = coo_matrix((np.ones(len(pairs)), (rows, columns)), shape=(len(cases), len(cases)))
    _, component = connected_components(graph, directed=False)
    first: dict[int, str] = {}
    return tuple(first.setdefault(int(number), case) for number, case in zip(component, cases, strict=True))
