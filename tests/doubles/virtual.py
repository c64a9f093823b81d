"""A clock that only moves when it is told to, and a device that lives by it: first in, first out, exact."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backends.base import Array, Device, Feeds, Precision, Session, TensorSpec

SPEC = TensorSpec("x", (4, 2), np.dtype(np.float32))
RESULT = TensorSpec("y", (4, 2), np.dtype(np.float32))


class VirtualClock:
    """Nanoseconds that stand still until `advance`."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def advance(self, duration_ns: int) -> None:
        self.now += duration_ns


class VirtualQueue:
    """What one device has to do yet; sessions that share it wait for each other's jobs."""

    def __init__(self) -> None:
        self.busy_until = 0


class VirtualSession(Session):
    """y = x + 1, in virtual time.

    `enqueue` costs the host `enqueue_ns`, the job occupies the device for the next of `job_ns` (repeated),
    a copy takes `copy_ns`; `synchronize` moves the clock to the end of its own jobs unless `waits` is False.
    """

    def __init__(
        self,
        clock: VirtualClock,
        job_ns: Sequence[int] = (1_000_000,),
        enqueue_ns: int = 5_000,
        copy_ns: int = 0,
        waits: bool = True,
        queue: VirtualQueue | None = None,
    ) -> None:
        self.inputs, self.outputs, self.precision = (SPEC,), (RESULT,), Precision.FP32
        self.device = Device("virtual")
        self.clock = clock
        self.jobs = 0
        self.copies = 0
        self._job_ns = tuple(job_ns)
        self._enqueue_ns, self._copy_ns, self._waits = enqueue_ns, copy_ns, waits
        self._queue = queue or VirtualQueue()
        self._done_at = 0
        self._x: Array = np.zeros(SPEC.shape, SPEC.dtype)
        self._y: Array = np.zeros(SPEC.shape, SPEC.dtype)

    def _copy_inputs(self, feeds: Feeds) -> None:
        self.copies += 1
        self.clock.advance(self._copy_ns)
        self._x = feeds["x"].copy()

    def enqueue(self) -> None:
        self.clock.advance(self._enqueue_ns)
        duration = self._job_ns[self.jobs % len(self._job_ns)]
        self._done_at = self._queue.busy_until = max(self._queue.busy_until, self.clock.now) + duration
        self._y = self._x + 1
        self.jobs += 1

    def synchronize(self) -> None:
        if self._waits:
            self.clock.now = max(self.clock.now, self._done_at)

    def copy_outputs(self) -> dict[str, Array]:
        self.clock.advance(self._copy_ns)
        return {"y": self._y.copy()}

    def describe(self) -> dict[str, str]:
        return {"device": "virtual"}

    def _close(self) -> None:
        pass


def feeds(count: int = 1) -> list[Feeds]:
    """`count` different host batches."""
    return [{"x": np.full(SPEC.shape, index, SPEC.dtype)} for index in range(count)]
