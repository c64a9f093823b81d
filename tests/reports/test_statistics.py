"""Estimators against known answers and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.statistics import geometric_mean, median_interval, median_ranks, minimum_count, percentile


@pytest.mark.parametrize(("count", "ranks"), [(5, None), (6, (1, 6)), (100, (40, 61)), (1000, (469, 532))])
def test_median_ranks(count: int, ranks: tuple[int, int] | None) -> None:
    assert median_ranks(count) == ranks


@given(st.integers(6, 800))
def test_median_ranks_cover_at_least_95_percent_and_one_rank_inward_does_not(count: int) -> None:
    def coverage(low: int) -> float:
        # P(low <= Bin(n, 1/2) <= n - low)
        tail = sum(math.comb(count, k) for k in range(low)) / 2**count
        return 1 - 2 * tail

    ranks = median_ranks(count)
    assert ranks is not None
    low, high = ranks
    assert high == count + 1 - low
    assert coverage(low) >= 0.95
    assert low + 1 > count / 2 or coverage(low + 1) < 0.95


def test_median_interval_covers_the_true_median_in_95_to_98_percent_of_lognormal_streams() -> None:
    generator = np.random.default_rng(7)
    streams = generator.lognormal(size=(1000, 100))
    hits = 0
    for stream in streams:
        interval = median_interval(stream)
        assert interval is not None
        hits += interval.low <= 1.0 <= interval.high
    assert 950 <= hits <= 980


@pytest.mark.parametrize(("probability", "count"), [(0.90, 36), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_minimum_counts(probability: float, count: int) -> None:
    assert minimum_count(probability) == count


def test_p99_needs_368_values() -> None:
    assert percentile(range(1, 368), 0.99) is None
    assert percentile(range(1, 369), 0.99) == 365


@pytest.mark.parametrize(("probability", "expected"), [(0.90, 90), (0.95, 95)])
def test_nearest_rank_is_not_moved_by_binary_fractions(probability: float, expected: int) -> None:
    assert percentile(range(1, 101), probability) == expected


@given(st.lists(st.floats(1e-3, 1e3), min_size=36, max_size=200), st.randoms())
def test_percentile_is_a_value_of_the_sample_whatever_its_order(values: list[float], random: object) -> None:
    found = percentile(values, 0.9)
    assert found in values
    assert sum(value <= found for value in values) >= 0.9 * len(values)  # type: ignore[operator]


def test_geometric_mean() -> None:
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    with pytest.raises(ValueError, match="positive"):
        geometric_mean([])
    with pytest.raises(ValueError, match="positive"):
        geometric_mean([1.0, 0.0])
