"""A simulated GPU under PyTorch, the backend on it, and a small network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backends import conformance
from backends.base import Artifact, Device, Model, OptionValue, Precision, Session
from backends.conformance import Case
from backends.pytorch import PyTorchBackend
from tests.doubles.torch_cuda import World

BACKEND = PyTorchBackend()
CPU, CUDA = Device("cpu"), Device("cuda")


def case(folder: Path) -> Case:
    """The kit's for the CPU, which is what computes here: x (4, 3, 64, 64) -> y (4, 16, 64, 64)."""
    return conformance.tiny_case(folder, CPU)


def options(**given: OptionValue) -> dict[str, OptionValue]:
    return {spec.key: spec.default for spec in BACKEND.options} | given


def prepare(
    model: Model, precision: Precision = Precision.FP32, device: Device = CUDA, **given: OptionValue
) -> Artifact:
    return BACKEND.prepare(model, precision, device, options(**given))


def open_session(
    model: Model, precision: Precision = Precision.FP32, device: Device = CUDA, **given: OptionValue
) -> Session:
    return BACKEND.open(prepare(model, precision, device, **given), device, options(**given))


@contextmanager
def machine(**settings: Any) -> Iterator[World]:
    """Looked over at the end: no rule broken, nothing left behind."""
    world = World(**settings)
    with world.installed():
        yield world
        assert world.breaches == []
        assert world.left() == (0, 0)
