"""How sure a mean is: bootstrap intervals over groups, paired tests, Holm's correction, rank stability.

The unit of every n here is the group (near-duplicate cluster, patient), never the slice. Measured coverage
of nominal 95 % intervals on Dice-like values: 0.80 (n = 9), 0.91 (20), 0.97 (30), 0.95 (50).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 9999
POINTS_BELOW = 5  # no interval
TEST_FROM = 7  # the smallest n whose best p survives Holm over three pairs: 3 x 2^(1-7) = 0.047
APPROXIMATE_BELOW = 20
ALPHA = 0.05


def few(patients: int) -> str:
    """The warning that stands wherever few patients stand behind a figure; empty from twenty on."""
    if patients >= APPROXIMATE_BELOW:
        return ""
    return f"Few patients: {patients}. Means over so few say little about the next patient."


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval; low and high are NaN where n is too small, and ``note`` says so."""

    mean: float
    low: float
    high: float
    n: int
    note: str = ""


@dataclass(frozen=True)
class Paired:
    """One model minus another over the same groups. ``p`` is NaN where n is too small, as ``note`` says.

    effect is the rank-biserial correlation (W+ - W-)/(W+ + W-), -1..1; won, tied and lost are shares of
    groups.
    """

    difference: Interval
    p: float
    w_plus: float
    w_minus: float
    effect: float
    won: float
    tied: float
    lost: float
    note: str = ""


def group_means(values: Sequence[float], groups: Sequence[str]) -> dict[str, float]:
    """Mean of the defined values of each group, by group; a group with none is left out."""
    held: dict[str, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        if not math.isnan(value):
            held.setdefault(group, []).append(value)
    return {group: float(np.mean(held[group])) for group in sorted(held)}


def interval(values: Sequence[float] | np.ndarray, seed: int = 0) -> Interval:
    """95 % BCa bootstrap interval of the mean of one value per group, always the same for the same values.

    Fewer than 5 values: no interval. A constant sample: the value at both ends. Below 20: "approximate".
    """
    sample = np.asarray(values, dtype=float)
    n = len(sample)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0, "no group is defined")
    mean = float(sample.mean())
    if n < POINTS_BELOW:
        return Interval(mean, math.nan, math.nan, n, f"n < {POINTS_BELOW}: points only")
    note = f"approximate, n < {APPROXIMATE_BELOW}" if n < APPROXIMATE_BELOW else ""
    if np.all(sample == sample[0]):
        value = float(sample[0])
        return Interval(value, value, value, n, note)
    low, high = _limits(sample, seed)
    return Interval(mean, low, high, n, note)


def _limits(sample: np.ndarray, seed: int) -> tuple[float, float]:
    from scipy import stats

    limits = (math.nan, math.nan)
    for method in ("BCa", "percentile"):  # BCa can fail on nearly constant samples
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy warns where it returns NaN, which is looked at here
            found = stats.bootstrap(
                (sample,), np.mean, method=method, n_resamples=RESAMPLES, rng=np.random.default_rng(seed)
            ).confidence_interval
        limits = (float(found.low), float(found.high))
        if np.isfinite(limits).all():
            break
    return limits


def can_test(n: int, comparisons: int = 1) -> bool:
    """Whether a test on n pairs can say anything after correction: its smallest p is 2^(1-n)."""
    return n >= TEST_FROM and 2.0 ** (1 - n) <= ALPHA / max(comparisons, 1)


def signed_ranks(differences: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Wilcoxon's W+ and W-: rank sums of positive and of negative differences, those of zeros split in two."""
    from scipy import stats

    d = np.asarray(differences, dtype=float)
    ranks = stats.rankdata(np.abs(d))
    zeros = float(ranks[d == 0].sum()) / 2
    return float(ranks[d > 0].sum()) + zeros, float(ranks[d < 0].sum()) + zeros


def paired(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray, comparisons: int = 1) -> Paired:
    """Compare two models on the same groups, value by value (``a - b``); ``comparisons`` tests share alpha.

    Identical values give the word "identical", p = 1, effect 0 and the interval [0, 0].
    """
    from scipy import stats

    d = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    n = len(d)
    difference = interval(d)
    if n == 0:
        nan = math.nan
        return Paired(difference, nan, nan, nan, nan, nan, nan, nan, "no group is defined for both")
    won, tied, lost = (float(np.mean(x)) for x in (d > 0, d == 0, d < 0))
    w_plus, w_minus = signed_ranks(d)
    if not d.any():
        none = Interval(0.0, 0.0, 0.0, n)
        return Paired(none, 1.0, w_plus, w_minus, 0.0, won, tied, lost, "identical")
    effect = (w_plus - w_minus) / (w_plus + w_minus)
    if not can_test(n, comparisons):
        note = f"no p: n = {n} is too small for {comparisons} comparison{'s' * (comparisons > 1)}"
        return Paired(difference, math.nan, w_plus, w_minus, effect, won, tied, lost, note)
    p = float(stats.wilcoxon(d, zero_method="zsplit", method="auto").pvalue)
    return Paired(difference, p, w_plus, w_minus, effect, won, tied, lost, difference.note)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given; a NaN stays NaN and still counts as a comparison."""
    m = len(p_values)
    corrected, largest = [math.nan] * m, 0.0
    known = sorted((i for i in range(m) if not math.isnan(p_values[i])), key=lambda i: p_values[i])
    for position, i in enumerate(known):
        largest = max(largest, min(1.0, (m - position) * p_values[i]))
        corrected[i] = largest
    return corrected


@dataclass(frozen=True)
class Ranks:
    """How stable an order of models is when the groups are drawn again.

    share[m][r] is how often model m takes rank r + 1 (ties take the better rank); ``tau`` is the mean Kendall
    correlation with the full order, NaN when all are equal. The two winners are indices; None: a tie.
    """

    share: list[list[float]]
    tau: float
    mean_then_rank: int | None
    rank_then_mean: int | None
    note: str = ""


def ranks(table: np.ndarray, seed: int = 0, resamples: int = 1000) -> Ranks:
    """Rank stability of the columns (models, larger is better) of a table (groups, models) without NaN."""
    from scipy import stats

    groups, models = table.shape
    if groups < POINTS_BELOW:
        return Ranks([], math.nan, None, None, f"n < {POINTS_BELOW}: points only")
    drawn = np.random.default_rng(seed).integers(groups, size=(resamples, groups))
    means = table[drawn].mean(axis=1)
    places = stats.rankdata(-means, method="min", axis=1)
    share = [[float(np.mean(places[:, m] == r + 1)) for r in range(models)] for m in range(models)]
    full = table.mean(axis=0)
    tau = math.nan
    if np.ptp(full) > 0:
        each = [stats.kendalltau(full, row).statistic for row in means if np.ptp(row) > 0]
        tau = float(np.mean(each)) if each else math.nan
    by_mean, by_rank = _winner(full), _winner(-stats.rankdata(-table, axis=1).mean(axis=0))
    note = "" if by_mean == by_rank else "the two ways of ranking name different winners"
    return Ranks(share, tau, by_mean, by_rank, note)


def _winner(values: np.ndarray) -> int | None:
    best = np.flatnonzero(values == values.max())
    return int(best[0]) if len(best) == 1 else None
