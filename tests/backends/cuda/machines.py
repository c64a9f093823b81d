"""A simulated machine, and CUDA opened on it through either module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from backends._cuda import Cuda, Vendor, open_cuda
from backends._cuda.vendor import load_pycuda
from tests.doubles.cuda import Config, Range, Virtual, World

APIS = ("cuda-bindings", "pycuda")
VERSIONS = {"cuda-bindings": "13.0.3", "pycuda": "2026.1"}
INVERT_MS = 5.0


def vendor(world: World, installed: Sequence[str] = APIS) -> Vendor:
    """Its modules, of which some are installed: both, or those that are named."""
    return Vendor(
        bindings=world.runtime,
        pycuda=lambda: load_pycuda(lambda _: world.pycuda()),
        installed=lambda: {name: VERSIONS[name] for name in installed},
        driver_version=lambda: world.config.driver_version,
    )


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
