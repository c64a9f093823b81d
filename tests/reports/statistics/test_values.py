"""Every estimator refuses what it cannot mean anything for, in one line."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable

import pytest

from reports import statistics
from reports.statistics import (
    autocorrelation_time,
    call_cost,
    count_outliers,
    decide,
    geometric_mean,
    holm,
    mean_interval,
    median_autocorrelation_time,
    median_interval,
    paired_effect,
    percentile,
    percentile_upper99,
    regression_p_value,
    signed_rank_p_value,
    steady_state,
    welch_log_ratio,
)

ESTIMATORS: list[Callable[[list[float]], object]] = [
    autocorrelation_time,
    count_outliers,
    decide,
    geometric_mean,
    holm,
    mean_interval,
    median_autocorrelation_time,
    median_interval,
    paired_effect,
    lambda values: percentile(values, 0.9),
    lambda values: percentile_upper99(values, 0.9),
    lambda values: call_cost(values, [1.0, 2.0]),
    lambda values: call_cost([1, 2], values),
    regression_p_value,
    signed_rank_p_value,
    steady_state,
    lambda values: welch_log_ratio(values, [1.0, 2.0]),
    lambda values: welch_log_ratio([1.0, 2.0], values),
]


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "must hold at least"),
        ([0.5, math.nan], "must be finite"),
        ([0.5, math.inf], "must be finite"),
        ([-math.inf, 0.5], "must be finite"),
        ([[0.5, 0.6], [0.7, 0.8]], "one row of numbers, not 2-dimensional"),
    ],
)
def test_refuses(estimator: Callable[[list[float]], object], values: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        estimator(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [0.0, -1.0])
@pytest.mark.parametrize(
    "estimator",
    [
        geometric_mean,
        lambda values: welch_log_ratio(values, [1.0, 2.0]),
        lambda values: welch_log_ratio([1.0, 2.0], values),
        lambda values: call_cost(values, [1.0, 2.0]),
    ],
)
def test_refuses_what_has_no_logarithm_and_counts_below_one(
    estimator: Callable[[list[float]], object], bad: float
) -> None:
    with pytest.raises(ValueError, match=f"must be positive, not {bad}"):
        estimator([1.0, bad])


def test_the_face_exports_all_it_names() -> None:
    assert sorted(statistics.__all__) == list(statistics.__all__)
    assert all(hasattr(statistics, name) for name in statistics.__all__)


def test_importing_it_does_not_import_scipy_nor_does_the_stopping_rule() -> None:
    code = (
        "import sys; from reports.statistics import median_interval, percentile, steady_state;"
        "from reports.statistics import median_autocorrelation_time as tau;"
        "values = [100.0 + i % 7 for i in range(400)];"
        "median_interval(values, 400 / tau(values)); percentile(values, 0.99); steady_state(values);"
        "print('scipy' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
