"""What every source of device telemetry offers: a monitor that is opened once and read between blocks of samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Self

#: The one reason of a device that says that nothing limits its clock.
UNLIMITED = "none"
#: Reasons that mean the device was held back by heat or by its hardware. "power cap" and "idle" are not among them:
#: a card at its power limit, or one without work, runs as it is meant to.
THROTTLING = frozenset({"thermal slowdown", "hardware thermal slowdown", "hardware slowdown", "power brake"})


class TelemetryUnavailable(Exception):  # noqa: N818 - read as a state, as the errors of backends.base are
    """A source cannot be used here: one line, why not and what to do, without a full stop."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a device; None where the source does not tell.

    Clocks are of the compute units, in MHz. `energy_j` is a counter in joules since some unknown start, `utilization`
    a share from 0 to 1. `other_processes` counts those on the device besides this process and its process group.
    `health` is as the tool says. `throttle_reasons` are plain words: empty where the source does not tell, "none" alone
    where it says that nothing limits the clock.
    """

    clock_mhz: float | None = None
    max_clock_mhz: float | None = None
    power_w: float | None = None
    energy_j: float | None = None
    temperature_c: float | None = None
    utilization: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    other_processes: int | None = None
    health: str = ""
    throttle_reasons: tuple[str, ...] = ()


def slowed(reading: Reading) -> bool | None:
    """Whether heat or hardware held the device back at that moment; None if the source tells no reasons."""
    if not reading.throttle_reasons:
        return None
    return not THROTTLING.isdisjoint(reading.throttle_reasons)


class Monitor(ABC):
    """Read-only access to one device's sensors; changes no setting. A context manager.

    `source` names the tool and, where it has one of its own, its version; `driver` is the driver's version, "" if
    unknown. `light`: a reading costs about a millisecond and may be taken between blocks of samples; otherwise it
    starts a process, and is for before and after only.
    """

    source: str
    driver: str
    light: bool

    @abstractmethod
    def read(self) -> Reading:
        """Look at the device. Never raises: what cannot be read is None, everything after `close`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the source. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
