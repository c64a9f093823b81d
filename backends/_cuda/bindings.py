"""CUDA through NVIDIA's cuda-bindings, 12 and 13: `cuda.bindings.runtime`, which works in the primary context.

Every call returns a tuple, the error first; none goes unread. Nothing here was made for the timed loop but `launch`,
`record` and `synchronize`, which hold their functions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from backends._cuda.base import DeviceMemory, Event, Graph, PinnedMemory
from backends._cuda.codes import INSUFFICIENT_DRIVER, INVALID_DEVICE, OUT_OF_MEMORY
from backends._cuda.failures import NO_DRIVER, at_opening, dotted, failure, no_such_device
from backends._cuda.resources import Resources, check_copy
from backends._cuda.threads import share, unshare
from backends.base import Array, BackendError, BackendUnavailable, DeviceError, DeviceEvent

NAME = "cuda-bindings"
#: Room for a PCI address, as 0000:3b:00.0 and the end of the string.
_ADDRESS_LENGTH = 32


class Library:
    """The module's functions, their errors raised."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def call(self, name: str, *arguments: object) -> Any:
        """What the function returns besides the error: nothing, one value or a tuple. Raises DeviceError."""
        code, values = self.attempt(name, *arguments)
        if code:
            raise self.failure(name, code)
        return values[0] if len(values) == 1 else values

    def attempt(self, name: str, *arguments: object) -> tuple[int, tuple[Any, ...]]:
        """The error as a number, and the values. Raises DeviceError where the module lacks the function."""
        answer = self.function(name)(*arguments)
        return int(answer[0]), tuple(answer[1:])

    def function(self, name: str) -> Callable[..., Any]:
        """The bare function, whose answer the caller reads."""
        found: Callable[..., Any] | None = getattr(self.module, name, None)
        if found is None:
            raise DeviceError(
                f"this cuda-bindings has no {name}; install 12.8 or newer of your driver's major version."
            )
        return found

    def failure(self, name: str, code: int, asked: int = 0) -> DeviceError:
        """The error of a call. What the library remembers of it is taken away, so that no later call meets it."""
        free = None
        if code == OUT_OF_MEMORY and asked:
            failed, values = self.attempt("cudaMemGetInfo")
            free = None if failed else (int(values[0]), int(values[1]))
        self.attempt("cudaGetLastError")
        return failure(name, code, self._name(code), asked, free)

    def _name(self, code: int) -> str:
        try:
            return str(self.module.cudaError_t(code).name)
        except ValueError:  # newer than this module
            return ""

    def open(self, device: int) -> None:
        """Make the device's primary context this thread's. Raises BackendUnavailable, DeviceError."""
        code, _ = self.attempt("cudaGetDeviceCount")
        if code:
            raise self._not_opened("cudaGetDeviceCount", code, device)
        code, _ = self.attempt("cudaSetDevice", device)
        if code:
            raise self._not_opened("cudaSetDevice", code, device)

    def _not_opened(self, name: str, code: int, device: int) -> BackendError:
        if code == INSUFFICIENT_DRIVER:
            return BackendUnavailable(self._driver_told())
        if code == INVALID_DEVICE:
            count = self.call("cudaGetDeviceCount")
            return no_such_device(device, count)
        return at_opening(code, self.failure(name, code))

    def _driver_told(self) -> str:
        driver, runtime = self.call("cudaDriverGetVersion"), self.call("cudaRuntimeGetVersion")
        if not driver:
            return NO_DRIVER
        return (
            f"the NVIDIA driver is too old: it knows CUDA {dotted(driver)}, and this cuda-bindings needs"
            f" {dotted(runtime)}; install a newer driver, or: pip install 'cuda-bindings=={driver // 1000}.*'."
        )


