"""What Review and Heatmaps share: one case, its networks' stored predictions, and the offer to compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from core import CoreError, Prediction, Run, Slice, connected_regions, predicted_labels
from pages.parts import cached, choices, computing, pickers
from pages.parts.choices import Choice
from pages.parts.panels import STYLES, Panel
from pages.parts.words import FLAGS_LINK, PARTS, flag, pixels, plain

COST = "loads TensorFlow, about 20 s the first time"
PART_COLOURS = {"test": "green", "external": "green", "train": "orange", "validation": "orange"}


@dataclass(frozen=True, eq=False)
class Reading:
    """What one network says about the case, or ``message``: why it says nothing."""

    model: str
    title: str
    run: Run | None
    prediction: Prediction | None
    labels: np.ndarray | None  # (H, W) uint8 on the picture's grid
    message: str = ""

    @property
    def is_missing(self) -> bool:
        """Whether a usable network has simply not been asked yet."""
        return self.run is not None and self.run.problem is None and self.prediction is None

    @property
    def stamp(self) -> str:
        """Run and weights hash, for exported pictures; empty without a run."""
        return "" if self.run is None else f"{self.run.name} · {self.run.short_hash}"


def readings(choice: Choice, one: Slice) -> list[Reading]:
    """Every chosen network's stored prediction; a network that fails says why, the others go on."""
    titles = choices.networks()
    return [_reading(model, titles[model], run, choice, one) for model, run in choice.runs.items()]


def _reading(model: str, title: str, run: Run | None, choice: Choice, one: Slice) -> Reading:
    if run is None:
        command = (
            f"python -m core train {choice.card.name if choice.card.splits else choice.card.layout} {model}"
        )
        return Reading(model, title, None, None, None, f"No trained network. Run: {command}")
    if problem := run.problem or cached.refusal(run):
        return Reading(model, title, run, None, None, f"Weights rejected: {problem}")
    try:
        prediction = cached.prediction(run, one)
    except CoreError as error:
        return Reading(model, title, run, None, None, str(error))
    if prediction is None:
        return Reading(model, title, run, None, None, "Not computed for this case.")
    labels = predicted_labels(prediction, one.picture.shape)
    return Reading(model, title, run, prediction, labels)


def chips(choice: Choice) -> None:
    """One line that says exactly what is on screen: case, part of the split, flags, and the networks' hashes."""
    entry, runs = choice.entry, [run for run in choice.runs.values() if run is not None and not run.problem]
    part = PARTS.get(choice.part, "external: nothing was trained on this set")
    said = [_chip(choice.card.title), _chip(entry.case), _chip(part, PART_COLOURS.get(choice.part, "gray"))]
    if choice.disagreement is not None:
        said.append(_chip(f"disagreement {choice.disagreement:.2f}", "blue"))
    said += [f"[{_chip(flag(name), 'orange')}]({FLAGS_LINK})" for name in entry.flags]
    titles = choices.networks()
    hashes = [f"{titles[run.model]} {run.short_hash}" for run in runs]
    said += [_chip(f"weights: {', '.join(hashes)}")] if hashes else []
    said += [
        _chip(f"trained on {name}", "orange")
        for name in sorted({run.dataset for run in runs} - {entry.dataset})
    ]
    for split, seed in dict.fromkeys((run.split_sha256[:8], run.seed) for run in runs):
        said.append(_chip(f"split {split or 'none'} · seed {seed}"))
    st.markdown(" ".join(said))
    if len({run.split_sha256 for run in runs}) > 1:
        st.error(
            "These networks were trained on different splits: a case unseen by one may be known to another. "
            "Read each on its own; do not compare their scores.",
            icon=":material/error:",
        )


def _chip(text: str, colour: str = "gray") -> str:
    return f":{colour}-badge[{plain(text)}]"


def reference_panel(one: Slice, title: str = "Image + reference", subtitle: str = "") -> Panel:
    """The picture with the expert's outline, without any network."""
    style = STYLES["reference"]
    if one.reference is None:
        words, labels = "no expert outline for this case", None
    else:
        words = "expert's outline" if one.reference.any() else "normal: no lesion in reference"
        labels = one.reference
    return Panel(
        title=title,
        subtitle=subtitle or words,
        colour=style.colour,
        dash=style.dash,
        labels=labels,
        is_reference=True,
        summary=words,
    )


