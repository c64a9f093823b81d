"""Calls that put work on a stream or wait for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.doubles.cuda.allocating import Allocating
from tests.doubles.cuda.errors import (
    CAPTURE_IMPLICIT,
    CAPTURE_UNSUPPORTED,
    CAPTURED_EVENT,
    INVALID_HANDLE,
    INVALID_VALUE,
    NOT_READY,
    Breach,
    CudaFailure,
)
from tests.doubles.cuda.kernels import Compute, outputs
from tests.doubles.cuda.memory import Range
from tests.doubles.cuda.streams import Event, Needed, Node, Stream, Visible, Work, conflict, using
from tests.doubles.cuda.surface import call
from tests.doubles.simulated.content import Data, Piece, join
from tests.doubles.simulated.machine import Later
from tests.doubles.simulated.memory import DEVICE_SPACE

TO_DEVICE, TO_HOST, DEVICE_TO_DEVICE = 1, 2, 3
_KINDS = {TO_DEVICE: "host to device", TO_HOST: "device to host", DEVICE_TO_DEVICE: "device to device"}
_NON_BLOCKING, _DISABLE_TIMING = 1, 2


class Queueing(Allocating):
    """Streams, copies, kernels and events."""

    @call("cudaStreamCreateWithFlags")
    def stream_create(self, flags: int) -> int:
        """A new stream's handle. One with flags 0 waits for the default stream, which is worth a remark."""
        context = self.contexts.current()
        if flags not in (0, _NON_BLOCKING):
            raise Breach(INVALID_VALUE, "flags", f"stream flags {flags}")
        if not flags:
            self.remark("blocking-stream", "a stream that waits for the default stream")
        return self.streams.add(lambda handle: Stream(handle, context, not flags)).handle

    @call("cudaStreamDestroy", releases=True)
    def stream_destroy(self, handle: int) -> None:
        """Raises CudaFailure."""
        stream = self.streams.to_release(handle)
        if stream is None:
            return
        if stream.works and not stream.failed and not self.lost:
            self.violation("destroyed-in-flight", f"{stream} is destroyed with {stream.works[0].node.call} unfinished")
        if stream.capture is not None:
            self.violation("destroyed-in-capture", f"{stream} is destroyed while it is capturing")
        self.streams.release(stream, self.call.excused)

    @call("cudaStreamSynchronize")
    def stream_synchronize(self, handle: int) -> Any:
        """Wait for all work on the stream; what it copied to the host is there then. Raises what went wrong in it."""
        stream = self._not_capturing(self.stream(handle))
        return self._wait(stream, list(stream.works))

    @call("cudaDeviceSynchronize")
    def device_synchronize(self) -> Any:
        """Wait for all streams of the current device."""
        context = self.contexts.current()
        streams = [self._not_capturing(stream) for stream in self.all_streams() if stream.context is context]
        waits = [self._wait(stream, list(stream.works)) for stream in streams]
        if not waits:
            return None
        return Later(max(wait.until for wait in waits), lambda: [wait.finish() for wait in waits] and None)

    @call("cudaMemcpyAsync")
    def copy(self, target: int, source: int, size: int, kind: int, stream: int) -> None:
        """Put a copy on the stream. Host memory must be pinned: else it would not be asynchronous."""
        if kind not in _KINDS:
            raise Breach(INVALID_VALUE, "copy-kind", f"kind {kind} of a copy")
        if size <= 0:
            raise Breach(INVALID_VALUE, "empty-copy", f"a copy of {size} bytes")
        read, written = Range(source, size), Range(target, size)
        places = [self._place(source), self._place(target)]
        wanted = {TO_DEVICE: ["host", "device"], TO_HOST: ["device", "host"]}.get(kind, ["device", "device"])
        if places != wanted:
            real = " to ".join(places)
            raise Breach(INVALID_VALUE, "copy-kind", f"a copy {_KINDS[kind]} of what goes from {real}")
        duration = round(self.config.copy_ms * 1e6)
        begin = {TO_DEVICE: self._upload, TO_HOST: self._download}.get(kind, self._duplicate)
        engine = {TO_DEVICE: "upload", TO_HOST: "download"}.get(kind, "kernels")
        node = Node("cudaMemcpyAsync", engine, duration, (read,), (written,), lambda: begin(read, written))
        self.put(self.stream(stream), node)

    @call("launch")
    def launch(
        self,
        stream: int,
        duration_s: float,
        work: Compute,
        reads: Sequence[Range],
        writes: Sequence[Range],
        needs: Sequence[Needed] = (),
        name: str = "kernel",
    ) -> Any:
        """Put a kernel on the stream: it begins when what is before it is done, and takes `duration_s` of the device.

        `reads` and `writes` are ranges of device memory; `work` makes the bytes of the latter out of those of the
        former, when somebody wants them. The kernel needs what is in `needs`, things with a property `alive`: also when
        a graph with it is launched. Raises CudaFailure.
        """
        fault = self.call.fault
        seconds = duration_s + (fault.seconds if fault is not None else 0.0)
        sizes = [written.size for written in writes]
        compute = _poison(sizes) if self.call.effect("nan") else work

        def begin() -> Callable[[], Visible | None]:
            def execute() -> None:
                inputs = [self._pieces(read) for read in reads]
                for written, piece in zip(writes, outputs(self.results, compute, inputs, sizes), strict=True):
                    self._fill(written, [piece])

            return execute

        node = Node(name, "kernels", round(seconds * 1e9), tuple(reads), tuple(writes), begin, tuple(needs))
        self.put(self.stream(stream), node)
        return self.launched()

    @call("cudaEventCreateWithFlags")
    def event_create(self, flags: int) -> int:
        """A new event's handle."""
        context = self.contexts.current()
        return self.events.add(lambda handle: Event(handle, context, not flags & _DISABLE_TIMING)).handle

    @call("cudaEventDestroy", releases=True)
    def event_destroy(self, handle: int) -> None:
        """Raises CudaFailure."""
        event = self.events.to_release(handle)
        if event is not None:
            self.events.release(event, self.call.excused)

    @call("cudaEventRecord")
    def event_record(self, handle: int, stream: int) -> None:
        """Mark where the stream is now."""
        event, queue = self.event(handle), self.stream(stream)
        work = self.put(queue, Node("cudaEventRecord", "", 0, (), (), lambda: lambda: None))
        event.captured = work is None
        event.stream, event.mark = queue, work

    @call("cudaEventSynchronize")
    def event_synchronize(self, handle: int) -> Any:
        """Wait until the stream has come to the mark; an event that was never recorded is not waited for."""
        event = self.event(handle)
        if event.captured:
            raise Breach(CAPTURED_EVENT, "captured-event", f"{event} was recorded in a capture")
        if event.mark is None or event.stream is None:
            self.violation("event-not-recorded", f"a synchronise with {event}, which was never recorded")
            return None
        return self._wait(event.stream, event.stream.until(event.mark))

    @call("cudaEventElapsedTime")
    def event_elapsed_ms(self, start: int, end: int) -> float:
        """Milliseconds of the device's time between two marks, both waited for."""
        marks = []
        for event in (self.event(start), self.event(end)):
            if not event.timed:
                raise Breach(INVALID_HANDLE, "event-without-timing", f"{event} was made without timing")
            if event.captured:
                raise Breach(CAPTURED_EVENT, "captured-event", f"{event} was recorded in a capture")
            if event.mark is None:
                raise Breach(INVALID_HANDLE, "event-not-recorded", f"{event} was never recorded")
            if not event.waited_for:
                raise Breach(NOT_READY, "event-not-reached", f"nobody has waited for {event}")
            marks.append(event.mark.due)
        return (marks[1] - marks[0]) / 1e6

    def in_flight(self, token: Needed) -> bool:
        """Whether a kernel that needs `token` is not known to be done: it may not be released then."""
        met = using(self.all_streams(), token=token)
        return met is not None and not met[1].failed and not self.lost

    def is_capturing(self, stream: int) -> bool:
        """Whether what is put on the stream is recorded and not run."""
        return self.stream(stream).capture is not None

    def put(self, stream: Stream, node: Node) -> Work | None:
        """Queue a node, or record it. Raises Breach where it may not be queued."""
        self._check(node)
        if stream.capture is not None:
            stream.capture.nodes.append(node)
            return None
        if not stream.handle:
            self.violation("default-stream", f"{node.call} on the default stream, which waits for others")
            if any(other.capture and other.blocking for other in self.all_streams(besides=stream)):
                raise Breach(CAPTURE_IMPLICIT, "default-stream-in-capture", f"{node.call} while a stream is capturing")
        met = conflict(self.all_streams(besides=stream), node)
        if met is not None and not met[1].failed:
            self.violation("race", f"{node.call} in {stream} races with {met[0].node.call} in {met[1]}")
        device = stream.context.device
        starts = max(self.call.entered, stream.busy_until, self.engines.get((device, node.engine), 0))
        later = self.call.fault.code if self.call.effect("later") and self.call.fault else 0
        work = Work(node, starts + node.duration_ns, node.begin(), later)
        stream.works.append(work)
        stream.busy_until = work.due
        if node.engine:
            self.engines[device, node.engine] = work.due
        return work

    def launched(self) -> Later | None:
        """The end of a launch on the host."""
        if not self.config.launch_us:
            return None
        return Later(self.call.entered + round(self.config.launch_us * 1e3), lambda: None)

    def _check(self, node: Node) -> None:
        for touched in (*node.reads, *node.writes):
            if touched.address >= DEVICE_SPACE:
                self.device_memory.holding(touched)
            elif node.engine == "kernels":
                raise Breach(INVALID_VALUE, "not-device-memory", f"{node.call} with {touched} of the host")
            else:
                self.pinned.holding(touched)
        for needed in node.needs:
            if not needed.alive:
                raise Breach(INVALID_HANDLE, "needed-thing-released", f"{node.call} needs {needed}, which was released")

    def _wait(self, stream: Stream, works: list[Work]) -> Later:
        """Everything is computed now, and shows at the time when the device would be done."""
        failing = next((work for work in works if work.code), None)
        for work in works[: works.index(failing)] if failing else works:
            work.run()

        def finish() -> None:
            for work in works:
                if work in stream.works:
                    if work.code:
                        stream.abort()
                        raise CudaFailure(work.code)
                    if work.visible is not None:
                        work.visible()
                    stream.works.remove(work)

        due = (failing or works[-1]).due if works else self.call.entered
        return Later(max(due, self.call.entered), finish)

    def _not_capturing(self, stream: Stream) -> Stream:
        if stream.capture is not None:
            stream.capture.broken = f"{self.call.name} during the capture"
            raise Breach(CAPTURE_UNSUPPORTED, "synchronise-in-capture", f"{self.call.name} while {stream} is capturing")
        return stream

    def _place(self, address: int) -> str:
        if address >= DEVICE_SPACE:
            return "device"
        if not self.pinned.has(address):
            raise Breach(INVALID_VALUE, "pageable-memory", f"{address:#x} is host memory that is not pinned")
        return "host"

    def _upload(self, read: Range, written: Range) -> Callable[[], Visible | None]:
        block = self.pinned.holding(read)
        taken = block.read(read.address, read.size)

        def execute() -> None:
            if block.read(read.address, read.size) != taken:
                self.violation("overwritten-in-flight", f"{read} was changed before it was copied")
            target = self.device_memory.holding(written)
            target.content.write_bytes(written.address - target.address, taken)

        return execute

    def _download(self, read: Range, written: Range) -> Callable[[], Visible | None]:
        def execute() -> Visible:
            data = join(self._pieces(read))
            block = self.pinned.holding(written)
            return lambda: block.write(written.address, data)

        return execute

    def _duplicate(self, read: Range, written: Range) -> Callable[[], Visible | None]:
        return lambda: self._fill(written, self._pieces(read))

    def _pieces(self, wanted: Range) -> list[Piece]:
        block = self.device_memory.holding(wanted)
        return block.content.slice(wanted.address - block.address, wanted.size)

    def _fill(self, wanted: Range, pieces: list[Piece]) -> None:
        block = self.device_memory.holding(wanted)
        block.content.write(wanted.address - block.address, pieces)


def _poison(sizes: Sequence[int]) -> Compute:
    parts = [Data(b"\xff" * size).data for size in sizes]
    return lambda _inputs: parts
