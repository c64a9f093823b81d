"""Calls for graphs: capturing what is put on a stream, and launching it."""

from __future__ import annotations

import threading
from typing import Any

from tests.doubles.cuda.errors import (
    CAPTURE_INVALIDATED,
    CAPTURE_UNSUPPORTED,
    CAPTURE_WRONG_THREAD,
    ILLEGAL_STATE,
    INVALID_VALUE,
    Breach,
    CudaFailure,
)
from tests.doubles.cuda.queueing import Queueing
from tests.doubles.cuda.streams import Capture, Graph, GraphExec
from tests.doubles.cuda.surface import call


class Capturing(Queueing):
    """Stream capture and graphs."""

    @call("cudaStreamBeginCapture")
    def capture_begin(self, stream: int, mode: int) -> None:
        """From now on what is put on the stream is recorded. Mode 0 is global, 1 thread-local, 2 relaxed."""
        queue = self.stream(stream)
        if mode not in (0, 1, 2):
            raise Breach(INVALID_VALUE, "capture-mode", f"capture mode {mode}")
        if not queue.handle:
            raise Breach(CAPTURE_UNSUPPORTED, "capture-of-default-stream", "the default stream cannot be captured")
        if queue.capture is not None:
            raise Breach(ILLEGAL_STATE, "capture-twice", f"{queue} is capturing already")
        queue.capture = Capture(mode)

    @call("cudaStreamEndCapture", releases=True)
    def capture_end(self, stream: int) -> int:
        """The graph of what was recorded. Raises CudaFailure where the capture became invalid; it is over then too."""
        queue = self.stream(stream)
        capture = queue.capture
        if capture is None:
            raise Breach(ILLEGAL_STATE, "end-without-capture", f"{queue} is not capturing")
        if capture.mode != 2 and capture.thread != threading.get_ident():
            raise Breach(CAPTURE_WRONG_THREAD, "capture-thread", f"{queue} began to capture in another thread")
        queue.capture = None
        if capture.broken or self.call.excused:
            raise CudaFailure(CAPTURE_INVALIDATED)
        context = queue.context
        return self.graphs.add(lambda handle: Graph(handle, context, tuple(capture.nodes))).handle

    @call("cudaGraphGetNodes")
    def graph_nodes(self, graph: int) -> tuple[None, int]:
        """No list, and how many nodes there are."""
        return None, len(self.graphs.get(graph).nodes)

    @call("cudaGraphInstantiate")
    def graph_instantiate(self, graph: int) -> int:
        """A graph that can be launched; the one that it was made of may be destroyed."""
        made = self.graphs.get(graph)
        return self.executables.add(lambda handle: GraphExec(handle, made.context, made.nodes)).handle

    @call("cudaGraphLaunch")
    def graph_launch(self, executable: int, stream: int) -> Any:
        """Put all of its nodes on the stream."""
        queue, made = self.stream(stream), self.executables.get(executable)
        for node in made.nodes:
            self.put(queue, node)
        return self.launched()

    @call("cudaGraphDestroy", releases=True)
    def graph_destroy(self, graph: int) -> None:
        """Raises CudaFailure."""
        made = self.graphs.to_release(graph)
        if made is not None:
            self.graphs.release(made, self.call.excused)

    @call("cudaGraphExecDestroy", releases=True)
    def graph_exec_destroy(self, executable: int) -> None:
        """Raises CudaFailure."""
        made = self.executables.to_release(executable)
        if made is not None:
            self.executables.release(made, self.call.excused)
