"""What every number beside a map is, in one sentence for the reader: data only, for hover texts and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower", "neither"]  # which way is better


@dataclass(frozen=True)
class NumberCard:
    """What one number about a heatmap means.

    ``unit`` is "" for a plain ratio; ``low`` and ``high`` end its range, None where it is open; ``family`` is one
    of reference, organ, shape, redundancy, raw, faithfulness, reliability, agreement.
    """

    name: str
    title: str
    sentence: str
    family: str
    direction: Direction
    low: float | None = None
    high: float | None = None
    unit: str = ""
    source: str = ""


ROWS = (
    NumberCard(
        "energy_in_reference", "Energy in reference",
        "Share of the map's positive evidence that lies inside the expert's outline.",
        "reference", "higher", 0, 1, source="Wang et al., Score-CAM, CVPR workshops 2020",
    ),
    NumberCard(
        "lift", "Lift",
        "Energy in reference over the outline's share of the picture: 1 is what an even map has.",
        "reference", "higher", 0, None, "× chance",
    ),
    NumberCard(
        "pointing_hit", "Pointing game",
        "Whether the hottest point falls on the outline, half a cell of leeway; ties count by their share inside.",
        "reference", "higher", 0, 1, source="Zhang et al., Excitation Backprop, IJCV 2018",
    ),
    NumberCard(
        "topk_iou", "Top-area IoU",
        "Overlap (IoU) of the outline with the equally many pixels where the map is highest.",
        "reference", "higher", 0, 1, source="Arras et al., Information Fusion 2022 (rank accuracy r, as r/(2 - r))",
    ),
    NumberCard(
        "reference_iou", "Half-maximum IoU",
        "Overlap (IoU) of the outline with the pixels above half of the map's maximum.",
        "reference", "higher", 0, 1,
    ),
    NumberCard(
        "reference_iou_otsu", "Otsu IoU",
        "Overlap (IoU) of the outline with the pixels above Otsu's threshold of the map.",
        "reference", "higher", 0, 1, source="Otsu, IEEE Trans. SMC 1979",
    ),
    NumberCard(
        "reference_iou_best", "Best-threshold IoU",
        "The same overlap at the threshold that suits the map best: no threshold can do better.",
        "reference", "higher", 0, 1,
    ),
    NumberCard(
        "deviation_percent", "Deviation from the organ",
        "Share of the positive evidence that lies outside the liver, half a cell of leeway.",
        "organ", "lower", 0, 100, "%",
    ),
    NumberCard(
        "deviation_mm", "Distance from the organ",
        "How far outside the liver the positive evidence lies on average; evidence inside counts as 0 mm.",
        "organ", "lower", 0, None, "mm",
    ),
    NumberCard(
        "sparseness", "Sparseness",
        "How concentrated the positive evidence is (Gini index): 0 spread evenly, near 1 in a single spot.",
        "shape", "neither", 0, 1, source="Chalasani et al., ICML 2020",
    ),
    NumberCard(
        "entropy", "Spread",
        "Entropy of the positive evidence as a share of that of an even map: 1 spread evenly, 0 in one pixel.",
        "shape", "neither", 0, 1,
    ),
    NumberCard(
        "redundancy", "Redundancy",
        "Rank correlation of the map with the network's probability; from 0.95 the map is a copy of it.",
        "redundancy", "neither", -1, 1,
    ),
    NumberCard(
        "redundancy_iou", "Redundancy IoU",
        "Overlap (IoU) of the predicted region with the equally many pixels where the map is highest.",
        "redundancy", "neither", 0, 1,
    ),
    NumberCard(
        "raw_maximum", "Raw maximum",
        "The strongest supporting evidence in one cell, before any scaling.",
        "raw", "neither", None, None, "score per cell",
    ),
    NumberCard(
        "raw_minimum", "Raw minimum",
        "The strongest opposing evidence in one cell, before any scaling.",
        "raw", "neither", None, None, "score per cell",
    ),
    NumberCard(
        "score", "Score explained",
        "Mean of the explained score over the region asked about.",
        "raw", "neither", None, None, "score",
    ),
    NumberCard(
        "mean_probability", "Mean probability",
        "Mean of the class's probability over the region asked about.",
        "raw", "neither", 0, 1,
    ),
    NumberCard(
        "deletion", "Deletion",
        "Mean probability of the region while the map's highest places are blurred away first: low means that the "
        "score depends on them.",
        "faithfulness", "lower", 0, 1, source="Petsiuk et al., RISE, BMVC 2018",
    ),
    NumberCard(
        "insertion", "Insertion",
        "Mean probability of the region while the map's highest places are put back first into a blurred image.",
        "faithfulness", "higher", 0, 1, source="Petsiuk et al., RISE, BMVC 2018",
    ),
    NumberCard(
        "fall_at_10", "Fall at 10 %",
        "How much the region's mean probability falls when the highest tenth of the map is blurred away.",
        "faithfulness", "higher", -1, 1,
    ),
    NumberCard(
        "dice_deletion", "Outline under deletion",
        "Mean Dice of the outline drawn on the changed image with the first outline, over the same steps.",
        "faithfulness", "lower", 0, 1,
    ),
    NumberCard(
        "road", "ROAD",
        "Half the gap in probability between removing the least and the most relevant pixels, which are filled in "
        "from their neighbours.",
        "faithfulness", "higher", -0.5, 0.5, source="Rong et al., ICML 2022, arXiv 2202.00449",
    ),
    NumberCard(
        "random_rank", "Random weights: ranks",
        "Rank correlation of the map with that of the same network after its weights were drawn anew.",
        "reliability", "lower", -1, 1, source="Adebayo et al., NeurIPS 2018, arXiv 1810.03292",
    ),
    NumberCard(
        "random_similarity", "Random weights: similarity",
        "Structural similarity of those two maps; passes below that of maps of two different cases.",
        "reliability", "lower", -1, 1, source="Arun et al., Radiology: AI 2021, arXiv 2008.02766",
    ),
    NumberCard(
        "stability", "Stability",
        "The largest relative change of the map under ten small disturbances of the image, the region kept.",
        "reliability", "lower", 0, None, source="Yeh et al., NeurIPS 2019, arXiv 1901.09392",
    ),
    NumberCard(
        "agreement_rank", "Agreement: ranks",
        "Rank correlation of two networks' maps.",
        "agreement", "neither", -1, 1,
    ),
    NumberCard(
        "agreement_similarity", "Agreement: similarity",
        "Structural similarity of two networks' positive maps on one scale.",
        "agreement", "neither", -1, 1, source="Wang et al., IEEE TIP 2004",
    ),
    NumberCard(
        "agreement_top", "Agreement: top tenth",
        "Overlap (IoU) of the highest tenth of two networks' maps.",
        "agreement", "neither", 0, 1,
    ),
    NumberCard(
        "divergence", "Divergence",
        "Jensen-Shannon divergence of two networks' positive evidence: 0 the same places, 1 no place in common.",
        "agreement", "neither", 0, 1, "bit", "Lin, IEEE Trans. Information Theory 1991",
    ),
)  # fmt: skip
FOCUS_NUMBERS = {row.name: row for row in ROWS}
BASELINES = {  # maps without any insight, which a map has to beat: title, what it is
    "uniform": ("Even map", "the same value everywhere"),
    "gaussian": (
        "Centred blob",
        "a Gaussian in the middle whose half-maximum disc has the area of the region",
    ),
    "probability": ("Probability", "the network's own probability: beaten by no map that only repeats it"),
    "edges": ("Edges", "the Sobel edges of the image, which know neither network nor question"),
}
