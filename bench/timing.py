"""THE loop: every figure of every backend is taken here, by one clock, in one way.

A sample is `t0 = clock(); issue(); complete(); t1 = clock()`. For the scope `compute` these are the session's own
bound methods `enqueue` and `synchronize`; for `end-to-end` the copies are wrapped around them. Both stamps go to
preallocated room and nothing else happens between two samples.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

from backends.base import Feeds, Scope, Session
from bench.clock import ClockNs

Step = Callable[[], object]


@dataclass(slots=True)
class Stamps:
    """Start and end of every sample in nanoseconds, in the order taken; `count` of the preallocated room is used.

    Lists, not int64 arrays: a list slot takes the clock's integer as it is, while an array must unbox it, which made
    a turn of the loop half as long again (tests/benchmarks/loop_overhead.py).
    """

    capacity: int
    starts: list[int] = field(init=False)
    ends: list[int] = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.starts = [0] * self.capacity
        self.ends = [0] * self.capacity

    def durations_ns(self) -> list[int]:
        """Duration of every sample, in the order taken."""
        return [self.ends[i] - self.starts[i] for i in range(self.count)]


def compose(session: Session, scope: Scope, feeds: Sequence[Feeds], group: int = 1) -> tuple[Step, Step]:
    """The two halves of a sample for a scope.

    `compute` runs on the inputs that lie on the device; `end-to-end` rotates through `feeds`. With `group` > 1 a
    sample covers that many complete inferences.
    """
    issue: Step = session.enqueue
    complete: Step = session.synchronize
    if scope is Scope.END_TO_END:
        batches = cycle(feeds)

        def issue() -> None:
            session.copy_inputs(next(batches))
            session.enqueue()

        def complete() -> None:
            session.synchronize()
            session.copy_outputs()

    return group_calls(issue, complete, group)


def group_calls(issue: Step, complete: Step, group: int) -> tuple[Step, Step]:
    """Halves of a sample that covers `group` whole inferences, one after another."""
    if group == 1:
        return issue, complete

    def issue_group() -> None:
        for _ in range(group - 1):
            issue()
            complete()
        issue()

    return issue_group, complete


def run_pipeline(requests: Sequence[tuple[Step, Step]], clock: ClockNs, stamps: Stamps, until_ns: int) -> None:
    """Keep all `requests` in flight until the clock passes `until_ns` or `stamps` is full, then let them finish.

    A request's halves are those of `compose`, each of a session of its own. A sample here begins with its issue and
    ends when its turn to be completed has come, so with more than one request it includes queueing. To be called
    under `collector_off`; `stamps` needs room for one sample a request.
    """
    starts, ends = stamps.starts, stamps.ends
    issued = []
    for issue, _ in requests:
        issued.append(clock())
        issue()
    i, last = stamps.count, stamps.capacity - len(requests)
    turn = 0
    while True:
        issue, complete = requests[turn]
        complete()
        t1 = clock()
        starts[i] = issued[turn]
        ends[i] = t1
        i += 1
        if t1 >= until_ns or i > last:
            break
        issued[turn] = t1
        issue()
        turn = (turn + 1) % len(requests)
    for rest in range(turn + 1, turn + len(requests)):
        requests[rest % len(requests)][1]()
        starts[i] = issued[rest % len(requests)]
        ends[i] = clock()
        i += 1
    stamps.count = i


@contextmanager
def collector_off() -> Iterator[None]:
    """Collect garbage once, then keep the collector off until the block ends.

    Around a whole measurement, not around each block of it: a collection walks over every object of the process and
    leaves the caches cold for the next sample.
    """
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def run_block(issue: Step, complete: Step, clock: ClockNs, stamps: Stamps, until_ns: int) -> None:
    """Take samples until the clock passes `until_ns` or `stamps` is full; at least one while there is room.

    To be called under `collector_off`. Exceptions of the session pass through; `stamps` then holds the samples that
    were completed.
    """
    starts, ends = stamps.starts, stamps.ends
    i = first = stamps.count
    if first == stamps.capacity:
        return
    try:
        for i in range(first, stamps.capacity):
            t0 = clock()
            issue()
            complete()
            t1 = clock()
            starts[i] = t0
            ends[i] = t1
            if t1 >= until_ns:
                break
        stamps.count = i + 1
    except BaseException:
        stamps.count = i
        raise
