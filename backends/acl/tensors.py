"""A loaded model's inputs and outputs, held against those of the original, exactly.

The runtime itself is loose: it takes an input buffer that is up to 64 bytes short, and computes garbage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.acl.library import Library
from backends.base import Model, ModelMismatch, TensorSpec
from backends.casting import castable

#: aclDataType -> numpy (acl_base.h); those without a numpy type are left out.
_DTYPES = {
    0: "float32", 1: "float16", 2: "int8", 3: "int32", 4: "uint8", 6: "int16", 7: "uint16", 8: "uint32", 9: "int64",
    10: "uint64", 11: "float64", 12: "bool", 16: "complex64", 17: "complex128",
}  # fmt: skip
#: The input that an .om with several batch sizes has in addition (ACL_DYNAMIC_TENSOR_NAME).
GEAR_INPUT = "ascend_mbatch_shape_data"
_AGAIN = "convert it again from this model"


@dataclass(frozen=True, slots=True)
class Port:
    """One buffer of the model: `index` and `size` in bytes as the runtime counts them; `spec` None for the gear."""

    index: int
    size: int
    spec: TensorSpec | None


@dataclass(frozen=True, slots=True)
class Layout:
    """All buffers in the runtime's order, each with the name that the original gives it; `gears` empty if static."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    gears: tuple[int, ...]
    remarks: tuple[str, ...] = ()


def specs(ports: Sequence[Port]) -> tuple[TensorSpec, ...]:
    """What callers of a session see of these."""
    return tuple(port.spec for port in ports if port.spec is not None)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the runtime tells of one buffer."""

    name: str
    dims: tuple[int, ...]
    dtype: np.dtype[Any]
    size: int


def layout_of(library: Library, description: int, model: Model, file: str) -> Layout:
    """What the model takes and gives, once it is sure that it is the original's at that batch size.

    `description` is a filled aclmdlDesc. Raises ModelMismatch, DeviceError.
    """
    gears = _gears(library, description)
    if gears and model.batch not in gears:
        known = ", ".join(map(str, gears))
        raise ModelMismatch(f"{file} has the batch sizes {known}, not {model.batch}; {_AGAIN} with that gear, too.")
    found = _ports(library, description, "input", file)
    wanted = {spec.name: spec for spec in model.inputs}
    names = [each.name for each in found if each.name != GEAR_INPUT]
    if sorted(names) != sorted(wanted):
        raise ModelMismatch(
            f"{file} has the inputs {', '.join(names)}, the model has {', '.join(wanted)}; name the .om of this model,"
            f" or {_AGAIN}."
        )
    inputs = tuple(
        Port(index, each.size, None if each.name == GEAR_INPUT else _checked(each, wanted[each.name], file, gears))
        for index, each in enumerate(found)
    )
    given = _ports(library, description, "output", file)
    order, unnamed = _match_outputs(given, model, file)
    outputs = tuple(
        Port(index, each.size, _checked(each, spec, file, gears, kind="output"))
        for index, (each, spec) in enumerate(zip(given, order, strict=True))
    )
    return Layout(inputs, outputs, gears, (*unnamed, *_remarks(model, (*inputs, *outputs), gears)))


def _remarks(model: Model, ports: Sequence[Port], gears: Sequence[int]) -> Iterator[str]:
    """What is not as in the original and yet right."""
    declared = {spec.name: spec.dtype for spec in (*model.inputs, *model.outputs)}
    for port in ports:
        spec = port.spec
        if spec is None:
            continue
        if spec.dtype != declared[spec.name]:
            was = declared[spec.name]
            yield f"{spec.name} is {spec.dtype} in the .om and {was} in the model: cast outside all timing"
        if extra := port.size - _bytes(spec, gears):
            yield f"the runtime asks for {extra} bytes more than {spec.name} has"


def _bytes(spec: TensorSpec, gears: Sequence[int]) -> int:
    """Bytes of a buffer; with gears those of the largest one."""
    count = np.prod((max(gears), *spec.shape[1:]) if gears else spec.shape, dtype=np.int64)
    return int(count) * spec.dtype.itemsize


def _gears(library: Library, description: int) -> tuple[int, ...]:
    if not library.has("mdl.get_dynamic_batch"):
        return ()
    told = library.get("mdl.get_dynamic_batch", description)
    return tuple(int(batch) for batch in told.get("batch", [])[: told.get("batchCount", 0)])


def _ports(library: Library, description: int, kind: str, file: str) -> list[_Found]:
    found = []
    for index in range(library.ask(f"mdl.get_num_{kind}s", description)):
        name = library.text(f"mdl.get_{kind}_name_by_index", description, index)
        code = library.ask(f"mdl.get_{kind}_data_type", description, index)
        if code not in _DTYPES:
            raise ModelMismatch(f"{file}: {kind} {name} has data type {code}, for which numpy has none; {_AGAIN}.")
        dims = library.get(f"mdl.get_{kind}_dims", description, index)
        found.append(
            _Found(
                name, tuple(dims["dims"][: dims["dimCount"]]), np.dtype(_DTYPES[code]),
                library.ask(f"mdl.get_{kind}_size_by_index", description, index),
            )
        )  # fmt: skip
    return found


def _match_outputs(found: Sequence[_Found], model: Model, file: str) -> tuple[list[TensorSpec], tuple[str, ...]]:
    """The original's outputs in the order of the .om's. atc names them NODE:INDEX:NAME, older versions otherwise."""
    specs = {spec.name: spec for spec in model.outputs}
    if len(found) != len(specs):
        raise ModelMismatch(
            f"{file} has {len(found)} outputs ({', '.join(each.name for each in found)}), the model has {len(specs)}"
            f" ({', '.join(specs)}); name the .om of this model, or {_AGAIN}."
        )
    whole = [each.name for each in found]
    for names in (whole, [name.rpartition(":")[2] for name in whole]):
        if sorted(names) == sorted(specs):
            return [specs[name] for name in names], ()
    remark = f"outputs taken in the model's order: the .om calls them {', '.join(whole)}"
    return list(model.outputs), (remark,)


def _checked(found: _Found, wanted: TensorSpec, file: str, gears: Sequence[int], kind: str = "input") -> TensorSpec:
    """The buffer as the session will present it. Raises ModelMismatch: another shape, dtype or size."""
    fixed = wanted.shape[1:] if gears else wanted.shape
    dims = found.dims[1:] if gears else found.dims
    if len(found.dims) != len(wanted.shape) or dims != fixed:
        shape = "x".join(map(str, found.dims))
        what = f"{file}: {kind} {found.name} is {shape} {found.dtype}, the model has {wanted}"
        if found.dims[1:] == wanted.shape[1:] and not gears:
            raise ModelMismatch(f"{what}; this .om is of batch size {found.dims[0]}: name one of {wanted.shape[0]}.")
        raise ModelMismatch(f"{what}; {_AGAIN}, without --insert_op_conf (AIPP changes an input's shape and type).")
    if not castable(wanted.dtype, found.dtype):
        raise ModelMismatch(
            f"{file}: {kind} {found.name} is {found.dtype}, the model has {wanted.dtype}; {_AGAIN}, without"
            " --insert_op_conf and --output_type."
        )
    spec = TensorSpec(wanted.name, wanted.shape, found.dtype)
    # A buffer may be padded, but must hold all values.
    if found.size < _bytes(spec, gears):
        raise ModelMismatch(
            f"{file}: {kind} {found.name} takes {found.size} bytes, its shape and type {_bytes(spec, gears)}; {_AGAIN}."
        )
    return spec
