"""CUDA through pycuda's driver module, in the primary context; never pycuda.autoinit, which makes one of its own.

pycuda's objects release themselves where nothing refers to them, in their context only: so all references are here, and
are let go of before the context is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from backends._cuda.base import DeviceMemory, Event, Graph, PinnedMemory
from backends._cuda.codes import INVALID_DEVICE, OUT_OF_MEMORY, code_of, explain
from backends._cuda.failures import at_opening, dotted, failure, no_such_device
from backends._cuda.resources import Resources, check_copy
from backends._cuda.threads import share, unshare
from backends.base import Array, BackendError, DeviceError, DeviceEvent

NAME = "pycuda"
#: CU_STREAM_NON_BLOCKING: the stream does not wait for the default one.
_NON_BLOCKING = 1


class Library:
    """The module, its exceptions as DeviceError; `pop_context` takes the driver's current context off its stack."""

    def __init__(self, module: Any, pop_context: Callable[[], None]) -> None:
        self.module = module
        self.pop_context = pop_context

    def do(self, action: Callable[..., Any], *arguments: object, asked: int = 0) -> Any:
        """What `action` gives. Raises DeviceError."""
        try:
            return action(*arguments)
        except self.module.Error as error:
            told = self.failure(error, asked)
        # A traceback holds this frame, and must not hold the stream: pycuda destroys it where nothing refers to it.
        del action, arguments
        raise told

    def failure(self, error: Exception, asked: int = 0) -> DeviceError:
        """The error of a call, out of pycuda's one line about it."""
        call, code, words = parsed(error)
        if code is None:
            return DeviceError(f"{call} failed ({words}); {explain(999).advice}.")
        return failure(call, code, words, asked, self._free() if code == OUT_OF_MEMORY and asked else None)

    def _free(self) -> tuple[int, int] | None:
        """Free and total bytes, where the device still tells."""
        try:
            free, total = self.module.mem_get_info()
        except self.module.Error:
            return None
        return int(free), int(total)

    def open(self, device: int) -> Any:
        """The device. Raises BackendUnavailable, DeviceError."""
        try:
            self.module.init()
            return self.module.Device(device)
        except self.module.Error as error:
            _, code, _ = parsed(error)
            if code == INVALID_DEVICE:
                raise no_such_device(device, self.do(self.module.Device.count)) from None
            told: BackendError = self.failure(error)
            if code is not None and isinstance(told, DeviceError):
                told = at_opening(code, told)
            raise told from None


def parsed(error: Exception) -> tuple[str, int | None, str]:
    """Call, code and words of `cuMemAlloc failed: out of memory`; the code is None where the words are not known."""
    call, separator, words = str(error).partition(" failed: ")
    if not separator:
        return "pycuda", None, " ".join(str(error).split())
    words = " ".join(words.split())
    return call, code_of(words) or code_of(words.partition(" - ")[0]), words


class PycudaCuda(Resources):
    """`Cuda` through pycuda. Raises BackendUnavailable, DeviceError."""

    name = NAME
    has_graphs = False

    def __init__(self, module: Any, device: int, version: str, pop_context: Callable[[], None]) -> None:
        super().__init__()
        self.version = version
        self._library = library = Library(module, pop_context)
        # What pycuda makes belongs to the topmost context object: a second one on the same device would take with it
        # what the first has made since. So all users in a thread share one.
        self._stream = self.open_shared(
            module,
            device,
            make_stream=lambda: library.do(module.Stream, _NON_BLOCKING),
            enter=lambda: _entered(library, device),
            leave=lambda context: _left(library, context),
        )
        self.stream = int(self._stream.handle)
        self.release_later(self._drop_stream)

    def allocate(self, size: int) -> DeviceMemory:
        self.check_allocation(size)
        allocation = self._library.do(self._library.module.mem_alloc, size, asked=size)
        self.release_later(lambda: self._library.do(allocation.free))
        return DeviceMemory(int(allocation), size)

    def allocate_pinned(self, size: int) -> PinnedMemory:
        self.check_allocation(size)
        bytes_: Array = self._library.do(self._library.module.pagelocked_empty, size, np.uint8, asked=size)
        allocation: Any = bytes_.base
        self.release_later(lambda: self._library.do(allocation.free))
        return PinnedMemory(int(bytes_.ctypes.data), size, bytes_)

    def copy_to_device(self, target: DeviceMemory, source: PinnedMemory, size: int) -> None:
        check_copy(size, target, source)
        self._library.do(self._library.module.memcpy_htod_async, target.address, source.bytes_[:size], self._stream)

    def copy_to_host(self, target: PinnedMemory, source: DeviceMemory, size: int) -> None:
        check_copy(size, source, target)
        self._library.do(self._library.module.memcpy_dtoh_async, target.bytes_[:size], source.address, self._stream)

    def synchronize(self) -> None:
        self._library.do(self._stream.synchronize)

    def event(self) -> Event:
        self.check_thread()
        made = _Event(self._library, self._library.do(self._library.module.Event), self._stream)
        self.release_later(made.drop)
        return made

    def capture(self, work: Callable[[], None]) -> Graph:
        raise DeviceError("pycuda cannot capture CUDA graphs; use cuda-bindings instead, or measure without a graph.")

    def _drop_stream(self) -> None:
        self._stream = None


def _entered(library: Library, device: int) -> Any:
    """The device's primary context, current in this thread."""
    context = library.do(library.open(device).retain_primary_context)
    try:
        library.do(context.push)
    except DeviceError:
        _released(library, context)
        raise
    return context


def _left(library: Library, context: Any) -> None:
    """Back to what was current before, and one holder of the context less."""
    try:
        library.do(context.pop)
    finally:
        _released(library, context)


def _released(library: Library, context: Any) -> None:
    """One holder of the context less.

    pycuda makes a context current to detach it, and takes for granted that it is popped by that; releasing a primary
    one pops nothing.
    """
    library.do(context.detach)
    library.pop_context()


class _Event:
    """An event of one stream; pycuda destroys it when it is dropped."""

    def __init__(self, library: Library, event: Any, stream: Any) -> None:
        self._library, self._event, self._stream = library, event, stream

    def record(self) -> None:
        self._library.do(self._event.record, self._stream)

    def synchronize(self) -> None:
        self._library.do(self._event.synchronize)

    def elapsed_ms(self, since: DeviceEvent) -> float:
        if not isinstance(since, _Event):
            raise TypeError("both events must be of pycuda")
        return float(self._library.do(self._event.time_since, since._event))

    def drop(self) -> None:
        self._event = self._stream = _Gone()


class _Gone:
    """In the place of what was released: every use of it says so."""

    def __getattr__(self, name: str) -> NoReturn:
        raise DeviceError("CUDA is closed here; open it again.")


def facts(module: Any, device: int, pop_context: Callable[[], None]) -> dict[str, Any]:
    """What `device_facts` tells, by its names. Raises BackendUnavailable, DeviceError."""
    library = Library(module, pop_context)
    share(module, device, lambda: _entered(library, device), lambda context: _left(library, context))
    try:
        free, total = library.do(module.mem_get_info)
    finally:
        unshare(module)
    opened = library.open(device)
    major, minor = library.do(opened.compute_capability)
    runtime = module.get_version()
    return {
        "name": str(library.do(opened.name)),
        "capability": (int(major), int(minor)),
        "address": str(library.do(opened.pci_bus_id)),
        "total_bytes": int(total),
        "free_bytes": int(free),
        "driver": dotted(library.do(module.get_driver_version)),
        "runtime": f"{runtime[0]}.{runtime[1]}",
    }
