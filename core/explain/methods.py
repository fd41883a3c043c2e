"""The heatmap methods: formulas from evidence to a signed map, and the table of them. Pure NumPy.

Activations A and gradients G are (h, w, channels); k counts channels, sums over cells run over the grid. No
method applies the final ReLU, enlarges or scales: raw signed maps are stored, the screen does the rest.
Gradient methods do not change when a channel of A is multiplied by c and its gradient by 1/c, so maps of
different networks share a unit; those of activation methods do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.cards import MethodCard
from core.explain import controls, masked
from core.records import Evidence

TINY = float(np.finfo(np.float32).tiny)  # a channel that sums to less is off


@dataclass(frozen=True)
class Method:
    """One row of the table: what the reader is told, and the formula (evidence, options -> (h, w) signed map)."""

    card: MethodCard
    formula: Callable[..., np.ndarray]


def gradcam(evidence: Evidence) -> np.ndarray:
    """w_k = mean over the grid of G_k; L = sum of w_k A_k (Selvaraju et al. 2017, eq. 1 and 2, no ReLU)."""
    height, width, _ = evidence.gradients.shape
    return _weighted(evidence, _total(evidence.gradients) / (height * width))


def gradcampp(evidence: Evidence) -> np.ndarray:
    """w_k = sum of G / (2 + S_k G) over cells with G > 0, S_k = sum of A_k; L = sum of w_k A_k.

    Chattopadhay et al. 2018, eq. 19 times relu(G), in a form whose denominators are at least 2: no epsilon,
    which would drown small gradients.
    """
    total = np.maximum(_total(evidence.activations), 0)
    rising = np.maximum(evidence.gradients, 0)
    below = rising * total.astype(rising.dtype)
    below += 2
    return _weighted(evidence, _total(np.divide(rising, below, out=below)))


def hirescam(evidence: Evidence) -> np.ndarray:
    """L = sum of G_k A_k, cell by cell (Draelos and Carin 2020)."""
    return _summed(evidence.gradients, evidence.activations)


def layercam(evidence: Evidence) -> np.ndarray:
    """L = sum of relu(G_k) A_k (Jiang et al. 2021, eq. 6 and 7, no ReLU)."""
    return _summed(np.maximum(evidence.gradients, 0), evidence.activations)


def xgradcam(evidence: Evidence) -> np.ndarray:
    """w_k = sum of G_k A_k / sum of A_k, 0 where that is 0; L = sum of w_k A_k (Fu et al. 2020, eq. 8)."""
    top = np.einsum("ijk,ijk->k", evidence.gradients, evidence.activations, dtype=np.float64)
    total = _total(evidence.activations)
    return _weighted(evidence, np.divide(top, total, out=np.zeros_like(top), where=abs(total) > TINY))


def gradcam_elementwise(evidence: Evidence) -> np.ndarray:
    """L = sum of relu(G_k A_k) (as the library pytorch-grad-cam defines it)."""
    return np.asarray(np.einsum("ijk->ij", np.maximum(evidence.gradients * evidence.activations, 0)))


def segxrescam(evidence: Evidence, block: int = 0, pool: str = "mean") -> np.ndarray:
    """L = sum of G'_k A_k, G' the mean or max of G over blocks of ``block`` x ``block`` cells, repeated back.

    ``block`` is a power of two up to the side h of the grid; 0 means h / 4, at least 1. ValueError for one that
    does not divide h. Hasany, Petitjean and Meriaudeau 2023.
    """
    side, _, channels = evidence.gradients.shape
    block = block or max(side // 4, 1)
    if side % block:
        raise ValueError(f"block: expected a divisor of {side}, got {block}")
    cells = evidence.gradients.reshape(side // block, block, side // block, block, channels)
    pooled = cells.max(axis=(1, 3)) if pool == "max" else cells.mean(axis=(1, 3), dtype=np.float64)
    blocks = evidence.activations.reshape(cells.shape)
    found = np.einsum("ipjqk,ijk->ipjq", blocks, pooled.astype(blocks.dtype))
    return np.asarray(found.reshape(side, side))


def eigencam(evidence: Evidence, centred: bool = True) -> np.ndarray:
    """L = X v: X = A as (cells, channels), v its first right singular vector (Muhammad and Yeasin 2020).

    ``centred`` subtracts each channel's mean first, as the common implementations do; the paper does not. The
    sign, which the decomposition leaves open, makes the larger magnitude positive (Chung and Ying 2025).
    """
    height, width, channels = evidence.activations.shape
    x = evidence.activations.reshape(-1, channels).astype(np.float64)  # squares: float32 loses four digits
    if centred:
        x -= x.mean(axis=0)
    # the smaller of the two products: a full decomposition at 128 x 128 needs 1 GB
    if channels <= len(x):
        found = x @ np.linalg.eigh(x.T @ x)[1][:, -1]
    else:
        values, vectors = np.linalg.eigh(x @ x.T)
        found = vectors[:, -1] * np.sqrt(max(values[-1], 0))
    sign = -1 if abs(found.min()) > abs(found.max()) else 1
    return np.asarray(sign * found.reshape(height, width))


def _total(values: np.ndarray) -> np.ndarray:
    """Sums over the grid, (channels,) float64: of 16,384 small terms float32 loses digits."""
    return np.asarray(np.einsum("ijk->k", values, dtype=np.float64))  # twice as fast as sum


def _weighted(evidence: Evidence, weights: np.ndarray) -> np.ndarray:
    return np.asarray(evidence.activations @ weights.astype(evidence.activations.dtype))


def _summed(gradients: np.ndarray, activations: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("ijk,ijk->ij", gradients, activations))


ROWS = (
    Method(
        MethodCard(
            "gradcam", "Grad-CAM",
            "Places where the features that raise this score are active; "
            "each feature has one weight for the whole image.",
            "Selvaraju et al., ICCV 2017, arXiv 1610.02391", "gradients",
        ),
        gradcam,
    ),
    Method(
        MethodCard(
            "gradcampp", "Grad-CAM++",
            "Like Grad-CAM, but a feature that helps in a few places is not drowned by the rest.",
            "Chattopadhay et al., WACV 2018, arXiv 1710.11063", "gradients",
        ),
        gradcampp,
    ),
    Method(
        MethodCard(
            "hirescam", "HiResCAM",
            "How much each place itself adds to or takes from the score: the most literal map here.",
            "Draelos and Carin, 2020, arXiv 2011.08891", "gradients",
        ),
        hirescam,
    ),
    Method(
        MethodCard(
            "layercam", "LayerCAM",
            "Places whose features would raise the score if they were stronger; "
            "silent about what speaks against.",
            "Jiang et al., IEEE TIP 2021, doi 10.1109/TIP.2021.3089943", "gradients",
        ),
        layercam,
    ),
    Method(
        MethodCard(
            "xgradcam", "XGrad-CAM",
            "Grad-CAM with weights chosen so that the whole map adds up to the total of HiResCAM.",
            "Fu et al., BMVC 2020, arXiv 2008.02312", "gradients",
        ),
        xgradcam,
    ),
    Method(
        MethodCard(
            "gradcam_elementwise", "Grad-CAM element-wise",
            "Adds up supporting contributions alone; what cancels them is not subtracted.",
            "Gildenblat et al., library pytorch-grad-cam, 2021", "gradients",
        ),
        gradcam_elementwise,
    ),
    Method(
        MethodCard(
            "segxrescam", "Seg-XRes-CAM",
            "Between Grad-CAM and HiResCAM: each feature has one weight per block of the image.",
            "Hasany, Petitjean, Meriaudeau, CVPR workshops 2023", "gradients",
            options={"block": (0, 1, 2, 4, 8, 16, 32, 64, 128), "pool": ("mean", "max")},
        ),
        segxrescam,
    ),
    Method(
        MethodCard(
            "eigencam", "Eigen-CAM",
            "The strongest pattern in this layer, whatever the question: the same for every class.",
            "Muhammad and Yeasin, IJCNN 2020, arXiv 2008.00299", "activations",
            options={"centred": (True, False)},
        ),
        eigencam,
    ),
    Method(
        MethodCard(
            "scorecam", "Score-CAM",
            "Shows the image through each feature in turn and trusts the features "
            "under which the score survives.",
            "Wang et al., CVPR workshops 2020, arXiv 1910.01279", "passes",
            cost="one forward pass per feature, 64 by default", options=masked.OPTIONS,
        ),
        masked.scorecam,
    ),
    Method(
        MethodCard(
            "ablationcam", "Ablation-CAM",
            "Switches each feature off and weights it by how far the score falls.",
            "Desai and Ramaswamy, WACV 2020", "passes",
            cost="half a forward pass per feature, 64 by default", options=masked.OPTIONS,
        ),
        masked.ablationcam,
    ),
    Method(
        MethodCard(
            "occlusion", "Occlusion",
            "Covers a square of the image and records how far the score drops; looks at no layer.",
            "Zeiler and Fergus, ECCV 2014, arXiv 1311.2901", "passes", place="image",
            cost="225 forward passes", options=controls.OCCLUSION,
        ),
        controls.occlusion,
    ),
    Method(
        MethodCard(
            "integrated_gradients", "Integrated gradients",
            "Fades the image in from a blank one and adds up what each pixel does to the score.",
            "Sundararajan et al., ICML 2017, arXiv 1703.01365", "passes", place="image",
            cost="32 forward and backward passes, more until the map adds up", options=controls.INTEGRATED,
        ),
        controls.integrated_gradients,
    ),
)  # fmt: skip
METHODS = {row.card.name: row for row in ROWS}
