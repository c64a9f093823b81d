"""What every estimator asks of its input: one row of finite numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = Sequence[float] | NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]


def checked(values: Values, name: str = "values", least: int = 1, positive: bool = False) -> Floats:
    """The values as one row of floats, in their order.

    Raises ValueError with one line for more than one dimension, fewer than `least` values, NaN or infinities and,
    where `positive`, for a value that is not above 0.
    """
    row = np.asarray(values, dtype=np.float64)
    if row.ndim != 1:
        raise ValueError(f"{name} must be one row of numbers, not {row.ndim}-dimensional")
    if len(row) < least:
        raise ValueError(f"{name} must hold at least {least} numbers, not {len(row)}")
    if not np.isfinite(row).all():
        raise ValueError(f"{name} must be finite: there are NaN or infinities among them")
    if positive and row.min() <= 0:
        raise ValueError(f"{name} must be positive, not {row.min()}")
    return row


def check_between(number: float, name: str, low: float, high: float) -> None:
    """Raises ValueError unless low < number < high; NaN never is."""
    if not low < number < high:
        raise ValueError(f"{name} must be between {low} and {high}, not {number}")
