"""What the loop itself adds to a sample, measured on the spot, and what to do where that is too much.

The overhead is never subtracted: taking a noisy constant away can leave negative latencies.
"""

from __future__ import annotations

import math
import statistics

from bench.clock import ClockNs
from bench.timing import Stamps, collector_off, run_block

OVERHEAD_CALLS = 2_000
#: The loop may add this share to a sample; above it, samples are taken over groups of calls.
MAX_OVERHEAD_SHARE = 0.001


class NullSession:
    """Does nothing, by bound methods as a real session's are."""

    def enqueue(self) -> None:
        pass

    def synchronize(self) -> None:
        pass


def overhead_ns(clock: ClockNs) -> int:
    """Median sample of the loop over a session that does nothing, in nanoseconds: what the loop adds."""
    null = NullSession()
    stamps = Stamps(OVERHEAD_CALLS)
    with collector_off():
        run_block(null.enqueue, null.synchronize, clock, stamps, until_ns=2**63 - 1)
    return round(statistics.median(stamps.durations_ns()))


def group_size(overhead: int, latency_ns: float) -> int:
    """Calls a sample must cover so that `overhead` stays below MAX_OVERHEAD_SHARE of it; 1 for all but tiny models."""
    return max(1, math.ceil(overhead / (MAX_OVERHEAD_SHARE * max(latency_ns, 1.0))))
