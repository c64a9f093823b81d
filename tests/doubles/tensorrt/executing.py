"""Execution contexts: shapes, addresses, and what they put on a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.doubles.cuda import CudaFailure, Range
from tests.doubles.cuda.errors import CODES
from tests.doubles.tensorrt import model
from tests.doubles.tensorrt.compute import NUMPY, Numbers
from tests.doubles.tensorrt.machine import Owned, call
from tests.doubles.tensorrt.network import Dims
from tests.doubles.tensorrt.plan import Plan

Shape = tuple[int, ...]
#: Bytes of the device that a context takes.
WORK = 4 << 20


@dataclass(eq=False)
class Life:
    """Stands for a context where work on a stream needs it: the work must not keep it alive."""

    alive: bool = True

    def __str__(self) -> str:
        return "an execution context"


class Context(Owned):
    """Executes an engine, for the shapes and at the addresses that were set last."""

    what = "execution context"

    def __init__(self, engine: Owned, plan: Plan, graph: bytes, numbers: Numbers) -> None:
        super().__init__(engine)
        self._plan, self._graph, self._numbers = plan, graph, numbers
        self.life = Life()
        self.active_optimization_profile = 0
        self._shapes: dict[str, Shape] = {}
        self._addresses: dict[str, int] = {}
        self._outputs: dict[str, Shape] | None = None
        self._ran = False

    @call("set_optimization_profile_async")
    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        if not 0 <= index < max(len(self._plan.profiles), 1):
            self.machine.error(f"Error Code 3: API Usage Error (profile {index} does not exist)")
            return False
        self.active_optimization_profile = index
        self._shapes.clear()
        self._outputs = None
        return True

    @call("set_input_shape")
    def set_input_shape(self, name: str, shape: Any) -> bool:
        tensor = next((tensor for tensor in self._plan.inputs if tensor.name == name), None)
        if tensor is None:
            return self._failed(f"Error Code 3: API Usage Error (Given invalid tensor name: {name})")
        shape = tuple(shape)
        low, _, high = self._range(tensor)
        fits = len(shape) == len(low) and all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True))
        if not fits:
            return self._failed(
                f"IExecutionContext::setInputShape: Error Code 3: API Usage Error (Static or profile dimension mismatch"
                f" for {name}: {shape} does not lie between {low} and {high})"
            )
        self._at_rest("set_input_shape")
        self._shapes[name] = shape
        self._outputs, self._ran = None, False
        return True

    @call("infer_shapes")
    def infer_shapes(self) -> list[str]:
        return [tensor.name for tensor in self._plan.inputs if tensor.name not in self._known()]

    def get_tensor_shape(self, name: str) -> Dims:
        self.check_parent()
        return Dims(self._shape(name))

    @call("set_tensor_address")
    def set_tensor_address(self, name: str, address: int) -> bool:
        if name not in {tensor.name for tensor in (*self._plan.inputs, *self._plan.outputs)} or not address:
            return self._failed(f"Error Code 3: API Usage Error (Given invalid tensor name or address: {name})")
        self._at_rest("set_tensor_address")
        self._addresses[name], self._ran = address, False
        return True

    def is_stream_capturable(self, stream: int) -> bool:
        return self.machine.config.capturable

    @call("execute_async_v3")
    def execute_async_v3(self, stream_handle: int) -> bool:
        world = self.machine.world
        names = [tensor.name for tensor in (*self._plan.inputs, *self._plan.outputs)]
        missing = [name for name in names if name not in self._addresses] or self.infer_shapes()
        if missing:
            return self._failed(f"Error Code 3: API Usage Error (no shape or address was set for {missing[0]})")
        try:
            if world.is_capturing(stream_handle) and not (self._ran and self.machine.config.capturable):
                capture = world.stream(stream_handle).capture
                assert capture is not None
                capture.broken = "TensorRT allocates in its first execution"
                return self._failed("Error Code 1: Cuda Runtime (operation not permitted when stream is capturing)")
            shapes = self._known()
            world.launch(
                stream_handle, self._duration(shapes), self._numbers.kernel(shapes),
                reads=[self._place(tensor) for tensor in self._plan.inputs],
                writes=[self._place(tensor) for tensor in self._plan.outputs],
                needs=(self.life,), name="execute_async_v3",
            )  # fmt: skip
        except CudaFailure as failure:
            words = CODES.get(failure.code, ("", "", str(failure)))[2]
            return self._failed(f"Error Code 1: Cuda Runtime (cudaError {failure.code}: {words})")
        self._ran = True
        return True

    def let_go(self) -> None:
        if self.machine.world.in_flight(self.life):
            self.machine.violation("destroyed-in-flight", "an execution context is destroyed while it executes")
        self.life.alive = False

    def _duration(self, shapes: dict[str, Shape]) -> float:
        first = shapes[self._plan.inputs[0].name]
        config = self.machine.config
        return (config.base_ms + (first[0] if first else 1) * config.image_ms) / 1e3

    def _place(self, tensor: model.Tensor) -> Range:
        count = int(np.prod(self._shape(tensor.name), dtype=np.int64))
        return Range(self._addresses[tensor.name], max(count * np.dtype(NUMPY[tensor.dtype]).itemsize, 1))

    def _known(self) -> dict[str, Shape]:
        """Shapes of the inputs, those that the engine fixes included."""
        fixed = {tensor.name: tensor.shape for tensor in self._plan.inputs if -1 not in tensor.shape}
        return fixed | self._shapes

    def _shape(self, name: str) -> Shape:
        known = self._known()
        if name in known:
            return known[name]
        if len(known) < len(self._plan.inputs):
            return next(tensor.shape for tensor in (*self._plan.inputs, *self._plan.outputs) if tensor.name == name)
        if self._outputs is None:
            self._outputs = model.output_shapes(self._graph, known)
        return self._outputs[name]

    def _range(self, tensor: model.Tensor) -> tuple[Shape, Shape, Shape]:
        if -1 not in tensor.shape:
            return tensor.shape, tensor.shape, tensor.shape
        return self._plan.profiles[self.active_optimization_profile][tensor.name]

    def _at_rest(self, what: str) -> None:
        if self.machine.world.in_flight(self.life):
            self.machine.violation("changed-in-flight", f"{what} while the context executes")

    def _failed(self, text: str) -> bool:
        self.machine.error(text)
        return False
