"""Streams and events: what was put on them, how far the host has waited, and which of them wait for which."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from tests.doubles.torch_cuda.world import World

#: Every work takes the device as long, and every launch the host.
WORK_NS = 1_000_000
LAUNCH_NS = 5_000
_BROKEN_CAPTURE = "CUDA error: operation failed due to a previous error during capture"
_NOT_IN_CAPTURE = "CUDA error: operation not permitted when stream is capturing\nCUDA kernel errors might be"


class Stream:
    """A queue of one device. `put` counts what was put on it, `done` what the host has waited for."""

    def __init__(self, world: World, device_index: int, number: int) -> None:
        self.world, self.device_index, self.number = world, device_index, number
        self.put = self.done = 0
        self.busy_until = 0
        #: how much of other streams is done before what comes next here
        self.after: dict[Stream, int] = {}
        #: what the host will see, or has to look at, once it has waited
        self.arrivals: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"stream {self.number} of cuda:{self.device_index}" if self.number else "the default stream"

    @property
    def device(self) -> torch.device:
        return torch.device("cuda", self.device_index)

    def wait_stream(self, other: Stream) -> None:
        self.after[other] = other.put
        self.world.journal.append(f"{self} waits for {other}")

    def work(self, works: int = 1) -> None:
        """So many more works, which begin when those before are over."""
        self.put += 1
        self.world.now += LAUNCH_NS
        self.busy_until = max(self.busy_until, self.world.now) + works * WORK_NS

    def synchronize(self) -> None:
        self.world.journal.append(f"synchronize {self}")
        self.world.refuse_in_capture(self)
        self.world.maybe_fail("synchronize")
        self.done = self.put
        self.world.now = max(self.world.now, self.busy_until)
        arrivals, self.arrivals = self.arrivals, []
        for arrive in arrivals:
            arrive()

    def sees(self, other: Stream, count: int) -> bool:
        """Whether so much of the other stream is done before what comes next here."""
        return other is self or other.done >= count or self.after.get(other, 0) >= count


class Event:
    """An event of CUDA's; made by `World.event`."""

    def __init__(self, world: World, enable_timing: bool) -> None:
        self._world, self._timing = world, enable_timing
        self._stream: Stream | None = None
        self._put = 0
        self._time = 0

    def record(self, stream: Stream | None = None) -> None:
        self._world.maybe_fail("record")
        self._stream = stream or self._world.current()
        self._stream.put += 1
        self._put, self._time = self._stream.put, max(self._stream.busy_until, self._world.now)
        self._world.journal.append(f"event on {self._stream}")

    def elapsed_time(self, end: Event) -> float:
        if not (self._timing and end._timing):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        streams = self._stream, end._stream
        if None in streams:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        if any(stream.done < put for stream, put in zip(streams, (self._put, end._put), strict=True)):
            raise ValueError("Both events must be completed before calculating elapsed time.")
        return (end._time - self._time) / 1e6


class Graph:
    """torch.cuda.CUDAGraph: calls recorded while nothing was done, and done again at each replay."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.calls: list[Callable[[], None]] = []
        self.ready = self.broken = False
        self.stream: Stream | None = None

    def capture_begin(self) -> None:
        world = self._world
        self.stream = world.current()
        if self.stream.number == 0:
            raise RuntimeError("CUDA graphs must be captured on a non-default stream.")
        world.capturing = self

    def capture_end(self) -> None:
        self._world.capturing = None
        if self.broken:
            raise RuntimeError(_BROKEN_CAPTURE)
        self.ready = True

    def breaks(self) -> RuntimeError:
        """Something was done that no capture can hold."""
        self.broken = True
        return RuntimeError(_NOT_IN_CAPTURE)

    def replay(self) -> None:
        if not self.ready:
            raise RuntimeError("Called CUDAGraph::replay without a preceding successful capture.")
        self._world.maybe_fail("launch")
        stream = self._world.current()
        self._world.journal.append(f"replay on {stream}")
        stream.work(len(self.calls))
        for call in self.calls:
            call()

    def reset(self) -> None:
        self.ready = False
        self.calls.clear()


class Capture:
    """torch.cuda.graph, as its Python file does it."""

    def __init__(self, world: World, graph: Graph, **given: Any) -> None:
        self._world, self._graph = world, graph
        self._stream: Stream = given["stream"]
        world.journal.append(f"capture, errors {given.get('capture_error_mode', 'global')}")

    def __enter__(self) -> None:
        self._world.synchronize()
        self._before = self._world.current()
        self._world.set_stream(self._stream)
        self._graph.capture_begin()

    def __exit__(self, *_: object) -> None:
        self._graph.capture_end()
        self._world.set_stream(self._before)
