"""How a drawn CT volume comes about: shapes in mm painted in Hounsfield units, then a scanner's blur and noise.

A point is (x, y, z) in mm: x to the patient's left (screen right), y to the back (screen down), z to the head.
Arrays are (slice, row, column), that is (z, y, x). The depth of a voxel in a shape is its distance from the
surface in mm, roughly, positive inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

Point = tuple[float, float, float]
Points = Sequence[Any] | np.ndarray  # of numbers or of points
Box = tuple[slice, slice, slice]
AIR = -1000.0
FAR = -99.0  # mm, of voxels outside of a shape's box


@dataclass(frozen=True, eq=False)
class Shape:
    """Depth in mm of the voxels of ``box``; outside of the box nothing belongs to the shape."""

    box: Box
    depth: np.ndarray

    def within(self, depth: np.ndarray) -> Shape:
        """What is also inside the shape of which ``depth`` is given for the whole volume."""
        return Shape(self.box, np.minimum(self.depth, depth[self.box]))

    def wavy(self, bumps: np.ndarray, height_mm: float) -> Shape:
        """The same with bumps (mean 0, variance 1, whole volume) of this height on its surface."""
        return Shape(self.box, self.depth + np.float32(height_mm) * bumps[self.box])

    def smaller(self, mm: float) -> Shape:
        """What is more than ``mm`` below the surface; negative: a layer is added."""
        return Shape(self.box, self.depth - np.float32(mm))


@dataclass(eq=False)
class Scene:
    """A volume in the making: coordinates in mm, one per slice, row and column, and the levels painted so far."""

    rng: np.random.Generator
    z: np.ndarray
    y: np.ndarray
    x: np.ndarray
    levels: np.ndarray

    @property
    def whole(self) -> Box:
        """The box of all voxels."""
        return np.s_[:, :, :]

    def spread(self, shape: Shape) -> np.ndarray:
        """Depth in the whole volume of a shape: far outside where its box ends."""
        depth = np.full(self.levels.shape, FAR, np.float32)
        depth[shape.box] = shape.depth
        return depth

    def paint(self, shape: Shape, level: float | np.ndarray, edge_mm: float = 2.0) -> None:
        """Blend ``level`` (HU; a number or the values of the box) in; the edge is ``edge_mm`` wide."""
        share = np.clip(shape.depth / np.float32(edge_mm) + np.float32(0.5), 0, 1)
        there = self.levels[shape.box]
        there += share * (np.asarray(level, np.float32) - there)


def scene(rng: np.random.Generator, shape: tuple[int, int, int], spacing_mm: Point, head_mm: float) -> Scene:
    """Air on a grid of ``shape`` with ``spacing_mm`` (both slice, row, column), x = y = 0 in its middle.

    ``head_mm`` is the z of the last slice.
    """
    counts = [np.arange(n, dtype=np.float32) for n in shape]
    z = head_mm + (counts[0] - (shape[0] - 1)) * np.float32(spacing_mm[0])
    y, x = ((c - (c.size - 1) / 2) * np.float32(s) for c, s in zip(counts[1:], spacing_mm[1:], strict=True))
    return Scene(
        rng,
        z[:, None, None].astype(np.float32),
        y[None, :, None].astype(np.float32),
        x[None, None, :].astype(np.float32),
        np.full(shape, AIR, np.float32),
    )


def _box(scene: Scene, low: Points, high: Points, margin: float = 4.0) -> Box:
    axes = (scene.z, scene.y, scene.x)
    ends = [
        np.searchsorted(axis.ravel(), (low[i] - margin, high[i] + margin))
        for axis, i in zip(axes, (2, 1, 0), strict=True)
    ]
    z, y, x = (slice(int(first), int(last)) for first, last in ends)
    return z, y, x


def _offsets(scene: Scene, box: Box, centre: Points) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, z = (np.float32(c) for c in centre)
    return scene.x[..., box[2]] - x, scene.y[:, box[1]] - y, scene.z[box[0]] - z


def ellipsoid(
    scene: Scene, centre: Point, radii: Point, turn: float = 0.0, lean: tuple[float, float] = (0.0, 0.0)
) -> Shape:
    """An ellipsoid, turned by ``turn`` radians in the axial plane; ``lean`` moves x and y per mm of z."""
    wide = max(radii[:2]) + max(abs(part) for part in lean) * radii[2]
    half = np.array((wide, wide, radii[2]))
    box = _box(scene, centre - half, centre + half)
    x, y, z = _offsets(scene, box, centre)
    x, y = x - np.float32(lean[0]) * z, y - np.float32(lean[1]) * z
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    along, across = x * cos + y * sin, y * cos - x * sin
    parts = [part / np.float32(r) for part, r in zip((along, across, z), radii, strict=True)]
    r = np.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2) + np.float32(1e-4)
    steep = np.sqrt(sum((part / np.float32(radius)) ** 2 for part, radius in zip(parts, radii, strict=True)))
    return Shape(box, ((1 - r) * r / (steep + np.float32(1e-4 / min(radii)))).astype(np.float32))


def tube(scene: Scene, points: Points, radii: Sequence[float] | np.ndarray, flat: float = 1.0) -> Shape:
    """A bent tube through ``points`` with a radius at each; ``flat`` stretches it along x."""
    path, scale = np.array(points, np.float64), np.array((1 / flat, 1, 1))
    reach = np.array(radii, np.float64)[:, None] * max(1.0, flat)
    box = _box(scene, (path - reach).min(axis=0), (path + reach).max(axis=0))
    depth = None
    for start, end, r0, r1 in zip(path, path[1:], radii, radii[1:], strict=False):
        x, y, z = _offsets(scene, box, start)
        x = x / np.float32(flat)
        way = ((end - start) * scale).astype(np.float32)
        part = np.clip((x * way[0] + y * way[1] + z * way[2]) / (way @ way + np.float32(1e-6)), 0, 1)
        away = np.sqrt((x - part * way[0]) ** 2 + (y - part * way[1]) ** 2 + (z - part * way[2]) ** 2)
        found = np.float32(r0) + part * np.float32(r1 - r0) - away
        depth = found if depth is None else np.maximum(depth, found)
    return Shape(box, np.asarray(depth, np.float32))


def together(scene: Scene, shapes: Sequence[Shape], round_mm: float) -> np.ndarray:
    """Depth, in the whole volume, of shapes grown together with smooth seams (polynomial smooth maximum)."""
    total = np.full(scene.levels.shape, FAR, np.float32)
    for shape in shapes:
        there = total[shape.box]
        overlap = np.clip(1 - np.abs(there - shape.depth) / np.float32(round_mm), 0, 1)
        total[shape.box] = np.maximum(there, shape.depth) + overlap**2 * np.float32(round_mm / 4)
    return total


def bumps(scene: Scene, size_mm: float) -> np.ndarray:
    """Smooth noise of mean 0 and variance 1 in the whole volume, with bumps of about this size."""
    cells = [max(1, round(float(np.ptp(axis)) / size_mm)) for axis in (scene.z, scene.y, scene.x)]
    values = scene.rng.standard_normal([count + 3 for count in cells], dtype=np.float32)
    for axis, (count, points) in enumerate(zip(cells, scene.levels.shape, strict=True)):
        values = _spline(values, axis, np.linspace(0, count, points, endpoint=False, dtype=np.float32))
    return np.asarray((values - values.mean()) / values.std(), np.float32)


def _spline(values: np.ndarray, axis: int, at: np.ndarray) -> np.ndarray:
    """The uniform cubic B-spline with these control values along one axis, at places counted in cells."""
    first = at.astype(int)
    t = (at - first).reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3)
    parts = (weight * np.take(values, first + k, axis=axis) for k, weight in enumerate(weights))
    return np.asarray(sum(parts) / np.float32(6))


def scan(scene: Scene, noise_hu: float) -> np.ndarray:
    """The measured volume, int16 HU: blurred by the scanner, with grainy noise of this deviation in tissue.

    Noise of filtered back-projection lacks low frequencies; it is weaker where the beam meets air only.
    """
    blurred = gaussian_filter(scene.levels, (0.3, 0.5, 0.5))
    white = scene.rng.standard_normal(blurred.shape, dtype=np.float32)
    grain = gaussian_filter(white, (0, 0.6, 0.6)) - 0.7 * gaussian_filter(white, (0, 1.8, 1.8))
    grain *= np.float32(noise_hu) / grain.std()
    dense = np.clip(1 + blurred / 1000, 0.3, 1)
    return np.asarray(np.clip(np.round(blurred + grain * dense), -1024, 3071), np.int16)
