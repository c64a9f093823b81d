"""A model to hold a backend to: inputs from a seed, and what they must give."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Array, Device, Feeds, Model, TensorSpec

_FLOAT = np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class Case:
    """A model, inputs for it, and the right answers.

    `feeds(seed)` makes new arrays, other ones for another seed. `reference(feeds)` gives the outputs in float64, of the
    shapes that the model declares. One inference should take about a millisecond or more: the kit times it.
    """

    model: Model
    feeds: Callable[[int], Feeds]
    reference: Callable[[Feeds], Mapping[str, Array]]


def tiny_case(folder: Path, device: Device) -> Case:
    """conv3x3, relu, conv3x3 with weights from a seed: as an .onnx file in `folder`, and as a PyTorch module.

    Either form is left out where its package is not installed. About 1 to 5 ms of work: 90 MFLOP for a CPU, 10 GFLOP
    for anything else.
    """
    batch, size, channels = (4, 64, 16) if device.kind == "cpu" else (8, 128, 64)
    rng = np.random.default_rng(0)
    weights = tuple(
        (rng.normal(size=(channels, inputs, 3, 3)) / np.sqrt(9 * inputs)).astype(_FLOAT) for inputs in (3, channels)
    )
    x = TensorSpec("x", (batch, 3, size, size), _FLOAT)
    y = TensorSpec("y", (batch, channels, size, size), _FLOAT)
    has_onnx, has_torch = (importlib.util.find_spec(name) is not None for name in ("onnx", "torch"))
    model = Model(
        name="the conformance kit's network",
        sha256=hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest(),
        batch=batch,
        inputs=(x,),
        outputs=(y,),
        onnx=_write_onnx(folder / "conformance.onnx", weights, x, y) if has_onnx else None,
        torch_module=partial(_torch_module, weights) if has_torch else None,
        cache=folder,
    )

    def feeds(seed: int) -> Feeds:
        return {x.name: np.random.default_rng(seed).standard_normal(x.shape, _FLOAT)}

    def reference(feeds: Feeds) -> Mapping[str, Array]:
        hidden = np.maximum(_conv3x3(feeds[x.name].astype(np.float64), weights[0]), 0)
        return {y.name: _conv3x3(hidden, weights[1])}

    return Case(model, feeds, reference)


def _conv3x3(x: Array, weights: Array) -> Array:
    """Convolution by its definition, zeros around; x (batch, in, height, width), weights (out, in, 3, 3)."""
    batch, _, height, width = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.zeros((batch, len(weights), height * width), x.dtype)
    for row in range(3):
        for column in range(3):
            window = padded[:, :, row : row + height, column : column + width]
            out += weights[:, :, row, column].astype(x.dtype) @ window.reshape(batch, -1, height * width)
    return out.reshape(batch, len(weights), height, width)


def _write_onnx(path: Path, weights: tuple[Array, ...], x: TensorSpec, y: TensorSpec) -> Path:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [
            helper.make_node("Conv", [x.name, "w0"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["r"]),
            helper.make_node("Conv", ["r", "w1"], [y.name], pads=[1, 1, 1, 1]),
        ],
        "conformance",
        [helper.make_tensor_value_info(x.name, TensorProto.FLOAT, ["batch", *x.shape[1:]])],
        [helper.make_tensor_value_info(y.name, TensorProto.FLOAT, ["batch", *y.shape[1:]])],
        [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)],
    )
    # The oldest forms that every engine reads.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


def _torch_module(weights: tuple[Array, ...]) -> Any:
    import torch
    from torch import nn

    layers = []
    for w in weights:
        layer = nn.Conv2d(w.shape[1], w.shape[0], 3, padding=1, bias=False)
        layer.weight = nn.Parameter(torch.from_numpy(w.copy()))
        layers.append(layer)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1])
