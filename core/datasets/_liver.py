"""Drawn abdominal CT volumes: a liver with vessels and low-contrast lesions among its neighbours; its labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, label

from core.datasets import _abdomen
from core.datasets._ct import Point, Scene, Shape, bumps, ellipsoid, scan, scene, together, tube

LIVER_MM = 150.0  # from the dome of the diaphragm to the tip, of a standard adult
THIN_MM = 4.0  # parts of the liver with no voxel this deep are left out
MARGIN_MM = 5.0  # of a lesion's centre from the liver's surface, at least


@dataclass(frozen=True, eq=False)
class Drawn:
    """A volume in display orientation (slice, row, column): feet first, patient right on screen left, front up.

    picture     int16 HU with noise;  clean  float32 HU without blur and noise
    labels      uint8: 0 background, 1 liver, 2 tumour
    spacing_mm  (slice, row, column)
    """

    picture: np.ndarray
    clean: np.ndarray
    labels: np.ndarray
    spacing_mm: Point


def draw(rng: np.random.Generator, lesions: int = 2) -> Drawn:
    """One volume of 36 to 48 slices of 160 to 192 pixels squared with this many lesions."""
    side = int(rng.integers(20, 25)) * 8
    stature = rng.uniform(0.92, 1.07, 3)  # (z, y, x) relative to the standard adult
    head, feet = rng.uniform(20, 40), rng.uniform(20, 75)  # drawn above the dome and below the tip
    length = stature[0] * (head + LIVER_MM + feet)
    count = int(np.clip(length / rng.uniform(4.2, 5.6), 36, 48))
    pixel = round(float(rng.uniform(372, 396)) / side, 3)
    spacing = (round(float(length) / count, 2), pixel, pixel)
    drawing = scene(rng, (count, side, side), tuple(spacing / stature), float(head))
    drawing.x -= np.float32(rng.uniform(-8, 8))
    drawing.y -= np.float32(rng.uniform(-12, -2))
    room = _abdomen.wall(drawing)
    depth = _shape(drawing, room)
    _abdomen.organs(drawing, room, depth)
    _abdomen.vessels(drawing)
    labels = _liver(drawing, room, depth, lesions)
    _abdomen.spine(drawing)
    _abdomen.ribs(drawing, room)
    _table(drawing)
    return Drawn(scan(drawing, rng.uniform(12, 20)), drawing.levels, labels, spacing)


def _shape(scene: Scene, room: _abdomen.Room) -> np.ndarray:
    """Depth in the liver: a large right lobe along the wall and the dome, a left lobe that thins to the left."""
    rng = scene.rng
    tip = rng.uniform(-14, 8)
    right = ellipsoid(scene, (-72, 0, -68), (78, 88, 79 + tip), lean=(0.14, -0.05))
    reach, thick = rng.uniform(60, 88), rng.uniform(34, 46)
    left = ellipsoid(scene, (rng.uniform(0, 26), -48, -46), (reach, 34, thick), turn=0.12, lean=(0.1, 0))
    caudate = ellipsoid(scene, (-16, -8, -46), (24, 17, 26))
    whole = together(scene, [right, left, caudate], 14) + np.float32(1.8) * room.coarse
    limits = (
        (ellipsoid(scene, (8, 42, -80), (40, 45, 300)), 0.0),  # spine, aorta, crura
        (ellipsoid(scene, (-10, 74, -80), (46, 36, 300)), 0.0),  # muscles of the back
        (ellipsoid(scene, (-52, 60, -134), (40, 50, 62)), 0.0),  # right kidney and its fat
        (tube(scene, [(-22, -14, 10), (-23, -4, -30), (-21, 2, -110)], (12, 11, 10), flat=1.25), 1.0),
        (ellipsoid(scene, (-46, -52, -118), (15, 22, 28)), 1.5),  # gall bladder
        (tube(scene, [(14, -92, -66), (8, -74, -84), (4, -60, -100)], (3, 6, 9)), 0.0),  # round ligament
        (ellipsoid(scene, (4, -36, -118), (44, 30, 46)), 0.0),  # porta hepatis, antrum and pancreas
        (ellipsoid(scene, (80, 10, -70), (54, 50, 60)), 0.0),  # stomach
    )
    for shape, gap in limits:
        there = whole[shape.box]
        np.minimum(there, -shape.depth - np.float32(gap), out=there)
    whole = np.minimum(whole, np.minimum(room.abdomen - 0.5, room.cavity - 3.5))
    near = binary_dilation(_largest(whole > THIN_MM), np.ones((3, 3, 3)), iterations=2)
    inside = _largest(near & (whole > 0))  # no slivers behind other organs
    return np.where(~inside & (whole > 0), -1, whole).astype(np.float32)


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest connected part of a mask."""
    parts, _ = label(mask)
    return np.asarray(parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1)


