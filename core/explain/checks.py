"""Would a map survive a change that should matter, or one that should not? Pure NumPy, SciPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core import preprocess
from core.explain import measures
from core.preprocess import enlarge
from core.records import SIZE

NOISE = 0.02  # of the range 0..1
SPECKLE = 0.1  # multiplicative, of each pixel's own value
GAINS = (0.9, 1.1)
NOISE_HU = 20.0  # abdominal CT at usual dose has 10 to 20 HU
WINDOW_SHIFTS_HU = (-20.0, -10.0, 10.0, 20.0)
DRAWS = 4  # of each kind of noise
KINDS = ("noise", "speckle", "gain")  # what ultrasound suffers
KINDS_CT = ("noise", "window", "neighbour")


def likeness(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Rank correlation and structural similarity of two signed maps (h, w), each over its own maximum.

    Ranks on the maps' own grid, similarity at 128 x 128. NaN where a map is constant, as nothing can be ranked.
    """
    if measures.is_constant(one) or measures.is_constant(other):
        return float("nan"), float("nan")
    # 0 becomes 0.5: of signed values the similarity would count two opposite signs as alike
    grey = [enlarge(0.5 + values / (2 * np.abs(values).max()), (SIZE, SIZE)) for values in (one, other)]
    return measures.spearman(one, other), measures.similarity(grey[0], grey[1], 1)


def stability(original: np.ndarray, disturbed: Sequence[np.ndarray]) -> float:
    """The largest relative change of the positive map: max norm(H' - H) / norm(H) (Yeh et al. 2019).

    0 for unchanged maps; NaN when H = 0 or nothing was disturbed.
    """
    positive = np.maximum(original, 0).astype(np.float64)
    size = float(np.sqrt((positive**2).sum()))
    if size == 0 or not len(disturbed):
        return float("nan")
    changes = [np.maximum(values, 0) - positive for values in disturbed]
    return max(float(np.sqrt((change**2).sum())) for change in changes) / size


def disturbed_pictures(image: np.ndarray, seed: int = 0) -> dict[str, list[np.ndarray]]:
    """Ten small changes of an ultrasound image (S, S, channels) in 0..1, by kind: noise, speckle and gain."""
    rng = np.random.default_rng(seed)
    noise = [image + NOISE * rng.normal(size=image.shape) for _ in range(DRAWS)]
    speckle = [image * (1 + SPECKLE * rng.normal(size=image.shape)) for _ in range(DRAWS)]
    found = dict(zip(KINDS, (noise, speckle, [image * gain for gain in GAINS]), strict=True))
    return {kind: [np.clip(one, 0, 1).astype(np.float32) for one in images] for kind, images in found.items()}


def disturbed_ct(
    picture_hu: np.ndarray, window_hu: tuple[float, float], neighbours: Sequence[np.ndarray], seed: int = 0
) -> dict[str, list[np.ndarray]]:
    """Up to ten small changes of a CT slice (H, W) in HU, as images (S, S, 1), by kind: noise, window, neighbour.

    Noise is added on the source grid, where it arises. ``neighbours`` are the images of the slices beside it.
    """
    rng = np.random.default_rng(seed)
    noise = [picture_hu + NOISE_HU * rng.normal(size=picture_hu.shape) for _ in range(DRAWS)]
    low, high = window_hu
    windows = [(low + shift, high + shift) for shift in WINDOW_SHIFTS_HU]
    noisy = list(preprocess.network_stack(np.stack(noise), window_hu))
    shifted = [preprocess.network_stack(picture_hu[None], window)[0] for window in windows]
    return dict(zip(KINDS_CT, (noisy, shifted, list(neighbours)), strict=True))
