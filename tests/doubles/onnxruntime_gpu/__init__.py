"""A test double of the module of onnxruntime-gpu, on the simulated CUDA machine.

`build` makes one such module on a `World` of tests.doubles.cuda. What it computes is computed by the real ONNX Runtime
on the CPU, which also says which nodes there are, and how long it takes is set: nothing here tells of a real card. Its
manners are those seen in onnxruntime-gpu 1.31.1 without a GPU, and in its sources: a provider whose library is missing
is dropped with a line in a log (CUDA) or is an error (TensorRT) that the constructor turns into a session with the next
provider, unless told not to; each provider reads its options in a way of its own.

Broken rules go to the CUDA double's journal.
"""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from tests.doubles.cuda import Timing, Virtual, World
from tests.doubles.cuda.vendor import vendor as of_world
from tests.doubles.onnxruntime_gpu.config import CPU, CUDA, TENSORRT, Config
from tests.doubles.onnxruntime_gpu.sessions import Fail, InferenceSession, RunOptions, SessionOptions, part
from tests.doubles.onnxruntime_gpu.values import OrtValue

__all__ = ["CPU", "CUDA", "TENSORRT", "Config", "Fail", "build", "vendor"]


def build(config: Config | None = None, timing: Timing | Virtual | None = None) -> Any:
    """A module like `onnxruntime`; its `state` has `config`, `world`, and how many engines were built (`builds`)."""
    import onnxruntime

    config = config or Config()
    world = World(config.machine, timing)
    state = SimpleNamespace(config=config, world=world, builds=0, preloaded=False, kernels={})
    module: Any = ModuleType("onnxruntime", "Stands for the vendor's module.")
    module.state, module.__version__, module.cuda_version = state, config.version, "13.0"
    module.SessionOptions, module.GraphOptimizationLevel = SessionOptions, onnxruntime.GraphOptimizationLevel
    module.RunOptions = RunOptions
    module.get_available_providers = lambda: list(config.providers)
    module.preload_dlls = lambda: setattr(state, "preloaded", True)
    module.InferenceSession = _session_class(state)
    module.OrtValue = SimpleNamespace(
        ortvalue_from_numpy=lambda array, kind="cpu", index=0: _filled(world, array, kind, index),
        ortvalue_from_shape_and_type=lambda shape, dtype, kind="cpu", index=0: OrtValue(
            world, shape, dtype, kind, index
        ),
    )
    return module


def vendor(module: Any) -> Any:
    """CUDA's modules on the same machine, as the backend takes them."""
    return of_world(module.state.world, module.state.config.cuda_modules)


def _session_class(state: Any) -> type[InferenceSession]:
    methods: dict[str, Any] = {"state": state}
    if state.config.tells_nodes:
        methods["get_provider_graph_assignment_info"] = lambda self: _told(self)
    return type("InferenceSession", (InferenceSession,), methods)


def _told(session: Any) -> list[Any]:
    if session._options.entries.get("session.record_ep_graph_assignment_info") != "1":
        raise Fail("Session configuration entry 'session.record_ep_graph_assignment_info' must be set to \"1\"")
    return [part(name, nodes) for name, nodes in session.parts.items()]


def _filled(world: World, array: Any, kind: str, index: int) -> OrtValue:
    value = OrtValue(world, array.shape, array.dtype, kind, index)
    value.update_inplace(np.ascontiguousarray(array))
    return value
