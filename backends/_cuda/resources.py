"""What was made on the device and how it is given back; the parts of `Cuda` that need no vendor module."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

from backends._cuda.base import DeviceMemory, PinnedMemory
from backends._cuda.threads import share, unshare
from backends.base import BackendError, DeviceError

#: What is shadowed when it is closed, so that nothing reaches a stream that is gone.
_CALLS = (
    "allocate", "allocate_pinned", "copy_to_device", "copy_to_host", "synchronize", "event", "capture",
)  # fmt: skip


T = TypeVar("T")


class Resources(ABC):
    """Releases in the order in which they are to be done, newest first, in the thread that opened the device."""

    def __init__(self) -> None:
        self._releases: list[Callable[[], None]] = []
        self._thread = threading.get_ident()
        self._closed = False
        #: the vendor's object, once it is there
        self._stream: Any = None

    @abstractmethod
    def synchronize(self) -> None:
        """Return when all work on the stream is done."""

    def open_shared(
        self,
        module: object,
        device: int,
        make_stream: Callable[[], T],
        enter: Callable[[], Any] = lambda: None,
        leave: Callable[[Any], None] = lambda _: None,
    ) -> T:
        """The stream, on a device that all users of `module` in this thread share; `enter` and `leave` as in `share`.

        Where it cannot be made, nothing stays open.
        """
        share(module, device, enter, leave)
        self.release_later(lambda: unshare(module))
        try:
            return make_stream()
        except BaseException:
            with suppress(BackendError):
                self.close()
            raise

    def release_later(self, release: Callable[[], None]) -> None:
        """Do it when everything is closed, before what is there already."""
        self._releases.append(release)

    def check_thread(self) -> None:
        """Raise DeviceError in any other thread than the one that opened: it has another device and context."""
        if threading.get_ident() != self._thread:
            raise DeviceError("CUDA was opened in another thread; open, use and close it in the same one.")

    def check_allocation(self, size: int) -> None:
        """Raise ValueError for an allocation of nothing, DeviceError in another thread."""
        if size <= 0:
            raise ValueError(f"an allocation of {size} bytes; at least 1 is needed")
        self.check_thread()

    def close(self) -> None:
        """Wait for the stream, then release everything. Idempotent.

        All is tried whatever fails; the first failure is raised, which is the one that the others come from.
        """
        if self._closed:
            return
        self.check_thread()
        self._closed = True
        if self._stream is not None:
            self.release_later(self.synchronize)
        first: BaseException | None = None
        while self._releases:
            try:
                self._releases.pop()()
            except BaseException as error:  # Ctrl-C, too, must not leave a thread with its device open
                first = first or error
        for name in _CALLS:
            setattr(self, name, _raise_closed)
        if first is not None:
            raise first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except BackendError:
            if error is None:  # else that is what is told: closing what has failed often fails too
                raise


def check_copy(size: int, device: DeviceMemory, host: PinnedMemory) -> None:
    """Raise ValueError for a copy that would run over the end of either side."""
    if not 0 < size <= min(device.size, host.size):
        raise ValueError(f"a copy of {size} bytes between {device.size} on the device and {host.size} on the host")


def _raise_closed(*_arguments: object) -> NoReturn:
    raise DeviceError("CUDA is closed here; open it again.")
