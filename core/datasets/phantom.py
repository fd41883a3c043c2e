"""Phantoms: drawn images in the folders and file names of a real set, so that they run through its reader."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from core import atomic
from core.cards import DatasetCard
from core.datasets import busi
from core.errors import DataRefused

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
)

CASES = 60
SEED = 0
SHARES = {"benign": 0.5, "malignant": 0.3}  # of the cases, about as in BUSI; the rest is normal
_MASK_MODES = ("1", "RGB", "1", "RGBA", "1", "L")  # BUSI's, and grey
_TWO_LESIONS = 9  # every ninth case with a lesion has two, in two mask files
_MARKED, _FRAMED = 4, 8  # benign cases with calliper marks and with a coloured frame: flags to look at


def write(folder: Path, layout: str = "busi", cases: int = CASES, seed: int = SEED) -> int:
    """Draw ``cases`` phantoms into ``folder`` as a data set in ``layout``; returns how many.

    Half benign, three in ten malignant, the rest normal. The same seed gives the same pixels, and a case does not
    depend on how many are drawn. Files that are there already under other names stay.
    DataRefused ("layout") for any layout but busi.
    """
    if layout != "busi":
        raise DataRefused("layout", f"No phantoms in layout {layout!r}: expected busi.")
    for tag, number in _numbers(cases):
        _write_case(folder / "Dataset_BUSI_with_GT" / tag, tag, number, seed)
    return cases


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
