"""How an ultrasound picture comes about: echo levels, interfaces, shadows and speckle, in decibels until the end.

The physics is textbook (Szabo, Diagnostic Ultrasound Imaging, 2014), reduced to what one sees: fully developed
speckle (complex Gaussian scatterers under a beam that widens with depth, so the envelope is Rayleigh distributed),
interfaces that shine where they lie across the beam, losses that cast shadows or leave enhancement behind, and
logarithmic compression. Lengths are in pixels, levels in dB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

RANGE_DB = 60.0  # between black and white
LOOKS = 2  # envelopes averaged, as scanners that compound do


@dataclass(eq=False)
class Scene:
    """A picture in the making; row 0 is the skin, depth runs downwards.

    echo    level of the scatterers; shine  level of interfaces, far below zero where there is none
    loss    per pixel of depth, beyond what the gain compensates; negative leaves enhancement behind
    """

    rng: np.random.Generator
    rows: np.ndarray
    columns: np.ndarray
    echo: np.ndarray
    shine: np.ndarray
    loss: np.ndarray
    masks: list[np.ndarray]

    @property
    def shape(self) -> tuple[int, int]:
        return self.echo.shape[0], self.echo.shape[1]


def noise(scene: Scene, down: float, across: float) -> np.ndarray:
    """Smooth noise of mean 0 and variance 1 with these correlation lengths."""
    step_down, step_across = (
        max(1, int(down / 2.5)),
        max(1, int(across / 2.5)),
    )  # smooth noise needs few points
    height, width = scene.shape
    coarse = scene.rng.standard_normal((-(-height // step_down) + 2, -(-width // step_across) + 2))
    coarse = gaussian_filter(coarse, (down / step_down, across / step_across), mode="wrap")
    values = _stretch(_stretch(coarse, step_down, height).T, step_across, width).T
    return np.asarray((values - values.mean()) / values.std())


def _stretch(values: np.ndarray, step: int, count: int) -> np.ndarray:
    """``count`` rows, each 1 / ``step`` of the distance between two given rows apart; linear."""
    at = np.arange(count) / step
    below = at.astype(int)
    part = (at - below)[:, None]
    between = values[below] if step == 1 else values[below] * (1 - part) + values[below + 1] * part
    return np.asarray(between)


def curve(scene: Scene, depth: float, swing: float, slope: float = 0.0) -> np.ndarray:
    """The row of a wavy interface in each column."""
    width = scene.shape[1]
    wave = gaussian_filter1d(scene.rng.standard_normal(width), width / 10, mode="reflect")
    wave = wave - wave.mean()
    return np.asarray(
        depth + swing * wave / max(1e-9, np.abs(wave).max()) + slope * (np.arange(width) - width / 2)
    )


def interface(scene: Scene, row: np.ndarray, level: float, thickness: float, gaps: float = 0.5) -> None:
    """A bright line along ``row``, broken where it does not lie across the beam."""
    steep = np.abs(np.gradient(row))
    along = gaussian_filter1d(scene.rng.standard_normal(row.size), scene.rng.uniform(8, 20))
    along = along / along.std()
    profile = level - 14 * steep - 13 * np.clip(along + 2 * gaps - 0.6, 0, 3)
    swollen = thickness * (1 + 0.35 * np.tanh(-along))
    distance = (scene.rows - row[None, :]) / swollen[None, :]
    scene.shine = np.maximum(scene.shine, profile[None, :] - 4.3 * distance**2)


def image(scene: Scene) -> np.ndarray:
    """The grey picture (H, W) uint8: speckle at these levels, seen through the losses, compressed."""
    rng, (height, width) = scene.rng, scene.shape
    behind = np.cumsum(scene.loss, axis=0)
    behind = np.vstack([np.zeros((1, width)), behind[:-1]])
    spread = gaussian_filter(behind, (1.5, 2.5))
    fall = -rng.uniform(4, 13) * (scene.rows / height) ** 2
    level = np.maximum(scene.echo, gaussian_filter(scene.shine, (0.4, 0.8))) - spread + fall
    amplitude = 10 ** (level / 20)
    far, near = np.sqrt(scene.rows / height), np.sqrt(1 - scene.rows / height)
    looks = [
        np.abs(near * _speckle(scene, amplitude, 0.8, 1.2) + far * _speckle(scene, amplitude, 1.0, 2.6))
        for _ in range(LOOKS)
    ]
    envelope = np.mean(looks, axis=0)
    floor = 10 ** (rng.uniform(-46, -40) / 20)  # of the electronics
    decibels = 20 * np.log10(gaussian_filter(envelope, (0.35, 0.55)) + floor)
    white = rng.uniform(15, 21)
    grey = 255 * np.clip((decibels - white + RANGE_DB) / RANGE_DB, 0, 1) ** rng.uniform(1.5, 2.2)
    return np.asarray(np.round(grey), dtype=np.uint8)


def _speckle(scene: Scene, amplitude: np.ndarray, down: float, across: float) -> np.ndarray:
    """Complex echo of unit mean power times ``amplitude``, through a beam of this size."""
    parts = scene.rng.standard_normal((2, *scene.shape), dtype=np.float32) * amplitude.astype(np.float32)
    seen = gaussian_filter(parts, (0, down, across)) * np.sqrt(2 * np.pi * down * across)
    return np.asarray(seen[0] + 1j * seen[1])
