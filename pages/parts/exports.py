"""What can be taken away from a case: a link, numbers, masks, a report. Nothing is made before it is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import streamlit as st

from core import NOTICE, csv_text, mask_png, read_verdicts, verdict_rows, write_audit
from pages.parts import cached, choices, state, volume_notes, words
from pages.parts.case import Reading
from pages.parts.case_report import Shown, report
from pages.parts.words import plain

COUNTS = {
    "tp_px": "true positive",
    "fp_px": "false positive",
    "fn_px": "false negative",
    "tn_px": "true negative",
}
# The address is read when the link is looked at: slice, window, mode and zoom change in the browser alone.
LINK = """export default ({ data, parentElement }) => {
  const field = parentElement.querySelector("input");
  const button = parentElement.querySelector("button");
  const fill = () => {
    const now = new URLSearchParams(location.search);
    const own = new URLSearchParams(data.map(([name, value]) => [name, value]));
    const looks = ["k", "win", "view", "cls", "z", "op", "x", "large", "keys"];
    for (const name of looks) if (now.has(name)) own.set(name, now.get(name));
    field.value = `${location.origin}${location.pathname}?${own}`;
  };
  fill();
  parentElement.onpointerenter = field.onfocus = fill;
  button.onclick = async () => {
    fill();
    field.select();
    try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); }
    button.textContent = "Copied";
  };
};"""
_LINK = st.components.v2.component(
    "triptych_link",
    html='<label>Link to exactly this view <input readonly></label><button type="button">Copy link</button>',
    css="""label { display: block; font-size: .875rem; color: var(--st-text-color); }
input { width: 100%; box-sizing: border-box; margin: 4px 0; padding: 5px 8px; font: inherit; color: inherit;
  background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 4px; }
button { font: inherit; color: var(--st-text-color); background: var(--st-background-color); min-height: 32px;
  border: 1px solid var(--st-border-color); border-radius: 4px; padding: 3px 12px; cursor: pointer; }
button:focus-visible, input:focus-visible { outline: 2px solid var(--st-primary-color); }""",
    js=LINK,
)


def popover(shown: Shown, session: str, *, has_verdicts: bool, masks: Mapping[str, str]) -> None:
    """A button that opens all exports of what is on screen; each that is taken is a line of the audit log.

    ``masks``: of a volume, the runs whose masks are stored for all slices, with their networks' titles.
    """
    one, card = shown.one, shown.choice.card
    name = f"triptych-{one.case}" + (f"-{one.index}" if shown.is_volume else "")

    def offer(label: str, file: str, mime: str, make: Callable[[], bytes | str], kind: str = "") -> None:
        def made() -> bytes | str:
            content = make()
            note(shown, session, kind or label)
            return content

        icon = ":material/download:"
        st.download_button(
            label, made, file, mime, key=f"export-{file}", on_click="ignore", type="tertiary", icon=icon
        )

    with st.popover("Export", icon=":material/download:"), st.container(gap="xsmall"):
        _LINK(data=address(shown), key="link")
        st.caption("The panels as a picture: *Save* above them, or key S.")
        offer("Report of this case (HTML)", f"{name}.html", "text/html", lambda: report(shown))
        if one.has_reference:
            offer("Numbers (CSV)", f"{name}.csv", "text/csv", lambda: csv_text(number_rows(shown)))
            offer("Definitions (JSON)", f"{name}.json", "application/json", lambda: definitions(shown))
        if shown.is_volume and (stored := stored_rows(shown)):
            whole = f"triptych-{one.case}-volume.csv"
            offer("Numbers of the whole volume (CSV)", whole, "text/csv", lambda: csv_text(stored))
        for run, title in masks.items():
            file, kind = f"{one.case}-{run}.nii.gz", "Mask (NIfTI)"
            make = partial(volume_notes.nifti, run, shown.choice.entry)
            offer(f"Mask of {title} (NIfTI)", file, "application/gzip", make, kind)
        if masks:
            st.caption(plain(volume_notes.GRID))
        for reading in () if shown.is_volume else shown.readings:
            if reading.labels is not None and reading.run is not None:
                file = f"{one.case}-{reading.run.name}.png"
                title = f"Mask of {reading.title} (PNG)"
                offer(title, file, "image/png", lambda reading=reading: mask(shown, reading))
        if has_verdicts:
            log = f"triptych-verdicts-{card.name}.csv"
            offer("All verdicts on this dataset (CSV)", log, "text/csv", lambda: verdict_log(card.name))
        st.caption(plain(f"Licence of the pictures: {card.terms}."))


def note(shown: Shown, session: str, kind: str) -> None:
    """The line of the audit log about one export."""
    runs = {r.run.name: r.run.weights_sha256 for r in shown.readings if r.run is not None}
    one = shown.one
    write_audit(
        "export",
        session=session,
        page="review",
        dataset=one.dataset,
        case=one.case,
        slice=one.index if shown.is_volume else None,
        runs=runs,
        kind=kind,
    )


def address(shown: Shown) -> list[tuple[str, str]]:
    """Dataset, case, networks and training on screen as pairs for an address; the browser adds how they look."""
    run = next((run for run in shown.choice.runs.values() if run is not None), None)
    pairs = [("ds", shown.choice.card.name), ("case", shown.one.case), *(("m", m) for m in shown.choice.runs)]
    pairs += [("set", choices.set_name(run.name, run.model))] if run else []
    return [*pairs, *(("maps", value) for value in state.option("maps"))]


def number_rows(shown: Shown) -> list[dict[str, Any]]:
    """The numbers of the slice on screen, a row per network and class; what is undefined is empty, with ``why``."""
    one, rows = shown.one, []
    spacing = one.spacing_mm
    runs = {r.model: r.run for r in shown.readings if r.run is not None}
    for model, by_class in shown.scores().items():
        for name, own in by_class.items():
            values = {key: own.values[key] for key in words.DEFINITIONS}
            areas = {f"{key}_px": words.area(own, key) for key in words.AREAS}
            counts = dict(zip(COUNTS, (own.tp, own.fp, own.fn, own.tn), strict=True))
            rows.append(
                {
                    "dataset": one.dataset,
                    "case": one.case,
                    "slice": one.index,
                    "run": runs[model].name,
                    "weights_sha256": runs[model].weights_sha256,
                    "class": name,
                    **values,
                    **areas,
                    **counts,
                    "pixel_mm2": None if spacing is None else spacing[0] * spacing[1],
                    "why_undefined": "; ".join(f"{key}: {why}" for key, why in own.why.items()),
                }
            )
    return rows


def stored_rows(shown: Shown) -> list[dict[str, Any]]:
    """The stored scores of the whole volume, of the runs on screen; units stand in the columns' names."""
    stored = cached.results(shown.choice.card.name)
    runs = {r.run.name for r in shown.readings if r.run is not None}
    rows = [] if stored is None else stored.scores
    return [
        {key: value for key, value in row.items() if key != "why"}
        for row in rows
        if row["case"] == shown.one.case and row["run"] in runs
    ]


