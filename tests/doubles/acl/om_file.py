"""Files that stand for .om models: the real header, then what is said of the model, and an .onnx file to compute it."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

MAGIC = 0x444F4D49
_HEADER_SIZE = 256
_LENGTH_AT, _PLATFORM_AT = 76, 160
FORMATS = {"NCHW": 0, "NHWC": 1, "ND": 2}


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """One input or output at the interface: `dims` in the order of `format`, -1 where the batch is dynamic.

    `graph_name` and `graph_dtype` are those of the .onnx graph.
    """

    name: str
    graph_name: str
    dims: tuple[int, ...]
    dtype: str
    graph_dtype: str
    format: str

    def shape(self, batch: int) -> tuple[int, ...]:
        """Its shape when that many images are executed."""
        return tuple(batch if dim < 0 else dim for dim in self.dims)

    def size(self, batch: int) -> int:
        """Its bytes when that many images are executed."""
        return math.prod(self.shape(batch)) * np.dtype(self.dtype).itemsize


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What atc would have put into the file. `batches` has one entry, or all gears of a dynamic batch."""

    soc: str
    precision: str
    batches: tuple[int, ...]
    dynamic: bool
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def largest(self) -> int:
        """The largest batch."""
        return max(self.batches)

    @property
    def work_size(self) -> int:
        """Bytes of a chip that an execution needs beside the weights."""
        return 2 * sum(tensor.size(self.largest) for tensor in (*self.inputs, *self.outputs))


class BadOm(Exception):  # noqa: N818 - a state of a file
    """Not a file that can be loaded; the text says why, as the runtime does."""


def write_om(
    path: Path,
    onnx_model: Path | str | bytes,
    batches: Sequence[int] = (1,),
    *,
    soc: str = "Ascend310",
    precision: str = "fp16",
    shapes: Mapping[str, Sequence[int]] | None = None,
    dtypes: Mapping[str, str] | None = None,
    formats: Mapping[str, str] | None = None,
    plain_names: bool = False,
) -> Path:
    """Write a double of an .om made from an .onnx file: static for one batch size, dynamic for several.

    `shapes` fixes the dimensions that the graph leaves free, besides the first, which is the batch. `dtypes` and
    `formats` change inputs and outputs at the interface, by their names in the graph: float16, uint8, int8; NHWC.
    With precision `fp16` the weights are rounded to half precision, and so is what it computes.
    Outputs are named `node:index:name` as documented for ONNX networks, with `plain_names` just `name`.
    """
    from tests.doubles.acl.graph import described

    graph, metadata = described(
        onnx_model, tuple(batches), soc, precision, shapes or {}, dtypes or {}, formats or {}, plain_names
    )
    path.write_bytes(packed(metadata, graph))
    return path


def packed(metadata: Metadata, graph: bytes) -> bytes:
    """The bytes of the file."""
    text = msgspec.json.encode(metadata)
    payload = struct.pack("<I", len(text)) + text + graph
    header = bytearray(_HEADER_SIZE)
    struct.pack_into("<III", header, 0, MAGIC, _HEADER_SIZE, 0x10000000)
    header[12:76] = hashlib.sha256(payload).hexdigest().encode()
    struct.pack_into("<I", header, _LENGTH_AT, len(payload))
    header[_PLATFORM_AT : _PLATFORM_AT + 9] = b"simulated"
    return bytes(header) + payload


def unpacked(content: bytes) -> tuple[Metadata, bytes]:
    """Metadata and .onnx bytes of a file. Raises BadOm where the runtime would refuse the header."""
    if len(content) < _HEADER_SIZE or struct.unpack_from("<I", content)[0] != MAGIC:
        raise BadOm("E10003: invalid om file, the magic number in its header is not that of an offline model")
    length = struct.unpack_from("<I", content, _LENGTH_AT)[0]
    if length != len(content) - _HEADER_SIZE:
        raise BadOm(f"E10003: invalid om file, {len(content) - _HEADER_SIZE} bytes of content where {length} should be")
    payload = content[_HEADER_SIZE:]
    try:
        size = struct.unpack_from("<I", payload)[0]
        return msgspec.json.decode(payload[4 : 4 + size], type=Metadata), payload[4 + size :]
    except (struct.error, msgspec.DecodeError) as error:
        raise BadOm(f"E19999: the model's definition cannot be parsed ({error})") from error


def code_of(dtype: str) -> int:
    """ACL's number of a type of data."""
    return ACL_TYPES[np.dtype(dtype).name]


ACL_TYPES: dict[str, int] = {
    "float32": 0, "float16": 1, "int8": 2, "int32": 3, "uint8": 4, "int16": 6, "uint16": 7, "uint32": 8, "int64": 9,
    "uint64": 10, "float64": 11, "bool": 12,
}  # fmt: skip
