"""The device's own time of a call, told beside the host's: from an event on its stream to the next, around each call.

Taken after the samples, in which nothing but the call may happen. The calls here are put on the stream without waiting
for one another, so that the device finds its next work ready: what is left out of the figure is the launch, which the
host's samples have in them. It is the way of trtexec's GPU Compute, which keeps two batches in flight.
"""

from __future__ import annotations

from backends.base import Session
from bench.clock import ClockNs
from reports.records import DeviceTimes

#: Calls between two waits. The first of them finds the device idle and waits for its launch: it is no sample.
TOGETHER = 8
_ENOUGH = 210
_BUDGET_NS = 1_000_000_000


def device_times(session: Session, clock: ClockNs, budget_ns: int = _BUDGET_NS) -> DeviceTimes | None:
    """Time calls on inputs that lie on the device until there are enough of them, or `budget_ns` of the host is over.

    None where the session has no events. It must have been warmed up; its exceptions pass through.
    """
    events = []
    for _ in range(TOGETHER):
        begin, done = session.device_event(), session.device_event()
        if begin is None or done is None:
            return None
        events.append((begin, done))
    times_ns: list[int] = []
    end = clock() + budget_ns
    while not times_ns or (len(times_ns) < _ENOUGH and clock() < end):
        for begin, done in events:
            begin.record()
            session.enqueue()
            done.record()
        session.synchronize()
        times_ns += [round(done.elapsed_ms(begin) * 1e6) for begin, done in events[1:]]
    return DeviceTimes(times_ns=times_ns, together=TOGETHER)
