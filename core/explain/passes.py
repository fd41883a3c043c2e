"""Further passes through a run's network for one question, batch by batch, with progress.

Between two batches other readers get their turn, and the computation can be ended: whatever ``report`` raises
ends it, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from core.records import Passes, Run

Report = Callable[[int, int, str], None]  # done, total, what


def further(
    run: Run,
    layers: Sequence[str],
    layer: str,
    image: np.ndarray,
    question: tuple[np.ndarray, int, str, int | None],
    report: Report | None = None,
) -> Passes:
    """The passes that a method may ask for about one layer and one image (S, S, channels).

    ``question`` is (region (S, S), label, kind of score, rival or None); the region stays fixed.
    """
    from core.explain import engine

    def each(name: str, what: str, items: np.ndarray, *before: object) -> np.ndarray:
        parts = []
        for start in range(0, len(items), engine.BATCH):
            part = items[start : start + engine.BATCH]
            parts.append(engine.patiently(run, layers, name, *before, part, *question))
            if report:
                report(min(start + engine.BATCH, len(items)), len(items), f"{run.name}: {what}")
        return np.concatenate(parts)

    return Passes(
        image=image,
        rescore=partial(each, "rescore", "changed images"),
        without=lambda channels: each("without", "features switched off", channels, layer, image),
        slopes=partial(each, "slopes", "images on the way"),
    )
