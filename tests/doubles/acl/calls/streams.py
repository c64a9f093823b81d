"""Streams: making them, waiting for them, letting go of them."""

from __future__ import annotations

from tests.doubles.acl.errors import RT_PARAM_INVALID, SUCCESS, SYNC_TIMEOUT
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.queues import in_context, resolve
from tests.doubles.acl.streams import Stream
from tests.doubles.acl.surface import RET, Later, api


@api("rt.create_stream", fails=(0, RET), needs="context")
def create_stream(machine: Machine) -> tuple[int, int]:
    return machine.streams.create(machine.contexts.current).handle, SUCCESS


@api("rt.destroy_stream", needs="context", releases=True)
def destroy_stream(machine: Machine, stream: int) -> int:
    found = in_context(machine, machine.streams.handles.to_release(stream, RT_PARAM_INVALID))
    idle = not found.works or found.failed
    machine.expect(idle, "destroyed-in-flight", f"{found} is destroyed before its work was waited for")
    machine.streams.handles.release(found, machine.call.excused)
    return SUCCESS


def _failed(machine: Machine, code: int, stream: int, *_rest: int) -> None:
    """A synchronise was made to fail: the work had the error, unless it merely takes too long."""
    found = machine.contexts.current.own_stream if stream == 0 else machine.streams.handles.get(stream, 0)
    found.failed = True
    if code != SYNC_TIMEOUT:
        found.abort()


@api("rt.synchronize_stream", needs="context", when_made_to_fail=_failed)
def synchronize_stream(machine: Machine, stream: int) -> Later:
    return _wait(machine, resolve(machine, stream))


@api("rt.synchronize_stream_with_timeout", needs="context", only=("both", "new"), when_made_to_fail=_failed)
def synchronize_stream_with_timeout(machine: Machine, stream: int, timeout_ms: int) -> Later:
    """-1 waits without limit."""
    found = resolve(machine, stream)
    limit = machine.call.entered + timeout_ms * 1_000_000
    if timeout_ms >= 0 and found.works and found.works[-1].due > limit:

        def give_up() -> int:
            found.failed = True
            machine.say("EE9999: the stream is not done in time")
            return SYNC_TIMEOUT

        return Later(limit, give_up)
    return _wait(machine, found)


@api("rt.synchronize_device", needs="context")
def synchronize_device(machine: Machine) -> Later:
    chip = machine.contexts.current.chip
    every = (*machine.streams.handles.alive, *machine.streams.own)
    waits = [_wait(machine, stream) for stream in every if stream.context.chip == chip]

    def finish() -> int:
        for wait in waits:
            wait.finish()
        return SUCCESS

    return Later(max((wait.until for wait in waits), default=machine.call.entered), finish)


def _wait(machine: Machine, stream: Stream) -> Later:
    works = list(stream.works)

    def finish() -> int:
        stream.retire(works)
        return SUCCESS

    return Later(works[-1].due if works else machine.call.entered, finish)
