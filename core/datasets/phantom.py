"""Phantoms: drawn images in the folders and file names of a real set, so that they run through its reader."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from core import atomic
from core.cards import DatasetCard
from core.datasets import busi, lits
from core.errors import DataRefused

if TYPE_CHECKING:
    from core.datasets import _liver

CARDS = (
    DatasetCard(
        name="phantom_busi",
        title="Breast ultrasound phantoms",
        modality="breast ultrasound",
        classes=("background", "tumour"),
        channels=1,
        group="phantom",
        source="drawn by this program (python -m core demo)",
        licence="CC0 1.0",
        citation="none: generated",
        synthetic=True,
        layout="busi",
        splits=busi.SPLITS,
        unit="px",
        known_defects=(
            "drawn, not measured: for trying the program out, not for judging networks",
            "the tags benign and malignant are shapes, not diagnoses",
        ),
    ),
    DatasetCard(
        name="phantom_lits",
        title="Liver CT phantoms",
        modality="liver CT",
        classes=("background", "liver", "tumour"),
        channels=1,
        group="patient",
        source="drawn by this program (python -m core demo)",
        licence="CC0 1.0",
        citation="none: generated",
        synthetic=True,
        layout="lits",
        splits=lits.SPLITS,
        unit="mm",
        window_hu=lits.WINDOW_HU,
        known_defects=(
            "drawn, not measured: for trying the program out, not for judging networks",
            "lesions are dark ovals: no other kind of tumour is drawn",
        ),
    ),
)

CASES = {"busi": 60, "lits": 6}
FIRST = 201  # LiTS ends at 130: no phantom is taken for one of its volumes or of its patients
SEED = 0
SHARES = {"benign": 0.5, "malignant": 0.3}  # of the cases, about as in BUSI; the rest is normal
ORIENTATIONS = ("LPS", "RAS", "PLI", "LAS", "SAR", "RPI")  # as in LiTS, and three more
LESIONS = (0, 3, 4, 1, 4, 3)
COMPRESSION = 4  # of gzip: noise gains nothing from more
_MASK_MODES = ("1", "RGB", "1", "RGBA", "1", "L")  # BUSI's, and grey
_TWO_LESIONS = 9  # every ninth case with a lesion has two, in two mask files
_MARKED, _FRAMED = 4, 8  # benign cases with calliper marks and with a coloured frame: flags to look at


def write(folder: Path, layout: str = "busi", cases: int | None = None, seed: int = SEED) -> int:
    """Draw ``cases`` phantoms into ``folder`` as a data set in ``layout`` (busi or lits); returns how many.

    busi (60 unless told): half benign, three in ten malignant, the rest normal. lits (6 unless told): volumes
    stored in different orientations, every sixth without tumour. The same seed gives the same bytes, and
    a case does not depend on how many are drawn. Files that are there already under other names stay.
    DataRefused ("layout") for any other layout.
    """
    if layout not in CASES:
        raise DataRefused("layout", f"No phantoms in layout {layout!r}: expected one of {', '.join(CASES)}.")
    cases = CASES[layout] if cases is None else cases
    if layout == "lits":
        for number in range(cases):
            _write_volume(folder, FIRST + number, seed)
    else:
        for tag, number in _numbers(cases):
            _write_case(folder / "Dataset_BUSI_with_GT" / tag, tag, number, seed)
    return cases


def volume(number: int, seed: int = SEED) -> _liver.Drawn:
    """Phantom volume-``number`` as it is drawn, before it is turned and stored."""
    from core.datasets import _liver  # loads SciPy

    rng = np.random.default_rng([seed, len(busi.TAGS), number])
    return _liver.draw(rng, lesions=LESIONS[number % len(LESIONS)])


def _write_volume(folder: Path, number: int, seed: int) -> None:
    drawn = volume(number, seed)
    axes = ORIENTATIONS[number % len(ORIENTATIONS)]
    origin = np.random.default_rng([seed, number]).uniform(-300, 300, 3).round(1)
    for name, voxels in (("volume", drawn.picture), ("segmentation", drawn.labels)):
        content = nifti(voxels, drawn.spacing_mm, axes, origin)
        path = folder / f"{name}-{number}.nii.gz"
        atomic.write_bytes(path, gzip.compress(content, compresslevel=COMPRESSION, mtime=0))


def nifti(voxels: np.ndarray, spacing_mm: tuple[float, float, float], axes: str, origin: np.ndarray) -> bytes:
    """A NIfTI file of voxels in display orientation (slice, row, column), stored along ``axes``, e.g. "PLI".

    ``origin`` is the place in mm (right to left, back to front, feet to head, all ascending) of the first voxel
    of the first slice in display orientation.
    """
    import nibabel

    affine = np.diag((-spacing_mm[2], -spacing_mm[1], spacing_mm[0], 1.0))
    affine[:3, 3] = origin
    stored = voxels.transpose(2, 1, 0)  # to the left, to the back, to the head
    order = ["LPSRAI".index(letter) % 3 for letter in axes]
    stored, affine = stored.transpose(order), affine[:, [*order, 3]]
    for axis, letter in enumerate(axes):
        if letter in "RAI":
            affine[:3, 3] += affine[:3, axis] * (stored.shape[axis] - 1)
            affine[:3, axis] *= -1
            stored = np.flip(stored, axis)
    image: Any = nibabel.Nifti1Image
    return bytes(image(stored, affine).to_bytes())


def _numbers(cases: int) -> list[tuple[str, int]]:
    benign, malignant = (round(cases * SHARES[tag]) for tag in ("benign", "malignant"))
    counts = {"benign": benign, "malignant": malignant, "normal": cases - benign - malignant}
    return [(tag, number) for tag, count in counts.items() for number in range(1, count + 1)]


def _write_case(folder: Path, tag: str, number: int, seed: int) -> None:
    from core.datasets import _breast  # loads SciPy

    rng = np.random.default_rng([seed, busi.TAGS.index(tag), number])
    drawn = _breast.draw(rng, tag, lesions=2 if number % _TWO_LESIONS == 0 else 1)
    picture = np.stack([drawn.picture] * 3, axis=2)
    if tag == "benign" and number % 10 == _MARKED:
        _callipers(picture, drawn.masks[0])
    if tag == "benign" and number == _FRAMED:
        _frame(picture, drawn.masks[0])
    is_grey = number % 7 == 0
    _save(folder / f"{tag} ({number}).png", Image.fromarray(picture[..., 0] if is_grey else picture))
    masks = drawn.masks or (np.zeros(drawn.picture.shape, dtype=bool),)
    for index, mask in enumerate(masks):
        ending = f"_mask_{index}" if index else "_mask"
        image = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
        _save(folder / f"{tag} ({number}){ending}.png", image.convert(_MASK_MODES[number % len(_MASK_MODES)]))


def _callipers(picture: np.ndarray, mask: np.ndarray) -> None:
    """White crosses at the ends of the lesion's height and width, as readers leave them."""
    rows, columns = np.nonzero(mask)
    middle = int(rows.mean()), int(columns.mean())
    ends = [
        (rows.min(), middle[1]),
        (rows.max(), middle[1]),
        (middle[0], columns.min()),
        (middle[0], columns.max()),
    ]
    for row, column in ends:
        picture[max(0, row - 4) : row + 5, column] = 255
        picture[row, max(0, column - 4) : column + 5] = 255


def _frame(picture: np.ndarray, mask: np.ndarray) -> None:
    """A green box round the lesion, like the field of a colour measurement."""
    rows, columns = np.nonzero(mask)
    top, bottom = max(0, rows.min() - 8), min(picture.shape[0] - 1, rows.max() + 8)
    left, right = max(0, columns.min() - 8), min(picture.shape[1] - 1, columns.max() + 8)
    for edge in (
        np.s_[top, left:right],
        np.s_[bottom, left:right],
        np.s_[top:bottom, left],
        np.s_[top:bottom, right],
    ):
        picture[edge] = (0, 200, 60)


def _save(path: Path, image: Image.Image) -> None:
    held = io.BytesIO()
    image.save(held, format="PNG")
    atomic.write_bytes(path, held.getvalue())
