"""An .onnx file as TensorRT's network: parsed from the file, and held against the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.base import ConversionError, Model, ModelMismatch
from backends.convert.graph import Graph
from backends.tensorrt.advice import advice_on
from backends.tensorrt.library import Library
from backends.tensorrt.messages import plain

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Port:
    """An input of the network; -1 for a dimension that is left open. `values`: it holds a shape, not data."""

    name: str
    shape: tuple[int, ...]
    values: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """An error of the parser: what is wrong, and with which node of the file, -1 for none."""

    text: str
    node: int
    name: str
    operator: str


def creation_flags(library: Library) -> int:
    """For `create_network`: 8.6 cannot parse ONNX otherwise, 10 ignores it, 11 has no such flag."""
    flags = library.module.NetworkDefinitionCreationFlag
    return 1 << int(flags.EXPLICIT_BATCH) if hasattr(flags, "EXPLICIT_BATCH") else 0


def ports(network: Any) -> list[Port]:
    """The network's inputs. Keeps no object of TensorRT's."""
    found = []
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        found.append(Port(str(tensor.name), tuple(int(dim) for dim in tensor.shape), bool(tensor.is_shape_tensor)))
    return found


def check_ports(found: list[Port], model: Model, file: str) -> None:
    """Raises ModelMismatch unless the network has the model's inputs, in its shapes where they are fixed."""
    wanted = {spec.name: spec.shape for spec in model.inputs}
    names = [port.name for port in found]
    if sorted(names) != sorted(wanted):
        raise ModelMismatch(
            f"TensorRT finds the inputs {', '.join(names) or 'none'} in {file}, the model has {', '.join(wanted)}; name"
            " the .onnx file of this model."
        )
    for port in found:
        shape = wanted[port.name]
        if port.values:
            raise ModelMismatch(
                f"{file}: input {port.name} holds a shape, which TensorRT reads on the host; export the model with that"
                " shape fixed."
            )
        if len(port.shape) != len(shape) or any(
            dim not in (-1, size) for dim, size in zip(port.shape, shape, strict=True)
        ):
            raise ModelMismatch(
                f"{file}: input {port.name} is {port.shape} to TensorRT, the model has {shape}; export it with these"
                " sizes, or with a batch that is left open."
            )


def faults(parser: Any) -> list[Fault]:
    """What the parser found wrong; 8.6 tells no names of nodes."""
    found = []
    for index in range(parser.num_errors):
        error = parser.get_error(index)
        name, operator = (
            str(getattr(error, key)()) if hasattr(error, key) else "" for key in ("node_name", "node_operator")
        )
        found.append(Fault(plain(str(error.desc())), int(error.node()), name, operator))
    return found


def unreadable(library: Library, graph: Graph, found: list[Fault], since: int) -> ConversionError:
    """The error for a file that the parser refuses: which node, which operator, and why."""
    if not found:
        return _as_conversion(library, f"reading {graph.title}", since)
    named = _from_file(graph.path, found)
    told = []
    for fault in found[:_NAMED]:
        name, operator = named.get(fault.node, (fault.name, fault.operator))
        node = f"node {name!r}" if name else f"node {fault.node}"
        told.append(f"{node} (operator {operator}): {fault.text}" if operator else fault.text)
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    text = "; ".join(dict.fromkeys(told)).rstrip(".")
    return ConversionError(f"{library.title} cannot read {graph.title}: {text}{more}; {advice_on(text)}.")


def _from_file(path: Path, found: list[Fault]) -> Mapping[int, tuple[str, str]]:
    """Names and operators of the nodes that the parser gave only numbers of; empty where it gave more."""
    if all(fault.operator or fault.node < 0 for fault in found):
        return {}
    try:
        import onnx

        model: Any = onnx.load(str(path), load_external_data=False)
    except Exception:  # what cannot be read is told by the parser already
        return {}
    nodes = model.graph.node
    return {
        fault.node: (str(nodes[fault.node].name), str(nodes[fault.node].op_type))
        for fault in found
        if 0 <= fault.node < len(nodes)
    }


def _as_conversion(library: Library, name: str, since: int) -> ConversionError:
    error = library.failure(ConversionError, name, since)
    assert isinstance(error, ConversionError)
    return error
