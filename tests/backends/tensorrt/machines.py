"""A simulated GPU in this process, the backend on it, and a small model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from backends.tensorrt import TensorRTBackend, TensorRTRTXBackend
from tests.backends import simulated
from tests.doubles.cuda import Config as Machine
from tests.doubles.cuda import Virtual
from tests.doubles.tensorrt import Config, build, vendor

#: A card with TF32.
AMPERE: dict[str, Any] = {"device_name": "NVIDIA A10", "capability": (8, 6)}


@dataclass
class Simulated(simulated.Simulated):
    """A machine on virtual time unless told otherwise, and the backend that runs on it."""

    config: Config
    timing: Any = None

    def __post_init__(self) -> None:
        self.time = self.timing or Virtual()
        module = self.module = build(self.config, self.time)
        base = TensorRTRTXBackend if self.config.generation == "rtx" else TensorRTBackend

        class OnDouble(base):  # type: ignore[misc, valid-type]
            name = f"simulated-{base.name}"
            simulated = True

            def _library(self) -> Any:
                return module

            def _cuda(self) -> Any:
                return vendor(module)

        self.backend = OnDouble()

    def faults(self) -> list[str]:
        """Every rule that was broken, and everything that was never released, once the process has ended."""
        # Without a garbage collection: TensorRT's objects must go when they are let go of, even while an error is told.
        alive = self.module.state.alive()
        found: list[str] = self.world.end()
        return [*found, *(f"alive: {what}" for what in alive)]


@contextmanager
def machine(gpu: dict[str, Any] | None = None, **settings: Any) -> Iterator[Simulated]:
    """A machine that is looked over at the end: no rule broken, nothing left behind."""
    made = Simulated(Config(machine=Machine(**(gpu or {})), **settings))
    yield made
    found = made.faults()
    assert not found, found
