"""A simulated machine, and CUDA opened on it through either module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from backends._cuda import Cuda, open_cuda
from tests.doubles.cuda import Config, Range, Virtual, World
from tests.doubles.cuda.vendor import vendor

APIS = ("cuda-bindings", "pycuda")
INVERT_MS = 5.0


def world_of(**settings: Any) -> World:
    """A machine on virtual time."""
    return World(Config(**settings), Virtual())


@contextmanager
def machine(api: str, **settings: Any) -> Iterator[tuple[World, Cuda]]:
    """An open device, looked over at the end: no rule broken, nothing left behind."""
    world = world_of(**settings)
    with open_cuda(0, api, vendor(world)) as cuda:
        yield world, cuda
    assert world.end() == []


def invert(inputs: Any) -> list[bytes]:
    """The kernel of these tests."""
    return [(255 - np.frombuffer(part, np.uint8)).tobytes() for part in inputs]


def launch_invert(world: World, cuda: Cuda, source: Any, target: Any) -> None:
    """Put it on the stream, as another library does."""
    reads, writes = [Range(source.address, source.size)], [Range(target.address, target.size)]
    world.launch(cuda.stream, INVERT_MS / 1e3, invert, reads, writes)
