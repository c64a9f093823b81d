"""Autocorrelation times of processes that have a known one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.statistics import autocorrelation_time, median_autocorrelation_time, median_interval
from tests.reports.statistics.noise import ar1


def direct_time(series: list[float]) -> float:
    """The definition, lag by lag."""
    mean = math.fsum(series) / len(series)
    centred = [value - mean for value in series]
    tau = 1.0
    for lag in range(1, len(series)):
        products = (a * b for a, b in zip(centred, centred[lag:], strict=False))
        correlation = math.fsum(products) / math.fsum(value**2 for value in centred)
        if correlation < 0.05:
            break
        tau += 2 * correlation
    return tau


@pytest.mark.parametrize("phi", [0.5, 0.8])
def test_ar1_of_many_values_has_its_textbook_time(phi: float) -> None:
    # What lies beyond the first correlation below 0.05 is left out: up to 2 * 0.05 / (1 - phi).
    tau = autocorrelation_time(ar1(np.random.default_rng(1), phi, 1, 100_000)[0])
    assert tau == pytest.approx((1 + phi) / (1 - phi), abs=2 * 0.05 / (1 - phi) + 0.1)


def test_median_time_of_ar1_follows_the_arcsine_law_and_is_shorter() -> None:
    stream = ar1(np.random.default_rng(1), 0.8, 1, 100_000)[0]
    # Signs of normal values with correlation r have correlation 2/pi asin(r).
    signs = [2 / math.pi * math.asin(0.8**lag) for lag in range(1, 100)]
    expected = 1 + 2 * sum(correlation for correlation in signs if correlation >= 0.05)
    tau = median_autocorrelation_time(stream)
    assert tau == pytest.approx(expected, rel=0.06)
    assert tau < 0.85 * autocorrelation_time(stream)


def test_independent_values_have_time_1() -> None:
    streams = np.random.default_rng(2).lognormal(size=(200, 1000))
    assert np.mean([autocorrelation_time(stream) for stream in streams]) == pytest.approx(1, abs=0.02)
    assert np.mean([median_autocorrelation_time(stream) for stream in streams]) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("time", [autocorrelation_time, median_autocorrelation_time])
@pytest.mark.parametrize("series", [[0.1] * 1000, [7.0], [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0]])
def test_constant_and_very_short_series_have_time_1(time: object, series: list[float]) -> None:
    assert time(series) == 1.0  # type: ignore[operator]


def test_alternating_values_have_time_1_not_below() -> None:
    assert autocorrelation_time([1.0, 9.0] * 50) == 1.0


@pytest.mark.parametrize("share_of_greatest", [0.45, 0.5, 0.55])
def test_dependence_shows_between_the_two_ticks_of_a_coarse_clock(share_of_greatest: float) -> None:
    # Runs of 50 equal values; with the greater tick in the majority it is the median, and none lies above it.
    runs = np.random.default_rng(5).permutation(np.arange(100) < 100 * share_of_greatest)
    ticks = np.repeat(np.where(runs, 200.0, 100.0), 50)
    assert median_autocorrelation_time(ticks) > 20


def test_many_ties_at_the_median_are_no_dependence() -> None:
    ticks = np.random.default_rng(6).choice([100.0, 200.0, 300.0], p=[0.2, 0.6, 0.2], size=5000)
    assert median_autocorrelation_time(ticks) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("phi", "least_tau"), [(0.0, 1.0), (0.8, 4.0)])
def test_median_interval_from_the_median_time_covers_in_93_to_97_percent(phi: float, least_tau: float) -> None:
    streams = np.exp(0.02 * ar1(np.random.default_rng(8), phi, 1000, 3000))
    hits = 0
    for stream in streams:
        tau = median_autocorrelation_time(stream)
        assert tau >= least_tau
        interval = median_interval(stream, len(stream) / tau)
        assert interval is not None
        hits += interval.low <= 1.0 <= interval.high
    assert 930 <= hits <= 970


def test_median_interval_covers_too_rarely_without_a_time_and_too_often_with_that_of_the_values() -> None:
    streams = ar1(np.random.default_rng(9), 0.8, 1000, 3000)
    naive = wide = 0
    for stream in streams:
        independent = median_interval(stream)
        usual = median_interval(stream, len(stream) / autocorrelation_time(stream))
        assert independent is not None
        assert usual is not None
        naive += independent.low <= 0.0 <= independent.high
        wide += usual.low <= 0.0 <= usual.high
    assert naive < 700
    assert wide > 970


@given(st.lists(st.integers(0, 20), min_size=10, max_size=60), st.sampled_from([0.5, 64.0]))
def test_time_is_that_of_the_definition_in_any_unit(series: list[int], scale: float) -> None:
    values = [float(value) for value in series]
    expected = 1.0 if min(series) == max(series) else direct_time(values)
    # Right at the threshold one rounding error decides whether a term of 2 * 0.05 counts.
    assert autocorrelation_time(values) == pytest.approx(expected, abs=1e-9) or math.isclose(
        abs(autocorrelation_time(values) - expected), 0.1, rel_tol=1e-6
    )
    assert autocorrelation_time([scale * value for value in values]) == autocorrelation_time(values)
    assert median_autocorrelation_time([scale * value for value in values]) == median_autocorrelation_time(values)
    assert 1 <= median_autocorrelation_time(values) <= len(values)
