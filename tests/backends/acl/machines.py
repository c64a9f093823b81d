"""A simulated machine in this process, the backend on it, and a small model as .om files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backends.acl import AclBackend
from backends.acl.library import Library
from backends.acl.runtime import runtime_of
from backends.base import Array, Artifact, Device, Feeds, Model, OptionValue, Precision, Session, TensorSpec
from tests.doubles.acl import Config, Virtual, at_exit, build, write_om
from tests.doubles.onnx_files import tiny_convnet

FLOAT = np.dtype(np.float32)
GEARS = (1, 4, 8)


def tiny_model(folder: Path, batch: int, compiled: Path | None = None) -> Model:
    """relu(conv3x3), x (batch, 3, 8, 8) -> y (batch, 4, 8, 8)."""
    onnx = folder / "tiny.onnx"
    if not onnx.exists():
        tiny_convnet(onnx)
    return Model(
        name="tiny", sha256="0" * 64, batch=batch, onnx=onnx, compiled=compiled,
        inputs=(TensorSpec("x", (batch, 3, 8, 8), FLOAT),), outputs=(TensorSpec("y", (batch, 4, 8, 8), FLOAT),),
    )  # fmt: skip


def compiled(folder: Path, **changes: Any) -> Path:
    """A folder with tiny_bs1.om, tiny_bs4.om, tiny_bs8.om and tiny_dyn1-4-8.om."""
    onnx = tiny_model(folder, 1).onnx
    assert onnx is not None
    place = folder / "oms"
    place.mkdir(exist_ok=True)
    for batch in GEARS:
        write_om(place / f"tiny_bs{batch}.om", onnx, [batch], **changes)
    write_om(place / f"tiny_dyn{'-'.join(map(str, GEARS))}.om", onnx, GEARS, **changes)
    return place


def feeds(seed: int, batch: int = 4) -> dict[str, Array]:
    return {"x": np.random.default_rng(seed).standard_normal((batch, 3, 8, 8), np.float32)}


def reference(model: Model, given: Feeds) -> Array:
    """What ONNX Runtime gives for the original."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model.onnx), providers=["CPUExecutionProvider"])
    output: Array = session.run(None, dict(given))[0]
    return output


@dataclass
class Simulated:
    """A machine on virtual time, and the backend that runs on it."""

    config: Config

    def __post_init__(self) -> None:
        self.time = Virtual()
        self.module = build(self.config, self.time)
        module = self.module

        class OnDouble(AclBackend):
            name = "simulated-acl"
            simulated = True

            def _missing(self) -> str:
                return ""

            def _library(self) -> Any:
                return module

        self.backend = OnDouble()

    def options(self, **given: OptionValue) -> dict[str, OptionValue]:
        return {spec.key: spec.default for spec in self.backend.options} | {"soc": self.config.soc} | given

    def prepare(self, model: Model, precision: Precision = Precision.FP16, **given: OptionValue) -> Artifact:
        return self.backend.prepare(model, precision, Device("npu"), self.options(**given))

    def open(self, model: Model, chip: int = 0, precision: Precision = Precision.FP16, **given: OptionValue) -> Session:
        artifact = self.prepare(model, precision, **given)
        return self.backend.open(artifact, Device("npu", chip), self.options(**given))

    def faults(self) -> list[str]:
        """Every rule that was broken, and everything that was never released, once the process has ended."""
        runtime_of(Library(self.module))._finalise()
        at_exit(self.module.state)
        state = self.module.state
        return [str(entry) for entry in (*state.violations, *state.leaks)]


@contextmanager
def machine(**settings: Any) -> Iterator[Simulated]:
    """A machine that is looked over at the end: no rule broken, nothing left behind."""
    made = Simulated(Config(**settings))
    yield made
    assert made.faults() == []
