"""About: what this is for and what not, the data, the networks, the definitions, licences and keys."""

import platform

import streamlit as st

from core import FOCUS_NUMBERS, NOTICE, CoreError, list_methods, list_networks
from pages.parts import cached, cards, choices, pickers, words
from pages.parts.frame import frame
from pages.parts.viewer import KEYS

USE = f"""
{NOTICE}

**For** comparing three segmentation networks (U-Net, MultiResUNet, DC-UNet) on breast ultrasound and liver CT:
where each draws a tumour, which evidence raised its score, and how far either can be trusted. Readers:
radiologists, researchers, teachers and students.

**Not for** a patient. No image of yours is needed here, and none leaves this machine. Scores come from a few
hundred public ultrasound images of one hospital and from a few CT volumes, at 128 × 128 pixels; another scanner,
population or preparation can change everything. A single training per network compares these trainings, not the
architectures.
"""
LIMITS = """
- Neither set has patient identifiers. Ultrasound images are kept apart by near-duplicate cluster, CT volumes by
  patient as far as that can be seen in them: both are less than a list of patients.
- The shipped CT networks learned from a few of nine volumes of four patients, with grey values that were cut to
  -160 to 240 HU and nominal spacing. Their scores say little about the next patient.
- The study's split of CT by random slices puts neighbours of a test slice into training. Both protocols are kept,
  and the Scoreboard shows what the difference is worth.
- Ultrasound has no physical scale: its areas and distances are in pixels. Those of CT are in mm where the file
  tells its spacing; where it carries a placeholder, that is said.
- The ultrasound data contain near-duplicates, lesions filed under two classes, burned-in marks and images of the
  axilla (Pawlowska et al., Data in Brief 2023, PMC10293973). Flagged cases carry a chip.
- A small lesion can vanish at 128 × 128 pixels; no network can then find it.
- Networks see one CT slice at a time, without its neighbours, and of its grey values only -160 to 240 HU.
- Heatmaps show evidence inside one layer. They are no proof that a network looked at the right thing.
- The study's "DCUNet" is represented by DC-UNet (Lou et al.); the study does not say which it used.
"""
BUSI = """
1. Download *Dataset of breast ultrasound images* (Al-Dhabyani et al., Data in Brief 28:104863, 2020; CC BY 4.0) and
   unpack it: a folder with `benign`, `malignant` and `normal`.
2. `python -m core prepare busi --from FOLDER`
3. `python -m core evaluate busi` stores the scores; `python -m core precompute busi` stores the heatmaps.

A second folder in the same layout becomes an external test set that nothing trains on:
`python -m core prepare busi --from FOLDER --as NAME`, then `python -m core evaluate NAME`.
"""
LITS = """
1. Download *LiTS, the Liver Tumor Segmentation Benchmark* (Bilic et al., Medical Image Analysis 84:102680, 2023;
   CC BY-NC-ND 4.0) and unpack it: `volume-N.nii` with `segmentation-N.nii`, also in the folders as downloaded.
2. `python -m core prepare lits --from FOLDER`; volumes that are one patient can be named with `--groups FILE`.
3. `python -m core evaluate lits` stores the scores; `python -m core precompute lits` the predictions and heatmaps.
"""


def flags() -> None:
    """What the orange chips over a case mean, and how each was found."""
    st.subheader("Flags of a case", anchor=False)
    st.caption(
        "Found by rule when the data are prepared, not by eye. Flagged cases stay in, unless a line says otherwise."
    )
    st.table(
        {words.plain(text): words.plain(found) for text, found in words.FLAGS.values()}, alt="Flags of a case"
    )


def data_cards() -> None:
    """One card per dataset that is known, prepared here or not."""
    prepared = {card.name: card for card in cached.datasets()}
    known = [*prepared.values(), *(card for card in choices.known_cards() if card.name not in prepared)]
    for card in known:
        with st.expander(card.title, expanded=False, icon=":material/dataset:"):
            try:
                content = cached.card_json(card.name) if card.name in prepared else None
            except CoreError as error:
                st.error(words.plain(str(error)))
                continue
            rows = cards.dataset_rows(card, content)
            st.table({key: words.plain(text) for key, text in rows.items()}, alt=f"Data card of {card.title}")


