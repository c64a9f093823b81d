"""The device's own times of a call in figures, and whether the host's can be true beside them."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from reports.records import DeviceTimes

#: A call cannot take longer on the device than the host waited for it, but the device may have become slower since.
TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class DeviceFigures:
    """Of one call, in milliseconds on the device's clock."""

    median_ms: float
    mean_ms: float
    count: int


def figures(times: DeviceTimes) -> DeviceFigures:
    """Raises ValueError where there are none."""
    in_ms = [time_ns / 1e6 for time_ns in times.times_ns]
    return DeviceFigures(statistics.median(in_ms), statistics.fmean(in_ms), len(in_ms))


def clocks_agree(times: DeviceTimes | None, host_median_ms: float) -> bool | None:
    """Whether the host saw a call last as long as the device did; None where the device did not tell."""
    if times is None or not times.times_ns:
        return None
    return figures(times).median_ms <= (1 + TOLERANCE) * host_median_ms
