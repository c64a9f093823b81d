"""Outliers are counted and shown, never deleted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.statistics.values import Values, checked

#: Tukey's inner and outer fences, in interquartile ranges from the quartiles (Exploratory Data Analysis, 1977).
_MILD, _SEVERE = 1.5, 3.0


@dataclass(frozen=True, slots=True)
class Outliers:
    """How many values lie outside. A severe one is not counted as mild too."""

    mild: int
    severe: int


def count_outliers(values: Values) -> Outliers:
    """Counts beyond the quartiles ± 1.5 (mild) and ± 3 (severe) interquartile ranges.

    Quartiles interpolate linearly. Where more than half of the values are equal the spread is 0, and by the rule's
    own wording every other value is outside.
    Raises ValueError for no values, NaN or infinities.
    """
    row = checked(values)
    lower, upper = np.quantile(row, [0.25, 0.75])
    beyond = np.maximum(lower - row, row - upper)
    outside = int(np.count_nonzero(beyond > _MILD * (upper - lower)))
    severe = int(np.count_nonzero(beyond > _SEVERE * (upper - lower)))
    return Outliers(mild=outside - severe, severe=severe)
