"""Inputs in the dtypes that a compiled model takes, where its compiler changed those that the model declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backends.base import Array, Feeds, ModelMismatch, TensorSpec

#: dtype that a model declares -> those that a compiled form of it may take instead, with the same meaning.
_STANDS_FOR: Mapping[str, tuple[str, ...]] = {
    "float64": ("float32", "float16"),
    "float32": ("float16",),
    "float16": ("float32",),
    "int64": ("int32",),
    "int32": ("int64",),
    "uint64": ("uint32",),
    "bool": ("int8", "uint8"),
}


def castable(declared: np.dtype[Any], taken: np.dtype[Any]) -> bool:
    """Whether values of the `declared` dtype can be fed as `taken` without a change of what they mean."""
    return declared == taken or taken.name in _STANDS_FOR.get(declared.name, ())


def cast_feeds(feeds: Feeds, specs: Sequence[TensorSpec]) -> Feeds:
    """The arrays in the dtypes of `specs`; those that have them already are handed on as they are.

    Names and shapes are left to `Session.copy_inputs` to check. Raises ModelMismatch where a dtype cannot stand for
    the other one, or a value does not survive.
    """
    wanted = {spec.name: spec.dtype for spec in specs}
    return {name: _cast(name, array, wanted.get(name, array.dtype)) for name, array in feeds.items()}


def _cast(name: str, array: Array, dtype: np.dtype[Any]) -> Array:
    if array.dtype == dtype:
        return array
    if not castable(array.dtype, dtype):
        raise ModelMismatch(
            f"input {name!r} is {dtype} in the compiled model and {array.dtype} in the original; compile it again"
            " without changing the type of its inputs."
        )
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if np.issubdtype(dtype, np.integer):
        kept = np.array_equal(cast, array)
    else:
        kept = bool(np.isfinite(cast).all() or not np.isfinite(array).all())
    if not kept:
        raise ModelMismatch(
            f"input {name!r} has values that {dtype} cannot hold, which the compiled model takes; compile it so that"
            f" its inputs stay {array.dtype}."
        )
    return cast
