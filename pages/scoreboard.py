"""Scoreboard: the whole test set in tables, beside the study's own figures, and the cases behind the numbers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from core import PAPER_TABLE_2, DataRefused, Run, studied_cases, unlike
from pages.parts import (
    board_files,
    cached,
    calibration,
    checks,
    choices,
    claim,
    figures,
    gallery,
    leakage_board,
    pairs,
    pickers,
    ranking,
    subgroups,
    tables,
    trust,
    volume_board,
    volume_tables,
    words,
)
from pages.parts.frame import frame

CHECKS = ("The claim, tested", "Can maps be trusted?")
DISTRIBUTIONS = {"dice": "Dice", "recall": "Recall", "precision": "Precision", "iou": "IoU"}


def scores(stored: Any, runs: dict[str, str], name: str) -> None:
    """Which network is ahead; per case and pooled, false alarms, intervals, paired tests."""
    ranking.ranking_section(stored, runs)
    st.table(tables.overlap(stored, runs, name), alt="Overlap of each network, per case and pooled")
    st.caption(
        "Per case: mean over the images with a lesion, a missed lesion counts 0; small and large lesions weigh the "
        "same. Pooled: pixels of all images counted together; large lesions dominate. "
        f"Rule for empty masks: {stored.header['rule']}, {stored.header['rule_text']}."
    )
    checks.stored_section(stored, runs, [name])
    st.subheader("What overlap hides", anchor=False)
    st.table(
        tables.errors(stored, runs, name), alt="False alarms, missed lesions and distances of each network"
    )
    st.caption(
        f"HD95: {words.plain(stored.header['distances'])}; pixels of the source picture, as the images have no "
        "physical scale; empty: nothing drawn, so no distance. "
        "Accuracy counts background: read it beside the lesion share."
    )
    st.subheader("How sure are these means?", anchor=False)
    found = tables.interval_rows(stored, runs, name)
    dice = [r for r in stored.summary["intervals"] if r["metric"] == "dice" and r["run"] in runs]
    rows = [
        (r["model"], runs[r["run"]], *map(tables.or_nan, (r["value"], r["low"], r["high"]))) for r in dice
    ]
    st.plotly_chart(figures.intervals(rows, "Dice"), alt="Mean Dice of each network with its 95 % interval")
    with st.expander("All intervals"):
        st.dataframe(found, hide_index=True, alt="Means over groups with 95 % bootstrap intervals")
    compared = tables.comparison_rows(stored, runs)
    if compared.empty:
        st.caption("A paired comparison needs at least two networks that were trained alike.")
        return
    st.table(compared.set_index("Comparison"), alt="Paired differences of Dice between networks")
    st.caption(
        f"Unit: {words.plain(stored.header['group'])}, never the single image. p is left out where n is too small "
        f"for it to fall below 0.05. {tables.comparison_caution(stored, runs)}"
    )


def as_published(stored: Any, runs: dict[str, str], name: str) -> None:
    """The study's Table 2 in its own block, and our figures under its convention beside it."""
    paper = stored.summary.get("paper")
    if not paper:
        st.info("The study's Table 2 is about two-class data; there is no counterpart for this dataset.")
        return
    left, right = st.columns(2)
    with left.container(border=True):
        st.markdown(f":gray[**As published: {PAPER_TABLE_2['title']}**]")
        st.table(tables.published(), alt="The paper's Table 2, digits as printed")
        st.caption(PAPER_TABLE_2["wording"])
        checks.published_section(PAPER_TABLE_2)
    with right.container(border=True):
        st.markdown(f"**Our networks under `{paper['convention']}`**")
        st.table(tables.ours(stored, runs, name), alt="Our figures under the paper's convention")
        n = next(iter(tables.records(stored, next(iter(runs)), paper["convention"], name).values()))["n"]
        st.caption(f"128 × 128 grid, p > 0.5, all {n} test images, normal ones included; 0/0 counts 0.")
        if paper["note"]:
            st.warning(words.plain(paper["note"]), icon=":material/warning:")
        checks.convention_section(stored, runs, name)
    st.caption(
        words.plain(
            f"{PAPER_TABLE_2['misfit']} {PAPER_TABLE_2['network_note']} Entropy: {PAPER_TABLE_2['entropy_wording']}"
        )
    )
    st.caption("The paper reserves 10 % of images at random. Ours keeps near-duplicate images in one part.")


