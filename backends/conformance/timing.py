"""Does synchronize wait for all of the work, and is all of the work done every time?

Both are told by the clock: the kit compares a session with itself, never with a figure of a machine. Disturbances only
ever make work longer, so a measurement that looks wrong is repeated, and a fault is one that no repetition clears.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from statistics import mean, median

import numpy as np

from backends.base import Array, Feeds, Session
from backends.conformance.errors import ConformanceError

#: Inferences in a row that must take CALLS times as long as one.
CALLS = 8
TOLERANCE = 0.25
ATTEMPTS = 20
#: Time in which work that synchronize has left over changes the outputs, and the machine may come to rest.
PAUSE_S = 0.02
#: Shorter differences say nothing: cold caches and a busy interpreter explain them as well.
RESOLUTION_NS = 50_000
#: An answer from memory is at least this many times as fast.
CACHE_SPEEDUP = 2.0
ROUNDS = 8


def check_waits(session: Session, feeds: Feeds, clock: Callable[[], int]) -> None:
    """CALLS × enqueue + one synchronize must take CALLS times as long as one, within TOLERANCE, and leave no work.

    Needs a new session, and one whose inference takes well over RESOLUTION_NS. `clock` returns nanoseconds.
    """
    session.copy_inputs(feeds)
    _time(session, clock, calls=1)
    seen = _Waiting()
    seen.look(session, clock, before=1, after=0)
    for _ in range(ATTEMPTS):
        if not seen.fault():
            break
        _time(session, clock, calls=1)
        time.sleep(PAUSE_S)
        at_rest, _ = _time_copy(session, clock)
        # Wakes the threads that slept, and uses up what a scheduler grants to those who did.
        _time(session, clock, calls=CALLS)
        seen.look(session, clock, before=CALLS // 2, after=CALLS // 2, copy_at_rest_ns=at_rest)
    if fault := seen.fault():
        raise ConformanceError(fault)
    time.sleep(PAUSE_S)
    for name, array in session.copy_outputs().items():
        if not np.array_equal(array, seen.outputs[name], equal_nan=True):
            raise ConformanceError(
                f"output {name!r} changed after synchronize had returned: it returns before the work is done."
            )


@dataclass(slots=True)
class _Waiting:
    """Durations in nanoseconds: of one inference (several a look), of CALLS, of a synchronize without work, and of the
    work that was left over. `outputs` are those right after the first synchronize that had CALLS to wait for.
    """

    one: list[list[int]] = field(default_factory=list)
    many: list[int] = field(default_factory=list)
    idle: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    outputs: dict[str, Array] = field(default_factory=dict)

    def look(
        self, session: Session, clock: Callable[[], int], before: int, after: int, copy_at_rest_ns: int | None = None
    ) -> None:
        """Take CALLS inferences in a row, with some single ones `before` and `after` them.

        A copy of the outputs waits for unfinished work on most devices. What is longer about it is told by a copy of
        new outputs while the device is at rest; without one, by a second copy, which a session may well answer faster.
        """
        one = [_time(session, clock, calls=1) for _ in range(before)]
        self.many.append(_time(session, clock, calls=CALLS))
        copy, outputs = _time_copy(session, clock)
        self.outputs = self.outputs or outputs
        self.left.append(copy - (_time_copy(session, clock)[0] if copy_at_rest_ns is None else copy_at_rest_ns))
        begin = clock()
        session.synchronize()
        self.idle.append(clock() - begin)
        self.one.append(one + [_time(session, clock, calls=1) for _ in range(after)])

    def fault(self) -> str:
        """What is wrong with all that was seen, empty if nothing."""
        ones = [duration for look in self.one for duration in look]
        one, many, left, idle = min(ones), min(self.many), min(self.left), min(self.idle)
        if left > max(0.5 * (many + left) / CALLS, RESOLUTION_NS):
            return (
                f"after {CALLS} inferences and synchronize ({many} ns), copy_outputs took {left} ns longer than at"
                " rest: synchronize returns before the work is done."
            )
        # On a quiet machine the shortest are alike; on one that is never quiet, one of the averages is.
        ratios = [typical(self.many) / max(typical(ones), 1) for typical in (min, median, mean)]
        ratios.append(median(took / max(mean(look), 1) for look, took in zip(self.one, self.many, strict=True)))
        if not any((1 - TOLERANCE) * CALLS <= ratio <= (1 + TOLERANCE) * CALLS for ratio in ratios):
            return (
                f"{CALLS} inferences took {many} ns, one took {one} ns: synchronize returns before the work is done,"
                " or work is dropped, or left over from call to call."
            )
        if idle > max(TOLERANCE * one, RESOLUTION_NS):
            return f"synchronize took {idle} ns with nothing enqueued; it must only wait for work."
        return ""


def check_device_time(session: Session, feeds: Feeds, clock: Callable[[], int], device_time_ns: int) -> None:
    """An inference cannot be shorter than the device needs. Raises when synchronize does not wait."""
    session.copy_inputs(feeds)
    took = _time(session, clock, calls=1)
    if took < device_time_ns:
        raise ConformanceError(
            f"an inference of {device_time_ns} ns was over after {took} ns: synchronize does not wait for the device."
        )


def check_computes(session: Session, feeds: Callable[[int], Feeds], clock: Callable[[], int]) -> None:
    """An input that was seen before, with or without being copied again, must take as long as a new one.

    `feeds` makes different inputs from different seeds. Needs a session whose inference takes well over RESOLUTION_NS.
    """
    seeds = count(secrets.randbits(31))  # not even a cache that outlives the process knows these inputs
    fresh: list[int] = []
    bound: list[int] = []
    seen: list[int] = []
    known = [feeds(next(seeds)), feeds(next(seeds))]
    for inputs in known * 2:
        session.copy_inputs(inputs)
        _time(session, clock, calls=1)
    for _ in range(3):
        new = [feeds(next(seeds)) for _ in range(ROUNDS)]
        for i, inputs in enumerate(new):
            session.copy_inputs(inputs)
            fresh.append(_time_drained(session, clock))
            bound.append(_time_drained(session, clock))
            session.copy_inputs(known[i % 2])
            seen.append(_time_drained(session, clock))
        fault = _answered_from_memory("the input that lies on the device", bound, fresh) or _answered_from_memory(
            "an input that was copied before", seen, fresh
        )
        if not fault:
            return
        time.sleep(PAUSE_S)
    raise ConformanceError(fault)


def _answered_from_memory(what: str, repeated: Sequence[int], fresh: Sequence[int]) -> str:
    for typical in (min, median):
        if typical(fresh) < max(CACHE_SPEEDUP * typical(repeated), typical(repeated) + RESOLUTION_NS):
            return ""
    return (
        f"an inference on {what} took {median(repeated):.0f} ns and on a new one {median(fresh):.0f} ns:"
        " results are cached, and the loop would time the cache."
    )


def _time(session: Session, clock: Callable[[], int], calls: int) -> int:
    begin = clock()
    for _ in range(calls):
        session.enqueue()
    session.synchronize()
    return clock() - begin


def _time_drained(session: Session, clock: Callable[[], int]) -> int:
    """Duration of one inference; the copy after it keeps unfinished work out of the next measurement."""
    took = _time(session, clock, calls=1)
    session.copy_outputs()
    return took


def _time_copy(session: Session, clock: Callable[[], int]) -> tuple[int, dict[str, Array]]:
    begin = clock()
    outputs = session.copy_outputs()
    return clock() - begin, outputs
