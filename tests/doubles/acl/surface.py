"""The functions of the module: what each returns when it fails, what it needs, and what happens around every call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, NoReturn

from tests.doubles.acl.config import Fault
from tests.doubles.acl.errors import SUCCESS, UNINITIALIZED, Breach, Refused
from tests.doubles.acl.handles import AlreadyGone
from tests.doubles.acl.machine import Call, Machine
from tests.doubles.simulated import machine as simulated
from tests.doubles.simulated.faults import strike

#: Stands for the code in what a failed call returns.
RET = object()

Needs = Literal["nothing", "init", "context"]
_KINDS = {"int": int, "str": str, "bytes": bytes, "tuple[int, ...]": tuple}


@dataclass(frozen=True)
class Function:
    """One function of the module.

    `fails` is what it returns on failure, with RET for the code. A function that releases does so even when a fault
    makes it say that it failed. `when_made_to_fail` is what such a failure leaves behind.
    """

    name: str
    body: Callable[..., Any]
    fails: Any
    needs: Needs
    releases: bool
    only: tuple[str, ...]
    when_made_to_fail: Callable[..., None] | None = None

    def failure(self, code: int) -> Any:
        """What it returns when it fails with `code`."""
        if isinstance(self.fails, tuple):
            return tuple(code if part is RET else _fresh(part) for part in self.fails)
        return code if self.fails is RET else self.fails


@dataclass(frozen=True)
class Later(simulated.Later):
    """The same, and how it is waited for.

    `prepare` runs at once and without the machine's lock, for what may take long. `holding`: the wait lets no other
    threads of Python run.
    """

    holding: bool = False
    prepare: Callable[[], Any] | None = None


FUNCTIONS: dict[str, Function] = {}


def api(
    name: str,
    fails: Any = RET,
    needs: Needs = "init",
    releases: bool = False,
    only: tuple[str, ...] = (),
    when_made_to_fail: Callable[..., None] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function of the machine one of the module; `only` names the API versions that have it."""

    def register(body: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS[name] = Function(name, body, fails, needs, releases, only, when_made_to_fail)
        return body

    return register


def bound(function: Function, machine: Machine) -> Callable[..., Any]:
    """The function as a client calls it."""
    required, kinds = _parameters(function.body)
    names_chip = bool(kinds) and kinds[0][0] == "device_id"

    def call(*args: Any) -> Any:
        entered = machine.timing.now()
        with machine.lock:
            machine.call = Call(function.name, entered)
            machine.calls[function.name] += 1
            if not required <= len(args) <= len(kinds):
                machine.violation("arguments", f"{len(args)} arguments where {len(kinds)} belong")
                raise TypeError(f"acl.{function.name} args parse failed!")
            for (name, described, kind), given in zip(kinds, args, strict=False):
                if not isinstance(given, kind):
                    _refuse_kind(machine, function, name, described, given)
            fault = machine.faults.due(function.name, args[0] if names_chip else machine.chip)
            outcome = _under(fault, function, machine, args)
        strike(fault, machine.timing, slows=not function.name.startswith("mdl.execute"))
        if not isinstance(outcome, Later):
            return outcome
        if outcome.prepare is not None:
            outcome.prepare()
        timing = machine.holding if outcome.holding else machine.timing
        return machine.complete(Call(function.name, entered), outcome, timing)

    call.__name__ = call.__qualname__ = function.name.rpartition(".")[2]
    call.__doc__ = function.body.__doc__
    return call


@cache
def _parameters(body: Callable[..., Any]) -> tuple[int, list[tuple[str, str, type]]]:
    """How many arguments are needed; the name of each, its type in words, and its type. Slow, and always the same."""
    parameters = list(inspect.signature(body).parameters.values())[1:]
    required = sum(parameter.default is parameter.empty for parameter in parameters)
    kinds = [(each.name, str(each.annotation), _KINDS.get(str(each.annotation), object)) for each in parameters]
    return required, kinds


def _under(fault: Fault | None, function: Function, machine: Machine, args: tuple[Any, ...]) -> Any:
    """Do the call under a fault, or none."""
    if fault is not None and fault.ends:
        return None
    if fault is not None and fault.effect == "code":
        if function.releases:
            machine.call = replace(machine.call, excused=True)
            _attempt(function, machine, args)
        if function.when_made_to_fail is not None:
            with suppress(Refused):
                function.when_made_to_fail(machine, fault.code, *args)
        machine.say(fault.message)
        return function.failure(fault.code)
    if fault is not None:
        extra_ns = round(fault.seconds * 1e9)
        machine.call = replace(machine.call, extra_ns=extra_ns, poisoned=fault.effect == "nan")
    return _attempt(function, machine, args)


def _attempt(function: Function, machine: Machine, args: tuple[Any, ...]) -> Any:
    try:
        _check_state(function, machine)
        return function.body(machine, *args)
    except AlreadyGone:
        return SUCCESS
    except Refused as refused:
        if isinstance(refused, Breach):
            machine.violation(refused.rule, refused.text)
        machine.say(refused.text)
        return function.failure(refused.code)


def _check_state(function: Function, machine: Machine) -> None:
    machine.note_fork(begun=machine.initialised)
    if function.needs == "nothing":
        return
    if machine.finalised:
        raise Breach(UNINITIALIZED, "after-finalize", f"{function.name} after finalize")
    if not machine.initialised:
        raise Breach(UNINITIALIZED, "before-init", f"{function.name} before init")
    if function.needs == "context":
        _ = machine.contexts.current


def _refuse_kind(machine: Machine, function: Function, name: str, described: str, given: Any) -> NoReturn:
    hint = "; the tuple that a call returned was not unpacked" if isinstance(given, tuple) else ""
    machine.violation("arguments", f"{name} is a {type(given).__name__} where {described} belongs{hint}")
    error = ValueError if function.name.startswith("util.") else TypeError
    raise error(f"acl.{function.name} args parse failed!")


def _fresh(part: Any) -> Any:
    return dict(part) if isinstance(part, dict) else part
