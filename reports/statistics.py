"""Estimators with known behaviour on small samples. Imports nothing of ours; times come in and go out unitless.

Formulas: order statistics of the binomial distribution for the median's interval and for the counts that a
percentile needs; nearest rank for percentiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A point estimate and its two-sided 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def relative_half_width(self) -> float:
        """Half the width over the estimate; infinite for an estimate of 0."""
        return (self.high - self.low) / (2 * self.estimate) if self.estimate else math.inf


@lru_cache(maxsize=4096)
def median_ranks(count: int) -> tuple[int, int] | None:
    """1-based ranks (l, u) such that (X_(l), X_(u)) covers the median with at least 95 %; None below 6 samples.

    l is the largest rank with P(Bin(n, 1/2) <= l - 1) <= 2.5 %, u = n + 1 - l by symmetry. Exact coverage is
    96.48 % at n = 100 (ranks 40 and 61) and 95.37 % at n = 1000 (469 and 532).
    """
    tail = (1 - CONFIDENCE) / 2
    if count < 1 or 0.5**count > tail:
        return None
    log_half = count * math.log(0.5)
    below = 0.0
    rank = 0
    for successes in range(count):
        log_choose = math.lgamma(count + 1) - math.lgamma(successes + 1) - math.lgamma(count - successes + 1)
        below += math.exp(log_choose + log_half)
        if below > tail:
            break
        rank = successes + 1
    return rank, count + 1 - rank


def median_interval(values: Sequence[float] | NDArray[Any]) -> Interval | None:
    """Median with its distribution-free 95 % interval; None below 6 values.

    Holds for independent values; positive autocorrelation makes it too narrow.
    """
    ordered = np.sort(np.asarray(values))
    ranks = median_ranks(len(ordered))
    if ranks is None:
        return None
    low, high = ranks
    return Interval(float(np.median(ordered)), float(ordered[low - 1]), float(ordered[high - 1]))


@lru_cache(maxsize=64)
def minimum_count(probability: float) -> int:
    """Least number of values for which a two-sided 95 % interval of that percentile exists.

    Least n with p**n + (1 - p)**n <= 5 %, split as 2.5 % on each side: 36, 72, 368 and 3,688 for
    p = 0.90, 0.95, 0.99 and 0.999.
    """
    if not 0.5 <= probability < 1:
        raise ValueError(f"probability must be in [0.5, 1), not {probability}")
    tail = (1 - CONFIDENCE) / 2
    return math.ceil(math.log(tail) / math.log(probability))


def percentile(values: Sequence[float] | NDArray[Any], probability: float) -> float | None:
    """Nearest-rank percentile, sorted[ceil(n p) - 1]; None when there are fewer than `minimum_count` values."""
    ordered = np.sort(np.asarray(values))
    if len(ordered) < minimum_count(probability):
        return None
    # n p can land a hair above a whole number in binary (0.95 * 100 > 95); that must not move the rank.
    rank = math.ceil(round(len(ordered) * probability, 9))
    return float(ordered[rank - 1])


def geometric_mean(values: Sequence[float]) -> float:
    """exp(mean(log x)). Raises ValueError on an empty sequence or a value that is not positive."""
    if not values or min(values) <= 0:
        raise ValueError("the geometric mean needs one or more positive values")
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))
