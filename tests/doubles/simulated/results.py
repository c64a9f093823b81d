"""What is computed, when somebody reads it and not before, and once for equal inputs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from tests.doubles.simulated.content import Piece, join

_KEPT_BYTES = 256 * 2**20
_KEPT_SESSIONS = 16


class Results:
    """Results by the work and the content of what it read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Any, tuple[bytes, ...]] = OrderedDict()
        self._bytes = 0
        #: how often something was really computed
        self.computed = 0

    def of(self, work: Any, inputs: tuple[bytes, ...], compute: Callable[[], Sequence[bytes]]) -> tuple[bytes, ...]:
        """What `compute` gives, which is for this work and these inputs always the same."""
        with self._lock:
            key = (work, inputs)
            if key not in self._kept:
                self.computed += 1
                self._kept[key] = tuple(bytes(part) for part in compute())
                self._bytes += _size(key, self._kept[key])
                while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
                    self._bytes -= _size(*self._kept.popitem(last=False))
            self._kept.move_to_end(key)
            return self._kept[key]


class Execution:
    """One execution: what lay in its inputs when it ran, and what makes its outputs of that."""

    def __init__(self, inputs: list[list[Piece]], compute: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> None:
        self._inputs, self._compute = inputs, compute
        self._outputs: tuple[bytes, ...] | None = None
        self._lock = threading.Lock()

    def outputs(self) -> tuple[bytes, ...]:
        """The bytes of its outputs, computed at the first call."""
        with self._lock:
            if self._outputs is None:
                self._outputs = self._compute(tuple(join(pieces) for pieces in self._inputs))
                self._inputs = []
            return self._outputs

    def sources(self, sizes: Sequence[int]) -> list[Piece]:
        """Each output, of so many bytes, as a piece."""
        return [Piece(size, _Output(self, index)) for index, size in enumerate(sizes)]


class _Output:
    """One output of an execution, as a source of bytes."""

    def __init__(self, execution: Execution, index: int) -> None:
        self._execution, self._index = execution, index

    def read(self, start: int, stop: int) -> bytes:
        return self._execution.outputs()[self._index][start:stop]


@lru_cache(_KEPT_SESSIONS)
def session_of(graph: bytes) -> Any:
    """ONNX Runtime for the content of an .onnx file; one for all who compute the same, since it keeps no state."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _size(key: Any, outputs: tuple[bytes, ...]) -> int:
    return sum(len(part) for part in (*key[1], *outputs))
