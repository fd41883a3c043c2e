"""Stored results of CT volumes -> the scoreboard's tables: mm and ml, lesions, burden, and the split by slices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from pages.parts import leakage_board, tables, words
from pages.parts.tables import trainings

Row = Mapping[str, Any]
Columns = Mapping[
    str, tuple[str, str, str]
]  # column: record's metric, its convention, definition for the hover

OVERLAP: Columns = {
    "Dice per volume": (
        "dice",
        "per_case",
        "2 TP / (2 TP + FP + FN) of each volume, then the mean; missed: 0",
    ),
    "Dice global": (
        "dice",
        "pooled",
        "voxels of all volumes summed, then the formula once; large ones dominate",
    ),
    "Recall": (
        "recall",
        "per_case",
        "TP / (TP + FN): share of the reference that was found; mean",
    ),
    "Precision": (
        "precision",
        "per_case",
        "TP / (TP + FP): share of the prediction that is right; mean",
    ),
    "VOE": ("voe", "per_case", "volumetric overlap error 1 - IoU, 0 is perfect; mean over volumes"),
    "Dice per volume, 128 grid": (
        "dice",
        "per_case_128",
        "the same Dice on the 128 x 128 grid of the networks",
    ),
    "Dice global, 128 grid": ("dice", "pooled_128", "voxels of all volumes on the 128 x 128 grid"),
}
SURFACE: Columns = {
    "HD95": (
        "hd95",
        "per_case",
        "larger of the two directed 95th percentiles of the surface distance",
    ),
    "ASSD": ("assd", "per_case", "average symmetric surface distance: mean over the voxels of both surfaces"),
    "RMSD": ("rmsd", "per_case", "root mean square of the same distances"),
    "HD": ("hd", "per_case", "largest distance between the surfaces (MSD in the LiTS challenge)"),
    "NSD at 2 mm": (
        "nsd_2mm",
        "per_case",
        "share of both surfaces within 2 mm of the other; missed: 0",
    ),
    "NSD at 5 mm": (
        "nsd_5mm",
        "per_case",
        "share of both surfaces within 5 mm of the other; missed: 0",
    ),
}
VOLUME: Columns = {
    "RVD": ("rvd", "per_case", "(|P| - |R|) / |R|, signed: 0 is perfect, negative is too small"),
    "RVD-challenge": (
        "rvd_challenge",
        "per_case",
        "(|R| - |P|) / |P|, as the LiTS challenge computes it",
    ),
    "Error": ("volume_error_ml", "per_case", "predicted minus reference volume, signed; mean over volumes"),
    "Absolute error": ("abs_volume_error_ml", "per_case", "the same without its sign"),
    "Error in %": (
        "volume_error_percent",
        "per_case",
        "predicted minus reference in percent of the reference",
    ),
    "Absolute error in %": ("abs_volume_error_percent", "per_case", "the same without its sign"),
}
BURDEN: Columns = {
    "Burden RMSE": (
        "burden_rmse",
        "over volumes",
        "root mean square error, in percentage points",
    ),
    "Burden mean error": (
        "burden_mean",
        "over volumes",
        "predicted minus reference burden, mean over volumes",
    ),
    "Burden largest error": ("burden_max_abs", "over volumes", "largest absolute error of one volume"),
}
LESIONS: Columns = {
    f"{title}, IoU > {shown}": (f"lesion_{metric}_{at}", "lesion-wise", text)
    for at, shown in (("0", "0"), ("50", "0.5"))
    for title, metric, text in (
        ("Recall", "recall", "share of the reference lesions that are detected, pooled over volumes"),
        ("Precision", "precision", "share of the predicted lesions that are right, pooled over volumes"),
        ("F1", "f1", "harmonic mean of recall and precision"),
        ("False lesions per volume", "false_positives", "predicted lesions that are not right, per volume"),
    )
} | {
    "Dice of detected": (
        "lesion_dice_50",
        "lesion-wise",
        "mean Dice of the lesions detected at IoU > 0.5; only beside its recall: detecting less can look better",
    )
}
LESION_RULE = (
    "A lesion is a face-connected component of the tumour. Lesions of reference and prediction that share a voxel "
    "form a group; the IoU of a group decides whether its lesions are detected and right."
)
DISTANCES = ("hd95", "hd", "assd", "rmsd")
SIGNED = ("rvd", "rvd_challenge", "volume_error_ml", "volume_error_percent", "burden_mean")


def is_volumes(stored: Any) -> bool:
    """Whether these are results of CT volumes."""
    return bool(stored.header.get("n_unit") == "volumes")


def by_slice(stored: Any, runs: Mapping[str, str]) -> bool:
    """Whether these runs were trained and tested on a split by slices: the paper's protocol."""
    return any(stored.runs[run].get("by_slice") for run in runs)


