"""A module like `pycuda.driver`: objects that release themselves, exceptions, and a stack of contexts a thread.

What pycuda does around the driver is imitated, also where it surprises: detaching the primary context leaves it on the
driver's stack, and an object whose context is gone is not released at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal

import numpy as np

from tests.doubles.cuda.contexts import Context as WorldContext
from tests.doubles.cuda.errors import CODES, CudaFailure
from tests.doubles.cuda.memory import address_of
from tests.doubles.cuda.queueing import TO_DEVICE, TO_HOST
from tests.doubles.cuda.runtime import pci_address
from tests.doubles.cuda.world import World

_LAUNCH, _RUNTIME = (719, 701, 702, 703), (100, 209, 301, 600, 214)


def build(world: World) -> Any:
    """The module on that machine."""
    return Driver(world).module


class Driver:
    """What the objects of one module share: its exceptions, and each thread's stack of contexts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.initialised = False
        self._threads = threading.local()
        error = type("Error", (Exception,), {"__module__": "pycuda._driver"})
        parts: dict[str, Any] = {"Error": error}
        parts["MemoryError"] = type("MemoryError", (error, MemoryError), {"__module__": "pycuda._driver"})
        for name in ("LogicError", "LaunchError", "RuntimeError"):
            parts[name] = type(name, (error,), {"__module__": "pycuda._driver"})
        self.module: Any = ModuleType("pycuda.driver", "Stands for pycuda.driver.")
        for name, value in parts.items():
            setattr(self.module, name, value)
        self._add_functions()

    @property
    def stack(self) -> list[Context]:
        """pycuda's own stack of this thread."""
        if not hasattr(self._threads, "stack"):
            self._threads.stack = []
        stack: list[Context] = self._threads.stack
        while stack and not stack[-1].valid:
            stack.pop()
        return stack

    def fail(self, routine: str, code: int, more: str = "") -> Exception:
        """The exception for a code."""
        words = CODES.get(code, ("", "", "unknown error"))[2]
        kind = "LogicError"
        if code in _LAUNCH:
            kind = "LaunchError"
        elif code == 2:
            kind = "MemoryError"
        elif code in _RUNTIME:
            kind = "RuntimeError"
        elif code == 999:
            kind = "Error"
        made: Exception = getattr(self.module, kind)(f"{routine} failed: {words}{f' - {more}' if more else ''}")
        return made

    def do(self, routine: str, action: Callable[[], Any]) -> Any:
        """What `action` gives, its failure as pycuda's exception."""
        try:
            return action()
        except CudaFailure as failure:
            raise self.fail(routine, failure.code) from None

    def initialised_first(self, routine: str) -> None:
        if not self.initialised:
            raise self.fail(routine, 3)

    def current(self, routine: str = "explicit_context_dependent") -> Context:
        """This thread's context. Raises LogicError where it has none."""
        if not self.stack:
            more = "no currently active context?" if routine == "explicit_context_dependent" else ""
            self.world.violation("no-context", "this thread has no pycuda context", routine)
            raise self.fail(routine, 201, more)
        return self.stack[-1]

    def _add_functions(self) -> None:
        driver, world, module = self, self.world, self.module

        def init(flags: int = 0) -> None:
            if not world.config.devices:
                raise driver.fail("cuInit", 100)
            driver.initialised = True

        def mem_get_info() -> tuple[int, int]:
            driver.current("cuMemGetInfo")
            found: tuple[int, int] = driver.do("cuMemGetInfo", world.memory_info)
            return found

        def mem_alloc(size: int) -> DeviceAllocation:
            driver.current("cuMemAlloc")
            return DeviceAllocation(driver, driver.do("cuMemAlloc", lambda: world.malloc(size)))

        def pagelocked_empty(shape: Any, dtype: Any, order: Literal["C", "F"] = "C", mem_flags: int = 0) -> Any:
            driver.current("cuMemHostAlloc")
            empty = np.empty(shape, dtype, order)
            address = driver.do("cuMemHostAlloc", lambda: world.host_alloc(empty.nbytes))
            return np.asarray(PagelockedHostAllocation(driver, address, world.host_array(address), empty))

        def memcpy_htod_async(dest: Any, src: Any, stream: Stream | None = None) -> None:
            place = address_of(src, writable=False)
            arguments = int(dest), place.address, place.size, TO_DEVICE, stream.handle if stream else 0
            driver.current("cuMemcpyHtoDAsync")
            driver.do("cuMemcpyHtoDAsync", lambda: world.copy(*arguments))

        def memcpy_dtoh_async(dest: Any, src: Any, stream: Stream | None = None) -> None:
            place = address_of(dest, writable=True)
            arguments = place.address, int(src), place.size, TO_HOST, stream.handle if stream else 0
            driver.current("cuMemcpyDtoHAsync")
            driver.do("cuMemcpyDtoHAsync", lambda: world.copy(*arguments))

        module.init = init
        module.mem_get_info, module.mem_alloc, module.pagelocked_empty = mem_get_info, mem_alloc, pagelocked_empty
        module.memcpy_htod_async, module.memcpy_dtoh_async = memcpy_htod_async, memcpy_dtoh_async
        module.get_driver_version = lambda: world.config.driver_version
        version = world.config.runtime_version
        module.get_version = lambda: (version // 1000, version % 1000 // 10, version % 10)
        module.Device = _bound_class(Device, self)
        module.Device.count = staticmethod(lambda: driver.do("cuDeviceGetCount", world.device_count))
        module.Stream, module.Event = _bound_class(Stream, self), _bound_class(Event, self)
        module.Context = _bound_class(Context, self)
        module.Context.pop = staticmethod(lambda: _pop(driver))


def _bound_class(kind: Any, driver: Driver) -> Any:
    """The class with the driver filled in, as the module shows it."""

    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        kind.__init__(self, driver, *args, **kwargs)

    return type(kind.__name__, (kind,), {"__init__": made, "__module__": "pycuda._driver"})


class Device:
    """A device by its number."""

    def __init__(self, driver: Driver, number: int) -> None:
        driver.initialised_first("cuDeviceGet")
        driver.do("cuDeviceGet", lambda: driver.world.check_device(number))
        self._driver, self._number = driver, number

    def name(self) -> str:
        return self._driver.world.config.device_name

    def compute_capability(self) -> tuple[int, int]:
        return self._driver.world.config.capability

    def total_memory(self) -> int:
        return self._driver.world.config.memory_bytes

    def pci_bus_id(self) -> str:
        return pci_address(self._number)

    def retain_primary_context(self) -> Context:
        """The context that other libraries use too; not pushed."""
        driver = self._driver
        context = driver.do("cuDevicePrimaryCtxRetain", lambda: driver.world.context_retain(self._number))
        return Context(driver, context)

    def make_context(self, flags: int = 0) -> Context:
        """A context of the client's own, pushed."""
        driver = self._driver
        context = Context(driver, driver.do("cuCtxCreate", lambda: driver.world.contexts.make(self._number)))
        driver.stack.append(context)
        return context


class Context:
    """A context that is held until `detach`, or until nothing refers to it."""

    def __init__(self, driver: Driver, context: WorldContext) -> None:
        self.driver, self.context, self.valid = driver, context, True
        self._thread = threading.get_ident()

    def push(self) -> None:
        """Make it this thread's."""
        if self.driver.stack:
            self.driver.world.context_pop()
        self.driver.world.context_push(self.context)
        self.driver.stack.append(self)

    def pop(self) -> None:
        """Take this thread's topmost context off, whichever it is."""
        _pop(self.driver)

    def detach(self) -> None:
        """Hold it no longer."""
        if not self.valid:
            raise self.driver.fail("context::detach", 201, "cannot detach from invalid context")
        active = bool(self.driver.stack) and self.driver.stack[-1] is self
        if active or self._thread == threading.get_ident():
            if not active:
                self.driver.world.context_push(self.context)
            if self.context.primary:
                self._clean_up(lambda: self.driver.world.context_release(self.context))
            else:
                self.context.alive = False
                self.driver.world.context_pop()
        self.valid = False
        if active and self.driver.stack:
            self.driver.world.context_push(self.driver.stack[-1].context)

    def _clean_up(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except CudaFailure as failure:
            self.driver.world.remark("clean-up-failed", str(failure))

    def __del__(self) -> None:
        if getattr(self, "valid", False):
            self.detach()


def _pop(driver: Driver) -> None:
    stack = driver.stack
    if not stack:
        driver.world.violation("pop-without-push", "this thread has no pycuda context to pop", "context::pop")
        raise driver.fail("context::pop", 201, "cannot pop non-current context")
    driver.world.context_pop()
    stack.pop()
    if stack:
        driver.world.context_push(stack[-1].context)


class Dependent:
    """Something of the context in which it was made; it is released there, or not at all."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.context: Context | None = driver.current()
        self._made_in = threading.get_ident()

    def release_with(self, action: Callable[[], Any]) -> None:
        """Do it in the context; its failure is only remarked on, as pycuda only prints it."""
        context, world = self.context, self.driver.world
        self.context = None
        if context is None:
            return
        if not context.valid:
            world.remark("not-released", "its context was detached before")
            return
        switch = not (self.driver.stack and self.driver.stack[-1] is context)
        if switch and context._thread != threading.get_ident():
            world.remark("not-released", "its context is another thread's")
            return
        if switch:
            context.push()
        try:
            action()
        except CudaFailure as failure:
            world.remark("clean-up-failed", str(failure))
        finally:
            if switch:
                _pop(self.driver)


class DeviceAllocation(Dependent):
    """Device memory; int() gives its address."""

    def __init__(self, driver: Driver, address: int) -> None:
        super().__init__(driver)
        self._address = address
        self._valid = True

    def __int__(self) -> int:
        return self._address

    __index__ = __int__

    def free(self) -> None:
        if not self._valid:
            self.driver.world.violation("freed-twice", "a DeviceAllocation was freed before", "device_allocation::free")
            raise self.driver.fail("device_allocation::free", 400)
        self._valid = False
        self.release_with(lambda: self.driver.world.free(self._address))

    def __del__(self) -> None:
        if getattr(self, "_valid", False):
            self.free()


class PagelockedHostAllocation(Dependent):
    """Pinned memory, the base of the array that shows it."""

    def __init__(self, driver: Driver, address: int, memory: Any, like: Any) -> None:
        super().__init__(driver)
        self._address, self._memory = address, memory
        self._shape, self._type = like.shape, like.dtype.str
        self._valid = True

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {"data": (self._address, False), "shape": self._shape, "typestr": self._type, "version": 3}

    def free(self) -> None:
        if not self._valid:
            self.driver.world.violation("freed-twice", "pinned memory was freed before", "host_allocation::free")
            raise self.driver.fail("pagelocked_host_allocation::free", 400)
        self._valid = False
        self.release_with(lambda: self.driver.world.host_free(self._address))

    def __del__(self) -> None:
        if getattr(self, "_valid", False):
            self.free()


class Stream(Dependent):
    """A stream, destroyed when nothing refers to it."""

    def __init__(self, driver: Driver, flags: int = 0) -> None:
        super().__init__(driver)
        self.handle: int = driver.do("cuStreamCreate", lambda: driver.world.stream_create(flags))

    def synchronize(self) -> None:
        self.driver.do("cuStreamSynchronize", lambda: self.driver.world.stream_synchronize(self.handle))

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            self.release_with(lambda: self.driver.world.stream_destroy(self.handle))


class Event(Dependent):
    """An event, destroyed when nothing refers to it."""

    def __init__(self, driver: Driver, flags: int = 0) -> None:
        super().__init__(driver)
        self._event: int = driver.do("cuEventCreate", lambda: driver.world.event_create(flags))

    def record(self, stream: Stream | None = None) -> Event:
        handle = stream.handle if stream else 0
        self.driver.do("cuEventRecord", lambda: self.driver.world.event_record(self._event, handle))
        return self

    def synchronize(self) -> Event:
        self.driver.do("cuEventSynchronize", lambda: self.driver.world.event_synchronize(self._event))
        return self

    def time_till(self, end: Event) -> float:
        elapsed: float = self.driver.do(
            "cuEventElapsedTime", lambda: self.driver.world.event_elapsed_ms(self._event, end._event)
        )
        return elapsed

    def time_since(self, start: Event) -> float:
        return start.time_till(self)

    def __del__(self) -> None:
        if hasattr(self, "_event"):
            self.release_with(lambda: self.driver.world.event_destroy(self._event))
