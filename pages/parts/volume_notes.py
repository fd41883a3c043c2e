"""Numbers of a CT volume in words and tables, with units, and its masks as files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from core import Run, Scores, Slice, SliceEntry, export_volume, few_sentence, score
from pages.parts import cached, choices, words
from pages.parts.case import Reading
from pages.parts.choices import Choice
from pages.parts.volumes import Settled, mm_note
from pages.parts.words import plain

GRID = "NIfTI masks lie on the original grid and affine. Slices far from the liver were not looked at: background."
DOUBT = " (not measured)"  # behind areas and volumes of a file without a geometry of its own


def area(count: int, one: Slice) -> str:
    """An area on a slice in mm2, or in pixels without spacing."""
    if one.spacing_mm is None:
        return words.pixels(count)
    found = words.thousands(count * one.spacing_mm[0] * one.spacing_mm[1])
    return f"{found}\u00a0mm²{DOUBT if mm_note(one.flags) else ''}"


def slice_words(scores: Mapping[str, Scores], one: Slice) -> list[str]:
    """One network on one slice, a sentence per class; an empty reference is said, never a Dice of 0 or 1."""
    said = []
    for name, own in scores.items():
        n_reference, n_predicted = own.tp + own.fn, own.tp + own.fp
        if not n_reference and not n_predicted:
            said.append(f"no {name} in reference, none predicted")
        elif not n_reference:
            said.append(f"no {name} in reference; false positive {area(own.fp, one)}")
        elif not n_predicted:
            said.append(f"missed the {name} completely ({area(own.fn, one)})")
        else:
            marked = f"{area(n_predicted, one)}, reference {area(n_reference, one)}"
            said.append(f"{name} Dice {own.values['dice']:.2f} ({marked})")
    return said


def volume_words(choice: Choice, run: Run) -> list[str]:
    """One network on the whole volume, a sentence per class, from the stored scores; empty where there are none."""
    stored, said = cached.results(choice.card.name), []
    for row in stored.scores if stored is not None else ():
        if row["run"] != run.name or row["case"] != choice.entry.case:
            continue
        n_reference, n_predicted, ml = row["n_ref"], row["n_pred"], row["voxel_mm3"] / 1000
        name, of_slices = row["class"], "" if row.get("unit") == "volume" else " (its test slices only)"
        of_slices += DOUBT if mm_note(choice.entry.flags) else ""
        if not n_reference and not n_predicted:
            said.append(f"no {name} in reference, none predicted{of_slices}")
        elif not n_reference:
            said.append(f"no {name} in reference; false positive {n_predicted * ml:.1f} ml{of_slices}")
        elif not n_predicted:
            said.append(f"missed the {name} completely ({n_reference * ml:.1f} ml){of_slices}")
        else:
            error = 100 * (n_predicted - n_reference) / n_reference
            said.append(
                f"{name} Dice {row['dice']:.2f} ({n_predicted * ml:.1f} ml, reference {n_reference * ml:.1f} ml, "
                f"{words.signed_percent(error)}){of_slices}"
            )
    return said


def under_panels(choice: Choice, settled: Settled) -> None:
    """Under each panel: the settled slice and the whole volume, in words with units."""
    one = settled.one
    for column, reading in zip(st.columns(len(settled.readings) + 1), [None, *settled.readings], strict=True):
        if reading is None:
            column.markdown("  \n".join([f"**Slice {one.index}**", *reference_words(choice, one)]))
            continue
        if reading.prediction is None:
            column.markdown(f"**{reading.title}**  \n{plain(reading.message)}")
            continue
        said = slice_words(score(one, reading.prediction), one) if one.has_reference else []
        whole = [] if reading.run is None else volume_words(choice, reading.run)
        lines = [f"**{reading.title}** · slice {one.index}", *said]
        lines += ["*Whole volume*", *whole] if whole else []
        column.markdown(
            "  \n".join(lines if said or whole else [*lines, "no expert outline to compare with"])
        )
    if note := mm_note(one.flags):
        st.caption(f"{note[0].upper()}{note[1:]}. The same holds for mm² and ml.")


def reference_words(choice: Choice, one: Slice) -> list[str]:
    """The expert's outlines of a slice in words; under a split by slice also the slice's own part."""
    said = []
    if choice.part == "mixed":
        entry = next(e for e in cached.slices(one.dataset) if (e.case, e.index) == (one.case, one.index))
        said.append(words.PARTS.get(choices.part_of(entry, choice.card, choice.runs), "in no part"))
    if one.reference is None:
        return [*said, "no expert outline: nothing can be scored here"]
    for value, name in enumerate(choice.card.foreground, 1):
        count = int((one.reference >= value).sum())
        said.append(f"{name} {area(count, one)}" if count else f"no {name} in reference")
    return said


def numbers(one: Slice, readings: Sequence[Reading]) -> pd.DataFrame:
    """The numbers of a slice, one column per network, with their definitions; empty where nothing can be scored."""
    seen = {
        r.title: score(one, r.prediction) for r in readings if r.prediction is not None and one.has_reference
    }
    rows: dict[str, dict[str, str]] = {}
    for title, scores in seen.items():
        rows[title] = {}
        for name, own in scores.items():
            rows[title] |= {
                f"{name}: Dice": words.value_or_why(own, "dice"),
                f"{name}: missed": area(own.fn, one),
                f"{name}: extra": area(own.fp, one),
            }
    meaning = {"Dice": words.DEFINITIONS["dice"][1], "missed": "area of FN", "extra": "area of FP"}
    if rows:
        rows["What it is"] = {line: meaning[line.split(": ")[1]] for line in next(iter(rows.values()))}
    return pd.DataFrame(rows)


def table(settled: Settled) -> None:
    """The numbers of the settled slice with their definitions."""
    found = numbers(settled.one, settled.readings)
    if found.empty:
        return
    st.subheader(f"Numbers of slice {settled.one.index}", anchor=False)
    st.table(found, alt="Scores and areas of each network on the settled slice, with definitions")
    st.caption(
        "On the volume's own pixels: probabilities are enlarged from 128 × 128, then the largest decides. "
        "Liver includes the tumour in it. Areas in the viewer are those of the stored scores, on the same pixels; "
        f"where there are none, those of the grid that is drawn, {settled.grid[1]} × {settled.grid[0]}."
    )


def few_patients(choice: Choice) -> None:
    """A line that says how few patients stand behind a part of the set, where they are few."""
    parts = [
        (e.group, choices.part_of(e, choice.card, choice.runs)) for e in cached.volumes(choice.card.name)
    ]
    groups = {group for group, part in parts if part == choice.part}
    if groups and (few := few_sentence(len(groups))):
        st.caption(f"{few} Counted in this part of the set; read every figure per patient.")


def masks(settled: Settled) -> dict[str, str]:
    """The runs whose masks of the whole volume are stored, with their networks' titles."""
    ready = [r for r in settled.readings if r.run is not None and settled.answers[r.model] is not None]
    return {r.run.name: r.title for r in ready if r.run is not None}


def nifti(run: str, entry: SliceEntry) -> bytes:
    """A mask of the whole volume on the grid of its source; its temporary folder is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.nii.gz"
        export_volume(run, entry.case, path, dataset=entry.dataset)
        return path.read_bytes()
