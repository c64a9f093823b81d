"""The stopping rule, fed with plain numbers."""

from __future__ import annotations

import numpy as np
import pytest

from bench.stopping import Limits, stop_reason, warm
from reports.statistics import Interval, SteadyState
from reports.summary import Stream, examine

NARROW = Interval(100.0, 99.5, 100.5)
WIDE = Interval(100.0, 90.0, 110.0)


def stream(kept: int, median: Interval | None, steady: bool | None = True) -> Stream:
    return Stream(SteadyState(0, steady, ""), np.full(kept, 100.0), float(kept), median)


@pytest.mark.parametrize(
    ("samples", "elapsed_s", "median", "steady", "expected"),
    [
        (100, 2.0, NARROW, True, "converged"),
        (99, 2.0, NARROW, True, None),
        (100, 1.9, NARROW, True, None),
        (100, 2.0, WIDE, True, None),
        (100, 2.0, None, True, None),
        (100, 2.0, NARROW, False, None),
        (100, 2.0, NARROW, None, None),
        (5, 60.0, None, None, "time limit"),
        (100_000, 1.0, WIDE, True, "sample limit"),
    ],
)
def test_stop_reason(
    samples: int, elapsed_s: float, median: Interval | None, steady: bool | None, expected: str | None
) -> None:
    assert stop_reason(Limits(), samples, elapsed_s, stream(samples, median, steady)) == expected


def test_what_was_cut_off_does_not_count_towards_the_hundred_samples() -> None:
    cut = Stream(SteadyState(20, True, ""), np.full(90, 100.0), 90.0, NARROW)
    assert stop_reason(Limits(), 110, 5.0, cut) is None


def test_a_rule_that_looks_again_and_again_costs_little_coverage() -> None:
    """Stopping when the interval is narrow peeks at the data; 95 % must not become much less than 95 %."""
    limits, generator = Limits(), np.random.default_rng(20261122)
    trials, hits, looks = 1000, 0, 0
    for _ in range(trials):
        values = generator.lognormal(mean=np.log(1e6), sigma=0.05, size=1000)
        for count in range(50, 1001, 50):
            seen = examine(values[:count])
            looks += 1
            if stop_reason(limits, count, 3.0, seen) == "converged":
                break
        assert seen.median is not None
        hits += seen.median.low <= 1e6 <= seen.median.high
    assert looks > 2.5 * trials, "the rule was content at its first look, so nothing was tested"
    assert 0.92 <= hits / trials <= 0.99


def test_warm_needs_calls_and_time_or_the_limit() -> None:
    limits = Limits()
    assert not warm(limits, 9, 0.6)
    assert not warm(limits, 10, 0.4)
    assert warm(limits, 10, 0.5)
    assert warm(limits, 1, limits.warmup_max_s)


def test_limits_shrink_with_the_time_that_a_cell_has() -> None:
    limits = Limits.within(1.0)
    assert limits.min_time_s <= limits.max_time_s
    assert limits.warmup_max_s < limits.max_time_s
