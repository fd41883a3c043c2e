"""The study's claim on screen: does MultiResUNet focus more, in how many kinds of map, and by how much?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core import (
    FOCUS_NUMBERS,
    Claim,
    CoreError,
    DataMissing,
    csv_text,
    list_methods,
)
from pages.parts import cached, choices, figures, pickers, words
from pages.parts.figures import Dot
from pages.parts.frame import explain, mend

ASKED = ("energy_in_reference", "deviation_percent", "deviation_mm")  # what the claim is about
YES = "Yes"
WAYS = {
    "raw": "Over all cases",
    "matched": "Where both outlines are equally good",
    "adjusted": "At equal Dice",
}
BESIDE = {"gradcam": "Grad-CAM", "baseline uniform": "even map", "baseline probability": "own probability"}
CLAIM = (
    "The study says that MultiResUNet focuses better because its heatmap is redder. Each map was divided by its "
    "own maximum, and at the last layer a map is the prediction itself, so that cannot be concluded. Here every "
    "network was asked why it drew its own region, in every layer, with every gradient method, and the numbers of "
    "the same cases were compared."
)
Row = Mapping[str, Any]


def claim_section(dataset: str) -> None:
    """The section of one dataset: the answer, what it rests on, and its files; or the command that makes it."""
    st.subheader("The paper's claim, tested", anchor=False)
    st.markdown(CLAIM)
    try:
        found = cached.claim(dataset)
    except DataMissing as error:
        message, commands = mend(str(error))
        st.info(f"Not computed: {words.plain(message)}", icon=":material/info:")
        st.code("\n".join(commands), language="bash")
        return
    except CoreError as error:
        explain(error)
        return
    _answer(found)
    _one_number(found)
    _downloads(found)


def _answer(found: Claim) -> None:
    head = found.header
    st.markdown(f"**Does MultiResUNet focus more?** {conclusion(found.verdicts)}")
    st.table(answers(found.verdicts), alt="Answers by number, rival network and way of comparing")
    if few := words.few(head):
        st.warning(words.plain(few), icon=":material/group:")
    one_only = max((row["left_out"] for row in found.differences), default=0)
    cautions = [
        f"Test part: {head['n_slices']} images of {head['n_groups']} groups (group: {head['group']}); intervals "
        "are over groups. A case counts where both networks drew something to be asked about; up to "
        f"{one_only:.0f} cases had an answer from one of two networks alone and are left out.",
        "A kind of map is one layer with one method; the control layer, whose map repeats the prediction, is not "
        "counted. Nothing is corrected for so many comparisons: chance alone gives one in forty on either side.",
        f"Caution: {head['caution']}." if head["caution"] else "",
    ]
    st.caption(words.plain(" ".join(cautions)))


def conclusion(verdicts: Sequence[Row]) -> str:
    """The answer in a sentence, from the first of the numbers that the claim is about."""
    if not any(row["kinds"] for row in verdicts if row["number"] == ASKED[0]):
        return "That cannot be told here: the test part has too few groups for an interval of any difference."
    asked = [leaning(row) for row in verdicts if row["number"] == ASKED[0]]
    yes = sum(text.startswith(YES) for text in asked)
    if yes == len(asked) > 0:
        return "On these runs it does, in most kinds of map and in every way of comparing."
    return f"On these runs the claim is {'borne out only in part' if yes else 'not borne out'}."


def answers(verdicts: Sequence[Row]) -> pd.DataFrame:
    """One row per class, number and rival; per way of comparing the answer and in how many kinds of map."""
    several = len({row["class"] for row in verdicts}) > 1
    table: dict[str, dict[str, str]] = {}
    for row in verdicts:
        if row["number"] in ASKED:
            what = FOCUS_NUMBERS[row["number"]].title + (f", {row['class']}" if several else "")
            table.setdefault(f"{what}: against {_title(row['against'])}", {})[WAYS[row["way"]]] = leaning(row)
    return pd.DataFrame(table).T


def leaning(verdict: Row) -> str:
    """What a verdict comes to: a word only where most kinds of map agree and none says the opposite; the counts."""
    kinds, more, less = verdict["kinds"], verdict["more"], verdict["less"]
    if not kinds:
        point = verdict.get("mean")
        alone = (
            "" if point is None else f"; Grad-CAM at the bottleneck {point:+.3g}, a point without interval"
        )
        return f"too few groups to tell{alone}"
    if 2 * more > kinds and not less:
        word = YES
    elif 2 * less > kinds and not more:
        word = "No, it focuses less"
    elif not more and not less:
        word = "No difference shown"
    elif more and less:
        word = "It depends on the kind of map"
    else:
        word = "In some kinds of map" if more else "No, in some kinds of map less"
    return f"{word}: more in {more}, less in {less}, undecided in {kinds - more - less} of {kinds}"


def _one_number(found: Claim) -> None:
    """The sentences, the picture and the means of the number that is chosen."""
    classes = list(dict.fromkeys(row["class"] for row in found.verdicts))
    known = list(dict.fromkeys(row["number"] for row in found.verdicts))
    known.sort(key=lambda number: number not in ASKED)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = classes[-1]
        if len(classes) > 1:
            titles = {one: one.capitalize() for one in classes}
            name = pickers.pick_option("Class", "claim_class", titles, name)
        titles = {number: FOCUS_NUMBERS[number].title for number in known}
        number = pickers.pick_option("Number", "claim_number", titles, known[0])
        way = pickers.pick_option("Compared", "claim_way", WAYS, "raw")
    st.caption(FOCUS_NUMBERS[number].sentence)
    said = [row for row in found.verdicts if (row["class"], row["number"]) == (name, number)]
    st.markdown("\n".join(f"- {words.plain(row['sentence'])}" for row in said))
    columns = dots(found.differences, name, number, way)
    if columns:
        title = f"MultiResUNet minus each other network, {WAYS[way].lower()}: mean with 95 % interval"
        st.plotly_chart(
            figures.dots(columns, title, better(number), zero=True),
            alt=f"Difference in {FOCUS_NUMBERS[number].title} by layer and method",
        )
        st.caption("Grey: the control layer, where the map repeats the prediction by algebra.")
    st.markdown(
        f"**{FOCUS_NUMBERS[number].title} of each network**, Grad-CAM beside maps without any insight"
    )
    table = means(found, name, number)
    st.dataframe(table, alt=f"Mean {FOCUS_NUMBERS[number].title} of each network by layer, with intervals")


def better(number: str) -> str:
    """The title of the axis of differences: unit, and on which side MultiResUNet focuses more."""
    card = FOCUS_NUMBERS[number]
    side = {
        "higher": "right of 0: more focused",
        "lower": "left of 0: more focused",
        "neither": "right of 0: higher",
    }
    return f"{card.title}{f', {card.unit}' if card.unit else ''} ({side[card.direction]})"


def dots(differences: Sequence[Row], name: str, number: str, way: str) -> list[tuple[str, str, list[Dot]]]:
    """The differences of one class, number and way as columns for ``figures.dots``, one per rival."""
    methods = list_methods()
    found: dict[str, list[Dot]] = {}
    for row in differences:
        if (row["class"], row["number"], row["way"]) == (name, number, way) and row["mean"] == row["mean"]:
            label = f"{words.layer(row['layer'])} · {methods[row['method']].title}"
            muted = words.is_control(row["layer"])
            dot = Dot(label, row["mean"], row["low"], row["high"], muted)
            found.setdefault(row["against"], []).append(dot)
    return [(rival, f"minus {_title(rival)}", own) for rival, own in found.items()]


def means(found: Claim, name: str, number: str) -> pd.DataFrame:
    """Mean with interval by layer, of Grad-CAM and of maps without insight (rows) and network (columns)."""
    table: dict[str, dict[str, str]] = {}
    for row in found.means:
        if (row["class"], row["number"]) == (name, number) and row["method"] in BESIDE:
            label = f"{words.layer(row['layer'])} · {BESIDE[row['method']]}"
            network = _title(found.header["runs"].get(row["run"], row["run"]))
            table.setdefault(label, {})[network] = words.interval(row)
    return pd.DataFrame(table).T


def _title(model: str) -> str:
    return choices.networks().get(model, model)


def files(found: Claim) -> dict[str, tuple[str, Callable[[], str]]]:
    """What can be downloaded, by label: the name, and the function that makes its text."""
    return {
        "Every map (CSV)": ("focus", lambda: found.focus_csv),
        "Means (CSV)": ("focus_means", lambda: csv_text(found.means)),
        "Differences (CSV)": ("focus_differences", lambda: csv_text(found.differences)),
    }


def _downloads(found: Claim) -> None:
    with st.container(horizontal=True):
        for label, (name, text) in files(found).items():
            st.download_button(
                label, text, f"triptych_{found.dataset}_{name}.csv", "text/csv", key=f"d_{name}",
                on_click="ignore", icon=":material/download:",
            )  # fmt: skip
