"""Finding streams and putting work into them."""

from __future__ import annotations

from tests.doubles.acl.errors import RT_PARAM_INVALID, RT_STREAM_CONTEXT, Breach
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.streams import Stream, Work


def resolve(machine: Machine, handle: int) -> Stream:
    """The stream; 0 is the one that the thread's context has of its own. Raises Breach if it is another context's."""
    current = machine.contexts.current
    if handle == 0:
        return current.own_stream
    return in_context(machine, machine.streams.handles.get(handle, RT_PARAM_INVALID))


def in_context(machine: Machine, stream: Stream) -> Stream:
    """The stream. Raises Breach unless it belongs to the thread's context."""
    if stream.context is not machine.contexts.current:
        raise Breach(RT_STREAM_CONTEXT, "stream-context", f"{stream} belongs to another context than this thread's")
    return stream


def queue(machine: Machine, stream: Stream, work: Work) -> None:
    """Add work to a stream; work of another stream that touches the same memory is a race."""
    race = machine.streams.conflict(work.accesses, besides=stream)
    if race is not None:
        machine.violation("race-between-streams", f"{work.call} touches what {race.work.call} elsewhere is still using")
    stream.add(work)
