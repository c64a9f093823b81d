"""How much longer one side of a stored pair takes than the other, and how sure that is. Latencies in ms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reports.groups import median_ms
from reports.matching import Taken
from reports.statistics import Interval, geometric_mean, geometric_mean_interval, welch_log_ratio
from reports.statistics.comparison import MARGIN, TOLERATED

Word = Literal["slower", "faster", "same within 1 %", "same within 3 %", "inconclusive"]

#: Fewer independent figures on a side, and its spread is hardly known.
ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Side:
    """The figures of one side: `units` are medians that vary independently, one a process or one a run."""

    units: tuple[float, ...]
    #: each run has several processes and counts once: processes of one run share what that day was like
    by_run: bool
    #: the median's own interval within its process, where there is one process only
    own: tuple[float, float] | None

    @property
    def median_ms(self) -> float:
        return geometric_mean(self.units) if len(self.units) > 1 else self.units[0]

    def interval(self) -> Interval | None:
        """The median's 95 % interval: from the spread between the units, or of one process from its samples."""
        if len(self.units) > 1:
            return geometric_mean_interval(self.units)
        return Interval(self.units[0], *self.own) if self.own else None

    @property
    def told(self) -> str:
        """`5 processes`."""
        what = ("run", "runs") if self.by_run else ("process", "processes")
        return f"{len(self.units)} {what[len(self.units) != 1]}"


def side_of(taken: Sequence[Taken]) -> Side:
    """The figures of invocations that all have a median.

    Of several runs with several invocations each, every run counts once, by the geometric mean of its medians.
    """
    by_run: dict[str, list[float]] = {}
    for one in taken:
        median = median_ms(one.cell)
        assert median is not None
        by_run.setdefault(one.run.id, []).append(median)
    if len(by_run) > 1 and any(len(medians) > 1 for medians in by_run.values()):
        return Side(tuple(map(geometric_mean, by_run.values())), by_run=True, own=None)
    units = tuple(median for medians in by_run.values() for median in medians)
    return Side(units, by_run=False, own=_own_interval(taken[0]) if len(units) == 1 else None)


def _own_interval(one: Taken) -> tuple[float, float] | None:
    latency = one.cell.latency
    if latency is None or latency.median_low_ms is None or latency.median_high_ms is None:
        return None
    low, high = latency.median_low_ms, latency.median_high_ms
    return (low, high) if 0 < low <= latency.median_ms <= high else None


@dataclass(frozen=True, slots=True)
class StoredRatio:
    """Median latency of the new side over the base's, with its 95 % interval where there is one."""

    base: Side
    new: Side
    value: float
    low: float | None
    high: float | None

    @property
    def within_process(self) -> bool:
        """Whether a side is one process, whose interval does not hold the spread between processes."""
        return min(len(self.base.units), len(self.new.units)) < 2

    @property
    def enough(self) -> bool:
        return min(len(self.base.units), len(self.new.units)) >= ENOUGH

    def word(self) -> Word:
        """The verdict: slower or faster by more than 1 %, same within 1 or 3 %, else inconclusive."""
        if self.low is None or self.high is None:
            return "inconclusive"
        low, high = math.log(self.low), math.log(self.high)
        if low > MARGIN:
            return "slower"
        if high < -MARGIN:
            return "faster"
        if max(-low, high) < MARGIN:
            return "same within 1 %"
        return "same within 3 %" if max(-low, high) < TOLERATED else "inconclusive"


def stored_ratio(base: Sequence[Taken], new: Sequence[Taken]) -> StoredRatio:
    """The ratio of two sides of at least one invocation each, all with a median.

    Two figures and more on both sides: Welch's interval on their logarithms. Else the sides' own intervals, combined
    on logarithms (the squared distances to the limits add up: Zou & Donner 2008, doi 10.1002/sim.3095).
    """
    theirs, mine = side_of(base), side_of(new)
    if min(len(theirs.units), len(mine.units)) > 1:
        found = welch_log_ratio(mine.units, theirs.units)
        return StoredRatio(theirs, mine, found.estimate, found.low, found.high)
    value = mine.median_ms / theirs.median_ms
    below, above = theirs.interval(), mine.interval()
    if below is None or above is None:
        return StoredRatio(theirs, mine, value, None, None)
    down = math.hypot(math.log(above.estimate / above.low), math.log(below.high / below.estimate))
    up = math.hypot(math.log(above.high / above.estimate), math.log(below.estimate / below.low))
    return StoredRatio(theirs, mine, value, value * math.exp(-down), value * math.exp(up))
