"""Random input tensors for models whose real input is not at hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from datasets.errors import DatasetError

# Integers without a range of their own become small non-negative numbers: valid pixels and class numbers, and
# often valid token numbers, where the full range of int64 would be none of these.
_INT_RANGE: Final = (0, 127)


def random_tensor(
    shape: Sequence[int], dtype: DTypeLike, seed: int, low: float | None = None, high: float | None = None
) -> NDArray[Any]:
    """A random array of this shape and dtype, the same for the same arguments on every machine (PCG64).

    Floats (float16, float32, float64): standard normal, or uniform in [low, high) if both are given. Integers:
    uniform in [low, high], both included, 0 to 127 by default. bool: either with equal chance, without a range.
    Raises DatasetError for any other dtype, a dimension that is not a non-negative integer, a negative seed, or a
    range that is half given, empty, not finite, or outside the dtype.
    """
    kind = _dtype(dtype)
    size = _shape(shape)
    if seed < 0:
        raise DatasetError(f"seed is {seed}; give 0 or more")
    bounds = _bounds(kind, low, high)
    generator = np.random.Generator(np.random.PCG64(seed))
    if kind.kind == "b":
        return generator.integers(0, 1, size=size, dtype=np.bool_, endpoint=True)
    if kind.kind == "f":
        # float64 first for every float dtype: one sequence, of which the narrower dtypes get the rounded values.
        drawn = generator.standard_normal(size) if bounds is None else generator.uniform(*bounds, size)
        return np.asarray(drawn, dtype=kind)
    smallest, largest = (int(bound) for bound in bounds or _INT_RANGE)
    return np.asarray(generator.integers(smallest, largest, size=size, dtype=kind.type, endpoint=True))


def _dtype(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        kind = np.dtype(dtype)
    except TypeError as error:
        raise DatasetError(f"{dtype!r} is not a dtype; give a name such as float32, int64 or bool") from error
    # longdouble is another type on another machine, and byte orders other than the machine's are no engine's input.
    if kind.kind not in "biuf" or kind.itemsize > 8 or not kind.isnative:
        raise DatasetError(f"no random data for dtype {kind}; give float16, float32, float64, an integer or bool")
    return kind


def _shape(shape: Sequence[int]) -> tuple[int, ...]:
    for axis, dimension in enumerate(shape):
        if isinstance(dimension, bool) or not isinstance(dimension, (int, np.integer)) or dimension < 0:
            raise DatasetError(
                f"axis {axis} of shape {tuple(shape)} is {dimension!r}; give a number for each free dimension"
            )
    return tuple(int(dimension) for dimension in shape)


def _bounds(kind: np.dtype[Any], low: float | None, high: float | None) -> tuple[float, float] | None:
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise DatasetError(f"low is {low} and high is {high}; give both or neither")
    if kind.kind == "b":
        raise DatasetError("a range for dtype bool; leave out low and high")
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise DatasetError(f"the range {low} to {high} is empty or not finite; give low <= high")
    limits = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    convert = float if kind.kind == "f" else int  # compared in float16, 1e6 would overflow
    smallest, largest = convert(limits.min), convert(limits.max)
    if low < smallest or high > largest:
        raise DatasetError(f"the range {low} to {high} does not fit {kind} ({smallest} to {largest})")
    if kind.kind != "f" and (low != int(low) or high != int(high)):
        raise DatasetError(f"the range {low} to {high} is not whole; give integers for {kind}")
    return low, high
