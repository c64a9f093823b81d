"""Events: marks in a stream, and the time of the device between them."""

from __future__ import annotations

from tests.doubles.acl.errors import INVALID_PARAM, RT_EVENT_TIMESTAMP, RT_PARAM_INVALID, SUCCESS, SYNC_TIMEOUT, Breach
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.queues import resolve
from tests.doubles.acl.streams import Event
from tests.doubles.acl.surface import RET, Later, api

_SYNC, _TIME_LINE = 1, 8
_NOT_READY, _COMPLETE = 0, 1


def _create(machine: Machine, timed: bool) -> tuple[int, int]:
    context = machine.contexts.current
    return machine.streams.events.add(lambda handle: Event(handle, context, timed)).handle, SUCCESS


@api("rt.create_event", fails=(0, RET), needs="context")
def create_event(machine: Machine) -> tuple[int, int]:
    return _create(machine, timed=True)


@api("rt.create_event_with_flag", fails=(0, RET), needs="context")
def create_event_with_flag(machine: Machine, flag: int) -> tuple[int, int]:
    if not flag & (_SYNC | _TIME_LINE):
        raise Breach(INVALID_PARAM, "event-flag", f"flag {flag}; {_SYNC} orders streams, {_TIME_LINE} has a time stamp")
    return _create(machine, timed=bool(flag & _TIME_LINE))


@api("rt.record_event", needs="context")
def record_event(machine: Machine, event: int, stream: int) -> int:
    found = machine.streams.events.get(event, RT_PARAM_INVALID)
    found.stream = resolve(machine, stream)
    found.at, found.works = found.stream.starts(machine.call.entered), tuple(found.stream.works)
    return SUCCESS


def _failed(machine: Machine, code: int, event: int) -> None:
    stream = machine.streams.events.get(event, 0).stream
    if stream is not None:
        stream.failed = True
        if code != SYNC_TIMEOUT:
            stream.abort()


@api("rt.synchronize_event", needs="context", when_made_to_fail=_failed)
def synchronize_event(machine: Machine, event: int) -> Later:
    found = machine.streams.events.get(event, RT_PARAM_INVALID)
    if found.stream is None:
        raise Breach(RT_EVENT_TIMESTAMP, "event-not-recorded", f"{found} was never recorded")

    def finish() -> int:
        if found.stream is not None:
            found.stream.retire(found.works)
        return SUCCESS

    return Later(found.at, finish)


@api("rt.query_event_status", fails=(_NOT_READY, RET), needs="context")
def query_event_status(machine: Machine, event: int) -> tuple[int, int]:
    found = machine.streams.events.get(event, RT_PARAM_INVALID)
    if found.stream is None or machine.timing.now() < found.at:
        return _NOT_READY, SUCCESS
    found.stream.retire(found.works)
    return _COMPLETE, SUCCESS


@api("rt.event_elapsed_time", fails=(0.0, RET), needs="context")
def event_elapsed_time(machine: Machine, start: int, end: int) -> tuple[float, int]:
    """Milliseconds of the device between two events."""
    first, last = (machine.streams.events.get(handle, RT_PARAM_INVALID) for handle in (start, end))
    for event in (first, last):
        if event.stream is None:
            raise Breach(RT_EVENT_TIMESTAMP, "event-not-recorded", f"{event} was never recorded")
        if not event.timed:
            raise Breach(RT_EVENT_TIMESTAMP, "event-flag", f"{event} was made without time stamps")
        if event.pending:
            raise Breach(RT_EVENT_TIMESTAMP, "event-not-synchronised", f"{event} was not waited for")
    machine.expect(first.stream is last.stream, "event-streams", "the events were recorded on different streams")
    return (last.at - first.at) / 1e6, SUCCESS


@api("rt.destroy_event", needs="context", releases=True)
def destroy_event(machine: Machine, event: int) -> int:
    found = machine.streams.events.to_release(event, RT_PARAM_INVALID)
    here = found.context is machine.contexts.current
    machine.expect(here, "event-context", f"{found} is destroyed in another context than its own")
    machine.streams.events.release(found, machine.call.excused)
    return SUCCESS
