"""A plan on the device: its runtime, engine and execution context, and what they say of its inputs and outputs.

These objects must be gone before CUDA is, the context first. They are let go of when nothing refers to them, so nobody
else keeps one, not even in a variable, which a traceback would keep alive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.base import DeviceError, Model, ModelMismatch, TensorSpec
from backends.casting import castable
from backends.tensorrt.library import Library

#: trt.DataType -> numpy, by name; those without a numpy type are left out.
_DTYPES = {
    "FLOAT": "float32", "HALF": "float16", "INT8": "int8", "INT32": "int32", "INT64": "int64", "UINT8": "uint8",
    "BOOL": "bool",
}  # fmt: skip
_AGAIN = "build the engine again from this model's .onnx file"


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output as the engine has it; -1 for a dimension that is left open. `on_host`: it holds a shape."""

    name: str
    is_input: bool
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    on_host: bool


class Loaded:
    """What was deserialised from `plan`. Raises DeviceError with TensorRT's words; `file` is how messages call it."""

    def __init__(self, library: Library, plan: bytes, file: str) -> None:
        self._library, self._file = library, file
        self._trt = library.module
        self._runtime: Any = None
        self._engine: Any = None
        self._context: Any = None
        since = library.messages.mark()
        try:
            self._runtime = library.get("Runtime", self._trt.Runtime, library.logger)
            self._engine = library.get(f"loading {file}", self._runtime.deserialize_cuda_engine, plan)
        except BaseException:
            self.close()
            raise
        #: what TensorRT warned of while it loaded, such as an engine of another model of card
        self.warnings = library.messages.warnings(since)

    def tensors(self) -> list[Tensor]:
        """Inputs and outputs in the engine's order. Raises ModelMismatch for a type that numpy lacks."""
        count = int(self._engine.num_io_tensors)
        return [self._tensor(str(self._engine.get_tensor_name(index))) for index in range(count)]

    def start(self, batch: int) -> None:
        """Make the execution context, with its memory. Raises DeviceError."""
        name = f"create_execution_context for batch {batch}"
        self._context = self._library.get(name, self._create_context)

    def set_shapes(self, specs: Sequence[TensorSpec], stream: int) -> None:
        """Choose the profile that has these shapes, and set them. Raises ModelMismatch, DeviceError."""
        dynamic = [spec for spec in specs if -1 in tuple(self._engine.get_tensor_shape(spec.name))]
        if dynamic:
            profile = self._profile_for(dynamic)
            if profile:
                name = f"set_optimization_profile_async({profile})"
                self._library.get(name, self._context.set_optimization_profile_async, profile, stream)
        for spec in specs:
            self._library.get(f"set_input_shape({spec})", self._context.set_input_shape, spec.name, spec.shape)
        missing = self._library.get("infer_shapes", self._context.infer_shapes)
        if missing:
            raise DeviceError(
                f"{self._library.title}: the shapes of {', '.join(missing)} in {self._file} are still open; {_AGAIN}."
            )

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Of an input or output, once the inputs' shapes are set; -1 where only the data tells."""
        return tuple(int(dim) for dim in self._context.get_tensor_shape(name))

    def set_address(self, name: str, address: int) -> None:
        """Where an input is read or an output written. Raises DeviceError."""
        self._library.get(f"set_tensor_address({name})", self._context.set_tensor_address, name, address)

    def execute(self) -> Any:
        """The bound function for the timed loop: takes the stream, says False where it failed; to be dropped first."""
        return self._context.execute_async_v3

    def capturable(self, stream: int) -> bool:
        """Whether this can be captured in a CUDA graph, as far as the library tells."""
        if not hasattr(self._context, "is_stream_capturable"):
            return True
        return bool(self._context.is_stream_capturable(stream))

    def profile(self, names: Sequence[str]) -> str:
        """The range of each of these inputs in the profile in use, in words; empty where none is open."""
        told = []
        for name in names:
            if -1 in tuple(self._engine.get_tensor_shape(name)):
                low, usual, high = self._range(name, int(self._context.active_optimization_profile))
                told.append(f"{name} {low} to {high}, tuned for {usual}" if low != high else f"{name} {usual}")
        return "; ".join(told)

    @property
    def auxiliary_streams(self) -> int:
        """Streams that TensorRT runs parts of the engine on, beside the one that it is given."""
        return int(self._engine.num_aux_streams)

    @property
    def device_memory(self) -> int:
        """Bytes that one execution context needs, beside the weights."""
        found = getattr(self._engine, "device_memory_size_v2", None)
        return int(found if found is not None else self._engine.device_memory_size)

    def layers(self) -> str:
        """What the engine tells of its layers, as JSON; empty where it tells nothing."""
        try:
            inspector = self._engine.create_engine_inspector()
            return str(inspector.get_engine_information(self._trt.LayerInformationFormat.JSON))
        except Exception:  # an engine that was built to tell nothing
            return ""

    def close(self) -> None:
        """Let go of the context, the engine and the runtime, in this order."""
        self._context = None
        self._engine = None
        self._runtime = None

    def _create_context(self) -> Any:
        """For open shapes TensorRT for RTX would use stopgap kernels until better ones are compiled beside the loop."""
        strategy = getattr(self._trt, "DynamicShapesKernelSpecializationStrategy", None)
        if strategy is None:
            return self._engine.create_execution_context()
        settings = self._engine.create_runtime_config()
        settings.dynamic_shapes_kernel_specialization_strategy = strategy.EAGER
        return self._engine.create_execution_context(settings)

    def _tensor(self, name: str) -> Tensor:
        trt = self._trt
        kind = self._engine.get_tensor_dtype(name).name
        if kind not in _DTYPES:
            raise ModelMismatch(f"{self._file}: {name} is of type {kind}, for which numpy has none; {_AGAIN}.")
        return Tensor(
            name=name,
            is_input=self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT,
            shape=tuple(int(dim) for dim in self._engine.get_tensor_shape(name)),
            dtype=np.dtype(_DTYPES[kind]),
            on_host=self._engine.get_tensor_location(name) != trt.TensorLocation.DEVICE,
        )

    def _profile_for(self, specs: Sequence[TensorSpec]) -> int:
        """The profile whose ranges hold all shapes; of several the one tuned for just these."""
        fitting = []
        for index in range(int(self._engine.num_optimization_profiles)):
            ranges = [(spec.shape, *self._range(spec.name, index)) for spec in specs]
            if all(_within(shape, low, high) for shape, low, _, high in ranges):
                fitting.append((sum(shape != usual for shape, _, usual, _ in ranges), index))
        if not fitting:
            spec = specs[0]
            low, _, high = self._range(spec.name, 0)
            raise ModelMismatch(
                f"{self._file} takes {spec.name} from {low} to {high}, the model has {spec.shape}; name an engine of"
                f" batch {spec.shape[0] if spec.shape else 1}, or {_AGAIN}."
            )
        return min(fitting)[1]

    def _range(self, name: str, profile: int) -> list[tuple[int, ...]]:
        """Smallest, usual and largest shape of an input in a profile."""
        return [tuple(int(dim) for dim in shape) for shape in self._engine.get_tensor_profile_shape(name, profile)]