def header_line(stored: Any, run: str) -> str:
    """What every number of a column carries: aggregation, rule, threshold, grid, n, split."""
    about, head = stored.runs[run], stored.header
    unit = "slices, not independent" if about["by_slice"] else "volumes"
    n = about["n_slices"] if about["by_slice"] else about["n_images"]
    hashes = " + ".join(one[:8] for one in about["split_sha256"].split(" + "))
    patients = words.many(about["n_patients"], "patient")
    said = [
        "liver with its tumours, and tumour",
        f"empty masks: {head['rule']}",
        head["threshold"],
        f"{head['grid']} grid",
        f"n = {n} {unit}, {patients}",
        f"{about['part']} part of {about['split'] or 'no split (external set)'}, {hashes}",
        f"width {about['width']}",
        *([about["note"]] if "note" in about else []),
    ]
    return " · ".join(said)


def table(stored: Any, runs: Mapping[str, str], name: str, columns: Columns) -> pd.DataFrame:
    """One row per network, one column per number, each with its unit, its own n and what is undefined in words."""
    rows = {}
    for run, title in runs.items():
        found = {
            (row["metric"], row["convention"]): row
            for row in stored.records
            if row["run"] == run and row["class"] == name
        }
        rows[title] = {column: _said(found.get(key[:2])) for column, key in columns.items()}
    return pd.DataFrame(rows).T


def _said(row: Row | None) -> str:
    """A record as text with its unit and n, and on how many nothing was drawn, where that has no value."""
    if row is None or row["value"] is None or not math.isfinite(row["value"]):
        return tables.value(row)
    unit, sign = row.get("unit", "ratio"), "+" if row["metric"] in SIGNED else ""
    text = format(row["value"], f"{sign}.{1 if unit in ('mm', 'ml', '%') else 3}f")
    text += {"mm": " mm", "ml": " ml", "%": " %", "percentage points": " pp"}.get(unit, "")
    said = [f"n = {row['n']}"]
    if row["metric"] in DISTANCES:
        said.append(f"empty {row['missed']}")
    elif row.get("undefined"):
        said.append(f"undefined {row['undefined']}")
    return f"{text} ({', '.join(said)})"


def lesion_sizes(stored: Any, runs: Mapping[str, str]) -> pd.DataFrame:
    """Lesions found by size, as detected of all; columns are the sizes."""
    rows: dict[str, dict[str, str]] = {}
    for row in stored.summary["lesion_sizes"]:
        if row["run"] in runs:
            for at, shown in (("0", "0"), ("50", "0.5")):
                own = rows.setdefault(f"{runs[row['run']]}, IoU > {shown}", {})
                own[row["size"]] = f"{row[f'detected_{at}']} of {row['n']}" if row["n"] else "no such lesion"
    return pd.DataFrame(rows).T


def false_alarms(stored: Any, runs: Mapping[str, str], name: str) -> pd.DataFrame:
    """Volumes without the class: how many stay clean, and what is drawn otherwise."""
    rows = {}
    for row in stored.summary["false_alarms"]:
        if row["run"] in runs and row["class"] == name:
            size = row["median_false_ml"]
            rows[runs[row["run"]]] = {
                f"Volumes without {name}, clean": f"{row['clean']} of {row['lesion_free']}"
                if row["lesion_free"]
                else "no such volume",
                "Median drawn there": f"{size:.1f} ml"
                if size is not None
                else f"{words.UNDEFINED}: none drawn on",
                f"Volumes with {name}, missed altogether": tables.missed(row),
            }
    return pd.DataFrame(rows).T


