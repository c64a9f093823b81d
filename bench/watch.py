"""Looking at the device beside the samples: readings for the record, and what to do while its clock is low."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

from backends.base import Device
from backends.telemetry import (
    HostCounters,
    Monitor,
    Reading,
    TelemetryUnavailable,
    activity,
    host_counters,
    open_monitor,
    peak_memory_bytes,
    slowed,
)
from reports.records import Activity, DeviceReading, Telemetry

#: Samples taken while the clock is under this share of its nominal rate do not count (nvbench's default).
LOW_CLOCK = 0.75
#: After so many discarded blocks in a row the device will not get faster by waiting: measure, and flag the cell.
MAX_DISCARDS = 20
_FIRST_PAUSE_S = 0.05
_MAX_PAUSE_S = 0.5
#: A container's CPU quota may hold processes back for this share of the time before a cell is flagged.
MAX_THROTTLED_SHARE = 0.01
#: Readings are taken at most this often while samples are taken.
_READ_EVERY_S = 1.0


class ClockGuard:
    """Decides how long to throw samples away that were taken at a low clock.

    Pauses of 0.05 s, longer by as much each time up to 0.5 s, let the device cool or wake up. It gives up after
    MAX_DISCARDS blocks in a row, since an idle-clocked device would otherwise be waited for in vain for ever.
    """

    def __init__(self) -> None:
        self.discarded = 0
        self.samples_discarded = 0
        self.gave_up = False
        self._in_a_row = 0
        self.pause_s = 0.0

    def discard(self, samples: int) -> bool:
        """Whether to throw the last block, of so many samples, away."""
        if self.gave_up or self._in_a_row >= MAX_DISCARDS:
            self.gave_up = True
            return False
        self._in_a_row += 1
        self.discarded += 1
        self.samples_discarded += samples
        self.pause_s = min(_MAX_PAUSE_S, self._in_a_row * _FIRST_PAUSE_S)
        return True

    def good(self) -> None:
        """The clock was as it should be."""
        self._in_a_row = 0


def open_watch(device: Device, address: str) -> Watch:
    """A watch on that device, with whatever telemetry it has; the host's own on the CPU."""
    if device.kind == "cpu":
        return Watch(on_cpu=True)
    try:
        return Watch(open_monitor(device, address))
    except TelemetryUnavailable as error:
        return Watch(missing=str(error))


class Watch:
    """Readings of one device and of the host around one measurement; without a monitor, of the host alone.

    With `on_cpu` the host is the device. `now` and `sleep` are injected for tests.
    """

    def __init__(
        self,
        monitor: Monitor | None = None,
        missing: str = "",
        on_cpu: bool = False,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._monitor, self._missing, self._on_cpu = monitor, missing, on_cpu
        self._now, self._sleep = now, sleep
        self._readings: list[tuple[Literal["before", "during", "after"], Reading]] = []
        self._last_read = float("-inf")
        self._begun: HostCounters | None = None
        self._ended: HostCounters | None = None
        self._calls = 0

    def close(self) -> None:
        """Let go of the monitor."""
        if self._monitor is not None:
            self._monitor.close()

    def look(self, moment: Literal["before", "during", "after"]) -> Reading | None:
        """Take a reading; a monitor that is slow to read is left alone while samples are taken."""
        if self._monitor is None or (moment == "during" and not self._monitor.light):
            return None
        reading = self._monitor.read()
        self._last_read = self._now()
        self._readings.append((moment, reading))
        return reading

    def begin(self) -> None:
        """Samples are about to be taken."""
        self.look("during")
        self._begun = host_counters()

    def end(self, calls: int) -> None:
        """The samples are complete; `calls` inferences were run since `begin`."""
        self._ended = host_counters()
        self.look("during")
        self._calls = calls

    def clock_is_low(self) -> bool | None:
        """Whether the device runs far below its nominal clock for a reason that may pass; None without a look.

        Looks at most once a second. A power cap is how a card works under load, and no reason.
        """
        if self._now() - self._last_read < _READ_EVERY_S:
            return None
        reading = self.look("during")
        if reading is None or not reading.clock_mhz or not reading.max_clock_mhz:
            return None
        return reading.clock_mhz < LOW_CLOCK * reading.max_clock_mhz and "power cap" not in reading.throttle_reasons

    def pause(self, seconds: float) -> None:
        """Give the device time; the next look is due at once."""
        self._sleep(seconds)
        self._last_read = float("-inf")

    def throttling(self) -> tuple[bool | None, str]:
        """Whether anything held the device or the process back while samples were taken, and what; None if unknown.

        What the host tells can always speak against a measurement, but for it only where the host is the device.
        """
        during = [reading for moment, reading in self._readings if moment == "during"]
        device = [verdict for reading in during if (verdict := slowed(reading)) is not None]
        reasons = sorted({why for reading in during if slowed(reading) for why in reading.throttle_reasons})
        host: list[bool] = []
        found = self._activity()
        if found is not None and found.quota_throttled_s is not None:
            host.append(found.quota_throttled_s > MAX_THROTTLED_SHARE * self._elapsed_s())
            if host[-1]:
                reasons.append(f"the container's CPU quota, for {found.quota_throttled_s:.2g} s")
        if found is not None and found.thermal_events is not None:
            host.append(found.thermal_events > 0)
            if host[-1]:
                reasons.append(f"{found.thermal_events} thermal events of the CPU")
        if any(device + host):
            return True, ", ".join(reasons)
        known = host if self._on_cpu else device
        return (False if known else None), ""

    def telemetry(self, batch: int) -> Telemetry:
        """Everything that was seen, for the record; `batch` images were in every inference."""
        used = {moment: reading.memory_used_bytes for moment, reading in self._readings}
        before, during = used.get("before"), used.get("during", used.get("after"))
        host = self._activity()
        joules = self._device_energy_j()
        if joules is None and self._on_cpu and host is not None:
            joules = host.energy_j
        images = self._calls * batch
        return Telemetry(
            source=self._monitor.source if self._monitor else "",
            driver=self._monitor.driver if self._monitor else "",
            missing=self._missing,
            readings=[DeviceReading(moment=moment, **_fields(reading)) for moment, reading in self._readings],
            activity=host,
            peak_memory_bytes=peak_memory_bytes(),
            device_memory_bytes=max(0, during - before) if before is not None and during is not None else None,
            energy_per_image_j=joules / images if joules is not None and images else None,
        )

    def _activity(self) -> Activity | None:
        if self._begun is None or self._ended is None:
            return None
        return Activity(**asdict(activity(self._begun, self._ended)))

    def _device_energy_j(self) -> float | None:
        """Joules that the device's own counter, or else the mean of its power readings, gives for the samples."""
        during = [reading for moment, reading in self._readings if moment == "during"]
        if not during or self._begun is None or self._ended is None:
            return None
        first, last = during[0].energy_j, during[-1].energy_j
        if first is not None and last is not None:
            return last - first
        watts = [reading.power_w for reading in during[1:] if reading.power_w is not None]
        return sum(watts) / len(watts) * self._elapsed_s() if watts else None

    def _elapsed_s(self) -> float:
        return self._ended.at_s - self._begun.at_s if self._begun and self._ended else 0.0


def _fields(reading: Reading) -> dict[str, Any]:
    return asdict(reading) | {"throttle_reasons": list(reading.throttle_reasons)}
