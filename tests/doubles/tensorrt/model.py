"""What TensorRT sees in an .onnx file, the shapes that follow from given inputs, and weights of reduced precision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, shape_inference

from tests.doubles.simulated import weights
from tests.doubles.simulated.weights import to_half, to_tf32

#: Their outputs' sizes depend on values.
_BY_DATA = frozenset({"NonZero", "Unique", "NonMaxSuppression"})
#: Operators whose second input is a shape.
_SHAPED = frozenset({"Reshape", "Expand", "Tile", "ConstantOfShape"})
_TYPES = {
    TensorProto.FLOAT: "FLOAT", TensorProto.FLOAT16: "HALF", TensorProto.INT8: "INT8", TensorProto.INT32: "INT32",
    TensorProto.BOOL: "BOOL", TensorProto.UINT8: "UINT8", TensorProto.INT64: "INT64", TensorProto.DOUBLE: "FLOAT",
    TensorProto.BFLOAT16: "BF16",
}  # fmt: skip


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """An input or output: -1 for an open dimension. `on_host`: it holds a shape.

    `dtype` is TensorRT's name of its type, `graph_dtype` numpy's name of the file's.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    graph_dtype: str
    on_host: bool = False


class BadNode(Exception):  # noqa: N818 - a state of a file
    """The node that TensorRT has no operator for."""

    def __init__(self, index: int, name: str, operator: str) -> None:
        super().__init__(f"node {index}")
        self.index, self.name, self.operator = index, name, operator


def load(path: str) -> Any:
    """The file with its external data. Raises OSError, ValueError, BadNode."""
    if not Path(path).is_file():
        raise FileNotFoundError(path)
    try:
        model: Any = onnx.load(path)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(str(error)) from error
    for index, node in enumerate(model.graph.node):
        known = node.domain in ("", "ai.onnx") and onnx.defs.has(node.op_type)
        if not known:
            raise BadNode(index, node.name, node.op_type)
    return model


def tensors(model: Any, generation: str) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs and outputs."""
    constants = {initializer.name for initializer in model.graph.initializer}
    shapes = {node.input[1] for node in model.graph.node if node.op_type in _SHAPED and len(node.input) > 1}
    inputs = [value for value in model.graph.input if value.name not in constants]
    return (
        [_tensor(value, generation, value.name in shapes) for value in inputs],
        [_tensor(value, generation, False) for value in model.graph.output],
    )


def _tensor(value: Any, generation: str, on_host: bool) -> Tensor:
    kind = value.type.tensor_type
    dtype = _TYPES[kind.elem_type]
    if dtype == "INT64" and generation == "8.6":
        dtype = "INT32"
    shape = tuple(
        int(dim.dim_value) if dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0 else -1
        for dim in kind.shape.dim
    )
    numpy_name = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)).name
    return Tensor(name=value.name, shape=shape, dtype=dtype, graph_dtype=numpy_name, on_host=on_host)


def computes_in(model: Any) -> set[str]:
    """`fp16`, `int8` where the file itself says so."""
    found = {"int8"} if any(node.op_type == "QuantizeLinear" for node in model.graph.node) else set()
    kinds = [each.data_type for each in model.graph.initializer]
    kinds += [value.type.tensor_type.elem_type for value in model.graph.input]
    return found | ({"fp16"} if TensorProto.FLOAT16 in kinds else set())


def output_shapes(content: bytes, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Shapes of the outputs for these inputs; -1 where only the data tells."""
    model: Any = onnx.load_model_from_string(content)
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dim.dim_value = size
    by_data = any(node.op_type in _BY_DATA for node in model.graph.node)
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    inferred: Any = shape_inference.infer_shapes(model, data_prop=True)
    found = {value.name: _dims(value) for value in inferred.graph.output}
    if by_data or all(-1 not in shape for shape in found.values()):
        return found
    return _by_running(model, shapes)


def _dims(value: Any) -> tuple[int, ...]:
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return (-1,)
    return tuple(int(dim.dim_value) if dim.WhichOneof("value") == "dim_value" else -1 for dim in kind.shape.dim)


def _by_running(model: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    feeds = {name: np.zeros(shape, helper.tensor_dtype_to_np_dtype(kinds[name])) for name, shape in shapes.items()}
    names = [output.name for output in session.get_outputs()]
    return {name: tuple(array.shape) for name, array in zip(names, session.run(names, feeds), strict=True)}


def round_weights(model: Any, precision: str) -> None:
    """To fp16, or to the ten bits of mantissa that TF32 has."""
    weights.round_weights(model, to_half if precision == "fp16" else to_tf32)
