"""Streams, what is queued in them, and events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tests.doubles.cuda.memory import Range

if TYPE_CHECKING:
    from tests.doubles.cuda.contexts import Context


class Needed(Protocol):
    """Something that a kernel needs besides memory: an execution context, an engine."""

    @property
    def alive(self) -> bool:
        """False when it was released."""


#: What a piece of work leaves on the host, done when it becomes visible.
Visible = Callable[[], None]


@dataclass(frozen=True)
class Node:
    """A copy, a kernel or an event's mark, as it was asked for; a graph keeps these.

    `begin` is called when it is put on a stream, and gives what is called when the stream has come to it: the device's
    side is done then, and what it returns is done when somebody has waited for it.
    """

    call: str
    #: Which part of the device does it: one copy each way and one kernel at a time.
    engine: str
    duration_ns: int
    reads: tuple[Range, ...]
    writes: tuple[Range, ...]
    begin: Callable[[], Callable[[], Visible | None]]
    needs: tuple[Needed, ...] = ()

    def conflicts(self, other: Node) -> bool:
        """Whether the order of the two matters."""
        pairs = ((self.writes, (*other.reads, *other.writes)), (self.reads, other.writes))
        return any(one.meets(another) for ours, theirs in pairs for one in ours for another in theirs)


@dataclass(eq=False)
class Work:
    """A node on a stream, which the device is done with at `due`. `code`: it fails."""

    node: Node
    due: int
    execute: Callable[[], Visible | None]
    code: int = 0
    executed: bool = False
    visible: Visible | None = None

    def run(self) -> None:
        """Do the device's side, once."""
        if not self.executed:
            self.executed = True
            self.visible = self.execute()


@dataclass(eq=False)
class Capture:
    """What is recorded in a stream instead of run. `broken`: what made it invalid."""

    mode: int
    thread: int = field(default_factory=threading.get_ident)
    nodes: list[Node] = field(default_factory=list)
    broken: str = ""


@dataclass(eq=False)
class Stream:
    """A queue, in order. `failed`: a synchronise reported an error, so it may be destroyed with work in it."""

    handle: int
    context: Context = field(repr=False)
    blocking: bool = True
    works: list[Work] = field(default_factory=list)
    busy_until: int = 0
    failed: bool = False
    capture: Capture | None = None
    what: str = "stream"

    def __str__(self) -> str:
        name = f"stream {self.handle:#x}" if self.handle else "the default stream"
        return f"{name} of device {self.context.device}"

    def until(self, last: Work) -> list[Work]:
        """What is queued up to and with `last`; nothing if that is done."""
        return self.works[: self.works.index(last) + 1] if last in self.works else []

    def abort(self) -> None:
        """What is queued will never have results."""
        self.works.clear()
        self.failed = True


@dataclass(eq=False)
class Event:
    """A mark in a stream."""

    handle: int
    context: Context = field(repr=False)
    timed: bool
    stream: Stream | None = None
    mark: Work | None = None
    captured: bool = False
    what: str = "event"

    def __str__(self) -> str:
        return f"event {self.handle:#x} of device {self.context.device}"

    @property
    def waited_for(self) -> bool:
        """Whether somebody has waited until the stream had come to it."""
        return self.mark is not None and self.stream is not None and self.mark not in self.stream.works


@dataclass(eq=False)
class Graph:
    """What a capture recorded."""

    handle: int
    context: Context = field(repr=False)
    nodes: tuple[Node, ...]
    what: str = "graph"

    def __str__(self) -> str:
        return f"graph {self.handle:#x} of {len(self.nodes)} nodes"


@dataclass(eq=False)
class GraphExec(Graph):
    """A graph that can be launched."""

    what: str = "executable graph"

    def __str__(self) -> str:
        return f"executable {super().__str__()}"


def conflict(streams: Iterable[Stream], node: Node) -> tuple[Work, Stream] | None:
    """Work of some streams, not known to be done, that a node would race with."""
    for stream in streams:
        for work in stream.works:
            if work.node.conflicts(node):
                return work, stream
    return None


def using(streams: Iterable[Stream], touched: Range | None = None, token: Any = None) -> tuple[Work, Stream] | None:
    """Work of some streams, not known to be done, that touches a range or needs `token`."""
    for stream in streams:
        for work in stream.works:
            ranges = (*work.node.reads, *work.node.writes)
            if touched is not None and any(one.meets(touched) for one in ranges):
                return work, stream
            if token is not None and any(token is needed for needed in work.node.needs):
                return work, stream
    return None