def learning_curves(runs: dict[str, str]) -> None:
    """Loss, validation Dice and validation false alarms of the trainings."""
    known: dict[str, Any] = {}
    for run in cached.trainings():
        if run.name in runs:
            known.setdefault(run.model, run)  # of several folds the first
    histories = {model: cached.history(run.name) for model, run in known.items()}
    histories = {model: rows for model, rows in histories.items() if rows}
    if not histories:
        st.info("No training history is kept for these networks.")
        return
    best = {model: run.best_epoch for model, run in known.items()}
    for column, what in zip([*st.columns(2), *st.columns(2)], figures.CURVES, strict=True):
        if any(what in rows[0] for rows in histories.values()):
            title = figures.CURVES[what]
            column.plotly_chart(
                figures.curves(histories, what, best), alt=f"{title} of each network by epoch"
            )
    st.caption("The larger marker is the epoch whose weights were kept, chosen on validation, never on test.")
    steps = (words.loss_step(run.manifest.get("config") or {}) for run in known.values())
    if step := next(filter(None, steps), ""):
        st.caption(step)


def every_case(stored: Any, runs: dict[str, str], name: str) -> None:
    """The spread behind the means."""
    metric = pickers.pick_option("Score", "spread", DISTRIBUTIONS, "dice")
    found = tables.per_case(stored, runs, name, metric)
    if found:
        chart = figures.spread(found, DISTRIBUTIONS[metric])
        st.plotly_chart(chart, alt=f"{DISTRIBUTIONS[metric]} of every test case by network")
    subgroups.subgroup_panel(stored, runs, name)


def pictures(stored: Any, runs: dict[str, str], *, prepared: bool) -> None:
    """The tabs of a dataset of pictures."""
    class_name = stored.header["endpoint"]["class"]
    st.caption(words.plain(tables.header_line(stored, next(iter(runs)))))
    names = ["Scores", "Calibration", "As published", "Leakage", "Learning curves", "Every case"]
    names += ["Case against case", "Worst cases", *CHECKS, "Download"]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    own = tables.trainings(stored, runs)
    with tabs["Scores"]:
        leakage_board.warning(stored, runs)
        scores(stored, runs, class_name)
        ranking.spread_section(stored, runs)
    with tabs["Calibration"]:
        calibration.calibration_section(stored, runs)
    with tabs["As published"]:
        as_published(stored, runs, class_name)
    with tabs["Leakage"]:
        leakage_board.pictures(stored)
    with tabs["Learning curves"]:
        learning_curves(own)
    with tabs["Every case"]:
        every_case(stored, runs, class_name)
    with tabs["Case against case"]:
        pairs.pairs_section(stored, runs, [class_name], prepared=prepared)
    with tabs["Worst cases"]:
        gallery.gallery(stored, runs, prepared=prepared)
    heatmap_checks(stored, own, [tabs[name] for name in CHECKS])
    with tabs["Download"]:
        board_files.download(stored, runs)


def volumes(stored: Any, runs: dict[str, str], *, prepared: bool) -> None:
    """The tabs of a dataset of CT volumes; a split by slices has but pooled figures."""
    first = next(iter(runs))
    st.caption(words.plain(volume_tables.header_line(stored, first)))
    is_sliced = volume_tables.by_slice(stored, runs)
    names = [*volume_board.TABS[:-1], *CHECKS, volume_board.TABS[-1]]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    with tabs["Scores"]:
        if is_sliced:
            volume_board.only_slices(stored, runs)
        else:
            volume_board.warn_of_few(stored, first)
            volume_board.scores(stored, runs)
    for name, show in (
        ("Surfaces and volumes", volume_board.surfaces_and_volumes),
        ("Lesions", volume_board.lesions),
        ("Calibration", calibration.calibration_section),
    ):
        with tabs[name]:
            if is_sliced:
                st.info(
                    "Slices drawn at random are no volume: nothing to measure in mm, per lesion or per patient."
                )
            else:
                volume_board.warn_of_few(stored, first)
                show(stored, runs)
    with tabs["As published"]:
        volume_board.as_published(stored, runs)
    with tabs["Leakage"]:
        volume_board.leakage(stored)
    with tabs["Learning curves"]:
        learning_curves(volume_tables.trainings(stored, runs))
    for name, show_cases in (
        ("Every volume", lambda: volume_board.every_volume(stored, runs)),
        (
            "Case against case",
            lambda: pairs.pairs_section(stored, runs, stored.header["classes"][1:], prepared=prepared),
        ),
        ("Worst cases", lambda: gallery.gallery(stored, runs, prepared=prepared)),
    ):
        with tabs[name]:
            if is_sliced:
                st.info("Slices drawn at random are no volume.")
            else:
                show_cases()
    heatmap_checks(stored, volume_tables.trainings(stored, runs), [tabs[name] for name in CHECKS])
    with tabs["Download"]:
        board_files.download(stored, runs)


