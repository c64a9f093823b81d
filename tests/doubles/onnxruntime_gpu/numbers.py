"""What a session computes: by the real ONNX Runtime on the CPU, with operands rounded as the card would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from tests.doubles.simulated.weights import round_weights, to_half, to_tf32


class Kernel:
    """The work of one run: from the bytes of the inputs to those of the outputs. `rounding`: fp16, tf32 or ""."""

    def __init__(self, path: str, rounding: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        self._path, self._rounding = path, rounding
        self._inputs = [(name, value.dtype, value.dims) for name, value in inputs]
        self._outputs = [(name, value.dtype) for name, value in outputs]
        self._session: Any = None

    def __call__(self, inputs: Sequence[bytes]) -> list[bytes]:
        feeds = {
            name: self._rounded(np.frombuffer(data[: _size(dtype, dims)], dtype).reshape(dims))
            for (name, dtype, dims), data in zip(self._inputs, inputs, strict=True)
        }
        results = self._open().run([name for name, _ in self._outputs], feeds)
        with np.errstate(over="ignore"):
            return [
                self._stored(array).astype(dtype).tobytes() or b"\0"
                for (_, dtype), array in zip(self._outputs, results, strict=True)
            ]

    def _open(self) -> Any:
        import onnxruntime

        if self._session is None:
            model = onnx.load(self._path)
            if self._rounding:
                round_weights(model, to_half if self._rounding == "fp16" else to_tf32)
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            options.intra_op_num_threads = 1
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        return self._session

    def _rounded(self, array: Any) -> Any:
        if array.dtype != np.float32 or not self._rounding:
            return array
        return to_half(array) if self._rounding == "fp16" else to_tf32(array)

    def _stored(self, array: Any) -> Any:
        return to_half(array) if array.dtype == np.float32 and self._rounding == "fp16" else array


def _size(dtype: Any, dims: Any) -> int:
    return int(np.prod(dims, dtype=np.int64)) * np.dtype(dtype).itemsize
