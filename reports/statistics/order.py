"""Order statistics: the median and percentiles with what their counts allow to say. All unitless.

Nothing is assumed of the distribution. Values that depend on each other count for less than their number; the
`effective_count` that the functions take is that lower number, and has no effect when it is not lower.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from reports.statistics.values import Values, checked

CONFIDENCE = 0.95
#: of loadgen's early stopping: its estimate is a bound that holds with 99 %
_UPPER_TAIL = 0.01


@dataclass(frozen=True, slots=True)
class Interval:
    """A point estimate and its two-sided 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def relative_half_width(self) -> float:
        """Half the width over the estimate; infinite for an estimate of 0."""
        return (self.high - self.low) / (2 * abs(self.estimate)) if self.estimate else math.inf


@lru_cache(maxsize=4096)
def median_ranks(count: int) -> tuple[int, int] | None:
    """1-based ranks (l, u) such that (X_(l), X_(u)) covers the median with at least 95 %; None below 6 samples.

    l is the largest rank with P(Bin(n, 1/2) <= l - 1) <= 2.5 %, u = n + 1 - l by symmetry. Exact coverage is
    96.48 % at n = 100 (ranks 40 and 61) and 95.37 % at n = 1000 (469 and 532).
    """
    tail = (1 - CONFIDENCE) / 2
    if count < 1 or 0.5**count > tail:
        return None
    # Binomial probabilities over the middle one, from the middle down: no factorials, and no scipy in a worker. What
    # lies 20 standard deviations out does not count.
    middle = count // 2
    successes = middle - np.arange(min(middle, 10 * math.isqrt(count) + 10))
    weights = np.concatenate(([1.0], np.cumprod(successes / (count - successes + 1))))
    total = 2 * weights.sum() - (1.0 if count % 2 == 0 else 0.0)
    below = np.cumsum(weights[::-1]) / total
    rank = middle + 1 - len(weights) + int(np.searchsorted(below, tail, side="right"))
    return rank, count + 1 - rank


def median_interval(values: Values, effective_count: float | None = None) -> Interval | None:
    """Median with its distribution-free 95 % interval; None below 6 values or 6 effective ones.

    With an effective count m below the number n of values, the ranks are those for m values at the same proportions
    rank / (count + 1) among n, rounded outwards. `median_autocorrelation_time` gives m for a series; without m the
    interval holds for independent values only, positive autocorrelation makes it too narrow.
    Raises ValueError for no values, NaN, infinities, or an effective count that is not above 0.
    """
    ordered = np.sort(checked(values))
    count, effective = len(ordered), _effective(len(ordered), effective_count)
    ranks = median_ranks(effective)
    if ranks is None:
        return None
    low = ranks[0] * (count + 1) // (effective + 1)
    return Interval(float(np.median(ordered)), float(ordered[low - 1]), float(ordered[count - low]))


@lru_cache(maxsize=64)
def minimum_count(probability: float) -> int:
    """Least number of values for which a two-sided 95 % interval of that percentile exists.

    Least n with p**n <= 2.5 %, the chance that all lie below the percentile: 36, 72, 368 and 3,688 for p = 0.90,
    0.95, 0.99 and 0.999. Raises ValueError for a probability outside [0.5, 1).
    """
    _check_probability(probability)
    tail = (1 - CONFIDENCE) / 2
    return math.ceil(math.log(tail) / math.log(probability))


def percentile(values: Values, probability: float, effective_count: float | None = None) -> float | None:
    """Nearest-rank percentile, sorted[ceil(n p) - 1]; None when fewer than `minimum_count` values are effective.

    Raises ValueError for no values, NaN, infinities, a probability outside [0.5, 1), or an effective count that is
    not above 0.
    """
    row = checked(values)
    if _effective(len(row), effective_count) < minimum_count(probability):
        return None
    # n p can land a hair above a whole number in binary (0.55 * 100 > 55); that must not move the rank.
    rank = math.ceil(round(len(row) * probability, 9))
    return float(np.partition(row, rank - 1)[rank - 1])


@lru_cache(maxsize=1024)
def early_stopping_count(discarded: int, probability: float) -> int:
    """Least n with P(Bin(n, 1 - p) <= discarded) <= 1 %: how many values MLPerf's loadgen wants for that tail.

    loadgen/early_stopping.cc with confidence 0.99 and tolerance 0; one value in its tail needs 64, 130, 662 and
    6,636 for p = 0.90, 0.95, 0.99 and 0.999. Raises ValueError for a negative number or a probability outside
    [0.5, 1).
    """
    from scipy.special import bdtr

    _check_probability(probability)
    if discarded < 0:
        raise ValueError(f"discarded must not be negative, not {discarded}")

    def enough(count: int) -> bool:
        return bool(bdtr(discarded, count, 1 - probability) <= _UPPER_TAIL)

    enough_for_sure = 2 * (discarded + 1)
    while not enough(enough_for_sure):
        enough_for_sure *= 2
    return bisect_left(range(enough_for_sure), True, lo=discarded + 1, key=enough)


def percentile_upper99(values: Values, probability: float, effective_count: float | None = None) -> float | None:
    """Upper bound of the percentile that holds with 99 %: loadgen's early-stopping estimate of a tail latency.

    With t the most values for which `early_stopping_count` is no more than n, the estimate is sorted[n - t], 0-based
    (loadgen/results.cc; one order statistic stricter than an exact bound). With an effective count m, t is that of m
    at the same proportion among n, rounded up in value. None when not even t = 1 is allowed: below 64 values for
    p = 0.90, 662 for 0.99.
    Raises ValueError for no values, NaN, infinities, a probability outside [0.5, 1), or an effective count that is
    not above 0.
    """
    from scipy.special import bdtr

    _check_probability(probability)
    row = checked(values)
    count, effective = len(row), _effective(len(row), effective_count)

    def tail(discarded: int) -> float:
        return float(bdtr(discarded, effective, 1 - probability))

    discarded = bisect_right(range(effective), _UPPER_TAIL, key=tail) - 1
    if discarded < 1:
        return None
    index = count - discarded * (count + 1) // (effective + 1)
    return float(np.partition(row, index)[index])


def geometric_mean(values: Values) -> float:
    """exp(mean(log x)). Raises ValueError for no values, NaN, infinities, or a value that is not positive."""
    return math.exp(float(np.log(checked(values, positive=True)).mean()))


def _effective(count: int, effective_count: float | None) -> int:
    """Whole effective values, at most `count`."""
    if effective_count is None:
        return count
    if not 0 < effective_count < math.inf:
        raise ValueError(f"effective_count must be positive and finite, not {effective_count}")
    return min(count, math.floor(effective_count))


def _check_probability(probability: float) -> None:
    if not 0.5 <= probability < 1:
        raise ValueError(f"probability must be in [0.5, 1), not {probability}")
