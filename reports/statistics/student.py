"""Student's t distribution, from scipy; scipy is imported on first use because timing workers import this package."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1024)
def t_quantile(degrees: float, probability: float) -> float:
    """The value that Student's t with that many degrees of freedom stays below with that probability."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))


def t_above(degrees: float, t: float) -> float:
    """P(T > t) for Student's t."""
    from scipy.special import stdtr

    return float(stdtr(degrees, -t))
