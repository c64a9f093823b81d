"""Order statistics against known answers, simulated coverage and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.statistics import (
    Interval,
    early_stopping_count,
    geometric_mean,
    median_interval,
    median_ranks,
    minimum_count,
    percentile,
    percentile_upper99,
)

VALUES = st.floats(1e-3, 1e3)


@pytest.mark.parametrize(
    ("count", "ranks"),
    [(0, None), (5, None), (6, (1, 6)), (100, (40, 61)), (1000, (469, 532)), (100_000, (49_690, 50_311))],
)
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


@pytest.mark.parametrize(("count", "least", "most"), [(100, 950, 980), (1000, 935, 970)])
def test_median_interval_covers_the_true_median_of_lognormal_streams(count: int, least: int, most: int) -> None:
    streams = np.random.default_rng(7).lognormal(size=(1000, count))
    hits = 0
    for stream in streams:
        interval = median_interval(stream)
        assert interval is not None
        hits += interval.low <= 1.0 <= interval.high
    assert least <= hits <= most


@pytest.mark.parametrize(
    ("effective", "expected"),
    [
        (100, (40, 61)),
        (None, (40, 61)),
        (250.0, (40, 61)),  # more effective values than values: no effect
        (99.9, (40, 61)),  # 99: its ranks are 40 and 60, at proportions 0.4 and 0.6 of 101
        (50, (35, 66)),  # 18 and 33 of 51, that is 35.6 and 65.4 of 101, rounded outwards
        (6, (14, 87)),  # 1 and 6 of 7
        (5.9, None),
        (0.5, None),
    ],
)
def test_ranks_for_an_effective_count_are_those_of_fewer_values_at_the_same_proportions(
    effective: float | None, expected: tuple[int, int] | None
) -> None:
    interval = median_interval(range(1, 101), effective)
    assert interval == (Interval(50.5, *expected) if expected else None)


@pytest.mark.parametrize("effective", [0.0, -1.0, math.nan, math.inf])
def test_an_effective_count_that_is_not_above_0_is_refused(effective: float) -> None:
    with pytest.raises(ValueError, match="effective_count"):
        median_interval(range(100), effective)
    with pytest.raises(ValueError, match="effective_count"):
        percentile(range(100), 0.9, effective)
    with pytest.raises(ValueError, match="effective_count"):
        percentile_upper99(range(100), 0.9, effective)


@given(st.lists(VALUES, min_size=6, max_size=200), st.floats(6, 250), st.sampled_from([0.25, 2.0, 1024.0]))
def test_median_interval_contains_its_estimate_grows_with_dependence_and_scales(
    values: list[float], effective: float, scale: float
) -> None:
    interval, independent = median_interval(values, effective), median_interval(values)
    assert interval is not None
    assert independent is not None
    assert interval.low <= interval.estimate <= interval.high
    assert interval.low <= independent.low
    assert independent.high <= interval.high
    assert {interval.low, interval.high} <= set(values)
    assert median_interval(sorted(values), effective) == interval
    scaled = median_interval([scale * value for value in values], effective)
    assert scaled == Interval(scale * interval.estimate, scale * interval.low, scale * interval.high)


def test_relative_half_width() -> None:
    assert Interval(10.0, 9.0, 11.0).relative_half_width == pytest.approx(0.1)
    assert Interval(-10.0, -11.0, -9.0).relative_half_width == pytest.approx(0.1)
    assert Interval(0.0, -1.0, 1.0).relative_half_width == math.inf


@pytest.mark.parametrize(("probability", "count"), [(0.90, 36), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_minimum_counts(probability: float, count: int) -> None:
    assert minimum_count(probability) == count


@pytest.mark.parametrize("probability", [0.49, 1.0, math.nan])
def test_probabilities_outside_are_refused(probability: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        minimum_count(probability)
    with pytest.raises(ValueError, match="probability"):
        early_stopping_count(1, probability)
    with pytest.raises(ValueError, match="probability"):
        percentile_upper99([1.0], probability)


def test_p99_needs_368_values() -> None:
    assert percentile(range(1, 368), 0.99) is None
    assert percentile(range(1, 369), 0.99) == 365


def test_p99_needs_368_effective_values() -> None:
    assert percentile(range(1, 1001), 0.99, effective_count=367.9) is None
    assert percentile(range(1, 1001), 0.99, effective_count=368) == 990


@pytest.mark.parametrize(("probability", "expected"), [(0.55, 55), (0.90, 90), (0.95, 95)])
def test_nearest_rank_is_not_moved_by_binary_fractions(probability: float, expected: int) -> None:
    assert percentile(range(1, 101), probability) == expected


@given(st.lists(VALUES, min_size=36, max_size=200), st.randoms())
def test_percentile_is_a_value_of_the_sample_whatever_its_order(values: list[float], random: object) -> None:
    found = percentile(values, 0.9)
    assert found is not None
    assert found in values
    assert sum(value <= found for value in values) >= 0.9 * len(values)
    assert sum(value < found for value in values) < 0.9 * len(values)
    random.shuffle(values)  # type: ignore[attr-defined]
    assert percentile(values, 0.9) == found


@pytest.mark.parametrize(
    ("probability", "counts"),
    [
        (0.90, {0: 44, 1: 64, 2: 81, 3: 97, 5: 127, 10: 197}),
        (0.95, {0: 90, 1: 130}),
        (0.99, {0: 459, 1: 662, 2: 838, 3: 1001, 5: 1307, 10: 2010}),
        (0.999, {0: 4603, 1: 6636}),
    ],
)
def test_early_stopping_counts_are_those_of_loadgen(probability: float, counts: dict[int, int]) -> None:
    assert {discarded: early_stopping_count(discarded, probability) for discarded in counts} == counts


def test_early_stopping_refuses_negative_tails() -> None:
    with pytest.raises(ValueError, match="discarded"):
        early_stopping_count(-1, 0.9)


@pytest.mark.parametrize(
    ("count", "discards"), [(64, 0), (100, 2), (662, 47), (1000, 77), (5000, 449), (10_000, 929), (63, None)]
)
def test_upper_bound_of_p90_discards_as_many_as_loadgen_does(count: int, discards: int | None) -> None:
    # Above 0-based sorted[n - t] lie t - 1 values, the ones that loadgen's log calls discarded.
    assert percentile_upper99(range(count), 0.9) == (None if discards is None else count - 1 - discards)


@given(st.integers(0, 3000), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_upper_bound_takes_the_longest_tail_that_the_count_allows(count: int, probability: float) -> None:
    bound = percentile_upper99(range(count), probability) if count else None
    if bound is None:
        assert count < early_stopping_count(1, probability)
    else:
        tail = count - int(bound)
        assert early_stopping_count(tail, probability) <= count < early_stopping_count(tail + 1, probability)


def test_upper_bound_of_an_effective_count_keeps_the_proportion() -> None:
    # 100 effective: sorted[97], 3 of 101 from the top; that is 29.7 of 1001, rounded to the higher value.
    assert percentile_upper99(range(1000), 0.9, effective_count=100) == 1000 - 29
    assert percentile_upper99(range(1000), 0.9, effective_count=63.9) is None


def test_upper_bound_holds_in_99_percent_of_streams_and_is_not_the_maximum() -> None:
    streams = np.random.default_rng(3).exponential(size=(2000, 1000))
    bounds = np.array([percentile_upper99(stream, 0.9) for stream in streams])
    held = float(np.mean(bounds >= math.log(10)))
    assert 0.985 <= held <= 0.999
    assert np.all(bounds < streams.max(axis=1))


@given(st.lists(VALUES, min_size=64, max_size=300), st.floats(64, 400))
def test_upper_bound_is_a_value_of_the_sample_above_its_percentile(values: list[float], effective: float) -> None:
    bound, low = percentile_upper99(values, 0.9, effective), percentile(values, 0.9)
    assert bound is not None
    assert low is not None
    assert bound in values
    assert bound >= low
    assert percentile_upper99(sorted(values), 0.9, effective) == bound


def test_geometric_mean() -> None:
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert geometric_mean(np.array([5.0])) == pytest.approx(5.0)


@given(st.lists(VALUES, min_size=1, max_size=50))
def test_geometric_mean_inverts_with_its_values_and_stays_below_the_mean(values: list[float]) -> None:
    found = geometric_mean(values)
    assert min(values) * (1 - 1e-12) <= found <= sum(values) / len(values) * (1 + 1e-12)
    assert geometric_mean([1 / value for value in values]) == pytest.approx(1 / found)
