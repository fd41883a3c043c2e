"""Drawn breast ultrasound: skin, fat, gland and muscle, and lesions with benign-like or malignant-like margins.

Lengths are in pixels, levels in dB. What looks like a lesion and is none (dark lobules among the gland, ducts,
shadows of ligaments) is in every picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import KDTree

from core.datasets._speckle import Scene, curve, image, interface, noise


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture (H, W) uint8 and one mask (H, W) bool for each lesion."""

    picture: np.ndarray
    masks: tuple[np.ndarray, ...]


def draw(rng: np.random.Generator, tag: str, lesions: int = 1) -> Drawn:
    """One picture of class ``tag`` (benign, malignant or normal), 280 to 420 pixels wide.

    Normal pictures have no lesion; dark lobules, ducts and ligament shadows are in all of them.
    """
    width = int(rng.integers(280, 421))
    height = int(width * rng.uniform(0.66, 0.86))
    rows, columns = np.mgrid[:height, :width].astype(float)
    empty = np.zeros((height, width))
    scene = Scene(rng, rows, columns, empty.copy(), np.full((height, width), -90.0), empty.copy(), [])
    gland_top, gland_bottom = _tissue(scene)
    for number in range(0 if tag == "normal" else lesions):
        _lesion(scene, tag, gland_top, gland_bottom, number, lesions)
    for _ in range(int(rng.integers(1, 4))):
        _ligament_shadow(scene, gland_top)
    return Drawn(image(scene), tuple(scene.masks))


