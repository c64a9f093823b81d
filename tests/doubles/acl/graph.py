"""What an .onnx graph says about its inputs and outputs at a given batch, and its weights in half precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, shape_inference

from tests.doubles.acl.om_file import FORMATS, Metadata, Tensor
from tests.doubles.simulated.weights import round_weights, to_half

#: Files whose description is kept, since the same ones are made again and again in tests.
_KEPT = 8

Pairs = tuple[tuple[str, Any], ...]


def described(
    onnx_model: Path | str | bytes,
    batches: tuple[int, ...],
    soc: str,
    precision: str,
    shapes: Mapping[str, Sequence[int]],
    dtypes: Mapping[str, str],
    formats: Mapping[str, str],
    plain_names: bool,
) -> tuple[bytes, Metadata]:
    """The graph to compute with, and what the file says of it. Raises ValueError on shapes that do not fit."""
    content = onnx_model if isinstance(onnx_model, bytes) else onnx.load(str(onnx_model)).SerializeToString()
    given: list[Pairs] = [tuple((name, _hashable(value)) for name, value in each.items())
                          for each in (shapes, dtypes, formats)]  # fmt: skip
    return _described(content, batches, soc, precision, *given, plain_names)


@lru_cache(_KEPT)
def _described(
    content: bytes, batches: tuple[int, ...], soc: str, precision: str,
    shape_pairs: Pairs, dtype_pairs: Pairs, format_pairs: Pairs, plain_names: bool,
) -> tuple[bytes, Metadata]:  # fmt: skip
    shapes, dtypes, formats = dict(shape_pairs), dict(dtype_pairs), dict(format_pairs)
    if not batches or min(batches) < 1 or len(set(batches)) != len(batches):
        raise ValueError(f"batches {batches}: write one batch size, or the different gears of a dynamic batch")
    model = onnx.load_model_from_string(content)
    unknown = sorted({*shapes, *dtypes, *formats} - {value.name for value in (*model.graph.input, *model.graph.output)})
    if unknown:
        raise ValueError(f"the graph has no input or output {unknown[0]!r}")
    if precision == "fp16":
        round_weights(model, to_half)
    dynamic = len(batches) > 1
    # At two small batches, where computing is quick: what follows the batch is the batch.
    at_one, at_two = (_fixed(model, batch, shapes) for batch in (1, 2))
    makers = _makers(model)

    def tensor(index: int, which: str) -> Tensor:
        one, two = getattr(at_one.graph, which)[index], getattr(at_two.graph, which)[index]
        name = one.name
        dims = [_dim(name, *pair, batches) for pair in zip(_dims(one), _dims(two), strict=True)]
        graph_dtype = np.dtype(helper.tensor_dtype_to_np_dtype(one.type.tensor_type.elem_type)).name
        form = formats.get(name, "NCHW" if len(dims) == 4 else "ND")
        if form not in FORMATS or (form == "NHWC" and len(dims) != 4):
            raise ValueError(f"{name}: format {form} with {len(dims)} dimensions")
        ordered = [dims[axis] for axis in (0, 2, 3, 1)] if form == "NHWC" else dims
        return Tensor(
            name=name if which == "input" or plain_names else makers.get(name, name),
            graph_name=name,
            dims=tuple(ordered),
            dtype=np.dtype(dtypes.get(name, graph_dtype)).name,
            graph_dtype=graph_dtype,
            format=form,
        )

    weights = {initializer.name for initializer in model.graph.initializer}
    metadata = Metadata(
        soc=soc,
        precision=precision,
        batches=batches,
        dynamic=dynamic,
        inputs=tuple(
            tensor(index, "input") for index, value in enumerate(model.graph.input) if value.name not in weights
        ),
        outputs=tuple(tensor(index, "output") for index in range(len(model.graph.output))),
    )
    fixed = [tensor for tensor in metadata.inputs[:1] if -1 not in tensor.dims and tensor.dims[:1] != batches]
    if fixed:
        raise ValueError(f"{fixed[0].name}: its shape {fixed[0].dims} is fixed, batches {batches} cannot be had")
    return model.SerializeToString(), metadata


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str) else tuple(value)


def _fixed(model: Any, batch: int, shapes: Mapping[str, Sequence[int]]) -> Any:
    """A copy in which every dimension is a number."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in fixed.graph.input:
        given = shapes.get(value.name)
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            free = dim.WhichOneof("value") != "dim_value" or dim.dim_value <= 0
            if given is not None and given[axis] > 0:
                dim.dim_value = given[axis]
            elif free and axis == 0:
                dim.dim_value = batch
            elif free:
                raise ValueError(f"{value.name}: dimension {axis} is free; give it in shapes")
            elif axis == 0 and given is not None:
                raise ValueError(f"{value.name}: its batch is {dim.dim_value}, not free")
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    del fixed.graph.value_info[:]
    fixed = shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True)
    if any(not _known(value) for value in fixed.graph.output):
        _run_for_shapes(fixed)
    return fixed


def _known(value: Any) -> bool:
    kind = value.type.tensor_type
    return kind.HasField("shape") and all(dim.WhichOneof("value") == "dim_value" for dim in kind.shape.dim)


def _run_for_shapes(model: Any) -> None:
    """Find the outputs' shapes by computing once, where they cannot be inferred."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    dtypes = {v.name: helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type) for v in model.graph.input}
    values = {value.name: value for value in model.graph.input}
    feeds = {arg.name: np.zeros(_dims(values[arg.name]), dtypes[arg.name]) for arg in session.get_inputs()}
    for value, array in zip(model.graph.output, session.run(None, feeds), strict=True):
        made = helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, array.shape)
        value.CopyFrom(made)


def _dim(name: str, at_one: int, at_two: int, batches: tuple[int, ...]) -> int:
    """A dimension at the interface, from what it is at batch 1 and 2: -1 for the batch of a model with gears."""
    if at_one == at_two:
        return at_one
    if (at_one, at_two) != (1, 2):
        raise ValueError(f"{name}: a dimension is {at_one} at batch 1 and {at_two} at batch 2")
    return batches[0] if len(batches) == 1 else -1


def _dims(value: Any) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _makers(model: Any) -> dict[str, str]:
    """`node:index:name` of every tensor that a node makes; nodes without a name get one from their kind."""
    return {
        output: f"{node.name or f'{node.op_type}_{number}'}:{index}:{output}"
        for number, node in enumerate(model.graph.node)
        for index, output in enumerate(node.output)
    }
