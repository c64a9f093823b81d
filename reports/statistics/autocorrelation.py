"""How much the values of a series depend on the ones before: a series of n counts like n / tau independent values."""

from __future__ import annotations

import numpy as np

from reports.statistics.values import Floats, Values, checked

#: Sum autocorrelations up to the first below this: further out they are noise around 0, and would be summed as such.
_NOISE = 0.05
#: Shorter series say next to nothing about their own dependence.
_SHORT = 10


def autocorrelation_time(values: Values) -> float:
    """tau = 1 + 2 * sum of the autocorrelations up to the first below 0.05, in steps of the series; never below 1.

    The variance of the mean of n values is tau times that of independent ones; for an AR(1) process tau is
    (1 + phi) / (1 - phi). 1.0 for constant series and for those of fewer than 10 values.
    Raises ValueError for no values, NaN or infinities.
    """
    return _integrated(checked(values))


def median_autocorrelation_time(values: Values) -> float:
    """The tau that governs the median: `autocorrelation_time` of whether each value lies above the median.

    The usual n/tau of the values is not used for the median on purpose: the variance of a sample median follows from
    the covariances of the indicators [value > median] (Bahadur's representation), and those fade faster than the
    values' own. For AR(1) with phi = 0.8, n/tau of the values makes a nominal 95 % interval cover about 98 %.
    Values equal to the median count as half above it, so that the ticks of a coarse clock do not hide dependence.
    Raises ValueError for no values, NaN or infinities.
    """
    row = checked(values)
    return _integrated(np.sign(row - np.median(row)))


def _integrated(series: Floats) -> float:
    if len(series) < _SHORT or series.min() == series.max():
        return 1.0
    centred = series - series.mean()
    centred /= np.abs(centred).max()
    # All lags at once by the Wiener-Khinchin theorem; padded to twice the length, so that the ends do not wrap around.
    padded = 1 << (2 * len(centred) - 1).bit_length()
    covariances = np.fft.irfft(np.abs(np.fft.rfft(centred, padded)) ** 2, padded)[: len(centred)]
    correlations = covariances[1:] / covariances[0]
    # One is always below, since all of them together sum to -1/2.
    until = int(np.argmax(correlations < _NOISE))
    return float(1 + 2 * correlations[:until].sum())
