"""Tensors as files: raw .bin, .npy, and the text that msame writes. float32 in memory.

.bin is the values in C order and nothing else, so a reader must know the shape. .txt is what msame writes (its source:
Ascend/tools, msame/src): values in C++'s default formatting, 6 significant digits, a space after each, a line for every
row of the last dimension; ais_bench's has 6 decimals instead and reads the same.
"""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from datasets.errors import DatasetError

TensorFormat = Literal["bin", "npy", "txt"]
FORMATS: Final[tuple[TensorFormat, ...]] = get_args(TensorFormat)
Array32 = NDArray[np.float32]

# As JSON the text is read by a parser that makes no Python object for a number; see `_fast`.
_kept = threading.local()
_AS_JSON: Final = bytes.maketrans(b" \n", b", ")


def read_tensor(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any] | None = None) -> Array32:
    """The tensor in a .bin, .npy or .txt file, as float32 of that shape. NaN and infinities are values like others.

    `dtype` is what a .bin holds (float32 unless given). Raises DatasetError, naming what was found and what was
    expected: another size, count or shape, a text line with another number of values, or a token that is no number.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind == "bin":
        return _read_bin(path, shape, np.dtype(np.float32) if dtype is None else dtype)
    if kind == "npy":
        return _read_npy(path, shape)
    if kind == "txt":
        return _read_txt(path, shape)
    raise DatasetError(f"{path}: not a tensor file; its name must end in {', '.join(f'.{name}' for name in FORMATS)}")


def write_tensor(path: Path, array: Array32) -> None:
    """Write in the format that the name ends in. Raises OSError. Text loses digits: six significant ones are kept."""
    kind = path.suffix.lower().lstrip(".")
    if kind == "bin":
        # Not ndarray.tofile, which turns a full disk into an error without its reason.
        path.write_bytes(np.ascontiguousarray(array).tobytes())
    elif kind == "npy":
        with path.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    elif kind == "txt":
        path.write_text(_as_text(array), encoding="ascii")
    else:
        raise ValueError(f"{path} ends in none of {FORMATS}")


def nonfinite(array: Array32) -> int:
    """How many values are NaN or infinite."""
    return int(array.size - np.count_nonzero(np.isfinite(array)))


def _read_bin(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array32:
    expected = math.prod(shape) * dtype.itemsize
    data = _read(path)
    if len(data) != expected:
        hint = _another_batch(len(data), expected, shape)
        if 2 * len(data) == expected and dtype == np.float32:
            hint += ", or it holds float16 (--dtype float16)"
        raise DatasetError(f"{path}: {len(data)} bytes, expected {expected} for {_words(shape)} {dtype}{hint}")
    return np.frombuffer(data, dtype=dtype).astype(np.float32, copy=False).reshape(shape)


def _read_npy(path: Path, shape: tuple[int, ...]) -> Array32:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path}: no readable .npy file ({error}); write it again") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise DatasetError(f"{path}: holds no array of numbers; write it again with numpy.save")
    if array.shape != shape:
        hint = _another_batch(array.size, math.prod(shape), shape)
        raise DatasetError(f"{path}: shape {_words(array.shape)}, expected {_words(shape)}{hint}")
    return array.astype(np.float32, copy=False)


def _read_txt(path: Path, shape: tuple[int, ...]) -> Array32:
    data = _read(path)
    values = _fast(data)
    if values is None or values.size != math.prod(shape):
        values = _careful(path, data, shape)
    return values.astype(np.float32).reshape(shape)


def _fast(data: bytes) -> NDArray[np.float64] | None:
    """All numbers of the text, or None where it holds anything that is not plainly numbers: `_careful` then decides.

    A tensor of 16 images has 786,432 numbers; Python's float() takes ten times as long for them.
    """
    if b"," in data or b"[" in data:  # would be taken for JSON's own
        return None
    document = b"[" + data.rstrip().translate(_AS_JSON) + b"]"
    try:
        # The document must be gone before the parser is used again, so it gets no name.
        return np.frombuffer(_parser().parse(document).as_buffer(of_type="d"), dtype=np.float64)
    except (ValueError, TypeError):  # nan, inf, 1., two spaces in a row, or something worse
        return None


def _parser() -> Any:
    """This thread's parser, kept: the memory that it grows is touched for the first time only once."""
    if not hasattr(_kept, "parser"):
        import simdjson

        _kept.parser = simdjson.Parser()
    return _kept.parser


def _careful(path: Path, data: bytes, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The numbers by Python's own rules. Raises DatasetError with the line of what is wrong."""
    expected, row = math.prod(shape), shape[-1] if shape else 1
    values: list[float] = []
    odd = ""
    for number, line in enumerate(data.split(b"\n"), start=1):
        tokens = line.split()
        for token in tokens:
            try:
                values.append(float(token))
            except ValueError:
                shown = token[:40].decode("utf-8", errors="replace")
                raise DatasetError(f"{path} line {number}: {shown!r} is no number; write the file again") from None
        if tokens and len(tokens) != row and not odd:
            odd = f"; line {number} has {len(tokens)} values instead of {row}"
    if len(values) != expected:
        hint = _another_batch(len(values), expected, shape) or odd or "; the file is cut off or of another model"
        raise DatasetError(f"{path}: {len(values)} values, expected {expected} for {_words(shape)}{hint}")
    return np.array(values, dtype=np.float64)


def _as_text(array: Array32) -> str:
    rows = array.reshape(-1, array.shape[-1] if array.ndim else 1)
    line = "%g " * rows.shape[1] + "\n"
    return "".join([line % tuple(row) for row in rows.tolist()])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error}); check the file") from None


def _words(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a scalar"


def _another_batch(found: int, expected: int, shape: tuple[int, ...]) -> str:
    """A hint where the size fits another number of images."""
    image = expected // shape[0] if shape and shape[0] else 0
    if not image or found % image or found == 0:
        return ""
    return f", which fits a batch of {found // image}: check --bs"