def heatmap_checks(stored: Any, runs: dict[str, str], tabs: Sequence[Any]) -> None:
    """The tabs about heatmaps: the study's claim, and whether the maps deserve trust."""
    with tabs[0]:
        claim.claim_section(stored.dataset)
    first = {title: run for run, title in reversed(runs.items())}  # of several folds the first
    with tabs[1]:
        models = {run.name: run.model for run in cached.runs()}
        trust.trust_section({run: title for run, title in runs.items() if first[title] == run}, models)


def without_studied(stored: Any) -> Any:
    """The results without the rows of cases that are in an open blinded study; the means keep them."""
    closed = studied_cases(stored.dataset)
    scores = [row for row in stored.scores if row["case"] not in closed]
    if len(scores) == len(stored.scores):
        return stored
    st.info("Cases in an open study are in the means, but in no list, chart of cases or file.")
    return replace(stored, scores=scores)


def told_of_light(runs: Sequence[Run]) -> str:
    """That trainings were kept as scores alone, how large and long they were, and that nothing else shows them."""
    sizes = sorted({(run.width, run.manifest.get("epochs_run")) for run in runs})
    how = ", ".join(f"width {width}, {epochs or 'unknown'} epochs" for width, epochs in sizes)
    return words.plain(
        f"{len(runs)} trainings ({how}) are kept as scores, without their weights: "
        "no other page shows what they draw. The networks on Review are others."
    )


def scoreboard(name: str) -> None:
    """The page for one dataset."""
    if problem := cached.results_problem(name):
        raise DataRefused("results", problem)
    stored = without_studied(cached.results(name))
    sets = choices.scored_sets(stored)
    pickers.pick_networks({one: stored.runs[next(iter(scored))]["width"] for one, scored in sets.items()})
    sel = pickers.selection()
    runs = sets.get(sel.set) or next(iter(sets.values()))
    runs = {run: title for run, title in runs.items() if not sel.m or stored.runs[run]["model"] in sel.m}
    prepared = choices.prepared(name) is not None
    if not prepared:
        st.info(
            "These stored results are shown without their pictures: the images are not on this machine. "
            f"To open cases: `python -m core prepare {name} --from FOLDER`",
            icon=":material/image_not_supported:",
        )
    members = volume_tables.trainings(stored, runs)
    for problem in tables.out_of_date(stored, cached.runs(), members):
        st.error(words.plain(problem), icon=":material/error:")
        st.code(f"python -m core evaluate {name}", language="bash")
    if not runs:
        st.info("The chosen networks have no stored results here. Choose others in the sidebar.")
        return
    trained = [run for run in cached.trainings() if run.name in members]
    if light := [run for run in trained if run.is_scores_only]:
        st.info(told_of_light(light), icon=":material/inventory_2:")
    if found := unlike(*trained):
        st.warning(
            words.plain(
                f"These networks were not trained alike: {'; '.join(found)}. Compare them with care."
            ),
            icon=":material/warning:",
        )
    show = volumes if volume_tables.is_volumes(stored) else pictures
    show(stored, runs, prepared=prepared)


with frame("Scoreboard"):
    chosen = pickers.pick_dataset(choices.evaluated())
    if chosen:
        scoreboard(chosen)
    else:
        st.info("No scores are stored yet.", title="Nothing to show yet", icon=":material/info:")
        st.markdown("Built-in phantoms, then their scores:")
        st.code("python -m core demo\npython -m core evaluate phantom_busi", language="bash")
