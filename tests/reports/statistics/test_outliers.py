"""Outliers by Tukey's fences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.statistics import Outliers, count_outliers

#: quartiles 25 and 75: fences at -50 and 150, -125 and 225
HUNDRED = list(range(101))


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ([], Outliers(0, 0)),
        ([140, -40], Outliers(0, 0)),
        ([160, -60], Outliers(2, 0)),
        ([160, -140], Outliers(1, 1)),
        ([240, -140], Outliers(0, 2)),
    ],
)
def test_counts_on_either_side(extra: list[int], expected: Outliers) -> None:
    assert count_outliers(HUNDRED + extra) == expected


def test_with_no_spread_every_other_value_is_outside() -> None:
    assert count_outliers([5.0] * 98 + [5.1, 4.0]) == Outliers(mild=0, severe=2)
    assert count_outliers([5.0] * 100) == Outliers(0, 0)
    assert count_outliers([5.0]) == Outliers(0, 0)


def test_normal_values_have_the_rates_of_the_textbook() -> None:
    # 0.70 % beyond 1.5 IQR, of them 0.0002 % beyond 3.
    found = count_outliers(np.random.default_rng(1).normal(size=100_000))
    assert 600 <= found.mild <= 800
    assert found.severe <= 3


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=200), st.sampled_from([0.5, 2.0, 1024.0]))
def test_counts_are_the_same_in_any_order_and_unit(values: list[int], scale: float) -> None:
    found = count_outliers(values)
    assert count_outliers(sorted(values)) == found
    assert count_outliers([scale * value for value in values]) == found
    assert found.mild + found.severe <= len(values) / 2
