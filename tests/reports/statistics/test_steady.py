"""Streams that start slow, drift, jump or are flat."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.statistics import SteadyState, steady_state
from tests.reports.statistics.noise import ar1

COUNT = 500


def noisy(level: np.ndarray, streams: int, seed: int) -> np.ndarray:
    """Streams of that level with 2 % of independent noise."""
    return level * (1 + 0.02 * np.random.default_rng(seed).standard_normal((streams, len(level))))


def flagged(streams: np.ndarray) -> float:
    """The share of streams that are called not steady."""
    return float(np.mean([steady_state(stream).steady is False for stream in streams]))


def plain_cut(values: np.ndarray, batch: int) -> int:
    """The definition of MSER, one cut at a time."""
    means = values[: len(values) // batch * batch].reshape(-1, batch).mean(axis=1)
    errors = [np.var(means[cut:]) / (len(means) - cut) for cut in range(len(means) // 2 + 1)]
    return batch * int(np.argmin(errors))


def test_a_slow_start_is_cut_where_it_ends() -> None:
    level = np.where(np.arange(COUNT) < 60, 1.5, 1.0)
    states = [steady_state(stream) for stream in noisy(level, 300, seed=1)]
    cuts = np.array([state.cut for state in states])
    assert np.mean((cuts >= 60) & (cuts <= 95)) >= 0.9
    assert cuts.min() >= 55
    assert np.mean([state.steady for state in states]) >= 0.97


def test_a_decay_is_cut_when_it_has_faded() -> None:
    level = 1 + np.exp(-np.arange(COUNT) / 20)
    cuts = [steady_state(stream).cut for stream in noisy(level, 300, seed=2)]
    assert 75 <= np.median(cuts) <= 130


def test_a_ramp_and_a_late_step_are_flagged_and_a_flat_stream_is_not() -> None:
    at = np.arange(COUNT)
    assert flagged(noisy(1 + 0.2 * at / COUNT, 300, seed=3)) >= 0.99
    assert flagged(noisy(np.where(at < 300, 1.0, 1.05), 300, seed=4)) >= 0.99
    assert flagged(noisy(np.ones(COUNT), 1000, seed=5)) <= 0.01


def test_moderate_autocorrelation_is_rarely_flagged() -> None:
    assert flagged(1 + 0.02 * ar1(np.random.default_rng(6), 0.7, 500, COUNT)) <= 0.03


@pytest.mark.parametrize(("count", "batch"), [(16, 1), (49, 1), (50, 5), (503, 5), (2000, 5)])
def test_the_cut_is_that_of_the_definition(count: int, batch: int) -> None:
    generator = np.random.default_rng(count)
    for _ in range(50):
        values = 1e9 + generator.lognormal(0, 1, count) * np.where(np.arange(count) < count // 8, 3, 1)
        assert steady_state(values).cut == plain_cut(values, batch)


def test_one_monstrous_first_call_costs_no_digits() -> None:
    values = noisy(np.ones(100_000), 1, seed=7)[0]
    values[0] = 1e9
    state = steady_state(values)
    assert state.cut == plain_cut(values[:1000], 5) == 5
    assert state.steady


def test_too_few_samples_say_nothing() -> None:
    assert steady_state(np.linspace(1, 2, 15)) == SteadyState(0, None, "too few samples to tell")
    assert steady_state(np.linspace(1, 2, 16)).steady is False


def test_constant_streams_are_steady_from_the_start() -> None:
    assert steady_state([0.1] * 1000) == SteadyState(0, True, "")
    assert steady_state([0.0] * 16) == SteadyState(0, True, "")


def test_the_reason_says_what_was_seen() -> None:
    # 3.1 % more from the half on, in a stream that swings by more than that: no cut, so the quarters show it.
    swinging = np.repeat(np.tile([1.0, 0.9, 1.1, 1.0], 20), 5)
    swinging[200:] *= 1.031
    assert steady_state(swinging) == SteadyState(0, False, "the medians of its quarters differ by 3.1 %")
    # 1.5625 and 1.9375 are the medians of the outer quarters of what is left.
    assert steady_state(np.linspace(1, 2, 500)) == SteadyState(
        250, False, "it had not settled by sample 250 of 500, and the medians of its quarters differ by 24.0 %"
    )
    # From sample 20 on all is level, but 20 is half: whether more would follow cannot be told.
    assert steady_state([2.0] * 20 + [1.0] * 20) == SteadyState(20, False, "it had not settled by sample 20 of 40")


@pytest.mark.parametrize(("late", "steady"), [(1.019, True), (1.021, False)])
def test_quarters_may_differ_by_two_percent(late: float, steady: bool) -> None:
    swinging = np.repeat(np.tile([1.0, 0.9, 1.1, 1.0], 20), 5)
    swinging[200:] *= late
    assert steady_state(swinging).steady is steady


def test_a_quarter_of_zeros_is_named_instead_of_divided_by() -> None:
    values = np.tile([0.0, 0.0, 0.0, 5.0], 25)
    values[75:] = np.tile([5.0, 5.0, 0.0, 5.0, 0.0], 5)
    assert steady_state(values).reason == "the median of one of its quarters is 0 and that of another is not"


def test_negative_values_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        steady_state([1.0] * 20 + [-1.0])


@given(
    st.lists(st.floats(1e-3, 1e3), min_size=16, max_size=200),
    st.sampled_from([2.0**-20, 0.5, 2.0, 2.0**20]),
)
def test_verdict_cut_and_reason_are_the_same_in_any_unit(values: list[float], scale: float) -> None:
    state = steady_state(values)
    assert steady_state([scale * value for value in values]) == state
    assert 0 <= state.cut <= len(values) // 2
    assert state.steady is (not state.reason)
