"""``prepare`` on CT volumes of the size of LiTS: speed against a straightforward script, and memory.

The volumes are phantoms enlarged to 512 x 512, a third of their slices with liver as in LiTS17, written slice by
slice. Both sides work on the same files in the same run on one core, and the files are in the page cache.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from isal import igzip

from core.datasets import lits, phantom
from tests.bench.preparation import cpu_seconds

SLICES = 448  # of the volume that is timed: the mean of LiTS17
SIDE = 512
WITH_LIVER = 1 / 3  # 19,163 of 58,638 slices in LiTS17
LITS_SLICES = 58_638
COUNTS = (1, 4, 16)  # volumes at which memory is measured
SMALL = 12  # slices of a volume that takes next to nothing but the start of the two processes
TIMES = 3  # everything is timed so often and the smallest counts: other programs only ever add
HEADER = 352  # bytes before the voxels

PREPARE = """
import resource, sys
from pathlib import Path
from core import prepare_volumes
from core.prepare import prepare
prepare_volumes._workers = lambda: 1
if __name__ == "__main__":
    prepare("lits", Path(sys.argv[1]), "bench")
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, status["VmHWM"].split()[0])
"""


def generate(folder: Path, volumes: int, slices: int, ending: str = ".nii", first: int = 0) -> None:
    """Write ``volumes`` pairs of volume-N and segmentation-N of SIDE x SIDE x ``slices``, one slice in memory."""
    for number in range(first, first + volumes):
        drawn = _drawn(number % len(phantom.LESIONS))
        rows = np.arange(SIDE) * drawn.labels.shape[1] // SIDE
        spacing = (
            drawn.spacing_mm[0] / 5,
            *(mm * drawn.labels.shape[1] / SIDE for mm in drawn.spacing_mm[1:]),
        )
        grain = np.random.default_rng(number).normal(0, 12, (SIDE, SIDE)).astype(np.int16)
        for name, voxels in (("volume", drawn.picture), ("segmentation", drawn.labels)):
            empty = np.zeros((1, 1, 1), voxels.dtype)
            head = bytearray(phantom.nifti(empty, spacing, "LPS", np.zeros(3))[:HEADER])
            head[42:48] = np.array((SIDE, SIDE, slices), "<i2").tobytes()  # the header's dim[1] to dim[3]
            path = folder / f"{name}-{number}{ending}"
            with gzip.open(path, "wb", 1) if ending.endswith(".gz") else path.open("wb") as file:
                file.write(head)
                for index, slice in enumerate(_order(drawn.labels, slices)):
                    large = voxels[slice][rows[:, None], rows]
                    if voxels is drawn.picture:
                        large = large + np.roll(grain, 37 * index)
                    file.write(large.tobytes())


@cache
def _drawn(number: int):
    return phantom.volume(phantom.FIRST + number)


def _order(labels: np.ndarray, slices: int) -> Iterator[int]:
    """Which drawn slice each of ``slices`` shows: a third with liver, the rest those below and above it."""
    with_liver = np.flatnonzero(labels.any(axis=(1, 2)))
    low, high = int(with_liver[0]), int(with_liver[-1]) + 1
    count = round(slices * WITH_LIVER)
    below = (slices - count) * 2 // 3
    yield from (index * low // below for index in range(below))
    yield from (low + index * (high - low) // count for index in range(count))
    above = slices - count - below
    yield from (high + index * (len(labels) - high) // above for index in range(above))


def measure(slices: int = SLICES) -> dict[str, float]:
    """CPU seconds per slice and their ratios, peak memory in MB, and the time for the whole of LiTS17 on one core.

    script   nibabel get_fdata; for every slice a PNG of picture and outline and skimage's resize; .npy
    careful  the same, but PNG and resize only for the slices that ``prepare`` keeps
    start    of ``prepare``'s two processes, once for a whole data set and left out of times per slice, as are
             the imports of the script
    unpacking_share_of_prepare  of the compressed files: no way of preparing them takes less
    worker_MB_n, parent_MB_n  with n volumes of slices / 4 slices each, one after the other
    Linux only: peaks are read from /proc.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = _memory(folder, slices)
        for ending in (".nii", ".nii.gz"):
            found |= _speed(folder / f"speed{ending}", slices, ending)
    return found


