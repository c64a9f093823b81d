"""Bounds that belong to the signed-rank test."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reports.statistics import signed_rank_p_value
from reports.statistics.ranks import signed_rank_effect

DIFFERENCES = st.lists(st.integers(-10_000, 10_000), min_size=2, max_size=30, unique=True)


def test_bounds_by_hand() -> None:
    # Powers of two: all 28 means of two are different. For n = 7 the sums 0 and 1 have 2 of 2**7 arrangements, 1.6 %,
    # so the lowest mean alone is rejected at 1 %, and the two lowest at 2 %.
    row = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    means = sorted((a + b) / 2 for i, a in enumerate(row) for b in row[i:])
    at_1, at_2 = signed_rank_effect(row, 0.01), signed_rank_effect(row, 0.02)
    assert (at_1.low, at_1.high) == (means[0], means[-1])
    assert (at_2.low, at_2.high) == (means[1], means[-2])
    assert at_1.mean == (means[13] + means[14]) / 2
    assert at_1.count == 7


def test_too_few_differences_bound_nothing() -> None:
    effect = signed_rank_effect([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert (effect.low, effect.high) == (-math.inf, math.inf)
    assert effect.mean == 3.5


def test_wild_pairs_hardly_move_it() -> None:
    quiet = np.random.default_rng(0).normal(0.03, 0.01, 40)
    wild = quiet.copy()
    wild[[5, 30]] = [-4.0, 5.0]
    assert signed_rank_effect(wild).mean == pytest.approx(signed_rank_effect(quiet).mean, abs=0.001)
    assert signed_rank_effect(wild).low > 0.02


@given(DIFFERENCES, st.integers(-10_000, 10_000), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_bound_is_above_what_the_test_rejects(differences: list[int], margin: int, alpha: float) -> None:
    # Without ties among the distances to the margin the test is exact, and so is the bound.
    distances = [abs(each - margin - 0.5) for each in differences]
    assume(len(set(distances)) == len(distances))
    rejected = signed_rank_p_value(differences, margin + 0.5) < alpha
    assert (signed_rank_effect(differences, alpha).low > margin + 0.5) == rejected


@given(DIFFERENCES)
def test_it_mirrors_and_lies_between_its_bounds(differences: list[int]) -> None:
    effect, mirrored = signed_rank_effect(differences), signed_rank_effect([-each for each in differences])
    assert effect.low <= effect.mean <= effect.high
    assert (mirrored.low, mirrored.mean, mirrored.high) == (-effect.high, -effect.mean, -effect.low)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        signed_rank_effect([1.0])
    with pytest.raises(ValueError, match="alpha"):
        signed_rank_effect([1.0, 2.0], alpha=0.5)
