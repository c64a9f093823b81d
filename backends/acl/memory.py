"""Buffers of a session: on the device, and pinned on the host, made once and released in CANN's order."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backends.acl.library import Library
from backends.acl.releases import Releases
from backends.acl.tensors import Port
from backends.base import Array, TensorSpec

#: Huge pages where there are some, else normal ones: ACL_MEM_MALLOC_HUGE_FIRST.
_HUGE_FIRST = 0
_TO_DEVICE, _TO_HOST = 1, 2


@dataclass(frozen=True, slots=True)
class Buffer:
    """Device memory of one input or output, and pinned host memory of the same size that numpy sees as `view`."""

    spec: TensorSpec
    device: int
    size: int
    host: int
    view: Array


class Buffers:
    """All inputs or all outputs of a model, and the dataset that an execution is given.

    What it holds is released by `stack`, in reverse: the dataset, its data buffers, their memory.
    """

    def __init__(self, library: Library, ports: Sequence[Port], stack: Releases) -> None:
        """Raises DeviceError; what was made before it is the stack's."""
        self._library = library
        self.buffers: list[Buffer] = []
        addresses = [self._device_memory(port.size, stack) for port in ports]
        for port, address in zip(ports, addresses, strict=True):
            if port.spec is not None:
                self.buffers.append(self._with_host_memory(port, port.spec, address, stack))
        entries = [self._entry(address, port.size, stack) for port, address in zip(ports, addresses, strict=True)]
        self.dataset = library.handle("mdl.create_dataset")
        stack.callback(library.do, "mdl.destroy_dataset", self.dataset)
        for entry in entries:
            library.get("mdl.add_dataset_buffer", self.dataset, entry)

    def to_device(self, buffer: Buffer, array: Array) -> None:
        """Copy one input, finished on return. Raises DeviceError."""
        np.copyto(buffer.view, array, casting="no")
        self._library.do("rt.memcpy", buffer.device, buffer.size, buffer.host, buffer.view.nbytes, _TO_DEVICE)

    def to_host(self, buffer: Buffer) -> Array:
        """A new array with one output. Raises DeviceError."""
        self._library.do("rt.memcpy", buffer.host, buffer.size, buffer.device, buffer.view.nbytes, _TO_HOST)
        return buffer.view.copy()

    def _device_memory(self, size: int, stack: Releases) -> int:
        address: int = self._library.get("rt.malloc", size, _HUGE_FIRST)
        stack.callback(self._library.do, "rt.free", address)
        return address

    def _with_host_memory(self, port: Port, spec: TensorSpec, device: int, stack: Releases) -> Buffer:
        host: int = self._library.get("rt.malloc_host", port.size)
        stack.callback(self._library.do, "rt.free_host", host)
        # An address of this process: numpy reads and writes it in place, with any version of pyACL's helpers.
        memory = (ctypes.c_ubyte * port.size).from_address(host)
        count = int(np.prod(spec.shape, dtype=np.int64))
        view: Array = np.frombuffer(memoryview(memory), spec.dtype, count).reshape(spec.shape)
        return Buffer(spec, device, port.size, host, view)

    def _entry(self, address: int, size: int, stack: Releases) -> int:
        entry = self._library.handle("create_data_buffer", address, size)
        stack.callback(self._library.do, "destroy_data_buffer", entry)
        return entry
