"""Inputs and outputs of a model: names, shapes, sizes, types."""

from __future__ import annotations

from typing import Any

from tests.doubles.acl.calls.models import described
from tests.doubles.acl.errors import INVALID_PARAM, SUCCESS, Breach, Refused
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.models import SHAPE_DATA, Model
from tests.doubles.acl.om_file import FORMATS, Tensor, code_of
from tests.doubles.acl.surface import RET, api


@api("mdl.get_num_inputs", fails=0)
def get_num_inputs(machine: Machine, description: int) -> int:
    return len(inputs(machine, described(machine, description)))


@api("mdl.get_num_outputs", fails=0)
def get_num_outputs(machine: Machine, description: int) -> int:
    return len(described(machine, description).metadata.outputs)


@api("mdl.get_input_size_by_index", fails=0)
def get_input_size_by_index(machine: Machine, description: int, index: int) -> int:
    """Bytes at the largest batch."""
    return _input(machine, description, index).size(described(machine, description).metadata.largest)


@api("mdl.get_output_size_by_index", fails=0)
def get_output_size_by_index(machine: Machine, description: int, index: int) -> int:
    """Bytes at the largest batch."""
    return _output(machine, description, index).size(described(machine, description).metadata.largest)


@api("mdl.get_input_dims", fails=({}, RET))
def get_input_dims(machine: Machine, description: int, index: int) -> tuple[dict[str, Any], int]:
    """-1 where the batch is dynamic."""
    tensor = _input(machine, description, index)
    return _dims(tensor, tensor.dims), SUCCESS


@api("mdl.get_output_dims", fails=({}, RET))
def get_output_dims(machine: Machine, description: int, index: int) -> tuple[dict[str, Any], int]:
    tensor = _output(machine, description, index)
    largest = described(machine, description).metadata.largest
    unknown = machine.config.dynamic_output_dims == "unknown"
    return _dims(tensor, tensor.dims if unknown else tensor.shape(largest)), SUCCESS


@api("mdl.get_cur_output_dims", fails=({}, RET))
def get_cur_output_dims(machine: Machine, description: int, index: int) -> tuple[dict[str, Any], int]:
    """The shape at the batch that was set."""
    model = described(machine, description)
    tensor = _output(machine, description, index)
    if model.metadata.dynamic and model.batch is None:
        raise Breach(INVALID_PARAM, "batch-not-set", "get_cur_output_dims before set_dynamic_batch_size")
    return _dims(tensor, tensor.shape(model.batch or model.metadata.largest)), SUCCESS


@api("mdl.get_input_name_by_index", fails="")
def get_input_name_by_index(machine: Machine, description: int, index: int) -> str:
    return _input(machine, description, index).name


@api("mdl.get_output_name_by_index", fails="")
def get_output_name_by_index(machine: Machine, description: int, index: int) -> str:
    return _output(machine, description, index).name


@api("mdl.get_input_index_by_name", fails=(0, RET))
def get_input_index_by_name(machine: Machine, description: int, name: str) -> tuple[int, int]:
    return _index(inputs(machine, described(machine, description)), name), SUCCESS


@api("mdl.get_output_index_by_name", fails=(0, RET))
def get_output_index_by_name(machine: Machine, description: int, name: str) -> tuple[int, int]:
    return _index(described(machine, description).metadata.outputs, name), SUCCESS


@api("mdl.get_input_format", fails=-1)
def get_input_format(machine: Machine, description: int, index: int) -> int:
    return FORMATS[_input(machine, description, index).format]


@api("mdl.get_output_format", fails=-1)
def get_output_format(machine: Machine, description: int, index: int) -> int:
    return FORMATS[_output(machine, description, index).format]


@api("mdl.get_input_data_type", fails=-1)
def get_input_data_type(machine: Machine, description: int, index: int) -> int:
    return code_of(_input(machine, description, index).dtype)


@api("mdl.get_output_data_type", fails=-1)
def get_output_data_type(machine: Machine, description: int, index: int) -> int:
    return code_of(_output(machine, description, index).dtype)


def inputs(machine: Machine, model: Model) -> tuple[Tensor, ...]:
    """The model's inputs; with dynamic batch one more, which takes the batch."""
    if not model.metadata.dynamic:
        return model.metadata.inputs
    dtype = "int64" if machine.config.shape_data_bytes == 8 else "int32"
    extra = Tensor(name=SHAPE_DATA, graph_name="", dims=(1,), dtype=dtype, graph_dtype=dtype, format="ND")
    return (*model.metadata.inputs, extra)


def _input(machine: Machine, description: int, index: int) -> Tensor:
    return _at(inputs(machine, described(machine, description)), index)


def _output(machine: Machine, description: int, index: int) -> Tensor:
    return _at(described(machine, description).metadata.outputs, index)


def _at(tensors: tuple[Tensor, ...], index: int) -> Tensor:
    if not 0 <= index < len(tensors):
        raise Breach(INVALID_PARAM, "index", f"index {index} of {len(tensors)}")
    return tensors[index]


def _index(tensors: tuple[Tensor, ...], name: str) -> int:
    for index, tensor in enumerate(tensors):
        if tensor.name == name:
            return index
    names = ", ".join(tensor.name for tensor in tensors)
    raise Refused(INVALID_PARAM, f"there is no tensor {name!r}; there are {names}")


def _dims(tensor: Tensor, dims: tuple[int, ...]) -> dict[str, Any]:
    return {"name": tensor.name, "dimCount": len(dims), "dims": list(dims)}
