"""Stored answers of the heatmap checks, made from a few numbers without any network."""

from __future__ import annotations

import math
from pathlib import Path

from core import certificates, claims, runs
from core.summary_checks import summarise
from core.summary_claim import NUMBERS, differences, means, verdicts

TITLES = {"multiresunet": "MultiResUNet", "unet": "U-Net", "dcunet": "DC-UNet"}
PLACES = [(layer, method) for layer in ("bottleneck", "decoder_1") for method in ("gradcam", "hirescam")]


def write_claim(dataset: str, gap: float, groups: int = 8, class_name: str = "tumour") -> Path:
    """An answer in which MultiResUNet has ``gap`` more of its energy in the reference than either rival."""
    models = {runs.run_name(dataset, model, 0): model for model in TITLES}
    rows = []
    for run, model in models.items():
        own = gap if model == "multiresunet" else 0.0
        for at in range(groups):
            about = {"case": f"benign-{at}", "index": 0, "group": f"g{at}", "run": run, "class": class_name}
            for layer, method in [*PLACES, ("bottleneck", "baseline uniform")]:
                energy = 0.1 if method.startswith("baseline") else 0.4 + own + own * at / 100
                numbers = dict.fromkeys(NUMBERS, math.nan) | {"energy_in_reference": energy}
                rows.append(
                    {**about, "layer": layer, "dice": 0.8, "method": method, "state": "ok", **numbers}
                )
    found = differences(rows, models)
    header = {
        "format": claims.FORMAT, "dataset": dataset, "runs": models, "n_slices": groups, "n_groups": groups,
        "group": "near-duplicate cluster", "caution": "single run per network",
        "weights": {name: runs.read_run(name).weights_sha256 for name in models},
    }  # fmt: skip
    tables = {claims.ROWS: rows, claims.MEANS: means(rows), claims.DIFFERENCES: found}
    return claims.write(dataset, header, verdicts(found, TITLES), tables)


def write_certificate(run: str, drawn: float = 0.1, groups: int = 8) -> Path:
    """A certificate whose maps have the likeness ``drawn`` with those of random weights; two cases have 0.5."""
    rows = []
    for at in range(groups):
        about = {"case": f"benign-{at}", "index": 0, "group": f"g{at}", "class": "tumour"}
        numbers = {
            "random_similarity_logits": 0.9, "random_similarity_all": drawn + at / 1000, "stability": 0.3,
            "stability_noise": 0.2, "deletion": 0.3 + at / 1000, "insertion": 0.6, "pairs_similarity": 0.5,
        }  # fmt: skip
        rows += [{**about, "layer": layer, "method": method, **numbers} for layer, method in PLACES]
        worse = dict.fromkeys(numbers, math.nan) | {"deletion": 0.5, "insertion": 0.4}
        rows.append({**about, "layer": "bottleneck", "method": "baseline edges", **worse})
    which = runs.read_run(run)
    header = {
        "format": certificates.FORMAT, "weights_sha256": which.weights_sha256, "class": "tumour",
        "layers": ["bottleneck", "decoder_1"], "methods": ["gradcam", "hirescam"], "disturbances": ["noise"],
        "depths": ["logits", "all"], "n_cases": groups, "n_groups": groups, "group": "near-duplicate cluster",
    }  # fmt: skip
    return certificates.write(which, header, summarise(rows), rows)
