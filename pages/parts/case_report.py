"""The report of one case: what is on screen, as one file to keep or to print. Made when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pandas as pd

from core import (
    FOCUS_NUMBERS,
    CoreError,
    Heatmap,
    Outline,
    Overlay,
    ReportFigure,
    ReportSection,
    ReportTable,
    Scores,
    Slice,
    Target,
    colour_bar_png,
    grey_levels,
    heatmap_numbers,
    list_methods,
    list_networks,
    picture_png,
    read_verdicts,
    report_html,
    score,
    state_sentence,
    stored_heatmap,
    target_sentence,
    verdict_rows,
)
from pages.parts import cached, cards, choices, tables, volume_notes, words
from pages.parts.case import Reading, reference_words
from pages.parts.choices import Choice
from pages.parts.panels import COLOUR_MAPS, STYLES, UNDRAWN, WINDOWS

METHOD, COLOURS = "gradcam", "cividis"
KINDS = {"log_odds": "log-odds", "logit": "logit", "probability": "probability", "contrast": "log-odds"}
BESIDE_MAPS = ("energy_in_reference", "lift", "pointing_hit", "raw_maximum", "redundancy")
RULE = {
    False: "Outlines: probability above 0.5, after enlarging it from 128 × 128 to the picture's own pixels.",
    True: "Outlines: probabilities enlarged from 128 × 128 to the volume's own pixels, then the largest decides. "
    "Liver includes the tumour in it. Thin line: liver; thick line: tumour.",
}


@dataclass(frozen=True, eq=False)
class Shown:
    """What is on screen: case, slice settled on, answers of the networks; ``window`` (width, level) of a CT."""

    choice: Choice
    one: Slice
    readings: Sequence[Reading]
    window: tuple[float, float] | None = None

    @property
    def is_volume(self) -> bool:
        """Whether the slice is one of many."""
        return self.choice.card.has_volumes

    def scores(self) -> dict[str, dict[str, Scores]]:
        """Scores by network and class on this slice; empty without a reference."""
        seen = [r for r in self.readings if r.prediction is not None]
        return {r.model: score(self.one, r.prediction) for r in seen} if self.one.has_reference else {}


def report(shown: Shown) -> bytes:
    """The report as one HTML file."""
    card = shown.choice.card
    title = f"Triptych · {card.title} · {shown.one.case}" + (
        f" · slice {shown.one.index}" if shown.is_volume else ""
    )
    return report_html(title, facts(shown), partial(sections, shown), card.terms)


def facts(shown: Shown) -> dict[str, str]:
    """What identifies the case and the networks."""
    choice, card = shown.choice, shown.choice.card
    runs = [r.run for r in shown.readings if r.run is not None]
    said = {
        "Dataset": f"{card.title}; {'computer-drawn phantom' if card.synthetic else 'real images'}",
        "Case": shown.one.case,
        "Slice": f"{shown.one.index}, counted from the feet, from 0" if shown.is_volume else "",
        "Window": f"width {shown.window[0]:g}, level {shown.window[1]:g} HU" if shown.window else "",
        "Part of the split": words.PARTS.get(choice.part, "external: nothing was trained on this set"),
        "Data quality": ", ".join(map(words.flag, choice.entry.flags)) or "no flags",
        "Disagreement of the case": "" if choice.disagreement is None else f"{choice.disagreement:.2f}",
        "Networks, weights (SHA-256)": "; ".join(f"{run.name} {run.weights_sha256[:16]}" for run in runs),
        "Split": "; ".join(dict.fromkeys(f"{run.split} {run.split_sha256[:8]}" for run in runs)),
        "Data (SHA-256)": str(cached.card_json(card.name).get("sha256", ""))[:16],
        "Licence of the pictures": card.terms,
        "Made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }
    return {name: text for name, text in said.items() if text}


def sections(shown: Shown, side: int) -> list[ReportSection]:
    """The parts of the report, with pictures of ``side`` pixels."""
    return [
        _outlines(shown, side),
        *(_maps(shown, name, side) for name in shown.choice.card.foreground),
        *_verdicts(shown),
        _cards(shown),
    ]


def _picture(shown: Shown, side: int, outlines: Sequence[Outline], overlay: Overlay | None = None) -> bytes:
    return picture_png(grey_levels(shown.one.picture, shown.window), outlines, side, overlay)


def _reference(shown: Shown) -> list[Outline]:
    return [] if shown.one.reference is None else [Outline(shown.one.reference, "#FFFFFF", is_dashed=True)]


def _outlines(shown: Shown, side: int) -> ReportSection:
    """Picture with reference, and each network's outline on it, with what it found; the numbers below."""
    one, scores = shown.one, shown.scores()
    said = volume_notes.reference_words(shown.choice, one) if shown.is_volume else [reference_words(one)]
    figures = [ReportFigure("Image + reference", _picture(shown, side, _reference(shown)), "; ".join(said))]
    for reading in shown.readings:
        if reading.labels is None:
            figures.append(ReportFigure(reading.title, None, reading.message))
            continue
        style = STYLES.get(reading.model, STYLES["reference"])
        png = _picture(shown, side, [*_reference(shown), Outline(reading.labels, style.colour)])
        figures.append(ReportFigure(reading.title, png, findings(shown, reading, scores.get(reading.model))))
    shown_tables = [_from_frame("Numbers of this slice" if shown.is_volume else "", _numbers(shown, scores))]
    whole = {
        r.title: ["; ".join(volume_notes.volume_words(shown.choice, r.run)) or "not evaluated"]
        for r in shown.readings
        if shown.is_volume and r.run is not None
    }
    shown_tables += [ReportTable("Whole volume", ["stored scores"], whole)] if whole else []
    text = [RULE[shown.is_volume], "Reference: white, dashed. Network: coloured, solid."]
    return ReportSection("What the networks drew", text, figures, None, [t for t in shown_tables if t.rows])


