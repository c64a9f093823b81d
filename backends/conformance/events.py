"""Do a session's events tell the device's own time of an inference, in milliseconds?"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from backends.base import DeviceEvent, Feeds, Session
from backends.conformance.errors import ConformanceError
from backends.conformance.timing import RESOLUTION_NS, TOLERANCE

_ROUNDS = 8


def check_device_events(session: Session, feeds: Feeds, clock: Callable[[], int], declared: bool) -> str:
    """Between events around an inference lies more than nothing, and no more than the host waited for it.

    Returns a note where a backend that declares events has none under these options. `clock` returns nanoseconds.
    """
    begin, done = session.device_event(), session.device_event()
    if begin is None or done is None:
        return "declared, but this session has none" if declared else ""
    if not declared:
        raise ConformanceError("sessions have device events and the backend does not declare device_events.")
    session.copy_inputs(feeds)
    once = [_around(session, begin, done, clock, calls=1) for _ in range(_ROUNDS)]
    twice = [_around(session, begin, done, clock, calls=2) for _ in range(_ROUNDS)]
    one_ms, two_ms = (median(device_ms for device_ms, _ in each) for each in (once, twice))
    host_ms, host_two_ms = (median(seen_ms for _, seen_ms in each) for each in (once, twice))
    if not one_ms > 0:
        raise ConformanceError(f"events before and after an inference lie {one_ms} ms apart: they do not enclose it.")
    if one_ms > (1 + TOLERANCE) * host_ms + RESOLUTION_NS / 1e6:
        raise ConformanceError(
            f"by its events an inference took {one_ms:.3g} ms and the host waited {host_ms:.3g} ms: elapsed_ms is not"
            " in milliseconds, or the events are not on the stream of the inference."
        )
    if two_ms - one_ms < 0.5 * (host_two_ms - host_ms):
        raise ConformanceError(
            f"by its events a second inference took {two_ms - one_ms:.3g} ms, and the host waited"
            f" {host_two_ms - host_ms:.3g} ms for it: the events do not wait for what was enqueued before them."
        )
    return ""


def _around(
    session: Session, begin: DeviceEvent, done: DeviceEvent, clock: Callable[[], int], calls: int
) -> tuple[float, float]:
    """Milliseconds by the device and by the host of so many inferences."""
    start = clock()
    begin.record()
    for _ in range(calls):
        session.enqueue()
    done.record()
    session.synchronize()
    host_ms = (clock() - start) / 1e6
    return done.elapsed_ms(begin), host_ms
