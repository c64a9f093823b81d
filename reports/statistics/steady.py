"""Where a stream of samples becomes steady, and whether it stays so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.statistics.values import Floats, Values, checked

#: MSER-5: the rule looks at means of 5 successive samples; short streams have too few for that.
_BATCH = 5
_SHORT = 50
_LEAST_VALUES = 16
#: Medians of the four quarters may lie this far apart, greatest over least.
_QUARTER_RATIO = 1.02


@dataclass(frozen=True, slots=True)
class SteadyState:
    """How many samples to cut off the start, and whether the rest is steady; None: too few to tell.

    `reason` says in words what speaks against steadiness; empty for a steady stream.
    """

    cut: int
    steady: bool | None
    reason: str


def steady_state(values: Values) -> SteadyState:
    """Cut by MSER-5 (White 1997; single samples below 50 of them), then compare the quarters of what is left.

    Not steady where the cut takes half the stream, or where the greatest of the four quarters' medians is more than
    1.02 times the least: MSER alone sees no change that comes late. False alarms are rare up to AR(1) with
    phi = 0.7 and frequent at 0.9, so the verdict is a warning, not an error. Below 16 values nothing is said or cut.
    Raises ValueError for no values, NaN, infinities, or negative values.
    """
    row = checked(values)
    if row.min() < 0:
        raise ValueError(f"values must not be negative, not {row.min()}")
    if len(row) < _LEAST_VALUES:
        return SteadyState(cut=0, steady=None, reason="too few samples to tell")
    batch = _BATCH if len(row) >= _SHORT else 1
    means = row[: len(row) // batch * batch].reshape(-1, batch).mean(axis=1)
    discarded = _mser(means)
    cut = discarded * batch
    reasons = []
    if discarded == len(means) // 2:
        reasons.append(f"it had not settled by sample {cut} of {len(row)}")
    if difference := _quarters_differ(row[cut:]):
        reasons.append(difference)
    return SteadyState(cut=cut, steady=not reasons, reason=", and ".join(reasons))


def _mser(means: Floats) -> int:
    """The d up to half of n that minimises var(z[d:]) / (n - d); the least one of several."""
    count = len(means)
    # Around the median, where a long first call does not shift the rest, the sums below lose no digits to each other.
    centred = means - np.median(means)
    centred /= np.abs(centred).max() or 1.0
    left = np.arange(count, 0, -1)
    sums = np.cumsum(centred[::-1])[::-1]
    squares = np.cumsum(centred[::-1] ** 2)[::-1]
    errors = (squares - sums**2 / left) / left**2
    return int(np.argmin(errors[: count // 2 + 1]))


def _quarters_differ(kept: Floats) -> str:
    """Words for medians of quarters that lie too far apart; empty when they do not."""
    medians = [float(np.median(quarter)) for quarter in np.array_split(kept, 4)]
    least, greatest = min(medians), max(medians)
    if greatest <= _QUARTER_RATIO * least:
        return ""
    if least == 0:
        return "the median of one of its quarters is 0 and that of another is not"
    return f"the medians of its quarters differ by {100 * (greatest / least - 1):.1f} %"
