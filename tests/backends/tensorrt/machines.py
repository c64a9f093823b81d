"""A simulated GPU in this process, the backend on it, and a small model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Array, Artifact, Device, Feeds, Model, OptionValue, Precision, Session, TensorSpec
from backends.tensorrt import TensorRTBackend, TensorRTRTXBackend
from tests.doubles.cuda import Config as Machine
from tests.doubles.cuda import Virtual
from tests.doubles.onnx_files import tiny_convnet
from tests.doubles.tensorrt import Config, build, vendor

FLOAT = np.dtype(np.float32)
DEVICE = Device("cuda", 0)
#: A card with TF32.
AMPERE: dict[str, Any] = {"device_name": "NVIDIA A10", "capability": (8, 6)}


def tiny_model(folder: Path, batch: int = 4, **changes: Any) -> Model:
    """relu(conv3x3), x (batch, 3, 8, 8) -> y (batch, 4, 8, 8), with a cache in `folder`."""
    onnx = folder / "tiny.onnx"
    if not onnx.exists():
        tiny_convnet(onnx)
    given: dict[str, Any] = {
        "name": "tiny", "sha256": "0" * 64, "batch": batch, "onnx": onnx, "cache": folder / "cache",
        "inputs": (TensorSpec("x", (batch, 3, 8, 8), FLOAT),), "outputs": (TensorSpec("y", (batch, 4, 8, 8), FLOAT),),
    }  # fmt: skip
    return Model(**{**given, **changes})


def feeds(seed: int, batch: int = 4) -> dict[str, Array]:
    return {"x": np.random.default_rng(seed).standard_normal((batch, 3, 8, 8), np.float32)}


def reference(model: Model, given: Feeds) -> Array:
    """What ONNX Runtime gives for the original."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model.onnx), providers=["CPUExecutionProvider"])
    output: Array = session.run(None, dict(given))[0]
    return output


def infer(session: Session, given: Feeds) -> Array:
    session.copy_inputs(given)
    session.enqueue()
    session.synchronize()
    return next(iter(session.copy_outputs().values()))


@dataclass
class Simulated:
    """A machine on virtual time, and the backend that runs on it."""

    config: Config

    def __post_init__(self) -> None:
        self.time = Virtual()
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

    @property
    def world(self) -> Any:
        return self.module.state.world

    def options(self, **given: OptionValue) -> dict[str, OptionValue]:
        return {spec.key: spec.default for spec in self.backend.options} | given

    def prepare(self, model: Model, precision: Precision = Precision.FP32, **given: OptionValue) -> Artifact:
        artifact: Artifact = self.backend.prepare(model, precision, DEVICE, self.options(**given))
        return artifact

    def open(self, model: Model, precision: Precision = Precision.FP32, **given: OptionValue) -> Session:
        artifact = self.prepare(model, precision, **given)
        session: Session = self.backend.open(artifact, DEVICE, self.options(**given))
        return session

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
