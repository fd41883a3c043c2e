"""Trainings on the screen: the registry of runs, and one of them in detail, live while it runs.

Nothing is remembered here: the run folders are asked anew, so a page opened after any restart shows the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from core import (
    CoreError,
    Job,
    Run,
    ask_to_stop,
    list_networks,
    log_tail,
    read_history,
    read_job,
    resume_training,
    training_is_allowed,
    write_audit,
)
from pages.parts import cached, cards, choices, figures, state, words
from pages.parts.frame import explain

EVERY = "2s"
QUIET_S = 60  # without a sign of life: worth a word
STATES = {
    "queued": "starting", "running": "running", "stopped": "stopped", "finished": "finished", "failed": "failed",
    "lost": "lost",
}  # fmt: skip
COLOURS = {"finished": "green", "failed": "red", "lost": "red", "stopped": "orange"}
SENTENCES = {
    "queued": "Its process has begun and is loading the libraries; this takes about half a minute.",
    "stopped": "It was stopped. Everything up to the last finished epoch is kept: it can be resumed.",
    "finished": "It ran to its end; the best epoch on validation was kept.",
    "lost": "Its process ended without saying why: killed, out of memory, or a power cut. Everything up to the "
    "last finished epoch is kept: it can be resumed.",
}
REASONS = {
    "disk_full": "The disk is full. What was finished is kept: free some space, then resume.",
    "out_of_memory": "There was not enough memory for batches of this size. Begin another run with a smaller one.",
    "diverged": "The loss or a weight became infinite or not a number. Begin another run with a lower learning "
    "rate or another seed.",
    "refused": "The training was refused.",
    "error": "An error that has no name ended it. The log tells what it was.",
}
CURVES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("Loss", {"loss": "training", "val_loss": "validation"}),
    ("Validation Dice", {"val_dice": "with a lesion", "val_whole_dice": "all cases"}),
    ("Pooled validation Dice", {"val_pooled_dice": "pooled Dice"}),
    ("Validation false alarms", {"val_false_alarm": "false alarms"}),
    ("Learning rate", {"learning_rate": "learning rate"}),
)


def registry(jobs: Sequence[Job]) -> pd.DataFrame:
    """A line per run folder: what it is, when, and how good on validation; None where it is not known yet."""
    return pd.DataFrame([_line(job) for job in jobs])


def _line(job: Job) -> dict[str, Any]:
    run, config = job.run, job.config
    told = run.manifest if run and not run.is_rejected else {}
    networks = choices.networks()
    model = run.model if run else config.get("model", "")
    when = told.get("date") or job.facts.get("started") or ""
    dice = run.validation.get("val_dice") if run else None
    return {
        "Run": job.name,
        "State": STATES.get(job.state, job.state) + _of_weights(run),
        "Dataset": run.dataset if run else config.get("dataset", ""),
        "Network": networks.get(str(model), model),
        "Width": (run.width if run else config.get("width")) or None,
        "Seed": run.seed if run else config.get("seed"),
        "Split": run.split if run else _split(config),
        "Split hash": run.split_sha256[:8] if run else "",
        "Weights hash": run.weights_sha256[:8] if run else "",
        "Date": str(when)[:10],
        "Best epoch": run.best_epoch if run and not run.is_rejected else None,
        "Validation Dice": None if dice is None else round(dice, 3),
    }


def _of_weights(run: Run | None) -> str:
    if run is None or not run.problem:
        return ""
    return ": scores only" if run.is_scores_only else ": weights rejected"


def _split(config: Mapping[str, Any]) -> str:
    card = choices.prepared(str(config.get("dataset", "")))
    return str(config.get("split") or next(iter(card.splits if card else ()), ""))


def pick(jobs: Sequence[Job]) -> Job:
    """The run to look at: the one chosen in this session, else the first, which is under way if any is."""
    by_name = {job.name: job for job in jobs}
    asked = next((name for name in state.option("run") if name in by_name), jobs[0].name)
    key = state.seed("w_run", asked)
    st.selectbox(
        "Run in detail",
        list(by_name),
        format_func=lambda name: f"{name} · {STATES.get(by_name[name].state, '')}",
        key=key,
        on_change=state.took_option(key, "run"),
    )
    return by_name[asked]


def detail(job: Job) -> None:
    """One training: how it is, its curves and log; then what it is made of."""
    # A fragment with a clock costs a rerun every two seconds: only while something can change.
    st.fragment(_live, run_every=EVERY if job.is_under_way else None)(job.name, job.state)
    names = (["Model card"] if job.run and not job.run.is_rejected else []) + ["Settings", "Checksums"]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    if "Model card" in tabs and job.run:
        with tabs["Model card"]:
            _model_card(job)
    with tabs["Settings"]:
        st.table(
            {key: words.plain(str(value)) or "default" for key, value in sorted(job.config.items())},
            alt="Settings",
        )
    with tabs["Checksums"]:
        st.table(checksums(job), alt="Checksums of the training")


def _model_card(job: Job) -> None:
    networks, run = list_networks(), job.run
    if run is None or run.model not in networks:
        st.error("The network of this run is not known here.")
        return
    scored = cards.scored_rows(cached.results(run.dataset), run.name)
    rows = cards.model_rows(run, networks[run.model], scored)
    st.table({key: words.plain(text) for key, text in rows.items()}, alt=f"Model card of {run.name}")


def checksums(job: Job) -> dict[str, str]:
    """SHA-256 of everything that a run rests on; "not reported" where there is none yet."""
    told: Mapping[str, Any] = job.run.manifest if job.run else {}
    split, weights = told.get("split") or {}, told.get("weights") or {}
    found = {
        "Weights": weights.get("sha256"),
        "Split": split.get("sha256"),
        "Prepared data": told.get("data_sha256"),
        "Settings": told.get("config_sha256"),
        "Network, its fingerprint": told.get("fingerprint"),
        "Code, its commit": told.get("git_commit"),
    }
    return {key: str(value or cards.NOT_REPORTED) for key, value in found.items()}


def _live(name: str, before: str) -> None:
    """The part of the detail that changes while a training runs."""
    try:
        job = read_job(name)
        if job.state != before:
            st.rerun()
        _say(job)
        if training_is_allowed():
            _buttons(job)
    except CoreError as error:
        explain(error)
        return
    _curves(job)
    lines = log_tail(name)
    with st.expander("Last 30 lines of the log", expanded=job.state in ("queued", "failed", "lost")):
        st.code(
            "\n".join(lines) or "No log: this training was started in a terminal.",
            language=None,
            wrap_lines=True,
        )


def _say(job: Job) -> None:
    """The state as a badge and a sentence; while it runs a bar as well."""
    st.badge(STATES.get(job.state, job.state), color=COLOURS.get(job.state, "blue"))
    if job.run and job.run.is_rejected:
        st.error(words.plain(f"Weights rejected: {job.run.problem}"))
    elif job.run and job.run.problem:
        st.info(words.plain(job.run.problem))
    elif job.state == "failed":
        st.error(f"{REASONS.get(job.reason, REASONS['error'])} {words.plain(job.message)}".strip())
    elif job.state == "running":
        st.progress(*progress(job.facts, read_history(job.name)))
        if (quiet := seconds_since(job.facts.get("time"))) > QUIET_S:
            st.warning(f"No sign of life for {quiet:.0f} s. It may be busy with validation, or hang.")
    else:
        st.markdown(SENTENCES.get(job.state, ""))


def progress(facts: Mapping[str, Any], rows: Sequence[Mapping[str, float]]) -> tuple[float, str]:
    """How far a running training is: share 0 to 1, and a sentence with what is left of its time."""
    epochs = max(int(facts.get("epochs") or 1), 1)
    steps, step = int(facts.get("steps") or 0), int(facts.get("step") or 0)
    done = len(rows)
    share = min((done + (step / steps if steps and facts.get("epoch") == done + 1 else 0)) / epochs, 1.0)
    said = [f"Epoch {min(done + 1, epochs)} of {epochs}"]
    if steps:
        said.append(f"step {step} of {steps}")
    if facts.get("loss") is not None:
        said.append(f"loss {facts['loss']:.3f}")
    if rows:
        left = sum(row["seconds"] for row in rows) / done * (epochs - share * epochs)
        said.append(f"about {max(left / 60, 1):.0f} min left")
    return share, ", ".join([*said, str(facts.get("device") or "")]).rstrip(", ")


def seconds_since(when: object) -> float:
    """Seconds since a time in UTC as a status tells it; 0 where it tells none."""
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(str(when))).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _buttons(job: Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if job.is_under_way:
            is_asked = job.name in state.option("stopping")
            label = "Stopping after the batch in hand" if is_asked else "Stop"
            if st.button(label, icon=":material/stop:", disabled=is_asked):
                ask_to_stop(job.name)
                record("stop", job)
                state.choose(stopping=job.name)
                st.rerun()
        elif job.can_resume and st.button("Resume", icon=":material/play_arrow:"):
            with st.spinner("Starting"):
                resume_training(job.name)
            record("resume", job)
            state.choose(stopping="", run=job.name)
            st.rerun()


def record(action: str, job: Job) -> None:
    """A line of the audit log about a training that was started, stopped or resumed here."""
    write_audit(f"training_{action}", page="runs", dataset=str(job.config.get("dataset", "")), run=job.name)


def _curves(job: Job) -> None:
    rows = read_history(job.name)
    if not rows:
        st.caption("No epoch is finished yet." if job.is_under_way else "No history of epochs is kept.")
        return
    best = job.run.best_epoch if job.run else None
    model = str(job.config.get("model") or (job.run.model if job.run else ""))
    known = {name for row in rows for name, value in row.items() if value == value}  # without NaN
    drawn = ((title, {name: names[name] for name in names if name in known}) for title, names in CURVES)
    shown = [(title, names) for title, names in drawn if names]
    for start in range(0, len(shown), 3):
        for column, (title, names) in zip(st.columns(3), shown[start : start + 3], strict=False):
            figure = figures.training(rows, names, title, model, best)
            column.plotly_chart(figure, key=f"curve-{title}", alt=f"{title} of {job.name} by epoch")
    if best:
        st.caption(
            "The larger marker is the epoch whose weights were kept, chosen on validation, never on test."
        )
    if step := words.loss_step(job.config):
        st.caption(step)


def attempt(work: Callable[[], Job]) -> Job | None:
    """Do what starts a training; a refusal is shown instead of raised."""
    try:
        with st.spinner("Starting"):
            return work()
    except CoreError as error:
        explain(error)
        return None
