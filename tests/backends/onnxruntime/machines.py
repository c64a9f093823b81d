"""A simulated GPU in this process, with the backend on a double of onnxruntime-gpu."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from backends.base import Artifact, Device, Model, OptionValue, Precision, Session
from backends.onnxruntime import OnnxRuntimeBackend
from tests.doubles.cuda import Config as Machine
from tests.doubles.cuda import Virtual
from tests.doubles.onnxruntime_gpu import Config, build, vendor

DEVICE = Device("cuda", 0)
#: A card without TF32; the double's own default has it.
T4: dict[str, Any] = {"device_name": "Tesla T4", "capability": (7, 5)}


@dataclass
class Simulated:
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

    @property
    def world(self) -> Any:
        return self.module.state.world

    def options(self, **given: OptionValue) -> dict[str, OptionValue]:
        return {spec.key: spec.default for spec in self.backend.options} | given

    def prepare(
        self, model: Model, precision: Precision = Precision.FP32, device: Device = DEVICE, **given: OptionValue
    ) -> Artifact:
        return self.backend.prepare(model, precision, device, self.options(**given))

    def open(
        self, model: Model, precision: Precision = Precision.FP32, device: Device = DEVICE, **given: OptionValue
    ) -> Session:
        artifact = self.prepare(model, precision, device, **given)
        return self.backend.open(artifact, device, self.options(**given))

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