def model_cards() -> None:
    """One card per trained network, generated from its run.json."""
    networks = list_networks()
    if not cached.runs():
        st.info("No trained network is here yet.")
        st.code("python -m core train phantom_busi unet multiresunet dcunet", language="bash")
    for run in cached.runs():
        title = networks[run.model].title if run.model in networks else run.model or "unknown network"
        with st.expander(f"{title} · {run.name}", icon=":material/hub:"):
            if run.problem or run.model not in networks:
                st.error(words.plain(f"Weights rejected: {run.problem or 'unknown network'}"))
                continue
            scored = cards.scored_rows(cached.results(run.dataset), run.name)
            rows = cards.model_rows(run, networks[run.model], scored)
            st.table({key: words.plain(text) for key, text in rows.items()}, alt=f"Model card of {run.name}")


def definitions() -> None:
    """Scores, areas, heatmap numbers, methods and rules, in one place."""
    st.markdown(
        "**Scores of one case.** TP, FP, FN, TN: pixels marked rightly, wrongly, missed, left out rightly."
    )
    st.table(
        dict([*words.DEFINITIONS.values(), *words.AREAS.values()]), alt="Definitions of scores and areas"
    )
    st.markdown("**Averages and empty masks**")
    st.table(words.RULES, alt="Rules for averages and empty masks")
    st.markdown("**Numbers beside a heatmap**")
    numbers = {card.title: card.sentence for card in FOCUS_NUMBERS.values()}
    st.table(numbers, alt="Definitions of heatmap numbers")
    st.markdown("**Heatmap methods**")
    methods = {card.title: f"{card.sentence} {card.paper}" for card in list_methods().values()}
    st.table(methods, alt="Heatmap methods")
    st.markdown("**Networks**")
    st.table(
        {card.title: f"{card.paper}. {card.differs}" for card in list_networks().values()}, alt="Networks"
    )


def keys() -> None:
    """The keys of the viewer, from its own list, and those of the pages."""
    st.caption(
        "Those of the viewer act while the focus is in it; some need a CT, a heatmap or several classes."
    )
    rows = {words.plain(key): words.plain(text) for key, text in KEYS.items()}
    rows["P, N"] = "previous, next case, anywhere on a page with cases; can be switched off under Filter"
    st.table(rows, alt="Keys of the viewer and of the pages")


def licences() -> None:
    """What may be done with what is shown here."""
    rows = {card.title: f"{card.licence}. {card.citation}" for card in choices.known_cards()}
    rows["Weights trained on a dataset"] = (
        "shared under the terms of that dataset's licence, for research and teaching"
    )
    st.table({key: words.plain(text) for key, text in rows.items()}, alt="Licences")
    st.caption("No real image is shipped with this program. Its own licence is in the file LICENSE.")


with frame("About"):
    # A chip leads here to its explanation. It goes first then: tables take their room late, so that an anchor
    # further down would be pushed off the screen.
    are_flags_first = pickers.asked_first() == "flags"
    if are_flags_first:
        flags()
    st.markdown(USE)
    st.subheader("Known limits", anchor=False)
    st.markdown(LIMITS)
    if not are_flags_first:
        flags()
    st.subheader("Data cards", anchor=False)
    data_cards()
    st.subheader("Model cards", anchor=False)
    model_cards()
    st.subheader("Bring the real images", anchor=False)
    st.markdown("**BUSI, breast ultrasound**")
    st.markdown(BUSI)
    st.markdown("**LiTS17, liver CT**")
    st.markdown(LITS)
    st.subheader("Definitions", anchor=False)
    definitions()
    st.subheader("Keys", anchor=False)
    keys()
    st.subheader("Licences", anchor=False)
    licences()
    st.subheader("Versions", anchor=False)
    st.table(
        {"python": platform.python_version(), **cards.versions()}, alt="Versions of the installed software"
    )
