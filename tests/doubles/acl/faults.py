"""Which calls go wrong, and how."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Collection
from typing import NoReturn

from tests.doubles.acl.config import Fault


class Faults:
    """Counts the calls that each fault is about."""

    def __init__(self, faults: Collection[Fault], known: Collection[str]) -> None:
        unknown = sorted({fault.call for fault in faults} - set(known))
        if unknown:
            raise ValueError(f"no function {unknown[0]!r} to fail; there are {', '.join(sorted(known))}")
        self._faults = tuple(faults)
        self._calls = [0] * len(self._faults)

    def due(self, call: str, chip: int | None) -> Fault | None:
        """The first fault that this call meets; every fault about it counts it."""
        met = None
        for index, fault in enumerate(self._faults):
            if fault.call != call or fault.chip not in (None, chip):
                continue
            self._calls[index] += 1
            if met is None and fault.nth in (None, self._calls[index]):
                met = fault
        return met


def hang() -> NoReturn:
    """Never return."""
    while True:
        threading.Event().wait()


def die() -> NoReturn:
    """End the process as a crash in a driver's library does, without a core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)
    hang()
