"""Inputs in the dtypes that a compiled model takes: nothing is lost without a word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backends.base import ModelMismatch, TensorSpec
from backends.casting import cast_feeds, castable

DTYPES = ("float64", "float32", "float16", "int64", "int32", "int8", "uint8", "bool")


def spec(dtype: str, shape: tuple[int, ...] = (3,)) -> TensorSpec:
    return TensorSpec("x", shape, np.dtype(dtype))


def test_arrays_that_fit_are_handed_on_as_they_are() -> None:
    array = np.ones(3, np.float32)
    assert cast_feeds({"x": array}, [spec("float32")])["x"] is array


@pytest.mark.parametrize(("declared", "taken"), [("float32", "float16"), ("int64", "int32"), ("bool", "uint8")])
def test_what_stands_for_a_dtype_holds_the_same_values(declared: str, taken: str) -> None:
    array = np.array([0, 1, 1], declared)
    cast = cast_feeds({"x": array}, [spec(taken)])["x"]
    assert (cast.dtype, cast.tolist()) == (np.dtype(taken), [0, 1, 1])


@pytest.mark.parametrize(("declared", "taken"), [("float32", "uint8"), ("int64", "float32"), ("float32", "int32")])
def test_what_would_change_the_meaning_is_refused(declared: str, taken: str) -> None:
    with pytest.raises(ModelMismatch, match=f"'x' is {taken} in the compiled model and {declared}"):
        cast_feeds({"x": np.zeros(3, declared)}, [spec(taken)])


@pytest.mark.parametrize(("value", "declared", "taken"), [(1e30, "float32", "float16"), (2**40, "int64", "int32")])
def test_a_value_that_does_not_survive_is_refused(value: float, declared: str, taken: str) -> None:
    with pytest.raises(ModelMismatch, match=f"values that {taken} cannot hold"):
        cast_feeds({"x": np.full(3, value, declared)}, [spec(taken)])


def test_inputs_without_a_spec_and_other_shapes_are_left_to_the_session() -> None:
    array = np.zeros((2, 2), np.float32)
    assert cast_feeds({"y": array}, [spec("float16")])["y"] is array
    assert cast_feeds({"x": array}, [spec("float16")])["x"].shape == (2, 2)


@given(declared=st.sampled_from(DTYPES), taken=st.sampled_from(DTYPES), data=st.data())
def test_a_cast_keeps_values_to_the_precision_of_its_dtype_or_refuses(
    declared: str, taken: str, data: st.DataObject
) -> None:
    array = data.draw(arrays(declared, 4))
    try:
        cast = cast_feeds({"x": array}, [spec(taken)])["x"]
    except ModelMismatch:
        return
    assert castable(np.dtype(declared), np.dtype(taken))
    if np.issubdtype(cast.dtype, np.floating):
        relative = float(np.finfo(cast.dtype).eps)
        smallest = float(np.finfo(cast.dtype).smallest_subnormal)
        assert np.allclose(
            cast.astype(np.float64), array.astype(np.float64), rtol=relative, atol=smallest, equal_nan=True
        )
    else:
        assert np.array_equal(cast, array)
