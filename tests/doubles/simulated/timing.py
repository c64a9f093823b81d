"""Waiting until a moment: asleep for the most of it, awake for the last stretch, so that it ends on time."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

#: Sleeps overshoot by the scheduler's mood; this much is left for staying awake.
_MARGIN_NS = 500_000


class Timing:
    """Moments in nanoseconds of `clock`. `wait` passes the last stretch; a virtual clock's `wait` moves it."""

    def __init__(
        self,
        clock: Callable[[], int] = time.perf_counter_ns,
        sleep: Callable[[float], None] = time.sleep,
        margin_ns: int = _MARGIN_NS,
    ) -> None:
        self.now = clock
        self._sleep = sleep
        self._margin_ns = margin_ns

    def approach(self, until: int) -> None:
        """Sleep until shortly before `until`."""
        left = until - self._margin_ns - self.now()
        if left > 0:
            self._sleep(left / 1e9)

    def reach(self, until: int) -> None:
        """Stay awake until `until`."""
        while self.now() < until:
            pass

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self._sleep(seconds)


class Virtual(Timing):
    """Time that passes only when somebody waits for it, or calls `advance`."""

    def __init__(self) -> None:
        self.at = 0
        super().__init__(clock=lambda: self.at, sleep=self._pass, margin_ns=0)

    def advance(self, milliseconds: float) -> None:
        """Let time pass without anybody waiting."""
        self.at += round(milliseconds * 1e6)

    def reach(self, until: int) -> None:
        self.at = max(self.at, until)

    def _pass(self, seconds: float) -> None:
        self.at += round(seconds * 1e9)


class Holding(Timing):
    """Real time, waited for without letting any other thread of Python run, as a C extension can."""

    def __init__(self) -> None:
        usleep = ctypes.PyDLL(None).usleep
        super().__init__(sleep=lambda seconds: usleep(round(seconds * 1e6)))
