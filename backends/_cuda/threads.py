"""What a thread has open: one device at a time, however many users it has there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backends.base import DeviceError


@dataclass
class _Open:
    device: int
    value: Any
    users: int
    leave: Callable[[Any], None]


class _Thread(threading.local):
    def __init__(self) -> None:
        self.open: dict[object, _Open] = {}


_THREAD = _Thread()


def share(
    key: object, device: int, enter: Callable[[], Any] = lambda: None, leave: Callable[[Any], None] = lambda _: None
) -> Any:
    """What the first user of a device got by `enter`; each is to `unshare` it, and with the last one it is left.

    CUDA's calls go to the thread's current device, whichever object they were made through: so a second device in the
    same thread is refused, with DeviceError.
    """
    found = _THREAD.open.get(key)
    if found is None:
        found = _THREAD.open[key] = _Open(device, enter(), 0, leave)
    if found.device != device:
        raise DeviceError(
            f"cuda:{found.device} is open in this thread, and a thread has one device; open cuda:{device} in another"
            " thread or process, or close the first."
        )
    found.users += 1
    return found.value


def unshare(key: object) -> None:
    """One user less."""
    found = _THREAD.open[key]
    found.users -= 1
    if not found.users:
        del _THREAD.open[key]
        found.leave(found.value)
