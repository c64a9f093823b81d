"""The stopping rule, fed with plain numbers."""

from __future__ import annotations

import pytest

from bench.stopping import Limits, stop_reason, warm
from reports.statistics import Interval

NARROW = Interval(100.0, 99.5, 100.5)
WIDE = Interval(100.0, 90.0, 110.0)


@pytest.mark.parametrize(
    ("samples", "elapsed_s", "median", "expected"),
    [
        (100, 2.0, NARROW, "converged"),
        (99, 2.0, NARROW, None),
        (100, 1.9, NARROW, None),
        (100, 2.0, WIDE, None),
        (100, 2.0, None, None),
        (5, 20.0, None, "time limit"),
        (100_000, 1.0, WIDE, "sample limit"),
    ],
)
def test_stop_reason(samples: int, elapsed_s: float, median: Interval | None, expected: str | None) -> None:
    assert stop_reason(Limits(), samples, elapsed_s, median) == expected


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
