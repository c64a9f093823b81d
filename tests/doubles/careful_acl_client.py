"""A client of pyACL that keeps every rule, written from the documentation alone: what the double must find clean.

It is also the scenery of the tests that break one rule at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HUGE_FIRST = 0
TO_DEVICE, TO_HOST = 1, 2
TIME_LINE = 8
SHAPE_DATA = "ascend_mbatch_shape_data"
DTYPES = {0: np.float32, 1: np.float16, 2: np.int8, 3: np.int32, 4: np.uint8, 9: np.int64}


class Failed(Exception):  # noqa: N818 - a return code
    """A call returned something else than 0."""

    def __init__(self, call: str, code: int, message: str | None) -> None:
        super().__init__(f"{call} returned {code}: {message}")
        self.call = call
        self.code = code


@dataclass
class Tensor:
    """One input or output: its place on the chip and in pinned memory."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    size: int
    on_device: int
    pinned: int
    buffer: int

    @property
    def used(self) -> int:
        """Bytes of the batch that is executed."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class Session:
    """One model on one chip, on a thread of its own or not; `init` and `finalize` are the caller's."""

    def __init__(self, acl: Any, om: Path, chip: int = 0, batch: int | None = None, asynchronous: bool = True) -> None:
        self.acl, self.chip, self.asynchronous = acl, chip, asynchronous
        self.check("rt.set_device", acl.rt.set_device(chip))
        self.context = self.made("rt.create_context", acl.rt.create_context(chip))
        self.stream = self.made("rt.create_stream", acl.rt.create_stream())
        self.model = self.made("mdl.load_from_file", acl.mdl.load_from_file(str(om)))
        self.description = acl.mdl.create_desc()
        self.check("mdl.get_desc", acl.mdl.get_desc(self.description, self.model))
        self.input_set, self.output_set = acl.mdl.create_dataset(), acl.mdl.create_dataset()
        mdl = acl.mdl
        self.inputs = [self._input(index) for index in range(mdl.get_num_inputs(self.description))]
        for tensor in self.inputs:
            self._add(self.input_set, tensor)
        if batch is not None:
            self.set_batch(batch)
        self.outputs = [self._output(index) for index in range(mdl.get_num_outputs(self.description))]
        for tensor in self.outputs:
            self._add(self.output_set, tensor)

    def check(self, call: str, code: int) -> None:
        """Raise Failed unless the call went well."""
        if code != 0:
            raise Failed(call, code, self.acl.get_recent_err_msg() if hasattr(self.acl, "get_recent_err_msg") else None)

    def made(self, call: str, result: tuple[Any, int]) -> Any:
        """What a call made."""
        value, code = result
        self.check(call, code)
        return value

    def set_batch(self, batch: int) -> None:
        """Choose a gear."""
        index = self.made("index", self.acl.mdl.get_input_index_by_name(self.description, SHAPE_DATA))
        set_size = self.acl.mdl.set_dynamic_batch_size
        self.check("mdl.set_dynamic_batch_size", set_size(self.model, self.input_set, index, batch))
        for tensor in self.inputs:
            tensor.shape = tuple(batch if dim < 0 else dim for dim in tensor.shape)

    def feed(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Copy the inputs to the chip, through pinned memory."""
        for tensor in self.inputs:
            if tensor.name != SHAPE_DATA:
                self._fill(tensor, arrays[tensor.name])
                self._copy(tensor.on_device, tensor.size, tensor.pinned, tensor.used, TO_DEVICE)

    def run(self) -> None:
        """Execute and wait."""
        self.start()
        self.wait()

    def start(self) -> None:
        """Execute, or begin to."""
        mdl, common = self.acl.mdl, (self.model, self.input_set, self.output_set)
        if self.asynchronous:
            self.check("mdl.execute_async", mdl.execute_async(*common, self.stream))
        else:
            self.check("mdl.execute", mdl.execute(*common))

    def wait(self) -> None:
        """Wait for what was begun."""
        if self.asynchronous:
            self.check("rt.synchronize_stream", self.acl.rt.synchronize_stream(self.stream))

    def results(self) -> dict[str, NDArray[Any]]:
        """Copy the outputs back."""
        found = {}
        for tensor in self.outputs:
            self._copy(tensor.pinned, tensor.size, tensor.on_device, tensor.used, TO_HOST)
            found[tensor.name] = self._taken(tensor)
        return found

    def close(self) -> None:
        """Release everything, in order."""
        acl = self.acl
        self.check("rt.set_context", acl.rt.set_context(self.context))
        for tensor in (*self.inputs, *self.outputs):
            self.check("destroy_data_buffer", acl.destroy_data_buffer(tensor.buffer))
            self.check("rt.free", acl.rt.free(tensor.on_device))
            self.check("rt.free_host", acl.rt.free_host(tensor.pinned))
        for dataset in (self.input_set, self.output_set):
            self.check("mdl.destroy_dataset", acl.mdl.destroy_dataset(dataset))
        self.check("mdl.destroy_desc", acl.mdl.destroy_desc(self.description))
        self.check("mdl.unload", acl.mdl.unload(self.model))
        self.check("rt.destroy_stream", acl.rt.destroy_stream(self.stream))
        self.check("rt.destroy_context", acl.rt.destroy_context(self.context))
        self.check("rt.reset_device", acl.rt.reset_device(self.chip))

    def _input(self, index: int) -> Tensor:
        mdl, desc = self.acl.mdl, self.description
        dims = self.made("mdl.get_input_dims", mdl.get_input_dims(desc, index))
        dtype, size = DTYPES[mdl.get_input_data_type(desc, index)], mdl.get_input_size_by_index(desc, index)
        return self._placed(dims, dtype, size)

    def _output(self, index: int) -> Tensor:
        mdl, desc = self.acl.mdl, self.description
        current = getattr(mdl, "get_cur_output_dims", mdl.get_output_dims)
        dims = self.made("mdl.get_cur_output_dims", current(desc, index))
        dtype, size = DTYPES[mdl.get_output_data_type(desc, index)], mdl.get_output_size_by_index(desc, index)
        # of an ONNX network: node, index of its edge, name
        dims["name"] = dims["name"].rpartition(":")[2]
        return self._placed(dims, dtype, size)

    def _placed(self, dims: dict[str, Any], dtype: Any, size: int) -> Tensor:
        on_device = self.made("rt.malloc", self.acl.rt.malloc(size, HUGE_FIRST))
        pinned = self.made("rt.malloc_host", self.acl.rt.malloc_host(size))
        buffer = self.acl.create_data_buffer(on_device, size)
        return Tensor(dims["name"], tuple(dims["dims"]), np.dtype(dtype), size, on_device, pinned, buffer)

    def _add(self, dataset: int, tensor: Tensor) -> None:
        self.made("mdl.add_dataset_buffer", self.acl.mdl.add_dataset_buffer(dataset, tensor.buffer))

    def _copy(self, target: int, room: int, source: int, count: int, kind: int) -> None:
        self.check("rt.memcpy", self.acl.rt.memcpy(target, room, source, count, kind))

    def _fill(self, tensor: Tensor, array: NDArray[Any]) -> None:
        """Put an array into pinned memory, with what this version has for that."""
        util = self.acl.util
        if hasattr(util, "ptr_to_numpy"):
            util.ptr_to_numpy(tensor.pinned, tensor.shape, tensor.dtype.num)[...] = array
            return
        data = array.astype(tensor.dtype).tobytes()
        self._copy(tensor.pinned, tensor.size, util.bytes_to_ptr(data), len(data), 0)

    def _taken(self, tensor: Tensor) -> NDArray[Any]:
        """A copy of what is in pinned memory."""
        util = self.acl.util
        if hasattr(util, "ptr_to_bytes"):
            data = util.ptr_to_bytes(tensor.pinned, tensor.used)
            return np.frombuffer(data, tensor.dtype).reshape(tensor.shape)
        return util.ptr_to_numpy(tensor.pinned, tensor.shape, tensor.dtype.num).copy()
