"""The form in which a reader hands over an image, and the checks it passes before a network sees it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core import CoreError, Run, Upload, list_networks, read_card, read_upload, with_reference, write_audit
from pages.parts import choices, upload_state
from pages.parts.case import COST
from pages.parts.upload_state import Own
from pages.parts.words import plain

KINDS = {"busi": "breast ultrasound", "lits": "liver CT"}
ACCEPTED = """
| | Ultrasound | Liver CT |
|---|---|---|
| picture | PNG, JPEG, single-frame TIFF; grey, 32 to 8,192 pixels a side, at most 20 MB | no |
| NIfTI | no | `.nii` or `.nii.gz`, three dimensions, at most 700 slices and 200 MB |
| DICOM | one uncompressed frame (US) | one slice, or all files of one series (CT), uncompressed |
| reference, if you have one | PNG of the same size, white inside | NIfTI labels: 0 background, 1 liver, 2 tumour |

What a file is, is read from its content; its name and ending are not used. Colour photographs, films, series in
time, constant images and damaged files are refused with the reason.
"""
PRIVACY = (
    "The image stays in the memory of this session. Nothing of it is written to disk, kept for others, or sent "
    "elsewhere; names, dates and text fields in the file are dropped when it is read. *Forget now* drops the rest."
)


def networks_for(layout: str) -> tuple[dict[str, Run | None], bool]:
    """The networks that can read an upload, by name; and whether they learned from real images of its kind."""
    for dataset in (layout, f"phantom_{layout}"):
        for found in choices.run_sets(dataset).values():
            return {name: found.get(name) for name in choices.networks()}, not is_phantom(found)
    return dict.fromkeys(choices.networks()), False


def is_phantom(runs: Mapping[str, Run | None]) -> bool:
    """Whether networks learned from computer-drawn images alone."""
    return any(run is not None and read_card(run.dataset).synthetic for run in runs.values())


def ask() -> None:
    """The form; a checked image becomes the session's own, and the page runs again."""
    st.markdown(
        "**One image of your own through the three networks**: checked, outlined, explained, forgotten. "
        "A breast ultrasound picture, or a CT of the liver."
    )
    left, right = st.columns([3, 2])
    files = left.file_uploader(
        "Picture, volume, or all files of a DICOM series",
        accept_multiple_files=True,
        key=upload_state.widget("own_files"),
    )
    reference = right.file_uploader(
        "Reference outline, optional: gives scores", key=upload_state.widget("own_reference")
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.button(
            f"Check and run ({COST})", type="primary", icon=":material/play_arrow:", disabled=not files
        )
        if files or reference:
            st.button("Forget now", icon=":material/delete:", on_click=upload_state.forget)
    st.caption(PRIVACY)
    for layout, title in KINDS.items():
        _say_who_answers(layout, title)
    with st.expander("What can be read", icon=":material/description:"):
        st.markdown(ACCEPTED)
    if asked and files:
        # bytes, not names: nothing about a file but its content is used
        _admit([file.getvalue() for file in files], reference.getvalue() if reference else None)


def _say_who_answers(layout: str, title: str) -> None:
    runs, is_real = networks_for(layout)
    there = [list_networks()[name].title for name, run in runs.items() if run is not None and not run.problem]
    if not there:
        st.warning(f"No trained network for {title} on this machine.", icon=":material/warning:")
        st.code(f"python -m core train {layout} unet", language="bash")
    elif not is_real:
        st.warning(phantom_words(title), icon=":material/warning:")
    else:
        st.caption(
            plain(f"{title[0].upper()}{title[1:]}: {', '.join(there)}, trained on {read_card(layout).title}.")
        )


def phantom_words(title: str) -> str:
    """What has to be said loudly before and beside answers of networks that never saw a real image."""
    return (
        f"**For {title} only networks trained on computer-drawn phantoms are here.** They have never seen a real "
        "image: their outlines on yours show how the tool works and mean nothing else."
    )


def _admit(contents: list[bytes], reference: bytes | None) -> None:
    steps: list[tuple[str, str]] = []
    with st.status("Checking the file", expanded=True) as status:

        def passed(step: str, text: str) -> None:
            status.update(label=step, expanded=True)
            st.markdown(f":material/check: **{step}** · {plain(text)}")
            steps.append((step, text))

        try:
            upload = read_upload(contents, passed)
            if reference is not None:
                upload = with_reference(upload, reference)
                passed("Reference", _outlined(upload))
        except CoreError:
            status.update(label="Refused", state="error")
            raise
        status.update(label="Checked", state="complete")
    write_audit("upload", page="try_image", kind=KINDS[upload.layout], bytes=sum(map(len, contents)))
    upload_state.keep(Own(upload, steps, networks_for(upload.layout)[0]))
    st.rerun()


def _outlined(upload: Upload) -> str:
    names = upload.card.foreground
    found = upload.references
    counts = [int((found >= value).sum()) for value in range(1, len(names) + 1)] if found is not None else []
    unit = "voxels" if upload.spacing_mm else "pixels"
    said = [
        f"{name} {count:,} {unit}".replace(",", "\u202f") for name, count in zip(names, counts, strict=True)
    ]
    return f"Fits the image: {', '.join(said)}."
