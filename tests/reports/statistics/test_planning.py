"""How many pairs, what they detect, in which order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.statistics import abba_order, decide, minimum_detectable_effect, pairs_needed
from tests.reports.statistics.noise import differences

SD = st.floats(0, 0.1)


def test_minimum_detectable_effect_of_twelve_pairs() -> None:
    assert minimum_detectable_effect(sd=0.0121, pairs=12) == pytest.approx(0.0257, abs=1e-4)


def test_minimum_detectable_effect_by_hand() -> None:
    # t(0.99, 2) and t(0.95, 2)
    expected = 0.01 + (6.964556734283274 + 2.919985580353726) * 0.02 / math.sqrt(3)
    assert minimum_detectable_effect(sd=0.02, pairs=3) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("pairs", "factor"), [(10, 1.47), (12, 1.30), (20, 0.95), (30, 0.76), (40, 0.65)])
def test_factors_of_the_standard_deviation(pairs: int, factor: float) -> None:
    assert minimum_detectable_effect(sd=1.0, pairs=pairs, margin=0.0) == pytest.approx(factor, abs=0.005)


def test_a_slowdown_of_the_minimum_detectable_effect_is_found_in_95_percent() -> None:
    effect = minimum_detectable_effect(sd=0.012, pairs=12)
    trials = np.random.default_rng(1).normal(math.log1p(effect), 0.012, (2000, 12))
    found = np.mean([decide(trial) == "regressed" for trial in trials])
    assert 0.93 <= found <= 0.97


@given(SD, st.floats(0.011, 0.2))
def test_pairs_needed_is_the_least_even_count_that_detects_the_effect(sd: float, effect: float) -> None:
    pairs = pairs_needed(sd, effect)
    if pairs is None:
        assert minimum_detectable_effect(sd, 400) > effect
    else:
        assert pairs % 2 == 0
        assert 4 <= pairs <= 400
        assert minimum_detectable_effect(sd, pairs) <= effect
        assert pairs == 4 or minimum_detectable_effect(sd, pairs - 2) > effect


def test_pairs_needed_by_hand() -> None:
    assert pairs_needed(sd=0.0121, effect=0.0258) == 12
    assert pairs_needed(sd=0.1, effect=minimum_detectable_effect(0.1, 400)) == 400
    assert pairs_needed(sd=0.0, effect=0.01) == 4
    assert pairs_needed(sd=0.01, effect=0.01) is None  # never below the margin


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sd": -0.1}, "sd"),
        ({"sd": math.nan}, "sd"),
        ({"margin": -0.01}, "margin"),
        ({"pairs": 1}, "pairs"),
        ({"alpha": 0.5}, "alpha"),
        ({"power": 0.5}, "power"),
        ({"power": 1.0}, "power"),
    ],
)
def test_impossible_plans_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        minimum_detectable_effect(**{"sd": 0.01, "pairs": 12} | arguments)  # type: ignore[arg-type]


def test_order_alternates() -> None:
    assert abba_order(3) == [("base", "new"), ("new", "base"), ("base", "new")]
    with pytest.raises(ValueError, match="pairs"):
        abba_order(0)


@pytest.mark.parametrize("pairs", [2, 12, 40])
def test_linear_drift_biases_every_pair_of_a_fixed_order_and_cancels_in_alternating_order(pairs: int) -> None:
    drift = 2.0**-10 * np.arange(2 * pairs)  # about 0.1 % a slot, in numbers whose differences are exact
    fixed = drift[1::2] - drift[0::2]
    assert set(fixed) == {2.0**-10}
    alternating = differences(drift, pairs)
    assert set(alternating) == {2.0**-10, -(2.0**-10)}
    assert alternating.mean() == 0
