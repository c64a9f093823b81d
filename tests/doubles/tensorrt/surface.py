"""One generation's module: its classes bound to a machine, without the names that it lacks."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NoReturn

from tests.doubles.cuda import World
from tests.doubles.tensorrt import building, executing, network, running
from tests.doubles.tensorrt.config import Config
from tests.doubles.tensorrt.enums import Severity, enums
from tests.doubles.tensorrt.machine import Machine, meet_fault

#: Class -> name -> the generations that have it; what is not listed is in all.
_ONLY: dict[str, dict[str, tuple[str, ...]]] = {
    "Builder": {
        "platform_has_fast_fp16": ("8.6", "10"), "platform_has_fast_int8": ("8.6", "10"),
        "platform_has_tf32": ("8.6", "10"), "build_engine": ("8.6",),
    },
    "IBuilderConfig": {
        "set_compute_capability": ("rtx",), "num_compute_capabilities": ("rtx",), "max_workspace_size": ("8.6",),
    },
    "ICudaEngine": {
        "device_memory_size": ("8.6", "10"), "device_memory_size_v2": ("10", "11", "rtx"),
        "create_runtime_config": ("10", "11", "rtx"),
    },
    "IExecutionContext": {"is_stream_capturable": ("rtx",)},
    "ParserError": {"node_name": ("10", "11", "rtx"), "node_operator": ("10", "11", "rtx")},
}  # fmt: skip


class _Absent:
    """In the place of a name that this version lacks."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._what = f"{owner.__name__!r} object has no attribute {name!r}"

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(self._what)


def module_of(config: Config, world: World) -> Any:
    """The module; `state` is its Machine."""
    generation = config.generation
    made = enums(generation)
    machine = Machine(config, world, made)
    module: Any = ModuleType("tensorrt_rtx" if generation == "rtx" else "tensorrt", "Stands for NVIDIA's module.")
    module.state = machine
    module.__version__ = config.full_version
    for name, kind in made.items():
        setattr(module, name, kind)

    class ILogger:
        """Clients derive their own from it, and must make the base by name."""

        Severity = Severity
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = Severity

        def __init__(self) -> None:
            self.bound = True

        def log(self, severity: Any, msg: str) -> None:
            raise NotImplementedError

    module.ILogger = ILogger

    def bind(base: type, name: str, **attributes: Any) -> type:
        absent = {each: _Absent() for each, where in _ONLY.get(name, {}).items() if generation not in where}
        kind = type(name, (base,), {"machine": machine, **attributes, **absent})
        setattr(module, name, kind)
        return kind

    tensor = bind(network.TensorView, "ITensor")
    error = bind(network.ParserError, "ParserError")
    net = bind(network.Network, "INetworkDefinition", tensor_class=tensor)
    bind(network.Parser, "OnnxParser", logger_class=ILogger, error_class=error)
    profile = bind(building.Profile, "IOptimizationProfile")
    timing = bind(building.TimingCache, "ITimingCache")
    settings = bind(building.BuilderConfig, "IBuilderConfig", timing_class=timing)
    bind(
        building.Builder, "Builder", logger_class=ILogger, network_class=net, config_class=settings,
        profile_class=profile,
    )  # fmt: skip
    inspector = bind(running.Inspector, "EngineInspector")
    context = bind(executing.Context, "IExecutionContext")
    runtime_settings = bind(running.RuntimeConfig, "IRuntimeConfig")
    engine = bind(
        running.Engine, "ICudaEngine", context_class=context, inspector_class=inspector, config_class=runtime_settings
    )
    bind(running.Runtime, "Runtime", logger_class=ILogger, engine_class=engine)

    def init_libnvinfer_plugins(logger: Any, namespace: str) -> Any:
        machine.take_logger(logger, ILogger)
        failed, value = meet_fault(machine, "init_libnvinfer_plugins")
        return value if failed else True

    module.init_libnvinfer_plugins = init_libnvinfer_plugins
    return module
