"""Sessions with device events, one that keeps the protocol and some that break it in one way each."""

from __future__ import annotations

import time
from collections.abc import Callable

from backends.base import Capabilities, Device, DeviceEvent, Precision
from tests.doubles.bad_backends import AsynchronousSession, DoubleBackend, GoodSession


class Stamp(DeviceEvent):
    """The device's own time when it comes to it."""

    def __init__(self, put: Callable[[Callable[[], None]], None]) -> None:
        self._put = put
        self.at = 0.0

    def record(self) -> None:
        self._put(self._note)

    def _note(self) -> None:
        self.at = time.perf_counter()

    def elapsed_ms(self, since: DeviceEvent) -> float:
        assert isinstance(since, Stamp)
        return (self.at - since.at) * 1e3


class WithEvents(AsynchronousSession):
    """Its thread takes the stamps, between its jobs."""

    def _work(self) -> None:
        while job := self._jobs.get():
            if callable(job):
                job()
            else:
                self._y = self._compute()
            self._jobs.task_done()

    def device_event(self) -> DeviceEvent:
        return Stamp(self._jobs.put)  # type: ignore[arg-type]


class EventsAtOnce(WithEvents):
    """The events are on no stream: they stamp when they are asked to."""

    def device_event(self) -> DeviceEvent:
        return Stamp(lambda note: note())


class EventsInMicroseconds(WithEvents):
    def device_event(self) -> DeviceEvent:
        class Micro(Stamp):
            def elapsed_ms(self, since: DeviceEvent) -> float:
                return super().elapsed_ms(since) * 1e3

        return Micro(self._jobs.put)  # type: ignore[arg-type]


class EventsOfNothing(WithEvents):
    def device_event(self) -> DeviceEvent:
        class Nothing(Stamp):
            def elapsed_ms(self, since: DeviceEvent) -> float:
                return 0.0

        return Nothing(self._jobs.put)  # type: ignore[arg-type]


class EventBackend(DoubleBackend):
    """Declares device events, or not."""

    def __init__(self, session: type[GoodSession], declares: bool = True) -> None:
        super().__init__(session)
        self._declares = declares

    def capabilities(self, device: Device) -> Capabilities:
        return Capabilities(frozenset({Precision.FP32}), asynchronous=True, device_events=self._declares)
