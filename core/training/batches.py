"""Prepared slices to batches: one draw of augmentation for picture and labels together."""

from __future__ import annotations

import keras
import numpy as np
from scipy import ndimage

from core.records import SIZE

# Full strength (augment=1) of each disturbance, for ultrasound. No up-down flip: shadows fall downwards.
ROTATION = 20.0  # degrees, either way
ZOOM = 1.25  # at most this factor larger or smaller
SHIFT = 0.10  # of the side
GAMMA = 1.5  # exponent between 1/GAMMA and GAMMA
LIGHT = 0.25  # brightness and contrast, either way
SPECKLE = 0.10  # largest standard deviation of multiplicative noise
BLUR = 0.8  # largest sigma, pixels


class Batches(keras.utils.PyDataset):
    """The batches of one epoch, in an order and with disturbances that depend on seed and epoch alone.

    images  (N, SIZE, SIZE, C) float32 0..1; labels (N, SIZE, SIZE) uint8; rows: which of them take part.
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
    ):
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=4)  # threads, in order
        self.images, self.labels = images, labels
        self.order = np.random.default_rng((seed, epoch)).permutation(rows)
        self.batch, self.seed, self.epoch, self.augment = batch, seed, epoch, augment

    def __len__(self) -> int:
        return len(self.order) // self.batch or 1  # whole batches: every step has the same shape

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.order[number * self.batch : (number + 1) * self.batch]
        pairs = [self._pair(int(row)) for row in rows]
        return np.stack([image for image, _ in pairs]), np.stack([labels for _, labels in pairs])[..., None]

    def _pair(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        image, labels = np.array(self.images[row]), np.array(self.labels[row])
        if not self.augment:
            return image, labels
        return disturbed(image, labels, np.random.default_rng((self.seed, self.epoch, row)), self.augment)


def disturbed(
    image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """One random view of (SIZE, SIZE, C) float32 0..1 and its (SIZE, SIZE) labels, moved by the same map.

    The image is interpolated linearly, the labels by nearest neighbour; outside is 0 in both.
    """
    matrix, offset = _placement(rng, strength)
    moved = [ndimage.affine_transform(image[..., c], matrix, offset, order=1) for c in range(image.shape[-1])]
    labels = ndimage.affine_transform(labels, matrix, offset, order=0)
    return _light(np.stack(moved, axis=-1), rng, strength), labels


def _placement(rng: np.random.Generator, strength: float) -> tuple[np.ndarray, np.ndarray]:
    angle = np.deg2rad(rng.uniform(-ROTATION, ROTATION) * strength)
    zoom = np.exp(rng.uniform(-1, 1) * np.log(ZOOM) * strength)
    flip = -1.0 if rng.random() < 0.5 else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([1.0, flip]) / zoom
    centre = np.full(2, (SIZE - 1) / 2)
    shift = rng.uniform(-SHIFT, SHIFT, 2) * SIZE * strength
    return matrix, centre - matrix @ (centre + shift)


def _light(image: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    gamma = np.exp(rng.uniform(-1, 1) * np.log(GAMMA) * strength)
    image = np.clip(image, 0, 1) ** gamma
    image = image * (1 + rng.uniform(-LIGHT, LIGHT) * strength) + rng.uniform(-LIGHT, LIGHT) * strength / 2
    if rng.random() < 0.5:
        image = image * (1 + rng.normal(0, rng.uniform(0, SPECKLE) * strength, image.shape))
    if rng.random() < 0.2:
        image = ndimage.gaussian_filter(image, (*[rng.uniform(0, BLUR) * strength] * 2, 0))
    return np.clip(image, 0, 1).astype(np.float32)
