"""The selftest's own workload: about a millisecond of arithmetic on one core, measured as a cell is."""

from __future__ import annotations

import numpy as np

from bench import timing
from bench.clock import PERF_CLOCK

_WARM_UP_NS = 200_000_000
_ELEMENTS = 100_000


class Arithmetic:
    """Square roots over an array that fits a core's cache: no threads, no allocation, no branch on data."""

    def __init__(self) -> None:
        self._source = np.linspace(1.0, 2.0, _ELEMENTS, dtype=np.float32)
        self._target = np.empty_like(self._source)

    def enqueue(self) -> None:
        for _ in range(25):
            np.sqrt(self._source, out=self._target)

    def synchronize(self) -> None:
        pass


class Spin:
    """Occupies the processor for exactly `duration_ns` by the clock that measures it; never sleeps."""

    def __init__(self, duration_ns: int) -> None:
        self._duration_ns = duration_ns

    def enqueue(self) -> None:
        until = PERF_CLOCK() + self._duration_ns
        while PERF_CLOCK() < until:
            pass

    def synchronize(self) -> None:
        pass


def invocation(samples: int) -> timing.Stamps:
    """One invocation of a comparison: warm up, then `samples` samples."""
    work = Arithmetic()
    with timing.collector_off():
        warm_up = timing.Stamps(100_000)
        timing.run_block(work.enqueue, work.synchronize, PERF_CLOCK, warm_up, until_ns=PERF_CLOCK() + _WARM_UP_NS)
        return take(work, samples)


def take(work: Arithmetic | Spin, samples: int) -> timing.Stamps:
    """`samples` samples through the loop."""
    stamps = timing.Stamps(samples)
    timing.run_block(work.enqueue, work.synchronize, PERF_CLOCK, stamps, until_ns=2**63 - 1)
    return stamps
