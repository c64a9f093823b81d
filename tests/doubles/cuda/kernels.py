"""What kernels compute, when somebody reads it and not before."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from tests.doubles.acl.content import Piece, join

#: From the bytes that are read to the bytes that are written, a `bytes` for each range.
Compute = Callable[[Sequence[bytes]], Sequence[bytes]]

_KEPT_BYTES = 256 * 2**20


class Results:
    """Results by the kernel and the content of what it read, so that equal launches compute once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Any, tuple[bytes, ...]] = OrderedDict()
        self._bytes = 0
        #: how often something was really computed
        self.computed = 0

    def of(self, work: Compute, inputs: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """What `work` makes of `inputs`."""
        with self._lock:
            key = (work, inputs)
            if key not in self._kept:
                self.computed += 1
                self._kept[key] = tuple(bytes(part) for part in work(inputs))
                self._bytes += _size(key, self._kept[key])
                while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
                    self._bytes -= _size(*self._kept.popitem(last=False))
            self._kept.move_to_end(key)
            return self._kept[key]


class Execution:
    """One execution: what lay in the ranges that it reads when it ran. Its outputs are sources of bytes."""

    def __init__(self, results: Results, work: Compute, inputs: list[list[Piece]], sizes: Sequence[int]) -> None:
        self._results, self._work, self._inputs, self._sizes = results, work, inputs, tuple(sizes)
        self._outputs: tuple[bytes, ...] | None = None

    def outputs(self) -> tuple[bytes, ...]:
        """The bytes of its outputs, computed at the first call. Raises AssertionError on bytes of another size."""
        if self._outputs is None:
            made = self._results.of(self._work, tuple(join(pieces) for pieces in self._inputs))
            sizes = tuple(len(part) for part in made)
            assert sizes == self._sizes, f"the kernel made {sizes} bytes, its ranges have {self._sizes}"
            self._outputs = made
            self._inputs = []
        return self._outputs

    def sources(self) -> list[Piece]:
        """Each output as a piece."""
        return [Piece(size, Output(self, index)) for index, size in enumerate(self._sizes)]


class Output:
    """One output of an execution, as a source of bytes."""

    def __init__(self, execution: Execution, index: int) -> None:
        self._execution, self._index = execution, index

    def read(self, start: int, stop: int) -> bytes:
        return self._execution.outputs()[self._index][start:stop]


def _size(key: Any, outputs: tuple[bytes, ...]) -> int:
    return sum(len(part) for part in (*key[1], *outputs))
