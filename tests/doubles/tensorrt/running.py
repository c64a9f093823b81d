"""The runtime and engines from plans, and what they tell of themselves."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tests.doubles.tensorrt.compute import Numbers
from tests.doubles.tensorrt.enums import Severity
from tests.doubles.tensorrt.executing import WORK, Context
from tests.doubles.tensorrt.machine import Owned, call
from tests.doubles.tensorrt.network import Dims
from tests.doubles.tensorrt.plan import BadPlan, Plan, unpacked

Shape = tuple[int, ...]


class Runtime(Owned):
    """Reads plans."""

    what = "runtime"
    logger_class: type
    engine_class: type[Engine]

    @call("Runtime")
    def __init__(self, logger: Any) -> None:
        self.machine.take_logger(logger, self.logger_class)
        self.machine.need_driver("Runtime")
        super().__init__()

    @call("deserialize_cuda_engine")
    def deserialize_cuda_engine(self, content: Any) -> Engine | None:
        config = self.machine.config
        try:
            plan, graph = unpacked(content)
        except BadPlan as error:
            self._refused(f"IRuntime::deserializeCudaEngine: {error}")
            return None
        here = f"{config.generation} {config.full_version}"
        if plan.library != here:
            self._refused(
                "The engine plan file is not compatible with this version of TensorRT, expecting library version"
                f" {config.full_version} got {plan.library.partition(' ')[2]}, please rebuild."
            )
            return None
        if plan.capability != config.machine.capability:
            want, got = (".".join(map(str, each)) for each in (plan.capability, config.machine.capability))
            self._refused(
                f"The engine plan file is generated on an incompatible device, expecting compute {got} got compute"
                f" {want}, please rebuild."
            )
            return None
        if plan.gpu != config.machine.device_name:
            self.machine.say(
                Severity.WARNING,
                "Using an engine plan file across different models of devices is not recommended and is likely to"
                " affect performance or even cause errors.",
            )
        engine = self.engine_class(self, plan, graph)
        if not engine.allocate(len(graph), "weights of an engine"):
            self._refused("[virtualMemoryBuffer.cpp::resizePhysical::127] Error Code 2: OutOfMemory")
            return None
        return engine

    def _refused(self, text: str) -> None:
        self.machine.error(text)


class Inspector(Owned):
    """An engine's own account of its layers."""

    what = "engine inspector"

    def __init__(self, engine: Owned, layers: tuple[tuple[str, str], ...]) -> None:
        super().__init__(engine)
        self._layers = layers

    def get_engine_information(self, form: Any) -> str:
        rows = [{"Name": name, "Outputs": [{"Name": name, "Format/Datatype": kind}]} for name, kind in self._layers]
        return json.dumps({"Layers": rows, "Bindings": []})


class RuntimeConfig(Owned):
    """How an execution context of TensorRT for RTX behaves."""

    what = "runtime configuration"

    def __init__(self, engine: Owned) -> None:
        super().__init__(engine)
        self.dynamic_shapes_kernel_specialization_strategy = self.machine.enums[
            "DynamicShapesKernelSpecializationStrategy"
        ].LAZY


class Engine(Owned):
    """A plan on the device."""

    what = "engine"
    context_class: type[Context]
    inspector_class: type[Inspector]
    config_class: type[RuntimeConfig]
    num_aux_streams = 0

    def __init__(self, runtime: Owned, plan: Plan, graph: bytes) -> None:
        super().__init__(runtime)
        self.plan, self.graph = plan, graph
        # One for all engines of this content: what it computed before need not be computed again.
        self.numbers = self.machine.numbers.setdefault((msgspec.json.encode(plan), graph), Numbers(plan, graph))
        self.tensors = {tensor.name: tensor for tensor in (*plan.inputs, *plan.outputs)}

    @property
    def num_io_tensors(self) -> int:
        return len(self.tensors)

    @property
    def num_optimization_profiles(self) -> int:
        return max(len(self.plan.profiles), 1)

    @property
    def device_memory_size(self) -> int:
        return WORK

    @property
    def device_memory_size_v2(self) -> int:
        return WORK

    def get_tensor_name(self, index: int) -> str:
        return list(self.tensors)[index]

    def get_tensor_mode(self, name: str) -> Any:
        modes = self.machine.enums["TensorIOMode"]
        return modes.INPUT if name in {tensor.name for tensor in self.plan.inputs} else modes.OUTPUT

    def get_tensor_shape(self, name: str) -> Dims:
        self.check_parent()
        return Dims(self.tensors[name].shape)

    def get_tensor_dtype(self, name: str) -> Any:
        return self.machine.enums["DataType"][self.tensors[name].dtype]

    def get_tensor_location(self, name: str) -> Any:
        places = self.machine.enums["TensorLocation"]
        return places.HOST if self.tensors[name].on_host else places.DEVICE

    def is_shape_inference_io(self, name: str) -> bool:
        return self.tensors[name].on_host

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Dims]:
        tensor = self.tensors[name]
        if not self.plan.profiles or name not in self.plan.profiles[profile_index]:
            return [Dims(tensor.shape)] * 3
        return [Dims(shape) for shape in self.plan.profiles[profile_index][name]]

    @call("create_engine_inspector")
    def create_engine_inspector(self) -> Inspector:
        return self.inspector_class(self, self.plan.layers)

    def create_runtime_config(self) -> RuntimeConfig:
        return self.config_class(self)

    @call("create_execution_context")
    def create_execution_context(self, settings: Any = None) -> Context | None:
        lazy = self.machine.config.generation == "rtx" and (
            settings is None or settings.dynamic_shapes_kernel_specialization_strategy.name == "LAZY"
        )
        if lazy and any(-1 in tensor.shape for tensor in self.plan.inputs):
            self.machine.violation("compiles-while-timed", "open shapes, and kernels compiled beside the loop (LAZY)")
        context = self.context_class(self, self.plan, self.graph, self.numbers)
        if not context.allocate(WORK, "memory of an execution context"):
            self.machine.error("[virtualMemoryBuffer.cpp::resizePhysical::127] Error Code 2: OutOfMemory")
            return None
        return context