def findings(shown: Shown, reading: Reading, scores: Mapping[str, Scores] | None) -> str:
    """One network on the slice in words."""
    if scores is None or reading.labels is None:
        return "no expert outline to compare with"
    if shown.is_volume:
        return "; ".join(volume_notes.slice_words(scores, shown.one))
    name = shown.choice.card.foreground[-1]
    label = shown.choice.card.classes.index(name)
    reference = np.asarray(shown.one.reference) == label
    said = words.findings(scores[name], reference, reading.labels == label, name)
    return "; ".join([words.headline(scores[name]), *said])


def _numbers(shown: Shown, scores: Mapping[str, Mapping[str, Scores]]) -> pd.DataFrame:
    if shown.is_volume:
        return volume_notes.numbers(shown.one, shown.readings)
    name = shown.choice.card.foreground[-1]
    return tables.one_case({r.title: scores[r.model][name] for r in shown.readings if r.model in scores})


def _from_frame(title: str, frame: pd.DataFrame) -> ReportTable:
    rows = {
        str(name): [str(cell) for cell in row]
        for name, row in zip(frame.index, frame.to_numpy(), strict=True)
    }
    return ReportTable(title, [str(name) for name in frame.columns], rows)


def _maps(shown: Shown, name: str, side: int) -> ReportSection:
    """The stored heatmaps about one class: every network's own region, deepest layer, one scale for all."""
    card, target = list_methods()[METHOD], Target(class_name=name)
    found: dict[str, Heatmap | str] = {}
    for reading in shown.readings:
        found[reading.model] = _stored_map(shown.one, reading, target)
    maps = [each for each in found.values() if isinstance(each, Heatmap)]
    limit = max((float(each.values.max()) for each in maps if each.state not in UNDRAWN), default=0.0)
    figures = [_map_figure(shown, reading, found[reading.model], limit, side) for reading in shown.readings]
    bar = None
    if limit > 0:
        unit = f"{KINDS[target.kind]} per cell"
        text = f"{COLOURS}, one scale for all networks: left 0, right {words.signed(limit)} {unit}"
        bar = (colour_bar_png(COLOUR_MAPS[COLOURS].split()), text)
    asked = [f"The same question to each network: {target_sentence(each.run, target)}" for each in maps[:1]]
    remarks = [
        "No proof that a network looked at the right thing. Not computed maps can be made on the Heatmaps page."
    ]
    text = [f"{card.title}, deepest layer (bottleneck). {card.sentence} {card.paper}", *asked]
    table = _map_numbers(shown, found)
    return ReportSection(f"Heatmaps: {name}", text, figures, bar, [table] if table.rows else [], remarks)


