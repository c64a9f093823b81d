"""A module like `cuda.bindings.runtime`: every call returns a tuple, the error first, and raises nothing.

Signatures are those of cuda-bindings 12.9 and 13: streams, events and graphs may be given as objects or as numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.doubles.cuda.errors import CODES, INSUFFICIENT_DRIVER, NO_DEVICE, CudaFailure
from tests.doubles.cuda.world import World

ErrorCode = IntEnum("cudaError_t", {names[0]: code for code, names in CODES.items()})  # type: ignore[misc]
CopyKind = IntEnum(  # type: ignore[misc]
    "cudaMemcpyKind",
    {
        f"cudaMemcpy{name}": value
        for value, name in enumerate(("HostToHost", "HostToDevice", "DeviceToHost", "DeviceToDevice", "Default"))
    },
)
CaptureMode = IntEnum(  # type: ignore[misc]
    "cudaStreamCaptureMode",
    {f"cudaStreamCaptureMode{name}": value for value, name in enumerate(("Global", "ThreadLocal", "Relaxed"))},
)
PCI_BASE = 0x3B


class Handle:
    """A handle as an object; int() gives the number."""

    def __init__(self, value: int = 0) -> None:
        self._value = int(value)

    def __int__(self) -> int:
        return self._value


class StreamHandle(Handle):
    """cudaStream_t."""


class EventHandle(Handle):
    """cudaEvent_t."""


class GraphHandle(Handle):
    """cudaGraph_t."""


class GraphExecHandle(Handle):
    """cudaGraphExec_t."""


def pci_address(device: int) -> str:
    """Where a device of the simulated machine is."""
    return f"00000000:{PCI_BASE + device:02X}:00.0"


def build(world: World) -> Any:
    """The module on that machine."""
    module: Any = ModuleType("cuda.bindings.runtime", "Stands for NVIDIA's cuda.bindings.runtime.")
    module.cudaError_t, module.cudaMemcpyKind, module.cudaStreamCaptureMode = ErrorCode, CopyKind, CaptureMode
    module.cudaStream_t, module.cudaEvent_t = StreamHandle, EventHandle
    module.cudaGraph_t, module.cudaGraphExec_t = GraphHandle, GraphExecHandle
    module.cudaStreamNonBlocking, module.cudaHostAllocDefault, module.cudaEventDefault = 1, 0, 0
    module.cudaEventBlockingSync, module.cudaEventDisableTiming = 1, 2
    for name, values, function in _functions(world):
        setattr(module, name, _bound(world, name, values, function))
    module.cudaDriverGetVersion = lambda: (_error(0), world.config.driver_version)
    module.cudaRuntimeGetVersion = lambda: (_error(0), world.config.runtime_version)
    module.cudaGetLastError = lambda: (_error(world.take_last_error()),)
    module.cudaGetErrorName = lambda error: (_error(0), CODES[int(error)][0].encode())
    module.cudaGetErrorString = lambda error: (_error(0), CODES[int(error)][2].encode())
    return module


def _functions(world: World) -> list[tuple[str, int, Callable[..., Any]]]:
    """Name, how many values it returns besides the error, and what it does."""
    stream, event, graph, executable = _taking(StreamHandle), _taking(EventHandle), _taking(GraphHandle), _taking(
        GraphExecHandle
    )  # fmt: skip
    return [
        ("cudaGetDeviceCount", 1, world.device_count),
        ("cudaSetDevice", 0, lambda device: world.set_device(_whole(device))),
        ("cudaGetDeviceProperties", 1, lambda device: _properties(world, _whole(device))),
        ("cudaDeviceGetPCIBusId", 1, lambda length, device: _bus_id(world, length, _whole(device))),
        ("cudaMemGetInfo", 2, world.memory_info),
        ("cudaMalloc", 1, lambda size: world.malloc(_size(size))),
        ("cudaFree", 0, lambda address: world.free(_whole(address))),
        ("cudaHostAlloc", 1, lambda size, flags: world.host_alloc(_size(size))),
        ("cudaFreeHost", 0, lambda address: world.host_free(_whole(address))),
        ("cudaStreamCreateWithFlags", 1, lambda flags: StreamHandle(world.stream_create(flags))),
        ("cudaStreamDestroy", 0, lambda given: world.stream_destroy(stream(given))),
        ("cudaStreamSynchronize", 0, lambda given: world.stream_synchronize(stream(given))),
        ("cudaDeviceSynchronize", 0, world.device_synchronize),
        (
            "cudaMemcpyAsync",
            0,
            lambda target, source, size, kind, given: world.copy(
                _whole(target), _whole(source), _size(size), int(CopyKind(kind)), stream(given)
            ),
        ),
        ("cudaEventCreateWithFlags", 1, lambda flags: EventHandle(world.event_create(flags))),
        ("cudaEventDestroy", 0, lambda given: world.event_destroy(event(given))),
        ("cudaEventRecord", 0, lambda given, on: world.event_record(event(given), stream(on))),
        ("cudaEventSynchronize", 0, lambda given: world.event_synchronize(event(given))),
        ("cudaEventElapsedTime", 1, lambda start, end: world.event_elapsed_ms(event(start), event(end))),
        ("cudaStreamBeginCapture", 0, lambda given, mode: world.capture_begin(stream(given), int(CaptureMode(mode)))),
        ("cudaStreamEndCapture", 1, lambda given: GraphHandle(world.capture_end(stream(given)))),
        ("cudaGraphGetNodes", 2, lambda given, count=0: world.graph_nodes(graph(given))),
        ("cudaGraphInstantiate", 1, lambda given, flags: GraphExecHandle(world.graph_instantiate(graph(given)))),
        ("cudaGraphLaunch", 0, lambda given, on: world.graph_launch(executable(given), stream(on))),
        ("cudaGraphDestroy", 0, lambda given: world.graph_destroy(graph(given))),
        ("cudaGraphExecDestroy", 0, lambda given: world.graph_exec_destroy(executable(given))),
    ]


def _bound(world: World, name: str, values: int, function: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    def called(*args: Any) -> tuple[Any, ...]:
        nothing = (None,) * values
        if not world.usable:
            return (_error(INSUFFICIENT_DRIVER), *nothing)
        if not world.config.devices:
            return (_error(NO_DEVICE), *nothing)
        try:
            result = function(*args)
        except CudaFailure as failure:
            world.last_error = failure.code
            return (_error(failure.code), *nothing)
        return (_error(0), *(result if values > 1 else (result,) * values))

    called.__name__ = called.__qualname__ = name
    return called


def _error(code: int) -> Any:
    return ErrorCode(code)


def _taking(kind: type[Handle]) -> Callable[[Any], int]:
    """Numbers, None for 0, and objects of one kind."""

    def number(given: Any) -> int:
        if given is None:
            return 0
        if not isinstance(given, int | kind):
            raise TypeError(f"a {kind.__doc__} is wanted, not {type(given).__name__}")
        return int(given)

    return number


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError("an integer is required")
    return int(value)


def _size(value: Any) -> int:
    if _whole(value) < 0:
        raise OverflowError("can't convert negative value to size_t")
    return int(value)


def _properties(world: World, device: int) -> Any:
    world.check_device(device)
    major, minor = world.config.capability
    return SimpleNamespace(
        name=world.config.device_name.encode(),
        major=major,
        minor=minor,
        totalGlobalMem=world.config.memory_bytes,
        pciDomainID=0,
        pciBusID=PCI_BASE + device,
        pciDeviceID=0,
    )


def _bus_id(world: World, length: int, device: int) -> bytes:
    world.check_device(device)
    return pci_address(device).encode().ljust(length, b"\0")[:length]