def _tissue(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Skin, fat, gland and pectoral muscle; returns the rows where the gland begins and ends."""
    rng, (height, width) = scene.rng, scene.shape
    skin = curve(scene, rng.uniform(0.025, 0.05) * height, 1.0)
    slope = rng.normal(0, 0.05)
    gland_top = curve(scene, rng.uniform(0.2, 0.34) * height, 0.05 * height, slope)
    gland_bottom = curve(scene, rng.uniform(0.62, 0.74) * height, 0.035 * height, slope + rng.normal(0, 0.05))
    muscle_top = gland_bottom + rng.uniform(0.03, 0.08) * height
    muscle_end = muscle_top + rng.uniform(0.1, 0.2) * height
    _fill(scene, gland_top, gland_bottom, muscle_top, muscle_end)
    scene.echo[scene.rows < skin] += rng.uniform(16, 22)
    interface(scene, np.full(width, 1.0), 26, 1.2, gaps=0.0)
    interface(scene, skin, 20, 1.0, gaps=0.2)
    for _ in range(int(rng.integers(2, 6))):
        part = rng.uniform(0.25, 0.9)
        interface(
            scene, skin + part * (gland_top - skin) + curve(scene, 0, 0.03 * height), rng.uniform(4, 12), 0.8
        )
    interface(scene, gland_top, rng.uniform(9, 15), 1.0)
    interface(scene, gland_bottom, rng.uniform(4, 12), 1.0, gaps=0.6)
    interface(scene, muscle_top, rng.uniform(8, 16), 1.1, gaps=0.45)
    interface(scene, muscle_end, rng.uniform(8, 22), 1.5, gaps=0.45)
    return gland_top, gland_bottom


def _fill(
    scene: Scene,
    gland_top: np.ndarray,
    gland_bottom: np.ndarray,
    muscle_top: np.ndarray,
    muscle_end: np.ndarray,
) -> None:
    """Echo levels of the layers, each with a texture of its own."""
    rng, height = scene.rng, scene.shape[0]
    fat = _lobules(
        scene, rng.uniform(-14, -10), size=height * rng.uniform(0.1, 0.17), septa=rng.uniform(12, 20)
    )
    dense = rng.uniform(-4, 3)
    gland = dense + 2.0 * noise(scene, 8, 22) + _ducts(scene)
    gland += rng.uniform(2.5, 5) * _along(scene, noise(scene, 1.4, 11), gland_top)
    share = noise(scene, height / 14, height / 7) > rng.uniform(
        0.8, 1.9
    )  # fat among the gland: looks like a lesion
    gland = np.where(share, fat + rng.uniform(1, 4), gland)
    streaks = _along(scene, noise(scene, 1.3, 22), muscle_top)
    muscle = rng.uniform(-17, -11) + 4.5 * streaks + 4 * np.clip(streaks - 0.9, 0, 2)
    deep = rng.uniform(-27, -20) + 2.5 * _along(scene, noise(scene, 1.8, 18), muscle_end)
    echo = fat
    for start, layer, soft in ((gland_top, gland, 2.0), (gland_bottom, fat, 2.0), (muscle_top, muscle, 1.0)):
        echo = _blend(scene, echo, layer, start, soft)
    scene.echo = _blend(scene, echo, deep, muscle_end, 2.0)


def _blend(scene: Scene, above: np.ndarray, below: np.ndarray, row: np.ndarray, soft: float) -> np.ndarray:
    weight = 1 / (1 + np.exp(-np.clip((scene.rows - row[None, :]) / soft, -40, 40)))
    return np.asarray(above * (1 - weight) + below * weight)


def _along(scene: Scene, texture: np.ndarray, row: np.ndarray) -> np.ndarray:
    """A texture bent so that it runs along the interface at ``row``."""
    at = [scene.rows - row[None, :] + row.mean(), scene.columns]
    return np.asarray(map_coordinates(texture, at, order=1, mode="wrap"))


def _lobules(scene: Scene, level: float, size: float, septa: float) -> np.ndarray:
    """Cells of fat, wider than tall, with thin echogenic walls that are brighter the flatter they lie."""
    rng, (height, width) = scene.rng, scene.shape
    flat = 2.3  # lobules are that much wider than tall
    count = max(8, int(height * width / (size * size * flat)))
    seeds = np.stack(
        [rng.uniform(-size, height + size, count), rng.uniform(-size, width + size, count) / flat], 1
    )
    bend = 0.22 * size
    at = np.stack(
        [scene.rows + bend * noise(scene, 9, 18), (scene.columns + bend * noise(scene, 9, 18)) / flat],
        axis=2,
    )
    distance, which = KDTree(seeds).query(at.reshape(-1, 2), k=2)
    gap = (distance[:, 1] - distance[:, 0]).reshape(scene.shape)
    between = seeds[which[:, 1]] - seeds[which[:, 0]]
    facing = (np.abs(between[:, 0]) / np.linalg.norm(between, axis=1)).reshape(scene.shape)
    cells = level + rng.normal(0, 1.6, count)[which[:, 0]].reshape(scene.shape) + 1.3 * noise(scene, 2.5, 6)
    walls = septa * (0.35 + 0.65 * facing**2) * np.clip(0.75 + 0.35 * noise(scene, 4, 10), 0, 1.3)
    return np.asarray(cells + walls * np.exp(-((gap / 1.9) ** 2)))


def _ducts(scene: Scene) -> np.ndarray:
    """Short dark streaks in the gland."""
    return np.asarray(-9.0 * np.clip(noise(scene, 2.2, 8) - 1.25, 0, 1.1))


def _ligament_shadow(scene: Scene, gland_top: np.ndarray) -> None:
    """A Cooper ligament seen end on: a soft shadow that narrows nothing and ends nowhere."""
    rng, (height, width) = scene.rng, scene.shape
    column, wide = rng.uniform(0.05, 0.95) * width, rng.uniform(6, 22)
    start = gland_top[int(column)] * rng.uniform(0.5, 1.3)
    across = np.exp(-(((scene.columns - column - 0.04 * (scene.rows - start)) / wide) ** 2))
    scene.loss += (
        rng.uniform(0.03, 0.12) * across * (scene.rows > start) * (scene.rows < start + 0.35 * height)
    )


def _lesion(
    scene: Scene, tag: str, gland_top: np.ndarray, gland_bottom: np.ndarray, number: int, lesions: int
) -> None:
    rng, (height, width) = scene.rng, scene.shape
    share = width / lesions
    column = rng.uniform(0.25, 0.75) * share + number * share
    top, bottom = gland_top[int(column)], gland_bottom[int(column)]
    radius = height * float(np.clip(rng.lognormal(-2.1, 0.42), 0.05, 0.25)) / np.sqrt(lesions)
    row = rng.uniform(top + 0.1 * (bottom - top), bottom - 0.35 * (bottom - top))
    row = float(np.clip(row, 0.1 * height + 0.75 * radius, 0.8 * height - 0.6 * radius))
    (_benign if tag == "benign" else _malignant)(scene, row, column, radius)


def _polar(
    scene: Scene, row: float, column: float, tall: float, wide: float, tilt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Radius relative to an ellipse's edge (1 on the edge), and angle."""
    down, right = scene.rows - row, scene.columns - column
    along, athwart = right * np.cos(tilt) + down * np.sin(tilt), down * np.cos(tilt) - right * np.sin(tilt)
    return np.hypot(along / wide, athwart / tall), np.arctan2(athwart / tall, along / wide)


def _wobble(rng: np.random.Generator, angle: np.ndarray, orders: range, strength: float) -> np.ndarray:
    """A smooth closed outline's deviation from the ellipse, relative to its radius."""
    total = np.zeros_like(angle)
    for order in orders:
        total += rng.normal(0, 1) / order**0.7 * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    return strength * total


def _benign(scene: Scene, row: float, column: float, radius: float) -> None:
    """Oval, wider than tall, smooth, thin bright capsule; a cyst or a solid nodule; enhancement behind."""
    rng = scene.rng
    aspect = rng.uniform(1.25, 2.2)
    wide, tall = radius * np.sqrt(aspect), radius / np.sqrt(aspect)
    relative, angle = _polar(scene, row, column, tall, wide, rng.normal(0, 0.14))
    edge = relative / (1 + _wobble(rng, angle, range(2, 5), rng.uniform(0.01, 0.09)))
    inside = 1 / (1 + np.exp(np.clip((edge - 1) * tall / rng.uniform(0.7, 1.6), -40, 40)))
    is_cyst = rng.random() < 0.3
    level = rng.uniform(-38, -28) if is_cyst else rng.uniform(-20, -9)
    texture = (0.5 if is_cyst else 1.7) * noise(scene, 3, 6)
    scene.echo = scene.echo * (1 - inside) + (level + texture) * inside
    scene.shine = np.where(inside > 0.5, np.minimum(scene.shine, level + 4), scene.shine)
    facing = np.abs(np.sin(angle)) ** 1.5
    capsule = rng.uniform(6, 15) * facing - 3.5 * ((edge - 1.03) * tall / 1.1) ** 2 - 5 * (facing < 0.35)
    scene.shine = np.maximum(scene.shine, capsule)
    gain = rng.uniform(7, 14) if is_cyst else rng.uniform(-1, 8)
    scene.loss -= gain / (2 * tall) * (edge < 1)
    for side in (-1, 1):  # the beam is bent away at the flanks
        flank = np.exp(-(((scene.columns - column - side * 0.97 * wide) / 2.2) ** 2))
        scene.loss += rng.uniform(0.05, 0.2) * flank * (scene.rows > row) * (scene.rows < row + 3 * tall)
    scene.masks.append(edge < 1)


def _malignant(scene: Scene, row: float, column: float, radius: float) -> None:
    """Irregular, often taller than wide, spiculated, blurred margin with a bright halo, shadow behind."""
    rng = scene.rng
    radius *= 1.25
    aspect = rng.uniform(0.65, 1.35)
    wide, tall = radius * np.sqrt(aspect), radius / np.sqrt(aspect)
    relative, angle = _polar(scene, row, column, tall, wide, rng.normal(0, 0.3))
    core = 1 + np.clip(_wobble(rng, angle, range(2, 9), rng.uniform(0.09, 0.17)), -0.45, 0.5)
    spikes = np.zeros_like(angle)
    for _ in range(int(rng.integers(4, 11))):
        turn = np.angle(np.exp(1j * (angle - rng.uniform(-np.pi, np.pi))))
        spikes += rng.uniform(0.15, 0.6) * np.exp(-np.abs(turn) / rng.uniform(0.06, 0.16))
    ragged = 0.05 * noise(scene, 2.5, 3.5) + 0.05 * noise(scene, 5, 7)
    edge = relative / (core + spikes) + ragged
    inside = 1 / (1 + np.exp(np.clip((edge - 1) * radius / rng.uniform(1.3, 3.2), -40, 40)))
    level = rng.uniform(-25, -11)
    texture = 2.2 * noise(scene, 3, 5) + 1.8 * noise(scene, 8, 9)
    halo = rng.uniform(2, 6) * np.exp(-(((edge - 1.22) / 0.14) ** 2))
    scene.echo = (scene.echo + halo) * (1 - inside) + (level + texture) * inside
    scene.shine = np.where(inside > 0.5, np.minimum(scene.shine, level + 5), scene.shine)
    if rng.random() < 0.4:
        _calcifications(scene, row, column, radius)
    shadow = rng.uniform(4, 20) if rng.random() < 0.8 else rng.uniform(-4, 2)
    scene.loss += shadow / (2 * radius) * (edge < 1)
    scene.masks.append(gaussian_filter((relative / (core + 0.55 * spikes) < 1).astype(float), 1.6) > 0.5)


def _calcifications(scene: Scene, row: float, column: float, radius: float) -> None:
    rng = scene.rng
    for _ in range(int(rng.integers(3, 10))):
        down, right = rng.normal(0, 0.38 * radius, 2)
        far = ((scene.rows - row - down) / 0.8) ** 2 + ((scene.columns - column - right) / 1.2) ** 2
        scene.shine = np.maximum(scene.shine, rng.uniform(2, 12) - 4.3 * far)
