"""Estimate and bounds that belong to Wilcoxon's signed-rank test, as a mean's belong to Student's t. Unitless."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from reports.statistics.comparison import ALPHA, PairedEffect
from reports.statistics.values import Values, check_between, checked


def signed_rank_effect(differences: Values, alpha: float = ALPHA) -> PairedEffect:
    """The Hodges-Lehmann estimate as `mean`, with one-sided bounds of confidence 1 - alpha each.

    The estimate is the median of the means of every two differences (each with itself, too), and the bounds are
    those of the sorted means that the exact test does not reject: a few wild pairs hardly move them. Infinite where
    too few differences are there to reject anything, below 7 at 1 %.
    Raises ValueError for fewer than two differences, NaN, infinities, or an alpha outside (0, 0.5).
    """
    row = checked(differences, "differences", least=2)
    check_between(alpha, "alpha", 0, 0.5)
    above = np.triu_indices(len(row))
    means = np.sort((row[above[0]] + row[above[1]]) / 2)
    rank = _rejected_ranks(len(row), alpha)
    return PairedEffect(
        mean=float(np.median(means)),
        low=float(means[rank - 1]) if rank else -math.inf,
        high=float(means[-rank]) if rank else math.inf,
        sd=0.0 if row.min() == row.max() else float(row.std(ddof=1)),
        count=len(row),
    )


@lru_cache(maxsize=256)
def _rejected_ranks(count: int, alpha: float) -> int:
    """How many of the lowest sums of ranks have a probability below alpha together: P(W <= ranks - 1) < alpha."""
    # Of 2**count arrangements of signs, how many give each sum: a rank is either in it or not.
    ways = np.zeros(count * (count + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, count + 1):
        ways[rank:] += ways[:-rank].copy()
        ways /= 2
    return int(np.searchsorted(np.cumsum(ways), alpha, side="left"))
