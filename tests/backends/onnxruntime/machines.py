"""A simulated GPU in this process, with the backend on a double of onnxruntime-gpu."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from backends.onnxruntime import OnnxRuntimeBackend
from tests.backends import simulated
from tests.doubles.cuda import Config as Machine
from tests.doubles.cuda import Virtual
from tests.doubles.onnxruntime_gpu import Config, build, vendor

#: A card without TF32; the double's own default has it.
T4: dict[str, Any] = {"device_name": "Tesla T4", "capability": (7, 5)}


@dataclass
class Simulated(simulated.Simulated):
    """A machine on virtual time unless told otherwise, and the backend that runs on it."""

    config: Config
    timing: Any = None

    def __post_init__(self) -> None:
        module = self.module = build(self.config, self.timing or Virtual())

        class OnDouble(OnnxRuntimeBackend):
            name = "simulated-onnxruntime"
            simulated = True

            def _library(self) -> Any:
                return module

            def _cuda(self) -> Any:
                return vendor(module)

        self.backend = OnDouble()

    def faults(self) -> list[str]:
        """Every rule that was broken, and everything that was never released."""
        gc.collect()  # what an error's traceback held
        found: list[str] = self.world.end()
        return found


@contextmanager
def machine(gpu: dict[str, Any] | None = None, **settings: Any) -> Iterator[Simulated]:
    """A machine that is looked over at the end: no rule broken, nothing left behind."""
    given = {"machine": Machine(**gpu)} if gpu is not None else {}
    made = Simulated(Config(**given, **settings))
    yield made
    found = made.faults()
    assert not found, found
