"""The cost of a call, free of the constant around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.statistics import call_cost


@pytest.mark.parametrize("counts", [[1, 2], [1, 2, 4], [1, 3, 4, 11, 200], list(range(1, 1001))])
def test_the_slope_is_exact_where_the_time_over_the_count_is_not(counts: list[int]) -> None:
    times = [70 + 500 * count for count in counts]
    assert call_cost(counts, times) == (500.0, 70.0)
    assert times[0] / counts[0] == 570


def test_noise_is_fitted_by_least_squares() -> None:
    generator = np.random.default_rng(1)
    counts = generator.integers(1, 1000, 100)
    times = 70 + 500 * counts + generator.normal(0, 30, 100)
    slope, constant = np.polyfit(counts, times, 1)
    assert call_cost(counts, times) == (pytest.approx(slope, rel=1e-9), pytest.approx(constant, rel=1e-6))


@pytest.mark.parametrize(
    ("counts", "times", "message"),
    [
        ([1, 2, 3], [1.0, 2.0], "3 counts do not go with 2 times"),
        ([2, 2], [1.0, 2.0], "two different counts"),
        ([1], [1.0], "at least 2"),
        ([0, 1], [1.0, 2.0], "positive"),
    ],
)
def test_what_has_no_slope_is_refused(counts: list[int], times: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call_cost(counts, times)


@given(
    st.lists(st.integers(1, 1000), min_size=2, max_size=30, unique=True),
    st.integers(-1000, 1_000_000),
    st.integers(0, 1_000_000),
    st.randoms(),
)
def test_any_line_is_found_whatever_the_order(counts: list[int], slope: int, constant: int, random: object) -> None:
    random.shuffle(counts)  # type: ignore[attr-defined]
    found = call_cost(counts, [constant + slope * count for count in counts])
    assert found == (pytest.approx(slope, abs=1e-6), pytest.approx(constant, abs=1e-3))
