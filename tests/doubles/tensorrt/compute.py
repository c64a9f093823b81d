"""What an engine computes, with ONNX Runtime, when its outputs are read and not before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.doubles.simulated.results import session_of
from tests.doubles.simulated.weights import to_half, to_tf32
from tests.doubles.tensorrt.plan import Plan

NUMPY = {
    "FLOAT": "float32", "HALF": "float16", "INT8": "int8", "INT32": "int32", "INT64": "int64", "UINT8": "uint8",
    "BOOL": "bool",
}  # fmt: skip


class Numbers:
    """The arithmetic of one engine, made when it is first needed."""

    def __init__(self, plan: Plan, graph: bytes) -> None:
        self._plan, self._graph = plan, graph
        self._kernels: dict[Any, Kernel] = {}

    def kernel(self, shapes: Mapping[str, tuple[int, ...]]) -> Kernel:
        """The work for inputs of these shapes; equal shapes give the same object."""
        key = tuple(sorted(shapes.items()))
        return self._kernels.setdefault(key, Kernel(self, dict(shapes)))

    def run(self, shapes: Mapping[str, tuple[int, ...]], inputs: Sequence[bytes]) -> list[bytes]:
        """Bytes of the outputs, in the plan's order."""
        feeds = {}
        for tensor, data in zip(self._plan.inputs, inputs, strict=True):
            array = np.frombuffer(data, NUMPY[tensor.dtype]).reshape(shapes[tensor.name])
            feeds[tensor.name] = self._rounded(array.astype(tensor.graph_dtype))
        results = session_of(self._graph).run([tensor.name for tensor in self._plan.outputs], feeds)
        with np.errstate(over="ignore", invalid="ignore"):
            return [
                self._stored(array).astype(NUMPY[tensor.dtype]).tobytes()
                for tensor, array in zip(self._plan.outputs, results, strict=True)
            ]

    def _rounded(self, array: Any) -> Any:
        """Operands as the tensor cores see them."""
        if array.dtype != np.float32:
            return array
        if self._plan.precision == "fp16":
            return to_half(array)
        return to_tf32(array) if self._plan.tf32 else array

    def _stored(self, array: Any) -> Any:
        """Results as they are written: TF32 ones are whole fp32."""
        return to_half(array) if array.dtype == np.float32 and self._plan.precision == "fp16" else array


class Kernel:
    """The work of one launch."""

    def __init__(self, numbers: Numbers, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._numbers, self._shapes = numbers, shapes

    def __call__(self, inputs: Sequence[bytes]) -> list[bytes]:
        return self._numbers.run(self._shapes, inputs)
