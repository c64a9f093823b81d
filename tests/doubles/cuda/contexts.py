"""Contexts: the primary one of each device, others that a client makes, and which of them each thread has."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from tests.doubles.cuda.errors import INVALID_CONTEXT, INVALID_DEVICE, NO_DEVICE, Breach, CudaFailure
from tests.doubles.cuda.streams import Stream


@dataclass(eq=False)
class Context:
    """A context of one device, with its default stream. `retained`: how many holders the primary one has."""

    handle: int
    device: int
    primary: bool
    retained: int = 0
    #: the runtime holds it until the process ends
    runtime: bool = False
    alive: bool = True
    what: str = "context"

    def __post_init__(self) -> None:
        self.default_stream = Stream(0, self)

    @property
    def active(self) -> bool:
        """Whether it can be worked in."""
        return self.alive and (not self.primary or self.runtime or self.retained > 0)

    def __str__(self) -> str:
        return f"{'primary' if self.primary else 'own'} context of device {self.device}"


class Contexts:
    """All contexts of the process and each thread's stack of them."""

    def __init__(self, devices: int, violation: Callable[[str, str], None]) -> None:
        self.devices = devices
        self.primary = [Context(0x1000_0000 + 0x40 * device, device, primary=True) for device in range(devices)]
        self.own: list[Context] = []
        self._violation = violation
        self._threads: dict[int, list[Context]] = {}

    def check(self, device: int) -> Context:
        """The device's primary context. Raises CudaFailure unless the machine has that device."""
        if not self.devices:
            raise CudaFailure(NO_DEVICE)
        if not 0 <= device < self.devices:
            raise CudaFailure(INVALID_DEVICE)
        return self.primary[device]

    @property
    def stack(self) -> list[Context]:
        """This thread's stack."""
        return self._threads.setdefault(threading.get_ident(), [])

    def set_device(self, device: int) -> None:
        """What the runtime does: it holds the primary context, and makes it this thread's current one."""
        context = self.check(device)
        context.runtime = True
        self.stack[-1:] = [context]

    def current(self) -> Context:
        """This thread's context; as with the runtime, device 0's primary one where there is none yet."""
        if not self.stack:
            self.set_device(0)
        context = self.stack[-1]
        if not context.active:
            raise Breach(INVALID_CONTEXT, "dead-context", f"the {context} was released")
        return context

    def retain(self, device: int) -> Context:
        """Hold the primary context once more."""
        context = self.check(device)
        context.retained += 1
        return context

    def release(self, context: Context) -> bool:
        """One holder of the primary context less; whether it is gone now. Raises Breach where there was none."""
        if not context.retained:
            raise Breach(INVALID_CONTEXT, "context-released-twice", f"the {context} has nobody who holds it")
        context.retained -= 1
        return not context.active

    def make(self, device: int) -> Context:
        """A context that is not the primary one; TensorRT, PyTorch and ONNX Runtime would not be in it."""
        self.check(device)
        context = Context(0x1800_0000 + 0x40 * len(self.own), device, primary=False)
        self._violation("own-context", f"a context of device {device} that is not the primary one was made")
        self.own.append(context)
        self.stack.append(context)
        return context

    def push(self, context: Context) -> None:
        self.stack.append(context)

    def pop(self) -> Context:
        """Raises Breach where this thread has none."""
        if not self.stack:
            raise Breach(INVALID_CONTEXT, "pop-without-push", "this thread has no context to pop")
        return self.stack.pop()
