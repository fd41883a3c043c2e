"""An image of a reader's own, through the networks and forgotten: in memory, never on disk, never in the cache."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core import catalogues, explaining, nifti, preprocess, runs, upload_child, upload_far, upload_kinds
from core.cards import DatasetCard
from core.errors import DataRefused
from core.metrics import overlap
from core.nifti_header import Grid
from core.prepared import read_card
from core.records import Heatmap, Prediction, Scores, Slice, Target, Volume
from core.upload_far import Far

DATASET = "upload"  # stands for the data set in keys; there is none of that name
NUMBERS_EVERY = 8  # slices between two reports


@dataclass(frozen=True, eq=False)
class Upload:
    """A checked picture or CT volume of a reader's own.

    layout      the data set whose networks can read it: "busi" or "lits"
    case        a random name, which says nothing about the file
    pictures    (n, H, W) uint8, or int16 HU in display orientation; n = 1 for a picture
    images      (n, SIZE, SIZE, 1) float32 in 0..1, what the networks see
    references  (n, H, W) uint8 labels, or None
    spacing_mm  (slice, row, column) of a CT, else None
    warned      sentences the reader has to see; ``far`` what was compared with the training images
    """

    layout: str
    case: str
    pictures: np.ndarray
    images: np.ndarray
    references: np.ndarray | None
    spacing_mm: tuple[float, float, float] | None
    grid: Grid | None
    flags: tuple[str, ...]
    warned: tuple[str, ...]
    far: tuple[Far, ...]

    @property
    def card(self) -> DatasetCard:
        """What the networks of its kind were made for."""
        return read_card(self.layout)

    @property
    def count(self) -> int:
        """How many slices there are; 1 for a picture."""
        return len(self.pictures)

    def slice(self, index: int) -> Slice:
        """One of its slices; its arrays are not copied."""
        return Slice(
            dataset=DATASET,
            case=self.case,
            index=index,
            group=self.case,
            tag="",
            picture=self.pictures[index],
            image=self.images[index],
            reference=None if self.references is None else self.references[index],
            spacing_mm=None if self.spacing_mm is None else self.spacing_mm[1:],
            flags=self.flags,
        )

    @property
    def volume(self) -> Volume:
        """A CT as the record of a volume; ValueError for a picture."""
        if self.spacing_mm is None:
            raise ValueError("volume: expected a CT, got a picture")
        indices = tuple(range(self.count))
        rest = (self.pictures, self.images, self.references, self.spacing_mm, self.flags)
        return Volume(DATASET, self.case, self.case, indices, *rest)


@dataclass(frozen=True)
class UploadNumbers:
    """One class of an upload on its own grid, summed over all slices, in pixels (voxels of a CT).

    marked        by run
    any_network   marked by at least one of them; ``every_network`` by all; ``most`` by more than half
    scores        by run, against the reference; empty without one
    """

    marked: Mapping[str, int]
    any_network: int
    most: int
    every_network: int
    scores: Mapping[str, Scores]

    @property
    def disagreement(self) -> float:
        """(union - intersection) / union of the networks' masks: 0 = one outline; 0 when nothing is marked."""
        apart = self.any_network - self.every_network
        return apart / self.any_network if self.any_network else 0.0


def read_upload(contents: Sequence[bytes], report: Callable[[str, str], None]) -> Upload:
    """Check and decode a file (or the files of one DICOM series), in a child process of limited memory and time.

    PNG, JPEG, TIFF (at most 20 MB), NIfTI-1, DICOM (at most 200 MB in all). ``report(step, sentence)`` is called
    as each of the steps Read, Orientation, Range, De-identify passes. DataRefused says in words what is wrong; no
    message holds a file's name or anything out of its header that could name a patient.
    """
    if sum(map(len, contents)) > nifti.MAX_UPLOAD:
        raise DataRefused("too_large", f"Expected at most {nifti.MAX_UPLOAD / 1e6:.0f} MB in all, got more.")
    upload_kinds.kind_of(contents)  # what is no image at all needs no child
    found = upload_child.admitted(contents, report)
    return Upload(
        layout=found.layout,
        case=f"own-{secrets.token_hex(4)}",
        pictures=found.pictures,
        images=found.images,
        references=None,
        spacing_mm=found.spacing_mm,
        grid=found.grid,
        flags=found.flags,
        warned=found.warned,
        far=upload_far.compared(found.layout, found.images),
    )


