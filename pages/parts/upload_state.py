"""A reader's own image, held in that reader's session and nowhere else; and how it is dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core import Heatmap, Prediction, Run, Target, Upload, UploadNumbers
from pages.parts import cached_upload
from pages.parts.stacks import Answer, Drawn

UPLOADERS = ("own_files", "own_reference")


@dataclass(eq=False)
class Own:
    """One image and what the networks have said of it so far.

    steps      (name, sentence) of every step that has passed
    runs       by network; None where none is trained
    found      by run, the predictions of the slices that are done
    failed     by run, why it gives no answer
    numbers    by class, once all slices are done
    maps       by (run, slice, target), every map of one pass
    drawn, answers  a CT and its outlines on the grid of the screen, made once
    is_asked   whether the networks are to work on it
    """

    upload: Upload
    steps: list[tuple[str, str]]
    runs: Mapping[str, Run | None]
    found: dict[str, list[Prediction]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    numbers: Mapping[str, UploadNumbers] | None = None
    maps: dict[tuple[str, int, Target], Mapping[Any, Heatmap]] = field(default_factory=dict)
    drawn: Drawn | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    is_asked: bool = True

    def done(self, run: Run | None) -> bool:
        """Whether a network has answered for every slice."""
        return run is not None and len(self.found.get(run.name, ())) == self.upload.count

    @property
    def waiting(self) -> list[Run]:
        """Networks that have not answered yet and have not failed."""
        usable = (run for run in self.runs.values() if run is not None and not run.problem)
        return [run for run in usable if not self.done(run) and run.name not in self.failed]


def current() -> Own | None:
    """The image of this session, or None."""
    found: Own | None = st.session_state.get("own")
    return found


def keep(own: Own) -> None:
    """Hold a checked image from now on; the files it came from are dropped."""
    _drop_files()
    st.session_state["own"] = own


def forget() -> None:
    """Drop the image, everything that was computed from it, and the files that were sent. A callback."""
    st.session_state.pop("own", None)
    _drop_files()
    cached_upload.forget()


def stop() -> None:
    """Let the networks rest; what is done stays. A callback."""
    if (own := current()) is not None:
        own.is_asked = False


def go_on() -> None:
    """Let the networks go on where they stopped or failed. A callback."""
    if (own := current()) is not None:
        own.is_asked, own.failed = True, {}


def widget(name: str) -> str:
    """The key of an uploader; a new one after its files were dropped, so that it is empty again."""
    return f"{name}-{st.session_state.get('own_round', 0)}"


def reported(key: str) -> object:
    """What the viewer with this key reported last, to be checked by ``viewer.settled``."""
    return getattr(st.session_state.get(key), "view", None)


def _drop_files() -> None:
    """Take the sent files out of the server's memory: it keeps them until the session ends."""
    ctx = get_script_run_ctx()
    manager = getattr(ctx, "uploaded_file_mgr", None)
    for name in UPLOADERS:
        given = st.session_state.get(widget(name)) or ()
        for file in given if isinstance(given, Sequence) else (given,):
            if ctx is not None and hasattr(manager, "remove_file"):
                manager.remove_file(session_id=ctx.session_id, file_id=file.file_id)
    st.session_state["own_round"] = st.session_state.get("own_round", 0) + 1
