"""State and journal of the simulated machine; its calls are in the modules that build on this."""

from __future__ import annotations

import threading
from typing import Any

from tests.doubles.cuda.config import Config
from tests.doubles.cuda.contexts import Context, Contexts
from tests.doubles.cuda.errors import INVALID_HANDLE, STICKY, Breach, CudaFailure
from tests.doubles.cuda.handles import Handles
from tests.doubles.cuda.memory import DeviceMemory, PinnedMemory
from tests.doubles.cuda.streams import Event, Graph, GraphExec, Stream
from tests.doubles.cuda.surface import CALLS, Call
from tests.doubles.simulated import machine
from tests.doubles.simulated.faults import Faults
from tests.doubles.simulated.results import Results
from tests.doubles.simulated.timing import Timing


class Machine(machine.Machine):
    """What all of its calls work on."""

    call: Call

    def __init__(self, config: Config | None = None, timing: Timing | None = None) -> None:
        self.config = config or Config()
        super().__init__(self.config.journal, timing or Timing())
        self.call = Call("", 0)
        self.faults = Faults(self.config.faults, CALLS)
        #: the error after which nothing works any more; 0: none
        self.lost = 0
        self.contexts = Contexts(self.config.devices, self.violation)
        self.device_memory = DeviceMemory(self.config.devices, self.config.memory_bytes)
        self.pinned = PinnedMemory()
        self.streams: Handles[Stream] = Handles("stream", 0x2000_0000)
        self.events: Handles[Event] = Handles("event", 0x3000_0000)
        self.graphs: Handles[Graph] = Handles("graph", 0x4000_0000)
        self.executables: Handles[GraphExec] = Handles("executable graph", 0x5000_0000)
        self.results = Results()
        #: when each engine of each device is free
        self.engines: dict[tuple[int, str], int] = {}
        #: what the runtime remembers until somebody asks
        self.last_error = 0
        self._faces: dict[str, Any] = {}
        self._ended = False

    def lose(self, code: int) -> None:
        """After a sticky error every call says the same."""
        if code in STICKY and not self.lost:
            self.lost = code

    def check_process(self) -> None:
        """Raise Breach in a process that was forked off: CUDA does not work there."""
        if self.note_fork():
            raise CudaFailure(3)

    def stream(self, handle: int) -> Stream:
        """The stream behind a handle, in this thread's context. Raises Breach."""
        context = self.contexts.current()
        if handle == 0:
            return context.default_stream
        found = self.streams.get(handle)
        if found.context is not context:
            raise Breach(INVALID_HANDLE, "foreign-stream", f"{found} is used in the {context}")
        return found

    def event(self, handle: int) -> Event:
        """The event behind a handle, in this thread's context. Raises Breach."""
        context = self.contexts.current()
        found = self.events.get(handle)
        if found.context is not context:
            raise Breach(INVALID_HANDLE, "foreign-event", f"{found} is used in the {context}")
        return found

    def all_streams(self, besides: Stream | None = None) -> list[Stream]:
        """All streams, default ones too, but one."""
        contexts: list[Context] = [*self.contexts.primary, *self.contexts.own]
        streams = [*self.streams.alive, *(context.default_stream for context in contexts)]
        return [stream for stream in streams if stream is not besides]

    def restricting_capture(self) -> Stream | None:
        """A stream whose capture restricts this thread: one of its own that is not relaxed, or any global one."""
        for stream in self.all_streams():
            capture = stream.capture
            if capture and (capture.mode == 0 or (capture.mode == 1 and capture.thread == threading.get_ident())):
                return stream
        return None

    def alive(self) -> list[Any]:
        """All that can be released and was not."""
        return [
            *self.executables.alive,
            *self.graphs.alive,
            *self.events.alive,
            *self.streams.alive,
            *self.device_memory.alive.values(),
            *self.pinned.alive.values(),
        ]

    def leaks(self) -> list[str]:
        """A line for each thing that is still there, and for each context that is still held."""
        contexts = [f"the {context} is held {context.retained} times" for context in self.contexts.primary
                    if context.retained]  # fmt: skip
        contexts += [f"the {context} was never destroyed" for context in self.contexts.own if context.alive]
        return [f"{thing.what}: {thing}" for thing in self.alive()] + [f"context: {text}" for text in contexts]

    def end(self) -> list[str]:
        """The process is over: leaks go to the journal. Returns all that is known against the client, as lines."""
        if not self._ended:
            self._ended = True
            self.call = Call("exit", 0)
            for line in self.leaks():
                self.journal.add("leak", rule=line.partition(":")[0].replace(" ", "-"), call="exit", text=line)
            for block in self.pinned.written_after_free():
                self.violation("written-after-free", f"{block} was written to after it was freed")
            self.journal.add("exit", calls=dict(self.calls))
        return [
            f"{entry.kind} {entry.rule} in {entry.call}: {entry.text}"
            for entry in self.journal.entries
            if entry.kind in ("violation", "leak")
        ]
