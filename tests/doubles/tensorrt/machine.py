"""What the simulated TensorRT of one process shares: the devices, the logger, faults, and which objects are alive."""

from __future__ import annotations

import functools
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar, cast

from tests.doubles.cuda import CudaFailure, World
from tests.doubles.simulated.faults import Faults, strike
from tests.doubles.tensorrt.config import CALLS, Config
from tests.doubles.tensorrt.enums import Severity

F = TypeVar("F", bound=Callable[..., Any])


class Machine:
    """`enums` are the module's; `logger` is the first one that a client gave, which TensorRT keeps."""

    def __init__(self, config: Config, world: World, enums: dict[str, Any]) -> None:
        self.config, self.world, self.enums = config, world, enums
        self.logger: Any = None
        self.calls: Counter[str] = Counter()
        self.faults = Faults(config.faults, CALLS)
        #: arithmetic of each plan that was loaded
        self.numbers: dict[Any, Any] = {}
        self._alive: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def weak(self) -> bool:
        """Whether precision is chosen by the builder's flags; later only the file's types say it."""
        return self.config.generation in ("8.6", "10")

    def violation(self, rule: str, text: str) -> None:
        """A rule that the client broke."""
        self.world.violation(rule, text)

    def say(self, severity: Severity, text: str) -> None:
        """A message to the client's logger, which must not raise."""
        if self.logger is None:
            return
        try:
            self.logger.log(severity, text)
        except Exception as error:
            self.violation("logger-raises", f"the client's logger raised {error!r}")

    def error(self, text: str) -> None:
        self.say(Severity.ERROR, text)

    def take_logger(self, logger: Any, kind: type) -> None:
        """Raises TypeError unless it is derived from the module's ILogger, and its base was made."""
        if not isinstance(logger, kind) or not getattr(logger, "bound", False):
            raise TypeError("__init__(): incompatible constructor arguments: the logger is no ILogger")
        if self.logger is None:
            self.logger = logger
        elif self.logger is not logger:
            self.say(Severity.WARNING, "The logger passed into this call differs from one already provided.")

    def need_driver(self, call: str) -> None:
        """Without a driver the process would crash on what this call makes."""
        if not self.world.usable:
            self.violation("no-driver", f"{call} without a driver, which ends the process later")

    def born(self, thing: Any) -> None:
        self._alive.add(thing)

    def check_children(self, parent: Any) -> None:
        """Record what outlives the object that it was made by."""
        for thing in list(self._alive):
            if thing.parent_id == id(parent) and not thing.gone:
                self.violation("destroyed-before", f"the {parent.what} is destroyed before its {thing.what}")

    def alive(self) -> list[str]:
        """Kinds of objects that clients still hold."""
        return sorted(thing.what for thing in self._alive)


class Owned:
    """An object that is destroyed when the last reference of Python's to it goes."""

    machine: Machine
    what = "object"

    def __init__(self, parent: Owned | None = None) -> None:
        self.gone = False
        self.parent_id = id(parent) if parent is not None else 0
        self._parent = weakref.ref(parent) if parent is not None else None
        self._orphaned = False
        self._memory: list[int] = []
        self.machine.born(self)

    def check_parent(self) -> None:
        """Record the use of an object whose maker is gone."""
        if self._parent is not None and self._parent() is None and not self._orphaned:
            self._orphaned = True
            self.machine.violation("used-after-destroy", f"the {self.what} is used after what it was made by is gone")

    def allocate(self, size: int, what: str) -> bool:
        """Memory of the device, given back with this object; False where the device is full."""
        try:
            self._memory.append(self.machine.world.malloc(size, what))
        except CudaFailure:
            return False
        return True

    def __del__(self) -> None:
        if getattr(self, "gone", True):
            return
        self.gone = True
        self.machine.check_children(self)
        self.let_go()
        for address in self._memory:
            try:
                self.machine.world.free(address)
            except CudaFailure as error:
                if self.machine.world.lost:
                    continue  # nothing can be given back any more
                self.machine.violation("destroyed-after-cuda", f"the {self.what} is destroyed and cannot free: {error}")

    def let_go(self) -> None:
        """What else ends with the object."""


def call(name: str) -> Callable[[F], F]:
    """Make a method one of those that faults can be for."""
    assert name in CALLS

    def decorate(body: F) -> F:
        @functools.wraps(body)
        def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
            failed, value = meet_fault(self.machine, name)
            if failed:
                return value
            if getattr(self, "_parent", None) is not None:
                self.check_parent()
            return body(self, *args, **kwargs)

        return cast(F, wrapped)

    return decorate


def meet_fault(machine: Machine, name: str) -> tuple[bool, Any]:
    """Count the call; whether it fails, and with what value. Raises where the call raises."""
    machine.calls[name] += 1
    fault = machine.faults.due(name)
    if fault is None:
        return False, None
    strike(fault, machine.world.timing)
    machine.error(fault.message)
    value = RuntimeError if fault.effect == "raise" else CALLS[name]
    if isinstance(value, type) and issubclass(value, Exception):
        raise value("pybind11::init(): factory function returned nullptr" if value is TypeError else fault.message)
    return True, value