def with_reference(upload: Upload, content: bytes) -> Upload:
    """The upload with the outline in a second file: a PNG mask for a picture, NIfTI labels 0, 1, 2 for a CT.

    DataRefused as in ``read_upload``, and where the two do not belong together.
    """
    height, width = upload.pictures.shape[1:]
    return replace(upload, references=upload_child.reference(content, (height, width), upload.grid))


def predict_upload(run: str, upload: Upload, start: int = 0) -> Iterator[Prediction]:
    """What a run predicts, slice by slice from ``start`` on, computed in batches; nothing is stored.

    A caller who stops asking stops the work. RunMissing, RunRefused, JobBusy as ever; it can be asked again with
    what it has as ``start``.
    """
    from core.explain import engine

    which = runs.read_run(run)
    layers = catalogues.network_cards()[which.model].layers
    for at in range(start, upload.count, engine.BATCH):
        part = upload.images[at : at + engine.BATCH]
        for place, probability in enumerate(engine.predict(which, layers, part), at):
            yield Prediction(run, upload.slice(place).key, probability)


def explain_upload(
    run: str, upload: Upload, index: int, prediction: Prediction, target: Target
) -> dict[tuple[str, str, Target], Heatmap]:
    """Every map of one slice that one pass gives, by (method, layer, target); nothing is stored."""
    which = runs.read_run(run)
    return explaining.explain(which, [upload.slice(index)], [prediction], [target], keep=False)[0]


def upload_numbers(
    upload: Upload,
    found: Mapping[str, Sequence[Prediction]],
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, UploadNumbers]:
    """Areas, votes and, with a reference, scores of every class, on the upload's own grid, one slice at a time.

    ``found`` holds a prediction of every slice for each run; ``report(done, total)`` counts slices.
    """
    classes, shape = upload.card.classes, upload.pictures.shape[1:]
    values = {name: overlap.class_values(name, classes) for name in classes[1:]}
    tables = {run: np.zeros((len(classes), len(classes)), np.int64) for run in found}
    votes = {name: np.zeros(len(found) + 1, np.int64) for name in values}
    for k in range(upload.count):
        reference = None if upload.references is None else upload.references[k]
        counted = {name: np.zeros(shape, np.uint8) for name in values}
        for run, predictions in found.items():
            labels = _labels(predictions[k].probability, shape)
            expert = np.zeros_like(labels) if reference is None else reference
            tables[run] += overlap.confusion(expert, labels, len(classes))
            for name, wanted in values.items():
                counted[name] += np.isin(labels, wanted)
        for name, votes_here in counted.items():
            votes[name] += np.bincount(votes_here.ravel(), minlength=len(votes[name]))
        if k % NUMBERS_EVERY == 0 or k + 1 == upload.count:
            report(k + 1, upload.count)
    scored = {run: overlap.scores_of(table, classes) for run, table in tables.items()}
    return {
        name: UploadNumbers(
            marked={run: one[name].tp + one[name].fp for run, one in scored.items()},
            any_network=int(counts[1:].sum()),
            most=int(counts[len(found) // 2 + 1 :].sum()),
            every_network=int(counts[-1]) if found else 0,
            scores={} if upload.references is None else {run: one[name] for run, one in scored.items()},
        )
        for name, counts in votes.items()
    }


def _labels(probability: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if probability.shape[-1] == 1:
        return preprocess.labels_of(probability, shape)
    return np.asarray(preprocess.labels_stack(probability[None], shape)[0])
