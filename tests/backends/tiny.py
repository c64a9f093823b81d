"""The small model that backends on doubles run, inputs for it, and what it computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Array, Feeds, Model, Session, TensorSpec
from tests.doubles.onnx_files import tiny_convnet

FLOAT = np.dtype(np.float32)


def tiny_model(folder: Path, batch: int = 4, compiled: Path | None = None, **changes: Any) -> Model:
    """relu(conv3x3), x (batch, 3, 8, 8) -> y (batch, 4, 8, 8), with a cache in `folder`."""
    onnx = folder / "tiny.onnx"
    if not onnx.exists():
        tiny_convnet(onnx)
    given: dict[str, Any] = {
        "name": "tiny", "sha256": "0" * 64, "batch": batch, "onnx": onnx, "compiled": compiled,
        "cache": folder / "cache",
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
