"""Work that was queued and is not known to be finished: what it touches, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.doubles.acl.handles import Handles

if TYPE_CHECKING:
    from tests.doubles.acl.contexts import Context


@dataclass(frozen=True)
class Access:
    """Memory that a piece of work reads or writes while it is under way."""

    start: int
    stop: int
    writes: bool

    def conflicts(self, other: Access) -> bool:
        """Whether the order of the two matters."""
        return self.start < other.stop and other.start < self.stop and (self.writes or other.writes)


@dataclass(eq=False)
class Work:
    """One execution or copy. `finish` makes its results visible; until then nothing has changed.

    `tokens` are other objects that it needs: its model, datasets and buffers.
    """

    call: str
    due: int
    accesses: tuple[Access, ...]
    finish: Callable[[], None]
    tokens: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Race:
    """Unfinished work that something would race with: what of it, and its stream, if it is in one."""

    work: Work
    stream: Stream | None
    writes: bool = False

    @property
    def hopeless(self) -> bool:
        """Whether its stream had an error: it cannot be waited for, so what it uses may be released."""
        return self.stream is not None and self.stream.failed


@dataclass(eq=False)
class Stream:
    """A queue, in order. `failed`: a synchronise reported an error, so it may be destroyed with work in it."""

    handle: int
    context: Context = field(init=False, repr=False)
    works: list[Work] = field(default_factory=list)
    busy_until: int = 0
    failed: bool = False
    what: str = "stream"

    def __str__(self) -> str:
        return f"stream {self.handle:#x} of chip {self.context.chip}"

    def add(self, work: Work) -> None:
        """Queue work that begins when what is before it ends."""
        self.works.append(work)
        self.busy_until = work.due

    def starts(self, now: int) -> int:
        """When work that is queued now begins."""
        return max(now, self.busy_until)

    def retire(self, works: Iterable[Work]) -> None:
        """Make the results of `works` visible, in order."""
        for work in list(works):
            if work in self.works:
                work.finish()
                self.works.remove(work)

    def abort(self) -> None:
        """What is queued will never have results."""
        self.works.clear()
        self.busy_until = 0
        self.failed = True


@dataclass(eq=False)
class Event:
    """A mark in a stream: `works` are those of the stream that were before it and unfinished when it was recorded."""

    handle: int
    context: Context = field(repr=False)
    timed: bool
    stream: Stream | None = None
    at: int = 0
    works: tuple[Work, ...] = ()
    what: str = "event"

    def __str__(self) -> str:
        return f"event {self.handle:#x} of chip {self.context.chip}"

    @property
    def pending(self) -> bool:
        """Whether work before it is not known to be finished."""
        return self.stream is not None and any(work in self.stream.works for work in self.works)


class Streams:
    """All streams and events of the process, and executions that block their caller."""

    def __init__(self) -> None:
        self.handles: Handles[Stream] = Handles("stream", 0x2000_0000)
        self.events: Handles[Event] = Handles("event", 0x3000_0000)
        self.blocking: list[Work] = []
        #: contexts' own streams, which have no handle
        self.own: list[Stream] = []

    def create(self, context: Context) -> Stream:
        """A new stream of `context`."""
        stream = self.handles.add(Stream)
        stream.context = context
        return stream

    def unfinished(self, besides: Stream | None = None) -> list[tuple[Work, Stream | None]]:
        """Work not known to be finished, except in one stream, whose order is kept."""
        queued: list[tuple[Work, Stream | None]] = [
            (work, stream)
            for stream in (*self.handles.alive, *self.own)
            if stream is not besides
            for work in stream.works
        ]
        return queued + [(work, None) for work in self.blocking]

    def conflict(self, accesses: Iterable[Access], besides: Stream | None = None) -> Race | None:
        """Unfinished work that some access would race with."""
        wanted = list(accesses)
        for work, stream in self.unfinished(besides):
            for access in work.accesses:
                if any(access.conflicts(other) for other in wanted):
                    return Race(work, stream, access.writes)
        return None

    def using(self, token: Any) -> Race | None:
        """Unfinished work that needs `token`."""
        for work, stream in self.unfinished():
            if any(token is needed for needed in work.tokens):
                return Race(work, stream)
        return None
