"""Values on the simulated device, or in the host's memory, and how a session is bound to them."""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import Any

import numpy as np

from tests.doubles.cuda import CudaFailure, Range, World
from tests.doubles.cuda.streams import using


def failed(failure: CudaFailure, expression: str) -> RuntimeError:
    """As ONNX Runtime puts CUDA's errors."""
    words = "out of memory" if failure.code == 2 else "an error"
    return RuntimeError(
        f"[ONNXRuntimeError] : 1 : FAIL : CUDA failure {failure.code}: {words} ; GPU=0 ; hostname=here ;"
        f" file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_allocator.cc ; line=1 ; expr={expression};"
    )


def release(world: World, address: int) -> None:
    """An allocation of ONNX Runtime's own goes."""
    if not world._ended:
        with suppress(CudaFailure):  # nobody could be told
            world.free(address)


class OrtValue:
    """Made by the functions of the module. What lies on the device is copied on no stream that sessions work on."""

    def __init__(self, world: World, shape: Any, dtype: Any, device_type: str, device_id: int) -> None:
        self.dtype, self.dims, self.place = np.dtype(dtype), tuple(shape), (device_type, device_id)
        self.size = int(np.prod(self.dims, dtype=np.int64)) * self.dtype.itemsize
        self._world = world
        if device_type not in ("cpu", "cuda"):
            raise RuntimeError(f"Unsupported device type: {device_type}")
        if device_type == "cpu":
            self.array = np.full(self.dims, 7, self.dtype)
            return
        if device_id >= world.config.devices:
            raise RuntimeError("The provided device id doesn't match any available GPUs on the machine.")
        world.set_device(device_id)
        try:
            self._address = world.malloc(max(self.size, 1), "an OrtValue")
        except CudaFailure as failure:
            raise failed(failure, "cudaMalloc((void**)&p, size)") from None
        weakref.finalize(self, release, world, self._address).atexit = False

    def data_ptr(self) -> int:
        return self._address if self.place[0] == "cuda" else int(self.array.ctypes.data)

    def device_name(self) -> str:
        return self.place[0]

    def range(self) -> Range:
        return Range(self._address, max(self.size, 1))

    def update_inplace(self, array: Any) -> None:
        if array.dtype != self.dtype or array.nbytes != self.size:
            raise RuntimeError("The numpy array is not of the type and size of the OrtValue")
        if self.place[0] == "cpu":
            self.array[...] = array.reshape(self.dims)
            return
        self._at_rest("update_inplace")
        if self.size:
            self._world.poke(self._address, np.ascontiguousarray(array).tobytes())

    def numpy(self) -> Any:
        if self.place[0] == "cpu":
            return self.array
        self._at_rest("numpy")
        data = self._world.peek(self._address, self.size) if self.size else b""
        return np.frombuffer(data, self.dtype).reshape(self.dims).copy()

    def _at_rest(self, call: str) -> None:
        met = using(self._world.all_streams(), touched=self.range())
        if met is not None:
            self._world.violation("race", f"OrtValue.{call} while {met[0].node.call} in {met[1]} uses its memory")


class IOBinding:
    """Names to values."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.inputs: dict[str, OrtValue] = {}
        self.outputs: dict[str, OrtValue] = {}

    def bind_ortvalue_input(self, name: str, value: OrtValue) -> None:
        self.inputs[name] = value

    def bind_ortvalue_output(self, name: str, value: OrtValue) -> None:
        self.outputs[name] = value

    def clear_binding_inputs(self) -> None:
        self.inputs.clear()

    def clear_binding_outputs(self) -> None:
        self.outputs.clear()

    def synchronize_inputs(self) -> None:
        self._session.synchronize()

    def synchronize_outputs(self) -> None:
        self._session.synchronize()
