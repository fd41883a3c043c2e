"""Data cards and model cards, generated from what is stored; an empty field says "not reported"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from core import CoreError, DatasetCard, NetworkCard, Run
from pages.parts import cached, choices, words

NOT_REPORTED = "not reported"
PACKAGES = (
    "streamlit",
    "numpy",
    "scipy",
    "scikit-image",
    "keras",
    "tensorflow-cpu",
    "tensorflow",
    "plotly",
    "pandas",
)


def dataset_rows(card: DatasetCard, prepared: Mapping[str, Any] | None) -> dict[str, str]:
    """A data card as rows; ``prepared`` is the content of card.json, None when it is not on this machine."""
    rows = {
        "What": f"{card.modality}; {'computer-drawn phantoms' if card.synthetic else 'real images'}",
        "Source": card.source,
        "Licence": card.licence,
        "Citation": card.citation,
        "Classes": ", ".join(card.classes),
        "Reference": "outlines as published; readers and their agreement " + NOT_REPORTED,
        "Kept in one part": f"each {card.group}",
        "Distances": "pixels of the source picture" if card.unit == "px" else card.unit,
        "Known defects": "; ".join(card.known_defects),
    }
    if prepared is None:
        command = "demo" if card.synthetic else f"prepare {card.layout} --from FOLDER"
        return rows | {"On this machine": f"not prepared. python -m core {command}"}
    flags = ", ".join(f"{words.flag(name)}: {count}" for name, count in _flags(prepared).items())
    refused = prepared.get("refused") or []
    return rows | {
        "On this machine": f"{prepared.get('cases', NOT_REPORTED)} cases"
        + "".join(f", {count} {tag}" for tag, count in (prepared.get("tags") or {}).items()),
        "Groups": _groups(prepared.get("groups") or {}),
        "Cases per part": parts_of(card),
        "Quality flags": flags or "none",
        "Refused files": str(len(refused)) if refused else "none",
        "Checksum": str(prepared.get("sha256", NOT_REPORTED))[:16],
    }


def _groups(found: Mapping[str, int]) -> str:
    if not found:
        return NOT_REPORTED
    return (
        f"{found.get('groups')} in all; {found.get('multi_image')} of several images, the largest of "
        f"{found.get('largest')}; {found.get('cross_class')} with images of two kinds"
    )


def _flags(prepared: Mapping[str, Any]) -> dict[str, int]:
    found = prepared.get("flags") or {}
    return {name: count if isinstance(count, int) else len(count) for name, count in found.items()}


def parts_of(card: DatasetCard) -> str:
    """How many cases are in each part of the default split."""
    if not card.splits:
        return "external test set: nothing is trained on it"
    try:
        split = cached.split(card.name, card.splits[0])
    except CoreError as error:
        return str(error)
    return f"{split.name}: {sizes(card, split.parts)}; {split.rule}; checksum {split.sha256[:8]}"


def sizes(card: DatasetCard, parts: Mapping[str, Sequence[str]]) -> str:
    """How large each part of a split is; of volumes a part may hold whole ones, single slices or both."""
    if not card.has_volumes:
        return ", ".join(f"{part} {words.many(len(cases), 'image')}" for part, cases in parts.items())
    said = []
    for part, names in parts.items():
        slices = sum("/" in name for name in names)
        counts = (len(names) - slices, "volume"), (slices, "slice")
        known = [words.many(count, unit) for count, unit in counts if count]
        said.append(f"{part} {' and '.join(known) or 'none'}")
    return ", ".join(said)


def model_rows(run: Run, network: NetworkCard, scored: Mapping[str, str]) -> dict[str, str]:
    """A model card as rows, from run.json; ``scored`` are test results in words, empty when there are none."""
    told = run.manifest
    config, parts = told.get("config") or {}, (told.get("split") or {}).get("parts") or {}
    weights = told.get("weights") or {}
    rows = {
        "Intended use": told.get("use"),
        "Architecture": f"{network.title}, width {run.width}. {network.paper}",
        "Differs from its paper": network.differs,
        "Parameters": _count(told.get("parameters") or weights.get("parameters")),
        "Trained on": f"{run.dataset}, split {run.split} ({run.split_sha256[:8]})",
        "Began with": _beginning(told.get("pretrained")),
        "Cases per part": _trained_parts(run, parts),
        "Parts are disjoint by": choices.PROTOCOLS.get(run.split) if parts else None,
        "Preparation": "grey values to 128 × 128, anti-aliased; masks never interpolated",
        "Settings": ", ".join(
            f"{key} {value}" for key, value in config.items() if not isinstance(value, dict)
        ),
        "Epochs run, chosen": f"{told.get('epochs_run', NOT_REPORTED)}, {run.best_epoch} by validation "
        + figure(config.get("select", "val_dice")),
        "Seed": str(run.seed),
        "Duration, device": _together(_minutes(told.get("seconds")), told.get("device")),
        "Software": ", ".join(
            f"{key} {value}" for key, value in (told.get("versions") or {}).items() if value
        ),
        "Code version, date": _together(told.get("git_commit"), told.get("date")),
        "Validation": ", ".join(
            f"{figure(key)} {words.number(value)}"
            for key, value in run.validation.items()
            if value is not None
        ),
        **scored,
        "External test": None,
        "Robustness, subgroup fairness": None,
        "Weights, SHA-256": run.weights_sha256[:16],
        "Network fingerprint": str(told.get("fingerprint") or "")[:16],
        "Limits": "one training: compares this run, not the architecture; small public data; 128 × 128 pixels",
    }
    return {key: value or NOT_REPORTED for key, value in rows.items()}


def _beginning(source: Mapping[str, str] | None) -> str:
    """The weights before the first step."""
    if not source:
        return "weights drawn at random"
    return f"run {source['run']} ({source['weights_sha256'][:8]}), all but its last layer"


def _trained_parts(run: Run, counted: Mapping[str, int]) -> str:
    """The parts that a run learned from, with their units where its split is still the one on this machine."""
    without_units = ", ".join(f"{part} {count}" for part, count in counted.items())
    card = choices.prepared(run.dataset)
    try:
        split = cached.split(run.dataset, run.split) if card else None
    except CoreError:
        split = None
    fits = card is not None and split is not None and split.sha256 == run.split_sha256
    return sizes(card, split.parts) if fits else without_units


def figure(name: str) -> str:
    """A column of a training history in words."""
    return {
        "val_loss": "loss",
        "val_dice": "Dice",
        "val_whole_dice": "Dice with lesion-free cases counted",
        "val_false_alarm": "false alarm rate",
        "val_pooled_dice": "pooled Dice of all classes",
    }.get(name, name)


def _count(count: object) -> str | None:
    return f"{count:,}".replace(",", "\u202f") if isinstance(count, int) else None


def _minutes(seconds: object) -> str | None:
    return f"{float(seconds) / 60:.0f} min" if isinstance(seconds, int | float) else None


def _together(*said: object) -> str:
    return ", ".join(str(one) for one in said if one)


def scored_rows(stored: Any, run: str) -> dict[str, str]:
    """Test results of one run for its model card; empty when it was never evaluated."""
    if stored is None or run not in stored.runs:
        return {}
    wanted = {"dice": "Dice per case", "false_alarm_rate": "false alarm rate"}
    said = [
        f"{wanted[row['metric']]} {words.number(row['value'])} (n = {row['n']})"
        for row in stored.records
        if row["run"] == run and row["convention"] == "per_case" and row["metric"] in wanted
        if row["value"] is not None
    ]
    rule = stored.header["rule"]
    return {
        "Test part, unseen": f"{', '.join(said)}; rule {rule}, {stored.header['threshold']}" if said else ""
    }


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Installed versions, read from their descriptions: nothing is imported."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
