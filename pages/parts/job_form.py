"""The form that starts a training, made from the list of settings: what is left empty is the recipe's own."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core import DatasetCard, Job, Setting, list_settings, start_training, training_config
from pages.parts import cached, choices, jobs, state

FIRST = ("width", "epochs", "seed", "batch", "split")  # in sight; the others are folded away
RECIPES = {"strong": "strong: of the shipped runs", "paper": "paper: of the study"}
OWN = "recipe"  # short enough for the narrowest field
YES = {"yes": True, "no": False}
NOT_ALLOWED = (
    "Trainings are started, stopped and resumed here only where the server was started with "
    "`TRIPTYCH_ALLOW_TRAINING=1`, for example `TRIPTYCH_ALLOW_TRAINING=1 make run`. In a terminal: "
    "`python -m core train DATASET MODEL`. What is begun there is seen here as well."
)


def form(busy: Job | None) -> None:
    """Everything it takes to start a training; ``busy`` is one under way, beside which none is started here."""
    cards = [card for card in cached.datasets() if card.splits]
    if not cards:
        st.info("Nothing is prepared that a network could be trained on.")
        st.code("python -m core demo", language="bash")
        return
    by_name, titles = {card.name: card for card in cards}, choices.networks()
    with st.container(horizontal=True):
        dataset = st.selectbox("Trained on", list(by_name), format_func=choices.title, key="f_dataset")
        model = st.selectbox("Network", list(titles), format_func=titles.__getitem__, key="f_model")
        recipe = st.selectbox("Recipe", list(RECIPES), format_func=RECIPES.__getitem__, key="f_recipe")
    card = by_name[dataset]
    with st.form("training", border=False):
        found = {setting.name: setting for setting in list_settings()}
        changes = {}
        for column, name in zip(st.columns(len(FIRST)), FIRST, strict=True):
            with column:
                changes[name] = _ask(found.pop(name), card)
        with st.expander("Every other setting"):
            columns = st.columns(4)
            for at, setting in enumerate(found.values()):
                with columns[at % 4]:
                    changes[setting.name] = _ask(setting, card)
        st.caption(
            "Width 16 on two processor cores: about half a minute (U-Net) to two minutes (DC-UNet) per epoch of "
            "560 images. Two trainings at a time would each be slower: here one is started after the other."
        )
        label = f"Wait: {busy.name} is under way" if busy else "Start the training"
        is_asked = st.form_submit_button(label, icon=":material/play_arrow:", disabled=busy is not None)
    if is_asked:
        job = jobs.attempt(lambda: _start(card, model, recipe, changes))
        if job is not None:
            jobs.record("start", job)
            state.choose(run=job.name, stopping="")
            st.rerun()


def _start(card: DatasetCard, model: str, recipe: str, changes: dict[str, Any]) -> Job:
    if changes["split"] == next(iter(card.splits)):
        changes["split"] = None  # the default is not part of a run's name
    config = training_config(card.name, model, recipe, has_volumes=card.has_volumes, **changes)
    return start_training(config)


def _ask(setting: Setting, card: DatasetCard) -> Any:
    """A widget for one setting; None while it is left to the recipe."""
    label, key = setting.name.replace("_", " ").capitalize(), f"f_{setting.name}"
    told = {"key": key, "help": setting.sentence, "placeholder": OWN}
    options = card.splits if setting.name == "split" else setting.choices
    if setting.kind is bool:
        return YES.get(st.selectbox(label, list(YES), index=None, **told) or "")
    if options:
        return st.selectbox(label, options, index=None, **told)
    if setting.kind is str:
        return st.text_input(label, **told) or None
    step = 1 if setting.kind is int else None
    return st.number_input(
        label, value=None, min_value=setting.kind(0), step=step, format=_digits(setting), **told
    )


def _digits(setting: Setting) -> str | None:
    return None if setting.kind is int else "%g"
