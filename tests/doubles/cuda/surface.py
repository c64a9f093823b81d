"""What happens around every call of the simulated machine: counting, faults, waiting, and what broke a rule."""

from __future__ import annotations

import functools
import os
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from tests.doubles.cuda.config import Fault
from tests.doubles.cuda.errors import STICKY, Breach, CudaFailure

if TYPE_CHECKING:
    from tests.doubles.cuda.base import Machine

#: name of each call that exists -> nothing; faults can be for these only
CALLS: set[str] = set()

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Call:
    """The call under way: when it was entered, and what a fault makes of it."""

    name: str
    entered: int
    fault: Fault | None = None
    #: it releases, and then says that it failed
    excused: bool = False

    def effect(self, name: str) -> bool:
        """Whether a fault has this effect on it."""
        return self.fault is not None and self.fault.effect == name


@dataclass(frozen=True)
class Later:
    """The call returns at `until`, and what `finish` then says; `finish` runs just before."""

    until: int
    finish: Callable[[], Any]


def call(name: str, releases: bool = False, query: bool = False) -> Callable[[F], F]:
    """Make a method a call of the machine.

    One that releases does so even when it is made to fail. A query works when the device's context is lost.
    """
    CALLS.add(name)

    def decorate(body: F) -> F:
        @functools.wraps(body)
        def wrapped(machine: Machine, *args: Any, **kwargs: Any) -> Any:
            entered = machine.timing.now()
            with machine.lock:
                machine.calls[name] += 1
                machine.call = Call(name, entered, machine.faults.due(name))
                fault = machine.call.fault
                if fault is None or fault.effect not in ("hang", "exit"):
                    outcome = _attempt(machine, body, args, kwargs, releases, query)
            if fault is not None and fault.effect in ("hang", "exit"):
                hang() if fault.effect == "hang" else die()
            if fault is not None and fault.seconds and name != "launch":
                machine.timing.pause(fault.seconds)
            if not isinstance(outcome, Later):
                return outcome
            machine.timing.approach(outcome.until)
            with machine.lock:
                machine.call = Call(name, entered)
                result = _noticed(machine, outcome.finish)
            machine.timing.reach(outcome.until)
            return result

        return cast(F, wrapped)

    return decorate


def _attempt(
    machine: Machine,
    body: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    releases: bool,
    query: bool,
) -> Any:
    machine.check_process()
    failing = machine.lost if not query else 0
    if not failing and machine.call.effect("code"):
        assert machine.call.fault is not None
        failing = machine.call.fault.code
    if not failing:
        return _noticed(machine, lambda: body(machine, *args, **kwargs))
    if releases:
        machine.call.excused = True
        with suppress(CudaFailure):
            _noticed(machine, lambda: body(machine, *args, **kwargs))
    machine.lose(failing)
    raise CudaFailure(failing)


def _noticed(machine: Machine, action: Callable[[], Any]) -> Any:
    """What `action` gives; a rule that it finds broken is recorded."""
    try:
        return action()
    except Breach as breach:
        machine.violation(breach.rule, str(breach))
        raise
    except CudaFailure as failure:
        machine.lose(failure.code)
        raise


class Faults:
    """Counts the calls that each fault is about."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        unknown = sorted({fault.call for fault in faults} - CALLS)
        if unknown:
            raise ValueError(f"no call {unknown[0]!r} to fail; there are {', '.join(sorted(CALLS))}")
        self._faults = faults
        self._calls = [0] * len(faults)

    def due(self, name: str) -> Fault | None:
        """The first fault that this call meets; every fault about it counts it."""
        met = None
        for index, fault in enumerate(self._faults):
            if fault.call == name:
                self._calls[index] += 1
                if met is None and fault.nth in (None, self._calls[index]):
                    met = fault
        return met


def is_sticky(code: int) -> bool:
    """Whether nothing works any more after this code."""
    return code in STICKY


def hang() -> NoReturn:
    """Never return."""
    while True:
        threading.Event().wait()


def die() -> NoReturn:
    """End the process as a crash in a driver's library does, without a core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)
    hang()
