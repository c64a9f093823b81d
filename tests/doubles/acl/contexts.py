"""Devices in use, their contexts, and which context each thread has."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from tests.doubles.acl.errors import RT_CONTEXT_NULL, RT_DEVICE_INVALID, RT_PARAM_INVALID, Breach
from tests.doubles.acl.handles import AlreadyGone, Handles
from tests.doubles.acl.streams import Stream, Streams


@dataclass(eq=False)
class Context:
    """A context of one chip. Stream 0 is its own."""

    handle: int
    chip: int
    default: bool
    own_stream: Stream = field(default_factory=lambda: Stream(0))
    alive: bool = True
    what: str = "context"

    def __post_init__(self) -> None:
        self.own_stream.context = self

    def __str__(self) -> str:
        return f"{'default ' if self.default else ''}context {self.handle:#x} of chip {self.chip}"


class Contexts:
    """Devices and contexts of the process."""

    def __init__(self, chips: int, streams: Streams) -> None:
        self.chips = chips
        self._streams = streams
        self.handles: Handles[Context] = Handles("context", 0x1000_0000)
        #: set_device calls of each chip that no reset_device has answered yet
        self.set_times: dict[int, int] = {}
        #: chips whose last reset_device was made to say that it failed
        self.excused: set[int] = set()
        self._defaults: dict[int, Context] = {}
        self._thread = threading.local()

    def check_chip(self, chip: int) -> None:
        """Raise Breach unless the machine has that chip."""
        if not 0 <= chip < self.chips:
            raise Breach(RT_DEVICE_INVALID, "device-id", f"device {chip} of 0..{self.chips - 1}")

    def set_device(self, chip: int) -> None:
        """Count the call, and make the chip's default context this thread's."""
        self.set_times[chip] = self.set_times.get(chip, 0) + 1
        if chip not in self._defaults:
            self._defaults[chip] = self._add(chip, default=True)
        self.make_current(self._defaults[chip])

    def create(self, chip: int) -> Context:
        """A new context, current on this thread."""
        context = self._add(chip, default=False)
        self.make_current(context)
        return context

    def _add(self, chip: int, default: bool) -> Context:
        context = self.handles.add(lambda handle: Context(handle, chip, default))
        self._streams.own.append(context.own_stream)
        return context

    def make_current(self, context: Context) -> None:
        """From now on this thread works in `context`."""
        self._thread.context = context

    @property
    def current_or_none(self) -> Context | None:
        """The context of this thread, if it has one that still is."""
        context: Context | None = getattr(self._thread, "context", None)
        return context if context is not None and context.alive else None

    @property
    def current(self) -> Context:
        """The context of this thread. Raises Breach where there is none."""
        context = self.current_or_none
        if context is None:
            raise Breach(
                RT_CONTEXT_NULL, "no-context", "this thread has no context: no set_device or set_context, or it is gone"
            )
        return context

    def destroy(self, context: Context, excused: bool) -> None:
        """The context is gone, on every thread that had it."""
        context.alive = False
        self._streams.own.remove(context.own_stream)
        self.handles.release(context, excused)

    def reset(self, chip: int) -> bool:
        """Answer one set_device; whether it was the last. Raises Breach where there was none."""
        if not self.set_times.get(chip):
            if chip in self.excused:
                raise AlreadyGone
            raise Breach(RT_PARAM_INVALID, "reset-unpaired", f"reset_device({chip}) without a set_device before it")
        self.set_times[chip] -= 1
        return self.set_times[chip] == 0

    def close_device(self, chip: int) -> None:
        """The default context goes with the device."""
        context = self._defaults.pop(chip, None)
        if context is not None:
            self.destroy(context, excused=False)
