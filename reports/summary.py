"""From raw samples to the figures that reports show."""

from __future__ import annotations

import numpy as np

from reports.records import LatencySummary, Samples
from reports.statistics import median_interval, percentile

#: A median is known well enough when its 95 % interval is within this share of it, to either side.
TARGET_HALF_WIDTH = 0.01

_NS_PER_MS = 1e6


def summarise(samples: Samples, target_half_width: float = TARGET_HALF_WIDTH) -> LatencySummary | None:
    """Latency of one inference in milliseconds; None without samples.

    Grouped samples are divided by their group: the mean and the median of groups remain, percentiles of single
    inferences cannot be had from them.
    """
    if not samples.samples_ns:
        return None
    latency_ms = np.asarray(samples.samples_ns, dtype=np.float64) / (samples.group * _NS_PER_MS)
    interval = median_interval(latency_ms)
    half_width = interval.relative_half_width if interval else None
    single = samples.group == 1
    return LatencySummary(
        count=len(latency_ms),
        median_ms=float(np.median(latency_ms)),
        median_low_ms=interval.low if interval else None,
        median_high_ms=interval.high if interval else None,
        mean_ms=float(latency_ms.mean()),
        best_ms=float(latency_ms.min()),
        worst_ms=float(latency_ms.max()),
        p90_ms=percentile(latency_ms, 0.90) if single else None,
        p95_ms=percentile(latency_ms, 0.95) if single else None,
        p99_ms=percentile(latency_ms, 0.99) if single else None,
        relative_half_width=half_width,
        converged=half_width is not None and half_width <= target_half_width,
    )


def derived_fps_per_card(chips: int, batch: int, mean_ms: float) -> float:
    """Images a second of a card whose chips do not disturb each other: chips × batch × 1000 / mean latency in ms.

    The formula of the Ascend model zoo's tables; the mean, not the median, since only the mean adds up to time.
    """
    return chips * batch * 1000 / mean_ms
