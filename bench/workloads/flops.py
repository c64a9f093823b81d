"""The arithmetic of one image, counted and never guessed: multiplications and additions singly, so 2 × multiply-adds.

Counted are convolutions, transposed convolutions and matrix products, quantised ones included, as their definitions
have them (an engine may get by with fewer multiplications, as Winograd's method does). Not counted is what takes a few
operations an element, such as normalisations, activations, additions of biases, pooling and resizing: for a network of
convolutions a small part. What neither counts as one nor as the other makes the whole unknown.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Operator -> place of its weights among the inputs.
_CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}
_MATRIX_PRODUCTS = ("MatMul", "MatMulInteger", "QLinearMatMul")
_COUNTED = frozenset({*_CONVOLUTIONS, *_MATRIX_PRODUCTS, "ConvTranspose", "Gemm"})
#: A few operations an element, or none at all. An operator that is not here and not counted makes the count unknown:
#: loops and branches, recurrent layers, Fourier transforms, Einsum, whole attention blocks, and all that is not ONNX's.
_MINOR = frozenset({
    "Abs", "Acos", "Acosh", "Add", "And", "ArgMax", "ArgMin", "Asin", "Asinh", "Atan", "Atanh", "AveragePool",
    "BatchNormalization", "Bernoulli", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Cast",
    "CastLike", "Ceil", "Celu", "CenterCropPad", "Clip", "Col2Im", "Compress", "Concat", "Constant",
    "ConstantOfShape", "Cos", "Cosh", "CumSum", "DepthToSpace", "DequantizeLinear", "Div", "Dropout",
    "DynamicQuantizeLinear", "Elu", "Equal", "Erf", "Exp", "Expand", "EyeLike", "Flatten", "Floor", "Gather",
    "GatherElements", "GatherND", "Gelu", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "Greater",
    "GreaterOrEqual", "GridSample", "GroupNormalization", "HardSigmoid", "HardSwish", "Hardmax", "Identity",
    "ImageDecoder", "InstanceNormalization", "IsInf", "IsNaN", "LRN", "LayerNormalization", "LeakyRelu", "Less",
    "LessOrEqual", "Log", "LogSoftmax", "LpNormalization", "LpPool", "Max", "MaxPool", "MaxRoiPool", "MaxUnpool",
    "Mean", "MeanVarianceNormalization", "Min", "Mish", "Mod", "Mul", "Multinomial", "Neg", "NonMaxSuppression",
    "NonZero", "Not", "OneHot", "Or", "PRelu", "Pad", "Pow", "QuantizeLinear", "RMSNormalization", "RandomNormal",
    "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Range", "Reciprocal", "ReduceL1", "ReduceL2",
    "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
    "ReduceSumSquare", "Relu", "Reshape", "Resize", "ReverseSequence", "RoiAlign", "RotaryEmbedding", "Round",
    "ScatterElements", "ScatterND", "Selu", "Shape", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Size", "Slice",
    "Softmax", "Softplus", "Softsign", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Swish", "Tan",
    "Tanh", "TensorScatter", "ThresholdedRelu", "Tile", "TopK", "Transpose", "Trilu", "Unique", "Unsqueeze",
    "Upsample", "Where", "Xor",
})  # fmt: skip
#: Tensors of at most so many values may hold shapes, so they are computed; larger ones are weights and activations.
_MOST_SHAPE_VALUES = 1024
#: Never computed here, though their inputs are known.
_RANDOM = frozenset({
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Dropout",
})  # fmt: skip


def flop_per_image(model: Any, inputs: Mapping[int, Mapping[str, Sequence[int]]]) -> float | None:
    """The arithmetic of one image of an onnx.ModelProto: batch size -> shapes of all inputs at that batch size.

    None where it cannot be counted, or is not the same at every batch size.
    """
    counts = {batch: flop(model, shapes) for batch, shapes in inputs.items()}
    found = {None if count is None else count / batch for batch, count in counts.items()}
    return found.pop() if len(found) == 1 else None


def flop(model: Any, inputs: Mapping[str, Sequence[int]]) -> int | None:
    """The arithmetic of one call of an onnx.ModelProto with inputs of these shapes; None where it cannot be counted."""
    nodes = _needed(model)
    if any(node.domain not in ("", "ai.onnx") or node.op_type not in _COUNTED | _MINOR for node in nodes):
        return None
    if not any(node.op_type in _COUNTED for node in nodes):
        return None  # all of it would be what is not counted
    tensors = _Tensors(model, inputs)
    constant = {tensor.name for tensor in model.graph.initializer}
    total = 0
    for node in nodes:
        tensors.follow(node)
        if all(name in constant for name in node.input if name):
            constant.update(node.output)  # computed once, when an engine is built
        elif node.op_type in _COUNTED:
            count = _multiply_adds(node, tensors)
            if count is None:
                return None
            total += 2 * count
    return total


def _needed(model: Any) -> list[Any]:
    """The nodes that the outputs depend on, in the graph's order, in which each comes after what it needs."""
    wanted = {value.name for value in model.graph.output}
    found = []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            found.append(node)
    return found[::-1]