def check_tensors(found: Sequence[Tensor], model: Model, file: str) -> tuple[list[TensorSpec], list[TensorSpec]]:
    """Inputs and outputs in the model's order, with the engine's dtypes.

    Raises ModelMismatch unless the engine has exactly the model's, with shapes and dtypes that can stand for them.
    """
    inputs = [tensor for tensor in found if tensor.is_input]
    outputs = [tensor for tensor in found if not tensor.is_input]
    return _matched(inputs, model.inputs, "input", file), _matched(outputs, model.outputs, "output", file)


def _matched(found: Sequence[Tensor], wanted: Sequence[TensorSpec], kind: str, file: str) -> list[TensorSpec]:
    there = {tensor.name: tensor for tensor in found}
    if sorted(there) != sorted(spec.name for spec in wanted):
        raise ModelMismatch(
            f"{file} has the {kind}s {', '.join(there) or 'none'}, the model has"
            f" {', '.join(spec.name for spec in wanted)}; name the engine of this model, or {_AGAIN}."
        )
    specs = []
    for spec in wanted:
        tensor = there[spec.name]
        if tensor.on_host:
            raise ModelMismatch(f"{file}: {kind} {spec.name} lies on the host, since it holds a shape; {_AGAIN}.")
        if len(tensor.shape) != len(spec.shape) or not _fits(spec.shape, tensor.shape):
            raise ModelMismatch(f"{file}: {kind} {spec.name} is {tensor.shape}, the model has {spec.shape}; {_AGAIN}.")
        if not castable(spec.dtype, tensor.dtype):
            raise ModelMismatch(f"{file}: {kind} {spec.name} is {tensor.dtype}, the model has {spec.dtype}; {_AGAIN}.")
        specs.append(TensorSpec(spec.name, spec.shape, tensor.dtype))
    return specs


def _fits(shape: Sequence[int], pattern: Sequence[int]) -> bool:
    return all(dim in (-1, size) for size, dim in zip(shape, pattern, strict=True))


def _within(shape: Sequence[int], low: Sequence[int], high: Sequence[int]) -> bool:
    return all(least <= size <= most for size, least, most in zip(shape, low, high, strict=True))
