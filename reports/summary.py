"""From raw samples to the figures that reports show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.records import LatencySummary, Samples
from reports.statistics import (
    Interval,
    SteadyState,
    autocorrelation_time,
    count_outliers,
    mean_interval,
    median_autocorrelation_time,
    median_interval,
    percentile,
    percentile_upper99,
    steady_state,
)

#: A median is known well enough when its 95 % interval is within this share of it, to either side.
TARGET_HALF_WIDTH = 0.01

_NS_PER_MS = 1e6
#: Above this autocorrelation time, percentiles are held to the effective count instead of the count.
_CORRELATED = 1.5


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of samples after the cut for steadiness, and what its order says about it."""

    state: SteadyState
    kept: NDArray[Any]
    effective_count: float
    median: Interval | None


def examine(samples: Sequence[int] | NDArray[Any]) -> Stream:
    """Cut the start off where it is not steady, and give the median its interval from the effective count.

    The one judgement of a stream: the stopping rule and the report use the same.
    """
    values = np.asarray(samples, dtype=np.float64)
    state = steady_state(values)
    kept = values[state.cut :]
    effective = len(kept) / median_autocorrelation_time(kept)
    return Stream(state, kept, effective, median_interval(kept, effective))


def summarise(samples: Samples, target_half_width: float = TARGET_HALF_WIDTH) -> LatencySummary | None:
    """Latency of one inference in milliseconds; None without samples.

    Grouped samples are divided by their group: the mean and the median of groups remain, percentiles of single
    inferences cannot be had from them.
    """
    if not samples.samples_ns:
        return None
    stream = examine(samples.samples_ns)
    latency_ms = stream.kept / (samples.group * _NS_PER_MS)
    to_ms = 1 / (samples.group * _NS_PER_MS)
    interval = stream.median
    half_width = interval.relative_half_width if interval else None
    tau = autocorrelation_time(latency_ms)
    mean = mean_interval(latency_ms, tau)
    single = samples.group == 1
    count = len(latency_ms) / tau if tau > _CORRELATED else None
    outliers = count_outliers(latency_ms)
    return LatencySummary(
        count=len(latency_ms),
        median_ms=float(np.median(latency_ms)),
        median_low_ms=interval.low * to_ms if interval else None,
        median_high_ms=interval.high * to_ms if interval else None,
        mean_ms=float(latency_ms.mean()),
        best_ms=float(latency_ms.min()),
        worst_ms=float(latency_ms.max()),
        p90_ms=percentile(latency_ms, 0.90, count) if single else None,
        p95_ms=percentile(latency_ms, 0.95, count) if single else None,
        p99_ms=percentile(latency_ms, 0.99, count) if single else None,
        relative_half_width=half_width,
        converged=half_width is not None and half_width <= target_half_width,
        cut=stream.state.cut,
        steady=stream.state.steady,
        steady_reason=stream.state.reason,
        effective_count=stream.effective_count,
        mean_low_ms=mean.low if mean else None,
        mean_high_ms=mean.high if mean else None,
        mean_optimistic=mean.optimistic if mean else False,
        p99_upper99_ms=percentile_upper99(latency_ms, 0.99, count) if single else None,
        outliers_mild=outliers.mild,
        outliers_severe=outliers.severe,
    )


def derived_fps_per_card(chips: int, batch: int, mean_ms: float) -> float:
    """Images a second of a card whose chips do not disturb each other: chips × batch × 1000 / mean latency in ms.

    The formula of the Ascend model zoo's tables; the mean, not the median, since only the mean adds up to time.
    """
    return chips * batch * 1000 / mean_ms
