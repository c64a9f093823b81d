"""What the loop itself adds to a sample, measured on the spot, and what to do where that is too much.

The overhead is never subtracted: taking a noisy constant away can leave negative latencies.
"""

from __future__ import annotations

import math
import statistics

from bench.clock import ClockNs
from bench.timing import Stamps, collector_off, group_calls, run_block

OVERHEAD_CALLS = 2_000
#: The loop may add this share to a sample; above it, samples are taken over groups of calls.
MAX_OVERHEAD_SHARE = 0.001
#: Beyond this the clock's share of a call is lost in that of the two method calls.
_LARGEST_GROUP = 256


class NullSession:
    """Does nothing, by bound methods as a real session's are."""

    def enqueue(self) -> None:
        pass

    def synchronize(self) -> None:
        pass


def overhead_ns(clock: ClockNs, group: int = 1) -> float:
    """What the loop adds to one call, in nanoseconds: the median sample over a session that does nothing.

    With `group` > 1 the two clock readings are shared by that many calls and the two method calls remain.
    """
    issue, complete = group_calls(NullSession().enqueue, NullSession().synchronize, group)
    stamps = Stamps(max(50, OVERHEAD_CALLS // group))
    with collector_off():
        run_block(issue, complete, clock, stamps, until_ns=2**63 - 1)
    return statistics.median(stamps.durations_ns()) / group


def choose_group(clock: ClockNs, loop_ns: float, latency_ns: float) -> tuple[int, float]:
    """A group whose own overhead, as measured, is at most MAX_OVERHEAD_SHARE of a call; and that overhead in ns a call.

    1 for all but tiny models; else the first that does of `group_size`, twice that, and so on. Where none helps, since
    the two method calls alone are too much, `group_size`; the cell's verdict then says so.
    """
    least = group_size(loop_ns, latency_ns)
    if least == 1:
        return 1, loop_ns
    found = {least: overhead_ns(clock, least)}
    group = least
    while group <= _LARGEST_GROUP:
        if group not in found:
            found[group] = overhead_ns(clock, group)
        if found[group] <= MAX_OVERHEAD_SHARE * latency_ns:
            return group, found[group]
        group *= 2
    return least, found[least]


def group_size(overhead: float, latency_ns: float) -> int:
    """Calls a sample must cover so that `overhead` is at most MAX_OVERHEAD_SHARE of it; 1 for all but tiny models."""
    return max(1, math.ceil(overhead / (MAX_OVERHEAD_SHARE * max(latency_ns, 1.0))))
