"""Pointers to and from the objects of Python. Which of these functions exist depends on the version."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.doubles.acl.machine import Machine
from tests.doubles.acl.memory import PinnedBlock
from tests.doubles.acl.places import locate
from tests.doubles.acl.surface import api
from tests.doubles.simulated.content import join
from tests.doubles.simulated.memory import FRESH, array_at

#: numpy's own numbers, which are not ACL's
_TYPES = {np.dtype(letter).num: np.dtype(letter) for letter in "?bBhHiIlLqQefdFD"}


@api("util.bytes_to_ptr", fails=0, needs="nothing", only=("both", "new"))
def bytes_to_ptr(machine: Machine, data: bytes) -> int:
    return machine.host.of_bytes(data)


@api("util.ptr_to_bytes", fails=b"", needs="nothing", only=("both", "new"))
def ptr_to_bytes(machine: Machine, address: int, size: int) -> bytes:
    """A copy."""
    place = locate(machine, address, size, "ptr_to_bytes")
    if not place.on_host:
        machine.violation("device-pointer-on-host", f"ptr_to_bytes({address:#x}): the host cannot read a chip's memory")
        return bytes([FRESH]) * size
    _check_settled(machine, address, size)
    return join(place.pieces(size))


@api("util.numpy_to_ptr", fails=0, needs="nothing", only=("old", "both"))
def numpy_to_ptr(machine: Machine, array: Any) -> int:
    _warn(machine, "numpy_to_ptr", "bytes_to_ptr")
    _check_array(machine, array)
    if not array.flags.c_contiguous:
        machine.violation("not-contiguous", f"numpy_to_ptr of an array with strides {array.strides}: wrong bytes")
    return machine.host.of_array(array)


@api("util.numpy_contiguous_to_ptr", fails=(0, None), needs="nothing", only=("old", "both"))
def numpy_contiguous_to_ptr(machine: Machine, array: Any) -> tuple[int, NDArray[Any]]:
    """The pointer and the array that it points at, which is another one where the given one is not contiguous."""
    _warn(machine, "numpy_contiguous_to_ptr", "bytes_to_ptr")
    _check_array(machine, array)
    contiguous = np.ascontiguousarray(array)
    return machine.host.of_array(contiguous), contiguous


@api("util.ptr_to_numpy", fails=None, needs="nothing", only=("old", "both"))
def ptr_to_numpy(machine: Machine, address: int, shape: tuple[int, ...], npy_type: int) -> NDArray[Any]:
    """A view, not a copy."""
    _warn(machine, "ptr_to_numpy", "ptr_to_bytes")
    if npy_type not in _TYPES:
        raise ValueError(f"{npy_type} is no type number of numpy")
    dtype = _TYPES[npy_type]
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    place = locate(machine, address, size, "ptr_to_numpy")
    if not place.on_host:
        machine.violation("device-pointer-on-host", f"ptr_to_numpy({address:#x}): the host cannot read a chip's memory")
        return np.full(size, FRESH, np.uint8).view(dtype).reshape(shape)
    if isinstance(place.block, PinnedBlock):
        start = address - place.block.address
        return place.block.buffer[start : start + size].view(dtype).reshape(shape)
    return array_at(address, size, place.block).view(dtype).reshape(shape)


def _check_array(machine: Machine, array: Any) -> None:
    if not isinstance(array, np.ndarray):
        machine.violation("arguments", f"a {type(array).__name__} where a numpy array belongs")
        raise ValueError("needs an ndarray as argument")


def _check_settled(machine: Machine, address: int, size: int) -> None:
    """Pinned memory that a copy is still filling has no result in it."""
    for work, _ in machine.streams.unfinished():
        for access in work.accesses:
            if access.writes and access.start < address + size and address < access.stop:
                machine.violation("read-before-synchronise", f"{work.call} is still writing what is read")
                return


def _warn(machine: Machine, name: str, instead: str) -> None:
    """Newer versions, which still have these, warn at every call."""
    if machine.config.api == "both":
        text = f"acl.util.{name} will be deprecated. Please use acl.util.{instead} instead."
        warnings.warn(text, Warning, stacklevel=6)
