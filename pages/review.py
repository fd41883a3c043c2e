"""Review: one case, the expert's outline, what each network drew, and where it went wrong."""

from collections.abc import Mapping

import streamlit as st

from core import Slice, read_verdicts, score, studied_cases
from pages.parts import (
    cached,
    case,
    exports,
    map_row,
    pickers,
    tables,
    thumbnails,
    verdicts,
    volume_notes,
    volumes,
    words,
)
from pages.parts.case import Reading
from pages.parts.case_report import Shown, window_of
from pages.parts.choices import Choice
from pages.parts.frame import frame, mend
from pages.parts.panels import STYLES, Panel
from pages.parts.viewer import show


def panel(reading: Reading, scores: dict, name: str) -> Panel:
    """The panel of one network: its outline, or the words that explain why there is none."""
    style = STYLES.get(reading.model, STYLES["reference"])
    message, dice = reading.message, scores.get(reading.model)
    if reading.labels is not None and not reading.labels.any():
        message = f"predicts no {name} here"
    return Panel(
        title=reading.title,
        subtitle="" if dice is None else words.headline(dice),
        colour=style.colour,
        dash=style.dash,
        labels=reading.labels,
        probability=None if reading.prediction is None else reading.prediction.probability[..., -1],
        message=message,
        summary="" if dice is None else words.headline(dice),
        run=reading.stamp,
    )


def under_panels(readings: list[Reading], scores: dict, one: Slice, name: str, label: int) -> None:
    """Under each panel: what the network missed and what it invented, in words."""
    for column, reading in zip(st.columns(len(readings) + 1), [None, *readings], strict=True):
        if reading is None:
            column.markdown(f"**Reference**  \n{words.plain(case.reference_words(one))}")
        elif reading.labels is None:
            message, commands = mend(reading.message)
            column.markdown(f"**{reading.title}**  \n{words.plain(message)}")
            for command in commands:
                column.code(command, language="bash", wrap_lines=True)
        elif reading.model not in scores:
            area = words.pixels(int((reading.labels == label).sum()))
            column.markdown(f"**{reading.title}**  \nMarks {area}; no expert outline to compare with.")
        else:
            own = scores[reading.model]
            said = words.findings(own, one.reference == label, reading.labels == label, name)
            column.markdown("  \n".join([f"**{reading.title}** · {words.headline(own)}", *said]))


def numbers(readings: list[Reading], scores: dict) -> None:
    """All numbers of the case with their definitions; undefined ones with the reason."""
    if not scores:
        return
    named = {reading.title: scores[reading.model] for reading in readings if reading.model in scores}
    st.subheader("Numbers of this case", anchor=False)
    st.table(tables.one_case(named), alt="Scores and areas of each network on this case, with definitions")
    st.caption(
        "On the picture's own pixels: probabilities are enlarged from 128 × 128 and cut above 0.5. "
        "TP, FP, FN, TN: pixels marked rightly, marked wrongly, missed, and left out rightly. "
        "One case proves nothing about a network: see the Scoreboard."
    )


def desk(shown: Shown, masks: Mapping[str, str] | None = None) -> None:
    """The row under the pictures: judge what is on screen, take it away, ask for heatmaps."""
    given = read_verdicts(shown.choice.card.name)
    with st.container(horizontal=True, vertical_alignment="center"):
        verdicts.button(shown)
        exports.popover(shown, verdicts.session(), has_verdicts=bool(given), masks=masks or {})
        map_row.switch()
        st.markdown(verdicts.counts(shown, given), width="content")


def review_volume(choice: Choice) -> None:
    """The page for one CT volume; runs again, as a fragment, when the reader has settled on a slice."""
    above, below = st.container(), st.container()
    with below:
        side = volumes.finer("review", choice)
    settled = volumes.settle(choice, "review-volume", side)
    panels = [volumes.panel(reading, settled.answers[reading.model]) for reading in settled.readings]
    maps = map_row.answers(choice.card, settled.one, settled.readings)
    with above:
        drawn = map_row.added(panels, volumes.reference_panel(choice, side), maps)
        hot = settled.one.index if maps else None
        volumes.draw(choice, drawn, "review-volume", side, columns=len(panels) + 1, heat_slice=hot)
        shown = Shown(choice, settled.one, settled.readings, window_of(settled.view))
        desk(shown, volume_notes.masks(settled))
        map_row.below(maps, settled.one)
        volumes.offer(choice, settled)
        volume_notes.under_panels(choice, settled)
    with below:
        volume_notes.few_patients(choice)
        volume_notes.table(settled)


def review(choice: Choice) -> None:
    """The page for one picture."""
    one = cached.one_slice(choice.entry)
    readings = case.readings(choice, one)
    name = choice.card.foreground[-1]
    label = choice.card.classes.index(name)
    seen = [reading for reading in readings if reading.prediction is not None]
    scores = {r.model: score(one, r.prediction)[name] for r in seen} if one.has_reference else {}
    maps = map_row.answers(choice.card, one, readings)
    panels = [panel(reading, scores, name) for reading in readings]
    show(
        one.picture,
        map_row.added(panels, case.reference_panel(one), maps),
        token=one.key,
        key="review",
        columns=len(readings) + 1,
        reference=one.reference,
        caption=f"{choice.card.title} · {choice.entry.case}",
        classes=choice.card.foreground,
    )
    desk(Shown(choice, one, readings))
    map_row.below(maps, one)
    case.offer(readings, one, {r.title: "the prediction" for r in readings if r.is_missing})
    under_panels(readings, scores, one, name, label)
    numbers(readings, scores)


with frame("Review"):
    chosen = pickers.pick_case()
    if chosen is None:
        case.no_match()
    elif chosen.entry.case in studied_cases(chosen.card.name):
        case.in_a_study()
        thumbnails.case_list(chosen)
    else:
        case.chips(chosen)
        if chosen.card.has_volumes:
            volumes.guarded(review_volume, chosen)
        else:
            review(chosen)
        case.real_data_card(chosen)
        thumbnails.case_list(chosen)
