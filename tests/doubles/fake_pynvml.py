"""A stand-in for `pynvml` with made-up cards: nothing works before nvmlInit, nor with another's handle.

Offers only queries, so that code which tries to change a setting fails. `tests/backends/telemetry/test_nvml.py` holds
its names and codes against the real package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND = 1, 2, 3, 4, 6
FUNCTION_NOT_FOUND = 13


class NVMLError(Exception):
    """As the real one: carries the code in `value`."""

    def __init__(self, value: int) -> None:
        super().__init__(f"NVML Error with code {value}")
        self.value = value


class NVMLLibraryMismatchError(Exception):
    """No NVMLError, in the real package either."""


@dataclass
class Card:
    """What one card is, and what its sensors show, in NVML's own units."""

    name: str | bytes = "Tesla T4"
    uuid: str = "GPU-00000000-0000-0000-0000-000000000000"
    sm_clock: int = 1350
    max_sm_clock: int = 1590
    milliwatts: int = 68_500
    millijoules: int = 7_000_250
    celsius: int = 71
    percent: int = 93
    used: int = 2 * 2**30
    total: int = 15 * 2**30
    reasons: int = 0
    pids: list[int] = field(default_factory=list)


class FakeNvml(ModuleType):
    """Put it into sys.modules as "pynvml".

    `lacking` names functions that this package does not have, `errors` gives queries that fail their code,
    `init_error` is what nvmlInit fails with.
    """

    NVML_CLOCK_SM = 1
    NVML_TEMPERATURE_GPU = 0
    NVMLError = NVMLError
    NVMLLibraryMismatchError = NVMLLibraryMismatchError

    def __init__(
        self,
        cards: dict[str, Card],
        lacking: tuple[str, ...] = (),
        errors: dict[str, int] | None = None,
        init_error: int = 0,
        driver: str | bytes = "550.54.15",
    ) -> None:
        super().__init__("pynvml")
        self.cards, self.errors, self.init_error, self.driver = cards, errors or {}, init_error, driver
        self.users = 0
        self.calls: list[str] = []
        for name, query in self._queries().items():
            if name not in lacking:
                setattr(self, name, self._guarded(name, query))

    def nvmlInit(self) -> None:  # noqa: N802 - NVML's own name
        if self.init_error:
            raise NVMLError(self.init_error)
        self.users += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        if not self.users:
            raise NVMLError(UNINITIALIZED)
        self.users -= 1

    def _guarded(self, name: str, query: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if not self.users:
                raise NVMLError(UNINITIALIZED)
            self.calls.append(name)
            if code := self.errors.get(name):
                raise NVMLLibraryMismatchError(name) if code == FUNCTION_NOT_FOUND else NVMLError(code)
            return query(*arguments)

        return call

    def _card(self, handle: Any) -> Card:
        if not isinstance(handle, SimpleNamespace) or handle.address not in self.cards:
            raise NVMLError(INVALID_ARGUMENT)
        return self.cards[handle.address]

    def _handle(self, address: str) -> Any:
        if address not in self.cards:
            raise NVMLError(NOT_FOUND if address.count(":") == 2 else INVALID_ARGUMENT)
        return SimpleNamespace(address=address)

    def _clock(self, value: str) -> Callable[[Any, int], int]:
        def clock(handle: Any, kind: int) -> int:
            if kind != self.NVML_CLOCK_SM:
                raise NVMLError(INVALID_ARGUMENT)
            return int(getattr(self._card(handle), value))

        return clock

    def _temperature(self, handle: Any, sensor: int) -> int:
        if sensor != self.NVML_TEMPERATURE_GPU:
            raise NVMLError(INVALID_ARGUMENT)
        return self._card(handle).celsius

    def _processes(self, handle: Any) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=None) for pid in self._card(handle).pids]

    def _queries(self) -> dict[str, Callable[..., Any]]:
        def reasons(handle: Any) -> int:
            return self._card(handle).reasons

        def by_index(index: int) -> Any:
            if not 0 <= index < len(self.cards):
                raise NVMLError(INVALID_ARGUMENT)
            return SimpleNamespace(address=sorted(self.cards)[index])

        def pci(handle: Any) -> Any:
            self._card(handle)
            return SimpleNamespace(busId=f"0000{handle.address.upper()}".encode())

        return {
            "nvmlDeviceGetCount": lambda: len(self.cards),
            "nvmlDeviceGetHandleByIndex": by_index,
            "nvmlDeviceGetName": lambda handle: self._card(handle).name,
            "nvmlDeviceGetUUID": lambda handle: self._card(handle).uuid,
            "nvmlDeviceGetPciInfo": pci,
            "nvmlSystemGetDriverVersion": lambda: self.driver,
            "nvmlDeviceGetHandleByPciBusId": self._handle,
            "nvmlDeviceGetClockInfo": self._clock("sm_clock"),
            "nvmlDeviceGetMaxClockInfo": self._clock("max_sm_clock"),
            "nvmlDeviceGetPowerUsage": lambda handle: self._card(handle).milliwatts,
            "nvmlDeviceGetTotalEnergyConsumption": lambda handle: self._card(handle).millijoules,
            "nvmlDeviceGetTemperature": self._temperature,
            "nvmlDeviceGetUtilizationRates": lambda h: SimpleNamespace(gpu=self._card(h).percent, memory=40),
            "nvmlDeviceGetMemoryInfo": lambda h: SimpleNamespace(used=self._card(h).used, total=self._card(h).total),
            "nvmlDeviceGetComputeRunningProcesses": self._processes,
            "nvmlDeviceGetComputeRunningProcesses_v2": self._processes,
            "nvmlDeviceGetCurrentClocksEventReasons": reasons,
            "nvmlDeviceGetCurrentClocksThrottleReasons": reasons,
        }
