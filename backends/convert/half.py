"""An fp32 .onnx file in fp16, for runtimes that compute as the file says. Its inputs and outputs stay fp32.

The conversion is that of ONNX Runtime's Python package, which most machines have for the reference outputs anyway.
onnxconverter-common, from which it comes, would be one package more, and its files do not load where a model casts to
float itself. What the tool leaves undone is done here: the order of the nodes, functions, weights beside the file, and
a check of what came out.
"""

from __future__ import annotations

import heapq
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import ConversionError
from backends.convert.cache import ArtifactCache
from backends.convert.graph import Graph, read_graph

_NAME = "onnxruntime.transformers.float16"
#: Changed whenever another file would come out of the same tool.
_FORM = 1
_FOLDER = "fp16"
#: Limits of fp16, as the tool has them: what is beyond is cut to the one, what is nearer to 0 is raised to the other.
_LARGEST = 65504.0
_SMALLEST = 5.96e-08
#: Nodes that only hold or change types.
_NOT_COMPUTING = ("Cast", "Constant")
_MOST_BYTES = 2**31 - 2**20
_OTHERWISE = (
    "ask for --precision fp32, or convert it with another tool (NVIDIA's: modelopt.onnx.autocast) and name that file"
    " with --model."
)


@dataclass(frozen=True, slots=True)
class HalfModel:
    """The file in the cache; `tool` with its version. `half_nodes` compute in fp16, `single_nodes` still in fp32.

    Operators stay in fp32 where the tool leaves them so, for lack of an fp16 form in most runtimes (Range, CumSum,
    TopK, NonMaxSuppression and the like). None is added here, InstanceNormalization neither: StarGAN's generator of
    full width (seeded weights, bundled pictures, the worst of five images against fp32, every result rounded to fp16,
    emulated on the CPU) gives 64.5 dB with or without it, 63.1 dB if its sums are rounded, too, and 65.2 dB with all
    convolutions in fp32; the limit for fp16 is 40 dB. `notes` tell of constants that fp16 does not hold.
    """

    path: Path
    sha256: str
    tool: str
    hit: bool
    half_nodes: int
    single_nodes: int
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """How much of it is fp16, in words."""
        nodes = f"{self.half_nodes} nodes compute in fp16, {self.single_nodes} in fp32"
        return f"{nodes}; inputs and outputs keep their types"


def to_fp16(onnx: Path, cache: Path, waiting: Callable[[], None] = lambda: None) -> HalfModel:
    """The file's fp16 form, made once into `cache`; `waiting` is called when another process makes the same.

    Raises ConversionError: the file or the tool is not there, or what the tool makes of it is no valid model.
    """
    graph = read_graph(onnx)
    version, convert = _load_tool()
    tool = f"{_NAME} {version}"
    key = {"what": f"onnx in fp16, form {_FORM}", "onnx": graph.sha256, "tool": tool, "onnx package": _onnx_version()}

    def build(target: Path) -> dict[str, str]:
        return _convert(graph, target, tool, convert)

    cached = ArtifactCache(cache / _FOLDER, waiting).get(key, "onnx", build)
    facts = cached.facts
    return HalfModel(
        path=cached.path, sha256=cached.sha256, tool=tool, hit=cached.hit,
        half_nodes=int(facts["nodes in fp16"]), single_nodes=int(facts["nodes in fp32"]),
        notes=tuple(facts[name] for name in ("cut", "raised") if name in facts),
    )  # fmt: skip


def _onnx_version() -> str:
    import onnx

    return str(onnx.__version__)


def _load_tool() -> tuple[str, Callable[..., Any]]:
    """Its version and its function. Raises ConversionError."""
    path = list(sys.path)
    try:
        import onnxruntime
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except Exception as error:  # a broken installation can raise anything at import
        raise ConversionError(
            "fp16 needs a conversion of the .onnx file, and ONNX Runtime, which has the tool for it, cannot be imported"
            f" ({error}); install it with: pip install -c constraints.txt onnxruntime."
        ) from None
    finally:
        sys.path[:] = path  # the tool adds its own folder, in which modules have common names
    return str(onnxruntime.__version__), convert_float_to_float16


def _convert(graph: Graph, target: Path, tool: str, convert: Callable[..., Any]) -> dict[str, str]:
    """Write the fp16 form to `target`; what is worth knowing of it. Raises ConversionError, OSError."""
    import onnx

    try:
        model = _typed(graph.path)
        constants = [(tensor, _unfit(tensor)) for tensor in _tensors(model)]
        model = convert(model, keep_io_types=_float_ports(model), disable_shape_infer=True)
        _sort_nodes(model.graph)
        counts = _count_nodes(model)
        size = sum(tensor.ByteSize() for tensor in model.graph.initializer)
        if size <= _MOST_BYTES:
            onnx.save_model(model, str(target))
    except OSError:
        raise  # a full disk, which the cache puts in words
    except Exception as error:  # the tool's errors, onnx's and protobuf's have no common base
        raise ConversionError(f"{tool} cannot convert {graph.path.name} ({_first_line(error)}); {_OTHERWISE}") from None
    if size > _MOST_BYTES:
        raise ConversionError(
            f"{graph.path.name} in fp16 is larger than the 2 GB that one .onnx file holds; {_OTHERWISE}"
        )
    if not counts["fp16"]:
        raise ConversionError(
            f"{graph.path.name} has no node that computes in fp32, so that there is nothing to convert; ask for the"
            " precision that the file has."
        )
    _check(target, graph.path, tool)
    return {"nodes in fp16": str(counts["fp16"]), "nodes in fp32": str(counts["fp32"]), **_told(constants)}