def definitions(shown: Shown) -> str:
    """What the columns of the numbers mean and what they were made from, as JSON."""
    card, stored = shown.choice.card, cached.results(shown.choice.card.name)
    runs = [r.run for r in shown.readings if r.run is not None]
    content = {
        "notice": NOTICE,
        "licence": card.terms,
        "dataset": card.name,
        "case": shown.one.case,
        "slice": shown.one.index,
        "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z",
        "data_sha256": cached.card_json(card.name).get("sha256"),
        "grid": "pixels of the source picture; spacing_mm (row, column) is null where there is none",
        "spacing_mm": shown.one.spacing_mm,
        "mask": words.RULES["Mask"]
        if len(card.classes) == 2
        else "the class of the largest enlarged probability",
        "empty_reference": "Dice and IoU are then undefined: empty cells, never 0 or 1",
        "columns": {key: text for key, (_, text) in words.DEFINITIONS.items()}
        | {f"{key}_px": text for key, (_, text) in words.AREAS.items()}
        | COUNTS
        | {"pixel_mm2": "area of one pixel"},
        "runs": {
            run.name: {
                "weights_sha256": run.weights_sha256,
                "split": run.split,
                "split_sha256": run.split_sha256,
                "code": run.manifest.get("git_commit"),
            }
            for run in runs
        },
        "stored_scores": None
        if stored is None
        else {k: stored.header.get(k) for k in ("rule_text", "distances", "date")},
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


def mask(shown: Shown, reading: Reading) -> bytes:
    """A network's mask at the picture's own size, 255 inside, with what made it in the file's text fields."""
    said = {
        "Description": f"{shown.one.dataset} {shown.one.case}: mask of {reading.stamp}; 255 inside",
        "Disclaimer": NOTICE,
        "Copyright": f"Picture: {shown.choice.card.terms}",
    }
    return mask_png(reading.labels, said)


def verdict_log(dataset: str) -> str:
    """All verdicts on a dataset as CSV, oldest first."""
    return csv_text(verdict_rows(read_verdicts(dataset)))