def _liver(scene: Scene, room: _abdomen.Room, depth: np.ndarray, lesions: int) -> np.ndarray:
    """Paint liver, vessels, gall bladder and lesions; returns the labels."""
    rng = scene.rng
    level = rng.uniform(94, 114)
    everywhere = Shape(scene.whole, depth)
    scene.paint(everywhere, level + 1.5 * room.coarse + 1.5 * room.fine)
    _vessels(scene, depth, level)
    bladder = ellipsoid(scene, (-46, -52, -118), (13, 20, 26))
    scene.paint(bladder, 75.0)
    scene.paint(bladder.smaller(1.8), _abdomen.BILE)
    labels = (depth > 0).astype(np.uint8)
    rough, apart = bumps(scene, 18), rng.spawn(1)[0]  # all else is the same with and without lesions
    for _ in range(lesions):
        _lesion(apart, scene, depth, labels, rough, level)
    return labels


def _vessels(scene: Scene, depth: np.ndarray, level: float) -> None:
    """Three hepatic veins that join the vena cava below the dome, and the portal vein with its branches."""
    rng, bright = scene.rng, level + scene.rng.uniform(38, 55)
    cava: Point = (-22, -12, -12)
    trees: list[tuple[list[Point], list[float]]] = [
        ([(-8, -18, -92), (-24, -20, -72), (-38, -16, -62)], [7, 7, 6]),
        ([(-38, -16, -62), (-78, -4, -58), (-112, -10, -64)], [6, 4, 2]),
        ([(-38, -16, -62), (-80, 22, -74), (-104, 44, -96)], [6, 4, 2]),
        ([(-78, -4, -58), (-92, -34, -90)], [3.6, 1.6]),
        ([(-78, -4, -58), (-96, 24, -40)], [3.6, 1.6]),
        ([(-32, -18, -66), (-8, -48, -50), (28, -56, -44), (52, -58, -42)], [5.5, 4, 3, 1.6]),
        ([cava, (-66, 14, -34), (-104, 30, -60), (-118, 28, -92)], [6, 5, 3.5, 1.6]),
        ([cava, (-52, -34, -32), (-72, -58, -56), (-80, -66, -84)], [5.5, 4.5, 3, 1.6]),
        ([cava, (0, -42, -28), (26, -56, -34), (46, -62, -44)], [5, 4, 3, 1.6]),
        ([(-66, 14, -34), (-80, 44, -52)], [3.6, 1.6]),
    ]
    for points, radii in trees:
        moved = [np.add(point, rng.normal(0, 5, 3)) for point in points[1:]]
        scene.paint(tube(scene, [points[0], *moved], radii).within(depth - 1), bright)


def _lesion(
    rng: np.random.Generator,
    scene: Scene,
    depth: np.ndarray,
    labels: np.ndarray,
    rough: np.ndarray,
    level: float,
) -> None:
    """One lesion, 25 to 60 HU darker than the liver, uneven at its margin, some with a darker middle."""
    size = float(np.clip(rng.lognormal(np.log(17), 0.4), 7, 32))
    free = (depth > min(size, 12) * 0.5 + MARGIN_MM) & (labels == 1)
    places = np.argwhere(free)
    z, y, x = places[int(rng.integers(len(places)))]
    centre = (float(scene.x[0, 0, x]), float(scene.y[0, y, 0]), float(scene.z[z, 0, 0]))
    radii = tuple(float(r) for r in size * rng.uniform(0.8, 1.2, 3))
    found = ellipsoid(scene, centre, (radii[0], radii[1], radii[2]), turn=rng.uniform(0, 3))
    found = found.wavy(rough, 0.1 * size).within(depth)
    darker = rng.uniform(29, 48)
    scene.paint(found, level - darker, edge_mm=rng.uniform(2, 4))
    if size > 12 and rng.random() < 0.5:
        scene.paint(found.smaller(0.5 * size), level - darker - rng.uniform(5, 10), edge_mm=5.0)
    labels[found.box][found.depth > 0] = 2


def _table(scene: Scene) -> None:
    """The top of the couch: a thin curved shell below the back."""
    x, y = scene.x[0], scene.y[0]
    middle = 132 - 26 * (np.clip(np.abs(x), 0, 230) / 200) ** 2
    shell = np.minimum(2.2 - np.abs(y - middle), 205 - np.abs(x)).astype(np.float32)
    depth = np.broadcast_to(shell, scene.levels.shape)
    scene.paint(Shape(scene.whole, depth), np.where(scene.levels < -500, 30.0, scene.levels))
