"""Batch means: exact where all is equal, covering where values depend on each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.statistics import MeanInterval, mean_interval, median_interval
from tests.reports.statistics.noise import ar1


def test_equal_batches_give_student_t_of_the_batch_means() -> None:
    values = np.random.default_rng(4).normal(10, 1, 300)
    batches = values.reshape(30, 10).mean(axis=1)
    half = 2.045229642132703 * batches.std(ddof=1) / math.sqrt(30)
    interval = mean_interval(values, tau=1.0)
    assert interval is not None
    assert interval.estimate == pytest.approx(values.mean(), rel=1e-12)
    assert interval.low == pytest.approx(values.mean() - half, rel=1e-12)
    assert interval.high == pytest.approx(values.mean() + half, rel=1e-12)
    assert (interval.batches, interval.optimistic) == (30, False)


def test_a_remainder_is_spread_and_all_values_count() -> None:
    values = list(np.random.default_rng(5).normal(10, 1, 59))
    interval = mean_interval(values)
    assert interval is not None
    assert interval.estimate == pytest.approx(math.fsum(values) / 59)
    assert interval.batches == 30
    # The first batch has one value, the others two: one-way analysis of variance, between batches.
    batches = [values[:1]] + [values[at : at + 2] for at in range(1, 59, 2)]
    between = sum(len(batch) * (sum(batch) / len(batch) - interval.estimate) ** 2 for batch in batches) / 29
    assert interval.high - interval.estimate == pytest.approx(2.045229642132703 * math.sqrt(between / 59), rel=1e-9)


def test_fewer_values_than_batches_are_a_batch_each() -> None:
    interval = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert interval is not None
    # t(0.975, 5) * sd / sqrt(6)
    assert interval.high - 3.5 == pytest.approx(2.5705818356363155 * math.sqrt(3.5 / 6), rel=1e-9)
    assert interval.batches == 6
    assert mean_interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None


def test_alternating_latencies_give_the_throughput_of_their_mean_not_of_their_order_statistics() -> None:
    latencies_ms = [1.0, 9.0] * 50
    interval = mean_interval(latencies_ms)
    assert interval is not None
    assert 1000 / interval.estimate == 200
    last_at_odd_count = median_interval([*latencies_ms, 1.0])
    assert last_at_odd_count is not None
    assert 1000 / last_at_odd_count.estimate == 1000


@pytest.mark.parametrize(
    ("count", "tau", "optimistic"), [(3000, 10.0, False), (2999, 10.0, True), (3000, 10.1, True), (100, 1.0, True)]
)
def test_batches_shorter_than_ten_times_tau_are_optimistic(count: int, tau: float, optimistic: bool) -> None:
    interval = mean_interval(range(count), tau)
    assert interval is not None
    assert interval.optimistic is optimistic


def test_tau_is_found_when_not_given() -> None:
    streams = [ar1(np.random.default_rng(1), phi, 1, 1000)[0] for phi in (0.0, 0.8)]
    intervals = [mean_interval(stream) for stream in streams]
    assert [interval and interval.optimistic for interval in intervals] == [False, True]


@pytest.mark.parametrize("tau", [0.9, math.nan, math.inf])
def test_impossible_taus_are_refused(tau: float) -> None:
    with pytest.raises(ValueError, match="tau"):
        mean_interval(range(100), tau)


def test_ar1_batch_means_cover_in_93_to_97_percent_where_the_naive_interval_covers_in_half() -> None:
    streams = ar1(np.random.default_rng(11), 0.8, 1000, 3000)
    naive = 1.96 * streams.std(axis=1, ddof=1) / math.sqrt(3000)
    assert 450 <= np.count_nonzero(np.abs(streams.mean(axis=1)) <= naive) <= 530
    assert 930 <= _hits(streams) <= 970


@pytest.mark.parametrize("count", [3000, 59])
def test_independent_batch_means_cover_in_93_to_97_percent(count: int) -> None:
    assert 930 <= _hits(np.random.default_rng(12).normal(size=(1000, count))) <= 970


def _hits(streams: np.ndarray) -> int:
    intervals = [mean_interval(stream, tau=1.0) for stream in streams]
    return sum(interval is not None and interval.low <= 0.0 <= interval.high for interval in intervals)


@given(st.lists(st.floats(1e-3, 1e3), min_size=6, max_size=150), st.sampled_from([0.5, 2.0, 1024.0]))
def test_interval_contains_its_estimate_and_scales(values: list[float], scale: float) -> None:
    interval, scaled = mean_interval(values), mean_interval([scale * value for value in values])
    assert interval is not None
    assert interval.low <= interval.estimate <= interval.high
    assert interval.estimate == pytest.approx(math.fsum(values) / len(values))
    assert interval.batches == min(30, len(values))
    assert scaled == MeanInterval(
        scale * interval.estimate, scale * interval.low, scale * interval.high, interval.batches, interval.optimistic
    )


def test_relative_half_width() -> None:
    assert MeanInterval(10.0, 9.0, 11.0, 30, False).relative_half_width == pytest.approx(0.1)
    assert MeanInterval(0.0, -1.0, 1.0, 30, False).relative_half_width == math.inf
