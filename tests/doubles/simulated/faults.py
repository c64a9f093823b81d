"""Which calls go wrong, and what that does to the process."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Collection
from typing import ClassVar, Generic, NoReturn, TypeVar

import msgspec

from tests.doubles.simulated.timing import Timing


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong: the `nth` call (1 is the first; None: every) of `call` in a process.

    `effect` is one of `effects`, where `sleep:` stands for `sleep:SECONDS`. Every double has `hang` (the call never
    returns) and `exit` (the process dies by SIGSEGV). Raises ValueError for one that makes no sense.
    """

    call: str
    nth: int | None = None
    effect: str = ""

    effects: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        kind, _, seconds = self.effect.partition(":")
        if kind == "sleep" and "sleep:" in self.effects:
            if not seconds or float(seconds) < 0:
                raise ValueError(f"effect {self.effect!r}: write sleep:SECONDS, as sleep:0.5")
        elif self.effect not in self.effects:
            raise ValueError(f"effect {self.effect!r} is none of {', '.join(self.effects)}")
        if self.nth is not None and self.nth < 1:
            raise ValueError(f"the fault of {self.call} is for call {self.nth}; the first call is number 1")

    @property
    def seconds(self) -> float:
        """How much longer the call takes, or what it starts."""
        return float(self.effect.partition(":")[2]) if self.effect.startswith("sleep:") else 0.0

    @property
    def ends(self) -> bool:
        """Whether the call never comes back: it does nothing then."""
        return self.effect in ("hang", "exit")

    def concerns(self, device: int | None) -> bool:
        """Whether calls for a device count for it; None: for no device in particular."""
        return True


F = TypeVar("F", bound=Fault)


class Faults(Generic[F]):
    """Counts the calls that each fault is about."""

    def __init__(self, faults: Collection[F], known: Collection[str]) -> None:
        unknown = sorted({fault.call for fault in faults} - set(known))
        if unknown:
            raise ValueError(f"no call {unknown[0]!r} to fail; there are {', '.join(sorted(known))}")
        self._faults = tuple(faults)
        self._calls = [0] * len(self._faults)

    def due(self, call: str, device: int | None = None) -> F | None:
        """The first fault that this call meets; every fault about it counts it."""
        met = None
        for index, fault in enumerate(self._faults):
            if fault.call != call or not fault.concerns(device):
                continue
            self._calls[index] += 1
            if met is None and fault.nth in (None, self._calls[index]):
                met = fault
        return met


def strike(fault: Fault | None, timing: Timing, slows: bool = True) -> None:
    """Do what a fault does to the caller once the call itself is over: never return, die, or take longer.

    Without `slows`, it is not the call that takes longer.
    """
    if fault is None:
        return
    if fault.effect == "hang":
        hang()
    if fault.effect == "exit":
        die()
    if slows and fault.seconds:
        timing.pause(fault.seconds)


def hang() -> NoReturn:
    """Never return."""
    while True:
        threading.Event().wait()


def die() -> NoReturn:
    """End the process as a crash in a driver's library does, without a core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)
    hang()
