"""The child process in which an upload is decoded: limited memory and time, and what is in it reaches no disk.

A broken or hostile file costs the child, not the server. The two talk through pipes: a line of JSON and the files'
bytes go in; lines of JSON (steps, then an answer or a refusal) and the arrays come out. Started with
``python -m core.upload_child``, not as a fork or a spawn: the web server's own main program is a page.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from core import guarded, upload_dicom, upload_kinds, upload_picture, upload_volume
from core.errors import DataRefused
from core.nifti_header import Grid
from core.upload_kinds import Admitted, Report

MEMORY = 4 << 30  # bytes of address space
SECONDS = 180.0
_DTYPES = ("|u1", "<i2", "<f4")
_ROOT = Path(__file__).resolve().parent.parent

Question = dict[str, Any]
Answer = tuple[dict[str, Any], list[np.ndarray]]


def admitted(contents: Sequence[bytes], report: Report) -> Admitted:
    """What ``admit`` finds, found in a child. DataRefused also for a child that "crashed" or took too long."""
    facts, (pictures, images) = _asked({"what": "admit"}, contents, report)
    grid, spacing = facts["grid"], facts["spacing_mm"]
    return Admitted(
        facts["layout"], pictures, images,
        None if spacing is None else tuple(spacing),
        None if grid is None else grid_from(grid),
        tuple(facts["flags"]), tuple(facts["warned"]),
    )  # fmt: skip


def reference(content: bytes, shape: tuple[int, int], grid: Grid | None) -> np.ndarray:
    """The labels in a reference file, (n, H, W) uint8, read in a child; see ``read_reference``."""
    question = {"what": "reference", "shape": shape, "grid": None if grid is None else asdict(grid)}
    return _asked(question, [content], lambda step, text: None)[1][0]


def admit(contents: Sequence[bytes], report: Report) -> Admitted:
    """An upload of any kind, checked and decoded in this process."""
    kind = upload_kinds.kind_of(contents)
    if kind == "dicom":
        return upload_dicom.admit(contents, report)
    if kind == "volume":
        return upload_volume.admit(contents[0], report)
    return upload_picture.admit(contents[0], report)


def read_reference(content: bytes, shape: Sequence[int], grid: Grid | None) -> np.ndarray:
    """The labels in a reference for a picture of ``shape`` (H, W), or for a volume on ``grid``, in this process."""
    kind = upload_kinds.kind_of([content])
    expected = "picture" if grid is None else "volume"
    if kind != expected:
        wanted = "a PNG mask for a picture" if grid is None else "NIfTI labels for a CT"
        raise DataRefused("kind", f"The reference: expected {wanted}, got another kind of file.")
    if grid is None:
        return upload_picture.reference(content, shape)
    return upload_volume.reference(content, grid)


def grid_from(given: dict[str, Any]) -> Grid:
    """A grid from its JSON form."""
    rows = tuple(tuple(row) for row in given["affine"])
    shape, spacing = tuple(given["shape"]), tuple(given["spacing_mm"])
    return Grid(shape, rows, given["axcodes"], spacing, tuple(given["flags"]))  # type: ignore[arg-type]


def _asked(question: Question, contents: Sequence[bytes], report: Report) -> Answer:
    """Ask a child, pass its steps on, and end it, however that goes."""
    child = subprocess.Popen(
        [sys.executable, "-m", "core.upload_child"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=_ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    stdin, stdout = cast(BinaryIO, child.stdin), cast(BinaryIO, child.stdout)
    timer = threading.Timer(SECONDS, child.kill)
    timer.daemon = True
    timer.start()
    try:
        with suppress(BrokenPipeError):  # it is gone already: what it said tells why
            _send(stdin, question, contents)
        return _heard(stdout, report)
    except (EOFError, OSError, ValueError) as error:
        if timer.is_alive():
            message = "The file could not be decoded within the limits of memory. It may be damaged."
            raise DataRefused("crashed", message) from error
        raise DataRefused("timeout", f"The file took more than {SECONDS:.0f} s to decode.") from error
    finally:
        timer.cancel()
        child.kill()
        for pipe in (stdin, stdout):
            with suppress(OSError):
                pipe.close()
        child.wait()


def _send(pipe: BinaryIO, question: Question, contents: Sequence[bytes]) -> None:
    line = json.dumps({**question, "sizes": [len(content) for content in contents]})
    pipe.write(line.encode() + b"\n")
    for content in contents:
        pipe.write(content)
    pipe.close()


def _heard(pipe: BinaryIO, report: Report) -> Answer:
    while line := pipe.readline():
        said = json.loads(line)
        if "refused" in said:
            code, text = said["refused"]
            raise DataRefused(code, text[0].upper() + text[1:])
        if "answer" in said:
            return said["answer"], [_array(pipe, dtype, shape) for dtype, shape in said["arrays"]]
        report(*said["step"])
    raise EOFError("no answer")


def _array(pipe: BinaryIO, dtype: str, shape: Sequence[int]) -> np.ndarray:
    """The next array on the pipe, read into its place."""
    if dtype not in _DTYPES:  # a child that was taken over must not hand over pointers
        raise ValueError(f"dtype: expected one of {_DTYPES}, got {dtype}")
    made = np.empty(shape, dtype)
    place = made.reshape(-1).view(np.uint8).data
    while len(place):
        if not (count := cast(BufferedReader, pipe).readinto(place)):
            raise EOFError("an array cut short")
        place = place[count:]
    return made


def main() -> None:
    """The child's side: read the question and the files, answer, end."""
    guarded.limit_memory(MEMORY)
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library might print must not get between the lines

    def say(**said: Any) -> None:
        out.write(json.dumps(said).encode() + b"\n")
        out.flush()

    question = json.loads(sys.stdin.buffer.readline())
    contents = [sys.stdin.buffer.read(size) for size in question["sizes"]]
    try:
        if question["what"] == "admit":
            found = admit(contents, lambda step, text: say(step=(step, text)))
            facts = {name: value for name, value in vars(found).items() if name not in ("pictures", "images")}
            facts["grid"] = None if found.grid is None else asdict(found.grid)
            arrays = [found.pictures, found.images]
        else:
            grid = None if question["grid"] is None else grid_from(question["grid"])
            facts, arrays = {}, [read_reference(contents[0], question["shape"], grid)]
    except DataRefused as error:
        say(refused=(error.code, str(error)))
    except MemoryError:
        say(refused=("memory", "The file takes more memory to decode than an upload may."))
    else:
        say(answer=facts, arrays=[(array.dtype.str, array.shape) for array in arrays])
        for array in arrays:
            out.write(np.ascontiguousarray(array).data)
        out.flush()


if __name__ == "__main__":
    main()
