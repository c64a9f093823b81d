"""The mean of a series with an interval that survives autocorrelation: batch means. Unitless."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reports.statistics.autocorrelation import autocorrelation_time
from reports.statistics.order import CONFIDENCE, Interval
from reports.statistics.student import t_quantile
from reports.statistics.values import Values, checked

_BATCHES = 30
_LEAST_VALUES = 6
#: A batch must be this many autocorrelation times long for the means of two neighbours to be all but independent.
_BATCH_TAUS = 10


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """The mean and its two-sided 95 % interval from so many batches; `optimistic` where it may be too narrow."""

    estimate: float
    low: float
    high: float
    batches: int
    optimistic: bool

    @property
    def relative_half_width(self) -> float:
        """Half the width over the estimate; infinite for an estimate of 0."""
        return (self.high - self.low) / (2 * abs(self.estimate)) if self.estimate else math.inf


def geometric_mean_interval(values: Values) -> Interval:
    """Geometric mean of independent values with its 95 % interval: Student's t on the logarithms.

    Equal values give an interval of no width.
    Raises ValueError for fewer than two values, NaN, infinities, or values that are not positive.
    """
    row = checked(values, "values", least=2, positive=True)
    # Relative to one of them: the logarithms of equal values are exactly 0, and so is their spread.
    logs = np.log(row / row.min())
    middle = float(row.min()) * math.exp(float(logs.mean()))
    sd = float(logs.std(ddof=1))
    reach = t_quantile(len(row) - 1, (1 + CONFIDENCE) / 2) * sd / math.sqrt(len(row))
    return Interval(middle, middle * math.exp(-reach), middle * math.exp(reach))


def mean_interval(values: Values, tau: float | None = None) -> MeanInterval | None:
    """Mean of all values, with the interval from the means of min(30, n) successive batches; None below 6 values.

    A remainder is spread: some batches are one value longer, and each batch weighs by its length. With equal batches
    this is mean ± t(0.975, b - 1) * s_b / sqrt(b) (batch means as in Law, "Simulation Modeling and Analysis", with
    b = 30). `tau` is the series' autocorrelation time, found here when not given; batches shorter than 10 tau make
    the interval optimistic.
    Raises ValueError for no values, NaN, infinities, or a tau below 1.
    """
    row = checked(values)
    if tau is not None and not 1 <= tau < math.inf:
        raise ValueError(f"tau must be finite and at least 1, not {tau}")
    count = len(row)
    if count < _LEAST_VALUES:
        return None
    batches = min(_BATCHES, count)
    estimate = float(row.mean())
    starts = np.arange(batches) * count // batches
    lengths = np.diff(starts, append=count)
    deviations = np.add.reduceat(row - estimate, starts) / lengths
    standard_error = math.sqrt(float((lengths * deviations**2).sum()) / ((batches - 1) * count))
    half_width = t_quantile(batches - 1, (1 + CONFIDENCE) / 2) * standard_error
    return MeanInterval(
        estimate=estimate,
        low=estimate - half_width,
        high=estimate + half_width,
        batches=batches,
        optimistic=count // batches < _BATCH_TAUS * (autocorrelation_time(row) if tau is None else tau),
    )