def _multiply_adds(node: Any, tensors: _Tensors) -> int | None:
    """Products that one counted node computes and adds up; None where a shape is not known."""
    known = [tensors.shape(name) for name in (*node.input, node.output[0])]
    output = known[-1]
    if node.op_type == "ConvTranspose":
        return _product(known[0], _tail(known[1]))
    if node.op_type in _CONVOLUTIONS:
        return _product(output, _tail(known[_CONVOLUTIONS[node.op_type]]))
    first = known[0]
    if first is None:
        return None
    if node.op_type == "Gemm":
        transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
        return _product(output, first[:1] if transposed else first[1:])
    return _product(output, first[-1:])


def _tail(shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return None if shape is None else shape[1:]


def _product(*shapes: tuple[int, ...] | None) -> int | None:
    return None if any(shape is None for shape in shapes) else math.prod(n for shape in shapes for n in shape or ())


class _Tensors:
    """Shapes of a graph's tensors, node by node, and the values of those that hold shapes themselves."""

    def __init__(self, model: Any, inputs: Mapping[str, Sequence[int]]) -> None:
        from onnx import helper, numpy_helper

        self._opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)
        self._imports = [helper.make_operatorsetid("", self._opset)]
        self._types = {tensor.name: helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
                       for tensor in model.graph.initializer}  # fmt: skip
        for value in model.graph.input:
            if value.name in inputs:
                kind = value.type.tensor_type.elem_type
                self._types[value.name] = helper.make_tensor_type_proto(kind, inputs[value.name])
        self._values: dict[str, Any] = {
            tensor.name: numpy_helper.to_array(tensor)
            for tensor in model.graph.initializer
            if math.prod(tensor.dims) <= _MOST_SHAPE_VALUES and not tensor.external_data
        }

    def shape(self, name: str) -> tuple[int, ...] | None:
        """A tensor's shape where it can be told before running."""
        kind = self._types.get(name)
        if kind is None or not kind.tensor_type.HasField("shape"):
            return None
        dimensions = kind.tensor_type.shape.dim
        if not all(dimension.HasField("dim_value") for dimension in dimensions):
            return None
        return tuple(dimension.dim_value for dimension in dimensions)

    def follow(self, node: Any) -> None:
        """Learn of a node's outputs what can be told from its inputs; of some that is nothing."""
        import onnx
        from onnx import numpy_helper

        own = [name for name in node.input if name]
        with contextlib.suppress(Exception):  # protobuf's, onnx's and numpy's errors share no base class
            found = onnx.shape_inference.infer_node_outputs(
                onnx.defs.get_schema(node.op_type, self._opset),
                node,
                {name: self._types.get(name, onnx.TypeProto()) for name in own},
                {name: numpy_helper.from_array(self._values[name]) for name in own if name in self._values},
                opset_imports=self._imports,
            )
            self._types.update(found)
            self._compute(node, own)

    def _compute(self, node: Any, own: list[str]) -> None:
        """The values of small outputs, where all that they depend on is known."""
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        shapes = [self.shape(name) for name in node.output]
        if node.op_type == "Shape":
            taken = self.shape(own[0])
            if taken is not None:
                ends = {attribute.name: attribute.i for attribute in node.attribute}
                self._values[node.output[0]] = np.array(taken[ends.get("start", 0) : ends.get("end")], np.int64)
        elif (
            node.op_type not in _RANDOM
            and all(name in self._values for name in own)
            and all(shape is not None and math.prod(shape) <= _MOST_SHAPE_VALUES for shape in shapes)
        ):
            feeds = {name: self._values[name] for name in own}
            named = [[helper.make_empty_tensor_value_info(name) for name in names] for names in (feeds, node.output)]
            graph = helper.make_graph([node], "node", *named)
            results = ReferenceEvaluator(helper.make_model(graph, opset_imports=self._imports)).run(None, feeds)
            self._values.update(zip(node.output, map(np.asarray, results), strict=True))


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution, transposed or not, with a square kernel that is applied at `side` × `side` places."""

    inputs: int
    outputs: int
    kernel: int
    side: int

    @property
    def flop(self) -> int:
        return 2 * self.inputs * self.outputs * self.kernel**2 * self.side**2


def stargan_layers(side: int = 128, attributes: int = 5, width: int = 64, blocks: int = 6) -> list[Convolution]:
    """The convolutions of StarGAN's generator in order, as in `stargan_network`, which needs torch."""
    half, quarter = side // 2, side // 4
    return [
        Convolution(3 + attributes, width, 7, side),
        Convolution(width, 2 * width, 4, half),
        Convolution(2 * width, 4 * width, 4, quarter),
        *[Convolution(4 * width, 4 * width, 3, quarter)] * (2 * blocks),
        # transposed: applied at the places of what they take
        Convolution(4 * width, 2 * width, 4, quarter),
        Convolution(2 * width, width, 4, half),
        Convolution(width, 3, 7, side),
    ]


def stargan_flop_per_image() -> float:
    """The arithmetic of one image in StarGAN's generator, 19.92 GFLOP; needs neither torch nor onnx."""
    return float(sum(layer.flop for layer in stargan_layers()))
