from __future__ import annotations

import numpy as np
import pytest

from datasets import DatasetError, random_tensor


@pytest.mark.parametrize(
    "dtype",
    ["float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"],
)
def test_same_arguments_same_tensor_another_seed_another(dtype: str) -> None:
    first = random_tensor((2, 3, 50), dtype, 7)
    assert first.dtype == np.dtype(dtype)
    assert first.shape == (2, 3, 50)
    assert first.tobytes() == random_tensor((2, 3, 50), dtype, 7).tobytes()
    assert first.tobytes() != random_tensor((2, 3, 50), dtype, 8).tobytes()
    assert len(np.unique(first)) > 1


def test_known_answers() -> None:
    expected = np.random.Generator(np.random.PCG64(5)).standard_normal(4).astype(np.float32)
    assert random_tensor((4,), "float32", 5).tobytes() == expected.tobytes()
    assert set(np.unique(random_tensor((2000,), "int64", 0))) == set(range(128))
    assert set(np.unique(random_tensor((200,), "int32", 0, 3, 5))) == {3, 4, 5}
    assert random_tensor((4,), "uint64", 0, 0, 0).tolist() == [0, 0, 0, 0]
    uniform = random_tensor((1000,), "float32", 0, -1, 1)
    assert -1 <= uniform.min() < -0.9
    assert 0.9 < uniform.max() <= 1


def test_scalars_and_empty_shapes() -> None:
    for dtype in ("float32", "int64", "bool"):
        assert random_tensor((), dtype, 0).shape == ()
        assert random_tensor((0, 3), dtype, 0).shape == (0, 3)
        assert isinstance(random_tensor((), dtype, 0), np.ndarray)


@pytest.mark.parametrize("dtype", ["complex64", "str", "object", "datetime64[s]", "nonsense", ">f4", "longdouble"])
def test_an_unsupported_dtype_is_refused(dtype: str) -> None:
    with pytest.raises(DatasetError, match="dtype"):
        random_tensor((2,), dtype, 0)


@pytest.mark.parametrize(
    ("shape", "dtype", "seed", "low", "high", "message"),
    [
        ((2, -1), "float32", 0, None, None, "axis 1"),
        ((2, "n"), "float32", 0, None, None, "axis 1 .* is 'n'"),
        ((2, True), "float32", 0, None, None, "axis 1"),
        ((2,), "float32", -1, None, None, "seed is -1"),
        ((2,), "float32", 0, 1, None, "both or neither"),
        ((2,), "float32", 0, 2, 1, "empty"),
        ((2,), "float32", 0, 0, float("inf"), "not finite"),
        ((2,), "float16", 0, 0, 1e6, "does not fit float16"),
        ((2,), "uint8", 0, -1, 3, "does not fit uint8"),
        ((2,), "int8", 0, 0, 128, "does not fit int8"),
        ((2,), "int32", 0, 0.5, 2, "not whole"),
        ((2,), "bool", 0, 0, 1, "dtype bool"),
    ],
)
def test_bad_arguments_are_refused(
    shape: tuple[int, ...], dtype: str, seed: int, low: float | None, high: float | None, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        random_tensor(shape, dtype, seed, low, high)