def _memory(folder: Path, slices: int) -> dict[str, float]:
    found = {}
    source = folder / "many"
    source.mkdir()
    for before, count in zip((0, *COUNTS), COUNTS, strict=False):
        generate(source, count - before, slices // 4, first=before)
        found[f"worker_MB_{count}"], found[f"parent_MB_{count}"] = _prepare(source)[:2]
    return found | {"memory_slices": float(slices // 4)}


def _speed(folder: Path, slices: int, ending: str) -> dict[str, float]:
    folder.mkdir()
    generate(folder, 1, slices, ending)
    runs = [_prepare(folder) for _ in range(TIMES)]
    peak, _, wall, cpu, images = min(runs, key=lambda run: run[3])
    small = folder / "small"
    small.mkdir()
    generate(small, 1, SMALL, ending)
    started = min(_prepare(small)[3] for _ in range(TIMES))
    each = (cpu - started) / (slices - SMALL)
    script, careful, difference = min(_script(folder, ending, images) for _ in range(TIMES))
    if difference > 1e-5:
        raise RuntimeError(f"prepare and the script differ by {difference:g}: nothing to compare")
    found = {
        "slices": float(slices),
        "slices_kept": float(len(images)),
        "worker_MB": peak,
        "wall_seconds": wall,
        "cpu_seconds": cpu,
        "start_seconds": started - SMALL * each,
        "slices_per_second_and_core": 1 / each,
        "script_slices_per_second": slices / script,
        "script_over_prepare": script / slices / each,
        "careful_over_prepare": careful / slices / each,
        "script_over_prepare_with_start": script / cpu,
        "largest_difference": difference,
        "minutes_for_lits17": each * LITS_SLICES / 60,
        "minutes_for_lits17_by_script": script / slices * LITS_SLICES / 60,
    }
    if ending.endswith(".gz"):
        unpacking = min(_unpacking(folder) for _ in range(TIMES))
        found["unpacking_share_of_prepare"] = unpacking / slices / each
    return {name + ending.replace(".", "_"): value for name, value in found.items()}


def _prepare(source: Path) -> tuple[float, float, float, float, np.ndarray]:
    """Prepare a folder in a new process with one worker: peak MB of worker and parent, seconds, the images."""
    with tempfile.TemporaryDirectory() as artifacts:
        environment = {**os.environ, "TRIPTYCH_ARTIFACTS": artifacts, "PYTHONPATH": os.getcwd()}
        script = Path(artifacts) / "run.py"
        script.write_text(PREPARE)
        cpu, wall = cpu_seconds(), time.perf_counter()
        answer = subprocess.run(
            [sys.executable, str(script), str(source)],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
        worker, parent = (int(word) / 1024 for word in answer.stdout.split()[-2:])
        return worker, parent, wall, cpu, np.load(Path(artifacts) / "data" / "bench" / "images.npy")


def _unpacking(folder: Path) -> float:
    """CPU seconds that the two files take to be unpacked to their ends, and nothing else."""
    begin = cpu_seconds()
    for path in folder.glob("*.gz"):
        with igzip.open(path) as file:
            while file.read(1 << 20):
                pass
    return cpu_seconds() - begin


def _script(folder: Path, ending: str, prepared: np.ndarray) -> tuple[float, float, float]:
    """CPU seconds of the script for every slice and for those kept, and its largest difference from prepare."""
    import nibabel
    from PIL import Image
    from skimage.transform import resize

    begin = cpu_seconds()
    volume = nibabel.load(folder / f"volume-0{ending}").get_fdata()
    outline = nibabel.load(folder / f"segmentation-0{ending}").get_fdata()
    loaded = cpu_seconds()
    low, high = lits.WINDOW_HU
    images, labels, seconds = [], [], []
    for index in range(volume.shape[2]):
        start = cpu_seconds()
        picture = (np.clip(volume[:, :, index].T, low, high) - low) / (high - low)
        mask = outline[:, :, index].T
        Image.fromarray((picture * 255).astype(np.uint8)).save(folder / f"image-{index}.png")
        Image.fromarray((mask * 127).astype(np.uint8)).save(folder / f"mask-{index}.png")
        images.append(resize(picture, (128, 128), order=1, anti_aliasing=True))
        labels.append(resize(mask, (128, 128), order=0, preserve_range=True, anti_aliasing=False))
        seconds.append(cpu_seconds() - start)
    start = cpu_seconds()
    np.save(folder / "images.npy", np.array(images, np.float32))
    np.save(folder / "labels.npy", np.array(labels, np.uint8))
    stored = cpu_seconds() - start
    with_liver = np.flatnonzero(outline.any(axis=(0, 1)))
    first = max(0, with_liver[0] - lits.MARGIN)
    same = np.array(images[first : first + len(prepared)], np.float32)
    difference = float(np.abs(same - prepared[..., 0]).max())
    work, share = loaded - begin, len(prepared) / len(seconds)
    return work + sum(seconds) + stored, work + (sum(seconds) + stored) * share, difference
