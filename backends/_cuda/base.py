"""What a backend needs of CUDA, and nothing else: memory, copies, a stream, events, graphs.

Two implementations, over NVIDIA's cuda-bindings and over pycuda. Both use the device's primary context, which is the
one that TensorRT, PyTorch and ONNX Runtime use. Copies are asynchronous only from and to pinned memory, so there is no
other host memory here. Every call raises DeviceError with the call, the code, its meaning and advice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from backends.base import Array, DeviceEvent


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """An allocation on the device: its address there, and its size in bytes."""

    address: int
    size: int


@dataclass(frozen=True, slots=True)
class PinnedMemory:
    """An allocation in page-locked host memory; `bytes_` is numpy's view of it, uint8 of length `size`."""

    address: int
    size: int
    bytes_: Array


class Event(DeviceEvent, Protocol):
    """A point on a stream, with the device's own time stamp."""

    def synchronize(self) -> None:
        """Return when the stream has come to it."""


class Graph(Protocol):
    """Work that was captured once and is launched as a whole, on the stream that it was captured on."""

    def launch(self) -> None: ...


class Cuda(Protocol):
    """One stream on one device. A context manager: what it made is released on exit, in CUDA's order.

    The thread that uses it must be the one that opened it.
    """

    #: `cuda-bindings` or `pycuda`, with its version, as records name it
    name: str
    version: str
    #: CUDA's handle of the stream, as TensorRT takes it; never the default stream
    stream: int
    #: whether `capture` works with this interface
    has_graphs: bool

    def allocate(self, size: int) -> DeviceMemory: ...

    def allocate_pinned(self, size: int) -> PinnedMemory: ...

    def copy_to_device(self, target: DeviceMemory, source: PinnedMemory, size: int) -> None:
        """Put the copy of the first `size` bytes on the stream."""

    def copy_to_host(self, target: PinnedMemory, source: DeviceMemory, size: int) -> None:
        """Put the copy of the first `size` bytes on the stream."""

    def synchronize(self) -> None:
        """Return when all work on the stream is done; raises what went wrong in it."""

    def event(self) -> Event: ...

    def capture(self, work: Callable[[], None]) -> Graph:
        """Capture what `work` puts on the stream. Raises DeviceError where it cannot be captured."""

    def close(self) -> None:
        """Wait for the stream, then release everything. Idempotent."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
