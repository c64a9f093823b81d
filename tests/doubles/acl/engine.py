"""What a model computes, with ONNX Runtime, when its outputs are read and not before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.doubles.acl.om_file import Metadata, Tensor
from tests.doubles.simulated.content import Piece
from tests.doubles.simulated.results import Execution, Results, session_of


class Engine:
    """One model's numbers; equal executions compute once."""

    def __init__(self, metadata: Metadata, graph: bytes) -> None:
        self.metadata = metadata
        self.weight_size = len(graph)
        self._graph = graph
        self._results = Results()

    @property
    def computed(self) -> int:
        """How often it really computed."""
        return self._results.computed

    def run(self, batch: int, inputs: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The bytes of all outputs."""
        return self._results.of(batch, inputs, lambda: self._compute(batch, inputs))

    def execution(self, batch: int, inputs: list[list[Piece]], poisoned: bool) -> Execution:
        """One execution with what lies in its input buffers now; `poisoned`, it gives NaN and reads nothing."""
        if poisoned:
            outputs = self.metadata.outputs
            return Execution([], lambda _: tuple(_poison(tensor, batch) for tensor in outputs))
        return Execution(inputs, lambda data: self.run(batch, data))

    def _compute(self, batch: int, inputs: tuple[bytes, ...]) -> tuple[bytes, ...]:
        feeds = {
            tensor.graph_name: _to_graph(tensor, batch, data)
            for tensor, data in zip(self.metadata.inputs, inputs, strict=True)
        }
        results = session_of(self._graph).run([tensor.graph_name for tensor in self.metadata.outputs], feeds)
        half = self.metadata.precision == "fp16"
        return tuple(
            _to_interface(tensor, array, half) for tensor, array in zip(self.metadata.outputs, results, strict=True)
        )


def _to_graph(tensor: Tensor, batch: int, data: bytes) -> NDArray[Any]:
    array = np.frombuffer(data, tensor.dtype).reshape(tensor.shape(batch))
    if tensor.format == "NHWC":
        array = array.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(array.astype(tensor.graph_dtype))


def _to_interface(tensor: Tensor, array: NDArray[Any], half: bool) -> bytes:
    if half and array.dtype == np.float32:
        with np.errstate(over="ignore"):
            array = array.astype(np.float16).astype(np.float32)
    wanted = np.dtype(tensor.dtype)
    if wanted.kind in "iu" and array.dtype.kind == "f":
        limits = np.iinfo(wanted)
        array = np.clip(np.rint(array), limits.min, limits.max)
    if tensor.format == "NHWC":
        array = array.transpose(0, 2, 3, 1)
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(wanted).tobytes()


def _poison(tensor: Tensor, batch: int) -> bytes:
    dtype = np.dtype(tensor.dtype)
    value = np.nan if dtype.kind == "f" else np.iinfo(dtype).max if dtype.kind in "iu" else 1
    return np.full(tensor.shape(batch), value, dtype).tobytes()
