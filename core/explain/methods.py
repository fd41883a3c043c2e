"""The heatmap methods: formulas from evidence to a signed map, and the table of them. Pure NumPy.

Activations A and gradients G are (h, w, channels); k counts channels. No method applies the final ReLU,
enlarges or scales: raw signed maps are stored, the screen does the rest. Gradient methods do not change when
a channel of A is multiplied by c and its gradient by 1/c, so maps of different networks share a unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.cards import MethodCard
from core.records import Evidence


@dataclass(frozen=True)
class Method:
    """One row of the table: what the reader is told, and the formula (evidence -> (h, w) signed map)."""

    card: MethodCard
    formula: Callable[[Evidence], np.ndarray]


def gradcam(evidence: Evidence) -> np.ndarray:
    """w_k = mean over the grid of G_k; L = sum of w_k A_k (Selvaraju et al. 2017, eq. 1 and 2, no ReLU)."""
    activations, gradients = evidence.activations, evidence.gradients
    weights = gradients.mean(axis=(0, 1), dtype=np.float64)  # 16,384 small terms: float32 loses digits
    return np.asarray(activations @ weights.astype(activations.dtype))


def hirescam(evidence: Evidence) -> np.ndarray:
    """L = sum of G_k A_k, cell by cell (Draelos and Carin 2020)."""
    return np.asarray(np.einsum("ijk,ijk->ij", evidence.gradients, evidence.activations))


ROWS = (
    Method(
        MethodCard(
            name="gradcam",
            title="Grad-CAM",
            sentence="Places where the features that raise this score are active; "
            "each feature has one weight for the whole image.",
            paper="Selvaraju et al., ICCV 2017, arXiv 1610.02391",
            needs="gradients",
        ),
        gradcam,
    ),
    Method(
        MethodCard(
            name="hirescam",
            title="HiResCAM",
            sentence="How much each place itself adds to or takes from the score: the most literal map here.",
            paper="Draelos and Carin, 2020, arXiv 2011.08891",
            needs="gradients",
        ),
        hirescam,
    ),
)
METHODS = {row.card.name: row for row in ROWS}
