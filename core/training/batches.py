"""Prepared slices to batches: one draw of augmentation for picture and labels together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from core.records import SIZE


@dataclass(frozen=True)
class Disturbances:
    """The largest change of each kind at full strength (augment=1)."""

    rotation: float  # degrees, either way
    zoom: float  # at most this factor larger or smaller
    shift: float  # of the side, either way
    flip: bool  # left and right exchanged in half of the views
    gamma: float  # exponent between 1/gamma and gamma
    light: float  # brightness and contrast, either way
    speckle: float  # standard deviation of multiplicative noise, in half of the views
    noise: float  # standard deviation of additive noise, of the value range, in half of the views
    blur: float  # sigma in pixels, in a fifth of the views


# No up-down flip: shadows fall downwards.
ULTRASOUND = Disturbances(20.0, 1.25, 0.10, True, 1.5, 0.25, speckle=0.10, noise=0.0, blur=0.8)
# No flip: it puts the liver on the wrong side. Patients differ in size within the field of view and in the phase of
# contrast, so zoom, gamma and light reach as far as in nnU-Net (Isensee et al., Nature Methods 2021).
CT = Disturbances(20.0, 1.4, 0.10, False, 1.5, 0.25, speckle=0.0, noise=0.05, blur=1.0)


class Batches:
    """The batches of one epoch, with disturbances that depend on seed and epoch alone.

    images  (N, SIZE, SIZE, C) float32 0..1; labels (N, SIZE, SIZE) uint8; rows: which of them take part, in order.
    Nothing is carried over between epochs, so that a resumed training sees what an uninterrupted one sees.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        rows: np.ndarray,
        *,
        batch: int,
        seed: int,
        epoch: int,
        augment: float,
        kind: Disturbances = ULTRASOUND,
    ):
        self.images, self.labels = images, labels
        self.rows, self.batch = rows, batch
        self.seed, self.epoch, self.augment, self.kind = seed, epoch, augment, kind

    def __len__(self) -> int:
        return len(self.rows) // self.batch or 1  # whole batches: every step has the same shape

    def draw(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch ``number`` from 0: images (batch, SIZE, SIZE, C) float32, labels (batch, SIZE, SIZE, 1) uint8."""
        rows = self.rows[number * self.batch : (number + 1) * self.batch]
        pairs = [self._pair(int(row)) for row in rows]
        return np.stack([image for image, _ in pairs]), np.stack([labels for _, labels in pairs])[..., None]

    def _pair(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        image, labels = np.array(self.images[row]), np.array(self.labels[row])
        if not self.augment:
            return image, labels
        rng = np.random.default_rng((self.seed, self.epoch, row))
        return disturbed(image, labels, rng, self.augment, self.kind)


def disturbed(
    image: np.ndarray,
    labels: np.ndarray,
    rng: np.random.Generator,
    strength: float,
    kind: Disturbances = ULTRASOUND,
) -> tuple[np.ndarray, np.ndarray]:
    """One random view of (SIZE, SIZE, C) float32 0..1 and its (SIZE, SIZE) labels, moved by the same map.

    The image is interpolated linearly, the labels by nearest neighbour; outside is 0 in both.
    """
    matrix, offset = _placement(rng, strength, kind)
    moved = [ndimage.affine_transform(image[..., c], matrix, offset, order=1) for c in range(image.shape[-1])]
    labels = ndimage.affine_transform(labels, matrix, offset, order=0)
    return _light(np.stack(moved, axis=-1), rng, strength, kind), labels


def _placement(
    rng: np.random.Generator, strength: float, kind: Disturbances
) -> tuple[np.ndarray, np.ndarray]:
    angle = np.deg2rad(rng.uniform(-kind.rotation, kind.rotation) * strength)
    zoom = np.exp(rng.uniform(-1, 1) * np.log(kind.zoom) * strength)
    flip = -1.0 if rng.random() < 0.5 and kind.flip else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([1.0, flip]) / zoom
    centre = np.full(2, (SIZE - 1) / 2)
    shift = rng.uniform(-kind.shift, kind.shift, 2) * SIZE * strength
    return matrix, centre - matrix @ (centre + shift)


def _light(image: np.ndarray, rng: np.random.Generator, strength: float, kind: Disturbances) -> np.ndarray:
    gamma = np.exp(rng.uniform(-1, 1) * np.log(kind.gamma) * strength)
    image = np.clip(image, 0, 1) ** gamma
    light = rng.uniform(-kind.light, kind.light, 2) * strength
    image = image * (1 + light[0]) + light[1] / 2
    if rng.random() < 0.5:
        if kind.speckle:
            image = image * (1 + rng.normal(0, rng.uniform(0, kind.speckle) * strength, image.shape))
        if kind.noise:
            image = image + rng.normal(0, rng.uniform(0, kind.noise) * strength, image.shape)
    if rng.random() < 0.2:
        image = ndimage.gaussian_filter(image, (*[rng.uniform(0, kind.blur) * strength] * 2, 0))
    return np.clip(image, 0, 1).astype(np.float32)
