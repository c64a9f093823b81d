"""The cost of one call apart from the constant cost around it."""

from __future__ import annotations

from reports.statistics.values import Values, checked


def call_cost(counts: Values, times: Values) -> tuple[float, float]:
    """(slope, constant) of the least-squares line T(m) = constant + slope * m through times of m calls each.

    The slope is the cost of one call, in the unit of the times and free of any constant cost (criterion.rs reports
    it); T(m) / m is not. Exact for whole numbers as long as their products are (below 2**53).
    Raises ValueError for unequal lengths, fewer than two different counts, counts not above 0, NaN or infinities.
    """
    calls = checked(counts, "counts", least=2, positive=True)
    spent = checked(times, "times", least=2)
    if len(calls) != len(spent):
        raise ValueError(f"{len(calls)} counts do not go with {len(spent)} times")
    if calls.min() == calls.max():
        raise ValueError("a slope needs two different counts")
    # Centred without dividing first, which keeps whole numbers whole.
    count = len(calls)
    call_deviations = count * calls - calls.sum()
    time_deviations = count * spent - spent.sum()
    slope = float((call_deviations @ time_deviations) / (call_deviations @ call_deviations))
    return slope, float(spent.sum() - slope * calls.sum()) / count
