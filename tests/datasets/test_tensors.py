"""Tensor files: what is written reads the same, text reads as Python's float() does, and bad files say where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from datasets.errors import DatasetError
from datasets.tensors import FORMATS, nonfinite, read_tensor, write_tensor

SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, max_side=5)
FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(array=arrays.arrays(np.float32, SHAPES, elements=FLOATS), kind=st.sampled_from(["bin", "npy"]))
def test_raw_files_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, kind: str
) -> None:
    path = tmp_path_factory.mktemp("tensors") / f"a.{kind}"
    write_tensor(path, array)
    assert read_tensor(path, array.shape).tobytes() == array.tobytes()


@given(array=arrays.arrays(np.float32, SHAPES, elements=FLOATS))
def test_text_keeps_six_digits_and_reads_as_pythons_float(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("tensors") / "a.txt"
    write_tensor(path, array)
    read = read_tensor(path, array.shape)
    expected = [float(f"{value:g}") for value in array.ravel().tolist()]
    np.testing.assert_array_equal(read.ravel(), np.array(expected, np.float64).astype(np.float32))


TOKENS = st.one_of(
    st.floats(width=32).map(lambda x: f"{x:g}"),
    st.floats(width=32).map(lambda x: f"{x:f}"),
    st.floats().map(repr),
    st.sampled_from(["nan", "-nan", "inf", "-inf", "0", "-0", "+1", ".5", "1.", "007", "1e5", "1E-05"]),
)
GAPS = st.sampled_from([" ", "  ", "\n", " \n", "\t", "\r\n"])


@given(tokens=st.lists(TOKENS, min_size=1, max_size=12), gaps=st.lists(GAPS, min_size=12, max_size=12))
def test_any_text_that_python_takes_for_numbers_reads_as_these(
    tmp_path_factory: pytest.TempPathFactory, tokens: list[str], gaps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("tensors") / "a.txt"
    path.write_bytes("".join(a + b for a, b in zip(tokens, gaps, strict=False)).encode())
    with np.errstate(over="ignore"):
        expected = np.array([float(token) for token in tokens]).astype(np.float32)
        np.testing.assert_array_equal(read_tensor(path, (len(tokens),)), expected)


def test_the_text_is_msames(tmp_path: Path) -> None:
    path = tmp_path / "0_output_0.txt"
    write_tensor(path, np.array([[[1.0, -0.5, 1 / 3], [1e-5, 123456.789, 0]]], np.float32))
    assert path.read_text() == "1 -0.5 0.333333 \n1e-05 123457 0 \n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 2\n3 x7\n", ["a.txt line 2", "'x7' is no number"]),
        ("1 2\n3,5 4\n", ["a.txt line 2", "'3,5' is no number"]),
        ("[1 2]\n3 4\n", ["a.txt line 1", "'[1' is no number"]),
        ("1 2\ntrue 4\n", ["a.txt line 2", "'true' is no number"]),
        ('1 2\n"3" 4\n', ["a.txt line 2", "is no number"]),
        ("1 2\n3\n", ["3 values, expected 4 for 2x2", "line 2 has 1 values instead of 2"]),
        ("1 2\n", ["2 values, expected 4", "fits a batch of 1", "--bs"]),
        ("", ["0 values, expected 4"]),
    ],
)
def test_bad_text_says_file_and_line(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(DatasetError) as caught:
        read_tensor(path, (2, 2))
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_bin_of_another_size_names_both_sizes(tmp_path: Path) -> None:
    path = tmp_path / "7.bin"
    np.zeros((4, 5), np.float32).tofile(path)
    with pytest.raises(DatasetError, match=r"7.bin: 80 bytes, expected 320 for 16x5 float32, which fits a batch of 4"):
        read_tensor(path, (16, 5))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=r"7.bin: 79 bytes, expected 80 for 4x5 float32$"):
        read_tensor(path, (4, 5))


def test_float16_is_read_when_it_is_named_and_suggested_when_it_is_not(tmp_path: Path) -> None:
    path, values = tmp_path / "0_output_0.bin", np.array([[0.5, -1.25]], np.float16)
    values.tofile(path)
    np.testing.assert_array_equal(read_tensor(path, (1, 2), np.dtype(np.float16)), values.astype(np.float32))
    with pytest.raises(DatasetError, match="--dtype float16"):
        read_tensor(path, (1, 2))


def test_an_npy_that_is_none_or_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY nothing")
    with pytest.raises(DatasetError, match=r"a.npy: no readable .npy file"):
        read_tensor(path, (2, 2))
    np.save(path, np.zeros((2, 3)))
    with pytest.raises(DatasetError, match="shape 2x3, expected 2x2"):
        read_tensor(path, (2, 2))
    np.save(path, np.array(["a", "b"]))
    with pytest.raises(DatasetError, match="holds no array of numbers"):
        read_tensor(path, (2,))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DatasetError, match=f"no.{kind}"):
        read_tensor(tmp_path / f"no.{kind}", (1,))


def test_what_is_no_number_is_counted() -> None:
    assert nonfinite(np.array([1, np.nan, np.inf, -np.inf, 0], np.float32)) == 3
