"""Estimators with known behaviour on small and on dependent samples. Imports nothing of ours.

Numbers go in and come out unitless. Timing workers import this package, so scipy is loaded by the functions that need
it and by no import.
"""

from reports.statistics.autocorrelation import autocorrelation_time, median_autocorrelation_time
from reports.statistics.comparison import (
    PairedEffect,
    Verdict,
    decide,
    holm,
    paired_effect,
    regression_p_value,
    signed_rank_p_value,
    welch_log_ratio,
)
from reports.statistics.mean import MeanInterval, geometric_mean_interval, mean_interval
from reports.statistics.order import (
    Interval,
    early_stopping_count,
    geometric_mean,
    median_interval,
    median_ranks,
    minimum_count,
    percentile,
    percentile_upper99,
)
from reports.statistics.outliers import Outliers, count_outliers
from reports.statistics.planning import abba_order, minimum_detectable_effect, pairs_needed
from reports.statistics.slope import call_cost
from reports.statistics.steady import SteadyState, steady_state

__all__ = [
    "Interval",
    "MeanInterval",
    "Outliers",
    "PairedEffect",
    "SteadyState",
    "Verdict",
    "abba_order",
    "autocorrelation_time",
    "call_cost",
    "count_outliers",
    "decide",
    "early_stopping_count",
    "geometric_mean",
    "geometric_mean_interval",
    "holm",
    "mean_interval",
    "median_autocorrelation_time",
    "median_interval",
    "median_ranks",
    "minimum_count",
    "minimum_detectable_effect",
    "paired_effect",
    "pairs_needed",
    "percentile",
    "percentile_upper99",
    "regression_p_value",
    "signed_rank_p_value",
    "steady_state",
    "welch_log_ratio",
]
