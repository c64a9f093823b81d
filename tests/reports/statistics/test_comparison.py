"""The regression gate on noise of known size, and ratios against hand-computed ones."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.statistics import (
    Interval,
    PairedEffect,
    decide,
    holm,
    minimum_detectable_effect,
    paired_effect,
    regression_p_value,
    signed_rank_p_value,
    welch_log_ratio,
)
from tests.reports.statistics.noise import paired_differences

PAIRS = 12
DIFFERENCES = st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=30)
TIMES = st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=30)


def verdicts(trials: np.ndarray, margin: float | None = None) -> Counter[str]:
    return Counter(decide(trial) if margin is None else decide(trial, margin=margin) for trial in trials)


def test_without_a_change_nothing_regresses_and_without_a_margin_one_in_a_hundred_does() -> None:
    trials = paired_differences(np.random.default_rng(15), 1000, PAIRS)
    assert verdicts(trials)["regressed"] <= 10
    assert verdicts(trials)["unchanged"] >= 950
    assert 2 <= verdicts(trials, margin=0.0)["regressed"] <= 22


def test_three_percent_slower_is_found_and_two_percent_may_stay_inconclusive() -> None:
    slower = paired_differences(np.random.default_rng(16), 1000, PAIRS, slowdown=0.03)
    assert verdicts(slower)["regressed"] >= 950
    assert verdicts(-slower)["improved"] >= 950
    sd = float(np.median(slower.std(axis=1, ddof=1)))
    assert minimum_detectable_effect(sd, PAIRS) == pytest.approx(0.026, abs=0.001)
    between = verdicts(paired_differences(np.random.default_rng(17), 1000, PAIRS, slowdown=0.02))
    assert 450 <= between["regressed"] <= 620
    assert between["inconclusive"] >= 100
    assert between["improved"] == 0


def test_holm_keeps_a_family_of_sixteen_rows_without_a_change_at_one_percent() -> None:
    generator = np.random.default_rng(19)
    with_margin = without_margin = unadjusted = 0
    for _ in range(10):
        families = paired_differences(generator, 50 * 16, PAIRS).reshape(50, 16, PAIRS)
        for family in families:
            with_margin += any(holm([regression_p_value(row) for row in family]))
            p_values = [regression_p_value(row, margin=0.0) for row in family]
            without_margin += any(holm(p_values))
            unadjusted += min(p_values) < 0.01
    assert with_margin <= 0.015 * 500
    assert without_margin <= 0.025 * 500
    assert unadjusted >= 0.08 * 500


def test_a_noisy_host_is_judged_by_signed_ranks() -> None:
    # Two pairs of 40 wrecked by another process: t sees nothing, ranks do.
    differences = np.random.default_rng(2).normal(0.03, 0.01, 40)
    differences[[5, 30]] = [-0.4, 0.5]
    effect = paired_effect(differences)
    assert effect.sd > 0.02
    assert effect.low < math.log(1.01)
    assert decide(differences) == "regressed"
    assert decide(-differences) == "improved"
    assert decide(differences - 0.03) == "unchanged"
    assert regression_p_value(differences) == signed_rank_p_value(differences) < 0.01


def test_signed_ranks_by_hand() -> None:
    # All 8 above the margin: one arrangement of signs in 2**8.
    above = [0.02 + 0.001 * i for i in range(8)]
    assert signed_rank_p_value(above, margin=0.01) == pytest.approx(2**-8)
    assert signed_rank_p_value([-value for value in above], margin=0.01) == 1.0
    assert signed_rank_p_value([0.01] * 8, margin=0.01) == 1.0


def test_ties_and_zeros_among_signed_ranks_are_conservative() -> None:
    # Ranks 4.5 each, the one below the margin takes its rank away: 31.5. Of 2**8 arrangements 9 reach that with ties;
    # without ties 10 reach 31.
    tied = [0.02] * 7 + [-0.02]
    assert signed_rank_p_value(tied, margin=0.0) == pytest.approx(10 / 2**8)
    assert signed_rank_p_value([*tied, 0.0, 0.0], margin=0.0) == pytest.approx(10 / 2**8)


def test_many_signed_ranks_hold_their_level() -> None:
    trials = np.random.default_rng(20).standard_t(3, (1000, 60)) * 0.03
    assert 2 <= sum(signed_rank_p_value(trial, margin=0.0) < 0.01 for trial in trials) <= 22


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(0.011, "regressed"), (0.009, "unchanged"), (-0.009, "unchanged"), (-0.011, "improved"), (0.03, "regressed")],
)
def test_identical_differences_leave_no_doubt(mean: float, verdict: str) -> None:
    assert decide([mean] * 7) == verdict
    assert paired_effect([mean] * 7) == PairedEffect(
        pytest.approx(mean), pytest.approx(mean), pytest.approx(mean), sd=0.0, count=7
    )
    assert regression_p_value([mean] * 7) == (0.0 if verdict == "regressed" else 1.0)


def test_wide_spread_of_few_pairs_is_inconclusive() -> None:
    assert decide([0.0, 0.02, -0.01, 0.035]) == "inconclusive"


def test_paired_effect_by_hand() -> None:
    # mean 0.02, sd 0.01, K = 3: t(0.99, 2) = 6.964556734283274
    reach = 6.964556734283274 * 0.01 / math.sqrt(3)
    assert paired_effect([0.01, 0.02, 0.03]) == PairedEffect(
        pytest.approx(0.02), pytest.approx(0.02 - reach), pytest.approx(0.02 + reach), pytest.approx(0.01), 3
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"alpha": 0.0}, "alpha"), ({"margin": -0.01}, "margin"), ({"margin": 0.05}, "margin and tolerated")],
)
def test_impossible_rules_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decide([0.01, 0.02], **arguments)


@given(DIFFERENCES)
def test_the_verdict_is_that_of_the_bounds_where_t_decides(differences: list[float]) -> None:
    effect = paired_effect(differences)
    assert effect.low <= effect.mean <= effect.high
    if effect.sd <= 0.02:
        margin, tolerated = math.log(1.01), math.log(1.03)
        edges = [abs(effect.low - margin), abs(effect.high + margin), abs(effect.high - tolerated)]
        expected = (
            "regressed" if effect.low > margin
            else "improved" if effect.high < -margin
            else "unchanged" if effect.high < tolerated
            else "inconclusive"
        )  # fmt: skip
        assert decide(differences) == expected or min(edges) < 1e-9


@given(DIFFERENCES, st.floats(-0.05, 0.05))
def test_p_values_are_probabilities_that_a_higher_margin_raises(differences: list[float], margin: float) -> None:
    for p_value in (regression_p_value, signed_rank_p_value):
        low, high = p_value(differences, margin), p_value(differences, margin + 0.2)
        assert 0 <= low <= 1
        assert high >= low - 1e-12


@given(DIFFERENCES)
def test_the_verdict_mirrors(differences: list[float]) -> None:
    mirrored = decide([-difference for difference in differences])
    assert (decide(differences) == "regressed") == (mirrored == "improved")


def test_holm_by_hand() -> None:
    # Held to 0.0025, 0.0033, 0.005 and 0.01; the third fails, so the fourth is not looked at.
    assert holm([0.008, 0.001, 0.006, 0.003]) == [False, True, False, True]
    assert holm([0.01]) == [True]
    assert holm([0.011]) == [False]
    with pytest.raises(ValueError, match="p_values"):
        holm([0.5, 1.1])


@given(st.lists(st.floats(0, 0.02), min_size=1, max_size=20), st.data())
def test_holm_is_monotone(p_values: list[float], data: st.DataObject) -> None:
    rejected = holm(p_values)
    kept = [p for p, flag in zip(p_values, rejected, strict=True) if not flag]
    assert all(p <= 0.01 for p, flag in zip(p_values, rejected, strict=True) if flag)
    assert all(p < min(kept, default=1.0) for p, flag in zip(p_values, rejected, strict=True) if flag)
    assert all(p <= 0.01 / len(p_values) for p in [min(p_values)] if any(rejected))
    # A smaller p value takes no rejection away.
    index = data.draw(st.integers(0, len(p_values) - 1))
    smaller = [*p_values[:index], p_values[index] / 2, *p_values[index + 1 :]]
    assert all(after or not before for before, after in zip(rejected, holm(smaller), strict=True))


def test_ratio_of_constants_is_exact() -> None:
    assert welch_log_ratio([100.0] * 5, [50.0] * 5) == Interval(2.0, 2.0, 2.0)


def test_welch_interval_of_two_groups_of_five_by_hand() -> None:
    # log a = 1 + (-2, -1, 0, 1, 2) / 10, variance 0.025; log b = (-4, -2, 0, 2, 4) / 10, variance 0.1.
    # SE**2 = 0.005 + 0.02 = 0.025; nu = 0.025**2 / (0.005**2 / 4 + 0.02**2 / 4) = 100 / 17, whose t(0.975) is 2.4588...
    a = [math.exp(1 + step / 10) for step in (-2, -1, 0, 1, 2)]
    b = [math.exp(step / 5) for step in (-2, -1, 0, 1, 2)]
    reach = 2.458823709699147 * math.sqrt(0.025)
    found = welch_log_ratio(a, b)
    assert found.estimate == pytest.approx(math.e, rel=1e-9)
    assert found.low == pytest.approx(math.exp(1 - reach), rel=1e-9)
    assert found.high == pytest.approx(math.exp(1 + reach), rel=1e-9)


def test_one_group_without_spread_leaves_the_other_its_degrees_of_freedom() -> None:
    found = welch_log_ratio([math.exp(-0.1), 1.0, math.exp(0.1)], [1.0, 1.0])
    # t(0.975, 2) = 4.302652729749464
    assert math.log(found.high) == pytest.approx(4.302652729749464 * 0.1 / math.sqrt(3), rel=1e-9)


def test_ratio_of_ten_invocations_each_covers_in_93_to_97_percent() -> None:
    groups = np.exp(np.random.default_rng(18).normal(0, 0.02, (1000, 2, 10)))
    intervals = [welch_log_ratio(a, b) for a, b in groups]
    assert 930 <= sum(interval.low <= 1.0 <= interval.high for interval in intervals) <= 970


@given(TIMES, TIMES, st.sampled_from([0.5, 2.0, 1024.0]))
def test_ratio_lies_in_its_interval_scales_inverts_and_ignores_order(
    a: list[float], b: list[float], scale: float
) -> None:
    found, inverse = welch_log_ratio(a, b), welch_log_ratio(b, a)
    assert found.low <= found.estimate <= found.high
    assert found.estimate == pytest.approx(1 / inverse.estimate)
    assert found.low == pytest.approx(1 / inverse.high, rel=1e-6)
    scaled = welch_log_ratio([scale * value for value in a], b)
    assert scaled == Interval(scale * found.estimate, scale * found.low, scale * found.high)
    shuffled = welch_log_ratio(sorted(a), sorted(b, reverse=True))
    assert shuffled.estimate == pytest.approx(found.estimate)
