"""The questions and states of heatmaps in the reader's words."""

from __future__ import annotations

from core.explain.targets import BAND
from core.records import Target

KIND_TITLES = {
    "log_odds": "log-odds",  # the same unit in every dataset: +1 means odds times 2.7
    "logit": "logit",
    "probability": "probability",
    "contrast": "contrast",
}
REGION_TITLES = {
    "predicted": "predicted region",
    "whole_image": "whole image (paper mode)",
    "reference": "reference region",
    "missed": "missed part (in the reference, not predicted)",
    "invented": "invented part (predicted, not in the reference)",
    "mistaken": "part mistaken for another class",
    "component": "one connected region",
    "pixel": "one point",
    "boundary": "band along the outline",
    "top_percent": "1 % of pixels with the highest probability",
    "shared": "one region for all networks",
}
ORDINALS = ("largest", "second largest", "third largest")


def sentence(target: Target, network_title: str) -> str:
    """The question in the reader's words, such as "Why does U-Net call this area tumour?"."""
    name, who = target.class_name, network_title
    if target.kind == "contrast":
        name = f"{name} rather than {target.rival}"
    if target.region == "whole_image":  # its usual score is the paper's, so the score is always said
        score = f"{target.class_name} {KIND_TITLES[target.kind]}"
        versus = f" against {target.rival}" if target.kind == "contrast" else ""
        return f"What raises {who}'s mean {score}{versus} over the whole image? (paper mode)"
    asked = {
        "predicted": f"Why does {who} call this area {name}?",
        "reference": f"What speaks for and against {name}, to {who}, where the expert drew it?",
        "missed": f"What kept {who} from calling this part {name}? Look at what speaks against.",
        "invented": f"What misled {who} into calling this part {name}?",
        "mistaken": f"Why does {who} call this part {target.rival}, where the expert drew {target.class_name}?",
        "component": f"Why does {who} call this {name}: the {_which(target)}?",
        "pixel": f"Why does {who} say {name} just here, at row {target.row}, column {target.column}?",
        "boundary": f"What decides the outline that {who} draws round {name}{_half(target)}?",
        "top_percent": f"What speaks for {name}, to {who}, where it is likeliest? (1 % of the pixels)",
        "shared": f"What speaks for and against {name}, to {who}, in the region that all networks are asked about?",
    }[target.region]
    usual = ("log_odds", "contrast")
    return asked if target.kind in usual else f"{asked} (score: {KIND_TITLES[target.kind]})"


def _which(target: Target) -> str:
    place = ORDINALS[target.index - 1] if target.index <= len(ORDINALS) else f"{target.index}th largest"
    return f"{place} region {'it predicts' if target.of == 'predicted' else 'of the reference'}"


def _half(target: Target) -> str:
    return {"both": "", "inner": f", on its inner {BAND} pixels", "outer": f", on its outer {BAND} pixels"}[
        target.side
    ]


def state_sentence(state: str, target: Target, network_title: str) -> str:
    """A heatmap's state in the reader's words; empty for ``ok``."""
    if state == "empty_region":
        return _nothing(target, network_title)
    return {
        "ok": "",
        "saturated": "Saturated: the probability is at its limit; ask in log-odds.",
        "no_positive_evidence": "No positive evidence: nothing in this layer raises the score.",
        "redundant_with_prediction": "Repeats the prediction: this map says nothing new about where.",
    }[state]


def _nothing(target: Target, who: str) -> str:
    """Why a region is empty, and who is the reason."""
    name = target.class_name
    if target.region == "top_percent":
        return f"{who} predicts no {name} here: this explains the 1 % of pixels where it is likeliest."
    return "Nothing to explain: " + {
        "reference": f"the expert drew no {name} here.",
        "missed": f"{who} missed none of the expert's {name} here.",
        "invented": f"{who} calls nothing {name} that the expert did not.",
        "mistaken": f"{who} calls none of the expert's {name} {target.rival}.",
        "component": f"the reference has fewer regions of {name}."
        if target.of == "reference"
        else f"{who} predicts fewer regions of {name} here.",
        "boundary": f"{who} draws no outline of {name} here.",
        "shared": f"the region chosen for all networks holds no {name}.",
    }.get(target.region, f"{who} predicts no {name} here.")