class BindingsCuda(Resources):
    """`Cuda` through cuda-bindings. Raises BackendUnavailable, DeviceError."""

    name = NAME
    has_graphs = True

    def __init__(self, module: Any, device: int, version: str) -> None:
        super().__init__()
        self.version = version
        self._library = library = Library(module)
        self._stream = self.open_shared(module, device, lambda: _new_stream(library, device))
        self.stream = int(self._stream)
        self._release_later("cudaStreamDestroy", self._stream)
        self._synchronize = library.function("cudaStreamSynchronize")

    def allocate(self, size: int) -> DeviceMemory:
        self.check_allocation(size)
        address = self._allocated("cudaMalloc", size, size)
        self._release_later("cudaFree", address)
        return DeviceMemory(address, size)

    def allocate_pinned(self, size: int) -> PinnedMemory:
        self.check_allocation(size)
        address = self._allocated("cudaHostAlloc", size, size, self._library.module.cudaHostAllocDefault)
        self._release_later("cudaFreeHost", address)
        bytes_: Array = np.frombuffer(memoryview((ctypes.c_uint8 * size).from_address(address)), np.uint8)
        return PinnedMemory(address, size, bytes_)

    def copy_to_device(self, target: DeviceMemory, source: PinnedMemory, size: int) -> None:
        check_copy(size, target, source)
        kind = self._library.module.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._library.call("cudaMemcpyAsync", target.address, source.address, size, kind, self._stream)

    def copy_to_host(self, target: PinnedMemory, source: DeviceMemory, size: int) -> None:
        check_copy(size, source, target)
        kind = self._library.module.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._library.call("cudaMemcpyAsync", target.address, source.address, size, kind, self._stream)

    def synchronize(self) -> None:
        (error,) = self._synchronize(self._stream)
        if error:
            raise self._library.failure("cudaStreamSynchronize", int(error))

    def event(self) -> Event:
        self.check_thread()
        handle = self._library.call("cudaEventCreateWithFlags", self._library.module.cudaEventDefault)
        self._release_later("cudaEventDestroy", handle)
        return _Event(self._library, handle, self._stream)

    def capture(self, work: Callable[[], None]) -> Graph:
        self.check_thread()
        executable = self._instantiated(self._captured(work))
        self._release_later("cudaGraphExecDestroy", executable)
        return _Graph(self._library, executable, self._stream)

    def _allocated(self, name: str, asked: int, *arguments: object) -> int:
        code, values = self._library.attempt(name, *arguments)
        if code:
            raise self._library.failure(name, code, asked)
        return int(values[0])

    def _release_later(self, name: str, handle: Any) -> None:
        self.release_later(lambda: self._library.call(name, handle))

    def _captured(self, work: Callable[[], None]) -> Any:
        """A graph of what `work` puts on the stream."""
        library = self._library
        library.call(
            "cudaStreamBeginCapture",
            self._stream,
            library.module.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal,
        )
        try:
            work()
        except BaseException:
            # The stream must leave the capture whatever happened, or nothing can be done with it any more.
            code, values = library.attempt("cudaStreamEndCapture", self._stream)
            if not code:
                library.attempt("cudaGraphDestroy", *values)
            library.attempt("cudaGetLastError")
            raise
        return library.call("cudaStreamEndCapture", self._stream)

    def _instantiated(self, graph: Any) -> Any:
        """The graph made ready to be launched; itself it is gone then."""
        library = self._library
        try:
            _, count = library.call("cudaGraphGetNodes", graph)
            if not count:
                raise DeviceError(
                    "the capture is empty: what was to be captured ran elsewhere than on this stream; measure without"
                    " a CUDA graph."
                )
            return library.call("cudaGraphInstantiate", graph, 0)
        finally:
            library.attempt("cudaGraphDestroy", graph)


def _new_stream(library: Library, device: int) -> Any:
    library.open(device)
    return library.call("cudaStreamCreateWithFlags", library.module.cudaStreamNonBlocking)


class _Event:
    """An event of one stream; released with it."""

    def __init__(self, library: Library, handle: Any, stream: Any) -> None:
        self._library, self.handle, self._stream = library, handle, stream
        self._record = library.function("cudaEventRecord")

    def record(self) -> None:
        (error,) = self._record(self.handle, self._stream)
        if error:
            raise self._library.failure("cudaEventRecord", int(error))

    def synchronize(self) -> None:
        self._library.call("cudaEventSynchronize", self.handle)

    def elapsed_ms(self, since: DeviceEvent) -> float:
        if not isinstance(since, _Event):
            raise TypeError("both events must be of cuda-bindings")
        return float(self._library.call("cudaEventElapsedTime", since.handle, self.handle))


class _Graph:
    """A captured graph; released with its stream."""

    def __init__(self, library: Library, executable: Any, stream: Any) -> None:
        self._library, self._executable, self._stream = library, executable, stream
        self._launch = library.function("cudaGraphLaunch")

    def launch(self) -> None:
        (error,) = self._launch(self._executable, self._stream)
        if error:
            raise self._library.failure("cudaGraphLaunch", int(error))


def facts(module: Any, device: int) -> dict[str, Any]:
    """What `device_facts` tells, by its names. Raises BackendUnavailable, DeviceError."""
    library = Library(module)
    share(module, device)
    try:
        library.open(device)
        properties = library.call("cudaGetDeviceProperties", device)
        free, total = library.call("cudaMemGetInfo")
        address = library.call("cudaDeviceGetPCIBusId", _ADDRESS_LENGTH, device)
    finally:
        unshare(module)
    return {
        "name": _text(properties.name),
        "capability": (int(properties.major), int(properties.minor)),
        "address": _text(address),
        "total_bytes": int(total),
        "free_bytes": int(free),
        "driver": dotted(library.call("cudaDriverGetVersion")),
        "runtime": dotted(library.call("cudaRuntimeGetVersion")),
    }


def _text(value: Any) -> str:
    """A C string as the module gives it: bytes, with or without what is behind its end."""
    return (value.decode() if isinstance(value, bytes) else str(value)).partition("\0")[0].strip()
