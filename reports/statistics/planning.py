"""Before a comparison: how many pairs it needs, what it can detect, and in which order to measure. Unitless."""

from __future__ import annotations

import math

from reports.statistics.student import t_quantile
from reports.statistics.values import check_between

#: Even counts, so that both orders within a pair come up equally often.
_FEWEST_PAIRS, _MOST_PAIRS = 4, 400


def minimum_detectable_effect(
    sd: float, pairs: int, margin: float = 0.01, alpha: float = 0.01, power: float = 0.95
) -> float:
    """The relative slowdown that `decide` calls regressed with probability `power`: 0.0257 for sd 0.0121, 12 pairs.

    margin + (t(1 - alpha, K - 1) + t(power, K - 1)) * sd / sqrt(K), the usual approximation of the noncentral t;
    `sd` is that of the pairs' log differences, `margin` is relative like the effect.
    Raises ValueError for a negative or infinite sd or margin, fewer than two pairs, an alpha outside (0, 0.5) or a
    power outside (0.5, 1).
    """
    for name, value in (("sd", sd), ("margin", margin)):
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be finite and not negative, not {value}")
    if pairs < 2:
        raise ValueError(f"pairs must be at least 2, not {pairs}")
    check_between(alpha, "alpha", 0, 0.5)
    check_between(power, "power", 0.5, 1)
    return margin + (t_quantile(pairs - 1, 1 - alpha) + t_quantile(pairs - 1, power)) * sd / math.sqrt(pairs)


def pairs_needed(
    sd: float, effect: float, margin: float = 0.01, alpha: float = 0.01, power: float = 0.95
) -> int | None:
    """Least even number of pairs, from 4 to 400, that detects a relative slowdown of `effect`; None if none does.

    Raises ValueError as `minimum_detectable_effect` does.
    """
    for pairs in range(_FEWEST_PAIRS, _MOST_PAIRS + 1, 2):
        if minimum_detectable_effect(sd, pairs, margin, alpha, power) <= effect:
            return pairs
    return None


def abba_order(pairs: int) -> list[tuple[str, str]]:
    """Which side of each pair is measured first: base new, new base, base new, ...

    Over an even number of pairs a linear drift of the machine cancels exactly.
    Raises ValueError for fewer than one pair.
    """
    if pairs < 1:
        raise ValueError(f"pairs must be at least 1, not {pairs}")
    return [("base", "new") if pair % 2 == 0 else ("new", "base") for pair in range(pairs)]
