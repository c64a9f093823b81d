"""Each thread's current stream, which PyTorch puts its work on: set when a session takes its turn, not in every call.

A session stays the thread's current one until another takes its place or it is closed. What the thread had before is
then given back, unless someone has chosen another stream in the meantime.
"""

from __future__ import annotations

import threading
from typing import Any


class _Thread(threading.local):
    """What a thread has from the sessions, and what it had before the first of them."""

    def __init__(self) -> None:
        self.current: Any = None
        #: by number of the device: the stream that was set last, and the one that was there before
        self.set: dict[int, Any] = {}
        self.before: dict[int, Any] = {}
        self.device = 0


_THREAD = _Thread()


def enter(torch: Any, stream: Any) -> None:
    """Make it this thread's current stream, where it is not. Changes the thread's current device to the stream's."""
    if _THREAD.current is not stream:
        _switch(torch, stream)


def leave(torch: Any, stream: Any) -> None:
    """Give this thread back what it had, where the stream is its current one."""
    if _THREAD.current is not stream:
        return
    device = torch.cuda.current_device()
    if device == stream.device_index:  # else someone has chosen another since
        device = _THREAD.device
    for index, before in _THREAD.before.items():
        if torch.cuda.current_stream(index) == _THREAD.set[index]:
            torch.cuda.set_stream(before)
    torch.cuda.set_device(device)
    _THREAD.current = None
    _THREAD.set.clear()
    _THREAD.before.clear()


def _switch(torch: Any, stream: Any) -> None:
    index = stream.device_index
    if _THREAD.current is None:
        _THREAD.device = torch.cuda.current_device()
    if index not in _THREAD.before:
        _THREAD.before[index] = torch.cuda.current_stream(index)
    torch.cuda.set_stream(stream)
    _THREAD.set[index] = _THREAD.current = stream