def _typed(path: Path) -> Any:
    """The model with its weights and the types of all values, and without functions, which the tool does not enter."""
    import onnx
    from onnx.external_data_helper import load_external_data_for_model

    model: Any = onnx.load(str(path), load_external_data=False)
    if model.functions:
        from onnx import inliner

        model = inliner.inline_local_functions(model)
    model = onnx.shape_inference.infer_shapes(model)  # before the weights, with which it may be too large for this
    load_external_data_for_model(model, str(path.parent))
    return model


def _float_ports(model: Any) -> list[str]:
    """Names of the inputs and outputs in fp32; old files list their weights as inputs, too."""
    single = _types()["fp32"]
    weights = {tensor.name for tensor in model.graph.initializer}
    ports = (*model.graph.input, *model.graph.output)
    return [port.name for port in ports if port.type.tensor_type.elem_type == single and port.name not in weights]


def _types() -> dict[str, int]:
    from onnx import TensorProto

    return {"fp16": TensorProto.FLOAT16, "fp32": TensorProto.FLOAT}


def _graphs(graph: Any) -> Iterator[Any]:
    """The graph and those inside of its nodes (If, Loop, Scan)."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner)


def _tensors(model: Any) -> Iterator[Any]:
    """Every constant in fp32: the conversion changes them in their place."""
    single = _types()["fp32"]
    for graph in _graphs(model.graph):
        attributes = [attribute for node in graph.node for attribute in node.attribute]
        inside = [tensor for each in attributes for tensor in (each.t, *each.tensors)]
        yield from (tensor for tensor in (*graph.initializer, *inside) if tensor.data_type == single)


def _unfit(tensor: Any) -> Counter[str]:
    """How many of the tensor's values are too large for fp16, or too near to 0."""
    from onnx import numpy_helper

    values = np.abs(numpy_helper.to_array(tensor))
    return Counter(
        all=values.size,
        cut=int(np.count_nonzero((values > _LARGEST) & np.isfinite(values))),
        raised=int(np.count_nonzero((values > 0) & (values < _SMALLEST))),
    )


def _told(constants: list[tuple[Any, Counter[str]]]) -> dict[str, str]:
    """What happened to the constants that were converted, in words; empty where fp16 holds them all."""
    half = _types()["fp16"]
    total = sum((count for tensor, count in constants if tensor.data_type == half), Counter[str]())
    told = {}
    if total["cut"]:
        told["cut"] = (
            f"{total['cut']} of its {total['all']} constants are beyond {_LARGEST:.0f}, the largest number of fp16, and"
            " were cut to it: look at the accuracy"
        )
    if total["raised"]:
        told["raised"] = (
            f"{total['raised']} of its {total['all']} constants are nearer to 0 than {_SMALLEST:g}, the smallest number"
            " of fp16, and were raised to it"
        )
    return told


def _sort_nodes(graph: Any) -> None:
    """Put every node behind those that it reads from, as a valid file has them: the tool adds casts at the end."""
    nodes = list(graph.node)
    maker = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    sorter = TopologicalSorter(
        {index: {maker[name] for name in _reads(node) if name in maker} for index, node in enumerate(nodes)}
    )
    sorter.prepare()
    ready: list[int] = []
    order = []
    while sorter.is_active():
        for index in sorter.get_ready():
            heapq.heappush(ready, index)
        order.append(heapq.heappop(ready))  # the first of the file's order
        sorter.done(order[-1])
    copies = [type(nodes[index]).FromString(nodes[index].SerializeToString()) for index in order]
    del graph.node[:]
    graph.node.extend(copies)


def _reads(node: Any) -> Iterator[str]:
    """Names that a node reads, those that the graphs inside of it read included."""
    yield from node.input
    for attribute in node.attribute:
        for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            for each in inner.node:
                yield from _reads(each)
            yield from (value.name for value in inner.output)


def _count_nodes(model: Any) -> Counter[str]:
    """How many nodes give fp16 and how many fp32; the check sees to it that the declared types are the true ones."""
    types = {
        value.name: value.type.tensor_type.elem_type
        for graph in _graphs(model.graph)
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    counts: Counter[str] = Counter()
    for graph in _graphs(model.graph):
        for node in graph.node:
            if node.op_type not in _NOT_COMPUTING:
                given = {types.get(name) for name in node.output}
                counts.update([name for name, kind in _types().items() if kind in given][:1])
    return counts


def _check(path: Path, source: Path, tool: str) -> None:
    """Raise ConversionError unless the file is a valid model, with the types that it declares.

    Some models pass only a check without inferred types, before and after.
    """
    from onnx import checker

    try:
        checker.check_model(str(path), full_check=_passes(source))
    except Exception as error:  # onnx's errors have no common base
        raise ConversionError(
            f"what {tool} makes of {source.name} is no valid model ({_first_line(error)}); {_OTHERWISE}"
        ) from None


def _passes(path: Path) -> bool:
    from onnx import checker

    try:
        checker.check_model(str(path), full_check=True)
    except Exception:
        return False
    return True


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