def leakage(stored: Any) -> pd.DataFrame:
    """The same network tested on unseen patients and on random slices, and the outline copied without any."""
    rows, found = [], stored.summary["leakage"]
    for name, row in zip(leakage_board.networks(stored, found), found, strict=True):
        first, second = (words.number(value) for value in row["values"])
        rows.append(
            {
                "Network": name,
                "Class": row["class"],
                "Unseen patients": f"{first} (n = {row['n'][0]})",
                "Random slices": f"{second} (n = {row['n'][1]})",
                "Difference": tables.difference(row["difference"]),
                "Copied outline, no network": words.number(row["copy_nearest"]),
            }
        )
    return pd.DataFrame(rows)


def same_slices(stored: Any) -> pd.DataFrame:
    """The same test slices by a network that saw nothing of the patient and by one that saw slices beside them."""
    found = [row for row in stored.summary["leakage"] if row.get("same_slices")]  # not in older results
    rows = []
    for name, row in zip(leakage_board.networks(stored, found), found, strict=True):
        same = row["same_slices"]
        unseen, known = (words.number(value) for value in same["values"])
        low, high = same["volumes"]
        patients = words.many(same["n_groups"], "patient")
        rows.append(
            {
                "Network": name,
                "Class": row["class"],
                "Patient unseen": unseen,
                "Other slices seen": known,
                "Difference": tables.difference(same["difference"]),
                "Of single volumes": f"{tables.difference(low)} to {tables.difference(high)}",
                "95 % interval": tables.signed_interval(same),
                "n": f"{same['n']} slices, {same['n_volumes']} volumes, {patients}",
            }
        )
    return pd.DataFrame(rows)


def every_volume(stored: Any, runs: Mapping[str, str], titles: Mapping[str, str]) -> pd.DataFrame:
    """One row per volume and network: Dice, distance, lesions and burden; the lowest tumour Dice first."""
    own = trainings(stored, runs)
    by_key: dict[tuple[str, str], dict[str, Row]] = {}
    for row in stored.scores:
        if row["run"] in own and row["unit"] == "volume":
            by_key.setdefault((row["case"], row["run"]), {})[row["class"]] = row
    rows: list[dict[str, Any]] = []
    for (case, run), found in by_key.items():
        liver, tumour = found.get("liver"), found.get("tumour")
        if liver is None or tumour is None:
            continue
        rows.append(
            {
                "Volume": case,
                "Patient": tumour["group"],
                "Network": titles.get(tumour["model"], tumour["model"]),
                "Liver Dice": words.number(liver["dice"]),
                "Liver HD95 (mm)": words.number(liver["hd95_mm"], 1),
                "Tumour Dice": _or_why(tumour, "dice"),
                "Tumour HD95 (mm)": words.number(tumour["hd95_mm"], 1)
                if math.isfinite(tumour["hd95_mm"])
                else f"{words.UNDEFINED}: {tumour['why'].get('hd95', 'undefined')}",
                "Tumour, reference (ml)": f"{tumour['volume_ref_ml']:.1f}",
                "Tumour, predicted (ml)": f"{tumour['volume_pred_ml']:.1f}",
                "Lesions found": f"{tumour['detected_0']} of {tumour['lesions_ref']}",
                "False lesions": str(tumour["lesions_pred"] - tumour["right_0"]),
                "Burden, reference / predicted (%)": f"{words.number(tumour['burden_ref'], 2)} / "
                f"{words.number(tumour['burden_pred'], 2)}",
                "Best at 128 (tumour)": words.number(tumour["ceiling_dice"]),
                "order": tumour["dice"] if math.isfinite(tumour["dice"]) else 2.0,
            }
        )
        rows[-1]["run"] = run
    rows.sort(key=lambda row: (row["order"], row["Volume"]))
    return pd.DataFrame(rows).drop(columns=["order", "run"], errors="ignore")


def _or_why(row: Row, metric: str) -> str:
    if math.isfinite(row[metric]):
        return words.number(row[metric])
    return f"{words.UNDEFINED}: {row['why'].get(metric, 'undefined')}"
