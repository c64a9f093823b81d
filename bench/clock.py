"""The clock that is injected into the loop, so that tests can hold the time."""

from __future__ import annotations

import time
from collections.abc import Callable

#: A monotonic clock in integer nanoseconds.
ClockNs = Callable[[], int]

PERF_CLOCK: ClockNs = time.perf_counter_ns
