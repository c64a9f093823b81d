"""What a process has once: the initialised library, the chips that are set, and each thread's current context.

Sessions come and go on it. Nothing here is done by destructors: CANN forbids `finalize` in them.
"""

from __future__ import annotations

import atexit
import threading
from collections import Counter
from collections.abc import Callable

from backends.acl.codes import ALREADY_INITIALISED
from backends.acl.library import Library


class Runtime:
    """One process's use of the library. Thread-safe where sessions open and close."""

    def __init__(self, library: Library, at_exit: Callable[[Callable[[], None]], object] = atexit.register) -> None:
        self._library = library
        self._at_exit = at_exit
        self._lock = threading.Lock()
        self._initialised = False
        self._sessions: Counter[int] = Counter()
        self._thread = threading.local()

    def acquire(self, device: int) -> None:
        """Set the chip for this process; every call needs a `release`. Raises DeviceError."""
        with self._lock:
            self._initialise()
            # Whether reset_device counts its references is not documented for old CANN, so they are counted here.
            if not self._sessions[device]:
                self._library.do("rt.set_device", device)
                # It made the chip's default context this thread's current one.
                self._thread.context = None
            self._sessions[device] += 1

    def release(self, device: int) -> None:
        """Give the chip back when its last session is closed. Raises DeviceError."""
        with self._lock:
            self._sessions[device] -= 1
            if not self._sessions[device]:
                del self._sessions[device]
                self._thread.context = None
                self._library.do("rt.reset_device", device)

    def create_context(self, device: int) -> int:
        """A context of the session's own, which is now this thread's current one. Raises DeviceError."""
        context: int = self._library.get("rt.create_context", device)
        self._thread.context = context
        return context

    def destroy_context(self, context: int) -> None:
        """Raises DeviceError."""
        self._thread.context = None
        self._library.do("rt.destroy_context", context)

    def enter(self, context: int) -> None:
        """Make a context this thread's current one, where it is not. Raises DeviceError."""
        if getattr(self._thread, "context", None) != context:
            self._library.do("rt.set_context", context)
            self._thread.context = context

    def _initialise(self) -> None:
        if self._initialised:
            return
        code = self._library.function("init")()
        if code not in (0, ALREADY_INITIALISED):
            self._library.fail("init", code)
        self._initialised = True
        if code == 0:  # else somebody else's, who ends it
            self._at_exit(self._finalise)

    def _finalise(self) -> None:
        """At the end of the process; not where a session was left open, since chips must be reset before."""
        if self._initialised and not self._sessions:
            self._initialised = False
            self._library.function("finalize")()


_RUNTIMES: dict[int, Runtime] = {}


def runtime_of(library: Library) -> Runtime:
    """This process's one for that module."""
    return _RUNTIMES.setdefault(id(library.module), Runtime(library))
