"""What happens around every call of the simulated machine: counting, faults, waiting, and what broke a rule."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tests.doubles.cuda.config import Fault
from tests.doubles.cuda.errors import Breach, CudaFailure
from tests.doubles.simulated import machine as simulated
from tests.doubles.simulated.faults import strike
from tests.doubles.simulated.machine import Later

if TYPE_CHECKING:
    from tests.doubles.cuda.base import Machine

#: name of each call that exists -> nothing; faults can be for these only
CALLS: set[str] = set()

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Call(simulated.Call):
    """The call under way, and what a fault makes of it."""

    fault: Fault | None = None

    def effect(self, name: str) -> bool:
        """Whether a fault has this effect on it."""
        return self.fault is not None and self.fault.effect == name


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
                machine.call = Call(name, entered, fault=machine.faults.due(name))
                fault = machine.call.fault
                if fault is None or not fault.ends:
                    outcome = _attempt(machine, body, args, kwargs, releases, query)
            strike(fault, machine.timing, slows=name != "launch")
            if not isinstance(outcome, Later):
                return outcome
            ending = outcome.finish
            return machine.complete(Call(name, entered), Later(outcome.until, lambda: _noticed(machine, ending)))

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