def _stored_map(one: Slice, reading: Reading, target: Target) -> Heatmap | str:
    if reading.prediction is None or reading.run is None:
        return reading.message
    layer = list_networks()[reading.model].layers[0]
    try:
        return (
            stored_heatmap(reading.run.name, one, METHOD, layer, target) or "Not computed for this picture."
        )
    except CoreError as error:
        return str(error)


def _map_figure(
    shown: Shown, reading: Reading, found: Heatmap | str, limit: float, side: int
) -> ReportFigure:
    if isinstance(found, str):
        return ReportFigure(reading.title, None, found)
    overlay = None
    if found.state not in UNDRAWN:
        overlay = Overlay(found.values, limit, COLOUR_MAPS[COLOURS].split())
    labels = np.zeros(shown.one.picture.shape, np.uint8) if reading.labels is None else reading.labels
    style = STYLES.get(reading.model, STYLES["reference"])
    png = _picture(shown, side, [*_reference(shown), Outline(labels, style.colour)], overlay)
    highest = f"highest {words.signed(float(found.values.max()))}"
    return ReportFigure(reading.title, png, "; ".join(filter(None, [state_sentence(found), highest])))


def _map_numbers(shown: Shown, found: Mapping[str, Heatmap | str]) -> ReportTable:
    """The numbers beside the maps, with what each is."""
    columns, rows = [], {number: [] for number in BESIDE_MAPS}
    for reading in shown.readings:
        map_ = found[reading.model]
        if isinstance(map_, str) or reading.prediction is None:
            continue
        columns.append(reading.title)
        numbers = heatmap_numbers(map_, shown.one, reading.prediction)
        for number, cells in rows.items():
            value = numbers.get(number, np.nan)
            why = getattr(numbers, "why", {}).get(number, "undefined")
            cells.append(words.signed(value) if np.isfinite(value) else f"{words.UNDEFINED}: {why}")
    if not columns:
        return ReportTable("", [], {})
    named = {FOCUS_NUMBERS[key].title: [*cells, FOCUS_NUMBERS[key].sentence] for key, cells in rows.items()}
    return ReportTable("Numbers beside the maps", [*columns, "What it is"], named)


def _verdicts(shown: Shown) -> list[ReportSection]:
    """What readers said about the case; nothing when nobody has."""
    rows = verdict_rows(read_verdicts(shown.choice.card.name, shown.one.case))
    if not rows:
        return []
    columns = ["time_utc", "reader", "slice", "run", "verdict", "reference_is_wrong", "stands", "note"]
    cells = {
        str(at): ["" if row[c] is None else str(row[c]) for c in columns] for at, row in enumerate(rows, 1)
    }
    return [ReportSection("Verdicts of readers", tables=[ReportTable("", columns, cells)])]


def _cards(shown: Shown) -> ReportSection:
    """The cards of the networks and of the dataset."""
    card, networks = shown.choice.card, list_networks()
    stored = cached.results(card.name)
    told = {
        r.title: cards.model_rows(r.run, networks[r.model], cards.scored_rows(stored, r.run.name))
        for r in shown.readings
        if r.run is not None and not r.run.problem
    }
    names = dict.fromkeys(name for rows in told.values() for name in rows)
    models = {name: [rows.get(name, "") for rows in told.values()] for name in names}
    data = cards.dataset_rows(card, cached.card_json(card.name))
    return ReportSection(
        "Cards",
        tables=[
            ReportTable("Networks", list(told), models, is_card=True),
            ReportTable("Dataset", [choices.title(card.name)], {k: [v] for k, v in data.items()}),
        ],
    )


def window_of(settled_view: Mapping[str, object]) -> tuple[float, float]:
    """The window that a settled view reports, else the one a CT opens in."""
    given = settled_view.get("window")
    return given if isinstance(given, tuple) else (WINDOWS[0][1], WINDOWS[0][2])
