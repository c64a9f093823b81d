"""What kernels compute, when somebody reads it and not before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.doubles.simulated.content import Piece
from tests.doubles.simulated.results import Execution, Results

#: From the bytes that are read to the bytes that are written, a `bytes` for each range.
Compute = Callable[[Sequence[bytes]], Sequence[bytes]]


def outputs(results: Results, work: Compute, inputs: list[list[Piece]], sizes: Sequence[int]) -> list[Piece]:
    """What one execution of a kernel writes, out of what lay in the ranges that it reads when it ran.

    Reading it raises AssertionError where the kernel makes bytes of other sizes.
    """

    def compute(data: tuple[bytes, ...]) -> tuple[bytes, ...]:
        made = results.of(work, data, lambda: work(data))
        there = tuple(len(part) for part in made)
        assert there == tuple(sizes), f"the kernel made {there} bytes, its ranges have {tuple(sizes)}"
        return made

    return Execution(inputs, compute).sources(sizes)
