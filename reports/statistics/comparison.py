"""Whether one thing takes longer than another: ratios of two groups, and the verdict on pairs measured in turns.

Each invocation counts once, as one number; its samples are not pooled with those of others, which would take the
spread inside a process for that between processes (Kalibera & Jones 2013). Differences are those of logarithms,
new - base, so 0.03 stands for about 3 % longer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from reports.statistics.order import CONFIDENCE, Interval
from reports.statistics.student import t_above, t_quantile
from reports.statistics.values import Floats, Values, check_between, checked

Verdict: TypeAlias = Literal["regressed", "improved", "unchanged", "inconclusive"]

#: Differences up to 1 % are noise, whatever their certainty.
MARGIN = math.log(1.01)
#: "Unchanged" means shown to be no more than 3 % slower.
TOLERATED = math.log(1.03)
#: False alarms allowed to one comparison, or to a family of them with `holm`.
ALPHA = 0.01
#: Above this standard deviation of the differences, a noisy host's outliers cost Student's t its power.
NOISY_SD = 0.02
#: Up to this many, signed ranks have their exact distribution; scipy's own limit.
_EXACT_RANKS = 50


def welch_log_ratio(a: Values, b: Values) -> Interval:
    """Ratio of the geometric means of two unpaired groups, a over b, with its 95 % interval (Welch 1947, on logs).

    Groups without any spread give an interval of no width.
    Raises ValueError for fewer than two values in a group, NaN, infinities, or values that are not positive.
    """
    above, below = checked(a, "a", least=2, positive=True), checked(b, "b", least=2, positive=True)
    # Logs relative to one value of the group: those of equal values are exactly 0, and so is their variance.
    log_above, log_below = np.log(above / above.min()), np.log(below / below.min())
    middle = float(above.min() / below.min())
    difference = float(log_above.mean() - log_below.mean())
    variance_a, variance_b = float(log_above.var(ddof=1)) / len(above), float(log_below.var(ddof=1)) / len(below)
    variance = variance_a + variance_b
    half_width = 0.0
    if variance > 0:
        share = variance_a / variance
        degrees = 1 / (share**2 / (len(above) - 1) + (1 - share) ** 2 / (len(below) - 1))
        half_width = t_quantile(degrees, (1 + CONFIDENCE) / 2) * math.sqrt(variance)
    return Interval(
        estimate=middle * math.exp(difference),
        low=middle * math.exp(difference - half_width),
        high=middle * math.exp(difference + half_width),
    )


@dataclass(frozen=True, slots=True)
class PairedEffect:
    """Mean difference of `count` pairs, and its one-sided bounds, each with confidence 1 - alpha."""

    mean: float
    low: float
    high: float
    sd: float
    count: int


def paired_effect(differences: Values, alpha: float = ALPHA) -> PairedEffect:
    """Mean difference with the bounds mean ± t(1 - alpha, K - 1) * sd / sqrt(K).

    Raises ValueError for fewer than two differences, NaN, infinities, or an alpha outside (0, 0.5).
    """
    row = _differences(differences)
    check_between(alpha, "alpha", 0, 0.5)
    mean, sd = float(row.mean()), _sd(row)
    reach = t_quantile(len(row) - 1, 1 - alpha) * sd / math.sqrt(len(row))
    return PairedEffect(mean=mean, low=mean - reach, high=mean + reach, sd=sd, count=len(row))


def decide(differences: Values, margin: float = MARGIN, tolerated: float = TOLERATED, alpha: float = ALPHA) -> Verdict:
    """The verdict on paired differences of logs, from one-sided tests at level alpha.

    Regressed: the mean is above `margin`; improved: below -margin; unchanged: below `tolerated`; else inconclusive.
    Student's t decides, and where the differences' standard deviation is above 2 % Wilcoxon's signed ranks, which
    need some 40 pairs.
    Raises ValueError for fewer than two differences, NaN, infinities, an alpha outside (0, 0.5), or margins that are
    not 0 <= margin <= tolerated.
    """
    row = _differences(differences)
    check_between(alpha, "alpha", 0, 0.5)
    if not 0 <= margin <= tolerated < math.inf:
        raise ValueError(f"margin and tolerated must be 0 <= margin <= tolerated, not {margin} and {tolerated}")
    if regression_p_value(row, margin) < alpha:
        return "regressed"
    if regression_p_value(-row, margin) < alpha:
        return "improved"
    if regression_p_value(-row, -tolerated) < alpha:
        return "unchanged"
    return "inconclusive"


def regression_p_value(differences: Values, margin: float = MARGIN) -> float:
    """One-sided p value of "the mean difference is no more than `margin`", by the test that `decide` takes.

    Raises ValueError for fewer than two differences, NaN, infinities, or a margin that is not finite.
    """
    row = _differences(differences)
    sd = _sd(row)
    if sd > NOISY_SD:
        return signed_rank_p_value(row, margin)
    excess = float(row.mean()) - _finite(margin)
    if sd == 0:
        return 0.0 if excess > 0 else 1.0
    return t_above(len(row) - 1, excess / (sd / math.sqrt(len(row))))


def signed_rank_p_value(differences: Values, margin: float = MARGIN) -> float:
    """One-sided p value of Wilcoxon's signed-rank test of "the differences centre on no more than `margin`".

    Differences equal to the margin are left out (Wilcoxon's own treatment); 1 when all are.
    Raises ValueError for fewer than two differences, NaN, infinities, or a margin that is not finite.
    """
    excess = _differences(differences) - _finite(margin)
    excess = excess[excess != 0]
    if not len(excess):
        return 1.0
    from scipy.stats import wilcoxon

    # Left to itself scipy runs through all 2**n signs for 13 values or fewer with ties, which takes a second, and
    # trusts the normal approximation from 14 on. The exact distribution without ties is a little conservative then.
    method: Literal["exact", "auto"] = "exact" if len(excess) <= _EXACT_RANKS else "auto"
    return float(wilcoxon(excess, alternative="greater", method=method).pvalue)


def holm(p_values: Values, alpha: float = ALPHA) -> list[bool]:
    """Which hypotheses to reject, in the order given, so that any false rejection has at most probability alpha.

    Holm 1979: the k-th least of m p values is held to alpha / (m - k + 1), until the first that fails.
    Raises ValueError for no p values, p values outside [0, 1], or an alpha outside (0, 0.5).
    """
    row = checked(p_values, "p_values")
    check_between(alpha, "alpha", 0, 0.5)
    if row.min() < 0 or row.max() > 1:
        raise ValueError("p_values must be in [0, 1]")
    order = np.argsort(row, kind="stable")
    passed = row[order] <= alpha / np.arange(len(row), 0, -1)
    rejected = np.zeros(len(row), dtype=bool)
    rejected[order] = np.logical_and.accumulate(passed)
    return [bool(flag) for flag in rejected]


def _differences(differences: Values) -> Floats:
    return checked(differences, "differences", least=2)


def _sd(row: Floats) -> float:
    """Standard deviation with K - 1; exactly 0 for equal values, whose mean may be off by a rounding error."""
    return 0.0 if row.min() == row.max() else float(row.std(ddof=1))


def _finite(margin: float) -> float:
    if not math.isfinite(margin):
        raise ValueError(f"margin must be finite, not {margin}")
    return margin