def reference_words(one: Slice) -> str:
    """The expert's outline in a sentence."""
    height, width = one.picture.shape
    grid = f"Picture {width} × {height} px."
    if one.reference is None:
        return f"No expert outline: nothing can be scored here. {grid}"
    inside = one.reference != 0
    if not inside.any():
        return f"No lesion in reference. {grid}"
    count = len(connected_regions(inside)[1])
    share = f"{inside.mean():.1%}".replace("%", " %")
    where = "one region" if count == 1 else f"{count} regions"
    return f"Expert's outline: {pixels(int(inside.sum()))} in {where}, {share} of the picture. {grid}"


def offer(
    readings_: Sequence[Reading],
    one: Slice,
    missing: Mapping[str, str],
) -> None:
    """A button that names the work and its cost; afterwards the page runs again from what is stored.

    ``missing`` says per network title what is not stored; nothing is drawn when it is empty.
    """
    if not missing:
        return
    runs = [reading.run for reading in readings_ if reading.title in missing and reading.run is not None]
    what = "; ".join(f"{title}: {work}" for title, work in missing.items())
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.button(f"Compute ({COST})", icon=":material/calculate:")
        st.caption(plain(f"Not stored yet for this case. {what}. It is computed once and kept."))
    if not asked:
        return
    with st.status("Computing", expanded=True) as status:
        failed = computing.predictions(runs, one, lambda text: status.update(label=plain(text)))
        for sentence in failed:
            st.error(plain(sentence), icon=":material/error:")
        status.update(
            label="Not everything worked" if failed else "Done", state="error" if failed else "complete"
        )
    if not failed:
        st.rerun()


def nothing_prepared() -> None:
    """What a page about a case shows when there is no case at all."""
    st.info(
        "No images are prepared on this machine yet.", title="Nothing to show yet", icon=":material/info:"
    )
    st.markdown("Built-in phantoms, ready in seconds:")
    st.code("python -m core demo", language="bash")
    st.markdown("The real breast-ultrasound images:")
    st.code("python -m core prepare busi --from FOLDER", language="bash")


def in_a_study() -> None:
    """All that a page may say of a case that readers of an open study have yet to see."""
    st.info("This case is in an open study.", icon=":material/visibility_off:")


def no_match() -> None:
    """What such a page shows when the filter leaves nothing; the button that resets it is in the sidebar."""
    if choices.opening_dataset():
        st.info("No case matches the filter. Reset it in the sidebar.", icon=":material/filter_alt_off:")
    else:
        nothing_prepared()


def real_data_card(choice: Choice) -> None:
    """On a phantom: the steps to real images."""
    if not choice.card.synthetic or any(not card.synthetic for card in cached.datasets()):
        return
    kind, name, source = ("breast ultrasound", "busi", "BUSI images")
    if choice.card.has_volumes:
        kind, name, source = ("liver CT", "lits", "LiTS volumes")
    with st.container(border=True):
        st.markdown(
            "**You are looking at a computer-drawn phantom**, read by networks trained on phantoms. "
            f"To see real {kind}:"
        )
        st.markdown(
            f"1. download the {source} and unpack them into a folder\n"
            f"2. `python -m core prepare {name} --from FOLDER`\n"
            f"3. `python -m core evaluate {name}`"
        )


def link(name: str, said: str, dataset: str, *, prepared: bool, index: int | None = None) -> None:
    """A case as a link to Review, or as text where its picture is not on this machine; ``index``: at that slice."""
    label = plain(f"{name} · {said}" if said else name)
    try:
        if prepared:
            there = _there(name, dataset, index)
            st.page_link("pages/review.py", label=label, icon=":material/arrow_outward:", query_params=there)
            return
    except StreamlitPageNotFoundError:
        pass  # the page runs alone, for example in a test: there is no Review to go to
    st.markdown(label)


def open_in_review(name: str, dataset: str) -> None:
    """Go to Review with a case."""
    st.switch_page("pages/review.py", query_params=_there(name, dataset))


def web_address(name: str, dataset: str, index: int | None = None) -> str:
    """The address of a case in Review, relative to any page: for links that are not Streamlit's own."""
    return f"./?{urlencode(_there(name, dataset, index), doseq=True)}"


def _there(name: str, dataset: str, index: int | None = None) -> dict[str, object]:
    return pickers.address(case=name, ds=dataset) | ({} if index is None else {"k": str(index)})
