"""What a model computes, with ONNX Runtime, when its outputs are read and not before."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.doubles.acl.content import Piece, join
from tests.doubles.acl.om_file import Metadata, Tensor

_KEPT_BYTES = 256 * 2**20


class Engine:
    """One model's numbers. Results are kept by the content of the inputs, so that equal executions compute once."""

    def __init__(self, metadata: Metadata, graph: bytes) -> None:
        self.metadata = metadata
        self.weight_size = len(graph)
        self._graph = graph
        self._session: Any = None
        self._lock = threading.Lock()
        self._results: OrderedDict[tuple[int, tuple[bytes, ...]], tuple[bytes, ...]] = OrderedDict()
        #: how often it really computed
        self.computed = 0

    def run(self, batch: int, inputs: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The bytes of all outputs."""
        with self._lock:
            key = (batch, inputs)
            if key not in self._results:
                self._results[key] = self._compute(batch, inputs)
                self._forget()
            self._results.move_to_end(key)
            return self._results[key]

    def _compute(self, batch: int, inputs: tuple[bytes, ...]) -> tuple[bytes, ...]:
        if self._session is None:
            self._session = _session(self._graph)
        self.computed += 1
        feeds = {
            tensor.graph_name: _to_graph(tensor, batch, data)
            for tensor, data in zip(self.metadata.inputs, inputs, strict=True)
        }
        results = self._session.run([tensor.graph_name for tensor in self.metadata.outputs], feeds)
        half = self.metadata.precision == "fp16"
        return tuple(
            _to_interface(tensor, array, half) for tensor, array in zip(self.metadata.outputs, results, strict=True)
        )

    def _forget(self) -> None:
        def size() -> int:
            return sum(len(data) for key, values in self._results.items() for data in (*key[1], *values))

        while len(self._results) > 1 and size() > _KEPT_BYTES:
            self._results.popitem(last=False)


class Execution:
    """One execution: what lay in its input buffers when it ran."""

    def __init__(self, engine: Engine, batch: int, inputs: list[list[Piece]], poisoned: bool) -> None:
        self._engine, self._batch, self._inputs, self._poisoned = engine, batch, inputs, poisoned
        self._outputs: tuple[bytes, ...] | None = None
        self._lock = threading.Lock()

    def outputs(self) -> tuple[bytes, ...]:
        """The bytes of its outputs, computed at the first call."""
        with self._lock:
            if self._outputs is None:
                if self._poisoned:
                    tensors = self._engine.metadata.outputs
                    self._outputs = tuple(_poison(tensor, self._batch) for tensor in tensors)
                else:
                    self._outputs = self._engine.run(self._batch, tuple(join(pieces) for pieces in self._inputs))
                self._inputs = []
            return self._outputs


class Output:
    """One output of an execution, as a source of bytes."""

    def __init__(self, execution: Execution, index: int) -> None:
        self._execution, self._index = execution, index

    def read(self, start: int, stop: int) -> bytes:
        return self._execution.outputs()[self._index][start:stop]


def _session(graph: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


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
