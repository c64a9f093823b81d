"""Files that stand for engines: what they are bound to, what they take and give, and an .onnx file to compute it."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import msgspec

from tests.doubles.tensorrt.model import Tensor

_MAGIC = b"ptrt"

#: Smallest, usual and largest shape by the input's name.
Ranges = dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`library` is product and version. `layers` are (name, type), empty for an engine that tells nothing of them."""

    library: str
    gpu: str
    capability: tuple[int, int]
    precision: str
    tf32: bool
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    profiles: tuple[Ranges, ...]
    layers: tuple[tuple[str, str], ...] = ()


class BadPlan(Exception):  # noqa: N818 - a state of a file
    """What the runtime says of a file that it cannot read."""


def packed(plan: Plan, graph: bytes) -> bytes:
    """The bytes of the file."""
    text = msgspec.json.encode(plan)
    payload = struct.pack("<I", len(text)) + text + graph
    return _MAGIC + hashlib.sha256(payload).digest() + payload


def unpacked(content: Any) -> tuple[Plan, bytes]:
    """Raises BadPlan."""
    content = bytes(content)
    if content[:4] != _MAGIC:
        raise BadPlan("Error Code 1: Serialization (Serialization assertion magicTagRead == kMAGIC_TAG failed.)")
    payload = content[36:]
    if content[4:36] != hashlib.sha256(payload).digest():
        raise BadPlan("Error Code 1: Serialization (Serialization assertion sizeRead == static_cast<uint64_t>(size).)")
    size = struct.unpack_from("<I", payload)[0]
    return msgspec.json.decode(payload[4 : 4 + size], type=Plan), payload[4 + size :]
